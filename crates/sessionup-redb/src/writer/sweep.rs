//! Deleting the records of sessions that tombstones have ended, a slice at a time.

use std::time::Duration;

use sessionup_core::{SessionId, is_seeded};

use crate::sync::Instant;
use crate::tombstones::Target;
use crate::writer::tables::Tables;

/// How long one slice works, about. To commit it takes as long again, and others wait for both.
const TIME: Duration = Duration::from_millis(5);
/// How many records are looked at between two looks at the time.
const CHUNK: usize = 64;

/// Deletes records until the time is up, at most so many; with the last one, its tombstone.
pub(super) fn slice(tables: &mut Tables<'_>, at_most: usize) -> Result<(), redb::StorageError> {
    let Some((target, mut last)) = tables.tombstones.next() else {
        return Ok(());
    };
    let end = Instant::now() + TIME;
    let mut left = at_most;
    loop {
        let ids = tables.ids_after(&target, last, CHUNK.min(left))?;
        let Some(next) = ids.last() else {
            tables.remove_tombstone(&target);
            return Ok(());
        };
        last = Some(*next);
        left -= ids.len();
        delete(tables, &target, &ids)?;
        if is_seeded!(TombstoneRemovedEarly) {
            tables.remove_tombstone(&target);
            return Ok(());
        }
        if left == 0 || Instant::now() >= end {
            tables.tombstones.advance(&target, last);
            return Ok(());
        }
    }
}

fn delete(
    tables: &mut Tables<'_>,
    target: &Target,
    ids: &[SessionId],
) -> Result<(), redb::StorageError> {
    for id in ids {
        tables.sweep(*id, target.user())?;
    }
    Ok(())
}
