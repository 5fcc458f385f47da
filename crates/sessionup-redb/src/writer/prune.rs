//! Deleting what has expired, a slice at a time.

use std::sync::Arc;
use std::time::Duration;

use sessionup_core::{Pruned, SessionId, Timestamp, is_seeded};

use crate::error::Halt;
use crate::record::Stored;
use crate::schema::step;
use crate::shared::Shared;
use crate::sync::{Instant, Mutex, PoisonError};
use crate::writer::operation::Operation;
use crate::writer::tables::{Found, Tables, report_damage};

/// How long one prune works, about. To commit that takes as long again, and others wait for both.
const TIME: Duration = Duration::from_millis(10);
/// How many entries are looked at between two looks at the time.
const CHUNK: usize = 128;

#[derive(Debug)]
pub(crate) struct Prune {
    pub(crate) now: Timestamp,
    pub(crate) at_most: usize,
    pub(crate) progress: Arc<Progress>,
}

/// Where a prune stopped that found nothing to do in its time.
///
/// Without it, a step with very many records that are still live would be looked at from its
/// beginning each time, and never to its end.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Option<Mark>>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    now: Timestamp,
    entry: (i64, SessionId),
}

impl Progress {
    /// Where to go on. A clock that went back begins anew.
    fn resume(&self, now: Timestamp) -> Option<(i64, SessionId)> {
        let mark = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        mark.filter(|mark| mark.now <= now).map(|mark| mark.entry)
    }

    fn keep(&self, now: Timestamp, entry: Option<(i64, SessionId)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            entry.map(|entry| Mark { now, entry });
    }
}

impl Operation for Prune {
    type Answer = Pruned;
    const IS_MOOT_ALONE: bool = true;

    fn is_alone(&self, _: &Shared) -> bool {
        true
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Pruned, Halt> {
        let end = Instant::now() + TIME;
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
            if Instant::now() >= end {
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
    use super::*;

    #[test]
    fn unfinished_look_goes_on_once_unless_the_clock_went_back() {
        let at = Timestamp::from_millis;
        let entry = (3, SessionId::from_bytes([1; 16]));
        let progress = Progress::default();
        assert_eq!(progress.resume(at(10)), None);

        progress.keep(at(10), Some(entry));
        assert_eq!(progress.resume(at(10)), Some(entry));
        assert_eq!(progress.resume(at(10)), None);

        progress.keep(at(10), Some(entry));
        assert_eq!(progress.resume(at(9)), None);
    }
}
