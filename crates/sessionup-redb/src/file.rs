//! Opening a database by its path, with care for whatever lies there.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageError};
use tempfile::NamedTempFile;

use crate::control;
use crate::directory::sync_directory;
use crate::error::{OpenError, Panicked};
use crate::identity::{Identity, Leads, leads};
use crate::overlay::{Access, Overlay, TakeLock, take_lock};

/// How a file is opened.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFile {
    /// As it was given, for messages.
    given: PathBuf,
    /// Absolute, for the process may change its working directory.
    path: PathBuf,
    lock_wait: Duration,
    cache_bytes: usize,
    pub(crate) allows_missing_locks: bool,
    pub(crate) system: System,
}

/// What some file systems cannot do. Unit tests put other functions in the place of these.
#[derive(Clone, Copy)]
pub(crate) struct System {
    pub(crate) take_lock: TakeLock,
    pub(crate) sync_directory: fn(&File) -> io::Result<()>,
}

impl System {
    pub(crate) const NATIVE: Self = Self {
        take_lock,
        sync_directory: File::sync_all,
    };
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").finish_non_exhaustive()
    }
}

/// A file that was opened to be written.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) database: Database,
    pub(crate) identity: Option<Identity>,
    pub(crate) lacks_locks: bool,
}

/// What came of one try to open a file.
pub(crate) enum Attempt<T> {
    Opened(T),
    /// The file is open elsewhere.
    InUse,
    /// The file is free, and yet a server listens beside it, at this socket.
    ServerListens(PathBuf),
}

/// Why a file is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    First,
    /// By the store that had it open, and that may be listening beside it.
    Again,
}

impl DatabaseFile {
    pub(crate) fn new(
        given: PathBuf,
        lock_wait: Duration,
        cache_bytes: usize,
    ) -> Result<Self, OpenError> {
        let absolute = std::path::absolute(&given);
        let path = absolute.map_err(|error| OpenError::of_path(given.clone(), error))?;
        Ok(Self {
            given,
            path,
            lock_wait,
            cache_bytes,
            allows_missing_locks: false,
            system: System::NATIVE,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, and makes it if it is not there. Waits while another process has it.
    ///
    /// `prepare` makes the database ready. Until it has, the file is as it was.
    pub(crate) fn open(
        &self,
        prepare: impl Fn(&Database) -> Result<(), OpenError>,
    ) -> Result<OpenFile, OpenError> {
        let opened = self.patiently(|| {
            if !self.is_there()? {
                if let Some(socket) = self.listens_without_file()? {
                    return Ok(Attempt::ServerListens(socket));
                }
                self.create()?;
            }
            self.try_open(Occasion::First, &prepare)
        })?;
        warn_of_readers(&self.path);
        if opened.lacks_locks {
            tracing::warn!(target: "sessionup_redb", path = %self.path.display(), "file system of the session file has no locks: make sure that no second process opens the file");
        }
        Ok(opened)
    }

    /// Tries until the file is free, as long as is waited for it.
    pub(crate) fn patiently<T>(
        &self,
        attempt: impl Fn() -> Result<Attempt<T>, OpenError>,
    ) -> Result<T, OpenError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            // A process that is killed may give its lock back before its socket.
            let refused = match attempt()? {
                Attempt::Opened(opened) => return Ok(opened),
                Attempt::InUse => self.in_use(),
                Attempt::ServerListens(socket) => OpenError::ServerListens {
                    path: self.given.clone(),
                    socket,
                },
            };
            let waited = begun.elapsed();
            if waited >= self.lock_wait {
                return Err(refused);
            }
            std::thread::park_timeout(pause.min(self.lock_wait - waited));
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// Opens the file again after it was open already. Makes nothing and waits for nobody.
    pub(crate) fn reopen(&self, identity: Option<Identity>) -> Result<Database, OpenError> {
        let displaced = || OpenError::Displaced {
            path: self.path.clone(),
        };
        let failed = |error| OpenError::of_path(self.path.clone(), error);
        if leads(&self.path, identity) != Leads::There {
            return Err(displaced());
        }
        if fs::metadata(&self.path).map_err(failed)?.len() == 0 {
            return Err(OpenError::Damaged {
                source: Arc::new(Vanished),
            });
        }
        match self.try_open(Occasion::Again, &|_| Ok(()))? {
            Attempt::Opened(opened) if opened.identity == identity => Ok(opened.database),
            Attempt::Opened(_) => Err(displaced()),
            Attempt::InUse | Attempt::ServerListens(_) => Err(self.in_use()),
        }
    }

    fn in_use(&self) -> OpenError {
        OpenError::InUse {
            path: self.given.clone(),
            waited: self.lock_wait,
        }
    }

    /// Says whether there is a regular file. Asks before opening: to open a pipe could hang.
    fn is_there(&self) -> Result<bool, OpenError> {
        match fs::metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(self.not_a_database()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn not_a_database(&self) -> OpenError {
        OpenError::NotADatabase {
            path: self.given.clone(),
        }
    }

    fn failed(&self, error: io::Error) -> OpenError {
        OpenError::of_path(self.given.clone(), error)
    }

    /// Opens the file to be read, with whatever it needs of repair done in memory alone.
    pub(crate) fn open_unchanged(&self) -> Result<Attempt<Database>, OpenError> {
        if !self.is_there()? {
            return Err(self.not_a_database());
        }
        let file = File::open(&self.path).map_err(|error| self.failed(error))?;
        let found = file.metadata().map_err(|error| self.failed(error))?;
        let opened = match self.open_in(file, Access::WithReaders)? {
            Ok(opened) => opened,
            Err(error) if is_in_use(&error) => return Ok(Attempt::InUse),
            Err(error) => return Err(self.meaning(error)),
        };
        let refused = if found.len() == 0 {
            Some(Err(OpenError::EmptyFile {
                path: self.given.clone(),
            }))
        } else if let Err(error) = self.check_locks(&opened) {
            Some(Err(error))
        } else {
            self.listens()
                .map(|socket| Ok(Attempt::ServerListens(socket)))
        };
        match refused {
            Some(refused) => {
                opened.forget();
                refused
            }
            None => Ok(Attempt::Opened(opened.database)),
        }
    }

    fn try_open(
        &self,
        occasion: Occasion,
        prepare: &impl Fn(&Database) -> Result<(), OpenError>,
    ) -> Result<Attempt<OpenFile>, OpenError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.path)
            .map_err(|error| self.failed(error))?;
        let found = file.metadata().map_err(|error| self.failed(error))?;
        if !found.is_file() {
            return Err(self.not_a_database());
        }
        let identity = Identity::of(&found);
        let opened = match self.open_in(file, Access::Alone)? {
            Ok(opened) => opened,
            Err(error) if is_in_use(&error) => return Ok(Attempt::InUse),
            Err(error) => return Err(self.meaning(error)),
        };
        // Between its opening and its locking, the file may have been replaced.
        let refused = if leads(&self.path, identity) != Leads::There {
            Some(Attempt::InUse)
        } else if occasion == Occasion::First {
            self.listens().map(Attempt::ServerListens)
        } else {
            None
        };
        if let Some(refused) = refused {
            opened.forget();
            return Ok(refused);
        }
        let prepared = self
            .check_locks(&opened)
            .and_then(|()| unless_it_panics(|| prepare(&opened.database)).flatten())
            .and_then(|()| {
                let made = opened.changes.let_through();
                made.map_err(|error| self.failed(error))
            });
        match prepared {
            Ok(()) => Ok(Attempt::Opened(OpenFile {
                lacks_locks: opened.changes.lacks_locks(),
                database: opened.database,
                identity,
            })),
            Err(error) => {
                opened.forget();
                Err(error)
            }
        }
    }

    /// Where a server listens beside the file. It does so only while it has the file open: whoever has
    /// the file's lock and finds one has another file than that server, or meets it while it opens
    /// its own anew.
    fn listens(&self) -> Option<PathBuf> {
        control::listens_beside(&self.path)
    }

    /// Where a server listens whose file was deleted. A file that is made in its place would be in the way
    /// when the server's own file is put back.
    fn listens_without_file(&self) -> Result<Option<PathBuf>, OpenError> {
        let Some(socket) = self.listens() else {
            return Ok(None);
        };
        // A server that has just started made its file before it listened.
        Ok((!self.is_there()?).then_some(socket))
    }

    fn check_locks(&self, opened: &Opened) -> Result<(), OpenError> {
        if opened.changes.lacks_locks() && !self.allows_missing_locks {
            return Err(OpenError::LocksUnsupported {
                path: self.given.clone(),
            });
        }
        Ok(())
    }

    /// Hands a file to redb, which checks under its lock that the file is empty or its own. What
    /// redb writes is held back.
    fn open_in(
        &self,
        file: File,
        access: Access,
    ) -> Result<Result<Opened, DatabaseError>, OpenError> {
        unless_it_panics(|| {
            let backend = FileBackend::new(file)?;
            let changes = Overlay::new(backend, access, self.system.take_lock)?;
            let database = Database::builder()
                .set_cache_size(self.cache_bytes)
                .create_with_backend(changes.clone())?;
            Ok(Opened { database, changes })
        })
    }

    fn meaning(&self, error: DatabaseError) -> OpenError {
        let path = self.given.clone();
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
        let failed = |error| self.failed(error);
        let beside = beside(&self.path).map_err(failed)?;
        let file = beside.reopen().map_err(failed)?;
        let made = self.open_in(file, Access::Alone)?;
        let made = made.map_err(|error| self.meaning(error))?;
        if let Err(error) = self.check_locks(&made) {
            made.forget();
            return Err(error);
        }
        made.changes.let_through().map_err(failed)?;
        let closed = made.database.close();
        closed.map_err(|error| self.meaning(error))?;

        let placed = match fs::hard_link(beside.path(), &self.path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                // A file system without links: an empty file, in which redb makes its database.
                new_file(&self.path).map(drop)
            }
            placed => placed,
        };
        let is_ours = match placed {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
            Err(error) => return Err(failed(error)),
        };
        drop(beside);
        let synced = sync_directory(&self.path, self.system.sync_directory);
        synced.map_err(|error| {
            if is_ours {
                self.take_back();
            }
            failed(error)
        })
    }

    /// Removes a file that was made a moment ago, unless somebody has opened it.
    fn take_back(&self) {
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let held = file.map(|file| self.open_in(file, Access::Alone));
        if let Ok(Ok(Ok(held))) = held {
            // If it cannot be removed, it is an empty database and does no harm.
            let _ = fs::remove_file(&self.path);
            held.forget();
        }
    }
}

/// Says so if others than the owner can read a file.
#[cfg(unix)]
pub(crate) fn warn_of_readers(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map(|file| file.permissions().mode());
    if let Ok(mode) = mode
        && mode & 0o044 != 0
    {
        let mode = format!("{:o}", mode & 0o777);
        tracing::warn!(target: "sessionup_redb", path = %path.display(), mode, "session file can be read by others, its mode should be 600");
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_of_readers(_: &Path) {}

/// An open database whose changes are held back.
struct Opened {
    database: Database,
    changes: Overlay<FileBackend>,
}

impl Opened {
    /// Closes it. What it wants to write at its end is written nowhere.
    fn forget(self) {
        drop(unless_it_panics(|| drop(self)));
    }
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

/// Makes a file beside a path, under a name that no other file has, which nobody else can read and
/// which is removed in the end.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(path.file_name().unwrap_or_default());
    prefix.push(".new-");
    let mut builder = tempfile::Builder::new();
    let directory = path.parent().unwrap_or(Path::new("/"));
    builder.prefix(&prefix).tempfile_in(directory)
}

/// Makes a file that nobody else can read.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[derive(Debug, thiserror::Error)]
#[error("session file was replaced by an empty one")]
struct Vanished;

#[cfg(test)]
mod tests;
