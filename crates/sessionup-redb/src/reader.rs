//! The threads that read, so that no caller's thread waits for the disk.
//!
//! A read transaction lives as long as one read: while there is one, the file only grows.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable};
use sessionup_core::{Record, SessionId, StoreError, Timestamp};

use crate::database::ReadFailure;
use crate::doubt::Revocations;
use crate::error::Halt;
use crate::queue::Taken;
use crate::record::Stored;
use crate::shared::Shared;
use crate::touches::{self, Before, Put};
use crate::verify::{Report, Snapshot};
use crate::writer::tables::report_damage;

/// A read with its way back to the caller.
pub(crate) type Read = Box<dyn FnOnce(&Shared) + Send>;

/// Reads until the queue is closed and empty.
pub(crate) fn run(shared: &Shared) {
    while let Taken::Items(reads) = shared.reads.take(1, None) {
        for read in reads {
            // The caller learns of a panic by the end of its channel; the hook reports it.
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| read(shared)));
        }
    }
}

/// What became of a use of a session.
#[derive(Debug)]
pub(crate) enum Touched {
    Answer(Option<Arc<Record>>),
    /// There is no room for it in memory: it must be written.
    Write,
}

pub(crate) fn fetch(
    shared: &Shared,
    id: SessionId,
    now: Timestamp,
) -> Result<Option<Arc<Record>>, StoreError> {
    let seat = shared.cache.seat(id);
    let found = find(shared, id)?;
    let live = found.filter(|record| record.session.is_live(now));
    Ok(live.map(|record| {
        let record = Arc::new(record);
        shared.cache.put(seat, &record);
        record
    }))
}

/// Takes note of a use of a live session.
pub(crate) fn touch(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Touched, StoreError> {
    let before = shared.touches.before();
    let Some(record) = find(shared, id)?.map(Arc::new) else {
        return Ok(Touched::Answer(None));
    };
    for _ in 0..TRIES {
        if let Some(touched) = used(shared, Arc::clone(&record), before, at, now) {
            return Ok(touched);
        }
        shared.touches.wait();
    }
    Ok(Touched::Write)
}

/// How often a reader waits for the touches before it leaves a use to the writer.
const TRIES: usize = 8;

/// As [`touch`], if that needs no reading and no waiting: `None` if it does.
pub(crate) fn touch_at_hand(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Option<Touched> {
    let before = shared.touches.try_before()?;
    let record = shared.cache.get(id)?;
    used(shared, record, before, at, now)
}

/// Takes note of a use of a session that was found since `before`. `None` if that would have to wait,
/// which nobody does who holds a part of the cache: others want it at once.
fn used(
    shared: &Shared,
    mut record: Arc<Record>,
    before: Before,
    at: Timestamp,
    now: Timestamp,
) -> Option<Touched> {
    if !record.session.is_live(now) {
        return Some(Touched::Answer(None));
    }
    if record.session.last_seen_at < at {
        let id = record.session.id;
        let note = || shared.touches.put(id, at, before);
        match shared.cache.used(id, at, note) {
            Put::Kept => {}
            Put::First => shared.writes.wake(),
            Put::Refused => return Some(Touched::Write),
            Put::Busy => return None,
        }
        touches::lay_over(Arc::make_mut(&mut record), Some(at));
    }
    Some(Touched::Answer(Some(record)))
}

/// Checks all of the bucket.
pub(crate) fn verify(shared: &Shared, now: Option<Timestamp>) -> Result<Report, StoreError> {
    // Nobody is to wait for the end of this who wants to open the database anew.
    let snapshot = shared
        .place
        .read(|database| Snapshot::of(database, &shared.schema).map_err(Halt::Broken));
    let snapshot = answer(shared, snapshot)?;
    let mut report = Report::default();
    let checked = snapshot.check(now, &mut report).map_err(Halt::Broken);
    answer(shared, checked.map_err(ReadFailure::from))?;
    Ok(report)
}

/// Finds a record, live or not.
pub(crate) fn find(shared: &Shared, id: SessionId) -> Result<Option<Record>, StoreError> {
    let Some(revocations) = shared.doubts.about(id) else {
        return Ok(None);
    };
    answer(shared, read(shared, &revocations, id))
}

fn read(
    shared: &Shared,
    revocations: &Revocations,
    id: SessionId,
) -> Result<Option<Record>, ReadFailure> {
    // A use that is not there, or no more, is in what is read. One that is there is told at the
    // moment at which the transaction begins: later, another session could have begun under its id.
    let touches = shared.touches.of(id).map(|_| shared.touches.hold());
    let place = shared.place.hold()?;
    let begun = place.database()?.begin_read();
    let seen = touches.and_then(|touches| touches.of(id));
    let transaction = begun.map_err(Halt::from)?;
    let mut found = load(&transaction, shared, revocations, id)?;
    if let Some(record) = &mut found {
        touches::lay_over(record, seen);
    }
    Ok(found)
}

pub(crate) fn answer<T>(shared: &Shared, read: Result<T, ReadFailure>) -> Result<T, StoreError> {
    read.map_err(|failure| match failure {
        ReadFailure::Once(error) => error,
        ReadFailure::Lasting(source) => {
            shared.suspect(Arc::clone(&source));
            StoreError::Unavailable { source }
        }
    })
}

fn load(
    transaction: &ReadTransaction,
    shared: &Shared,
    revocations: &Revocations,
    id: SessionId,
) -> Result<Option<Record>, Halt> {
    let sessions = transaction.open_table(shared.schema.sessions())?;
    let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
        return Ok(None);
    };
    let stored = decode(id, bytes.value())?;
    let rows = shared
        .tombstones
        .rows(transaction, &shared.schema, revocations)?;
    if rows.has_ended(&stored)? {
        return Ok(None);
    }
    Ok(Some(stored.record))
}

pub(crate) fn decode(id: SessionId, bytes: &[u8]) -> Result<Stored, Halt> {
    match Stored::decode(id, bytes) {
        Ok(stored) => Ok(stored),
        Err(error) => {
            report_damage(id, &error);
            Err(StoreError::corrupt(id, error).into())
        }
    }
}
