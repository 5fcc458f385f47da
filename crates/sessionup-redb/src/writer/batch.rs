//! One transaction for many callers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::Database;
use sessionup_core::{SessionId, Timestamp, is_seeded};

use crate::doubt::Revocations;
use crate::error::Failure;
use crate::marks::Entries;
use crate::reserve::Keeper;
use crate::shared::Shared;
use crate::tombstones;
use crate::touches::Frozen;
use crate::unlisted::Draft;
use crate::writer::operation::{Effects, Task};
use crate::writer::sweep;
use crate::writer::tables::Tables;

/// Most uses that are written with one transaction.
const TOUCHES: usize = 10_000;
/// How many sessions are ended at once when there is very little room.
pub(super) const SLICE: usize = 32;

/// Ends the sessions in doubt, writes the uses that are waiting, carries tasks out; commits, and
/// answers. What is known of the time goes along if nothing else is to take room.
///
/// If the disk is full and there was room kept for it, `open_anew` is called, and what ends sessions
/// has a second chance.
pub(super) fn run(
    shared: &Shared,
    mut tasks: Vec<Box<dyn Task>>,
    owed: Owed,
    open_anew: &mut dyn FnMut(&Failure),
) -> Result<(), Failure> {
    let mut attempt = Attempt::default();
    if matches!(owed, Owed::All | Owed::Time) {
        attempt.marks = shared.kept.due(shared.managers.watermark().marks());
    }
    let outcome = shared.place.database().and_then(|database| {
        let make = AssertUnwindSafe(|| attempt.make(shared, &database, &mut tasks, owed));
        std::panic::catch_unwind(make).unwrap_or_else(|_| Err(Failure::panic(attempt.is_in_commit)))
    });
    let outcome = match outcome {
        Err(_) if is_seeded!(IgnoredCommitError) && attempt.is_in_commit => Ok(()),
        outcome => outcome,
    };
    let Err(failure) = outcome else {
        // Uses of a session that ended or began here are those of an earlier one of its id:
        // uses of the new one are still turned away.
        let others = attempt.effects.begun_or_ended();
        if attempt.is_in_commit
            && let Some(draft) = attempt.draft.take()
        {
            draft.keep();
        }
        let frozen = attempt.frozen.take();
        shared.touches.settle(frozen, &attempt.touches, others);
        if let Some(tombstones) = attempt.tombstones.take() {
            tombstones.keep();
        }
        shared.cache.lift(&attempt.fenced);
        shared.cache.lift_revoked(&attempt.effects.revocations);
        if attempt.is_in_commit
            && let Some(marks) = attempt.marks
        {
            shared.kept.keep(marks);
        }
        shared.settle(&attempt.doubts, &attempt.revocations);
        answer_all(tasks, |task| task.succeed(shared));
        return Ok(());
    };
    drop(attempt.frozen.take());
    shared.touches.lift();
    // If it may have happened, the next opening tells.
    if !failure.is_unknown
        && let Some(draft) = attempt.draft.take()
    {
        draft.take_back();
    }
    // Whatever is in doubt is refused before anybody learns of it.
    if failure.is_unknown && !is_seeded!(NoTombstone) {
        shared.put_in_doubt(attempt.effects.in_doubt(), &attempt.effects.revocations);
    }
    // As long as the database is open, no other process has the reserve.
    // To enter sessions in an index ends none, and neither does to note the time.
    let can_end = !matches!(owed, Owed::Entries | Owed::Time);
    let has_room = failure.is_full && can_end && shared.with_reserve(Keeper::release);
    if failure.is_lasting {
        shared.break_down(Arc::clone(&failure.cause));
    }
    // What is refused from now on is not put there again.
    shared.cache.lift(&attempt.fenced);
    shared.cache.lift_revoked(&attempt.effects.revocations);
    if has_room {
        let ends = tasks.extract_if(.., |task| task.only_ends()).collect();
        answer_all(tasks, |task| task.fail(&failure, &shared.doubts));
        open_anew(&failure);
        return try_again(shared, ends, &failure);
    }
    answer_all(tasks, |task| task.fail(&failure, &shared.doubts));
    Err(failure)
}

/// Ends sessions with the room that was kept for it.
fn try_again(shared: &Shared, ends: Vec<Box<dyn Task>>, failure: &Failure) -> Result<(), Failure> {
    if !failure.is_unknown {
        return run(shared, ends, Owed::Ends, &mut |_| {});
    }
    // What they ended is in doubt: once that is gone for good, their first answers are true.
    let settled = settle_in_slices(shared);
    answer_all(ends, |task| match settled {
        Ok(()) if !task.rests_on_new() => task.succeed(shared),
        Ok(()) | Err(_) => task.fail(failure, &shared.doubts),
    });
    settled
}

/// Ends the sessions in doubt, and if there are many a few at a time: what one transaction gives
/// back is room for the next ones.
pub(super) fn settle_in_slices(shared: &Shared) -> Result<(), Failure> {
    while !shared.doubts.is_empty() {
        run(shared, Vec::new(), Owed::SomeEnds, &mut |_| {})?;
    }
    Ok(())
}

/// What is done in a transaction besides what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// Sessions in doubt are ended and uses are written.
    All,
    /// Uses wait: they would take room that is kept for others.
    Ends,
    /// As [`Owed::Ends`], for a few of the sessions in doubt.
    SomeEnds,
    /// All who wait for the user index are entered, so that the file says that there are none.
    Entries,
    /// What is known of the time is written though nothing else changes.
    Time,
    /// Records that tombstones have ended are deleted, at most so many.
    Sweep(usize),
}

/// Who is woken by an answer may panic, and that is nobody else's concern.
fn answer_all(tasks: Vec<Box<dyn Task>>, answer: impl Fn(Box<dyn Task>)) {
    for task in tasks {
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| answer(task)));
    }
}

#[derive(Default)]
struct Attempt<'a> {
    effects: Effects,
    doubts: Vec<SessionId>,
    /// Large deletions in doubt.
    revocations: Revocations,
    touches: Vec<(SessionId, Timestamp)>,
    marks: Option<Entries>,
    /// Sessions whose records are not to be kept in memory as long as they change.
    fenced: Vec<SessionId>,
    frozen: Option<Frozen<'a>>,
    draft: Option<Draft>,
    tombstones: Option<tombstones::Draft>,
    is_in_commit: bool,
}

impl<'a> Attempt<'a> {
    fn make(
        &mut self,
        shared: &'a Shared,
        database: &Database,
        tasks: &mut Vec<Box<dyn Task>>,
        owed: Owed,
    ) -> Result<(), Failure> {
        let begun = shared.schema.begin_write(database);
        let transaction = begun.map_err(Failure::before_commit)?;
        self.doubts = shared.doubts.some(match owed {
            Owed::All | Owed::Ends | Owed::Entries | Owed::Sweep(_) | Owed::Time => usize::MAX,
            Owed::SomeEnds => SLICE,
        });
        self.revocations = shared.doubts.revocations();
        if is_seeded!(DoubtsForgotten) {
            shared.settle(&self.doubts, &self.revocations);
        }
        let is_blind = is_seeded!(TwoPhaseCleanup) && !tasks.is_empty();
        if owed == Owed::All && !is_blind {
            self.touches = shared.touches.some(TOUCHES);
        }
        let draft = self.draft.insert(shared.unlisted.draft());
        let tombstones = self.tombstones.insert(shared.tombstones.draft());
        let tables = Tables::open(
            &transaction,
            &shared.schema,
            &shared.touches,
            draft,
            tombstones,
            &mut self.effects,
        );
        tables
            .and_then(|mut tables| {
                tables.is_alone = tasks.len() == 1;
                for revocation in self.revocations.iter() {
                    tables.revoke(revocation.clone())?;
                }
                enter(&mut tables, owed, tasks)?;
                if let Owed::Sweep(at_most) = owed {
                    sweep::slice(&mut tables, at_most)?;
                }
                apply(tables, &self.doubts, &self.touches, tasks)
            })
            .map_err(Failure::before_commit)?;

        // That sessions in doubt can be read as gone does not mean that the disk has it.
        // Those who wait for the user index can wait for a transaction that changes something.
        let is_owed = matches!(owed, Owed::Entries | Owed::Time);
        let is_in_doubt = !self.doubts.is_empty() || !self.revocations.is_empty();
        if self.effects.changes == 0 && !is_in_doubt && !is_owed {
            let ended = transaction.abort();
            return ended.map_err(|error| Failure::before_commit(error.into()));
        }
        draft
            .write(&transaction, &shared.schema, tombstones)
            .and_then(|()| tombstones.write(&transaction, &shared.schema))
            .map_err(Failure::before_commit)?;
        if let Some(marks) = self.marks {
            marks
                .write(&transaction, &shared.schema)
                .map_err(Failure::before_commit)?;
        }
        if is_seeded!(AnswerBeforeSync) {
            answer_all(std::mem::take(tasks), |task| task.succeed(shared));
        }
        #[cfg(sessionup_defects)]
        let transaction = crate::seeded::without_sync(transaction, &self.effects);
        draft.show();
        tombstones.show();
        self.fenced = self.effects.seen().collect();
        shared.cache.fence(&self.fenced);
        shared.cache.fence_revoked(&self.effects.revocations);
        self.frozen = shared.touches.freeze(self.effects.begun());
        self.is_in_commit = true;
        let committed = transaction.commit().map_err(Failure::in_commit);
        #[cfg(sessionup_defects)]
        crate::seeded::catch_up(database, shared);
        committed?;
        shared.board.count_commit();
        Ok(())
    }
}

/// Enters some of those who wait in the user index, or all.
fn enter(
    tables: &mut Tables<'_>,
    owed: Owed,
    tasks: &[Box<dyn Task>],
) -> Result<(), redb::StorageError> {
    match owed {
        Owed::All => tables.enter_some(tasks.iter().filter(|task| task.wants_room()).count()),
        Owed::Entries => tables.enter_all(),
        Owed::Ends | Owed::SomeEnds | Owed::Sweep(_) | Owed::Time => Ok(()),
    }
}

/// Does what is owed, then what is asked.
fn apply(
    mut tables: Tables<'_>,
    doubts: &[SessionId],
    touches: &[(SessionId, Timestamp)],
    tasks: &mut [Box<dyn Task>],
) -> Result<(), redb::Error> {
    for id in doubts {
        tables.remove(*id, None)?;
    }
    for (id, at) in touches {
        tables.write_touch(*id, *at)?;
    }
    tasks
        .iter_mut()
        .try_for_each(|task| task.apply(&mut tables))
}
