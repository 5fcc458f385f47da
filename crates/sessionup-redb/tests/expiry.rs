//! Where records are filed by their deadline, and how prune finds them.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable};
use sessionup_core::{
    Agent, Change, Client, CreateOptions, ManualClock, Record, SecretHash, Store, StoreError,
};
use sessionup_redb::RedbStore;
use support::{
    At, BY_EXPIRY, BY_USER, Disk, Fault, SESSIONS, assert_whole, at, builder, create, id, is_there,
    session,
};

/// Milliseconds of a step.
const STEP: i64 = 1 << 16;

struct Filing {
    database: Arc<Database>,
    store: RedbStore,
}

impl Filing {
    fn new() -> Self {
        let backend = redb::backends::InMemoryBackend::new();
        let database = Arc::new(Database::builder().create_with_backend(backend).unwrap());
        let store = builder().on(Arc::clone(&database)).unwrap();
        Self { database, store }
    }

    /// Makes a session that may go unused for ten steps and lives for a hundred.
    async fn create_idle(&self, number: u64) {
        let mut session = session(number, "ann");
        session.expires_at = at(100 * STEP);
        session.idle_timeout = Some(Duration::from_millis(u64::try_from(10 * STEP).unwrap()));
        let record = Record::new(session, SecretHash::from_bytes([0; 32]));
        let created = self.store.create(record, CreateOptions::default(), at(0));
        created.await.unwrap();
    }

    /// The step of each entry.
    fn steps(&self) -> Vec<i64> {
        assert_whole(&self.database);
        let transaction = self.database.begin_read().unwrap();
        let by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
        let entries = ReadableTable::iter(&by_expiry).unwrap();
        entries.map(|entry| entry.unwrap().0.value().0).collect()
    }

    /// The bytes of all sessions and of the names of their users.
    fn rows(&self) -> Vec<u8> {
        let transaction = self.database.begin_read().unwrap();
        let sessions = transaction.open_table(SESSIONS).unwrap();
        let by_user = transaction.open_table(BY_USER).unwrap();
        let mut rows = Vec::new();
        for entry in ReadableTable::iter(&sessions).unwrap() {
            rows.extend_from_slice(entry.unwrap().1.value());
        }
        for entry in ReadableTable::iter(&by_user).unwrap() {
            rows.extend_from_slice(entry.unwrap().0.value().0);
        }
        rows
    }

    async fn expire_at(&self, number: u64, millis: i64) {
        let mut change = Change::default();
        change.expires_at = Some(at(millis));
        let changed = self.store.update(id(number), change, at(0)).await;
        assert!(changed.unwrap().is_some());
    }

    async fn touch(&self, number: u64, millis: i64) {
        let touch = Change::touch(at(millis));
        let touched = self.store.update(id(number), touch, at(millis)).await;
        assert!(touched.unwrap().is_some());
    }

    async fn prune(&self, millis: i64, at_most: usize) -> (u64, bool) {
        let pruned = self.store.prune(at(millis), at_most).await.unwrap();
        (pruned.deleted, pruned.more)
    }
}

#[tokio::test]
async fn used_session_stays_and_is_filed_anew_when_its_step_has_passed() {
    let filing = Filing::new();
    filing.create_idle(1).await;
    assert_eq!(filing.steps(), [10]);

    filing.touch(1, 9 * STEP).await;
    // A change of something else writes the use; the entry stays where it is.
    create(&filing.store, 2, "bob").await.unwrap();
    assert_eq!(filing.steps(), [10, 15]);

    assert_eq!(filing.prune(11 * STEP, 100).await, (0, false));
    assert_eq!(filing.steps(), [15, 19]);
    assert_eq!(filing.prune(19 * STEP, 100).await, (2, false));
    assert_eq!(filing.steps(), [0_i64; 0]);
}

#[tokio::test]
async fn use_that_is_not_yet_written_keeps_the_session() {
    let filing = Filing::new();
    filing.create_idle(1).await;
    filing.touch(1, 9 * STEP).await;
    assert_eq!(filing.prune(11 * STEP, 100).await, (0, false));
    assert!(is_there(&filing.store, 1).await);
}

#[tokio::test]
async fn earlier_deadline_is_filed_earlier_and_a_later_one_is_not() {
    let filing = Filing::new();
    create(&filing.store, 1, "ann").await.unwrap();
    assert_eq!(filing.steps(), [15]);

    filing.expire_at(1, 90 * STEP).await;
    assert_eq!(filing.steps(), [15]);
    filing.expire_at(1, 3 * STEP).await;
    assert_eq!(filing.steps(), [3]);

    assert_eq!(filing.prune(3 * STEP - 1, 100).await, (0, false));
    assert_eq!(filing.prune(3 * STEP, 100).await, (1, false));
}

#[tokio::test]
async fn within_a_step_exact_deadlines_count() {
    let filing = Filing::new();
    for number in 1..=3 {
        create(&filing.store, number, "ann").await.unwrap();
        filing
            .expire_at(number, 10 + i64::try_from(number).unwrap())
            .await;
    }
    assert_eq!(filing.steps(), [0, 0, 0]);
    assert_eq!(filing.prune(10, 100).await, (0, false));
    assert_eq!(filing.prune(12, 100).await, (2, false));
    assert_eq!(filing.prune(13, 100).await, (1, false));
}

#[tokio::test]
async fn bound_is_kept_and_what_remains_is_told() {
    let filing = Filing::new();
    for number in 1..=4 {
        create(&filing.store, number, "ann").await.unwrap();
    }
    filing.create_idle(5).await;
    let end = 1_000_000;

    assert_eq!(filing.prune(end, 0).await, (0, true));
    // The idle one is first in line.
    assert_eq!(filing.prune(end, 2).await, (2, true));
    assert_eq!(filing.prune(end, 3).await, (3, false));
    assert_eq!(filing.prune(end, 0).await, (0, false));
    assert_eq!(filing.steps(), [0_i64; 0]);
}

#[tokio::test]
async fn address_and_agent_go_with_the_session() {
    let filing = Filing::new();
    let mut session = session(1, "ann");
    session.client = Client::new("192.0.2.1".parse().ok(), Agent::new("Plan 9", "Mothra"));
    let record = Record::new(session, SecretHash::from_bytes([0; 32]));
    let created = filing.store.create(record, CreateOptions::default(), at(0));
    created.await.unwrap();
    let (ip, os, browser) = (&[192, 0, 2, 1], b"Plan 9", b"Mothra");

    let rows = filing.rows();
    for part in [ip.as_slice(), os, browser] {
        assert!(rows.windows(part.len()).any(|found| found == part));
    }
    assert_eq!(filing.prune(100 * STEP, 100).await, (1, false));
    let rows = filing.rows();
    for part in [ip.as_slice(), os, browser, b"ann"] {
        assert!(!rows.windows(part.len()).any(|found| found == part));
    }
}

#[tokio::test]
async fn deadlines_at_the_ends_of_time() {
    let filing = Filing::new();
    for (number, deadline) in [(1, i64::MIN), (2, -1), (3, i64::MAX)] {
        let mut session = session(number, "ann");
        session.expires_at = at(deadline);
        let record = Record::new(session, SecretHash::from_bytes([0; 32]));
        let created = filing.store.create(record, CreateOptions::default(), at(0));
        created.await.unwrap();
    }
    assert_eq!(filing.steps(), [i64::MIN >> 16, -1, i64::MAX >> 16]);
    assert_eq!(filing.prune(i64::MIN, 100).await, (1, false));
    assert_eq!(filing.prune(0, 100).await, (1, false));
    assert_eq!(filing.prune(i64::MAX, 100).await, (1, false));
}

#[tokio::test]
async fn cleanup_deletes_what_has_expired_by_its_clock() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    store.close().await;

    let clock = ManualClock::at(at(1_000_000));
    let cleaning = builder()
        .cleanup_interval(Duration::from_millis(1))
        .clock(clock.clone());
    let store = disk.store_with(cleaning);
    // Its absence cannot be seen by a read, but its id is free again.
    while create(&store, 1, "ann").await.is_err() {
        tokio::task::yield_now().await;
    }
    clock.set(at(0));
    store.close().await;
    assert!(store.cleanup_errors().recv().await.is_none());
}

#[tokio::test]
async fn errors_of_the_cleanup_can_be_read_and_need_not_be() {
    let disk = Disk::default();
    let database = Arc::new(disk.database().unwrap());
    let clock = ManualClock::at(at(1_000_000));
    let cleaning = builder()
        .cleanup_interval(Duration::from_millis(1))
        .clock(clock);
    let store = cleaning.on(database).unwrap();
    disk.fail(Fault::always(At::Sync, std::io::ErrorKind::TimedOut));
    create(&store, 1, "ann").await.unwrap_err();

    let error = store.cleanup_errors().recv().await;
    assert!(
        matches!(error, Some(StoreError::Unavailable { .. })),
        "{error:?}"
    );
    store.close().await;
}
