//! How a store is, at any moment.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use sessionup_core::StoreError;

use crate::reserve;

/// How a store is, as [`RedbStore::health`](crate::RedbStore::health) tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Health {
    /// What can be expected of it.
    pub status: Status,
    /// Why it is degraded, each reason once and in the order of [`Reason`]. Empty otherwise.
    pub reasons: Vec<Reason>,
    /// What it did since it was opened.
    pub counts: Counts,
}

/// What can be expected of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Status {
    /// Everything.
    Ok,
    /// It serves, with less than usual or with less to spare. Each [`Reason`] says whether the store
    /// mends itself.
    Degraded,
    /// It answers errors until the application opens it anew: its writer panicked, or the database
    /// that it was given failed.
    Failed,
    /// It was closed.
    Closed,
}

/// Why a store is degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// The last cleanup failed. It is tried again.
    CleanupFailing,
    /// The control socket could not be made, and the store was opened with
    /// [`control_optional`](crate::RedbStoreBuilder::control_optional): tools cannot reach it. Mend
    /// what the log names, and restart.
    ControlMissing,
    /// The disk was full when it was last written. New sessions are refused. Make room.
    DiskFull,
    /// The path no longer leads to the file that is open: somebody replaced or deleted it. The store
    /// goes on with the file that it has open, and what it answers as done is lost when it closes.
    /// Put the file back, or restart.
    FileDisplaced,
    /// The file system has no file locks, and the store was opened with
    /// [`allow_missing_locks`](crate::RedbStoreBuilder::allow_missing_locks). Move the file.
    LocksMissing,
    /// After an input or output error the database is not open, and is being opened anew.
    Reopening,
    /// No room on the disk is kept for revocations: it is in use, or cannot be taken. What keeps it
    /// from being taken is in the log.
    ReserveMissing,
    /// After a failed commit there are sessions that may or may not be gone. They are refused, and
    /// will be ended.
    SessionsInDoubt,
}

/// What a store did, counted since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Counts {
    /// Transactions that were made durable.
    pub commits: u64,
    /// Answers [`StoreError::CorruptRecord`].
    pub corrupt_records: u64,
    /// Answers [`StoreError::Full`].
    pub full: u64,
    /// Answers [`StoreError::OutcomeUnknown`].
    pub outcome_unknown: u64,
    /// Answers [`StoreError::Overloaded`].
    pub overloaded: u64,
    /// How often the database was opened anew.
    pub reopenings: u64,
    /// Answers [`StoreError::Unavailable`].
    pub unavailable: u64,
}

/// How the database of a store is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DatabaseState {
    /// Whether it is not open.
    pub(crate) is_broken: bool,
    /// Whether it is opened anew when it is broken.
    pub(crate) reopens: bool,
    /// Whether its path leads to another file or to none.
    pub(crate) is_displaced: bool,
}

/// What is known without waiting for anybody.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) cleanup_fails: AtomicBool,
    pub(crate) disk_is_full: AtomicBool,
    pub(crate) is_closed: AtomicBool,
    pub(crate) lacks_control: AtomicBool,
    pub(crate) lacks_locks: AtomicBool,
    pub(crate) lacks_reserve: AtomicBool,
    pub(crate) writer_has_failed: AtomicBool,
    pub(crate) in_doubt: AtomicU64,
    commits: AtomicU64,
    corrupt_records: AtomicU64,
    full: AtomicU64,
    outcome_unknown: AtomicU64,
    overloaded: AtomicU64,
    reopenings: AtomicU64,
    unavailable: AtomicU64,
}

impl Board {
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, fact: impl FnOnce(&Self) -> &AtomicBool, is_so: bool) {
        fact(self).store(is_so, Ordering::Relaxed);
    }

    pub(crate) fn set_reserve(&self, state: reserve::State) {
        use reserve::State;
        let lacks = matches!(state, State::Lacking | State::Refused);
        self.set(|board| &board.lacks_reserve, lacks);
    }

    pub(crate) fn set_in_doubt(&self, sessions: usize) {
        self.in_doubt.store(sessions as u64, Ordering::Relaxed);
    }

    pub(crate) fn count_commit(&self) {
        add_one(&self.commits);
    }

    pub(crate) fn count_reopening(&self) {
        add_one(&self.reopenings);
    }

    /// Counts an answer, if it is an error of a class that is counted.
    pub(crate) fn count<T>(&self, answer: &Result<T, StoreError>) {
        let Err(error) = answer else { return };
        match error {
            StoreError::CorruptRecord { .. } => add_one(&self.corrupt_records),
            StoreError::Full { .. } => add_one(&self.full),
            StoreError::OutcomeUnknown { .. } => add_one(&self.outcome_unknown),
            StoreError::Overloaded => add_one(&self.overloaded),
            StoreError::Unavailable { .. } => add_one(&self.unavailable),
            _ => {}
        }
    }

    /// Says how the store is.
    pub(crate) fn health(&self, database: DatabaseState) -> Health {
        let DatabaseState {
            is_broken,
            reopens,
            is_displaced,
        } = database;
        let is = |fact: &AtomicBool| fact.load(Ordering::Relaxed);
        let reasons = [
            (is(&self.cleanup_fails), Reason::CleanupFailing),
            (is(&self.lacks_control), Reason::ControlMissing),
            (is(&self.disk_is_full), Reason::DiskFull),
            (is_displaced, Reason::FileDisplaced),
            (is(&self.lacks_locks), Reason::LocksMissing),
            (is_broken, Reason::Reopening),
            (is(&self.lacks_reserve), Reason::ReserveMissing),
            (
                self.in_doubt.load(Ordering::Relaxed) > 0,
                Reason::SessionsInDoubt,
            ),
        ];
        let mut reasons: Vec<_> = reasons
            .into_iter()
            .filter_map(|(is_so, reason)| is_so.then_some(reason))
            .collect();
        let status = if is(&self.is_closed) {
            Status::Closed
        } else if is(&self.writer_has_failed) || (is_broken && !reopens) {
            Status::Failed
        } else if reasons.is_empty() {
            Status::Ok
        } else {
            Status::Degraded
        };
        if status != Status::Degraded {
            reasons.clear();
        }
        Health {
            status,
            reasons,
            counts: self.counts(),
        }
    }

    fn counts(&self) -> Counts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            commits: of(&self.commits),
            corrupt_records: of(&self.corrupt_records),
            full: of(&self.full),
            outcome_unknown: of(&self.outcome_unknown),
            overloaded: of(&self.overloaded),
            reopenings: of(&self.reopenings),
            unavailable: of(&self.unavailable),
        }
    }
}

fn add_one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is the case at once: the worst of it is the status, and all of it the reasons.
    #[test]
    fn facts_make_the_status() {
        use Reason::{
            CleanupFailing, ControlMissing, DiskFull, FileDisplaced, LocksMissing, Reopening,
            ReserveMissing, SessionsInDoubt,
        };
        type Set = fn(&Board);
        let cleanup: Set = |board| board.set(|board| &board.cleanup_fails, true);
        let full: Set = |board| board.set(|board| &board.disk_is_full, true);
        let deaf: Set = |board| board.set(|board| &board.lacks_control, true);
        let lockless: Set = |board| board.set(|board| &board.lacks_locks, true);
        let closed: Set = |board| board.set(|board| &board.is_closed, true);
        let lacking: Set = |board| board.set_reserve(reserve::State::Lacking);
        let refused: Set = |board| board.set_reserve(reserve::State::Refused);
        let taken: Set = |board| board.set_reserve(reserve::State::Taken);
        let unwanted: Set = |board| board.set_reserve(reserve::State::Unwanted);
        let doubt: Set = |board| board.set_in_doubt(2);
        let settled: Set = |board| board.set_in_doubt(0);
        let panicked: Set = |board| board.set(|board| &board.writer_has_failed, true);
        type Case<'a> = (&'a [Set], DatabaseState, Status, &'a [Reason]);
        let state = |is_broken, reopens, is_displaced| DatabaseState {
            is_broken,
            reopens,
            is_displaced,
        };
        let (open, broken) = (state(false, true, false), state(true, true, false));
        let (borrowed, displaced) = (state(true, false, false), state(false, true, true));
        let cases: [Case<'_>; 19] = [
            (&[], open, Status::Ok, &[]),
            (&[taken], open, Status::Ok, &[]),
            (&[unwanted], open, Status::Ok, &[]),
            (&[cleanup], open, Status::Degraded, &[CleanupFailing]),
            (&[full], open, Status::Degraded, &[DiskFull]),
            (&[lacking], open, Status::Degraded, &[ReserveMissing]),
            (&[refused], open, Status::Degraded, &[ReserveMissing]),
            (&[lacking, taken], open, Status::Ok, &[]),
            (&[doubt], open, Status::Degraded, &[SessionsInDoubt]),
            (&[doubt, settled], open, Status::Ok, &[]),
            (&[deaf], open, Status::Degraded, &[ControlMissing]),
            (&[lockless], open, Status::Degraded, &[LocksMissing]),
            (&[], displaced, Status::Degraded, &[FileDisplaced]),
            (&[closed], displaced, Status::Closed, &[]),
            (&[], broken, Status::Degraded, &[Reopening]),
            (&[], borrowed, Status::Failed, &[]),
            (&[panicked], broken, Status::Failed, &[]),
            (&[panicked, closed, full], open, Status::Closed, &[]),
            (
                &[doubt, lacking, full, cleanup, deaf, lockless],
                state(true, true, true),
                Status::Degraded,
                &[
                    CleanupFailing,
                    ControlMissing,
                    DiskFull,
                    FileDisplaced,
                    LocksMissing,
                    Reopening,
                    ReserveMissing,
                    SessionsInDoubt,
                ],
            ),
        ];
        for (number, (facts, database, status, reasons)) in cases.into_iter().enumerate() {
            let board = Board::default();
            for set in facts {
                set(&board);
            }
            let health = board.health(database);
            assert_eq!(health.status, status, "case {number}");
            assert_eq!(health.reasons, reasons, "case {number}");
        }
    }
}
