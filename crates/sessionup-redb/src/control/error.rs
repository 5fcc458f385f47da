//! Why a store could not be asked from outside, or could not do it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use sessionup_core::StoreError;

/// Why a [`Control`](crate::Control) has no answer.
///
/// The text names this layer only; the error beneath it is the
/// [`source`](std::error::Error::source).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The backup was not made. There is no file, or the one that was there before.
    #[error("backup was not made: {reason}")]
    Backup {
        /// What the store says.
        reason: String,
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
    /// There was no answer, or none that could be read. What was to be changed may have been changed
    /// or not: look.
    #[error("store gave no answer, what was to be changed may have been changed or not")]
    Unanswered {
        /// What went wrong.
        #[source]
        source: Arc<io::Error>,
    },
}
