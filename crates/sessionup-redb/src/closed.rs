//! Files that no process has open to write: what tools do with them.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use redb::{Database, ReadableDatabase};
use sessionup_core::{SessionId, UserKey};

use crate::builder::Commits;
use crate::error::OpenError;
use crate::file::{DatabaseFile, unless_it_panics};
use crate::schema::Schema;
use crate::walk::{self, Found};

/// A bucket of a file that no process has open to write, open to be read.
///
/// For tools; an application has a [`RedbStore`](crate::RedbStore). Not one byte of the file is
/// changed: what a crash left to repair is repaired in memory. While this value lives, other readers
/// can open the file too, and nobody can open it to write.
///
/// Records are read whether or not their time is over. One that cannot be read is told of in its
/// place, as [`StoreError::CorruptRecord`](sessionup_core::StoreError::CorruptRecord), and holds up no
/// other.
///
/// ```
/// use std::time::Duration;
/// use sessionup_redb::{FileReader, RedbStore};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// # drop(RedbStore::open(&path)?);
/// let reader = FileReader::open(path, "sessions", Duration::from_secs(1))?;
/// let mut last = None;
/// loop {
///     let batch = reader.after(last, 256)?;
///     for (id, record) in &batch {
///         println!("{id}: {}", record.is_ok());
///     }
///     let Some((id, _)) = batch.last() else { break };
///     last = Some(*id);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileReader {
    /// `None` only while it is dropped.
    database: Option<Database>,
    schema: Schema,
}

impl FileReader {
    /// Opens a file, which is not made if it is not there. Waits so long if a process has it open to
    /// write; this blocks the thread.
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it: [`OpenError::NotADatabase`] also if there is no file,
    /// [`OpenError::EmptyFile`], [`OpenError::NoBucket`] if there is no such bucket,
    /// [`OpenError::InUse`] if it is still open, [`OpenError::ServerListens`] if it is not and a server
    /// listens beside it all the same.
    pub fn open(
        path: impl Into<PathBuf>,
        bucket: &str,
        lock_wait: Duration,
    ) -> Result<Self, OpenError> {
        let schema = Schema::new(bucket.to_owned(), Commits::default())?;
        let file = DatabaseFile::new(path.into(), lock_wait, CACHE_BYTES)?;
        let database = file.patiently(|| file.open_unchanged())?;
        let reader = Self {
            database: Some(database),
            schema,
        };
        reader.read(|database| has_bucket(database, &reader.schema))?;
        Ok(reader)
    }

    /// Returns at most so many records in the order of their ids, from the first one after an id.
    /// None is the end.
    ///
    /// # Errors
    ///
    /// [`OpenError::Damaged`] if redb cannot read the file, [`OpenError::Io`].
    pub fn after(&self, last: Option<SessionId>, at_most: usize) -> Result<Vec<Found>, OpenError> {
        self.read(|database| walk::after(database, &self.schema, last, at_most))
    }

    /// Returns a record.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn find(&self, id: SessionId) -> Result<Option<Found>, OpenError> {
        self.read(|database| walk::find(database, &self.schema, id))
    }

    /// Returns the records of exactly this user in the order of their ids.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn of_user(&self, user: &UserKey) -> Result<Vec<Found>, OpenError> {
        self.read(|database| walk::of_user(database, &self.schema, user))
    }

    /// Returns at most so many records of exactly this user in the order of their ids, from the first
    /// one after an id. None is the end.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn of_user_after(
        &self,
        user: &UserKey,
        last: Option<SessionId>,
        at_most: usize,
    ) -> Result<Vec<Found>, OpenError> {
        self.read(|database| walk::of_user_after(database, &self.schema, user, last, at_most))
    }

    /// Returns the names of the tables in the file that are not of this bucket: those of other buckets,
    /// and of an application.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn other_tables(&self) -> Result<Vec<String>, OpenError> {
        self.read(|database| walk::other_tables(database, &self.schema))
    }

    /// Returns how many records there are, those that cannot be read included. Takes no time.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn count(&self) -> Result<u64, OpenError> {
        self.read(|database| walk::count(database, &self.schema))
    }

    /// Returns how many bytes of the file the bucket takes, its indices included.
    ///
    /// # Errors
    ///
    /// As [`FileReader::after`].
    pub fn bytes(&self) -> Result<u64, OpenError> {
        self.read(|database| walk::bytes(database, &self.schema))
    }

    /// Reads from the database; where redb panics, it is damaged.
    fn read<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, OpenError>,
    ) -> Result<T, OpenError> {
        let Some(database) = &self.database else {
            return Err(OpenError::of_database(redb::Error::DatabaseClosed));
        };
        unless_it_panics(|| work(database)).flatten()
    }
}

impl Drop for FileReader {
    fn drop(&mut self) {
        let database = self.database.take();
        // After a panic beneath it, closing may panic too; it writes to memory alone.
        drop(unless_it_panics(|| drop(database)));
    }
}

impl fmt::Debug for FileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileReader")
            .field("bucket", &self.schema.bucket())
            .finish_non_exhaustive()
    }
}

/// How large a file was and is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// Gives the free pages of a file back to the disk. All that is in it stays.
///
/// Waits so long if a process has the file open; this blocks the thread. It takes a while, and may be
/// killed: then the file is as good as before, and the next one that opens it reads all of it once.
///
/// # Errors
///
/// [`OpenError`], by what to do about it, as [`FileReader::open`]; [`OpenError::Io`] also if the
/// application keeps savepoints of redb in the file.
///
/// # Example
///
/// ```
/// use std::time::Duration;
/// use sessionup_redb::{RedbStore, compact_file};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// # drop(RedbStore::open(&path)?);
/// let compacted = compact_file(path, "sessions", Duration::ZERO)?;
/// assert!(compacted.after <= compacted.before);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compact_file(
    path: impl Into<PathBuf>,
    bucket: &str,
    lock_wait: Duration,
) -> Result<Compacted, OpenError> {
    let schema = Schema::new(bucket.to_owned(), Commits::default())?;
    let path = path.into();
    let file = DatabaseFile::new(path.clone(), lock_wait, CACHE_BYTES)?;
    let size = || {
        let found = fs::metadata(file.path());
        found.map(|file| file.len()).map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                OpenError::NotADatabase { path: path.clone() }
            } else {
                OpenError::of_path(path.clone(), error)
            }
        })
    };
    let before = size()?;
    let opened = file.open(|database| match has_bucket(database, &schema) {
        Err(OpenError::NoBucket { .. }) if before == 0 => {
            Err(OpenError::EmptyFile { path: path.clone() })
        }
        found => found,
    })?;
    let mut database = opened.database;
    let compacted = unless_it_panics(|| database.compact().map_err(OpenError::of_database));
    let closed = unless_it_panics(|| drop(database));
    compacted.flatten().and(closed)?;
    let after = size()?;
    Ok(Compacted { before, after })
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

fn has_bucket(database: &impl ReadableDatabase, schema: &Schema) -> Result<(), OpenError> {
    if schema.is_present(database)? {
        return Ok(());
    }
    Err(OpenError::NoBucket {
        bucket: schema.bucket().to_owned(),
        found: walk::buckets(database)?,
    })
}
