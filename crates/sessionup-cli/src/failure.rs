//! Why a command did not do what it was to do, and with which code it exits.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessionup_bolt::{BoltError, ImportError, ImportFailure, WriteError};
use sessionup_core::StoreError;
use sessionup_core::store::Cause;
use sessionup_redb::{ControlError, OpenError};

use crate::escape;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nobody agreed.
    #[error("nothing was changed")]
    Declined,
    /// A short id means several sessions.
    #[error("{0}")]
    Ambiguous(String),
    /// A server could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Something is damaged. What was told before says what.
    #[error("{0}")]
    Damage(String),
    /// The file may not be opened.
    #[error("{doing}")]
    Denied {
        doing: String,
        #[source]
        source: Cause,
    },
    /// A directory is in the place of a file.
    #[error("{} is a directory, name the file of the sessions in it", path.display())]
    Directory { path: PathBuf },
    /// A directory in which a file is to be made is not there.
    #[error("there is no directory {}, make it or choose another", path.display())]
    DirectoryMissing { path: PathBuf },
    /// Nothing is in the file.
    #[error(
        "{} is an empty file: no server has stored sessions in it, name another file with --db",
        path.display()
    )]
    Empty { path: PathBuf },
    /// A file is there already.
    #[error("{} is there already and is not written over, choose another name", path.display())]
    Exists { path: PathBuf },
    /// Another process has the file, and cannot be asked.
    #[error(
        "{0} is in use: another process has it open, and nobody answers at {0}.control. If that is a \
         server, stop it; or have it listen for tools (RedbStoreBuilder::control), to look, revoke, \
         prune and back up beside it. In a container it must see the directory of the file, not the \
         file alone",
        path.display()
    )]
    InUse { path: PathBuf },
    /// A server has a file open that has no name any more.
    #[error(
        "{0} is gone, and yet a server answers at {0}.control: the file was moved or deleted while it ran, \
         and what the server stores is lost when it stops. Put the file back under its name, or stop \
         the server and restore a backup",
        path.display()
    )]
    FileGone { path: PathBuf },
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
    /// A server has the file, and this command needs it for itself.
    #[error("{} is in use: this command needs the file for itself, stop the server first", path.display())]
    NeedsFile { path: PathBuf },
    /// A server did not answer in time.
    #[error(
        "the server that has {} open gave no answer within {waited:?}: {}",
        path.display(),
        if *may_have_changed {
            "what was to be changed may have been changed or not. Look, then try again; --wait 2m waits longer"
        } else {
            "nothing was changed. Try again; --wait 2m waits longer"
        }
    )]
    NoAnswer {
        path: PathBuf,
        waited: Duration,
        may_have_changed: bool,
    },
    /// There is no such bucket.
    #[error(
        "there is no bucket {} here, {}",
        escape::quoted(wanted),
        instead(found, option)
    )]
    NoBucket {
        wanted: String,
        found: Vec<String>,
        option: &'static str,
    },
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
    /// A server answers, and has another file open.
    #[error(
        "{} is free, and yet a server answers at {}: it has another file open, because this one was \
         replaced or moved there while it ran. Nothing was changed, for the server would not hear of \
         it. Restart the server, or stop it first",
        path.display(),
        socket.display()
    )]
    OtherFile { path: PathBuf, socket: PathBuf },
    /// Nobody reads what is written.
    #[error("output could not be written")]
    Output(#[source] io::Error),
    /// What was asked for would destroy something.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whether a server listens cannot be known.
    #[error(
        "nothing was changed: a server may listen at {}.control, and would not hear of it. Run this as \
         the server's user, or remove that socket if no server runs",
        path.display()
    )]
    Unheard {
        path: PathBuf,
        #[source]
        source: ControlError,
    },
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
            Self::Ambiguous(_) | Self::NobodyToAsk | Self::Usage(_) => 2,
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
            | Self::Denied { .. }
            | Self::Directory { .. }
            | Self::DirectoryMissing { .. }
            | Self::Empty { .. }
            | Self::Exists { .. }
            | Self::FileGone { .. }
            | Self::Refused(_)
            | Self::Import(_)
            | Self::InUse { .. }
            | Self::Io { .. }
            | Self::NeedsFile { .. }
            | Self::NoAnswer { .. }
            | Self::NoBucket { .. }
            | Self::NoFile { .. }
            | Self::Open(_)
            | Self::OtherFile { .. }
            | Self::Output(_)
            | Self::Store(_)
            | Self::Unheard { .. }
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
        let remedy = match self {
            Self::Open(OpenError::Thread { .. }) => {
                Some("the limit of processes and threads is reached, raise it (ulimit -u)")
            }
            // Limits of the server's process are not those of this one.
            Self::Control(_) => None,
            _ => remedy(&line),
        };
        match remedy {
            Some(remedy) => format!("{line}: {remedy}"),
            None => line,
        }
    }

    /// Says why a file did not open.
    pub(crate) fn of_open(error: OpenError, path: &Path, option: &'static str) -> Self {
        match error {
            OpenError::NoBucket { bucket, found } => Self::NoBucket {
                wanted: bucket,
                found,
                option,
            },
            OpenError::PermissionDenied { source, .. } => Self::Denied {
                doing: format!("no permission to open {}{}", path.display(), owner(path)),
                source,
            },
            OpenError::ServerListens { socket, .. } => Self::OtherFile {
                path: path.to_owned(),
                socket,
            },
            error => error.into(),
        }
    }
}

/// Says what to do about a limit that the system sets. Not all errors of the system can be reached as
/// such: some are text of the database.
fn remedy(line: &str) -> Option<&'static str> {
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    let (_, code) = line.rsplit_once("(os error ")?;
    let code = code.split_once(')')?.0.parse().ok()?;
    if cfg!(unix) && TOO_MANY_FILES.contains(&code) {
        return Some("raise the limit of open files (ulimit -n)");
    }
    match io::Error::from_raw_os_error(code).kind() {
        io::ErrorKind::FileTooLarge => Some("raise the limit of file sizes (ulimit -f)"),
        io::ErrorKind::QuotaExceeded => Some("make room, or raise the quota of this user"),
        io::ErrorKind::StorageFull => Some("make room on the disk"),
        _ => None,
    }
}

/// Says whose a file is.
#[cfg(unix)]
fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path);
    found.map_or_else(
        |_| String::new(),
        |found| {
            let (user, mode) = (found.uid(), found.mode() & 0o777);
            format!(", which belongs to user {user} and has mode {mode:o}: run this as that user")
        },
    )
}

#[cfg(not(unix))]
fn owner(_: &Path) -> String {
    String::new()
}

/// Names the buckets that there are, and how to choose one.
fn instead(found: &[String], option: &str) -> String {
    let all: Vec<_> = found.iter().map(|name| escape::quoted(name)).collect();
    match all.as_slice() {
        [] => "and no other one".to_owned(),
        [only] => format!("but {only}: say {option} {only}"),
        all => format!("but {}: choose one with {option}", all.join(", ")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn limits_of_the_system_say_what_to_raise() {
        let failure = |code| {
            let source = io::Error::from_raw_os_error(code);
            while_doing("x could not be written")(source).line()
        };
        for (code, expected) in [
            (24, "(ulimit -n)"),
            (27, "(ulimit -f)"),
            (122, "quota"),
            (28, "room"),
        ] {
            let line = failure(code);
            assert!(
                line.starts_with("x could not be written: ") && line.contains(expected),
                "{line}"
            );
        }
        assert!(failure(13).ends_with("(os error 13)"));
    }
}
