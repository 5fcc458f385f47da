//! The rows, as a read transaction has them.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, StorageError, TableError};
use sessionup_core::UserKey;

use super::{DAMAGED, Generation, Target, decode};
use crate::doubt::Revocations;
use crate::record::Stored;
use crate::schema::Schema;

/// The rows as a read transaction has them, and large deletions that are in doubt.
pub(crate) struct Rows {
    table: Option<ReadOnlyTable<&'static [u8], u64>>,
    pub(super) everybody: Generation,
    in_doubt: Revocations,
}

impl Rows {
    pub(super) fn none(in_doubt: Revocations) -> Self {
        Self {
            table: None,
            everybody: 0,
            in_doubt,
        }
    }

    pub(crate) fn read(
        transaction: &ReadTransaction,
        schema: &Schema,
        in_doubt: Revocations,
    ) -> Result<Self, TableError> {
        let table = match transaction.open_table(schema.tombstones()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Self::none(in_doubt)),
            Err(error) => return Err(error),
        };
        let mut rows = Self {
            table: Some(table),
            everybody: 0,
            in_doubt,
        };
        rows.everybody = rows.row(Target::Everybody.key())?;
        Ok(rows)
    }

    /// Returns the generation before which sessions of a user have ended.
    pub(crate) fn bound(&self, user: &UserKey) -> Result<Generation, StorageError> {
        if self.table.is_none() {
            return Ok(0);
        }
        Ok(self.row(user.as_str().as_bytes())?.max(self.everybody))
    }

    pub(crate) fn has_ended(&self, stored: &Stored) -> Result<bool, StorageError> {
        let session = &stored.record.session;
        let (user, generation) = (&session.user_key, stored.generation);
        Ok(self.in_doubt.contain(user, generation, session.id) || generation < self.bound(user)?)
    }

    fn row(&self, key: &[u8]) -> Result<Generation, StorageError> {
        let Some(table) = &self.table else {
            return Ok(0);
        };
        let value = ReadableTable::get(table, key)?;
        Ok(value.map_or(0, |value| decode(key, value.value()).unwrap_or(DAMAGED)))
    }

    /// Returns all rows; `None` in place of a key that is no user's.
    pub(crate) fn all(&self) -> Result<Vec<(Option<Target>, Generation)>, StorageError> {
        let mut all = Vec::new();
        if let Some(table) = &self.table {
            for entry in ReadableTable::iter(table)? {
                let (key, value) = entry?;
                let before = decode(key.value(), value.value()).unwrap_or(DAMAGED);
                all.push((Target::of_key(key.value()), before));
            }
        }
        Ok(all)
    }

    /// Says whether a row is damaged.
    pub(crate) fn are_damaged(&self) -> Result<bool, StorageError> {
        let is_damaged = |(target, before): &(Option<Target>, Generation)| {
            target.is_none() || *before == DAMAGED
        };
        Ok(self.all()?.iter().any(is_damaged))
    }

    pub(crate) fn is_empty(&self) -> Result<bool, StorageError> {
        Ok(self.all()?.is_empty())
    }
}
