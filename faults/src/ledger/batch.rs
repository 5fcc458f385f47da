//! Operations that a store carried out in one transaction, when that transaction failed.

use std::collections::BTreeSet;

use sessionup_core::{SessionId, StoreError};

use super::Ledger;
use crate::campaign::{Violation, ensure};
use crate::model::{Answer, Model, Op};
use crate::perform::Failed;

impl Ledger {
    /// Takes note of the answers to operations that stood in line together and were carried out in
    /// one transaction. `unsettled` is what the disk may hold instead if the process ends now.
    ///
    /// If the transaction failed, the sessions that it ended and those that it made are refused from
    /// then on and ended at last; what it changed may have changed.
    ///
    /// # Errors
    ///
    /// If an answer fits no world.
    pub fn together(
        &mut self,
        batch: &[(Op, Result<Answer, Failed>)],
        unsettled: &mut Vec<Model>,
    ) -> Result<(), Violation> {
        if !batch.iter().any(|(_, outcome)| is_failure(outcome))
            && batch.iter().any(|(_, outcome)| outcome.is_ok())
        {
            for (op, outcome) in batch {
                match outcome {
                    Ok(answer) => self.answered(op, answer)?,
                    Err(failed) => self.note(Some(op), format!("{failed:?}, not tried")),
                }
            }
            // With a transaction that succeeds, all is settled.
            unsettled.clear();
            return Ok(());
        }
        let (took_part, may_have) = took_part(batch);
        for (op, outcome) in batch {
            let told = match outcome {
                Ok(answer) => format!("{answer:?} without a database"),
                Err(failed) => format!("{failed:?}"),
            };
            self.note(Some(op), format!("{told}, together"));
        }
        let mut worlds = Vec::new();
        for before in &self.worlds {
            let (after, refused) = carried_out(before, &took_part);
            for world in [before, &after, &carried_out(before, &may_have).0] {
                put(unsettled, world.clone());
            }
            for mut world in [before.clone(), after] {
                refused.iter().for_each(|id| world.remove(*id));
                put(&mut worlds, world);
            }
        }
        self.worlds = worlds;
        for (op, outcome) in batch {
            if let Ok(answer) = outcome {
                // An answer from memory: there is no such session.
                ensure(*answer == Answer::Record(None), || {
                    format!("{op:?} was answered with {answer:?} when its transaction failed")
                })?;
                self.answered(op, answer)?;
            }
        }
        Ok(())
    }

    /// Takes note that the process is gone, before or after the store had settled what was in doubt.
    pub fn restarted(&mut self, unsettled: &mut Vec<Model>) {
        self.note(None, "the process ended");
        let unsettled = std::mem::take(unsettled);
        self.add(unsettled);
    }
}

/// Says whether an outcome means that the transaction failed. A login for which there is no room may
/// be refused before there is one.
fn is_failure(outcome: &Result<Answer, Failed>) -> bool {
    match outcome {
        Ok(_) | Err(Failed::Unknown(StoreError::Full { .. })) => false,
        Err(Failed::Unknown(_) | Failed::Refused(_)) => true,
    }
}

/// Returns the operations that changed something in a transaction whose outcome is unknown, as they
/// were told; and with those that may have.
fn took_part(batch: &[(Op, Result<Answer, Failed>)]) -> (Vec<&Op>, Vec<&Op>) {
    let is_full = |outcome: &Result<Answer, Failed>| {
        matches!(outcome, Err(Failed::Unknown(StoreError::Full { .. })))
    };
    let is_unknown = |outcome: &Result<Answer, Failed>| {
        matches!(outcome, Err(Failed::Unknown(_))) && !is_full(outcome)
    };
    // Logins that were told that the disk is full ended nobody, and nothing comes of them. But if
    // they were tried, as others were, they counted for the limits of those after them.
    let were_tried = batch
        .iter()
        .any(|(op, outcome)| is_unknown(outcome) && matches!(op, Op::Create { .. }));
    let told = batch
        .iter()
        .filter(|(_, outcome)| is_unknown(outcome) || were_tried && is_full(outcome));
    let possible = batch
        .iter()
        .filter(|(_, outcome)| is_unknown(outcome) || is_full(outcome));
    (
        told.map(|(op, _)| op).collect(),
        possible.map(|(op, _)| op).collect(),
    )
}

fn put(worlds: &mut Vec<Model>, world: Model) {
    if !worlds.contains(&world) {
        worlds.push(world);
    }
}

/// Returns the world after these operations, and whom they ended or made.
fn carried_out(before: &Model, ops: &[&Op]) -> (Model, BTreeSet<SessionId>) {
    let ids = |model: &Model| -> BTreeSet<_> {
        model.records().map(|record| record.session.id).collect()
    };
    let (mut world, mut refused) = (before.clone(), BTreeSet::new());
    for op in ops {
        let had = ids(&world);
        world.apply(op);
        refused.extend(had.symmetric_difference(&ids(&world)));
    }
    (world, refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{BEGIN, hash, id, user};
    use sessionup_core::{LimitPolicy, Record, Session, SessionLimit};
    use std::sync::Arc;

    fn create(number: u64, limit: Option<u32>) -> Op {
        let expires = BEGIN.saturating_add(std::time::Duration::from_secs(60));
        let session = Session::new(id(number), user(0), BEGIN, expires);
        let limit = limit.and_then(std::num::NonZeroU32::new);
        Op::Create {
            record: Box::new(Record::new(session, hash(0))),
            replaces: None,
            limit: limit.map(|max| SessionLimit::new(max, LimitPolicy::EvictOldest)),
            now: BEGIN,
        }
    }

    fn unknown() -> Result<Answer, Failed> {
        Err(Failed::Unknown(StoreError::outcome_unknown("broken")))
    }

    fn full() -> Result<Answer, Failed> {
        let source: sessionup_core::store::Cause = Arc::new(std::io::Error::other("full"));
        Err(Failed::Unknown(StoreError::Full {
            source: Some(source),
        }))
    }

    fn model(numbers: &[u64]) -> Model {
        let mut model = Model::default();
        for number in numbers {
            model.apply(&create(*number, None));
        }
        model
    }

    /// The second login would have evicted the first session because of the first login.
    #[test]
    fn evictions_of_a_failed_transaction_are_those_that_it_would_have_made() {
        let mut ledger = Ledger::of(model(&[1]));
        let batch = [
            (create(2, None), unknown()),
            (create(3, Some(2)), unknown()),
        ];
        let mut unsettled = Vec::new();
        ledger.together(&batch, &mut unsettled).unwrap();
        assert_eq!(ledger.worlds(), [model(&[])]);
        assert_eq!(unsettled, [model(&[1]), model(&[2, 3])]);

        ledger.restarted(&mut unsettled);
        assert_eq!(ledger.worlds().len(), 3);
    }

    #[test]
    fn nothing_comes_of_a_login_on_a_full_disk_unless_the_process_ends() {
        let mut ledger = Ledger::of(model(&[1]));
        let mut unsettled = Vec::new();
        ledger
            .together(&[(create(2, None), full())], &mut unsettled)
            .unwrap();
        assert_eq!(ledger.worlds(), [model(&[1])]);
        assert_eq!(unsettled, [model(&[1]), model(&[1, 2])]);

        let delete = Op::Delete {
            id: id(9),
            owner: None,
        };
        ledger
            .together(&[(delete, Ok(Answer::Deleted(false)))], &mut unsettled)
            .unwrap();
        assert!(unsettled.is_empty(), "{unsettled:?}");
    }

    #[test]
    fn login_over_an_id_that_is_taken_has_no_part_in_a_failed_transaction() {
        let mut ledger = Ledger::of(model(&[1]));
        let batch = [(create(1, None), full()), (create(2, None), unknown())];
        ledger.together(&batch, &mut Vec::new()).unwrap();
        assert_eq!(ledger.worlds(), [model(&[1])]);
    }

    #[test]
    fn answer_of_a_failed_transaction_can_only_be_that_there_is_no_such_session() {
        let answered = |answer: Answer| {
            let update = Op::Update {
                id: id(1),
                change: Box::default(),
                now: BEGIN,
            };
            let delete = Op::Delete {
                id: id(1),
                owner: None,
            };
            let batch = [(update, Ok(answer)), (delete, unknown())];
            Ledger::of(model(&[1])).together(&batch, &mut Vec::new())
        };
        answered(Answer::Record(None)).unwrap();
        let record = model(&[1]).get(id(1)).cloned().map(Box::new);
        answered(Answer::Record(record)).unwrap_err();
    }
}
