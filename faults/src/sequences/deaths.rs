//! Monotone death, judged by answers alone: who is gone is not seen again unless created anew.

use std::collections::{BTreeMap, BTreeSet};

use sessionup_core::{Record, SessionId, UserKey};

use crate::campaign::{Violation, ensure};
use crate::model::{Answer, Op};

/// Who is gone. Knows no model of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Deaths {
    gone: BTreeSet<SessionId>,
    owners: BTreeMap<SessionId, UserKey>,
}

impl Deaths {
    /// Takes note of an answer.
    ///
    /// # Errors
    ///
    /// If it shows a session that was gone.
    pub(super) fn answered(&mut self, op: &Op, answer: &Answer) -> Result<(), Violation> {
        match (op, answer) {
            (Op::Fetch { id, .. }, Answer::Record(None)) => drop(self.gone.insert(*id)),
            (_, Answer::Record(Some(record))) => self.seen(record)?,
            (_, Answer::Records(records)) => {
                for record in records {
                    self.seen(record)?;
                }
            }
            (
                Op::Create {
                    record, replaces, ..
                },
                Answer::Created { replaced, evicted },
            ) => {
                self.gone.extend(evicted);
                self.gone.extend(replaces.filter(|_| *replaced));
                self.gone.remove(&record.session.id);
                self.seen(record)?;
            }
            (Op::Delete { id, .. }, Answer::Deleted(true)) => drop(self.gone.insert(*id)),
            (Op::DeleteUser { user, except }, Answer::Count(_)) => {
                let theirs = self.owners.iter().filter(|(_, owner)| *owner == user);
                let ended = theirs.map(|(id, _)| *id).filter(|id| !except.contains(id));
                self.gone.extend(ended);
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes note that an operation may have happened.
    pub(super) fn may_have_happened(&mut self, op: &Op) {
        if let Op::Create { record, .. } = op {
            self.gone.remove(&record.session.id);
            self.owners.remove(&record.session.id);
        }
    }

    /// Takes note of a record that was seen.
    ///
    /// # Errors
    ///
    /// If it was gone.
    pub(super) fn seen(&mut self, record: &Record) -> Result<(), Violation> {
        let id = record.session.id;
        ensure(!self.gone.contains(&id), || {
            format!("{id} was gone and is back: {record:?}")
        })?;
        self.owners.insert(id, record.session.user_key.clone());
        Ok(())
    }
}
