//! How a store is opened.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, DatabaseError};
use sessionup_core::{Clock, SystemClock};

use crate::cache::Cache;
use crate::error::OpenError;
use crate::file::{DatabaseFile, unless_it_panics};
use crate::marks::Entries;
use crate::reserve::{FileReserve, Keeper, Reserve};
use crate::schema::Schema;
use crate::shared::{Claim, Memory, Opener, Shared, Source};
use crate::store::RedbStore;
use crate::tombstones::Tombstones;
use crate::touches::Touches;
use crate::unlisted::{Pace, Unlisted};

/// How a [`RedbStore`] is opened. Made by [`RedbStore::builder`].
///
/// ```
/// use std::time::Duration;
/// use sessionup_redb::RedbStore;
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// let store = RedbStore::builder()
///     .bucket("logins")
///     .cleanup_interval(Duration::from_secs(10))
///     .open(path)?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedbStoreBuilder {
    pub(crate) settings: Settings,
    bucket: String,
    commits: Commits,
    lock_wait: Duration,
    control: bool,
    control_beside: Option<PathBuf>,
    cache_bytes: usize,
    record_cache_bytes: usize,
    entering: Pace,
    deleted_at_once: usize,
    reserve_bytes: u64,
    reserve: Option<Arc<dyn Reserve>>,
}

/// What the threads of a store need to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) cleanup_interval: Duration,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) queue: NonZeroUsize,
    pub(crate) readers: NonZeroUsize,
    pub(crate) touch_delay: Duration,
}

/// What commits cost, and what it costs to open a file after a crash.
///
/// Each is durable when success is reported, and none loses anything by a crash. What was written
/// with one can be opened with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commits {
    /// In two phases, and with what is needed to open the file at once after a crash, however large
    /// it is.
    #[default]
    QuickRepair,
    /// In two phases. To open the file after a crash, all of it is read.
    TwoPhase,
    /// In one phase: one sync of the disk in place of two.
    ///
    /// To open the file after a crash, all of it is read, and whether the last commit is whole is told
    /// by check values that somebody who chooses what is stored can forge; user keys and agents often
    /// come from clients. See redb's documentation of `set_two_phase_commit`.
    OnePhase,
}

const MINUTE: Duration = Duration::from_secs(60);
const QUEUE: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();
const READERS: NonZeroUsize = NonZeroUsize::new(4).unwrap();

impl RedbStoreBuilder {
    pub(crate) fn new() -> Self {
        Self {
            settings: Settings {
                cleanup_interval: MINUTE,
                clock: Arc::new(SystemClock::default()),
                queue: QUEUE,
                readers: READERS,
                touch_delay: Duration::from_secs(1),
            },
            bucket: "sessions".to_owned(),
            commits: Commits::default(),
            lock_wait: Duration::from_secs(5),
            control: false,
            control_beside: None,
            cache_bytes: 512 * 1024 * 1024,
            record_cache_bytes: 64 * 1024 * 1024,
            entering: Pace::Usual,
            deleted_at_once: Tombstones::AT_ONCE,
            reserve_bytes: 1024 * 1024,
            reserve: None,
        }
    }

    /// Names the store within its database: 1 to 128 bytes without control characters.
    ///
    /// Stores with different buckets share a database and see nothing of each other. Defaults to
    /// `sessions`.
    #[must_use]
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.bucket = bucket.into();
        self
    }

    /// Deletes expired records each so often: at least a millisecond, or zero for never.
    ///
    /// Expired sessions are refused whether or not they are deleted; this gives back their room. After
    /// a jump of the clock it waits for a day, see [`Cleanup`](sessionup_core::Cleanup). Defaults to a
    /// minute.
    #[must_use]
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.settings.cleanup_interval = interval;
        self
    }

    /// Chooses what commits cost, and what it costs to open a file after a crash.
    ///
    /// Defaults to [`Commits::QuickRepair`].
    #[must_use]
    pub fn commits(mut self, commits: Commits) -> Self {
        self.commits = commits;
        self
    }

    /// Takes the cleanup's time from elsewhere. Nothing else in a store reads a clock.
    ///
    /// It must be the clock of the store's managers: what they see of the time is shared, and kept
    /// over a restart ([`Watermark`](sessionup_core::Watermark)). Defaults to [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.settings.clock = Arc::new(clock);
        self
    }

    /// Waits so long for a file that another process has open.
    ///
    /// So that a new process can take over from one that is ending. For
    /// [`open`](RedbStoreBuilder::open) alone. Defaults to 5 seconds.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Listens beside the database for tools of its owner, see [`Control`](crate::Control).
    ///
    /// So that sessions can be looked at and ended while this process has the file open. The socket has
    /// the name of the database and `.control` after it; only the user of this process can connect (mode
    /// 0600), and root. It is made under the database's lock, in place of one that a killed process left,
    /// and is removed when the store closes. What is asked is done by the store's own operations; no
    /// token and no hash of one goes over it.
    ///
    /// - Sessions that are ended so are refused at once. Whoever waits for a session's end
    ///   ([`Sessions::revoked`](sessionup_core::Sessions::revoked)) notices at the latest within a minute:
    ///   managers hear of what they do themselves, and there is no [`Event`](sessionup_core::Event)
    ///   either. The store logs each at level INFO, by session id or number.
    /// - Clients hold up nobody: 16 at once are served, silent ones give way to others and are cut off
    ///   after 5 seconds, and the closing store waits at most a moment for one to take its answer.
    ///
    /// For [`open`](RedbStoreBuilder::open) alone, otherwise see
    /// [`control_beside`](RedbStoreBuilder::control_beside), and for systems with Unix domain sockets:
    /// elsewhere the store does not open. Defaults to `false`.
    #[must_use]
    pub fn control(mut self, listens: bool) -> Self {
        self.control = listens;
        self
    }

    /// Listens as [`control`](RedbStoreBuilder::control) says, beside the file of a database that the
    /// application opens.
    ///
    /// - The database must be the file at this path, and open for this process alone, as redb has it by
    ///   default: a socket that is there already is taken for one that a killed process left.
    /// - One store of a file can listen. Tools reach its bucket and no other, and nothing of the
    ///   application's own tables.
    ///
    /// For [`on`](RedbStoreBuilder::on) and [`open_with`](RedbStoreBuilder::open_with) alone. Defaults
    /// to nowhere.
    #[must_use]
    pub fn control_beside(mut self, database: impl Into<PathBuf>) -> Self {
        self.control_beside = Some(database.into());
        self
    }

    /// Bounds redb's cache of pages, in bytes.
    ///
    /// Memory is taken as it is used. For [`open`](RedbStoreBuilder::open) alone. Defaults to
    /// 512 MiB, which the pages of more than a million sessions fit in.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Bounds the records of sessions that are kept in memory, in bytes, or keeps none if zero.
    ///
    /// A session that is there is found without a look at the database. A small one takes about
    /// 700 bytes. Memory is taken as it is used. Defaults to 64 MiB.
    #[must_use]
    pub fn record_cache_bytes(mut self, bytes: usize) -> Self {
        self.record_cache_bytes = bytes;
        self
    }

    /// Enters sessions in the index of users as soon as more than so many wait for it.
    ///
    /// For tests, which want to see with few sessions what comes of many. Defaults to some thousands,
    /// by how many sessions there are.
    #[doc(hidden)]
    #[must_use]
    pub fn most_unlisted(mut self, sessions: usize) -> Self {
        self.entering = Pace::Few(sessions);
        self
    }

    /// Ends the sessions of a deletion by a tombstone if they are more than so many, and deletes
    /// their records later.
    ///
    /// For tests, which want to see with few sessions what comes of many. Defaults to 1,000.
    #[doc(hidden)]
    #[must_use]
    pub fn deleted_at_once(mut self, sessions: usize) -> Self {
        self.deleted_at_once = sessions;
        self
    }

    /// Keeps so many bytes of the disk for revocations, or none if zero.
    ///
    /// To end a session takes room for a moment. When a commit finds none, this room is given to the
    /// database, so that sessions can still be ended; what wants more room is
    /// [`StoreError::Full`](sessionup_core::StoreError::Full) until it could be taken again. If it
    /// cannot be taken when the store is opened, the store opens nevertheless.
    ///
    /// Where there is little room, many sessions are ended in several transactions. All of them are
    /// refused from the first one on and success is reported after the last; but if the process
    /// ends in between, some have ended and others have not.
    ///
    /// [`open`](RedbStoreBuilder::open) keeps it in a file beside the database that has its name and
    /// `.reserve` after it; it holds nothing of worth, and goes where the database goes. For
    /// [`open_with`](RedbStoreBuilder::open_with), see [`reserve`](RedbStoreBuilder::reserve); on a
    /// database of the application's there is none. Defaults to 1 MiB.
    #[must_use]
    pub fn reserve_bytes(mut self, bytes: u64) -> Self {
        self.reserve_bytes = bytes;
        self
    }

    /// Says where the room for revocations is kept, for [`open_with`](RedbStoreBuilder::open_with)
    /// alone.
    ///
    /// Defaults to nowhere.
    #[must_use]
    pub fn reserve(mut self, reserve: impl Reserve) -> Self {
        self.reserve = Some(Arc::new(reserve));
        self
    }

    /// Lets so many operations wait for the writer, and so many for the readers.
    ///
    /// One more is [`StoreError::Overloaded`](sessionup_core::StoreError::Overloaded) at once;
    /// revocations have a quarter more room. Defaults to 4,096.
    #[must_use]
    pub fn queue(mut self, capacity: NonZeroUsize) -> Self {
        self.settings.queue = capacity;
        self
    }

    /// Reads with so many threads. Defaults to 4.
    #[must_use]
    pub fn readers(mut self, readers: NonZeroUsize) -> Self {
        self.settings.readers = readers;
        self
    }

    /// Keeps uses of sessions in memory for so long before they are written together.
    ///
    /// A crash loses at most these, which can only shorten a session with an idle timeout. Defaults
    /// to a second.
    #[must_use]
    pub fn touch_delay(mut self, delay: Duration) -> Self {
        self.settings.touch_delay = delay;
        self
    }

    /// Opens a store in a file of its own, which is made if it is not there.
    ///
    /// See [`RedbStore::open`].
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it.
    pub fn open(self, path: impl Into<PathBuf>) -> Result<RedbStore, OpenError> {
        let schema = self.checked()?;
        let file = DatabaseFile {
            path: path.into(),
            lock_wait: self.lock_wait,
            cache_bytes: self.cache_bytes,
        };
        let database = file.open(|database| schema.prepare(database))?;
        let control = self.control.then(|| file.path.clone());
        let reserve = Arc::new(FileReserve::beside(&file.path));
        let keeper = Keeper::new(reserve, self.reserve_bytes);
        let opener: Opener = Box::new(move || file.reopen());
        self.start(
            schema,
            Source::Owned(database, opener),
            keeper,
            control.as_deref(),
        )
    }

    /// Opens a store in a database of the application's.
    ///
    /// See [`RedbStore::new`].
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it.
    pub fn on(self, database: Arc<Database>) -> Result<RedbStore, OpenError> {
        let schema = self.checked()?;
        let claim = Claim::new(database, schema.bucket())?;
        schema.prepare(claim.database())?;
        let control = self.control_beside.clone();
        let source = Source::Borrowed(claim);
        self.start(schema, source, Keeper::default(), control.as_deref())
    }

    /// Opens a store in a database of its own that a closure opens.
    ///
    /// For databases that do not lie in a file, or are opened with settings of redb's. The closure
    /// is called again after an input or output error, when the former database is closed, and must
    /// then open the same one; it is called from a thread of the store.
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it; [`OpenError::Opener`] if the closure fails.
    pub fn open_with(
        self,
        opener: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static,
    ) -> Result<RedbStore, OpenError> {
        let schema = self.checked()?;
        let opener: Opener = Box::new(move || {
            opener().map_err(|error| OpenError::Opener {
                source: Arc::new(error),
            })
        });
        let database = schema.prepared(&opener)?;
        let reserve = self.reserve.as_ref().map(Arc::clone);
        let control = self.control_beside.clone();
        let keeper = reserve.map(|reserve| Keeper::new(reserve, self.reserve_bytes));
        self.start(
            schema,
            Source::Owned(database, opener),
            keeper.unwrap_or_default(),
            control.as_deref(),
        )
    }

    /// Checks what can be checked before anything is opened.
    fn checked(&self) -> Result<Schema, OpenError> {
        let interval = self.settings.cleanup_interval;
        if !interval.is_zero() && interval < Duration::from_millis(1) {
            return Err(OpenError::InvalidInterval { interval });
        }
        Schema::new(self.bucket.clone(), self.commits)
    }

    fn start(
        self,
        schema: Schema,
        source: Source,
        keeper: Keeper,
        control: Option<&Path>,
    ) -> Result<RedbStore, OpenError> {
        let Self {
            settings,
            record_cache_bytes,
            entering,
            deleted_at_once,
            ..
        } = self;
        let kept = Entries::read(source.database(), &schema).map_err(OpenError::of_database)?;
        let unlisted = Unlisted::new(entering);
        let restored = unless_it_panics(|| unlisted.restore(source.database(), &schema))?;
        restored.map_err(OpenError::of_database)?;
        let tombstones = Tombstones::new(deleted_at_once);
        let restored = unless_it_panics(|| {
            tombstones.restore(source.database(), &schema, |user| unlisted.ids_of(user))
        })?;
        restored.map_err(OpenError::of_database)?;
        let memory = Memory {
            touches: Touches::new(settings.touch_delay, Touches::CAPACITY),
            cache: Cache::new(record_cache_bytes),
            unlisted,
            tombstones,
        };
        let shared = Shared::new(schema, source, keeper, memory, settings.queue, kept);
        RedbStore::start(Arc::new(shared), &settings, control)
    }
}
