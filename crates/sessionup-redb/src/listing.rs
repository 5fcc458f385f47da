//! Pages of a user's sessions.
//!
//! No lock that a request wants is held while records are read. What records do not tell, uses that
//! are not yet written and sessions in doubt, is copied at the moment at which the read transaction
//! begins, while the touches are held: the writer forgets neither before that lock is free, so each
//! is found in the copy or in what is read.
//!
//! What to copy is known by ids, and ids are known by reading. So a first transaction finds the ids of
//! the page, and the next one begins together with the copy of what concerns these. If the page has
//! another id by then, that is done again, and after some attempts the ids are read under the lock:
//! these are index entries, whose number is bounded, and no records.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use sessionup_core::{Kind, ListOptions, RecordPage, SessionId, StoreError, Timestamp, UserKey};

use crate::database::{HeldPlace, ReadFailure};
use crate::doubt::Revocations;
use crate::error::Halt;
use crate::reader::{answer, decode};
use crate::shared::Shared;
use crate::touches;
use crate::walk::Whose;

/// How many entries of the index are looked at for each session of a page: expired sessions and
/// those of other kinds keep nobody waiting.
const EXAMINED: usize = 4;
/// How often ids are looked for apart from the copy of what concerns them.
pub(crate) const ATTEMPTS: usize = 3;
/// So few uses and doubts are copied as they are. A model checker is to see the other way.
pub(crate) const FEW: usize = if cfg!(sessionup_schedules) { 0 } else { 256 };

/// Reads a page.
pub(crate) fn page(
    shared: &Shared,
    user: &UserKey,
    options: &ListOptions,
    now: Timestamp,
) -> Result<RecordPage, StoreError> {
    answer(shared, read(shared, user, options, now))
}

fn read(
    shared: &Shared,
    user: &UserKey,
    options: &ListOptions,
    now: Timestamp,
) -> Result<RecordPage, ReadFailure> {
    // Its field is public.
    let limit = options.limit.min(ListOptions::MAX_LIMIT).get();
    let query = Query {
        user,
        after: options.after,
        at_most: limit.saturating_mul(EXAMINED),
    };
    let mut known = HashSet::new();
    for _ in 0..ATTEMPTS {
        let view = View::begin(shared, &query, Some(&known))?;
        let ids = view.ids(shared, &query)?;
        if view.covers(&ids, &known) {
            return Ok(view.page(shared, ids, &query, options, now)?);
        }
        known = ids.found.iter().map(|(id, _)| *id).collect();
    }
    let mut view = View::begin(shared, &query, None)?;
    let ids = match view.ids.take() {
        Some(ids) => ids,
        None => view.ids(shared, &query)?,
    };
    Ok(view.page(shared, ids, &query, options, now)?)
}

/// Which ids are looked for.
struct Query<'a> {
    user: &'a UserKey,
    after: Option<SessionId>,
    at_most: usize,
}

impl Query<'_> {
    /// How many sessions the page has at most.
    fn limit(&self) -> usize {
        self.at_most / EXAMINED
    }
}

/// Ids in their order, and whether each is entered in the index.
struct Ids {
    found: Vec<(SessionId, bool)>,
    is_last: bool,
}

/// A moment of the database, and what was known besides at that moment.
struct View<'a> {
    place: HeldPlace<'a>,
    transaction: ReadTransaction,
    unlisted: Vec<SessionId>,
    /// The uses that were not yet written.
    seen: HashMap<SessionId, Timestamp>,
    in_doubt: HashSet<SessionId>,
    /// The large deletions that were in doubt.
    revocations: Revocations,
    /// Whether all of them were copied, and not those of some ids alone.
    is_whole: bool,
    ids: Option<Ids>,
}

impl<'a> View<'a> {
    /// Begins a transaction together with a copy of what concerns some ids; with none given, those
    /// that the transaction finds.
    fn begin(
        shared: &'a Shared,
        query: &Query<'_>,
        known: Option<&HashSet<SessionId>>,
    ) -> Result<Self, ReadFailure> {
        let touches = shared.touches.hold();
        let place = shared.place.hold()?;
        let database = place.database()?;
        // One more tells whether that was all.
        let at_most = query.at_most.saturating_add(1);
        let begun = shared
            .unlisted
            .read(database, query.user, query.after, at_most);
        let (transaction, unlisted) = begun.map_err(Halt::from)?;
        let mut view = Self {
            place,
            transaction,
            unlisted,
            seen: HashMap::new(),
            in_doubt: HashSet::new(),
            revocations: Revocations::default(),
            is_whole: false,
            ids: None,
        };
        let doubts = shared.doubts.hold();
        view.revocations = doubts.revocations();
        if touches.len() + doubts.len() <= FEW {
            view.is_whole = true;
            view.seen = touches.iter().collect();
            view.in_doubt = doubts.iter().collect();
            return Ok(view);
        }
        let mut copy = |id: SessionId| {
            view.seen.extend(touches.of(id).map(|at| (id, at)));
            if doubts.contains(id) {
                view.in_doubt.insert(id);
            }
        };
        match known {
            Some(known) => known.iter().copied().for_each(&mut copy),
            None => {
                let ids = ids(&view.transaction, &view.unlisted, shared, query)?;
                ids.found.iter().for_each(|(id, _)| copy(*id));
                view.ids = Some(ids);
            }
        }
        Ok(view)
    }

    fn ids(&self, shared: &Shared, query: &Query<'_>) -> Result<Ids, ReadFailure> {
        Ok(ids(&self.transaction, &self.unlisted, shared, query)?)
    }

    /// Says whether all was copied that concerns these ids.
    fn covers(&self, ids: &Ids, known: &HashSet<SessionId>) -> bool {
        self.is_whole || ids.found.iter().all(|(id, _)| known.contains(id))
    }

    /// Reads the records of a page.
    fn page(
        self,
        shared: &Shared,
        ids: Ids,
        query: &Query<'_>,
        options: &ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, Halt> {
        let sessions = self.transaction.open_table(shared.schema.sessions())?;
        let schema = &shared.schema;
        let tombstones = shared
            .tombstones
            .rows(&self.transaction, schema, &self.revocations)?;
        let mut page = RecordPage::default();
        let mut left = ids.found.into_iter();
        for (id, is_listed) in left.by_ref() {
            page.next = Some(id);
            let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
                if is_listed {
                    tracing::error!(target: "sessionup_redb", %id, "session is listed and has no record");
                }
                continue;
            };
            let stored = decode(id, bytes.value())?;
            if tombstones.has_ended(&stored)? {
                continue;
            }
            let mut record = stored.record;
            if record.session.user_key != *query.user {
                if is_listed {
                    let why = "record is of another user than its entry";
                    return Err(StoreError::corrupt(id, why).into());
                }
                continue;
            }
            touches::lay_over(&mut record, self.seen.get(&id).copied());
            let session = &record.session;
            let is_wanted = |kind: &Kind| *kind == session.kind;
            if session.is_live(now)
                && !self.in_doubt.contains(&id)
                && options.kind.as_ref().is_none_or(is_wanted)
            {
                page.records.push(Arc::new(record));
            }
            if page.records.len() >= query.limit() {
                break;
            }
        }
        let is_last = ids.is_last && left.next().is_none();
        page.next = page.next.filter(|_| !is_last);
        drop(self.place);
        Ok(page)
    }
}

/// Finds the ids that may be on a page.
fn ids(
    transaction: &ReadTransaction,
    unlisted: &[SessionId],
    shared: &Shared,
    query: &Query<'_>,
) -> Result<Ids, Halt> {
    let by_user = transaction.open_table(shared.schema.by_user())?;
    let whose = Whose {
        user: query.user,
        unlisted,
    };
    let mut found = whose.ids(&by_user, query.after, query.at_most.saturating_add(1))?;
    let is_last = found.len() <= query.at_most;
    found.truncate(query.at_most);
    Ok(Ids { found, is_last })
}
