//! How a store is opened.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, DatabaseError};
use sessionup_core::{Clock, SystemClock};

use crate::cache::Cache;
use crate::error::OpenError;
use crate::file::{DatabaseFile, OpenFile, System, unless_it_panics, warn_of_readers};
use crate::identity::Watched;
use crate::marks::Entries;
use crate::reserve::{FileReserve, Keeper, Reserve};
use crate::schema::Schema;
use crate::shared::{Claim, Memory, Opener, Shared, Source};
use crate::store::RedbStore;
use crate::tombstones::Tombstones;
use crate::touches::Touches;
use crate::unlisted::{Pace, Unlisted};
use crate::writer::prune::{self, Progress};

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
    allow_missing_locks: bool,
    pub(crate) system: System,
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
    pub(crate) prune_time: Duration,
    pub(crate) control_is_optional: bool,
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
const CACHE_BYTES: usize = 512 * 1024 * 1024;
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
                prune_time: prune::TIME,
                control_is_optional: false,
            },
            bucket: "sessions".to_owned(),
            commits: Commits::default(),
            lock_wait: Duration::from_secs(5),
            allow_missing_locks: false,
            system: System::NATIVE,
            control: false,
            control_beside: None,
            cache_bytes: CACHE_BYTES,
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
    /// [`open`](RedbStoreBuilder::open) alone; for a database of the application's, see
    /// [`open_database`](crate::open_database). Defaults to 5 seconds.
    #[must_use]
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait;
        self
    }

    /// Opens a file though its file system has no file locks, as some network and FUSE mounts have
    /// none.
    ///
    /// Nothing then keeps a second process from opening the file at the same time, except the control
    /// socket if the first one listens ([`control`](RedbStoreBuilder::control)). Two processes that
    /// write one file destroy what the other wrote: revoked sessions come back. The application must
    /// see to it that there is one. The store says [`Reason::LocksMissing`](crate::Reason::LocksMissing)
    /// then. For [`open`](RedbStoreBuilder::open) alone. Defaults to `false`: such a file is
    /// [`OpenError::LocksUnsupported`].
    #[must_use]
    pub fn allow_missing_locks(mut self, allows: bool) -> Self {
        self.allow_missing_locks = allows;
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
    /// - Sessions that are ended so are refused at once, and who waits for a session's end
    ///   ([`Sessions::revoked`](sessionup_core::Sessions::revoked)) is woken. The managers over the store
    ///   pass an [`Event`](sessionup_core::Event) on, by
    ///   [`RevokedBy::Operator`](sessionup_core::RevokedBy::Operator). The store logs each at level INFO,
    ///   by session id or number.
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
    ///   default. A socket that is there already and that nobody answers at was left by a killed
    ///   process, and is replaced.
    /// - The file is watched: the store warns if others than its owner can read it, and says
    ///   [`Reason::FileDisplaced`](crate::Reason::FileDisplaced) if it is replaced or deleted.
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

    /// Opens the store also if the control socket cannot be made.
    ///
    /// As on a mount that has no sockets, or in a directory that this process cannot write. The store
    /// logs why at level WARN, says [`Reason::ControlMissing`](crate::Reason::ControlMissing), and
    /// serves without its tools. A server that listens there already is an error all the same. For
    /// [`control`](RedbStoreBuilder::control) and
    /// [`control_beside`](RedbStoreBuilder::control_beside). Defaults to `false`.
    #[must_use]
    pub fn control_optional(mut self, is_optional: bool) -> Self {
        self.settings.control_is_optional = is_optional;
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

    /// Bounds how long one prune works before it says that there is more to delete.
    ///
    /// For tests, whose results must not depend on how fast the machine is. Defaults to 10 ms.
    #[doc(hidden)]
    #[must_use]
    pub fn prune_time(mut self, time: Duration) -> Self {
        self.settings.prune_time = time;
        self
    }

    /// Opens a store in a file of its own, which is made if it is not there.
    ///
    /// The path is made absolute at once: the process may change its working directory afterwards.
    /// See [`RedbStore::open`].
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it.
    pub fn open(self, path: impl Into<PathBuf>) -> Result<RedbStore, OpenError> {
        let schema = self.checked()?;
        let mut file = DatabaseFile::new(path.into(), self.lock_wait, self.cache_bytes)?;
        file.allows_missing_locks = self.allow_missing_locks;
        file.system = self.system;
        let OpenFile {
            database,
            identity,
            lacks_locks,
        } = file.open(|database| schema.prepare(database))?;
        let path = file.path().to_owned();
        let reserve = Arc::new(FileReserve::beside(&path));
        let opener: Opener = Box::new(move || file.reopen(identity));
        let owned = Parts {
            source: Source::Owned(database, opener),
            keeper: Keeper::new(reserve, self.reserve_bytes),
            control: self.control.then(|| path.clone()),
            file: Some(Watched::new(path, identity)),
            lacks_locks,
        };
        self.start(schema, owned)
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
        let borrowed = self.beside(Source::Borrowed(claim), Keeper::default())?;
        self.start(schema, borrowed)
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
        let keeper = reserve.map(|reserve| Keeper::new(reserve, self.reserve_bytes));
        let source = Source::Owned(database, opener);
        let owned = self.beside(source, keeper.unwrap_or_default())?;
        self.start(schema, owned)
    }

    /// What a store on a database has that was opened elsewhere, perhaps at a path that is known.
    fn beside(&self, source: Source, keeper: Keeper) -> Result<Parts, OpenError> {
        let mut control = None;
        if let Some(given) = &self.control_beside {
            let absolute = std::path::absolute(given);
            let path = absolute.map_err(|error| OpenError::of_path(given.clone(), error))?;
            warn_of_readers(&path);
            control = Some(path);
        }
        Ok(Parts {
            source,
            keeper,
            file: control.clone().map(Watched::now),
            control,
            lacks_locks: false,
        })
    }

    /// Checks what can be checked before anything is opened.
    fn checked(&self) -> Result<Schema, OpenError> {
        let interval = self.settings.cleanup_interval;
        if !interval.is_zero() && interval < Duration::from_millis(1) {
            return Err(OpenError::InvalidInterval { interval });
        }
        Schema::new(self.bucket.clone(), self.commits)
    }

    fn start(self, schema: Schema, parts: Parts) -> Result<RedbStore, OpenError> {
        let Self {
            settings,
            record_cache_bytes,
            entering,
            deleted_at_once,
            ..
        } = self;
        let Parts {
            source,
            keeper,
            control,
            file,
            lacks_locks,
        } = parts;
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
        let mut shared = Shared::new(schema, source, keeper, memory, settings.queue, kept);
        shared.pruning = Arc::new(Progress::within(settings.prune_time));
        shared.file = file;
        shared.board.set(|board| &board.lacks_locks, lacks_locks);
        RedbStore::start(Arc::new(shared), &settings, control.as_deref())
    }
}

/// Opens a database for the application and its stores together, and makes it if it is not there, with
/// the care of [`RedbStore::open`]. Pass it to [`RedbStore::new`] or [`RedbStoreBuilder::on`].
///
/// What [`Database::create`] does not do:
///
/// - A new file can be read by its owner alone, and no crash leaves half of it.
/// - Waits so long for a process that is ending and still has the file open; this blocks the thread.
/// - Errors name the path and say what to do.
///
/// # Errors
///
/// [`OpenError`], by what to do about it.
///
/// # Example
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use sessionup_redb::{RedbStore, open_database};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("my.redb");
/// let database = Arc::new(open_database(&path, Duration::from_secs(5))?);
/// let store = RedbStore::builder().control_beside(&path).on(Arc::clone(&database))?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open_database(path: impl Into<PathBuf>, lock_wait: Duration) -> Result<Database, OpenError> {
    let file = DatabaseFile::new(path.into(), lock_wait, CACHE_BYTES)?;
    Ok(file.open(|_| Ok(()))?.database)
}

/// What a store is started with.
struct Parts {
    source: Source,
    keeper: Keeper,
    /// The path of the database beside which to listen.
    control: Option<PathBuf>,
    file: Option<Watched>,
    lacks_locks: bool,
}
