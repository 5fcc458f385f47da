//! Who asks a store from outside.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessionup_core::{Pruned, SessionId, StoreError, Timestamp, UserKey};

use crate::control::error::ControlError;
use crate::control::protocol::{
    Answer, FoundSession, LONGEST_ANSWER, LONGEST_REQUEST, PIECE, PROTOCOL, Refusal, Request,
    SentPath, User, Wish, read_frame, write_frame,
};
use crate::control::socket;
use crate::health::Health;
use crate::identity::Identity;
use crate::verify::Report;

/// Asks the store of another process, which has its database open and was opened with
/// [`control`](crate::RedbStoreBuilder::control) or
/// [`control_beside`](crate::RedbStoreBuilder::control_beside).
///
/// For tools. What is asked for is done by the store itself: what it answers as done is durable, and
/// seen by its own process at once. Each call connects anew, so nothing is held while none is
/// running; it blocks the thread.
///
/// - Sessions are returned whether or not their time is over. Hashes of secrets are not. A record that
///   cannot be read is told of in its place, as [`StoreError::CorruptRecord`], and holds up no other.
/// - Sessions that may or may not be gone after a failed commit are refused by the store, and are
///   not returned either.
///
/// # Errors
///
/// All calls: [`ControlError`], by what to do about it. A change whose outcome is unknown is
/// [`ControlError::Unanswered`], or [`ControlError::Store`] with [`StoreError::OutcomeUnknown`].
///
/// # Example
///
/// ```
/// # #[cfg(unix)]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sessionup_redb::{Control, RedbStore};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// // In the server:
/// let store = RedbStore::builder().control(true).open(&path)?;
///
/// // In another process of the same user:
/// let control = Control::connect(&path, "sessions")?;
/// assert_eq!(control.count()?, 0);
/// # drop(store);
/// # Ok(())
/// # }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Control {
    socket: PathBuf,
    bucket: String,
    patience: Duration,
}

impl Control {
    /// Finds the store that has the database at a path open, and asks how it is and which file it has.
    ///
    /// # Errors
    ///
    /// [`ControlError::NobodyListens`] also if there is no file, [`ControlError::OtherFile`] if a store
    /// listens whose file was replaced or deleted.
    pub fn connect(database: impl AsRef<Path>, bucket: &str) -> Result<Self, ControlError> {
        Self::connect_within(database, bucket, Duration::from_secs(30))
    }

    /// As [`connect`](Control::connect), and waits so long for each answer, also for the first. See
    /// [`patience`](Control::patience).
    ///
    /// # Errors
    ///
    /// As [`connect`](Control::connect).
    pub fn connect_within(
        database: impl AsRef<Path>,
        bucket: &str,
        patience: Duration,
    ) -> Result<Self, ControlError> {
        let database = database.as_ref();
        let socket = socket::beside(database).map_err(|error| unreached(database, error))?;
        let control = Self {
            socket,
            bucket: bucket.to_owned(),
            patience,
        };
        control.health()?;
        control.check_file(database)?;
        Ok(control)
    }

    /// Fails if the store has another file open than the one that a path leads to.
    fn check_file(&self, database: &Path) -> Result<(), ControlError> {
        let Answer::File {
            identity,
            is_displaced,
        } = self.ask(Wish::File, Some(self.patience))?
        else {
            return Err(unexpected());
        };
        if is_displaced || !is_same_file(fs::metadata(database), identity) {
            return Err(ControlError::OtherFile {
                path: database.to_owned(),
                socket: self.socket.clone(),
            });
        }
        Ok(())
    }

    /// Waits so long for an answer, or longer where that is said. Defaults to 30 seconds.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns at most so many sessions in the order of their ids, from the first one after an id; it
    /// may be fewer. None is the end.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn after(
        &self,
        last: Option<SessionId>,
        at_most: usize,
    ) -> Result<Vec<FoundSession>, ControlError> {
        // None would be the end.
        let at_most = at_most.clamp(1, PIECE);
        self.found(Wish::After { last, at_most })
    }

    /// Returns a session.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn find(&self, id: SessionId) -> Result<Option<FoundSession>, ControlError> {
        Ok(self.found(Wish::Find { id })?.pop())
    }

    /// Returns the sessions of exactly this user in the order of their ids.
    ///
    /// Asks several times if there are many: what is made or ended meanwhile is returned or not.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn of_user(&self, user: &UserKey) -> Result<Vec<FoundSession>, ControlError> {
        let mut found = Vec::<FoundSession>::new();
        loop {
            let last = found.last().map(|(id, _)| *id);
            let piece = self.of_user_after(user, last)?;
            if piece.is_empty() {
                return Ok(found);
            }
            found.extend(piece);
        }
    }

    /// Returns some sessions of exactly this user in the order of their ids, from the first one after an
    /// id. None is the end.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn of_user_after(
        &self,
        user: &UserKey,
        last: Option<SessionId>,
    ) -> Result<Vec<FoundSession>, ControlError> {
        let user = User(user.clone());
        self.found(Wish::OfUser { user, last })
    }

    /// Returns how many records there are, those that cannot be read included. Takes no time,
    /// unless the records of a large deletion are still being deleted: then all records are read, and
    /// it is refused as busy while another request takes long.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn count(&self) -> Result<u64, ControlError> {
        self.number(Wish::Count, Some(self.patience))
    }

    /// Returns how many bytes of the file the bucket takes, its indices included. Waits for it as long
    /// as it takes.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn bytes(&self) -> Result<u64, ControlError> {
        self.number(Wish::Bytes, None)
    }

    /// Says how the store is.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn health(&self) -> Result<Health, ControlError> {
        match self.ask(Wish::Health, Some(self.patience))? {
            Answer::Health(health) => Ok(health),
            _ => Err(unexpected()),
        }
    }

    /// Ends a session, if it is of this owner or none is given; says whether it did. See
    /// [`Store::delete`](sessionup_core::Store::delete).
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, ControlError> {
        let owner = owner.cloned().map(User);
        Ok(self.deleted(Wish::Delete { id, owner })? > 0)
    }

    /// Ends sessions, whoever's they are; says how many were there. If it fails, some of them may have
    /// ended.
    ///
    /// # Errors
    ///
    /// As [`Control`] says; [`ControlError::TooLong`] from some twenty-five thousand ids on.
    pub fn delete_many(&self, ids: &[SessionId]) -> Result<u64, ControlError> {
        let ids = ids.to_vec();
        self.deleted(Wish::DeleteMany { ids })
    }

    /// Ends the sessions of exactly this user but these, all or none; says how many. Logins of the
    /// user that began before are refused. See
    /// [`Store::delete_user`](sessionup_core::Store::delete_user).
    ///
    /// # Errors
    ///
    /// As [`Control`] says; [`ControlError::TooLong`] from some twenty-five thousand ids on.
    pub fn delete_user(&self, user: &UserKey, except: &[SessionId]) -> Result<u64, ControlError> {
        self.deleted(Wish::DeleteUser {
            user: User(user.clone()),
            except: except.to_vec(),
        })
    }

    /// Ends the sessions of all users, all or none; says how many. Logins that began before are refused.
    /// See [`Store::delete_all`](sessionup_core::Store::delete_all).
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn delete_all(&self) -> Result<u64, ControlError> {
        self.deleted(Wish::DeleteAll)
    }

    /// Deletes at most so many records whose time is over, by the clock of the store and as careful
    /// with it as the store's own cleanup is.
    ///
    /// # Errors
    ///
    /// As [`Control`] says.
    pub fn prune(&self, at_most: usize) -> Result<Pruned, ControlError> {
        match self.ask(Wish::Prune { at_most }, Some(self.patience))? {
            Answer::Pruned { deleted, more } => Ok(Pruned::new(deleted, more)),
            _ => Err(unexpected()),
        }
    }

    /// Checks the bucket completely, as [`RedbStore::verify`](crate::RedbStore::verify) does. Waits
    /// for it as long as it takes.
    ///
    /// # Errors
    ///
    /// As [`Control`] says; [`ControlError::Busy`] while a check or a backup is running.
    pub fn verify(&self, now: Option<Timestamp>) -> Result<Report, ControlError> {
        let now = now.map(Timestamp::as_millis);
        match self.ask(Wish::Verify { now }, None)? {
            Answer::Report(report) => Ok(report),
            _ => Err(unexpected()),
        }
    }

    /// Has the store write a copy of its bucket as it is at one moment; says how many bytes it has.
    /// Waits for it as long as it takes.
    ///
    /// - The process of the store makes the file, with its permissions and in its view of the file
    ///   system. Nobody else can read it, and it must not be there before. It appears under its name
    ///   when it is whole and on the disk; if the caller is gone by then, or does not see it, it is
    ///   removed again.
    /// - It has the tables of the bucket and nothing else that may be in the file, and can be opened
    ///   as a store. Uses of the last moments may be missing.
    /// - While it is being written, what is deleted from the store keeps its room there.
    ///
    /// # Errors
    ///
    /// As [`Control`] says; [`ControlError::Backup`], [`ControlError::BackupDenied`],
    /// [`ControlError::BackupElsewhere`], [`ControlError::BackupExists`]; [`ControlError::Busy`] while
    /// a check or another backup is running.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<u64, ControlError> {
        let failed = |error: io::Error| ControlError::Backup {
            reason: error.to_string(),
        };
        let path = std::path::absolute(to).map_err(failed)?;
        if fs::symlink_metadata(&path).is_ok() {
            return Err(ControlError::BackupExists {
                path,
                is_seen_here: true,
            });
        }
        let sent = || SentPath(path.clone());
        let (bytes, identity) = match self.ask(Wish::Backup { path: sent() }, None) {
            Ok(Answer::Backup { bytes, identity }) => (bytes, identity),
            Ok(_) => return Err(unexpected()),
            Err(error) => return Err(of_backup(&path, error)),
        };
        if is_same_file(fs::symlink_metadata(&path), identity) {
            return Ok(bytes);
        }
        let discard = Wish::DiscardBackup { path: sent() };
        let discarded = self.ask(discard, Some(self.patience));
        Err(ControlError::BackupElsewhere {
            path,
            is_removed: matches!(discarded, Ok(Answer::Discarded(true))),
        })
    }

    fn found(&self, wish: Wish) -> Result<Vec<FoundSession>, ControlError> {
        let Answer::Found(found) = self.ask(wish, Some(self.patience))? else {
            return Err(unexpected());
        };
        let found = found.into_iter().map(|sent| {
            let found = sent.found();
            found.map_err(|reason| unanswered(io::Error::new(ErrorKind::InvalidData, reason)))
        });
        found.collect()
    }

    fn number(&self, wish: Wish, patience: Option<Duration>) -> Result<u64, ControlError> {
        match self.ask(wish, patience)? {
            Answer::Number(number) => Ok(number),
            _ => Err(unexpected()),
        }
    }

    fn deleted(&self, wish: Wish) -> Result<u64, ControlError> {
        match self.ask(wish, Some(self.patience))? {
            Answer::Deleted(deleted) => Ok(deleted),
            _ => Err(unexpected()),
        }
    }

    fn ask(&self, wish: Wish, patience: Option<Duration>) -> Result<Answer, ControlError> {
        let request = serde_json::to_vec(&Request {
            protocol: PROTOCOL,
            bucket: self.bucket.clone(),
            wish,
        });
        let request = request.map_err(|error| unanswered(error.into()))?;
        if request.len() > LONGEST_REQUEST {
            return Err(ControlError::TooLong);
        }
        let stream = socket::connect(&self.socket, patience.unwrap_or(self.patience));
        let stream = stream.map_err(|error| unreached(&self.socket, error))?;
        let until = patience.and_then(|patience| Instant::now().checked_add(patience));
        let sent = write_frame(&stream, &request, until);
        // A store that is busy says so without waiting for the request.
        let answer = match (sent, read_frame(&stream, LONGEST_ANSWER, until)) {
            (_, Ok(answer)) => answer,
            // What did not come wholly is not carried out.
            (Err(_), Err(_)) => return Err(ControlError::Busy),
            (Ok(()), Err(error)) if error.kind() == ErrorKind::TimedOut => {
                let waited = patience.unwrap_or_default();
                return Err(ControlError::TimedOut { waited });
            }
            (Ok(()), Err(error)) => return Err(unanswered(error)),
        };
        match serde_json::from_slice(&answer) {
            Ok(Answer::Refused(refusal)) => Err(self.refused(refusal)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(unanswered(error.into())),
        }
    }

    fn refused(&self, refusal: Refusal) -> ControlError {
        let store = ControlError::Store;
        match refusal {
            Refusal::Backup { reason } => ControlError::Backup { reason },
            Refusal::BackupDenied { user } => ControlError::BackupDenied {
                path: PathBuf::new(),
                user,
            },
            Refusal::BackupExists => ControlError::BackupExists {
                path: PathBuf::new(),
                is_seen_here: false,
            },
            Refusal::Bucket { found } => ControlError::OtherBucket {
                wanted: self.bucket.clone(),
                found,
            },
            Refusal::Busy => ControlError::Busy,
            Refusal::Closed => store(StoreError::Closed),
            Refusal::Corrupt { id, reason } => store(StoreError::corrupt(id, reason)),
            Refusal::Malformed { reason } => {
                unanswered(io::Error::new(ErrorKind::InvalidInput, reason))
            }
            Refusal::OutcomeUnknown { reason } => store(StoreError::outcome_unknown(reason)),
            Refusal::Overloaded => store(StoreError::Overloaded),
            Refusal::Protocol { spoken } => ControlError::OtherProtocol {
                ours: PROTOCOL,
                theirs: spoken,
            },
            Refusal::Unavailable { reason } => store(StoreError::unavailable(reason)),
        }
    }
}

/// Adds where a backup was to be, which its refusal does not repeat.
fn of_backup(to: &Path, error: ControlError) -> ControlError {
    let path = to.to_owned();
    match error {
        ControlError::BackupDenied { user, .. } => ControlError::BackupDenied { path, user },
        ControlError::BackupExists { is_seen_here, .. } => {
            ControlError::BackupExists { path, is_seen_here }
        }
        error => error,
    }
}

/// Says whether what was found can be a file that another process has, as far as it can be told.
fn is_same_file(found: io::Result<Metadata>, identity: Option<Identity>) -> bool {
    match found {
        Ok(found) => match (Identity::of(&found), identity) {
            (Some(here), Some(there)) => here.may_be(there),
            _ => true,
        },
        // What cannot be looked at may be there.
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

fn unreached(path: &Path, error: io::Error) -> ControlError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => {
            ControlError::NobodyListens { path }
        }
        ErrorKind::PermissionDenied => ControlError::PermissionDenied { path },
        // Too many others wait to be taken.
        ErrorKind::WouldBlock => ControlError::Busy,
        _ => ControlError::Io {
            path,
            source: Arc::new(error),
        },
    }
}

fn unanswered(error: io::Error) -> ControlError {
    ControlError::Unanswered {
        source: Arc::new(error),
    }
}

fn unexpected() -> ControlError {
    unanswered(io::Error::new(
        ErrorKind::InvalidData,
        "answer to something else",
    ))
}
