use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use super::*;
use crate::store::{
    Change, CreateOptions, Created, Epoch, ListOptions, OthersDeleted, Pruned, RecordPage,
    SharedState, StoreExt, UserDeleted,
};
use crate::{ManualClock, MemoryStore, Record, SecretHash, Session, SessionId, Timestamp, UserKey};

const SOON: Duration = Duration::from_millis(1);

/// How long a test waits for what must come.
const LIMIT: Duration = Duration::from_secs(60);

/// Answers each prune as `answer` says and tells the test about it.
#[derive(Debug)]
struct Scripted {
    shared: SharedState,
    rounds: AtomicU32,
    told: mpsc::SyncSender<u32>,
    answer: fn(u32) -> Result<Pruned, StoreError>,
}

impl Scripted {
    fn new(answer: fn(u32) -> Result<Pruned, StoreError>) -> (Self, mpsc::Receiver<u32>) {
        let (told, rounds) = mpsc::sync_channel(1);
        let store = Self {
            shared: SharedState::default(),
            rounds: AtomicU32::new(0),
            told,
            answer,
        };
        (store, rounds)
    }
}

impl Store for Scripted {
    fn epoch(&self) -> Epoch {
        Epoch::new(0, 0)
    }

    fn shared(&self) -> &SharedState {
        &self.shared
    }

    async fn create(
        &self,
        _: Record,
        _: CreateOptions,
        _: Timestamp,
    ) -> Result<Created, StoreError> {
        Err(StoreError::Closed)
    }

    async fn fetch(&self, _: SessionId, _: Timestamp) -> Result<Option<Arc<Record>>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn list_page(
        &self,
        _: &UserKey,
        _: ListOptions,
        _: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        Err(StoreError::Closed)
    }

    async fn update(
        &self,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete(&self, _: SessionId, _: Option<&UserKey>) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_user(&self, _: &UserKey, _: &[SessionId]) -> Result<UserDeleted, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_others(
        &self,
        _: &UserKey,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        Err(StoreError::Closed)
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<Pruned, StoreError> {
        let round = self.rounds.fetch_add(1, Ordering::SeqCst);
        // The test may be gone by then.
        let _ = self.told.try_send(round);
        (self.answer)(round)
    }
}

/// Waits for a message, and fails with a name instead of waiting for ever.
fn expect<T>(receiver: &mpsc::Receiver<T>, what: &str) -> T {
    let received = receiver.recv_timeout(LIMIT);
    received.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Runs what may hang on a thread of its own, and fails with a name instead of hanging.
fn within_limit<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::sync_channel(1);
    std::thread::spawn(move || done.send(run()));
    expect(&is_done, what)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn expired_records_are_deleted_and_live_ones_stay() {
    let clock = ManualClock::at(Timestamp::from_millis(0));
    let store = MemoryStore::new();
    for id in 0..10_u8 {
        let mut session = Session::new(
            SessionId::from_bytes([id; 16]),
            UserKey::new("ann").unwrap(),
            clock.now(),
            Timestamp::from_millis(if id < 7 { 10 } else { 1_000 }),
        );
        session.last_seen_at = clock.now();
        let record = Record::new(session, SecretHash::from_bytes([0; 32]));
        block_on(store.create(record, CreateOptions::default(), clock.now())).unwrap();
    }
    clock.set(Timestamp::from_millis(10));

    let options = CleanupOptions::every(Duration::MAX)
        .clock(Arc::new(clock.clone()))
        .batch(NonZeroUsize::new(2).unwrap());
    let cleanup = Cleanup::start(store.clone(), options).unwrap();
    // The store may be asked the moment the thread runs; wait for its first round to end.
    let waiting = store.clone();
    within_limit("the deletion of the last expired record", move || {
        let last = SessionId::from_bytes([6; 16]);
        while block_on(waiting.fetch(last, Timestamp::MIN))
            .unwrap()
            .is_some()
        {
            std::thread::yield_now();
        }
    });
    within_limit("the end of the cleanup", move || cleanup.stop());

    let left = block_on(store.prune_all(Timestamp::MAX, NonZeroUsize::MIN)).unwrap();
    assert_eq!(left, 3);
}

#[test]
fn failing_store_neither_ends_it_nor_fills_the_memory() {
    let (store, rounds) = Scripted::new(|_| Err(StoreError::Overloaded));
    let cleanup = Cleanup::start(store, CleanupOptions::every(SOON)).unwrap();
    while expect(&rounds, "the next round after a failure")
        < 2 * u32::try_from(CleanupErrors::CAPACITY).unwrap()
    {}
    cleanup.stop();

    let errors = cleanup.errors();
    let kept = std::iter::from_fn(|| errors.try_recv()).count();
    assert_eq!(kept, CleanupErrors::CAPACITY);
}

#[test]
fn errors_can_be_awaited_and_end_with_the_cleanup() {
    let (store, _rounds) = Scripted::new(|round| match round {
        0 => Err(StoreError::Overloaded),
        _ => Ok(Pruned::default()),
    });
    let cleanup = Cleanup::start(store, CleanupOptions::every(SOON)).unwrap();
    let errors = cleanup.errors();

    let waiting = errors.clone();
    let first = within_limit("the first error", move || block_on(waiting.recv()));
    assert!(matches!(first, Some(StoreError::Overloaded)), "{first:?}");

    let (ended, has_ended) = mpsc::sync_channel(1);
    std::thread::spawn(move || ended.send(block_on(errors.recv())));
    within_limit("the end of the cleanup", move || drop(cleanup));
    let last = expect(&has_ended, "the end of the errors");
    assert!(last.is_none(), "{last:?}");
}

#[test]
fn closed_store_ends_it() {
    let (store, _rounds) = Scripted::new(|_| Err(StoreError::Closed));
    let cleanup = Cleanup::start(store, CleanupOptions::every(SOON)).unwrap();
    let errors = cleanup.errors();
    let end = within_limit("the end of the errors", move || block_on(errors.recv()));
    assert!(end.is_none(), "{end:?}");
}

#[test]
fn stopping_does_not_wait_for_the_interval_and_twice_is_harmless() {
    let (store, rounds) = Scripted::new(|_| Ok(Pruned::default()));
    let cleanup = Cleanup::start(store, CleanupOptions::every(Duration::MAX)).unwrap();
    expect(&rounds, "the first round");
    within_limit("the end of the cleanup", move || {
        cleanup.stop();
        cleanup.stop();
    });
}

/// Never answers.
#[derive(Debug)]
struct Stuck {
    asked: mpsc::SyncSender<()>,
    shared: SharedState,
}

impl Stuck {
    async fn hang<T>(&self) -> T {
        let _ = self.asked.try_send(());
        std::future::pending().await
    }
}

impl Store for Stuck {
    fn epoch(&self) -> Epoch {
        Epoch::new(0, 0)
    }

    fn shared(&self) -> &SharedState {
        &self.shared
    }

    async fn create(
        &self,
        _: Record,
        _: CreateOptions,
        _: Timestamp,
    ) -> Result<Created, StoreError> {
        self.hang().await
    }

    async fn fetch(&self, _: SessionId, _: Timestamp) -> Result<Option<Arc<Record>>, StoreError> {
        self.hang().await
    }

    async fn list_page(
        &self,
        _: &UserKey,
        _: ListOptions,
        _: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.hang().await
    }

    async fn update(
        &self,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.hang().await
    }

    async fn delete(&self, _: SessionId, _: Option<&UserKey>) -> Result<bool, StoreError> {
        self.hang().await
    }

    async fn delete_user(&self, _: &UserKey, _: &[SessionId]) -> Result<UserDeleted, StoreError> {
        self.hang().await
    }

    async fn delete_others(
        &self,
        _: &UserKey,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.hang().await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.hang().await
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<Pruned, StoreError> {
        self.hang().await
    }
}

#[test]
fn stopping_does_not_wait_for_a_store_that_hangs() {
    let (asked, was_asked) = mpsc::sync_channel(1);
    let shared = SharedState::default();
    let stuck = Stuck { asked, shared };
    let cleanup = Cleanup::start(stuck, CleanupOptions::every(SOON)).unwrap();
    expect(&was_asked, "the call of the store");
    within_limit("the end of the cleanup", move || cleanup.stop());
}

#[test]
fn interval_below_a_millisecond_is_refused() {
    for interval in [Duration::ZERO, Duration::from_micros(999)] {
        let outcome = Cleanup::start(MemoryStore::new(), CleanupOptions::every(interval));
        assert!(matches!(outcome, Err(CleanupStartError::Interval)));
    }
}

#[test]
fn clock_is_looked_at_each_hour_however_long_the_interval() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let cases = [
        ("shorter", minutes(1), vec![minutes(1)]),
        ("an hour", minutes(60), vec![minutes(60)]),
        (
            "longer",
            minutes(150),
            vec![minutes(60), minutes(60), minutes(30)],
        ),
        ("for ever", Duration::MAX, vec![minutes(60); 100]),
    ];
    for (name, interval, expected) in cases {
        let parts: Vec<_> = parts_of(interval, LOOK).take(100).collect();
        assert_eq!(parts, expected, "{name}");
    }
}

/// Tells the test each time that it is looked at.
#[derive(Debug)]
struct WatchedClock(mpsc::SyncSender<()>);

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        // The test may be gone by then.
        let _ = self.0.try_send(());
        Timestamp::from_millis(0)
    }
}

#[test]
fn wait_for_a_long_interval_looks_at_the_clock() {
    let (store, rounds) = Scripted::new(|_| Ok(Pruned::default()));
    let (looked, looks) = mpsc::sync_channel(1);
    let options = CleanupOptions::every(Duration::MAX).clock(Arc::new(WatchedClock(looked)));
    let cleanup = Cleanup::start_looking(store, options, SOON).unwrap();
    expect(&rounds, "the first round");
    for _ in 0..100 {
        expect(
            &looks,
            "a look at the clock while it waits for the next round",
        );
    }
    assert!(rounds.try_recv().is_err(), "there is one round alone");
    cleanup.stop();
}
