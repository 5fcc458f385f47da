//! Reading a bucket piece by piece, whatever has the database open.
//!
//! A read transaction lives as long as one piece: while there is one, what others delete keeps its
//! room.

use std::ops::Bound;

use redb::{
    MultimapTableHandle, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, TableHandle,
};
use sessionup_core::{Record, SessionId, StoreError, UserKey};

use crate::doubt::Revocations;
use crate::error::OpenError;
use crate::record::{Stored, user_key};
use crate::schema::{IdKey, Schema};
use crate::tombstones::Rows;
use crate::window::Scope;

/// An id, and the record under it unless it cannot be read.
pub type Found = (SessionId, Result<Record, StoreError>);

pub(crate) fn after(
    database: &impl ReadableDatabase,
    schema: &Schema,
    last: Option<SessionId>,
    at_most: usize,
) -> Result<Vec<Found>, OpenError> {
    let limit = Limit::records(at_most);
    read(database, |transaction| {
        Ok(piece(
            transaction,
            schema,
            None,
            last,
            limit,
            Revocations::default(),
        )?
        .found)
    })
}

pub(crate) fn find(
    database: &impl ReadableDatabase,
    schema: &Schema,
    id: SessionId,
) -> Result<Option<Found>, OpenError> {
    read(database, |transaction| {
        let sessions = transaction.open_table(schema.sessions())?;
        let rows = Rows::read(transaction, schema, Revocations::default())?;
        let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? else {
            return Ok(None);
        };
        left(id, bytes.value(), &rows)
    })
}

pub(crate) fn of_user(
    database: &impl ReadableDatabase,
    schema: &Schema,
    user: &UserKey,
) -> Result<Vec<Found>, OpenError> {
    of_user_after(database, schema, user, None, usize::MAX)
}

pub(crate) fn of_user_after(
    database: &impl ReadableDatabase,
    schema: &Schema,
    user: &UserKey,
    last: Option<SessionId>,
    at_most: usize,
) -> Result<Vec<Found>, OpenError> {
    let limit = Limit::records(at_most);
    read(database, |transaction| {
        let unlisted = unlisted(transaction, schema, user)?;
        let whose = Whose {
            user,
            unlisted: &unlisted,
        };
        Ok(piece(
            transaction,
            schema,
            Some(whose),
            last,
            limit,
            Revocations::default(),
        )?
        .found)
    })
}

/// Names the tables of a database that are not of a bucket.
pub(crate) fn other_tables(
    database: &impl ReadableDatabase,
    schema: &Schema,
) -> Result<Vec<String>, OpenError> {
    let own = format!("{}/", schema.bucket());
    read(database, |transaction| {
        let tables = transaction.list_tables()?;
        let names = tables.map(|table| table.name().to_owned());
        let multimaps = transaction.list_multimap_tables()?;
        let names = names.chain(multimaps.map(|table| table.name().to_owned()));
        Ok(names.filter(|name| !name.starts_with(&own)).collect())
    })
}

/// Finds the sessions of a user that need not be listed, in the order of their ids.
fn unlisted(
    transaction: &ReadTransaction,
    schema: &Schema,
    user: &UserKey,
) -> Result<Vec<SessionId>, redb::Error> {
    let scope = Scope::read(transaction, schema)?;
    let sessions = transaction.open_table(schema.sessions())?;
    let mut ids = Vec::new();
    scope.each(&sessions, |id, bytes| {
        // One that cannot be read does not name its user.
        if user_key(id, bytes).is_ok_and(|of| of == *user) {
            ids.push(id);
        }
    })?;
    Ok(ids)
}

/// A user, and those of their sessions that may not be listed, in the order of their ids: of these,
/// some may have ended meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whose<'a> {
    pub(crate) user: &'a UserKey,
    pub(crate) unlisted: &'a [SessionId],
}

impl Whose<'_> {
    /// Returns ids in their order, from the first one after another, and whether each is listed: all
    /// up to so many that are, and perhaps more.
    pub(crate) fn ids(
        self,
        by_user: &impl ReadableTable<(&'static [u8], IdKey), ()>,
        last: Option<SessionId>,
        listed: usize,
    ) -> Result<Vec<(SessionId, bool)>, redb::StorageError> {
        let key = self.user.as_str().as_bytes();
        let from = last.as_ref().map(|id| (key, id.as_bytes()));
        let from = from.map_or(Bound::Included((key, &[0; 16])), Bound::Excluded);
        let to = Bound::Included((key, &[0xff; 16]));
        let mut ids = Vec::new();
        for entry in by_user
            .range::<(&[u8], &[u8; 16])>((from, to))?
            .take(listed)
        {
            ids.push((SessionId::from_bytes(*entry?.0.value().1), true));
        }
        let unlisted = self.unlisted.iter().copied();
        let unlisted = unlisted.filter(|id| last.is_none_or(|last| *id > last));
        ids.extend(unlisted.map(|id| (id, false)));
        ids.sort_unstable_by_key(|(id, is_listed)| (*id, !is_listed));
        ids.dedup_by_key(|(id, _)| *id);
        Ok(ids)
    }
}

/// How much is read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) records: usize,
    /// What is read ends with the record that reaches this.
    pub(crate) bytes: usize,
    /// How many records are looked at, those included that tombstones have ended.
    pub(crate) looks: usize,
}

impl Limit {
    fn records(records: usize) -> Self {
        Self {
            records,
            bytes: usize::MAX,
            looks: usize::MAX,
        }
    }
}

/// Reads records in the order of their ids, of one user or all, from the first after an id; none that
/// large deletions in doubt are about.
pub(crate) fn piece(
    transaction: &ReadTransaction,
    schema: &Schema,
    whose: Option<Whose<'_>>,
    last: Option<SessionId>,
    limit: Limit,
    in_doubt: Revocations,
) -> Result<Piece, redb::Error> {
    let mut piece = Piece {
        found: Vec::new(),
        last,
        bytes: 0,
        looks: 0,
        limit,
    };
    let sessions = transaction.open_table(schema.sessions())?;
    let rows = Rows::read(transaction, schema, in_doubt)?;
    let Some(whose) = whose else {
        let from = last.as_ref().map(SessionId::as_bytes);
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        let mut entries = ReadableTable::range::<&[u8; 16]>(&sessions, range)?;
        while piece.has_room()
            && let Some(entry) = entries.next()
        {
            let (key, bytes) = entry?;
            let id = SessionId::from_bytes(*key.value());
            piece.look_at(id);
            if let Some(found) = left(id, bytes.value(), &rows)? {
                piece.add(found, bytes.value().len());
            }
        }
        return Ok(piece);
    };
    let by_user = transaction.open_table(schema.by_user())?;
    while piece.has_room() {
        let mut ids = whose.ids(&by_user, piece.last, limit.records)?;
        // The unlisted ones among them may come after listed ones that are not.
        ids.truncate(limit.records);
        if ids.is_empty() {
            break;
        }
        piece.read_all(&sessions, &rows, whose, &ids)?;
    }
    Ok(piece)
}

type Sessions = ReadOnlyTable<IdKey, &'static [u8]>;

/// Some records in a row.
pub(crate) struct Piece {
    pub(crate) found: Vec<Found>,
    /// The last id that was looked at.
    pub(crate) last: Option<SessionId>,
    bytes: usize,
    looks: usize,
    limit: Limit,
}

impl Piece {
    fn has_room(&self) -> bool {
        self.found.len() < self.limit.records
            && self.bytes < self.limit.bytes
            && self.looks < self.limit.looks
    }

    fn look_at(&mut self, id: SessionId) {
        self.last = Some(id);
        self.looks += 1;
    }

    fn add(&mut self, found: Found, bytes: usize) {
        self.bytes += bytes;
        self.found.push(found);
    }

    fn read_all(
        &mut self,
        sessions: &Sessions,
        rows: &Rows,
        whose: Whose<'_>,
        ids: &[(SessionId, bool)],
    ) -> Result<(), redb::Error> {
        for &(id, is_listed) in ids {
            if !self.has_room() {
                break;
            }
            self.look_at(id);
            let Some(stored) = ReadableTable::get(sessions, id.as_bytes())? else {
                if is_listed {
                    self.add((id, Err(StoreError::corrupt(id, "it has no record"))), 0);
                }
                continue;
            };
            let Some(found) = left(id, stored.value(), rows)? else {
                continue;
            };
            let is_theirs = |record: &Record| record.session.user_key == *whose.user;
            if is_listed || found.1.as_ref().is_ok_and(is_theirs) {
                self.add(found, stored.value().len());
            }
        }
        Ok(())
    }
}

pub(crate) fn count(database: &impl ReadableDatabase, schema: &Schema) -> Result<u64, OpenError> {
    read(database, |transaction| {
        let counting = Counting::begin(transaction, schema)?;
        match counting.at_once()? {
            Some(count) => Ok(count),
            None => counting.one_by_one(),
        }
    })
}

/// The records of a read transaction that are to be counted.
pub(crate) struct Counting {
    sessions: Sessions,
    rows: Rows,
}

impl Counting {
    pub(crate) fn begin(
        transaction: &ReadTransaction,
        schema: &Schema,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            sessions: transaction.open_table(schema.sessions())?,
            rows: Rows::read(transaction, schema, Revocations::default())?,
        })
    }

    /// Returns how many there are; `None` if there are tombstones, for then all must be read.
    pub(crate) fn at_once(&self) -> Result<Option<u64>, redb::Error> {
        if self.rows.is_empty()? {
            return Ok(Some(self.sessions.len()?));
        }
        Ok(None)
    }

    /// Reads all records and counts those that no tombstone has ended.
    pub(crate) fn one_by_one(&self) -> Result<u64, redb::Error> {
        let mut count = 0;
        for entry in ReadableTable::iter(&self.sessions)? {
            let (id, bytes) = entry?;
            let id = SessionId::from_bytes(*id.value());
            count += u64::from(left(id, bytes.value(), &self.rows)?.is_some());
        }
        Ok(count)
    }
}

pub(crate) fn bytes(database: &impl ReadableDatabase, schema: &Schema) -> Result<u64, OpenError> {
    read(database, |transaction| bytes_of(transaction, schema))
}

/// Returns how many bytes the tables have. Looks at all of their pages.
pub(crate) fn bytes_of(transaction: &ReadTransaction, schema: &Schema) -> Result<u64, redb::Error> {
    let stats = [
        transaction.open_table(schema.sessions())?.stats()?,
        transaction.open_table(schema.by_user())?.stats()?,
        transaction.open_table(schema.by_expiry())?.stats()?,
        transaction.open_table(schema.about())?.stats()?,
    ];
    let bytes = stats
        .iter()
        .map(|table| table.stored_bytes() + table.metadata_bytes() + table.fragmented_bytes());
    Ok(bytes.sum())
}

/// Names the buckets of a database, as far as their tables look like some.
pub(crate) fn buckets(database: &impl ReadableDatabase) -> Result<Vec<String>, OpenError> {
    read(database, |transaction| {
        let names = transaction.list_tables()?;
        let buckets =
            names.filter_map(|table| Some(table.name().strip_suffix("/by_expiry")?.into()));
        Ok(buckets.collect())
    })
}

fn read<T>(
    database: &impl ReadableDatabase,
    work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
) -> Result<T, OpenError> {
    let transaction = database.begin_read().map_err(OpenError::of_database)?;
    work(&transaction).map_err(OpenError::of_database)
}

/// Reads what lies under an id, unless a tombstone has ended it.
fn left(id: SessionId, bytes: &[u8], rows: &Rows) -> Result<Option<Found>, redb::Error> {
    Ok(match Stored::decode(id, bytes) {
        Ok(stored) if rows.has_ended(&stored)? => None,
        Ok(stored) => Some((id, Ok(stored.record))),
        Err(error) => Some((id, Err(StoreError::corrupt(id, error)))),
    })
}
