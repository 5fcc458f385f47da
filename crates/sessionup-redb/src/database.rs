//! The place of the open database, which can break and be opened anew beneath its readers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use redb::{Database, TransactionError};
use sessionup_core::StoreError;
use sessionup_core::store::Cause;

use crate::error::{Failure, Halt, is_lasting};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{PoisonError, RwLock, RwLockReadGuard};

#[derive(Debug)]
pub(crate) struct Place {
    state: RwLock<State>,
    /// The same for those who must not wait.
    is_broken: AtomicBool,
}

#[derive(Debug)]
enum State {
    Open(Arc<Database>),
    Broken(Cause),
    Closed,
}

impl Place {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self {
            state: RwLock::new(State::Open(database)),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Reads from the database, which stays open until this returns.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Halt>,
    ) -> Result<T, ReadFailure> {
        let place = self.hold()?;
        work(place.database()?).map_err(ReadFailure::from)
    }

    /// Keeps the database open for as long as what is returned is held.
    pub(crate) fn hold(&self) -> Result<HeldPlace<'_>, ReadFailure> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let place = HeldPlace(state);
        place.database()?;
        Ok(place)
    }

    /// Returns the database for the writer, who alone may take it away.
    pub(crate) fn database(&self) -> Result<Arc<Database>, Failure> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Open(database) => Ok(Arc::clone(database)),
            State::Broken(cause) => Err(Failure::no_database(Arc::clone(cause))),
            State::Closed => Err(Failure::no_database(Arc::new(Closed))),
        }
    }

    /// Says whether there is an open database that refuses all work.
    pub(crate) fn has_failed(&self) -> bool {
        let Ok(database) = self.database() else {
            return false;
        };
        // Asks before it looks whether somebody else is writing.
        match database.try_begin_write() {
            Err(TransactionError::Storage(error)) => is_lasting(&error.into()),
            Ok(_) | Err(_) => false,
        }
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.database().is_ok()
    }

    pub(crate) fn open(&self, database: Database) {
        self.change(State::Open(Arc::new(database)));
    }

    /// Takes the database away, once those who read from it are done.
    pub(crate) fn break_down(&self, cause: Cause) {
        self.change(State::Broken(cause));
    }

    pub(crate) fn close(&self) {
        self.change(State::Closed);
    }

    fn change(&self, state: State) {
        let is_broken = matches!(state, State::Broken(_));
        let mut place = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.is_broken.store(is_broken, Ordering::Relaxed);
        let before = std::mem::replace(&mut *place, state);
        drop(place);
        // Closing a database writes; after a panic beneath it, that may panic too.
        if std::panic::catch_unwind(AssertUnwindSafe(|| drop(before))).is_err() {
            tracing::error!(target: "sessionup_redb", "closing the session database panicked");
        }
    }
}

/// The place of a database that nobody takes away.
#[derive(Debug)]
pub(crate) struct HeldPlace<'a>(RwLockReadGuard<'a, State>);

impl HeldPlace<'_> {
    pub(crate) fn database(&self) -> Result<&Database, ReadFailure> {
        match &*self.0 {
            State::Open(database) => Ok(database),
            State::Broken(cause) => Err(ReadFailure::Once(StoreError::Unavailable {
                source: Arc::clone(cause),
            })),
            State::Closed => Err(ReadFailure::Once(StoreError::Closed)),
        }
    }
}

/// Why nothing could be read.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    /// The database failed for good; it must be opened anew.
    Lasting(Cause),
    /// This read failed.
    Once(StoreError),
}

impl From<Halt> for ReadFailure {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Refused(error) => Self::Once(error),
            Halt::Broken(error) if is_lasting(&error) => Self::Lasting(Arc::new(error)),
            Halt::Broken(error) => Self::Once(StoreError::unavailable(error)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("session database is closed")]
struct Closed;
