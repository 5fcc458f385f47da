//! The one thread that writes.
//!
//! It takes all that is waiting, carries it out in one transaction, commits once and then answers
//! everybody, so a burst of logins costs one sync of the disk.

mod batch;
pub(crate) mod operation;
pub(crate) mod operations;
pub(crate) mod prune;
mod recovery;
pub(crate) mod tables;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use crate::error::Failure;
use crate::queue::Taken;
use crate::shared::Shared;
use crate::sync::Instant;
use crate::sync::thread::JoinHandle;
use crate::writer::operation::Task;
use crate::writer::recovery::Recovery;

/// Most operations of one transaction.
const BATCH: usize = 1_024;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
    recovery: Recovery,
}

impl Writer {
    /// `readers` are waited for at the end.
    pub(crate) fn new(shared: Arc<Shared>, readers: Vec<JoinHandle<()>>) -> Self {
        let recovery = Recovery::new(Arc::clone(&shared));
        Self {
            shared,
            readers,
            recovery,
        }
    }

    /// Works until the queue is closed and empty, then gives the database back.
    pub(crate) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        while let Taken::Items(tasks) = shared.writes.take(BATCH, self.wakes_at()) {
            self.guarded(|writer| writer.work(tasks));
        }
        for reader in std::mem::take(&mut self.readers) {
            // Its panic was reported where it happened.
            drop(reader.join());
        }
        self.guarded(|writer| {
            writer.recovery.attend_now();
            let Shared {
                touches, doubts, ..
            } = &*shared;
            if sessionup_core::is_seeded!(UsesNotWritten) {
                return;
            }
            while !(touches.is_empty() && doubts.is_empty()) && writer.write(Vec::new()) {}
        });
        shared.release();
    }

    /// When there is something to do even if nobody asks.
    fn wakes_at(&self) -> Option<Instant> {
        let attempt = self.recovery.next_attempt();
        let touches = self.shared.touches.due();
        let touches = touches.filter(|_| self.shared.place.is_open());
        attempt.into_iter().chain(touches).min()
    }

    /// Whatever panics, the thread lives on, to answer with errors.
    fn guarded(&mut self, work: impl FnOnce(&mut Self)) {
        if std::panic::catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.recovery.give_up(&Failure::panic(true));
        }
    }

    fn work(&mut self, mut tasks: Vec<Box<dyn Task>>) {
        self.recovery.attend();
        let is_due = |due: Instant| due <= Instant::now();
        let is_time = tasks.is_empty() && self.shared.touches.due().is_some_and(is_due);
        if self.recovery.is_to_settle() || is_time {
            self.write(Vec::new());
        }
        while !tasks.is_empty() {
            let first_alone = tasks.iter().position(|task| task.is_alone());
            let rest = tasks.split_off(first_alone.unwrap_or(tasks.len()).max(1));
            self.write(std::mem::replace(&mut tasks, rest));
        }
    }

    /// Says whether the transaction succeeded.
    fn write(&mut self, mut tasks: Vec<Box<dyn Task>>) -> bool {
        tasks.retain(|task| !task.is_moot());
        if let Some(full) = self.recovery.fullness() {
            for task in tasks.extract_if(.., |task| task.wants_room()) {
                task.fail(full, &self.shared.doubts);
            }
        }
        if tasks.is_empty() && self.shared.touches.is_empty() && self.shared.doubts.is_empty() {
            return true;
        }
        let wanted_room = tasks.iter().any(|task| task.wants_room());
        match batch::run(&self.shared, tasks, self.recovery.has_room()) {
            Ok(()) if wanted_room => self.recovery.found_room(),
            Ok(()) => {}
            Err(failure) => {
                self.recovery.after(&failure);
                return false;
            }
        }
        true
    }
}
