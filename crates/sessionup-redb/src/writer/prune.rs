//! Deleting what has expired, a slice at a time.

use std::sync::Arc;
use std::time::Duration;

use sessionup_core::{Pruned, SessionId, Timestamp, is_seeded};

use crate::error::Halt;
use crate::record::Stored;
use crate::schema::step;
use crate::shared::Shared;
use crate::sync::{Instant, Mutex, MutexGuard, PoisonError};
use crate::writer::operation::Operation;
use crate::writer::tables::{Found, Tables, report_damage};

/// How long one prune works, about. To commit that takes as long again, and others wait for both.
pub(crate) const TIME: Duration = Duration::from_millis(10);
/// How many entries are looked at between two looks at the time.
const CHUNK: usize = 128;

#[derive(Debug)]
pub(crate) struct Prune {
    pub(crate) now: Timestamp,
    pub(crate) at_most: usize,
    pub(crate) progress: Arc<Progress>,
}

/// How long a prune works, and where one stopped that found nothing to do in its time.
///
/// Without the latter, a step with very many records that are still live would be looked at from its
/// beginning each time, and never to its end.
#[derive(Debug)]
pub(crate) struct Progress {
    time: Duration,
    mark: Mutex<Option<Mark>>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    now: Timestamp,
    entry: (i64, SessionId),
}

impl Default for Progress {
    fn default() -> Self {
        Self::within(TIME)
    }
}

impl Progress {
    pub(crate) fn within(time: Duration) -> Self {
        Self {
            time,
            mark: Mutex::default(),
        }
    }

    /// Where to go on.
    ///
    /// What lies before a mark was live at the mark's time. So it is when a prune goes on within the
    /// same step, as the next one of a cleanup does; at most what ended within these seconds is left to
    /// the next cleanup. A prune of another time, as one that is to delete all, begins anew, and so
    /// does one by a clock that went back.
    fn resume(&self, now: Timestamp) -> Option<(i64, SessionId)> {
        let mark = self.lock().take();
        let goes_on = |mark: &Mark| mark.now <= now && step(mark.now) == step(now);
        mark.filter(goes_on).map(|mark| mark.entry)
    }

    fn keep(&self, now: Timestamp, entry: Option<(i64, SessionId)>) {
        *self.lock() = entry.map(|entry| Mark { now, entry });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Mark>> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Operation for Prune {
    type Answer = Pruned;
    const IS_MOOT_ALONE: bool = true;

    fn is_alone(&self, _: &Shared) -> bool {
        true
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Pruned, Halt> {
        let end = Instant::now().checked_add(self.progress.time);
        let mut slice = Slice {
            now: self.now,
            left: self.at_most,
            deleted: 0,
        };
        let mut after = self.progress.resume(self.now);
        loop {
            let chunk = tables.filed(after, step(self.now), CHUNK)?;
            let Some(last) = chunk.last() else {
                return Ok(Pruned::new(slice.deleted, false));
            };
            after = Some(*last);
            if slice.work(&chunk, tables)? == Outcome::Full {
                return Ok(Pruned::new(slice.deleted, true));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                // What was deleted is not there again next time, unless the commit fails; then it
                // must be looked at from the beginning.
                if slice.left == self.at_most {
                    self.progress.keep(self.now, after);
                }
                return Ok(Pruned::new(slice.deleted, true));
            }
        }
    }
}

struct Slice {
    now: Timestamp,
    left: usize,
    deleted: u64,
}

#[derive(PartialEq, Eq)]
enum Outcome {
    Done,
    /// There is more to delete than was asked for.
    Full,
}

impl Slice {
    fn work(
        &mut self,
        chunk: &[(i64, SessionId)],
        tables: &mut Tables<'_>,
    ) -> Result<Outcome, Halt> {
        // A use that was answered before this is seen below; a later one waits until all is done.
        let ids: Vec<_> = chunk.iter().map(|(_, id)| *id).collect();
        tables.touches.fence(&ids);
        for &(filed, id) in chunk {
            if self.look_at(filed, id, tables)? == Outcome::Full {
                return Ok(Outcome::Full);
            }
        }
        Ok(Outcome::Done)
    }

    fn look_at(
        &mut self,
        filed: i64,
        id: SessionId,
        tables: &mut Tables<'_>,
    ) -> Result<Outcome, Halt> {
        let stored = match lead(filed, id, tables)? {
            Lead::Record(stored) => stored,
            Lead::Damaged | Lead::Ended => return Ok(Outcome::Done),
            Lead::Nowhere => {
                if self.left > 0 {
                    self.left -= 1;
                    tables.unfile(filed, id)?;
                }
                return Ok(Outcome::Done);
            }
        };
        let session = &stored.record.session;
        let is_expired = !session.is_live(self.now);
        if !is_expired && step(session.deadline()) == filed {
            return Ok(Outcome::Done);
        }
        if self.left == 0 {
            return Ok(if is_expired {
                Outcome::Full
            } else {
                Outcome::Done
            });
        }
        self.left -= 1;
        if is_expired {
            tables.remove(id, None)?;
            self.deleted += 1;
        } else {
            tables.file_anew(*stored)?;
        }
        Ok(Outcome::Done)
    }
}

/// Where an entry leads.
enum Lead {
    /// To a record that cannot be read. It keeps its entry: a later version may be able to.
    Damaged,
    /// To a record that a tombstone has ended. It is deleted with the others.
    Ended,
    /// To nothing, or to a record that is filed elsewhere.
    Nowhere,
    Record(Box<Stored>),
}

fn lead(filed: i64, id: SessionId, tables: &Tables<'_>) -> Result<Lead, Halt> {
    let found = match is_seeded!(TwoPhaseCleanup) {
        true => tables.read(id)?,
        false => tables.find(id)?,
    };
    Ok(match found {
        Some(Found::Whole(stored)) if stored.filed == filed => Lead::Record(stored),
        Some(Found::Damaged(error)) => {
            report_damage(id, &error);
            Lead::Damaged
        }
        None if tables.has_ended(id)? => Lead::Ended,
        Some(Found::Whole(_)) | None => Lead::Nowhere,
    })
}

#[cfg(test)]
mod tests {
    use redb::Database;
    use redb::backends::InMemoryBackend;
    use sessionup_core::{CreateOptions, Record, SecretHash, Session, Store, UserKey};

    use super::*;
    use crate::builder::Commits;
    use crate::schema::Schema;
    use crate::store::RedbStore;
    use crate::tombstones::Tombstones;
    use crate::touches::Touches;
    use crate::unlisted::{Pace, Unlisted};
    use crate::writer::operation::Effects;

    /// Prunes in a transaction that is given up.
    fn prune_in_vain(database: &Database, prune: &Prune) -> Pruned {
        let schema = Schema::new("sessions".to_owned(), Commits::default()).unwrap();
        let touches = Touches::new(Duration::ZERO, 9);
        let unlisted = Arc::new(Unlisted::new(Pace::Usual));
        let (mut draft, mut effects) = (unlisted.draft(), Effects::default());
        let transaction = schema.begin_write(database).unwrap();
        let mut tombstones = Arc::new(Tombstones::new(9)).draft();
        let tables = Tables::open(
            &transaction,
            &schema,
            &touches,
            &mut draft,
            &mut tombstones,
            &mut effects,
        );
        let mut tables = tables.unwrap();
        let pruned = prune.apply(&mut tables).unwrap();
        drop(tables);
        transaction.abort().unwrap();
        pruned
    }

    #[test]
    fn prune_that_deleted_and_failed_leaves_no_mark() {
        let at = Timestamp::from_millis;
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = Arc::new(database.unwrap());
        let store = RedbStore::new(Arc::clone(&database), "sessions", Duration::ZERO).unwrap();
        let id = SessionId::from_bytes([1; 16]);
        let session = Session::new(id, UserKey::new("ann").unwrap(), at(0), at(9));
        let record = Record::new(session, SecretHash::from_bytes([7; 32]));
        let created = store.create(record, CreateOptions::default(), at(0));
        futures_executor::block_on(created).unwrap();
        drop(store);

        let prune = Prune {
            now: at(9),
            at_most: 9,
            progress: Arc::new(Progress::within(Duration::ZERO)),
        };
        for attempt in ["first", "second"] {
            assert_eq!(prune_in_vain(&database, &prune).deleted, 1, "{attempt}");
        }
    }

    #[test]
    fn mark_counts_once_and_within_its_step() {
        let at = Timestamp::from_millis;
        let entry = (3, SessionId::from_bytes([1; 16]));
        let progress = Progress::default();
        assert_eq!(progress.resume(at(10)), None);

        let cases = [
            (at(10), true),
            (at(11), true),
            (at(65_535), true),
            (at(9), false),
            (at(65_536), false),
            (Timestamp::MAX, false),
        ];
        for (now, goes_on) in cases {
            progress.keep(at(10), Some(entry));
            assert_eq!(progress.resume(now).is_some(), goes_on, "{now}");
            assert_eq!(progress.resume(now), None, "{now}, once more");
        }
    }
}
