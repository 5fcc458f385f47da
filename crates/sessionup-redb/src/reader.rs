//! The threads that read, so that no caller's thread waits for the disk.
//!
//! A read transaction lives as long as one read: while there is one, the file only grows.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable};
use sessionup_core::{
    Kind, ListOptions, Record, RecordPage, SessionId, StoreError, Timestamp, UserKey,
};

use crate::cache::Loaded;
use crate::database::ReadFailure;
use crate::doubt::Revocations;
use crate::error::Halt;
use crate::queue::Taken;
use crate::record::Stored;
use crate::shared::Shared;
use crate::touches::{self, Before, Put};
use crate::verify::{Report, Snapshot};
use crate::walk::Whose;
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
    let live = found.filter(|loaded| loaded.record.session.is_live(now));
    Ok(live.map(|Loaded { record, bytes }| {
        let record = Arc::new(record);
        shared.cache.put(seat, &record, bytes);
        record
    }))
}

fn list(shared: &Shared, user: &UserKey, now: Timestamp) -> Result<Vec<Arc<Record>>, StoreError> {
    let touches = shared.touches.hold();
    let revocations = shared.doubts.revocations();
    let read = shared
        .place
        .read(|database| records_of(database, shared, &revocations, user));
    let mut records = answer(shared, read)?;
    for record in &mut records {
        touches.lay_over(record);
    }
    // While the touches are held nothing is settled that was in doubt when they were read. Of the
    // sessions that one operation ended, all are refused or none.
    let doubts = shared.doubts.hold();
    records.retain(|record| record.session.is_live(now) && !doubts.contains(record.session.id));
    drop(doubts);
    drop(touches);
    records.sort_by_key(|record| (record.session.created_at, record.session.id));
    Ok(records.into_iter().map(Arc::new).collect())
}

pub(crate) fn list_page(
    shared: &Shared,
    user: &UserKey,
    options: &ListOptions,
    now: Timestamp,
) -> Result<RecordPage, StoreError> {
    let mut records = list(shared, user, now)?;
    records.retain(|record| {
        let session = &record.session;
        let is_wanted = |kind: &Kind| *kind == session.kind;
        options.kind.as_ref().is_none_or(is_wanted)
            && options.after.is_none_or(|after| session.id > after)
    });
    records.sort_by_key(|record| record.session.id);
    let is_last = records.len() <= options.limit.get();
    records.truncate(options.limit.get());
    let last = records.last().map(|record| record.session.id);
    Ok(RecordPage::new(records, last.filter(|_| !is_last)))
}

/// Takes note of a use of a live session.
pub(crate) fn touch(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Touched, StoreError> {
    let before = shared.touches.before();
    let found = find(shared, id)?.map(|loaded| Arc::new(loaded.record));
    Ok(found.map_or(Touched::Answer(None), |record| {
        used(shared, record, before, at, now)
    }))
}

/// As [`touch`], if that needs no reading.
pub(crate) fn touch_at_hand(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Option<Touched> {
    let before = shared.touches.before();
    let record = shared.cache.get(id)?;
    Some(used(shared, record, before, at, now))
}

/// Takes note of a use of a session that was found since `before`.
fn used(
    shared: &Shared,
    mut record: Arc<Record>,
    before: Before,
    at: Timestamp,
    now: Timestamp,
) -> Touched {
    if !record.session.is_live(now) {
        return Touched::Answer(None);
    }
    if record.session.last_seen_at < at {
        let id = record.session.id;
        let note = || shared.touches.put(id, at, before);
        match shared.cache.used(id, at, note) {
            Put::Kept => {}
            Put::First => shared.writes.wake(),
            Put::Refused => return Touched::Write,
        }
        touches::lay_over(Arc::make_mut(&mut record), Some(at));
    }
    Touched::Answer(Some(record))
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
pub(crate) fn find(shared: &Shared, id: SessionId) -> Result<Option<Loaded>, StoreError> {
    let Some(revocations) = shared.doubts.about(id) else {
        return Ok(None);
    };
    // A use that is not there, or no more, is in what is read.
    let touches = shared.touches.of(id).map(|_| shared.touches.hold());
    let mut read = shared
        .place
        .read(|database| load(database, shared, &revocations, id));
    if let (Some(touches), Ok(Some(loaded))) = (touches, &mut read) {
        touches.lay_over(&mut loaded.record);
    }
    answer(shared, read)
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
    database: &Database,
    shared: &Shared,
    revocations: &Revocations,
    id: SessionId,
) -> Result<Option<Loaded>, Halt> {
    let transaction = database.begin_read()?;
    let sessions = transaction.open_table(shared.schema.sessions())?;
    let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
        return Ok(None);
    };
    let bytes = bytes.value();
    let stored = decode(id, bytes)?;
    let rows = shared
        .tombstones
        .rows(&transaction, &shared.schema, revocations)?;
    if rows.has_ended(&stored)? {
        return Ok(None);
    }
    Ok(Some(Loaded {
        record: stored.record,
        bytes: bytes.len(),
    }))
}

fn records_of(
    database: &Database,
    shared: &Shared,
    revocations: &Revocations,
    user: &UserKey,
) -> Result<Vec<Record>, Halt> {
    let (transaction, unlisted) = shared.unlisted.read(database, user)?;
    let sessions = transaction.open_table(shared.schema.sessions())?;
    let by_user = transaction.open_table(shared.schema.by_user())?;
    let rows = shared
        .tombstones
        .rows(&transaction, &shared.schema, revocations)?;
    let whose = Whose {
        user,
        unlisted: &unlisted,
    };
    let mut records = Vec::new();
    for (id, is_listed) in whose.ids(&by_user, None, usize::MAX)? {
        let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
            if is_listed {
                tracing::error!(target: "sessionup_redb", %id, "session is listed and has no record");
            }
            continue;
        };
        let stored = decode(id, bytes.value())?;
        if rows.has_ended(&stored)? {
            continue;
        }
        let record = stored.record;
        if record.session.user_key == *user {
            records.push(record);
        } else if is_listed {
            return Err(StoreError::corrupt(id, "record is of another user than its entry").into());
        }
    }
    Ok(records)
}

fn decode(id: SessionId, bytes: &[u8]) -> Result<Stored, Halt> {
    match Stored::decode(id, bytes) {
        Ok(stored) => Ok(stored),
        Err(error) => {
            report_damage(id, &error);
            Err(StoreError::corrupt(id, error).into())
        }
    }
}
