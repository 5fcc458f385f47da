//! One transaction for many callers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::Database;
use sessionup_core::{SessionId, Timestamp, is_seeded};

use crate::error::Failure;
use crate::marks::Entries;
use crate::schema::begin_write;
use crate::shared::Shared;
use crate::writer::operation::{Effects, Task};
use crate::writer::tables::Tables;

/// Most uses that are written with one transaction.
const TOUCHES: usize = 10_000;

/// Ends the sessions in doubt, writes the uses that are waiting, carries tasks out; commits, and
/// answers. What is known of the time goes along if there is room for it.
pub(super) fn run(
    shared: &Shared,
    mut tasks: Vec<Box<dyn Task>>,
    has_room: bool,
) -> Result<(), Failure> {
    let mut attempt = Attempt::default();
    if has_room {
        attempt.marks = shared.kept.due(shared.watermark.marks());
    }
    let outcome = shared.place.database().and_then(|database| {
        let make = AssertUnwindSafe(|| attempt.make(shared, &database, &mut tasks));
        std::panic::catch_unwind(make).unwrap_or_else(|_| Err(Failure::panic(attempt.is_in_commit)))
    });
    let outcome = match outcome {
        Err(_) if is_seeded!(IgnoredCommitError) && attempt.is_in_commit => Ok(()),
        outcome => outcome,
    };
    match &outcome {
        Ok(()) => {
            // Uses of a session that ended or began here are those of an earlier one of its id:
            // uses of the new one are still turned away.
            let others = attempt.effects.in_doubt();
            shared.touches.forget(&attempt.touches, others);
            shared.touches.lift();
            if attempt.is_in_commit
                && let Some(marks) = attempt.marks
            {
                shared.kept.keep(marks);
            }
            shared.doubts.settle(&attempt.doubts);
            answer_all(tasks, |task| task.succeed());
        }
        Err(failure) => {
            shared.touches.lift();
            // Whatever is in doubt is refused before anybody learns of it.
            if failure.is_unknown && !is_seeded!(NoTombstone) {
                shared.doubts.add(attempt.effects.in_doubt());
            }
            if failure.is_lasting {
                shared.place.break_down(Arc::clone(&failure.cause));
            }
            answer_all(tasks, |task| task.fail(failure, &shared.doubts));
        }
    }
    outcome
}

/// Who is woken by an answer may panic, and that is nobody else's concern.
fn answer_all(tasks: Vec<Box<dyn Task>>, answer: impl Fn(Box<dyn Task>)) {
    for task in tasks {
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| answer(task)));
    }
}

#[derive(Default)]
struct Attempt {
    effects: Effects,
    doubts: Vec<SessionId>,
    touches: Vec<(SessionId, Timestamp)>,
    marks: Option<Entries>,
    is_in_commit: bool,
}

impl Attempt {
    fn make(
        &mut self,
        shared: &Shared,
        database: &Database,
        tasks: &mut Vec<Box<dyn Task>>,
    ) -> Result<(), Failure> {
        let transaction = begin_write(database).map_err(Failure::before_commit)?;
        self.doubts = shared.doubts.all();
        if is_seeded!(DoubtsForgotten) {
            shared.doubts.settle(&self.doubts);
        }
        self.touches = shared.touches.some(TOUCHES);
        let tables = Tables::open(
            &transaction,
            &shared.schema,
            &shared.touches,
            &mut self.effects,
        );
        tables
            .and_then(|tables| apply(tables, &self.doubts, &self.touches, tasks))
            .map_err(Failure::before_commit)?;

        // That sessions in doubt can be read as gone does not mean that the disk has it.
        if self.effects.changes == 0 && self.doubts.is_empty() {
            let ended = transaction.abort();
            return ended.map_err(|error| Failure::before_commit(error.into()));
        }
        if let Some(marks) = self.marks {
            marks
                .write(&transaction, &shared.schema)
                .map_err(Failure::before_commit)?;
        }
        if is_seeded!(AnswerBeforeSync) {
            answer_all(std::mem::take(tasks), |task| task.succeed());
        }
        #[cfg(sessionup_defects)]
        let transaction = crate::seeded::without_sync(transaction, &self.effects);
        self.is_in_commit = true;
        let committed = transaction.commit().map_err(Failure::in_commit);
        #[cfg(sessionup_defects)]
        crate::seeded::catch_up(database, shared);
        committed
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
