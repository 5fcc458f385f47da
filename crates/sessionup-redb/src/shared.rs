//! What the handles of a store and its threads share.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use futures_channel::oneshot;
use redb::Database;
use sessionup_core::store::{Cause, Epochs, SharedState};
use sessionup_core::{SessionId, UserKey};

use crate::cache::Cache;
use crate::database::Place;
use crate::doubt::{Doubts, Revocations};
use crate::error::OpenError;
use crate::health::{Board, DatabaseState, Health};
use crate::identity::Watched;
use crate::marks::{Entries, Kept};
use crate::queue::Queue;
use crate::reader::Read;
use crate::reserve::Keeper;
use crate::schema::Schema;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::tombstones::{Revocation, Tombstones};
use crate::touches::Touches;
use crate::unlisted::Unlisted;
use crate::walk::Whose;
use crate::writer::operation::Task;
use crate::writer::prune::Progress;

/// What a store keeps in memory of its sessions.
pub(crate) struct Memory {
    pub(crate) touches: Touches,
    pub(crate) cache: Cache,
    pub(crate) unlisted: Unlisted,
    pub(crate) tombstones: Tombstones,
}

/// Opens the database anew after it failed.
pub(crate) type Opener = Box<dyn Fn() -> Result<Database, OpenError> + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) schema: Schema,
    pub(crate) place: Place,
    pub(crate) opener: Option<Opener>,
    pub(crate) touches: Touches,
    pub(crate) doubts: Doubts,
    pub(crate) cache: Cache,
    pub(crate) unlisted: Arc<Unlisted>,
    pub(crate) tombstones: Arc<Tombstones>,
    pub(crate) writes: Queue<Box<dyn Task>>,
    pub(crate) reads: Queue<Read>,
    pub(crate) pruning: Arc<Progress>,
    pub(crate) epochs: Arc<Epochs>,
    /// What all managers over the store share.
    pub(crate) managers: SharedState,
    /// What the disk has of the watermark.
    pub(crate) kept: Kept,
    pub(crate) board: Board,
    /// The file of the database, if it is known.
    pub(crate) file: Option<Watched>,
    /// For the writer, who alone opens and closes the database.
    reserve: Mutex<Keeper>,
    pub(crate) ended: Latch,
    claim: Mutex<Option<Claim>>,
    suspicion: Mutex<Option<Cause>>,
}

impl Shared {
    pub(crate) fn new(
        schema: Schema,
        source: Source,
        keeper: Keeper,
        memory: Memory,
        queue: NonZeroUsize,
        kept: Entries,
    ) -> Self {
        let Memory {
            touches,
            cache,
            unlisted,
            tombstones,
        } = memory;
        let (place, opener, claim) = match source {
            Source::Owned(database, opener) => (Arc::new(database), Some(opener), None),
            Source::Borrowed(claim) => (Arc::clone(&claim.database), None, Some(claim)),
        };
        let board = Board::default();
        board.set_reserve(keeper.state());
        Self {
            schema,
            place: Place::new(place),
            opener,
            touches,
            doubts: Doubts::default(),
            cache,
            unlisted: Arc::new(unlisted),
            tombstones: Arc::new(tombstones),
            writes: Queue::new(queue, (queue.get() / 4).max(RESERVED)),
            reads: Queue::new(queue, RESERVED),
            pruning: Arc::default(),
            epochs: Arc::default(),
            managers: SharedState::resuming(kept.marks()),
            kept: Kept::new(kept),
            board,
            file: None,
            reserve: Mutex::new(keeper),
            ended: Latch::default(),
            claim: Mutex::new(claim),
            suspicion: Mutex::new(None),
        }
    }

    /// Refuses new work. What was taken on is still done.
    pub(crate) fn refuse_work(&self) {
        self.board.set(|board| &board.is_closed, true);
        self.reads.close();
        self.writes.close();
    }

    /// Does something about the room that is kept for revocations, and shows what came of it.
    pub(crate) fn with_reserve<T>(&self, work: impl FnOnce(&mut Keeper) -> T) -> T {
        let mut reserve = lock(&self.reserve);
        let done = work(&mut reserve);
        self.board.set_reserve(reserve.state());
        done
    }

    pub(crate) fn put_in_doubt(
        &self,
        ids: impl IntoIterator<Item = SessionId>,
        revocations: &[Revocation],
    ) {
        self.doubts.add(ids, revocations);
        self.board.set_in_doubt(self.doubts.len());
    }

    /// Forgets sessions that are durably gone, and large deletions that have durably happened.
    pub(crate) fn settle(&self, ids: &[SessionId], revocations: &Revocations) {
        self.doubts.settle(ids, revocations);
        self.board.set_in_doubt(self.doubts.len());
    }

    /// Takes the database away, once those who read from it are done. What they read of it may be
    /// something else when it was opened anew.
    pub(crate) fn break_down(&self, cause: Cause) {
        self.place.break_down(cause);
        self.cache.clear();
    }

    /// Says whether a user has more sessions than are deleted in one transaction.
    pub(crate) fn has_many(&self, user: &UserKey) -> bool {
        let at_once = self.tombstones.at_once();
        if let Some(left) = self.tombstones.left(user) {
            return left > at_once;
        }
        let read = self.place.read(|database| {
            let (transaction, unlisted) = self.unlisted.read(database, user, None, usize::MAX)?;
            let by_user = transaction.open_table(self.schema.by_user())?;
            let whose = Whose {
                user,
                unlisted: &unlisted,
            };
            let ids = whose.ids(&by_user, None, at_once.saturating_add(1))?;
            Ok(ids.len() > at_once)
        });
        // What cannot be read is found by the transaction.
        read.unwrap_or(false)
    }

    pub(crate) fn health(&self) -> Health {
        self.board.health(DatabaseState {
            is_broken: self.place.is_broken(),
            reopens: self.opener.is_some(),
            is_displaced: self.file.as_ref().is_some_and(Watched::is_displaced),
        })
    }

    /// Tells the writer that the database failed a reader.
    pub(crate) fn suspect(&self, cause: Cause) {
        *lock(&self.suspicion) = Some(cause);
        self.writes.wake();
    }

    pub(crate) fn take_suspicion(&self) -> Option<Cause> {
        lock(&self.suspicion).take()
    }

    /// Gives the database back, at the end of the last thread.
    pub(crate) fn release(&self) {
        self.place.close();
        drop(lock(&self.claim).take());
        self.ended.open();
    }
}

/// Least room that revocations have for themselves, also to count what they ended.
const RESERVED: usize = 16;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("bucket", &self.schema.bucket())
            .finish_non_exhaustive()
    }
}

/// Whose database it is.
pub(crate) enum Source {
    Owned(Database, Opener),
    Borrowed(Claim),
}

impl Source {
    pub(crate) fn database(&self) -> &Database {
        match self {
            Self::Owned(database, _) => database,
            Self::Borrowed(claim) => claim.database(),
        }
    }
}

/// The only store of this process on a bucket of somebody's database.
#[derive(Debug)]
pub(crate) struct Claim {
    database: Arc<Database>,
    bucket: String,
}

static CLAIMS: Mutex<BTreeSet<(usize, String)>> = Mutex::new(BTreeSet::new());

impl Claim {
    pub(crate) fn new(database: Arc<Database>, bucket: &str) -> Result<Self, OpenError> {
        let bucket = bucket.to_owned();
        let is_first = lock(&CLAIMS).insert(key(&database, &bucket));
        if is_first {
            Ok(Self { database, bucket })
        } else {
            Err(OpenError::BucketInUse { bucket })
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

/// A claim holds its database, so no other one has the same address.
fn key(database: &Arc<Database>, bucket: &str) -> (usize, String) {
    (Arc::as_ptr(database).addr(), bucket.to_owned())
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&CLAIMS).remove(&key(&self.database, &self.bucket));
    }
}

/// An event that many can wait for, also those who come late.
#[derive(Debug, Default)]
pub(crate) struct Latch(Mutex<LatchState>);

#[derive(Debug, Default)]
struct LatchState {
    is_open: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Latch {
    pub(crate) fn open(&self) {
        let mut state = lock(&self.0);
        state.is_open = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for waiter in waiting {
            // It may be gone.
            let _ = waiter.send(());
        }
    }

    pub(crate) async fn wait(&self) {
        let opened = {
            let mut state = lock(&self.0);
            if state.is_open {
                return;
            }
            let (waiter, opened) = oneshot::channel();
            state.waiting.push(waiter);
            opened
        };
        // The latch outlives its waiters.
        let _ = opened.await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
