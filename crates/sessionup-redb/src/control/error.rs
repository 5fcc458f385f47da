//! Why a store could not be asked from outside, or could not do it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sessionup_core::StoreError;

use crate::error::with_causes;

/// Why a [`Control`](crate::Control) has no answer.
///
/// The text names this layer only; the error beneath it is the
/// [`source`](std::error::Error::source). `Debug` prints the text and all that lies beneath it.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The backup was not made, and nothing is left of it.
    #[error("backup was not made: {reason}")]
    Backup {
        /// What the store says.
        reason: String,
    },
    /// The process of the store, which writes backups, may not write there. Name a directory in which
    /// its user may.
    #[error(
        "backup was not made: the server's process (user {user}) writes it and has no permission to \
         write {}, choose a directory in which that user may write",
        path.display()
    )]
    BackupDenied {
        /// Where it was to be.
        path: PathBuf,
        /// The user of the store's process, by number.
        user: u32,
    },
    /// The process of the store has another view of the file system, as in a container or with a
    /// private `/tmp`: it wrote the backup at this path, where this process does not see it. The
    /// store removed it again, if `is_removed`. Name a directory that both see under the same name.
    #[error(
        "backup was not made: the server wrote it as {} in its own view of the file system, and it is \
         not there in this one{}; choose a directory that both see under one name",
        path.display(),
        if *is_removed { " (it was removed again)" } else { ", where it is still" }
    )]
    BackupElsewhere {
        /// The path, in the view of the store's process.
        path: PathBuf,
        /// Whether the file was removed again.
        is_removed: bool,
    },
    /// There is a file already, which is not written over. The process of the store may see one that
    /// this process does not.
    #[error(
        "backup was not made: there is a file {}{} already, choose another name",
        path.display(),
        if *is_seen_here { "" } else { " in the server's view of the file system" }
    )]
    BackupExists {
        /// The path.
        path: PathBuf,
        /// Whether this process sees it too.
        is_seen_here: bool,
    },
    /// The store has no room for another request, or works at one that takes long, or is closing.
    /// Nothing was done; try again.
    #[error("store is busy or closing, try again")]
    Busy,
    /// The socket could not be used, or this system has none.
    #[error("control socket at {} could not be used", path.display())]
    Io {
        /// The path of the socket.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        source: Arc<io::Error>,
    },
    /// No store listens beside the database. Either no process has it open, or its store was not
    /// opened with [`control`](crate::RedbStoreBuilder::control).
    #[error("no store listens at {}", path.display())]
    NobodyListens {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The store that listens has another file open than the one at this path: the file was replaced or
    /// deleted while the process of the store ran. Nothing was done. Stop that process, or put its file
    /// back.
    #[error(
        "a server listens at {} but has another file open than {}: the file was replaced or deleted \
         while the server ran; nothing was done, stop the server first",
        socket.display(),
        path.display()
    )]
    OtherFile {
        /// The path of the database.
        path: PathBuf,
        /// The path of the socket.
        socket: PathBuf,
    },
    /// The store that listens has another bucket of the database.
    #[error("store that listens has bucket {found:?}, not {wanted:?}")]
    OtherBucket {
        /// The bucket that was asked for.
        wanted: String,
        /// The bucket of the store.
        found: String,
    },
    /// The process of the store has another version of this library. Use the tools of the same
    /// version.
    #[error("store speaks protocol {theirs} and this program {ours}, use the same version")]
    OtherProtocol {
        /// What this program speaks.
        ours: u32,
        /// What the store speaks.
        theirs: u32,
    },
    /// This process may not connect: the socket is for the user of the store's process alone.
    #[error("no permission to connect to {}, it is for its owner alone", path.display())]
    PermissionDenied {
        /// The path of the socket.
        path: PathBuf,
    },
    /// The store could not do it.
    #[error("store could not do it")]
    Store(#[source] StoreError),
    /// The request is longer than a store reads, because of too many ids. Nothing was done.
    #[error("request is too long, name fewer sessions at a time")]
    TooLong,
    /// There was no answer in time. What was to be changed may have been changed or not: look. The
    /// process of the store may be stopped, overloaded, or out of file descriptors.
    #[error(
        "store gave no answer within {waited:?}, what was to be changed may have been changed or not"
    )]
    TimedOut {
        /// How long was waited.
        waited: Duration,
    },
    /// There was no answer, or none that could be read. What was to be changed may have been changed
    /// or not: look.
    #[error("store gave no answer, what was to be changed may have been changed or not")]
    Unanswered {
        /// What went wrong.
        #[source]
        source: Arc<io::Error>,
    },
}

impl fmt::Debug for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self))
    }
}
