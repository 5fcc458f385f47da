//! Opening a database by its path, with care for whatever lies there.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageError};

use crate::error::{OpenError, Panicked};
use crate::overlay::{Access, Overlay};

/// How a file is opened.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    pub(crate) path: PathBuf,
    pub(crate) lock_wait: Duration,
    pub(crate) cache_bytes: usize,
}

impl DatabaseFile {
    /// Opens the file, and makes it if it is not there. Waits while another process has it.
    ///
    /// `prepare` makes the database ready. Until it has, the file is as it was.
    pub(crate) fn open(
        &self,
        prepare: impl Fn(&Database) -> Result<(), OpenError>,
    ) -> Result<Database, OpenError> {
        if !self.is_there()? {
            self.create()?;
        }
        let database = self.patiently(|| self.try_open(&prepare))?;
        self.warn_of_readers();
        Ok(database)
    }

    /// Tries until the file is free, as long as is waited for it.
    pub(crate) fn patiently<T>(
        &self,
        attempt: impl Fn() -> Result<Option<T>, OpenError>,
    ) -> Result<T, OpenError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(done) = attempt()? {
                return Ok(done);
            }
            let waited = begun.elapsed();
            if waited >= self.lock_wait {
                return Err(self.in_use());
            }
            std::thread::park_timeout(pause.min(self.lock_wait - waited));
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Opens the file again after it was open already. Makes nothing and waits for nobody.
    pub(crate) fn reopen(&self) -> Result<Database, OpenError> {
        let length = fs::metadata(&self.path).map(|file| file.len());
        match length {
            Ok(1..) => {}
            Ok(0) => {
                return Err(OpenError::Damaged {
                    source: Arc::new(Vanished),
                });
            }
            Err(error) => {
                return Err(OpenError::Io {
                    source: Arc::new(error),
                });
            }
        }
        let database = self.try_open(&|_| Ok(()))?;
        database.ok_or_else(|| self.in_use())
    }

    /// Says so if others than the owner can read the file.
    #[cfg(unix)]
    fn warn_of_readers(&self) {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&self.path).map(|file| file.permissions().mode());
        if let Ok(mode) = mode
            && mode & 0o044 != 0
        {
            let mode = format!("{:o}", mode & 0o777);
            tracing::warn!(target: "sessionup_redb", path = %self.path.display(), mode, "session file can be read by others, its mode should be 600");
        }
    }

    #[cfg(not(unix))]
    fn warn_of_readers(&self) {}

    fn in_use(&self) -> OpenError {
        OpenError::InUse {
            path: self.path.clone(),
            waited: self.lock_wait,
        }
    }

    /// Says whether there is a regular file. Asks before opening: to open a pipe could hang.
    fn is_there(&self) -> Result<bool, OpenError> {
        match fs::metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(self.not_a_database()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(OpenError::of_path(self.path.clone(), error)),
        }
    }

    fn not_a_database(&self) -> OpenError {
        OpenError::NotADatabase {
            path: self.path.clone(),
        }
    }

    /// Opens the file to be read, with whatever it needs of repair done in memory alone.
    pub(crate) fn open_unchanged(&self) -> Result<Database, OpenError> {
        let failed = |error| OpenError::of_path(self.path.clone(), error);
        if !self.is_there()? {
            return Err(self.not_a_database());
        }
        let file = File::open(&self.path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() == 0 {
            return Err(self.not_a_database());
        }
        match self.open_in(file, Access::WithReaders)? {
            Ok(opened) => Ok(opened.database),
            Err(error) if is_in_use(&error) => Err(self.in_use()),
            Err(error) => Err(self.meaning(error)),
        }
    }

    /// `None` while the file is open elsewhere.
    fn try_open(
        &self,
        prepare: &impl Fn(&Database) -> Result<(), OpenError>,
    ) -> Result<Option<Database>, OpenError> {
        let failed = |error| OpenError::of_path(self.path.clone(), error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(self.not_a_database());
        }
        let opened = match self.open_in(file, Access::Alone)? {
            Ok(opened) => opened,
            Err(error) if is_in_use(&error) => return Ok(None),
            Err(error) => return Err(self.meaning(error)),
        };
        let prepared = unless_it_panics(|| prepare(&opened.database)).flatten();
        match prepared.and_then(|()| opened.changes.let_through().map_err(failed)) {
            Ok(()) => Ok(Some(opened.database)),
            Err(error) => {
                // What it wants to write at its end is written nowhere.
                drop(unless_it_panics(|| drop(opened)));
                Err(error)
            }
        }
    }

    /// Hands a file to redb, which checks under its lock that the file is empty or its own. What
    /// redb writes is held back.
    fn open_in(
        &self,
        file: File,
        access: Access,
    ) -> Result<Result<Opened, DatabaseError>, OpenError> {
        unless_it_panics(|| {
            let changes = Overlay::new(FileBackend::new(file)?, access)?;
            let database = Database::builder()
                .set_cache_size(self.cache_bytes)
                .create_with_backend(changes.clone())?;
            Ok(Opened { database, changes })
        })
    }

    fn meaning(&self, error: DatabaseError) -> OpenError {
        let path = self.path.clone();
        match error {
            DatabaseError::UpgradeRequired(found) => OpenError::OldFormat { path, found },
            DatabaseError::Storage(StorageError::Io(error)) => OpenError::of_path(path, error),
            error => OpenError::of_database(error),
        }
    }

    /// Makes a file with an empty database, which nobody else can read.
    ///
    /// It is made beside its place and then put there: at no moment, and after no crash, is there a
    /// file that is half a database. If another process is faster, its file stays.
    fn create(&self) -> Result<(), OpenError> {
        let failed = |error| OpenError::of_path(self.path.clone(), error);
        let beside = Beside::of(&self.path);
        let file = new_file(&beside.0).map_err(failed)?;
        let made = self.open_in(file, Access::Alone)?;
        let made = made.map_err(|error| self.meaning(error))?;
        made.changes.let_through().map_err(failed)?;
        let closed = made.database.close();
        closed.map_err(|error| self.meaning(error))?;

        let placed = match fs::hard_link(&beside.0, &self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            // A file system without links: an empty file, in which redb makes its database.
            Err(_) => new_file(&self.path).map(drop),
        };
        match placed {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        drop(beside);
        sync_directory(&self.path).map_err(failed)
    }
}

/// An open database whose changes are held back.
struct Opened {
    database: Database,
    changes: Overlay<FileBackend>,
}

fn is_in_use(error: &DatabaseError) -> bool {
    matches!(
        error,
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch
    )
}

/// redb trusts a file that was closed cleanly, and panics on some kinds of damage.
pub(crate) fn unless_it_panics<T>(work: impl FnOnce() -> T) -> Result<T, OpenError> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|_| OpenError::Damaged {
        source: Arc::new(Panicked),
    })
}

/// A file that is removed in any case.
pub(crate) struct Beside(pub(crate) PathBuf);

impl Beside {
    /// A name beside a path that no other file has.
    pub(crate) fn of(path: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".new-{}-{count}", std::process::id()));
        Self(path.with_file_name(name))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed is an empty database and does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a file that nobody else can read.
pub(crate) fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the file's name durable, not only its content.
#[cfg(unix)]
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    if sessionup_core::is_seeded!(DirectoryNotSynced) {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_directory(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[derive(Debug, thiserror::Error)]
#[error("session file was replaced by an empty one")]
struct Vanished;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_a_path_by_what_to_do_about_them() {
        use ErrorKind as E;
        let cases = [
            (
                E::NotFound,
                "directory of session file a/b.redb does not exist, create it first",
            ),
            (
                E::NotADirectory,
                "directory of session file a/b.redb does not exist, create it first",
            ),
            (
                E::PermissionDenied,
                "no permission to open session file a/b.redb for reading and writing",
            ),
            (
                E::ReadOnlyFilesystem,
                "session file a/b.redb is on a read-only file system, choose another path",
            ),
            (
                E::IsADirectory,
                "a/b.redb is not a redb database, choose another path",
            ),
            (E::TimedOut, "session database could not be read or written"),
        ];
        for (kind, expected) in cases {
            let error = OpenError::of_path("a/b.redb".into(), kind.into());
            assert_eq!(error.to_string(), expected, "{kind:?}");
        }
    }
}
