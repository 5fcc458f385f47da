//! Why a command did not do what it was to do, and with which code it exits.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use sessionup_bolt::{BoltError, ImportError, ImportFailure, WriteError};
use sessionup_core::StoreError;
use sessionup_redb::{ControlError, OpenError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody agreed.
    #[error("nothing was changed")]
    Declined,
    /// A server could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Something is damaged. What was told before says what.
    #[error("{0}")]
    Damage(String),
    /// A file is there already.
    #[error("{} is there already and is not written over, choose another name", path.display())]
    Exists { path: PathBuf },
    /// A server has the file.
    #[error(
        "{} is in use: a server has it open. Stop it; or have it listen for tools \
         (RedbStoreBuilder::control), to look, revoke, prune and back up beside it",
        path.display()
    )]
    InUse { path: PathBuf },
    /// Reading or writing failed.
    #[error("{doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Bolt(#[from] BoltError),
    #[error("{doing}")]
    BoltFile { doing: String, source: BoltError },
    #[error(transparent)]
    Import(#[from] ImportError),
    /// There is no such file, and none is made.
    #[error("there is no file {}, name the sessions with --db", path.display())]
    NoFile { path: PathBuf },
    /// There is nobody to ask.
    #[error("there is no terminal to ask in: say --yes, or --dry-run to see what would be done")]
    NobodyToAsk,
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    #[error(transparent)]
    Open(OpenError),
    /// Nobody reads what is written.
    #[error("output could not be written")]
    Output(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was said makes no sense.
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::InUse { path, .. } => Self::InUse { path },
            error => Self::Open(error),
        }
    }
}

impl Failure {
    /// Returns the code to exit with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // Whoever reads has what they wanted: `sessionup list --all | head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::NobodyToAsk | Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Damage(_)
            | Self::Open(OpenError::Damaged { .. })
            | Self::Store(StoreError::CorruptRecord { .. }) => 4,
            Self::Bolt(error) | Self::BoltFile { source: error, .. } => code_of_bolt(error),
            Self::Import(ImportError {
                source: ImportFailure::Bolt(error),
                ..
            }) => code_of_bolt(error),
            Self::Control(_)
            | Self::Declined
            | Self::Exists { .. }
            | Self::Import(_)
            | Self::InUse { .. }
            | Self::Io { .. }
            | Self::NoFile { .. }
            | Self::Open(_)
            | Self::Output(_)
            | Self::Store(_)
            | Self::Write(_) => 1,
        }
    }

    /// Joins the error and what lies beneath it.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }
}

/// Names the Bolt file that an error is of, unless the error does.
pub(crate) fn of_bolt(path: &Path) -> impl FnOnce(BoltError) -> Failure {
    let doing = format!("{} could not be read", path.display());
    move |error| match error {
        BoltError::Io(source) => Failure::Io { doing, source },
        error
        @ (BoltError::Damaged(_) | BoltError::NoBucket { .. } | BoltError::NotBolt { .. }) => {
            Failure::BoltFile {
                doing,
                source: error,
            }
        }
        error => error.into(),
    }
}

fn code_of_bolt(error: &BoltError) -> u8 {
    match error {
        BoltError::Damaged(_) => 4,
        _ => 1,
    }
}

/// Names what was being done when an error of the system came.
pub(crate) fn while_doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    let doing = doing.into();
    move |source| Failure::Io { doing, source }
}
