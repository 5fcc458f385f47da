//! Reading a bucket piece by piece, whatever has the database open.
//!
//! A read transaction lives as long as one piece: while there is one, what others delete keeps its
//! room.

use std::ops::Bound;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableHandle};
use sessionup_core::{Record, SessionId, StoreError, UserKey};

use crate::error::OpenError;
use crate::record::Stored;
use crate::schema::Schema;

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
        piece(transaction, schema, None, last, limit)
    })
}

pub(crate) fn find(
    database: &impl ReadableDatabase,
    schema: &Schema,
    id: SessionId,
) -> Result<Option<Found>, OpenError> {
    read(database, |transaction| {
        let sessions = transaction.open_table(schema.sessions())?;
        let bytes = ReadableTable::get(&sessions, id.as_bytes())?;
        Ok(bytes.map(|bytes| decode(id, bytes.value())))
    })
}

pub(crate) fn of_user(
    database: &impl ReadableDatabase,
    schema: &Schema,
    user: &UserKey,
) -> Result<Vec<Found>, OpenError> {
    let limit = Limit::records(usize::MAX);
    read(database, |transaction| {
        piece(transaction, schema, Some(user), None, limit)
    })
}

/// How much is read at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) records: usize,
    /// What is read ends with the record that reaches this.
    pub(crate) bytes: usize,
}

impl Limit {
    fn records(records: usize) -> Self {
        let bytes = usize::MAX;
        Self { records, bytes }
    }
}

/// Reads records in the order of their ids, of one user or all, from the first after an id.
pub(crate) fn piece(
    transaction: &ReadTransaction,
    schema: &Schema,
    user: Option<&UserKey>,
    last: Option<SessionId>,
    limit: Limit,
) -> Result<Vec<Found>, redb::Error> {
    let mut piece = Piece {
        found: Vec::new(),
        bytes: 0,
        limit,
    };
    let sessions = transaction.open_table(schema.sessions())?;
    let Some(user) = user else {
        let from = last.as_ref().map(SessionId::as_bytes);
        let from = from.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (from, Bound::Unbounded);
        let mut entries = ReadableTable::range::<&[u8; 16]>(&sessions, range)?;
        while piece.has_room()
            && let Some(entry) = entries.next()
        {
            let (key, bytes) = entry?;
            piece.add(SessionId::from_bytes(*key.value()), Some(bytes.value()));
        }
        return Ok(piece.found);
    };
    let by_user = transaction.open_table(schema.by_user())?;
    let key = user.as_str().as_bytes();
    let from = last.as_ref().map(|id| (key, id.as_bytes()));
    let from = from.map_or(Bound::Included((key, &[0; 16])), Bound::Excluded);
    let range = (from, Bound::Included((key, &[0xff; 16])));
    let mut entries = ReadableTable::range(&by_user, range)?;
    while piece.has_room()
        && let Some(entry) = entries.next()
    {
        let id = SessionId::from_bytes(*entry?.0.value().1);
        let stored = ReadableTable::get(&sessions, id.as_bytes())?;
        piece.add(id, stored.as_ref().map(|bytes| bytes.value()));
    }
    Ok(piece.found)
}

/// Some records in a row.
struct Piece {
    found: Vec<Found>,
    bytes: usize,
    limit: Limit,
}

impl Piece {
    fn has_room(&self) -> bool {
        self.found.len() < self.limit.records && self.bytes < self.limit.bytes
    }

    fn add(&mut self, id: SessionId, stored: Option<&[u8]>) {
        self.bytes += stored.map_or(0, <[u8]>::len);
        self.found.push(match stored {
            Some(bytes) => decode(id, bytes),
            None => (id, Err(StoreError::corrupt(id, "it has no record"))),
        });
    }
}

pub(crate) fn count(database: &impl ReadableDatabase, schema: &Schema) -> Result<u64, OpenError> {
    read(database, |transaction| {
        Ok(transaction.open_table(schema.sessions())?.len()?)
    })
}

pub(crate) fn bytes(database: &impl ReadableDatabase, schema: &Schema) -> Result<u64, OpenError> {
    read(database, |transaction| {
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
    })
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

fn decode(id: SessionId, bytes: &[u8]) -> Found {
    let record = Stored::decode(id, bytes);
    let record = record.map(|stored| stored.record);
    (id, record.map_err(|error| StoreError::corrupt(id, error)))
}
