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

/// How a file is opened.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    pub(crate) path: PathBuf,
    pub(crate) lock_wait: Duration,
    pub(crate) cache_bytes: usize,
}

impl DatabaseFile {
    /// Opens the file, and makes it if it is not there. Waits while another process has it.
    pub(crate) fn open(&self) -> Result<Database, OpenError> {
        if !self.is_there()? {
            self.create()?;
        }
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(database) = self.try_open()? {
                return Ok(database);
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
        self.try_open()?.ok_or_else(|| self.in_use())
    }

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

    /// `None` while the file is open elsewhere.
    fn try_open(&self) -> Result<Option<Database>, OpenError> {
        let failed = |error| OpenError::of_path(self.path.clone(), error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(self.not_a_database());
        }
        match self.open_in(file)? {
            Ok(database) => Ok(Some(database)),
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                Ok(None)
            }
            Err(error) => Err(self.meaning(error)),
        }
    }

    /// Hands a file to redb, which checks under its lock that the file is empty or its own before
    /// it writes.
    fn open_in(&self, file: File) -> Result<Result<Database, DatabaseError>, OpenError> {
        let open = || {
            Database::builder()
                .set_cache_size(self.cache_bytes)
                .create_with_backend(FileBackend::new(file)?)
        };
        // redb trusts a file that was closed cleanly, and panics on some kinds of damage.
        std::panic::catch_unwind(AssertUnwindSafe(open)).map_err(|_| OpenError::Damaged {
            source: Arc::new(Panicked),
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
        let beside = Beside(self.name_beside());
        let file = new_file(&beside.0).map_err(failed)?;
        let made = self.open_in(file)?.map_err(|error| self.meaning(error))?;
        made.close().map_err(|error| self.meaning(error))?;

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

    fn name_beside(&self) -> PathBuf {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".new-{}-{count}", std::process::id()));
        self.path.with_file_name(name)
    }
}

/// A file that is removed in any case.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        // What cannot be removed is an empty database and does no harm.
        let _ = fs::remove_file(&self.0);
    }
}

fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the file's name durable, not only its content.
#[cfg(unix)]
fn sync_directory(path: &Path) -> std::io::Result<()> {
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
fn sync_directory(_: &Path) -> std::io::Result<()> {
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
