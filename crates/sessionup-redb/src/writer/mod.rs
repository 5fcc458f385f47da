//! The one thread that writes.
//!
//! It takes all that is waiting, carries it out in one transaction, commits once and then answers
//! everybody, so a burst of logins costs one sync of the disk.

mod batch;
pub(crate) mod counting;
pub(crate) mod operation;
pub(crate) mod operations;
pub(crate) mod prune;
mod recovery;
mod sweep;
pub(crate) mod tables;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Failure, with_causes};
use crate::queue::Taken;
use crate::shared::Shared;
use crate::sync::Instant;
use crate::sync::thread::JoinHandle;
use crate::unlisted::Unlisted;
use crate::writer::batch::{Owed, SLICE};
use crate::writer::operation::Task;
use crate::writer::recovery::Recovery;

/// Most operations of one transaction.
const BATCH: usize = 1_024;
/// Which part of the time of a transaction is waited for those whom it answered.
const PATIENCE: u32 = 8;
/// How many slices of records are deleted in a row when the disk is full or the store closes.
const SOME_SLICES: usize = 32;
/// How long nothing is deleted in slices after a failure.
const AFTER_FAILURE: Duration = Duration::from_millis(50);
/// What is waited at most, also after a transaction that took long.
const MOST_PATIENCE: Duration = Duration::from_millis(2);

pub(crate) struct Writer {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
    recovery: Recovery,
    sweeping: Sweeping,
}

/// When records are deleted that tombstones have ended.
#[derive(Default)]
struct Sweeping {
    /// Whether there was other work since the last slice.
    had_work: bool,
    /// Not before this, if there was.
    beside_work: Option<Instant>,
    /// Not before this at all: it failed.
    after_failure: Option<Instant>,
}

impl Sweeping {
    /// When the next slice may begin; `None` for at once.
    fn next(&self) -> Option<Instant> {
        let beside_work = self.beside_work.filter(|_| self.had_work);
        beside_work.max(self.after_failure)
    }

    fn is_due(&self) -> bool {
        self.next().is_none_or(|next| next <= Instant::now())
    }
}

impl Writer {
    /// `readers` are waited for at the end.
    pub(crate) fn new(shared: Arc<Shared>, readers: Vec<JoinHandle<()>>) -> Self {
        let recovery = Recovery::new(Arc::clone(&shared));
        Self {
            shared,
            readers,
            recovery,
            sweeping: Sweeping::default(),
        }
    }

    /// Works until the queue is closed and empty, then gives the database back.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Taken::Items(tasks) = shared.writes.take(BATCH, self.wakes_at()) {
            let (answered, begun) = (tasks.len(), Instant::now());
            self.sweeping.had_work |= !tasks.is_empty();
            // Whether there is room is found out by deleting before it is by taking the reserve.
            self.guarded(Self::sweep_on_full_disk);
            self.guarded(|writer| writer.work(tasks));
            self.guarded(|writer| {
                writer.sweep();
            });
            let now = Instant::now();
            let patience = ((now - begun) / PATIENCE).min(MOST_PATIENCE);
            shared.writes.gather(answered, now + patience);
        }
        for reader in std::mem::take(&mut self.readers) {
            // Its panic was reported where it happened.
            drop(reader.join());
        }
        self.guarded(|writer| {
            writer.recovery.attend_now();
            if sessionup_core::is_seeded!(UsesNotWritten) {
                return;
            }
            writer.settle_all();
            writer.sweep_some();
            writer.enter_all();
            writer.keep_time();
        });
        shared.release();
    }

    /// When there is something to do even if nobody asks.
    fn wakes_at(&self) -> Option<Instant> {
        let attempt = self.recovery.next_attempt();
        let touches = self.shared.touches.due();
        let can_write = self.shared.place.is_open() && self.recovery.fullness().is_none();
        let touches = touches.filter(|_| can_write);
        let can_sweep = self.shared.tombstones.has_rows() && self.recovery.can_sweep().is_some();
        let sweep = can_sweep.then(|| self.sweeping.next().unwrap_or_else(Instant::now));
        attempt.into_iter().chain(touches).chain(sweep).min()
    }

    /// Whatever panics, the thread lives on, to answer with errors.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if std::panic::catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.recovery.give_up(&Failure::panic(true));
        }
    }

    fn work(&mut self, mut tasks: Vec<Box<dyn Task>>) {
        self.recovery.attend();
        self.recovery.restore_reserve();
        let is_due = |due: Instant| due <= Instant::now();
        let is_time = tasks.is_empty() && self.shared.touches.due().is_some_and(is_due);
        if self.recovery.is_to_settle() || is_time {
            self.write(Vec::new());
        }
        while !tasks.is_empty() {
            let first_alone = tasks.iter().position(|task| task.is_alone(&self.shared));
            let rest = tasks.split_off(first_alone.unwrap_or(tasks.len()).max(1));
            self.write(std::mem::replace(&mut tasks, rest));
        }
    }

    fn write(&mut self, mut tasks: Vec<Box<dyn Task>>) {
        tasks.retain(|task| !task.is_moot());
        let mut owed = Owed::All;
        if let Some(full) = self.recovery.fullness() {
            owed = Owed::Ends;
            for task in tasks.extract_if(.., |task| task.wants_room()) {
                task.fail(full, &self.shared.doubts);
            }
        }
        self.commit(tasks, owed);
    }

    /// Writes all that is owed, for the last time: first the ends of sessions, which nothing else
    /// is to take room from.
    fn settle_all(&mut self) {
        let shared = Arc::clone(&self.shared);
        let is_settled = shared.doubts.is_empty() || self.commit(Vec::new(), Owed::Ends);
        while is_settled && !shared.touches.is_empty() && self.commit(Vec::new(), Owed::All) {}
    }

    /// Deletes some records that tombstones have ended. If there is other work, that has three times as
    /// long first.
    fn sweep(&mut self) -> bool {
        self.shared.tombstones.has_rows() && self.sweeping.is_due() && self.sweep_now()
    }

    fn sweep_now(&mut self) -> bool {
        let Some(at_most) = self.recovery.can_sweep() else {
            return false;
        };
        let begun = Instant::now();
        let is_done = self.commit(Vec::new(), Owed::Sweep(at_most));
        let now = Instant::now();
        let pause = if is_done {
            (now - begun) * 3
        } else {
            AFTER_FAILURE
        };
        let next = now.checked_add(pause);
        if is_done {
            self.sweeping.had_work = false;
            self.sweeping.beside_work = next;
            self.sweeping.after_failure = None;
        } else {
            self.sweeping.after_failure = next;
        }
        is_done
    }

    /// As [`Writer::sweep`], a little at a time and several times.
    fn sweep_on_full_disk(&mut self) {
        if self.recovery.is_full() {
            self.sweep_some();
        }
    }

    /// As [`Writer::sweep`], several times. What is left when the store closes is for the next opening.
    fn sweep_some(&mut self) {
        for _ in 0..SOME_SLICES {
            let has_rows = self.shared.tombstones.has_rows();
            if !has_rows || !self.sweep_now() {
                return;
            }
        }
    }

    /// Enters all who wait for the user index, unless they are so many that it takes long.
    fn enter_all(&mut self) {
        let (waiting, may_wait) = self.shared.unlisted.waiting();
        let can_write = self.shared.place.is_open() && self.recovery.fullness().is_none();
        if !may_wait || waiting > Unlisted::FEW || !can_write {
            return;
        }
        if let Err(failure) = batch::run(&self.shared, Vec::new(), Owed::Entries, &mut |_| {}) {
            let error = with_causes(&failure.cause);
            tracing::warn!(target: "sessionup_redb", error, "index of users is left to be completed by the next opening");
        }
    }

    /// Writes what is known of the time, if no other change took it along: a session that was refused as
    /// expired is to be refused after a restart too, though the clock be set back meanwhile.
    fn keep_time(&mut self) {
        let shared = &self.shared;
        let is_due = shared
            .kept
            .due(shared.managers.watermark().marks())
            .is_some();
        let can_write = shared.place.is_open() && self.recovery.fullness().is_none();
        if !is_due || !can_write {
            return;
        }
        if let Err(failure) = batch::run(shared, Vec::new(), Owed::Time, &mut |_| {}) {
            let error = with_causes(&failure.cause);
            tracing::warn!(target: "sessionup_redb", error, "what is known of the time could not be written");
        }
    }

    /// Says whether the transaction succeeded.
    fn commit(&mut self, tasks: Vec<Box<dyn Task>>, owed: Owed) -> bool {
        let Self {
            shared, recovery, ..
        } = self;
        let writes_uses = owed == Owed::All && !shared.touches.is_empty();
        let sweeps = matches!(owed, Owed::Sweep(_));
        if tasks.is_empty() && !writes_uses && !sweeps && shared.doubts.is_empty() {
            return true;
        }
        if owed == Owed::Ends
            && shared.doubts.len() > SLICE
            && let Err(failure) = batch::settle_in_slices(shared)
        {
            recovery.after(&failure);
        }
        let mut has_room = writes_uses || tasks.iter().any(|task| task.wants_room());
        let outcome = batch::run(shared, tasks, owed, &mut |failure| {
            has_room = false;
            recovery.after(failure);
        });
        match &outcome {
            Ok(()) if has_room => recovery.found_room(),
            Ok(()) => {}
            Err(failure) => recovery.after(failure),
        }
        outcome.is_ok()
    }
}
