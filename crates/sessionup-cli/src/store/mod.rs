//! All access to the sessions.
//!
//! They lie in a file. If no process has it open, it is opened; if a server has, and listens, the server
//! is asked.

mod change;
mod look;
mod server;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessionup_core::Timestamp;
use sessionup_redb::{
    Compacted, ControlError, FileReader, OpenError, RedbStore, RedbStoreBuilder, Report,
    compact_file, verify_file,
};

pub(crate) use self::change::Changes;
pub(crate) use self::look::{Reading, Records, View};
pub(crate) use self::server::Server;
use crate::args;
use crate::escape;
use crate::failure::Failure;
use crate::output;

/// Where sessions are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// The bucket that was asked for.
    asked: Option<String>,
    /// The one that is taken if none was asked for: the only one that there is.
    only: OnceCell<String>,
    wait: Option<Duration>,
    /// The option by which a bucket is asked for.
    option: &'static str,
}

impl From<&args::Place> for Place {
    fn from(args: &args::Place) -> Self {
        Self {
            path: args.db.clone(),
            asked: args.bucket.clone(),
            only: OnceCell::new(),
            wait: args.wait.wait,
            option: "--bucket",
        }
    }
}

impl From<&args::Redb> for Place {
    fn from(args: &args::Redb) -> Self {
        Self {
            path: args.db.clone(),
            asked: args.db_bucket.clone(),
            only: OnceCell::new(),
            wait: args.wait.wait,
            option: "--db-bucket",
        }
    }
}

/// The bucket that a store has unless it was given another name.
const USUAL: &str = "sessions";

impl Place {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn bucket(&self) -> &str {
        let asked = self.asked.as_ref().or_else(|| self.only.get());
        asked.map_or(USUAL, String::as_str)
    }

    /// Returns how long to wait for a file that is in use.
    fn wait(&self) -> Duration {
        self.wait.unwrap_or(Duration::from_secs(2))
    }

    /// Says whether there is a file with something in it.
    pub(crate) fn is_there(&self) -> Result<bool, Failure> {
        match fs::metadata(&self.path) {
            Ok(found) if found.is_dir() => Err(Failure::Directory {
                path: self.path.clone(),
            }),
            Ok(found) => Ok(!found.is_file() || found.len() > 0),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Failure::Io {
                doing: format!("{} cannot be looked at", self.path.display()),
                source,
            }),
        }
    }

    /// Opens the sessions to be looked at. Makes and changes nothing.
    pub(crate) fn look(&self) -> Result<View, Failure> {
        self.look_by(|wait| self.read(wait))
    }

    fn look_by(
        &self,
        read: impl Fn(Duration) -> Result<FileReader, Failure>,
    ) -> Result<View, Failure> {
        self.must_be_there()?;
        // A server that listens need not be waited for. Without locks, nothing else shows that a server
        // has the file open.
        match read(Duration::ZERO) {
            Err(Failure::InUse { .. } | Failure::Open(OpenError::LocksUnsupported { .. })) => {
                if let Some(server) = self.server()? {
                    return Ok(View::Server(server));
                }
            }
            // One that is being stopped gives its file free first.
            Err(Failure::OtherFile { .. }) => {}
            reader => return Ok(View::File(reader?)),
        }
        match read(self.wait()) {
            // The server that was waited for may listen by now.
            Err(in_use @ Failure::InUse { .. }) => self.server()?.map(View::Server).ok_or(in_use),
            reader => Ok(View::File(reader?)),
        }
    }

    /// Opens the records of a file that no server has open: none shows them.
    pub(crate) fn records(&self) -> Result<Records, Failure> {
        self.must_be_there()?;
        Ok(Records(self.alone(self.read(self.wait()))?))
    }

    /// The same bucket of another file.
    pub(crate) fn at(&self, path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// The same place, with the bucket that was found at another.
    pub(crate) fn with_bucket_of(&self, other: &Self) -> Self {
        Self {
            path: self.path.clone(),
            ..other.clone()
        }
    }

    /// Opens what a restored file is to replace. No server can open it while this is held.
    pub(crate) fn present(&self) -> Result<Present, Failure> {
        if !self.is_there()? {
            return match server::listens(&self.path) {
                true => Err(self.missing()),
                false => Ok(Present::Nothing),
            };
        }
        match self.alone(self.read(self.wait())) {
            Ok(reader) => {
                self.must_be_heard()?;
                Ok(Present::Readable(Records(reader)))
            }
            // A server that does not listen may have the file open: it must not be replaced.
            Err(failure @ Failure::Open(OpenError::LocksUnsupported { .. })) => Err(failure),
            // The check for such a server comes after a file was read.
            Err(Failure::Open(_)) if server::listens(&self.path) => Err(Failure::OtherFile {
                path: self.path.clone(),
                socket: server::socket(&self.path),
            }),
            Err(failure @ Failure::Open(_)) => Ok(Present::Unreadable(failure.line())),
            Err(failure) => Err(failure),
        }
    }

    /// The same for a place where there may be nothing yet, neither file nor bucket.
    pub(crate) fn look_if_there(&self) -> Result<Option<View>, Failure> {
        if !self.is_there()? {
            return Ok(None);
        }
        let read = FileReader::open(&self.path, self.bucket(), self.wait());
        match read {
            Err(OpenError::NoBucket { found, .. }) if self.asked.is_some() || found.is_empty() => {
                Ok(None)
            }
            read => {
                let reader = self.alone(read.map_err(|error| self.unopened(error)))?;
                Ok(Some(View::File(reader)))
            }
        }
    }

    /// Reads sessions piece by piece.
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading::new(self)
    }

    /// Opens the file, and its only bucket if none was asked for.
    fn read(&self, wait: Duration) -> Result<FileReader, Failure> {
        let open = || FileReader::open(&self.path, self.bucket(), wait);
        match open() {
            Err(OpenError::NoBucket { found, .. }) if self.take_only(&found) => {
                open().map_err(|error| self.unopened(error))
            }
            opened => opened.map_err(|error| self.unopened(error)),
        }
    }

    /// Takes the only bucket that there is, unless one was asked for. Says whether it did.
    fn take_only(&self, found: &[String]) -> bool {
        let [only] = found else { return false };
        if self.asked.is_some() || self.only.set(only.clone()).is_err() {
            return false;
        }
        output::hint(&format!("bucket {}, the only one", escape::quoted(only)));
        true
    }

    fn unopened(&self, error: OpenError) -> Failure {
        Failure::of_open(error, &self.path, self.option)
    }

    /// Connects to the server that has the file open, if it listens.
    fn server(&self) -> Result<Option<Server>, Failure> {
        match Server::connect(&self.path, self.bucket(), self.wait) {
            Ok(server) => Ok(Some(server)),
            Err(ControlError::NobodyListens { .. }) => Ok(None),
            Err(ControlError::OtherBucket { found, .. })
                if self.take_only(std::slice::from_ref(&found)) =>
            {
                self.server()
            }
            Err(error) => Err(server::unreached(error, &self.path, self.option)),
        }
    }

    /// Fails if a server may listen that this process may not ask: it would not hear of a change.
    fn must_be_heard(&self) -> Result<(), Failure> {
        match Server::connect(&self.path, self.bucket(), self.wait) {
            Err(source @ (ControlError::PermissionDenied { .. } | ControlError::Io { .. })) => {
                Err(Failure::Unheard {
                    path: self.path.clone(),
                    source,
                })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Says what a command that needs the file for itself cannot do beside a server.
    fn alone<T>(&self, opened: Result<T, Failure>) -> Result<T, Failure> {
        opened.map_err(|failure| match failure {
            Failure::InUse { path, .. } if matches!(self.server(), Ok(Some(_))) => {
                Failure::NeedsFile { path }
            }
            failure => failure,
        })
    }

    /// Opens the sessions to be changed. Makes nothing.
    pub(crate) fn change(&self) -> Result<Changes, Failure> {
        // A look at first, so that no file and no bucket is made.
        match self.look()? {
            View::Server(server) => return Ok(Changes::Server(server)),
            View::File(reader) => drop(reader),
        }
        match self.open() {
            // A server has started since.
            Err(in_use @ Failure::InUse { .. }) => {
                self.server()?.map(Changes::Server).ok_or(in_use)
            }
            store => Ok(Changes::Store(store?)),
        }
    }

    /// Opens a store, and makes the file and the bucket if they are not there.
    pub(crate) fn make(&self) -> Result<RedbStore, Failure> {
        self.alone(self.open())
    }

    fn open(&self) -> Result<RedbStore, Failure> {
        let store = self.builder().open(&self.path);
        let store = store.map_err(|error| self.unopened(error))?;
        self.must_be_heard()?;
        Ok(store)
    }

    /// Checks everything; says whether the pages of the file are among it.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(Report, bool), Failure> {
        match self.look()? {
            View::Server(server) => Ok((server.verify(now)?, false)),
            View::File(reader) => {
                drop(reader);
                Ok((self.check_copy(&self.path, now)?, true))
            }
        }
    }

    /// Checks a copy of the file as the file itself.
    pub(crate) fn check_copy(&self, copy: &Path, now: Timestamp) -> Result<Report, Failure> {
        let report = verify_file(copy, self.bucket(), Some(now));
        report.map_err(|error| Failure::of_open(error, copy, self.option))
    }

    pub(crate) fn compact(&self) -> Result<Compacted, Failure> {
        self.must_be_there()?;
        // It also finds the bucket.
        drop(self.records()?);
        let compacted = compact_file(&self.path, self.bucket(), self.wait());
        self.alone(compacted.map_err(|error| self.unopened(error)))
    }

    /// Returns how many bytes the file has.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        let found = fs::metadata(&self.path);
        let failed =
            crate::failure::while_doing(format!("{} cannot be looked at", self.path.display()));
        Ok(found.map_err(failed)?.len())
    }

    fn must_be_there(&self) -> Result<(), Failure> {
        if self.is_there()? {
            return Ok(());
        }
        Err(self.missing())
    }

    /// Says what is wrong with a place where there is nothing.
    fn missing(&self) -> Failure {
        let path = self.path.clone();
        if server::listens(&path) {
            return Failure::FileGone { path };
        }
        if fs::symlink_metadata(&path).is_ok() {
            return Failure::Empty { path };
        }
        Failure::NoFile { path }
    }

    fn builder(&self) -> RedbStoreBuilder {
        let builder = RedbStore::builder()
            .bucket(self.bucket())
            .lock_wait(self.wait())
            // What is deleted is what was asked for.
            .cleanup_interval(Duration::ZERO)
            .readers(NonZeroUsize::MIN);
        // The room that a server keeps may be used; none is taken for it.
        if self.reserve().exists() {
            builder
        } else {
            builder.reserve_bytes(0)
        }
    }

    fn reserve(&self) -> PathBuf {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(".reserve");
        name.into()
    }
}

/// What is in the place of a file that is to be restored.
#[derive(Debug)]
pub(crate) enum Present {
    Nothing,
    Readable(Records),
    /// Why it cannot be read.
    Unreadable(String),
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn place(path: &Path) -> Place {
        Place {
            path: path.to_owned(),
            asked: None,
            only: OnceCell::new(),
            wait: Some(Duration::ZERO),
            option: "--bucket",
        }
    }

    fn without_locks(path: &Path) -> Result<FileReader, Failure> {
        let path = path.to_owned();
        Err(OpenError::LocksUnsupported { path }.into())
    }

    #[test]
    fn look_without_locks_asks_listening_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.redb");
        let _server = RedbStore::builder()
            .reserve_bytes(0)
            .control(true)
            .open(&path)
            .unwrap();
        let view = place(&path).look_by(|_| without_locks(&path));
        let Ok(View::Server(server)) = view else {
            panic!("{view:?}");
        };
        assert_eq!(server.count().unwrap(), 0);
    }

    #[test]
    fn look_without_locks_or_server_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.redb");
        drop(RedbStore::builder().reserve_bytes(0).open(&path).unwrap());
        let view = place(&path).look_by(|_| without_locks(&path));
        assert!(
            matches!(&view, Err(Failure::Open(OpenError::LocksUnsupported { path: named })) if *named == path),
            "{view:?}"
        );
    }
}
