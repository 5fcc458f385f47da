//! All access to the sessions.
//!
//! They lie in a file. If no process has it open, it is opened; if a server has, and listens, the server
//! is asked.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_executor::block_on;
use futures_util::future::join_all;
use sessionup_core::{Record, Session, SessionId, Store, StoreError, StoreExt, Timestamp, UserKey};
use sessionup_redb::{
    Compacted, Control, ControlError, FileReader, Found, FoundSession, OpenError, RedbStore,
    RedbStoreBuilder, Report, compact_file, verify_file,
};

use crate::args;
use crate::failure::Failure;

/// Where sessions are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    bucket: String,
    wait: Duration,
}

impl From<&args::Place> for Place {
    fn from(args: &args::Place) -> Self {
        Self {
            path: args.db.clone(),
            bucket: args.bucket.clone(),
            wait: args.wait.wait,
        }
    }
}

impl From<&args::Redb> for Place {
    fn from(args: &args::Redb) -> Self {
        Self {
            path: args.db.clone(),
            bucket: args.db_bucket.clone(),
            wait: args.wait.wait,
        }
    }
}

impl Place {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether there is a file.
    pub(crate) fn is_there(&self) -> Result<bool, Failure> {
        match fs::metadata(&self.path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Failure::Io {
                doing: format!("{} cannot be looked at", self.path.display()),
                source,
            }),
        }
    }

    /// Opens the sessions to be looked at. Makes and changes nothing.
    pub(crate) fn look(&self) -> Result<View, Failure> {
        self.must_be_there()?;
        // Whoever listens need not be waited for.
        match self.read(Duration::ZERO) {
            Err(Failure::InUse { .. }) => {}
            reader => return Ok(View::File(reader?)),
        }
        match Control::connect(&self.path, &self.bucket) {
            Ok(server) => Ok(View::Server(server)),
            Err(ControlError::NobodyListens { .. }) => Ok(View::File(self.read(self.wait)?)),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the records of a file that no server has open: none shows them.
    pub(crate) fn records(&self) -> Result<Records, Failure> {
        self.must_be_there()?;
        Ok(Records(self.read(self.wait)?))
    }

    /// The same for a place where there may be nothing yet, neither file nor bucket.
    pub(crate) fn look_if_there(&self) -> Result<Option<View>, Failure> {
        if !self.is_there()? {
            return Ok(None);
        }
        match self.read(self.wait) {
            Ok(reader) => Ok(Some(View::File(reader))),
            Err(Failure::Open(OpenError::NoBucket { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, wait: Duration) -> Result<FileReader, Failure> {
        Ok(FileReader::open(&self.path, &self.bucket, wait)?)
    }

    /// Opens the sessions to be changed. Makes nothing.
    pub(crate) fn change(&self) -> Result<Changes, Failure> {
        // A look at first, so that no file and no bucket is made.
        match self.look()? {
            View::Server(server) => Ok(Changes::Server(server)),
            View::File(reader) => {
                drop(reader);
                Ok(Changes::Store(self.make()?))
            }
        }
    }

    /// Opens a store, and makes the file and the bucket if they are not there.
    pub(crate) fn make(&self) -> Result<RedbStore, Failure> {
        Ok(self.builder().open(&self.path)?)
    }

    /// Checks everything; says whether the pages of the file are among it.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(Report, bool), Failure> {
        match self.look()? {
            View::Server(server) => Ok((server.verify(Some(now))?, false)),
            View::File(reader) => {
                drop(reader);
                Ok((self.check_copy(&self.path, now)?, true))
            }
        }
    }

    /// Checks a copy of the file as the file itself.
    pub(crate) fn check_copy(&self, copy: &Path, now: Timestamp) -> Result<Report, Failure> {
        Ok(verify_file(copy, &self.bucket, Some(now))?)
    }

    pub(crate) fn compact(&self) -> Result<Compacted, Failure> {
        self.must_be_there()?;
        Ok(compact_file(&self.path, &self.bucket, self.wait)?)
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
        Err(Failure::NoFile {
            path: self.path.clone(),
        })
    }

    fn builder(&self) -> RedbStoreBuilder {
        let builder = RedbStore::builder()
            .bucket(&self.bucket)
            .lock_wait(self.wait)
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

/// Sessions that can be looked at. Those whose time is over are among them.
#[derive(Debug)]
pub(crate) enum View {
    File(FileReader),
    Server(Control),
}

impl View {
    /// Meets every session once, in the order of ids. Stops at the first error of `meet`.
    pub(crate) fn each(
        &self,
        meet: impl FnMut(SessionId, Result<Session, StoreError>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let piece = |last| match self {
            Self::File(reader) => Ok(sessions(reader.after(last, PIECE)?)),
            Self::Server(server) => Ok(server.after(last, PIECE)?),
        };
        walk(piece, meet)
    }

    pub(crate) fn find(&self, id: SessionId) -> Result<Option<FoundSession>, Failure> {
        Ok(match self {
            Self::File(reader) => reader.find(id)?.map(session),
            Self::Server(server) => server.find(id)?,
        })
    }

    pub(crate) fn of_user(&self, user: &UserKey) -> Result<Vec<FoundSession>, Failure> {
        Ok(match self {
            Self::File(reader) => sessions(reader.of_user(user)?),
            Self::Server(server) => server.of_user(user)?,
        })
    }

    pub(crate) fn count(&self) -> Result<u64, Failure> {
        Ok(match self {
            Self::File(reader) => reader.count()?,
            Self::Server(server) => server.count()?,
        })
    }

    /// Returns how many bytes the sessions take.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        Ok(match self {
            Self::File(reader) => reader.bytes()?,
            Self::Server(server) => server.bytes()?,
        })
    }
}

/// The records of a file, with what tells tokens.
#[derive(Debug)]
pub(crate) struct Records(FileReader);

impl Records {
    /// As [`View::each`].
    pub(crate) fn each(
        &self,
        meet: impl FnMut(SessionId, Result<Record, StoreError>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        walk(|last| Ok(self.0.after(last, PIECE)?), meet)
    }

    pub(crate) fn count(&self) -> Result<u64, Failure> {
        Ok(self.0.count()?)
    }
}

/// How many are read at once.
const PIECE: usize = 256;

/// Asks for one piece after the other, each from the first after an id.
fn walk<T>(
    mut piece: impl FnMut(Option<SessionId>) -> Result<Vec<(SessionId, T)>, Failure>,
    mut meet: impl FnMut(SessionId, T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut last = None;
    loop {
        let batch = piece(last)?;
        let Some((id, _)) = batch.last() else {
            return Ok(());
        };
        last = Some(*id);
        for (id, found) in batch {
            meet(id, found)?;
        }
    }
}

fn sessions(found: Vec<Found>) -> Vec<FoundSession> {
    found.into_iter().map(session).collect()
}

fn session((id, record): Found) -> FoundSession {
    (id, record.map(|record| record.session))
}

/// Sessions that can be changed. What is answered is on the disk.
#[derive(Debug)]
pub(crate) enum Changes {
    Store(RedbStore),
    Server(Control),
}

impl Changes {
    /// Ends sessions; says how many were there. If it fails, some of them have ended.
    pub(crate) fn end(&self, ids: &[SessionId]) -> Result<u64, Failure> {
        // For one commit to take many, and a request not to be too long.
        const AT_ONCE: usize = 256;
        let mut ended = 0;
        for ids in ids.chunks(AT_ONCE) {
            match self {
                Self::Server(server) => ended += server.delete_many(ids)?,
                Self::Store(store) => {
                    let ending = ids.iter().map(|id| store.delete(*id, None));
                    for was_there in block_on(join_all(ending)) {
                        ended += u64::from(was_there?);
                    }
                }
            }
        }
        Ok(ended)
    }

    /// Ends the sessions of a user but some; says how many.
    pub(crate) fn end_user(&self, user: &UserKey, except: &[SessionId]) -> Result<u64, Failure> {
        Ok(match self {
            Self::Store(store) => block_on(store.delete_user(user, except))?.deleted,
            Self::Server(server) => server.delete_user(user, except)?,
        })
    }

    /// Says by which time may be deleted what has ended: `now`, or when the clock has jumped since the
    /// sessions were last used, the time before that. A server sees to that itself.
    pub(crate) fn safe_to_prune(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Store(store) => store.watermark().observe(now).prune_up_to,
            Self::Server(_) => now,
        }
    }

    /// Deletes what has ended; says how many. A server goes by its own clock.
    pub(crate) fn prune(&self, now: Timestamp) -> Result<u64, Failure> {
        const BATCH: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
        match self {
            Self::Store(store) => Ok(block_on(store.prune_all(now, BATCH))?),
            Self::Server(server) => {
                let mut deleted = 0;
                loop {
                    let pruned = server.prune(BATCH.get())?;
                    deleted += pruned.deleted;
                    if !pruned.more {
                        return Ok(deleted);
                    }
                }
            }
        }
    }

    /// Returns when the file is free, if it was opened here.
    pub(crate) fn close(self) {
        match self {
            Self::Store(store) => block_on(store.close()),
            Self::Server(_) => {}
        }
    }
}
