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
    read(database, |transaction| {
        let sessions = transaction.open_table(schema.sessions())?;
        let from = match &last {
            Some(id) => Bound::Excluded(id.as_bytes()),
            None => Bound::Unbounded,
        };
        let mut batch = Vec::new();
        let range = (from, Bound::Unbounded);
        for entry in ReadableTable::range::<&[u8; 16]>(&sessions, range)?.take(at_most) {
            let (key, bytes) = entry?;
            batch.push(decode(SessionId::from_bytes(*key.value()), bytes.value()));
        }
        Ok(batch)
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
    read(database, |transaction| {
        let sessions = transaction.open_table(schema.sessions())?;
        let by_user = transaction.open_table(schema.by_user())?;
        let key = user.as_str().as_bytes();
        let mut found = Vec::new();
        for entry in ReadableTable::range(&by_user, (key, &[0; 16])..=(key, &[0xff; 16]))? {
            let id = SessionId::from_bytes(*entry?.0.value().1);
            found.push(match ReadableTable::get(&sessions, id.as_bytes())? {
                Some(bytes) => decode(id, bytes.value()),
                None => (id, Err(StoreError::corrupt(id, "it has no record"))),
            });
        }
        Ok(found)
    })
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

pub(crate) fn decode(id: SessionId, bytes: &[u8]) -> Found {
    let record = Stored::decode(id, bytes);
    let record = record.map(|stored| stored.record);
    (id, record.map_err(|error| StoreError::corrupt(id, error)))
}
