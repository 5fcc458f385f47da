//! The threads that read, so that no caller's thread waits for the disk.
//!
//! A read transaction lives as long as one read: while there is one, the file only grows.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use sessionup_core::{
    Kind, ListOptions, Record, RecordPage, SessionId, StoreError, Timestamp, UserKey,
};

use crate::database::ReadFailure;
use crate::error::Halt;
use crate::queue::Taken;
use crate::record::Stored;
use crate::schema::{IdKey, Schema};
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
    let live = found.filter(|record| record.session.is_live(now));
    Ok(live.map(|record| {
        let record = Arc::new(record);
        shared.cache.put(seat, &record);
        record
    }))
}

pub(crate) fn list_page(
    shared: &Shared,
    user: &UserKey,
    options: &ListOptions,
    now: Timestamp,
) -> Result<RecordPage, StoreError> {
    let limit = options.limit.min(ListOptions::MAX_LIMIT).get();
    let list = List {
        shared,
        user,
        kind: options.kind.as_ref(),
        after: options.after,
        now,
        limit,
    };
    let mut expected = list.expect()?;
    loop {
        match list.read(&expected)? {
            Ok(page) => return Ok(page),
            // Another session came before all that were expected.
            Err(ids) => expected = ids,
        }
    }
}

/// A page of a user's sessions that is asked for.
///
/// Uses and doubts are copied at the moment at which the read transaction begins, under locks that
/// requests wait for; so which sessions these are is found out beforehand, and records are read
/// afterwards.
#[derive(Clone, Copy)]
struct List<'a> {
    shared: &'a Shared,
    user: &'a UserKey,
    kind: Option<&'a Kind>,
    after: Option<SessionId>,
    now: Timestamp,
    limit: usize,
}

/// How many entries of the index are looked at for each record of a page: those of other kinds, and of
/// sessions that have ended, are passed over.
const EXAMINED: usize = 4;

/// What was known of a session, apart from its record, when a read transaction began.
#[derive(Clone, Copy, Debug)]
struct Aside {
    used: Option<Timestamp>,
    in_doubt: bool,
}

impl List<'_> {
    /// How many entries are looked at.
    fn examined(&self) -> usize {
        self.limit.saturating_mul(EXAMINED)
    }

    /// Finds the sessions that are probably looked at.
    fn expect(&self) -> Result<Vec<SessionId>, StoreError> {
        let read = self.shared.place.read(|database| {
            let (transaction, unlisted) = self.begin(database)?;
            let ids = self.ids(&transaction, &unlisted)?;
            Ok(ids.into_iter().map(|(id, _)| id).collect())
        });
        answer(self.shared, read)
    }

    /// Reads the page if nothing is missing in what is expected; otherwise says what is to be
    /// expected instead.
    fn read(
        &self,
        expected: &[SessionId],
    ) -> Result<Result<RecordPage, Vec<SessionId>>, StoreError> {
        let touches = self.shared.touches.hold();
        let read = self.shared.place.read(|database| {
            let (transaction, unlisted) = self.begin(database)?;
            // While the touches are held nothing is settled that was in doubt when the transaction
            // began. Of the sessions that one operation ended, all are refused or none.
            let doubts = self.shared.doubts.hold();
            let about = |id: &SessionId| {
                let (used, in_doubt) = (touches.of(*id), doubts.contains(*id));
                (*id, Aside { used, in_doubt })
            };
            let asides = expected.iter().chain(&unlisted).map(about).collect();
            drop(doubts);
            drop(touches);
            self.page(&transaction, &unlisted, &asides)
        });
        answer(self.shared, read)
    }

    fn begin(
        &self,
        database: &Database,
    ) -> Result<(ReadTransaction, Vec<SessionId>), redb::TransactionError> {
        let unlisted = &self.shared.unlisted;
        unlisted.read(database, self.user, self.after, self.examined())
    }

    /// Returns the ids to look at, and whether each is listed.
    fn ids(
        &self,
        transaction: &ReadTransaction,
        unlisted: &[SessionId],
    ) -> Result<Vec<(SessionId, bool)>, Halt> {
        let by_user = transaction.open_table(self.shared.schema.by_user())?;
        let whose = Whose {
            user: self.user,
            unlisted,
        };
        let mut ids = whose.ids(&by_user, self.after, self.examined())?;
        ids.truncate(self.examined());
        Ok(ids)
    }

    fn page(
        &self,
        transaction: &ReadTransaction,
        unlisted: &[SessionId],
        asides: &HashMap<SessionId, Aside>,
    ) -> Result<Result<RecordPage, Vec<SessionId>>, Halt> {
        let sessions = transaction.open_table(self.shared.schema.sessions())?;
        let ids = self.ids(transaction, unlisted)?;
        // Some may follow those that are looked at.
        let mut is_whole = ids.len() < self.examined();
        let mut records = Vec::new();
        let mut last = None;
        for (id, is_listed) in &ids {
            let aside = asides.get(id);
            let (Some(aside), true) = (aside, records.len() < self.limit) else {
                is_whole = false;
                break;
            };
            last = Some(*id);
            let found = self.find(&sessions, *id, *is_listed)?;
            records.extend(found.and_then(|record| self.judge(record, *aside)));
        }
        if last.is_none() && !is_whole {
            return Ok(Err(ids.into_iter().map(|(id, _)| id).collect()));
        }
        Ok(Ok(RecordPage::new(records, last.filter(|_| !is_whole))))
    }

    fn find(
        &self,
        sessions: &impl ReadableTable<IdKey, &'static [u8]>,
        id: SessionId,
        is_listed: bool,
    ) -> Result<Option<Record>, Halt> {
        let Some(bytes) = sessions.get(id.as_bytes())? else {
            if is_listed {
                tracing::error!(target: "sessionup_redb", %id, "session is listed and has no record");
            }
            return Ok(None);
        };
        let record = decode(id, bytes.value())?;
        let is_theirs = record.session.user_key == *self.user;
        if is_listed && !is_theirs {
            return Err(StoreError::corrupt(id, "record is of another user than its entry").into());
        }
        Ok(Some(record).filter(|_| is_theirs))
    }

    /// Returns a record with its latest use, if it belongs to the page.
    fn judge(&self, mut record: Record, aside: Aside) -> Option<Arc<Record>> {
        touches::lay_over(&mut record, aside.used);
        let session = &record.session;
        let is_wanted = self.kind.is_none_or(|kind| *kind == session.kind)
            && session.is_live(self.now)
            && !aside.in_doubt;
        is_wanted.then(|| Arc::new(record))
    }
}

/// Takes note of a use of a live session.
pub(crate) fn touch(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Touched, StoreError> {
    let before = shared.touches.before();
    let Some(record) = find(shared, id)? else {
        return Ok(Touched::Answer(None));
    };
    let record = Arc::new(record);
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

/// As [`touch`], if that needs no reading and waits for nobody.
pub(crate) fn touch_at_hand(
    shared: &Shared,
    id: SessionId,
    at: Timestamp,
    now: Timestamp,
) -> Option<Touched> {
    let before = shared.touches.before_at_once()?;
    let record = shared.cache.get(id)?;
    used(shared, record, before, at, now)
}

/// Takes note of a use of a session that was found since `before`; `None` if somebody else holds the
/// touches.
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
    if shared.doubts.contains(id) {
        return Ok(None);
    }
    // A use that is not there, or no more, is in what is read.
    let touches = shared.touches.hold_used(id);
    let read = shared.place.read(|database| {
        let transaction = database.begin_read()?;
        let used = touches.and_then(|touches| touches.of(id));
        let mut record = load(&transaction, &shared.schema, id)?;
        if let Some(record) = &mut record {
            touches::lay_over(record, used);
        }
        Ok(record)
    });
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
    transaction: &ReadTransaction,
    schema: &Schema,
    id: SessionId,
) -> Result<Option<Record>, Halt> {
    let sessions = transaction.open_table(schema.sessions())?;
    let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
        return Ok(None);
    };
    Ok(Some(decode(id, bytes.value())?))
}

fn decode(id: SessionId, bytes: &[u8]) -> Result<Record, Halt> {
    match Stored::decode(id, bytes) {
        Ok(stored) => Ok(stored.record),
        Err(error) => {
            report_damage(id, &error);
            Err(StoreError::corrupt(id, error).into())
        }
    }
}
