//! The file of the accounts: made whole, opened, and opened anew after an error of the disk.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::{error, fmt};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError};

type Opener = Box<dyn Fn() -> Result<Database, OpenDatabaseError> + Send + Sync>;

/// A database that is closed after an error and opened anew for the next who needs it.
///
/// redb refuses everything after an error of the disk until the database is opened again. Without this
/// nobody could log in after the disk was full once, until somebody starts the server anew.
pub(crate) struct Reopening {
    opener: Opener,
    database: RwLock<Option<Database>>,
}

impl Reopening {
    /// Opens the database.
    ///
    /// # Errors
    ///
    /// [`OpenDatabaseError`] says what to do.
    pub(crate) fn new(opener: Opener) -> Result<Self, OpenDatabaseError> {
        let database = RwLock::new(Some(opener()?));
        Ok(Self { opener, database })
    }

    /// Works on the database. It waits for the disk and for others who write.
    ///
    /// # Errors
    ///
    /// What went wrong: the work, or opening the database anew.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Box<dyn error::Error + Send + Sync>> {
        self.ensure_open()?;
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = open.as_ref() else {
            // Closed again in between, by an error of somebody else's.
            return Err(Box::new(redb::Error::PreviousIo));
        };
        let done = work(database);
        drop(open);
        if done.is_err() {
            let mut open = self
                .database
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            *open = None;
        }
        Ok(done?)
    }

    fn ensure_open(&self) -> Result<(), OpenDatabaseError> {
        let open = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if open.is_some() {
            return Ok(());
        }
        drop(open);
        let mut open = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some((self.opener)()?);
            tracing::info!("accounts are open again");
        }
        Ok(())
    }
}

impl fmt::Debug for Reopening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reopening").finish_non_exhaustive()
    }
}

/// Makes the file, if it is not there, by what makes a database in it.
///
/// It is made beside its place and then put there, so that no crash leaves half a database. Only the
/// owner of the process can read it.
pub(crate) fn make(
    path: &Path,
    fill: impl FnOnce(&Database) -> Result<(), redb::Error>,
) -> Result<(), OpenDatabaseError> {
    let failed = |source| OpenDatabaseError::File {
        path: path.into(),
        source,
    };
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    // With mode 0600.
    let file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    let backend = FileBackend::new(file.reopen().map_err(failed)?);
    let database = backend.and_then(|backend| Builder::new().create_with_backend(backend));
    let database = database.map_err(|error| OpenDatabaseError::of(error, path))?;
    fill(&database).map_err(|error| failed(io::Error::other(error)))?;
    drop(database);
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync(directory).map_err(failed),
        // Another process was faster.
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error.error)),
    }
}

/// Makes the names in a directory durable, where that can be.
#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    match fs::File::open(directory)?.sync_all() {
        // Some file systems cannot, and need not be told.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens the database in a file that is there.
pub(crate) fn open(path: &Path) -> Result<Database, OpenDatabaseError> {
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|source| OpenDatabaseError::File {
        path: path.into(),
        source,
    })?;
    FileBackend::new(file)
        .and_then(|backend| Builder::new().create_with_backend(backend))
        .map_err(|error| OpenDatabaseError::of(error, path))
}

/// Why the file of the accounts could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenDatabaseError {
    /// The file could not be opened or made.
    #[error("cannot open {}, choose another file with --accounts", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process, stop that one or choose another file with --accounts", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a redb database, choose another file with --accounts", path.display())]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The database could not be read.
    #[error("cannot read the database {}, restore a backup or choose another file with --accounts", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What redb says.
        source: DatabaseError,
    },
}

impl OpenDatabaseError {
    fn of(error: DatabaseError, path: &Path) -> Self {
        let path = path.into();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::InUse { path }
            }
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() == ErrorKind::InvalidData =>
            {
                Self::NotADatabase { path }
            }
            source => Self::Unreadable { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use redb::{ReadableDatabase, StorageBackend, TableDefinition};

    use super::*;

    const TABLE: TableDefinition<'_, u8, u8> = TableDefinition::new("table");

    fn fill(database: &Database) -> Result<(), redb::Error> {
        let transaction = database.begin_write()?;
        transaction.open_table(TABLE)?.insert(1, 2)?;
        Ok(transaction.commit()?)
    }

    fn read(database: &Database) -> Result<Option<u8>, redb::Error> {
        let table = database.begin_read()?.open_table(TABLE)?;
        let value = table.get(1)?;
        Ok(value.map(|value| value.value()))
    }

    #[test]
    fn open_twice_says_that_the_file_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        make(&path, fill).unwrap();
        let _first = open(&path).unwrap();

        let error = open(&path).unwrap_err();

        assert!(
            matches!(error, OpenDatabaseError::InUse { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn open_of_other_files_leaves_them_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        for text in ["short", &"a longer note\n".repeat(1_000)] {
            fs::write(&path, text).unwrap();

            make(&path, fill).unwrap();
            let error = open(&path).unwrap_err();

            assert!(
                matches!(error, OpenDatabaseError::NotADatabase { .. }),
                "{error:?}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn missing_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = make(&directory.path().join("missing/accounts"), fill).unwrap_err();
        assert!(matches!(error, OpenDatabaseError::File { .. }), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        make(&path, fill).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn make_shows_the_file_only_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        let files = || fs::read_dir(&directory).unwrap().count();

        let failed = make(&path, |_| {
            assert!(!path.exists() && files() == 1, "made beside its place");
            Err(redb::Error::PreviousIo)
        });
        failed.unwrap_err();
        assert_eq!(files(), 0, "nothing is left");

        make(&path, fill).unwrap();
        assert_eq!(files(), 1);
        assert_eq!(read(&open(&path).unwrap()).unwrap(), Some(2));
        make(&path, |_| panic!("it is there")).unwrap();
    }

    /// A file on a disk that takes nothing while it is full.
    #[derive(Debug)]
    struct Disk {
        file: FileBackend,
        is_full: Arc<AtomicBool>,
    }

    impl StorageBackend for Disk {
        fn len(&self) -> Result<u64, io::Error> {
            self.file.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
            self.file.read(offset, out)
        }

        fn set_len(&self, len: u64) -> Result<(), io::Error> {
            self.file.set_len(len)
        }

        fn sync_data(&self) -> Result<(), io::Error> {
            self.file.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
            if self.is_full.load(Ordering::SeqCst) {
                return Err(ErrorKind::StorageFull.into());
            }
            self.file.write(offset, data)
        }

        fn close(&self) -> Result<(), io::Error> {
            self.file.close()
        }
    }

    #[test]
    fn with_after_a_full_disk_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("accounts");
        make(&path, fill).unwrap();
        let is_full = Arc::<AtomicBool>::default();
        let disk = Arc::clone(&is_full);
        let opener = move || {
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let disk = Disk {
                file: FileBackend::new(file.unwrap()).unwrap(),
                is_full: Arc::clone(&disk),
            };
            let database = Builder::new().create_with_backend(disk);
            database.map_err(|error| OpenDatabaseError::of(error, &path))
        };
        let database = Reopening::new(Box::new(opener)).unwrap();
        for _ in 0..2 {
            is_full.store(true, Ordering::SeqCst);
            database.with(fill).unwrap_err();
            database.with(fill).unwrap_err();
            is_full.store(false, Ordering::SeqCst);
            database.with(fill).unwrap();
            assert_eq!(database.with(read).unwrap(), Some(2));
        }
    }

    #[test]
    fn with_missing_file_fails_until_it_is_back() {
        let directory = tempfile::tempdir().unwrap();
        let (path, away) = (directory.path().join("a"), directory.path().join("b"));
        make(&path, fill).unwrap();
        let opener = path.clone();
        let database = Reopening::new(Box::new(move || open(&opener))).unwrap();
        fs::rename(&path, &away).unwrap();
        let failed = database.with(|_| Err::<(), _>(redb::Error::PreviousIo));
        failed.unwrap_err();

        database.with(read).unwrap_err();
        assert!(!path.exists(), "no empty one is made in its place");
        fs::rename(&away, &path).unwrap();
        assert_eq!(database.with(read).unwrap(), Some(2));
    }
}
