//! Pages of a user's sessions.

use std::sync::Arc;

use redb::ReadableTable;
use sessionup_core::{Kind, ListOptions, RecordPage, SessionId, StoreError, Timestamp, UserKey};

use crate::database::ReadFailure;
use crate::error::Halt;
use crate::moment::{Moment, Scope};
use crate::reader::{answer, decode};
use crate::shared::Shared;

/// How many entries of the index are looked at for each session of a page: expired sessions and
/// those of other kinds keep nobody waiting.
const EXAMINED: usize = 4;

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
        options,
        limit,
        now,
    };
    let scope = Scope {
        user: Some(user),
        after: options.after,
        // One more tells whether that was all.
        at_most: query.examined().saturating_add(1),
    };
    let find = |moment: &Moment<'_>| query.ids(shared, moment);
    let named = |ids: &Ids| ids.found.iter().map(|(id, _)| *id).collect();
    let (moment, ids) = Moment::read(shared, scope, find, named)?;
    Ok(query.page(shared, &moment, ids)?)
}

/// What a page is to hold.
struct Query<'a> {
    user: &'a UserKey,
    options: &'a ListOptions,
    /// Most sessions of the page.
    limit: usize,
    now: Timestamp,
}

/// Ids in their order, and whether each is entered in the index.
struct Ids {
    found: Vec<(SessionId, bool)>,
    is_last: bool,
}

impl Query<'_> {
    fn examined(&self) -> usize {
        self.limit.saturating_mul(EXAMINED)
    }

    /// Finds the ids that may be on the page.
    fn ids(&self, shared: &Shared, moment: &Moment<'_>) -> Result<Ids, Halt> {
        let by_user = moment.transaction.open_table(shared.schema.by_user())?;
        let (whose, examined) = (moment.whose(self.user), self.examined());
        let mut found = whose.ids(&by_user, self.options.after, examined.saturating_add(1))?;
        let is_last = found.len() <= examined;
        found.truncate(examined);
        Ok(Ids { found, is_last })
    }

    /// Reads the records of the page.
    fn page(&self, shared: &Shared, moment: &Moment<'_>, ids: Ids) -> Result<RecordPage, Halt> {
        let sessions = moment.transaction.open_table(shared.schema.sessions())?;
        let tombstones = moment.tombstones(shared)?;
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
            if record.session.user_key != *self.user {
                if is_listed {
                    let why = "record is of another user than its entry";
                    return Err(StoreError::corrupt(id, why).into());
                }
                continue;
            }
            moment.lay_over(&mut record);
            let session = &record.session;
            let is_wanted = |kind: &Kind| *kind == session.kind;
            if session.is_live(self.now)
                && !moment.is_in_doubt(id)
                && self.options.kind.as_ref().is_none_or(is_wanted)
            {
                page.records.push(Arc::new(record));
            }
            if page.records.len() >= self.limit {
                break;
            }
        }
        let is_last = ids.is_last && left.next().is_none();
        page.next = page.next.filter(|_| !is_last);
        Ok(page)
    }
}
