//! What can go wrong: opening a store, and what redb reports, by what it means to a caller.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sessionup_core::StoreError;
use sessionup_core::store::Cause;

use crate::reserve::is_fullness;

/// Why a store did not open.
///
/// The text names this layer only; the error beneath it is the
/// [`source`](std::error::Error::source). `Debug` prints the text and all that lies beneath it, since
/// that is what a `main` which returns the error shows.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another store of this process has this bucket of this database. Share that one: clones are
    /// handles on the same store.
    #[error("bucket {bucket:?} of this database is open already, clone its store instead")]
    BucketInUse {
        /// The bucket.
        bucket: String,
    },
    /// The control socket beside the database could not be made. Remove what is in its place, or do
    /// without it, see [`control_optional`](crate::RedbStoreBuilder::control_optional).
    #[error("control socket beside {} could not be made", path.display())]
    Control {
        /// The path of the database.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: Cause,
    },
    /// The file is a redb database and cannot be read. It is left as it is: restore a backup, or
    /// move it away to start anew, which logs everybody out.
    #[error("session database is damaged, restore it from a backup or move it away")]
    Damaged {
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The directory of the file is not there. Make it.
    #[error("directory of session file {} does not exist, create it first", path.display())]
    DirectoryMissing {
        /// The path of the file.
        path: PathBuf,
    },
    /// The path no longer leads to the file that the store had open: it was replaced or deleted. Restart
    /// the process, or put the file back.
    #[error(
        "session file {} was replaced or deleted while it was open, restart the server",
        path.display()
    )]
    Displaced {
        /// The path of the file.
        path: PathBuf,
    },
    /// The file is empty, and is to be read. A store that is opened there makes its database in it.
    #[error("{} is an empty file, there are no sessions in it", path.display())]
    EmptyFile {
        /// The path of the file.
        path: PathBuf,
    },
    /// The database has a table of the bucket's name that is not this library's. Choose another
    /// bucket.
    #[error("table {table:?} is not one of a session store, choose another bucket")]
    ForeignTable {
        /// The name of the table.
        table: String,
    },
    /// The file is open elsewhere, in this process or in another one, and was not given free in
    /// time. Stop the other one, or wait longer.
    #[error(
        "session file {} is in use and was not free within {waited:?}, stop the other process",
        path.display()
    )]
    InUse {
        /// The path of the file.
        path: PathBuf,
        /// How long was waited for it.
        waited: Duration,
    },
    /// The name of the bucket is empty, longer than [`OpenError::MAX_BUCKET_BYTES`] or contains
    /// control characters.
    #[error("bucket {bucket:?} is no name: 1 to 128 bytes without control characters are allowed")]
    InvalidBucket {
        /// The name.
        bucket: String,
    },
    /// The interval of the cleanup is not zero and below a millisecond.
    #[error("cleanup interval {interval:?} is too short: a millisecond, or zero for no cleanup")]
    InvalidInterval {
        /// The interval.
        interval: Duration,
    },
    /// Reading or writing failed.
    #[error("session database could not be read or written")]
    Io {
        /// The error of the operating system or of the database.
        #[source]
        source: Cause,
    },
    /// The file system has no file locks (`ENOSYS` or `EOPNOTSUPP`), so two processes could write the
    /// file at once, which destroys what the other wrote. Put the file on another file system, or see
    /// [`allow_missing_locks`](crate::RedbStoreBuilder::allow_missing_locks).
    #[error(
        "file system of {} has no file locks, which keep two processes from writing at once: put the \
         file on a local file system (or see RedbStoreBuilder::allow_missing_locks)",
        path.display()
    )]
    LocksUnsupported {
        /// The path of the file.
        path: PathBuf,
    },
    /// A later version of this library wrote the bucket. Update this program.
    #[error("session store has format {found}, this program knows up to {supported}, update it")]
    NewerFormat {
        /// The format of the bucket.
        found: u64,
        /// The latest format that this program knows.
        supported: u64,
    },
    /// The database has no bucket of this name, and none is to be made. Name the right one.
    #[error("there is no bucket {bucket:?} in this database, {}", listed(found))]
    NoBucket {
        /// The bucket that was asked for.
        bucket: String,
        /// Buckets that there are.
        found: Vec<String>,
    },
    /// Something else is at the path: a file that is no redb database, or no file at all. It is
    /// left as it is. Choose another path.
    #[error("{} is not a redb database, choose another path", path.display())]
    NotADatabase {
        /// The path.
        path: PathBuf,
    },
    /// The file is of an early version of redb. Upgrade it with redb 2.6 or 3.
    #[error("session file {} has redb's old format {found}, upgrade it with redb 2.6", path.display())]
    OldFormat {
        /// The path of the file.
        path: PathBuf,
        /// Its format.
        found: u8,
    },
    /// The closure that opens the database failed.
    #[error("session database could not be opened")]
    Opener {
        /// Its error.
        #[source]
        source: Cause,
    },
    /// This process may not open or create the file. Change its owner or mode, or those of its
    /// directory.
    #[error("no permission to open session file {} for reading and writing", path.display())]
    PermissionDenied {
        /// The path of the file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: Cause,
    },
    /// The file lies on a file system that is read-only. Choose another path.
    #[error("session file {} is on a read-only file system, choose another path", path.display())]
    ReadOnly {
        /// The path of the file.
        path: PathBuf,
    },
    /// A server listens beside the file and does not have this file open: it was replaced or deleted while
    /// the server ran, or the server failed to read its file and is opening it anew. Stop that server,
    /// or ask it with [`Control`](crate::Control).
    #[error(
        "a server listens at {} but does not have {} open: the file was replaced or deleted while the server \
         ran, or the server is opening it anew; stop that server first",
        socket.display(),
        path.display()
    )]
    ServerListens {
        /// The path of the file.
        path: PathBuf,
        /// The path of the server's socket.
        socket: PathBuf,
    },
    /// The operating system gave no thread.
    #[error("no thread for the session store")]
    Thread {
        /// The operating system's error.
        #[source]
        source: Cause,
    },
}

impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self))
    }
}

/// Returns an error and all that lies beneath it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let whole = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<_> = whole.map(ToString::to_string).collect();
    texts.join(": ")
}

fn listed(found: &[String]) -> String {
    match found {
        [] => "and no other one".to_owned(),
        _ => format!("but {found:?}"),
    }
}

impl OpenError {
    /// Most bytes of a bucket's name.
    pub const MAX_BUCKET_BYTES: usize = 128;

    /// What a failed access to a path means.
    pub(crate) fn of_path(path: PathBuf, error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::DirectoryMissing { path },
            ErrorKind::PermissionDenied => Self::PermissionDenied {
                path,
                source: Arc::new(error),
            },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::IsADirectory | ErrorKind::InvalidData => Self::NotADatabase { path },
            ErrorKind::UnexpectedEof => Self::Damaged {
                source: Arc::new(error),
            },
            _ => Self::Io {
                source: Arc::new(error),
            },
        }
    }

    /// What a failed access to an open database means.
    pub(crate) fn of_database(error: impl Into<redb::Error>) -> Self {
        let error = error.into();
        let is_damaged = matches!(error, redb::Error::Corrupted(_));
        let source: Cause = Arc::new(error);
        if is_damaged {
            Self::Damaged { source }
        } else {
            Self::Io { source }
        }
    }
}

/// Why an operation was not carried out.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The operation is refused for itself and has changed nothing.
    Refused(StoreError),
    /// The database failed, and with it all that is in the same transaction.
    Broken(redb::Error),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Halt {
            fn from(error: $error) -> Self {
                Self::Broken(error.into())
            }
        }
    )*};
}

from_redb!(redb::StorageError, redb::TableError, redb::TransactionError);

/// Why a transaction did not become durable.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    /// Whether it may have become durable after all.
    pub(crate) is_unknown: bool,
    /// Whether the database must be opened anew before it serves again.
    pub(crate) is_lasting: bool,
    /// Whether the program is at fault, so that trying again is no remedy.
    pub(crate) is_panic: bool,
    /// Whether there was no room on the disk.
    pub(crate) is_full: bool,
}

impl Failure {
    /// The transaction was given up before its commit began: nothing was changed.
    pub(crate) fn before_commit(error: redb::Error) -> Self {
        Self {
            is_unknown: false,
            is_lasting: is_lasting(&error),
            is_panic: false,
            is_full: is_full(&error),
            cause: Arc::new(error),
        }
    }

    pub(crate) fn in_commit(error: redb::CommitError) -> Self {
        // redb rolls this one back.
        let is_unknown = !matches!(error, redb::CommitError::TransactionPoisoned);
        let error = error.into();
        Self {
            is_unknown,
            is_lasting: is_unknown,
            is_panic: false,
            is_full: is_full(&error),
            cause: Arc::new(error),
        }
    }

    /// The thread panicked.
    pub(crate) fn panic(was_in_commit: bool) -> Self {
        Self {
            cause: Arc::new(WriterStopped),
            is_unknown: was_in_commit,
            is_lasting: true,
            is_panic: true,
            is_full: false,
        }
    }

    /// There is no open database.
    pub(crate) fn no_database(cause: Cause) -> Self {
        Self {
            cause,
            is_unknown: false,
            is_lasting: false,
            is_panic: false,
            is_full: false,
        }
    }

    /// There is no room on the disk for what must be kept free of it.
    pub(crate) fn no_room() -> Self {
        Self {
            cause: Arc::new(io::Error::from(ErrorKind::StorageFull)),
            is_unknown: false,
            is_lasting: false,
            is_panic: false,
            is_full: true,
        }
    }

    /// What to tell the caller of an operation that took part.
    ///
    /// That the disk is full says that nothing came of it. What it would have made is ended again in
    /// any case; what it would have ended or rewritten may be so.
    pub(crate) fn told(&self, part: Part, wants_room: bool) -> StoreError {
        let source = Arc::clone(&self.cause);
        let Part {
            had_changed,
            had_altered,
        } = part;
        if wants_room && self.is_full && !(self.is_unknown && had_altered) {
            StoreError::Full {
                source: Some(source),
            }
        } else if had_changed && self.is_unknown {
            StoreError::OutcomeUnknown { source }
        } else {
            StoreError::Unavailable { source }
        }
    }
}

/// What an operation did in a transaction that failed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    pub(crate) had_changed: bool,
    /// Whether it ended or rewrote a session.
    pub(crate) had_altered: bool,
}

/// A panic ended the opening of a database.
#[derive(Debug, thiserror::Error)]
#[error("redb panicked while it opened the database")]
pub(crate) struct Panicked;

/// A panic ended the store's work.
#[derive(Debug, thiserror::Error)]
#[error("writer of the session store stopped by a panic, open the store anew")]
pub(crate) struct WriterStopped;

/// A panic ended one read.
#[derive(Debug, thiserror::Error)]
#[error("read of the session store ended by a panic")]
pub(crate) struct ReadStopped;

/// Says whether redb refuses all work from now on.
pub(crate) fn is_lasting(error: &redb::Error) -> bool {
    use redb::Error as E;
    matches!(
        error,
        E::Io(_) | E::Backend(_) | E::PreviousIo | E::DatabaseClosed | E::LockPoisoned(_)
    )
}

fn is_full(error: &redb::Error) -> bool {
    match error {
        redb::Error::Io(error) => is_fullness(error.kind()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_text_and_causes() {
        let error = OpenError::Io {
            source: Arc::new(io::Error::other("the disk is gone")),
        };
        let expected = "session database could not be read or written: the disk is gone";
        assert_eq!(format!("{error:?}"), expected);
        assert_eq!(format!("{error:#?}"), expected);
        let error = OpenError::InUse {
            path: "a/b.redb".into(),
            waited: Duration::from_secs(5),
        };
        assert_eq!(format!("{error:?}"), error.to_string());
    }

    /// What is told of a failure in the commit on a full disk, and of one on a failing disk.
    #[test]
    fn what_may_have_happened_is_never_told_as_full() {
        let failure = |kind: ErrorKind| {
            let error = redb::StorageError::Io(kind.into());
            Failure::in_commit(redb::CommitError::Storage(error))
        };
        let part = |had_changed, had_altered| Part {
            had_changed,
            had_altered,
        };
        let cases = [
            (
                "login",
                ErrorKind::StorageFull,
                part(true, false),
                true,
                "full",
            ),
            (
                "login over a session",
                ErrorKind::StorageFull,
                part(true, true),
                true,
                "unknown",
            ),
            (
                "renewal",
                ErrorKind::StorageFull,
                part(true, true),
                true,
                "unknown",
            ),
            (
                "logout",
                ErrorKind::StorageFull,
                part(true, true),
                false,
                "unknown",
            ),
            (
                "refused login",
                ErrorKind::StorageFull,
                part(false, false),
                true,
                "full",
            ),
            (
                "login on a failing disk",
                ErrorKind::Other,
                part(true, false),
                true,
                "unknown",
            ),
            (
                "no change",
                ErrorKind::Other,
                part(false, false),
                false,
                "unavailable",
            ),
        ];
        for (name, kind, part, wants_room, expected) in cases {
            let told = match failure(kind).told(part, wants_room) {
                StoreError::Full { .. } => "full",
                StoreError::OutcomeUnknown { .. } => "unknown",
                StoreError::Unavailable { .. } => "unavailable",
                error => panic!("{name}: {error:?}"),
            };
            assert_eq!(told, expected, "{name}");
        }
    }
}
