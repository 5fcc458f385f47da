//! A server that has the file open, and what is said when it cannot be asked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sessionup_core::{Pruned, SessionId, Timestamp, UserKey};
use sessionup_redb::{Control, ControlError, FoundSession, Report};

use crate::failure::Failure;

/// A server that has the file open and listens.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    control: Control,
    path: PathBuf,
    patience: Duration,
}

/// How long an answer is waited for unless `--wait` says so.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    pub(super) fn connect(
        path: &Path,
        bucket: &str,
        wait: Option<Duration>,
    ) -> Result<Self, ControlError> {
        // Zero is for files: an answer takes some time.
        let patience = wait.unwrap_or(PATIENCE).max(Duration::from_secs(1));
        Ok(Self {
            control: Control::connect_within(path, bucket, patience)?,
            path: path.to_owned(),
            patience,
        })
    }

    pub(crate) fn after(
        &self,
        last: Option<SessionId>,
        at_most: usize,
    ) -> Result<Vec<FoundSession>, Failure> {
        self.looked(self.control.after(last, at_most))
    }

    pub(crate) fn of_user_after(
        &self,
        user: &UserKey,
        last: Option<SessionId>,
    ) -> Result<Vec<FoundSession>, Failure> {
        self.looked(self.control.of_user_after(user, last))
    }

    pub(crate) fn find(&self, id: SessionId) -> Result<Option<FoundSession>, Failure> {
        self.looked(self.control.find(id))
    }

    pub(crate) fn count(&self) -> Result<u64, Failure> {
        self.looked(self.control.count())
    }

    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        self.looked(self.control.bytes())
    }

    pub(crate) fn verify(&self, now: Timestamp) -> Result<Report, Failure> {
        self.looked(self.control.verify(Some(now)))
    }

    /// Has the server write a copy of its bucket; returns how many bytes it has.
    pub(crate) fn backup(&self, to: &Path) -> Result<u64, Failure> {
        self.looked(self.control.backup(to))
    }

    pub(crate) fn delete_many(&self, ids: &[SessionId]) -> Result<u64, Failure> {
        self.changed(self.control.delete_many(ids))
    }

    pub(crate) fn delete_user(&self, user: &UserKey, except: &[SessionId]) -> Result<u64, Failure> {
        self.changed(self.control.delete_user(user, except))
    }

    pub(crate) fn delete_all(&self) -> Result<u64, Failure> {
        self.changed(self.control.delete_all())
    }

    pub(crate) fn prune(&self, at_most: usize) -> Result<Pruned, Failure> {
        self.changed(self.control.prune(at_most))
    }

    fn looked<T>(&self, answer: Result<T, ControlError>) -> Result<T, Failure> {
        answer.map_err(|error| self.failed(error, false))
    }

    fn changed<T>(&self, answer: Result<T, ControlError>) -> Result<T, Failure> {
        answer.map_err(|error| self.failed(error, true))
    }

    fn failed(&self, error: ControlError, may_have_changed: bool) -> Failure {
        match error {
            ControlError::TimedOut { .. } => Failure::NoAnswer {
                path: self.path.clone(),
                waited: self.patience,
                may_have_changed,
            },
            error => error.into(),
        }
    }
}

/// Returns where a server listens that has a file open.
pub(super) fn socket(path: &Path) -> PathBuf {
    let mut socket = path.as_os_str().to_owned();
    socket.push(".control");
    socket.into()
}

/// Says whether somebody listens beside a file, also if the file is gone.
pub(super) fn listens(path: &Path) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::net::UnixStream::connect(socket(path)).is_ok()
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Says why a server could not be reached.
pub(super) fn unreached(error: ControlError, path: &Path, option: &'static str) -> Failure {
    match error {
        ControlError::TimedOut { waited } => Failure::NoAnswer {
            path: path.to_owned(),
            waited,
            may_have_changed: false,
        },
        ControlError::OtherBucket { wanted, found } => Failure::NoBucket {
            wanted,
            found: vec![found],
            option,
        },
        ControlError::OtherFile { socket, .. } => Failure::OtherFile {
            path: path.to_owned(),
            socket,
        },
        error => error.into(),
    }
}
