//! One passage through a scenario, on a disk that fails.

use futures_executor::block_on;
use sessionup_core::{Record, Session, StoreError};
use sessionup_redb::RedbStore;

use super::Scenario;
use crate::campaign::{Rng, Tally, Violation, ensure};
use crate::disk::Disk;
use crate::disk::fault::Fault;
use crate::disk::life::{self, Step};
use crate::disk::together::{carry_out, is_one_step};
use crate::ledger::Ledger;
use crate::model::{Answer, Model, Op};
use crate::perform::{Failed, observe};
use crate::script::{hash, id, user};

/// One passage through a scenario.
pub(super) struct Run<'a> {
    scenario: &'a Scenario,
    disk: Disk,
    rng: Rng,
    ledger: Ledger,
    unsettled: Vec<Model>,
    store: Option<RedbStore>,
    /// Steps until the disk is mended, from when it failed.
    steps_left: Option<u8>,
    pub(super) was_hit: bool,
    pub(super) errors: u64,
}

impl<'a> Run<'a> {
    pub(super) fn new(scenario: &'a Scenario, disk: Disk, seed: u64) -> Self {
        Self {
            scenario,
            disk,
            rng: Rng::with_seed(seed),
            ledger: Ledger::of(scenario.model.clone()),
            unsettled: Vec::new(),
            store: None,
            steps_left: None,
            was_hit: false,
            errors: 0,
        }
    }

    /// Does it all, to the closing of the store; returns what is kept.
    pub(super) fn whole(&mut self, tally: &mut Tally) -> Result<Model, Violation> {
        self.open(tally)?;
        for step in &self.scenario.steps {
            match step {
                Step::Reopen => self.reopen(tally)?,
                Step::Together(ops) => self.ask(ops, tally)?,
            }
            self.mind_the_fault(tally)?;
        }
        let _ = self.heal();
        self.lives(tally)?;
        self.look()?;
        self.end(tally);
        let kept = self.settle()?;
        if self.rng.u8(..4) == 0 {
            self.open(tally)?;
            self.look()?;
            self.close();
        }
        Ok(kept)
    }

    fn open(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        for _ in 0..3 {
            match life::open(&self.disk, self.scenario.writes_uses_at_once) {
                Ok(store) => {
                    self.store = Some(store);
                    return Ok(());
                }
                Err(error) => {
                    tally.count("failed openings");
                    ensure(self.note_hit(), || format!("opening failed: {error:?}"))?;
                    // To try again is all that can be done.
                    let _ = self.heal();
                }
            }
        }
        Err(Violation::new("a healthy disk does not open"))
    }

    fn reopen(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        self.close();
        self.settle()?;
        self.open(tally)
    }

    fn close(&mut self) {
        if let Some(store) = self.store.take() {
            block_on(store.close());
        }
    }

    /// Closes the store, or takes the power away from it.
    fn end(&mut self, tally: &mut Tally) {
        if self.scenario.loses_power {
            // Nothing is written any more.
            self.disk.order(Fault::dead());
        }
        self.close();
        if self.scenario.loses_power {
            let _ = self.disk.heal();
            tally.add("losses of power", u64::from(self.disk.lose_power()));
        }
    }

    /// Looks what is on the disk, now that nothing is remembered in memory.
    fn settle(&mut self) -> Result<Model, Violation> {
        self.ledger.restarted(&mut self.unsettled);
        // Before the tables are made there is nothing.
        let kept = life::read(&self.disk.image())
            .map_err(|violation| self.ledger.violation(violation))?
            .unwrap_or_default();
        self.ledger.kept(&kept, self.scenario.script.now())?;
        self.ledger.is(kept.clone());
        Ok(kept)
    }

    fn ask(&mut self, ops: &[Op], tally: &mut Tally) -> Result<(), Violation> {
        let Some(store) = &self.store else {
            return Err(Violation::new("there is no store"));
        };
        let outcomes = carry_out(store, ops, &self.disk, 0);
        let batch: Vec<_> = ops.iter().cloned().zip(outcomes).collect();
        let failed = batch.iter().any(|(_, outcome)| outcome.is_err());
        for (_, outcome) in &batch {
            tally.count(match outcome {
                Ok(_) => "answers",
                Err(Failed::Unknown(StoreError::Full { .. })) => "told full",
                Err(Failed::Unknown(_)) => "told unknown",
                Err(Failed::Refused(_)) => "told unavailable",
            });
        }
        match batch.as_slice() {
            [(op, outcome)] if !is_one_step(op) => self.alone(op, outcome)?,
            _ => self.ledger.together(&batch, &mut self.unsettled)?,
        }
        if failed {
            ensure(self.note_hit(), || {
                format!("failed on a disk that did not: {batch:?}")
            })?;
            self.look_at(ops, tally)?;
        }
        Ok(())
    }

    /// A reading, a use or a prune.
    fn alone(&mut self, op: &Op, outcome: &Result<Answer, Failed>) -> Result<(), Violation> {
        match (op, outcome) {
            (_, Ok(answer)) => self.ledger.answered(op, answer),
            (Op::Fetch { .. } | Op::List { .. }, Err(_)) => Ok(()),
            // Of several transactions the first ones may have succeeded.
            (Op::PruneAll { .. }, Err(_)) => {
                self.ledger.may_have_happened(op);
                Ok(())
            }
            (_, Err(Failed::Unknown(_))) => {
                self.ledger.is_in_doubt(op);
                Ok(())
            }
            (_, Err(Failed::Refused(_))) => Ok(()),
        }
    }

    /// What was ended is refused, also while it is unknown whether it was.
    fn look_at(&mut self, ops: &[Op], tally: &mut Tally) -> Result<(), Violation> {
        let now = self.scenario.script.now();
        let fetch = |id| Op::Fetch { id, now };
        for op in ops {
            let reads = match op {
                Op::Create {
                    record, replaces, ..
                } => {
                    let user = record.session.user_key.clone();
                    let ids = replaces.iter().copied().chain([record.session.id]);
                    ids.map(fetch).chain([Op::List { user, now }]).collect()
                }
                Op::Update { id, .. } | Op::Delete { id, .. } => vec![fetch(*id)],
                Op::DeleteUser { user, .. } => vec![Op::List {
                    user: user.clone(),
                    now,
                }],
                Op::Fetch { .. } | Op::List { .. } | Op::PruneAll { .. } => Vec::new(),
            };
            for read in reads {
                let Some(store) = &self.store else { continue };
                let outcomes = carry_out(store, std::slice::from_ref(&read), &self.disk, 0);
                tally.count("readings after errors");
                for outcome in outcomes {
                    self.alone(&read, &outcome)?;
                }
            }
        }
        Ok(())
    }

    /// Mends the disk a few steps after it failed.
    fn mind_the_fault(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        if self.note_hit() && self.steps_left.is_none() {
            self.steps_left = Some(self.rng.u8(..3));
        }
        match &mut self.steps_left {
            None => Ok(()),
            Some(0) => {
                self.steps_left = None;
                if self.heal() && self.rng.u8(..32) > 0 {
                    // As below.
                    return self.reopen(tally);
                }
                Ok(())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn note_hit(&mut self) -> bool {
        self.was_hit |= self.disk.errors() > 0;
        self.was_hit
    }

    /// Mends the disk; says whether it would have failed again.
    fn heal(&mut self) -> bool {
        self.note_hit();
        self.errors = self.disk.errors();
        self.disk.heal()
    }

    /// On a disk that works there is a login and a logout, after few openings.
    fn lives(&mut self, tally: &mut Tally) -> Result<(), Violation> {
        let before = self.disk.opens();
        let now = self.scenario.script.now();
        let mut number = 1_000;
        loop {
            number += 1;
            let expires = now.saturating_add(std::time::Duration::from_secs(3_600));
            let session = Session::new(id(number), user(0), now, expires);
            let login = Op::Create {
                record: Box::new(Record::new(session, hash(0))),
                replaces: None,
                limit: None,
                now,
            };
            let is_taken = self
                .ledger
                .worlds()
                .iter()
                .any(|world| world.get(id(number)).is_some());
            if is_taken {
                continue;
            }
            if self.try_one(login, tally)? {
                break;
            }
            // Each attempt may be followed by one, and by one of ours.
            let openings = self.disk.opens() - before;
            ensure(openings <= 5, || {
                self.ledger
                    .violation(format_args!("no login after {openings} openings"))
                    .0
            })?;
            // A store that lives on tries again after a while. A new one does at once.
            if self.rng.u8(..16) > 0 {
                self.reopen(tally)?;
            }
            std::thread::yield_now();
        }
        let logout = Op::Delete {
            id: id(number),
            owner: None,
        };
        let is_out = self.try_one(logout, tally)?;
        ensure(is_out, || "no logout after a login".to_owned())
    }

    fn try_one(&mut self, op: Op, tally: &mut Tally) -> Result<bool, Violation> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let mut outcomes = carry_out(store, std::slice::from_ref(&op), &self.disk, 0);
        let is_done = outcomes.iter().all(Result::is_ok);
        tally.count("attempts to live on");
        if let Some(outcome) = outcomes.pop() {
            self.ledger
                .together(&[(op, outcome)], &mut self.unsettled)?;
        }
        Ok(is_done)
    }

    fn look(&mut self) -> Result<(), Violation> {
        let Some(store) = &self.store else {
            return Ok(());
        };
        let script = &self.scenario.script;
        let found = observe(store, script.ids(), script.users(), script.now());
        let found = block_on(found).map_err(|violation| self.ledger.violation(violation))?;
        self.ledger.found(&found, script.now())
    }
}
