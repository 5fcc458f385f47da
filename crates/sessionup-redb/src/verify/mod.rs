//! Checking a bucket completely. Nothing is changed.
//!
//! Each table is walked once, in order, and what it leads to is looked up: the memory that is
//! taken does not grow with the number of sessions, but with those that are not listed yet.

mod report;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable};
use sessionup_core::{SessionId, Timestamp, UserKey};

pub use report::{Finding, Report};

use crate::builder::Commits;
use crate::doubt::Revocations;
use crate::error::OpenError;
use crate::file::{DatabaseFile, unless_it_panics};
use crate::record::Stored;
use crate::schema::{IdKey, Schema, step};
use crate::tombstones::Rows;
use crate::window::Scope;

/// Checks a bucket of a database that is open.
///
/// For databases that the application has open, with or without a store on them; for a store, see
/// [`RedbStore::verify`](crate::RedbStore::verify), and for a file that nobody has open,
/// [`verify_file`](crate::verify_file). It changes nothing and looks at one moment of the bucket;
/// while it runs, what is deleted keeps its room, so the file may grow.
///
/// With `now`, sessions whose time is over are counted; otherwise no time is looked at.
///
/// What redb itself keeps about its pages is not checked: a page that is damaged shows by what is in
/// it, if at all.
///
/// # Errors
///
/// [`OpenError`], by what to do about it: [`OpenError::Damaged`] if there is no such bucket, its
/// tables are not complete or redb cannot read them.
///
/// # Example
///
/// ```
/// use redb::backends::InMemoryBackend;
/// use redb::Database;
/// use sessionup_redb::{RedbStore, verify_database};
///
/// let database = Database::builder().create_with_backend(InMemoryBackend::new())?;
/// let database = std::sync::Arc::new(database);
/// let store = RedbStore::builder().on(database.clone())?;
/// let report = verify_database(&*database, "sessions", None)?;
/// assert!(report.is_clean());
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_database(
    database: &impl ReadableDatabase,
    bucket: &str,
    now: Option<Timestamp>,
) -> Result<Report, OpenError> {
    let schema = Schema::new(bucket.to_owned(), Commits::default())?;
    let checked = unless_it_panics(|| {
        schema.check(database)?;
        let mut report = Report::default();
        let walked = walk(database, &schema, now, &mut report);
        walked.map_err(OpenError::of_database)?;
        Ok(report)
    });
    checked.flatten()
}

/// Checks a bucket of a file that nobody has open. Not one byte of the file is changed.
///
/// As [`verify_database`], and redb checks all pages of the file too. What a crash left to repair is
/// repaired in memory for the check; the next store that opens the file repairs it for good. No
/// other process can open the file to write meanwhile.
///
/// # Errors
///
/// [`OpenError`], by what to do about it: [`OpenError::NotADatabase`] also if there is no file,
/// [`OpenError::EmptyFile`], [`OpenError::InUse`] if it is open, [`OpenError::Damaged`] if it cannot be read at all or has no
/// such bucket.
///
/// # Example
///
/// ```
/// use sessionup_redb::{RedbStore, verify_file};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// # drop(RedbStore::open(&path)?);
/// let report = verify_file(path, "sessions", None)?;
/// assert!(report.is_clean(), "{:?}", report.findings());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_file(
    path: impl Into<PathBuf>,
    bucket: &str,
    now: Option<Timestamp>,
) -> Result<Report, OpenError> {
    let schema = Schema::new(bucket.to_owned(), Commits::default())?;
    let file = DatabaseFile::new(path.into(), Duration::ZERO, CACHE_BYTES)?;
    let mut database = file.patiently(|| file.open_unchanged())?;
    let checked = unless_it_panics(|| {
        let mut report = Report::default();
        let are_whole = database.check_integrity();
        if !are_whole.map_err(OpenError::of_database)? {
            report.add(Finding::Pages);
        }
        schema.check(&database)?;
        let walked = walk(&database, &schema, now, &mut report);
        walked.map_err(OpenError::of_database)?;
        Ok(report)
    });
    // After a panic beneath it, closing may panic too; it writes to memory alone.
    drop(unless_it_panics(|| drop(database)));
    checked.flatten()
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Checks a bucket whose tables are there.
fn walk(
    database: &impl ReadableDatabase,
    schema: &Schema,
    now: Option<Timestamp>,
    report: &mut Report,
) -> Result<(), redb::Error> {
    Snapshot::of(database, schema)?.check(now, report)
}

/// The tables of a bucket at one moment. The database can be closed beneath it, which is an error.
pub(crate) struct Snapshot {
    sessions: ReadOnlyTable<IdKey, &'static [u8]>,
    by_user: ReadOnlyTable<(&'static [u8], IdKey), ()>,
    by_expiry: ReadOnlyTable<(i64, IdKey), ()>,
    /// What need not be listed.
    scope: Scope,
    rows: Rows,
}

/// What an entry of an index leads to.
enum Lead {
    Nowhere,
    /// To a record that cannot be read, which is found when records are walked.
    Damaged,
    Record(Box<Stored>),
}

impl Snapshot {
    pub(crate) fn of(
        database: &impl ReadableDatabase,
        schema: &Schema,
    ) -> Result<Self, redb::Error> {
        let transaction = database.begin_read()?;
        Ok(Self {
            sessions: transaction.open_table(schema.sessions())?,
            by_user: transaction.open_table(schema.by_user())?,
            by_expiry: transaction.open_table(schema.by_expiry())?,
            scope: Scope::read(&transaction, schema)?,
            rows: Rows::read(&transaction, schema, Revocations::default())?,
        })
    }

    pub(crate) fn check(
        &self,
        now: Option<Timestamp>,
        report: &mut Report,
    ) -> Result<(), redb::Error> {
        if self.scope == Scope::Anything {
            report.add(Finding::DamagedMark);
        }
        if self.rows.are_damaged()? {
            report.add(Finding::DamagedTombstone);
        }
        let unlisted = self.check_records(now, report)?;
        self.check_users(&unlisted, report)?;
        self.check_expiries(report)?;
        Ok(())
    }

    /// Each record can be read, and has the entries that it names. Returns the users with sessions
    /// that are not listed yet.
    fn check_records(
        &self,
        now: Option<Timestamp>,
        report: &mut Report,
    ) -> Result<BTreeSet<UserKey>, redb::StorageError> {
        let mut unlisted = BTreeSet::new();
        for entry in ReadableTable::iter(&self.sessions)? {
            let (key, bytes) = entry?;
            let id = SessionId::from_bytes(*key.value());
            let stored = match Stored::decode(id, bytes.value()) {
                Ok(stored) => stored,
                Err(error) => {
                    report.sessions += 1;
                    let reason = error.to_string();
                    report.add(Finding::DamagedRecord { id, reason });
                    continue;
                }
            };
            let has_ended = self.rows.has_ended(&stored)?;
            report.sessions += u64::from(!has_ended);
            let session = &stored.record.session;
            if !has_ended && now.is_some_and(|now| !session.is_live(now)) {
                report.expired += 1;
            }
            let user = session.user_key.as_str().as_bytes();
            if ReadableTable::get(&self.by_user, (user, id.as_bytes()))?.is_none() {
                if self.scope.contains(id) {
                    if !has_ended {
                        unlisted.insert(session.user_key.clone());
                    }
                } else {
                    report.add(Finding::NotListed { id });
                }
            }
            let filed = stored.filed;
            if ReadableTable::get(&self.by_expiry, (filed, id.as_bytes()))?.is_none() {
                report.add(Finding::NotFiled { id, step: filed });
            }
            let due = step(session.deadline());
            if filed > due {
                let step = filed;
                report.add(Finding::FiledTooLate { id, step, due });
            }
        }
        Ok(unlisted)
    }

    /// Each entry of a user leads to a record of that user.
    fn check_users(
        &self,
        unlisted: &BTreeSet<UserKey>,
        report: &mut Report,
    ) -> Result<(), redb::StorageError> {
        let mut counted = unlisted
            .iter()
            .map(|user| user.as_str().as_bytes())
            .peekable();
        report.users += unlisted.len() as u64;
        let mut last: Option<Vec<u8>> = None;
        for entry in ReadableTable::iter(&self.by_user)? {
            let (key, _) = entry?;
            let (user, id) = key.value();
            let id = SessionId::from_bytes(*id);
            let lead = self.lead(id)?;
            let has_ended = match &lead {
                Lead::Record(stored) => self.rows.has_ended(stored)?,
                Lead::Damaged | Lead::Nowhere => false,
            };
            if !has_ended && last.as_deref() != Some(user) {
                while counted.next_if(|counted| *counted < user).is_some() {}
                report.users += u64::from(counted.next_if_eq(&user).is_none());
                last = Some(user.to_vec());
            }
            match lead {
                Lead::Nowhere => report.add(Finding::ListedWithoutRecord { id }),
                Lead::Record(stored)
                    if stored.record.session.user_key.as_str().as_bytes() != user =>
                {
                    report.add(Finding::ListedForAnother { id });
                }
                Lead::Damaged | Lead::Record(_) => {}
            }
        }
        Ok(())
    }

    /// Each entry of a step leads to a record that is filed under it.
    fn check_expiries(&self, report: &mut Report) -> Result<(), redb::StorageError> {
        for entry in ReadableTable::iter(&self.by_expiry)? {
            let (key, _) = entry?;
            let (step, id) = key.value();
            let id = SessionId::from_bytes(*id);
            match self.lead(id)? {
                Lead::Nowhere => report.add(Finding::FiledWithoutRecord { id, step }),
                Lead::Record(stored) if stored.filed != step => {
                    report.add(Finding::FiledElsewhere { id, step });
                }
                Lead::Damaged | Lead::Record(_) => {}
            }
        }
        Ok(())
    }

    fn lead(&self, id: SessionId) -> Result<Lead, redb::StorageError> {
        let bytes = ReadableTable::get(&self.sessions, id.as_bytes())?;
        Ok(match bytes {
            None => Lead::Nowhere,
            Some(bytes) => match Stored::decode(id, bytes.value()) {
                Ok(stored) => Lead::Record(Box::new(stored)),
                Err(_) => Lead::Damaged,
            },
        })
    }
}
