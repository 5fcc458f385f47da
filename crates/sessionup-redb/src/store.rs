//! The store: handles, and the life of its threads.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_channel::oneshot;
use redb::Database;
use sessionup_core::{
    Change, Cleanup, CleanupErrors, CleanupOptions, CreateOptions, Created, Epoch, ListOptions,
    OthersDeleted, Pruned, Record, RecordPage, SessionId, SharedState, Store, StoreError,
    Timestamp, UserDeleted, UserKey,
};

use crate::builder::{RedbStoreBuilder, Settings};
#[cfg(unix)]
use crate::control::{desk::Desk, server::Server};
use crate::error::{OpenError, ReadStopped, WriterStopped};
use crate::health::Health;
use crate::listing;
use crate::queue::Room;
use crate::reader::{self, Touched};
use crate::shared::Shared;
use crate::sync::thread::{self, JoinHandle, ThreadId};
use crate::sync::{Mutex, PoisonError};
use crate::verify::Report;
use crate::writer::Writer;
use crate::writer::operation::{Operation, task};
use crate::writer::operations::{Create, Delete, DeleteAll, DeleteOthers, DeleteUser, Update};
use crate::writer::prune::Prune;

/// Keeps sessions in a redb database: one file, no server.
///
/// A clone is a handle on the same store. When the last one is dropped, the store closes as
/// [`close`](RedbStore::close) does, and waits for it; to wait without blocking, close it first.
///
/// What the contract of [`Store`] leaves to the store:
///
/// - A dropped future does not withdraw what it asked for once it was polled: a change is carried
///   out, whether or not somebody waits for the answer.
/// - After an input or output error, changes whose outcome is unknown are reported as such, and
///   sessions that they would have ended or made are refused. A store that opened its database opens
///   it anew, ends those sessions and goes on; on a database of the application's, everything is
///   [`StoreError::Unavailable`] until the application opens both anew.
/// - Records of sessions in use are kept in memory, at most
///   [`record_cache_bytes`](RedbStoreBuilder::record_cache_bytes) of them: to fetch or use such a
///   session waits for nobody.
/// - While there are uses of more than 100,000 sessions that are not yet written, further ones are
///   written at once.
/// - One bucket of one database has one store: uses and doubts are in its memory.
#[derive(Clone)]
pub struct RedbStore {
    shared: Arc<Shared>,
    /// `None` in the handle of the cleanup, which does not keep the store open.
    owner: Option<Arc<Owner>>,
}

impl RedbStore {
    /// Opens a store in a file of its own, which is made if it is not there.
    ///
    /// - A new file can be read by nobody else (mode 0600), and its name is durable too. A file that
    ///   is there keeps its mode. Keep it in a directory that others cannot write.
    /// - A file that is no redb database is left as it is.
    /// - A file that another process has open is waited for, see
    ///   [`lock_wait`](RedbStoreBuilder::lock_wait). This blocks the thread.
    ///
    /// For settings, see [`RedbStore::builder`].
    ///
    /// # Errors
    ///
    /// [`OpenError`], by what to do about it.
    ///
    /// # Example
    ///
    /// ```
    /// use sessionup_redb::RedbStore;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("sessions.redb");
    /// let store = RedbStore::open(path)?;
    /// let manager = sessionup_core::Manager::builder(store).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder().open(path)
    }

    /// Opens a store in a database that the application has open.
    ///
    /// The application's own tables may lie in the same file, and so may stores with other buckets.
    /// `cleanup_interval` is how often expired records are deleted, zero for never.
    ///
    /// - redb has one writer at a time: while the application holds a write transaction, the store's
    ///   changes wait, and this function may too. Never await a store while you hold one.
    /// - After an input or output error the store cannot open the database anew: it answers
    ///   [`StoreError::Unavailable`] from then on.
    /// - redb makes a file that others can read (mode 0644), with the users and addresses in it, and
    ///   fails at once if another process has the file open. [`open_database`](crate::open_database)
    ///   does both as [`RedbStore::open`] does.
    ///
    /// # Errors
    ///
    /// [`OpenError::BucketInUse`] if this process has a store on the bucket; others, by what to do
    /// about it.
    ///
    /// # Example
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use sessionup_redb::RedbStore;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("my.redb");
    /// let db = Arc::new(redb::Database::create(path)?);
    /// let store = RedbStore::new(Arc::clone(&db), "sessions", Duration::from_secs(60))?;
    /// # drop(store);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(
        database: Arc<Database>,
        bucket: &str,
        cleanup_interval: Duration,
    ) -> Result<Self, OpenError> {
        Self::builder()
            .bucket(bucket)
            .cleanup_interval(cleanup_interval)
            .on(database)
    }

    /// Starts to set a store up.
    #[must_use]
    pub fn builder() -> RedbStoreBuilder {
        RedbStoreBuilder::new()
    }

    /// Returns the errors of the cleanup. They may be read and need not be.
    #[must_use]
    pub fn cleanup_errors(&self) -> CleanupErrors {
        let cleanup = self.owner.as_ref().and_then(|owner| owner.cleanup.as_ref());
        cleanup.map_or_else(CleanupErrors::none, Cleanup::errors)
    }

    /// Says how the store is. Waits for no operation of the store, so it can be asked at any time; if the
    /// path of the file is known, asks the operating system once where it leads.
    ///
    /// # Example
    ///
    /// ```
    /// use sessionup_redb::{RedbStore, Status};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("sessions.redb");
    /// let store = RedbStore::open(path)?;
    /// assert_eq!(store.health().status, Status::Ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    /// Checks the bucket completely: each record, each entry of an index. Nothing is changed.
    ///
    /// It looks at one moment of the bucket, from a thread of the store, and takes one of its
    /// readers as long as it runs. What is deleted meanwhile keeps its room, so the file may grow.
    /// With `now`, sessions whose time is over are counted. Uses that are not yet written are not
    /// looked at, and neither are the pages of the file: for that, see
    /// [`verify_file`](crate::verify_file).
    ///
    /// # Errors
    ///
    /// [`StoreError`]: `Unavailable` if the database cannot be read, or is being opened anew.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed. A check that has begun is carried through.
    ///
    /// # Example
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("sessions.redb");
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// # runtime.block_on(async {
    /// let store = sessionup_redb::RedbStore::open(path)?;
    /// let report = store.verify(None).await?;
    /// assert!(report.is_clean());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn verify(&self, now: Option<Timestamp>) -> Result<Report, StoreError> {
        self.read(move |shared| reader::verify(shared, now)).await
    }

    /// Closes the store: all of its handles answer [`StoreError::Closed`] from now on.
    ///
    /// Returns when everything that was taken on is done, uses of sessions are written, all threads
    /// have ended and the file is free, if the store opened it. A database of the application's
    /// stays open. Twice is harmless, and all callers wait.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped after it was polled, the store closes nevertheless.
    pub async fn close(&self) {
        let Some(owner) = &self.owner else { return };
        owner.stop();
        self.shared.ended.wait().await;
        owner.join();
    }

    /// Starts the threads; with the path of its database, also what listens beside it.
    pub(crate) fn start(
        shared: Arc<Shared>,
        settings: &Settings,
        control: Option<&Path>,
    ) -> Result<Self, OpenError> {
        let mut owner = Owner {
            shared: Arc::clone(&shared),
            cleanup: None,
            #[cfg(unix)]
            control: None,
            writer: Mutex::new(None),
            threads: Vec::new(),
        };
        owner.start_threads(settings)?;
        if !settings.cleanup_interval.is_zero() {
            let options =
                CleanupOptions::every(settings.cleanup_interval).clock(Arc::clone(&settings.clock));
            let cleanup = Cleanup::start(Self::unowned(&shared), options);
            owner.cleanup = Some(cleanup.map_err(no_thread)?);
        }
        if let Some(database) = control {
            owner.listen_or_warn(database, settings)?;
        }
        Ok(Self {
            shared,
            owner: Some(Arc::new(owner)),
        })
    }

    /// A handle that does not keep the store open.
    fn unowned(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            owner: None,
        }
    }

    #[cfg(unix)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Has something written. A future that is never polled asks for nothing.
    pub(crate) async fn write<O: Operation>(
        &self,
        operation: O,
        room: Room,
    ) -> Result<O::Answer, StoreError> {
        let (task, answer) = task(operation);
        let pushed = self.shared.writes.push(task, room);
        self.written(pushed, answer).await
    }

    /// Has several things written that go together, as far as one transaction takes them. Returns what
    /// came of each, in their order.
    #[cfg(unix)]
    pub(crate) async fn write_all<O: Operation>(
        &self,
        operations: impl Iterator<Item = O>,
        room: Room,
    ) -> Vec<Result<O::Answer, StoreError>> {
        let (tasks, answers): (Vec<_>, Vec<_>) = operations.map(task).unzip();
        let pushed = self.shared.writes.push_all(tasks, room);
        let mut all = Vec::with_capacity(answers.len());
        for answer in answers {
            all.push(self.written(pushed.clone(), answer).await);
        }
        all
    }

    /// Waits for what comes of something that was pushed.
    async fn written<T>(
        &self,
        pushed: Result<(), StoreError>,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = match pushed {
            Ok(()) => answer.await.unwrap_or_else(|oneshot::Canceled| {
                Err(StoreError::outcome_unknown(WriterStopped))
            }),
            Err(error) => Err(error),
        };
        self.shared.board.count(&answer);
        answer
    }

    /// Looks for something in memory, unless the store is closed.
    fn at_hand<T>(&self, look: impl FnOnce(&Shared) -> Option<T>) -> Option<T> {
        let shared = &self.shared;
        (!shared.board.is_closed()).then(|| look(shared)).flatten()
    }

    /// Has something read.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (caller, answer) = oneshot::channel();
        let read = move |shared: &Shared| {
            if !caller.is_canceled() {
                // The caller may go away meanwhile.
                let _ = caller.send(work(shared));
            }
        };
        let answer = match self.shared.reads.push(Box::new(read), Room::Common) {
            Ok(()) => answer
                .await
                .unwrap_or_else(|oneshot::Canceled| Err(StoreError::unavailable(ReadStopped))),
            Err(error) => Err(error),
        };
        self.shared.board.count(&answer);
        answer
    }
}

impl fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore")
            .field("bucket", &self.shared.schema.bucket())
            .finish_non_exhaustive()
    }
}

impl Store for RedbStore {
    fn epoch(&self) -> Epoch {
        self.shared.epochs.now()
    }

    fn shared(&self) -> &SharedState {
        &self.shared.managers
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let create = Create {
            record,
            options,
            now,
            epochs: Arc::clone(&self.shared.epochs),
        };
        self.write(create, Room::Common).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if let Some(record) = self.at_hand(|shared| shared.cache.get(id)) {
            return Ok(Some(record).filter(|record| record.session.is_live(now)));
        }
        self.read(move |shared| reader::fetch(shared, id, now))
            .await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        let user = user.clone();
        self.read(move |shared| listing::page(shared, &user, &options, now))
            .await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if let Some(at) = change.as_touch() {
            let touched = match self.at_hand(|shared| reader::touch_at_hand(shared, id, at, now)) {
                Some(touched) => touched,
                None => {
                    self.read(move |shared| reader::touch(shared, id, at, now))
                        .await?
                }
            };
            if let Touched::Answer(answer) = touched {
                return Ok(answer);
            }
        }
        self.write(Update { id, change, now }, Room::Common).await
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        let owner = owner.cloned();
        self.write(Delete { id, owner }, Room::Reserved).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        let delete = DeleteUser {
            user: user.clone(),
            except: except.to_vec(),
            epochs: Arc::clone(&self.shared.epochs),
        };
        self.write(delete, Room::Reserved).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        let delete = DeleteOthers {
            user: user.clone(),
            id,
            change,
            now,
            epochs: Arc::clone(&self.shared.epochs),
        };
        self.write(delete, Room::Reserved).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        let delete = DeleteAll {
            epochs: Arc::clone(&self.shared.epochs),
        };
        self.write(delete, Room::Reserved).await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        let prune = Prune {
            now,
            at_most,
            progress: Arc::clone(&self.shared.pruning),
        };
        let pruned = self.write(prune, Room::Common).await;
        // The handle of the cleanup keeps nothing open.
        if self.owner.is_none() {
            if let Some(file) = &self.shared.file {
                // It logs what it finds.
                file.is_displaced();
            }
            let board = &self.shared.board;
            board.set(|board| &board.cleanup_fails, pruned.is_err());
        }
        pruned
    }
}

/// Keeps the threads of a store, as long as there is a handle.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    cleanup: Option<Cleanup>,
    #[cfg(unix)]
    control: Option<Server>,
    writer: Mutex<Option<JoinHandle<()>>>,
    threads: Vec<ThreadId>,
}

impl Owner {
    fn start_threads(&mut self, settings: &Settings) -> Result<(), OpenError> {
        let mut readers = Vec::new();
        for _ in 0..settings.readers.get() {
            let shared = Arc::clone(&self.shared);
            let reader = spawn("sessionup-read", move || reader::run(&shared))?;
            self.threads.push(reader.thread().id());
            readers.push(reader);
        }
        let writer = Writer::new(Arc::clone(&self.shared), readers);
        let writer = spawn("sessionup-write", move || writer.run())?;
        self.threads.push(writer.thread().id());
        self.writer = Mutex::new(Some(writer));
        Ok(())
    }

    #[cfg(unix)]
    fn listen(&mut self, database: &Path, settings: &Settings) -> std::io::Result<()> {
        let handle = RedbStore::unowned(&self.shared);
        let desk = Desk::new(handle, Arc::clone(&settings.clock));
        let socket = crate::control::socket_beside(database)?;
        self.control = Some(Server::start(socket, Arc::new(desk))?);
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen(&mut self, _: &Path, _: &Settings) -> std::io::Result<()> {
        Err(crate::control::unsupported())
    }

    /// Listens beside the database, or goes on without if that is allowed.
    fn listen_or_warn(&mut self, database: &Path, settings: &Settings) -> Result<(), OpenError> {
        let Err(source) = self.listen(database, settings) else {
            return Ok(());
        };
        let path = database.to_owned();
        match source.kind() {
            ErrorKind::AddrInUse => Err(OpenError::ServerListens {
                socket: crate::control::socket_beside(database).unwrap_or_else(|_| path.clone()),
                path,
            }),
            kind if settings.control_is_optional && kind != ErrorKind::ResourceBusy => {
                let path = path.display();
                tracing::warn!(target: "sessionup_redb", %path, error = %source, "control socket could not be made: tools cannot reach this store");
                self.shared.board.set(|board| &board.lacks_control, true);
                Ok(())
            }
            _ => Err(OpenError::Control {
                path,
                source: Arc::new(source),
            }),
        }
    }

    fn stop(&self) {
        #[cfg(unix)]
        if let Some(control) = &self.control {
            control.stop();
        }
        if let Some(cleanup) = &self.cleanup {
            cleanup.stop();
        }
        self.shared.refuse_work();
    }

    /// Waits for the writer, which waits for the readers.
    fn join(&self) {
        // The last handle may be dropped by whoever is woken with an answer, on a thread of ours.
        if self.threads.contains(&thread::current().id()) {
            return;
        }
        let writer = self.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Its panic was reported where it happened.
            drop(writer.join());
        }
        #[cfg(unix)]
        if let Some(control) = &self.control {
            control.finish();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map_err(no_thread)
}

fn no_thread(error: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Thread {
        source: Arc::new(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::warnings::warnings_of;

    /// Nobody need ask how a store is.
    #[test]
    fn cleanup_warns_of_a_displaced_file() {
        crate::limit::watch();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.redb");
        let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
        let store = builder.open(&path).unwrap();
        let cleanup = RedbStore::unowned(&store.shared);
        let prune = || block_on(cleanup.prune(Timestamp::MIN, 1)).unwrap();
        assert_eq!(warnings_of(prune).1, [""; 0]);

        std::fs::remove_file(&path).unwrap();
        let warned = warnings_of(prune).1;
        assert_eq!(warned.len(), 1, "{warned:?}");
        assert!(warned.iter().any(|line| line.contains("s.redb")));
        assert_eq!(warnings_of(prune).1, [""; 0]);
    }
}
