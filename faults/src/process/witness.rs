//! What a parent knows of its child.

use std::collections::VecDeque;

use crate::campaign::{Tally, Violation, ensure};
use crate::ledger::Ledger;
use crate::model::{Model, Op};
use crate::process::scenario::Scenario;
use crate::process::wire::Line;

/// Listens to one child after the other that work on the same file.
#[derive(Debug)]
pub struct Witness {
    scenario: Scenario,
    seed: u64,
    in_flight: VecDeque<Op>,
    /// What a store that lives may show.
    ledger: Ledger,
    /// What may be found if it goes now, while that is something else.
    if_gone: Option<Ledger>,
    was_open: bool,
    is_done: bool,
}

/// More worlds than this take longer to keep than they are worth.
const MOST_WORLDS: usize = 100;

impl Witness {
    /// Begins with a script and without a file.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            scenario: Scenario::of(seed),
            seed,
            in_flight: VecDeque::new(),
            ledger: Ledger::default(),
            if_gone: None,
            was_open: false,
            is_done: false,
        }
    }

    /// Returns the script.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns what the script is drawn from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Says whether a child had the store open: from then on the file must be there.
    #[must_use]
    pub fn was_open(&self) -> bool {
        self.was_open
    }

    /// Says whether the child did all that it was to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Says whether so much is in doubt that little can be told from what comes.
    #[must_use]
    pub fn is_in_the_dark(&self) -> bool {
        self.worlds() > MOST_WORLDS
    }

    /// Says whether a child has the store open and nothing to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.was_open && self.in_flight.is_empty() && !self.is_done
    }

    fn worlds(&self) -> usize {
        let if_gone = self.if_gone.as_ref().map_or(0, |it| it.worlds().len());
        if_gone.max(self.ledger.worlds().len())
    }

    /// Returns the ledger, to hold what is found against.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Takes note of what a child says.
    ///
    /// # Errors
    ///
    /// What does not fit what was said before.
    pub fn hear(&mut self, text: &str, tally: &mut Tally) -> Result<(), Violation> {
        match text.parse().map_err(Violation::new)? {
            Line::Opened => self.was_open = true,
            Line::Unopened(_) => tally.count("unopened"),
            Line::Begun => self.in_flight.push_back(self.scenario.draw()),
            Line::Answered(answer) => {
                tally.count("answers");
                let op = self.landed()?;
                self.answered(&op, &answer)?;
            }
            Line::Unknown(error) => {
                let is_full = error.starts_with("Full");
                tally.count(if is_full { "full" } else { "in doubt" });
                let op = self.landed()?;
                let if_gone = self.if_gone.get_or_insert_with(|| self.ledger.clone());
                if is_full {
                    // Nothing comes of it, but if it was tried it may be there until it is settled.
                    if_gone.may_have_happened(&op);
                } else {
                    if_gone.was_in_doubt(&op);
                    self.ledger.is_in_doubt(&op);
                }
            }
            Line::Refused(_) => {
                tally.count("refused");
                self.landed()?;
            }
            Line::Mended => tally.count("mended"),
            Line::Unmended(why) => {
                return Err(self
                    .ledger
                    .violation(format_args!("the store does not work again: {why}")));
            }
            Line::Done => self.is_done = true,
        }
        Ok(())
    }

    fn landed(&mut self) -> Result<Op, Violation> {
        let op = self.in_flight.pop_front();
        op.ok_or_else(|| Violation::new("an answer to nothing"))
    }

    fn answered(&mut self, op: &Op, answer: &str) -> Result<(), Violation> {
        self.ledger.told(op, answer)?;
        if is_commit(op, answer) {
            // What was in doubt was settled with it.
            self.if_gone = None;
        } else if let Some(if_gone) = &mut self.if_gone {
            // It was answered by a store that refuses what is in doubt, so nothing follows for the
            // file but that it may have been changed.
            if_gone.may_have_happened(op);
        }
        Ok(())
    }

    /// Takes note that the child is gone: answered is what it said, and all else may have happened.
    ///
    /// # Errors
    ///
    /// If it was done and yet owes answers.
    pub fn is_gone(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        let in_flight = std::mem::take(&mut self.in_flight);
        ensure(!self.is_done || in_flight.is_empty(), || {
            format!("never answered: {in_flight:?}")
        })?;
        self.is_done = false;
        tally.add("under way", in_flight.len() as u64);
        if let Some(if_gone) = self.if_gone.take() {
            self.ledger = if_gone;
        }
        self.ledger.first_may_have_happened(&in_flight);
        Ok(())
    }

    /// Holds against it what is in the file, dead records included, and goes on with that.
    ///
    /// # Errors
    ///
    /// If it cannot have come of what was done.
    pub fn found(&mut self, found: Model) -> Result<(), Violation> {
        self.ledger.found(&found, self.scenario.now())?;
        self.ledger.is(found);
        Ok(())
    }
}

/// Says whether an answer tells that something was committed.
fn is_commit(op: &Op, answer: &str) -> bool {
    match op {
        Op::Create { .. } => answer.starts_with("Created"),
        Op::Delete { .. } => answer == "Deleted(true)",
        Op::DeleteUser { .. } => answer.starts_with("Count(") && answer != "Count(0)",
        Op::Fetch { .. } | Op::List { .. } | Op::Update { .. } | Op::PruneAll { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A witness after the first operations of a script, with all but the last answered rightly.
    fn after(seed: u64, ops: usize) -> (Witness, Model) {
        let (mut witness, mut model) = (Witness::new(seed), Model::default());
        let (mut scenario, mut tally) = (Scenario::of(seed), Tally::default());
        for number in 0..ops {
            witness.hear("+", &mut tally).unwrap();
            let op = scenario.draw();
            if number + 1 < ops {
                let answer = model.apply(&op);
                witness.hear(&format!("={answer:?}"), &mut tally).unwrap();
            }
        }
        (witness, model)
    }

    #[test]
    fn what_was_answered_must_be_there_and_what_was_under_way_may() {
        for seed in 0..30 {
            let (mut witness, before) = after(seed, 40);
            let mut happened = before.clone();
            happened.apply(&witness.in_flight[0].clone());
            witness.is_gone(&mut Tally::default()).unwrap();
            let now = witness.scenario.now();
            for found in [&before, &happened] {
                witness.ledger.clone().found(found, now).unwrap();
            }
            if let Some(lost) = before.live(now).next() {
                let mut less = happened.clone();
                less.remove(lost.session.id);
                let ended = happened.get(lost.session.id).is_none();
                assert_eq!(witness.found(less).is_ok(), ended);
            }
        }
    }

    #[test]
    fn wrong_answers_and_answers_to_nothing_are_told() {
        let mut tally = Tally::default();
        assert!(Witness::new(1).hear("=Deleted(true)", &mut tally).is_err());
        let mut witness = Witness::new(1);
        witness.hear("+", &mut tally).unwrap();
        assert!(witness.hear("=Count(77)", &mut tally).is_err());
    }

    #[test]
    fn done_with_something_owed_is_told() {
        let (mut witness, _) = after(3, 5);
        let mut tally = Tally::default();
        witness.hear(".", &mut tally).unwrap();
        assert!(witness.is_gone(&mut tally).is_err());
    }

    /// A deletion in doubt is refused by the store that lives, and may be undone by its end.
    #[test]
    fn what_is_in_doubt_may_be_back_only_when_the_process_is_gone() {
        let deletes = |witness: &Witness, model: &Model| {
            let Op::Delete { id, owner: None } = witness.in_flight[0] else {
                return false;
            };
            let mut live = model.live(witness.scenario.now());
            live.any(|record| record.session.id == id)
        };
        let found = (0..500).find_map(|seed| {
            let (witness, model) = after(seed, 30);
            deletes(&witness, &model).then_some((witness, model))
        });
        let (mut witness, model) = found.unwrap();
        let mut tally = Tally::default();
        witness.hear("?OutcomeUnknown", &mut tally).unwrap();
        let now = witness.scenario.now();
        assert!(witness.ledger.clone().found(&model, now).is_err());
        witness.is_gone(&mut tally).unwrap();
        witness.found(model).unwrap();
    }
}
