//! The tables of a bucket. This page is the definition of their layout.
//!
//! A bucket of name *b* has these tables in a redb database; numbers in keys sort by value.
//!
//! | table | key | value |
//! |---|---|---|
//! | *b*`/sessions` | session id, 16 bytes | the record ([`crate::record`]) |
//! | *b*`/by_user` | user key, session id | nothing |
//! | *b*`/by_expiry` | step, session id | nothing |
//! | *b*`/about` | name | number, 64 bits unsigned |
//! | *b*`/tombstones` | user key, or empty | number ([`crate::tombstones`]); there since the first large deletion |
//!
//! - Each record has exactly one entry in `by_expiry`, and one in `by_user` unless `about` says that
//!   it may have none yet ([`crate::window`]). Each entry has a record.
//! - A **step** is a moment in milliseconds since 1970, divided by 2¹⁶ and rounded down: 65.5
//!   seconds. A record is filed under the step of its deadline, or under an earlier one: being used
//!   moves a deadline and not the entry. The record says which step it is filed under.
//! - `about` has the entry `format`: 1 or 3 if each record has an entry in `by_user`, and 2 or 4 if
//!   some may have none; 3 or 4 if there are tombstones. Whoever finds a larger number must not write. It may have what is kept of the time
//!   ([`crate::marks`]), and whoever finds other entries leaves them.
//! - The part of a table's name after its last slash is one of these, so two buckets never
//!   share a table, whatever their names.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, WriteTransaction,
};
use sessionup_core::Timestamp;

use crate::builder::Commits;
use crate::error::{OpenError, Panicked};

/// The latest layout of tables and records that is read.
const LATEST_FORMAT: u64 = 4;
/// Of new buckets.
const FIRST_FORMAT: u64 = 1;
pub(crate) const FORMAT_NAME: &str = "format";

pub(crate) type IdKey = &'static [u8; 16];
pub(crate) type SessionsTable<'a> = TableDefinition<'a, IdKey, &'static [u8]>;
pub(crate) type ByUserTable<'a> = TableDefinition<'a, (&'static [u8], IdKey), ()>;
pub(crate) type ByExpiryTable<'a> = TableDefinition<'a, (i64, IdKey), ()>;
pub(crate) type AboutTable<'a> = TableDefinition<'a, &'static str, u64>;
pub(crate) type TombstonesTable<'a> = TableDefinition<'a, &'static [u8], u64>;

/// What a file says by its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// Whether there may be records without an entry in `by_user`.
    pub(crate) is_partly_unlisted: bool,
    /// Whether there are tombstones.
    pub(crate) has_tombstones: bool,
}

impl Format {
    pub(crate) fn number(self) -> u64 {
        FIRST_FORMAT + u64::from(self.is_partly_unlisted) + 2 * u64::from(self.has_tombstones)
    }

    /// Whoever does not know takes care of everything.
    pub(crate) fn of(number: Option<u64>) -> Self {
        Self {
            is_partly_unlisted: !matches!(number, Some(1 | 3)),
            has_tombstones: !matches!(number, Some(1 | 2)),
        }
    }
}

/// The step that a moment falls into.
pub(crate) fn step(time: Timestamp) -> i64 {
    time.as_millis() >> 16
}

/// The tables of one bucket.
#[derive(Debug)]
pub(crate) struct Schema {
    bucket: String,
    sessions: String,
    by_user: String,
    by_expiry: String,
    about: String,
    tombstones: String,
    commits: Commits,
}

impl Schema {
    pub(crate) fn new(bucket: String, commits: Commits) -> Result<Self, OpenError> {
        let is_name = (1..=OpenError::MAX_BUCKET_BYTES).contains(&bucket.len())
            && !bucket.contains(char::is_control);
        if !is_name {
            return Err(OpenError::InvalidBucket { bucket });
        }
        Ok(Self {
            sessions: format!("{bucket}/sessions"),
            by_user: format!("{bucket}/by_user"),
            by_expiry: format!("{bucket}/by_expiry"),
            about: format!("{bucket}/about"),
            tombstones: format!("{bucket}/tombstones"),
            commits,
            bucket,
        })
    }

    pub(crate) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(crate) fn sessions(&self) -> SessionsTable<'_> {
        TableDefinition::new(&self.sessions)
    }

    pub(crate) fn by_user(&self) -> ByUserTable<'_> {
        TableDefinition::new(&self.by_user)
    }

    pub(crate) fn by_expiry(&self) -> ByExpiryTable<'_> {
        TableDefinition::new(&self.by_expiry)
    }

    pub(crate) fn about(&self) -> AboutTable<'_> {
        TableDefinition::new(&self.about)
    }

    pub(crate) fn tombstones(&self) -> TombstonesTable<'_> {
        TableDefinition::new(&self.tombstones)
    }

    /// Begins a transaction whose commit is durable.
    pub(crate) fn begin_write(&self, database: &Database) -> Result<WriteTransaction, redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        match self.commits {
            Commits::QuickRepair => transaction.set_quick_repair(true),
            Commits::TwoPhase => transaction.set_two_phase_commit(true),
            Commits::OnePhase => {}
        }
        Ok(transaction)
    }

    /// Checks the bucket's tables, and makes them if there are none.
    pub(crate) fn prepare(&self, database: &Database) -> Result<(), OpenError> {
        if self.is_present(database)? {
            return Ok(());
        }
        let transaction = self.begin_write(database).map_err(OpenError::of_database)?;
        self.make(&transaction).map_err(OpenError::of_database)?;
        transaction.commit().map_err(OpenError::of_database)
    }

    /// Opens a database and prepares it. Where redb panics, it is damaged.
    pub(crate) fn prepared(
        &self,
        open: impl FnOnce() -> Result<Database, OpenError>,
    ) -> Result<Database, OpenError> {
        let prepare = || {
            let database = open()?;
            // If it is given up, it is closed here, which may panic too.
            self.prepare(&database).map(|()| database)
        };
        std::panic::catch_unwind(AssertUnwindSafe(prepare)).unwrap_or_else(|_| {
            Err(OpenError::Damaged {
                source: Arc::new(Panicked),
            })
        })
    }

    /// Checks the bucket's tables, which must be there.
    pub(crate) fn check(&self, database: &impl ReadableDatabase) -> Result<(), OpenError> {
        if self.is_present(database)? {
            return Ok(());
        }
        Err(OpenError::Damaged {
            source: Arc::new(TablesMissing),
        })
    }

    fn make(&self, transaction: &WriteTransaction) -> Result<(), TableError> {
        transaction.open_table(self.sessions())?;
        transaction.open_table(self.by_user())?;
        transaction.open_table(self.by_expiry())?;
        transaction
            .open_table(self.about())?
            .insert(FORMAT_NAME, FIRST_FORMAT)?;
        Ok(())
    }

    pub(crate) fn is_present(&self, database: &impl ReadableDatabase) -> Result<bool, OpenError> {
        let transaction = database.begin_read().map_err(OpenError::of_database)?;
        let Some(format) = self.format(&transaction)? else {
            return Ok(false);
        };
        if format > LATEST_FORMAT {
            return Err(OpenError::NewerFormat {
                found: format,
                supported: LATEST_FORMAT,
            });
        }
        Ok(true)
    }

    /// Returns the bucket's format; `None` if it has no tables at all.
    fn format(&self, transaction: &ReadTransaction) -> Result<Option<u64>, OpenError> {
        let about = opened(transaction.open_table(self.about()), &self.about)?;
        let format = match &about {
            Some(about) => {
                ReadableTable::get(about, FORMAT_NAME).map_err(OpenError::of_database)?
            }
            None => None,
        };
        let format = format.map(|format| format.value());
        // What a newer format has for tables is its own business.
        if format.is_some_and(|format| format > LATEST_FORMAT) {
            return Ok(format);
        }
        let tables = [
            (about.is_some(), &self.about),
            (
                has(transaction, self.sessions(), &self.sessions)?,
                &self.sessions,
            ),
            (
                has(transaction, self.by_user(), &self.by_user)?,
                &self.by_user,
            ),
            (
                has(transaction, self.by_expiry(), &self.by_expiry)?,
                &self.by_expiry,
            ),
        ];
        let stray = tables
            .into_iter()
            .find(|(is_there, _)| *is_there != format.is_some());
        match (stray, format) {
            (None, format) => Ok(format),
            (Some((_, table)), None) => Err(OpenError::ForeignTable {
                table: table.clone(),
            }),
            (Some(_), Some(_)) => Err(OpenError::Damaged {
                source: Arc::new(TablesMissing),
            }),
        }
    }
}

fn has<K: redb::Key, V: redb::Value>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
    name: &str,
) -> Result<bool, OpenError> {
    opened(transaction.open_table(table), name).map(|table| table.is_some())
}

fn opened<T>(table: Result<T, TableError>, name: &str) -> Result<Option<T>, OpenError> {
    match table {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(
            TableError::TableTypeMismatch { .. }
            | TableError::TableIsMultimap(_)
            | TableError::TypeDefinitionChanged { .. },
        ) => Err(OpenError::ForeignTable {
            table: name.to_owned(),
        }),
        Err(error) => Err(OpenError::of_database(error)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("tables of the bucket are missing")]
struct TablesMissing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_sort_as_time_does_also_before_1970() {
        let cases = [
            (i64::MIN, i64::MIN >> 16),
            (-65_537, -2),
            (-65_536, -1),
            (-1, -1),
            (0, 0),
            (65_535, 0),
            (65_536, 1),
        ];
        for (millis, expected) in cases {
            assert_eq!(step(Timestamp::from_millis(millis)), expected, "{millis}");
        }
    }

    #[test]
    fn bucket_names() {
        let cases = [
            ("empty", String::new(), false),
            ("one byte", "a".into(), true),
            ("longest", "a".repeat(128), true),
            ("too long", "a".repeat(129), false),
            ("counted in bytes", "\u{e9}".repeat(65), false),
            ("NUL", "a\0".into(), false),
            ("line feed", "a\nb".into(), false),
            ("slash", "a/sessions".into(), true),
        ];
        for (name, bucket, is_name) in cases {
            let schema = Schema::new(bucket, Commits::default());
            assert_eq!(schema.is_ok(), is_name, "{name}");
        }
    }

    #[test]
    fn buckets_share_no_table() {
        let tables = |bucket: &str| {
            let schema = Schema::new(bucket.into(), Commits::default()).unwrap();
            [
                schema.sessions,
                schema.by_user,
                schema.by_expiry,
                schema.about,
                schema.tombstones,
            ]
        };
        let (short, long) = (tables("a"), tables("a/sessions"));
        assert!(short.iter().all(|table| !long.contains(table)));
    }
}
