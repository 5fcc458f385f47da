//! Where records are filed by their deadline, and how prune finds them.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable};
use sessionup_core::{
    Agent, Change, Client, CreateOptions, ManualClock, Record, SecretHash, Store, StoreError,
};
use sessionup_redb::{RedbStore, RedbStoreBuilder};
use support::{
    At, BY_EXPIRY, BY_USER, Disk, Fault, SESSIONS, assert_whole, at, builder, create, create_many,
    id, is_there, session, until, until_available,
};

/// Milliseconds of a step.
const STEP: i64 = 1 << 16;

struct Filing {
    database: Arc<Database>,
    store: RedbStore,
}

impl Filing {
    fn new() -> Self {
        Self::with(builder())
    }

    fn with(builder: RedbStoreBuilder) -> Self {
        let backend = redb::backends::InMemoryBackend::new();
        let database = Arc::new(Database::builder().create_with_backend(backend).unwrap());
        let store = builder.on(Arc::clone(&database)).unwrap();
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

/// Works through one chunk of entries and says that there is more.
fn hasty() -> RedbStoreBuilder {
    builder().prune_time(Duration::ZERO)
}

/// Prunes until there is no more; says how many were deleted.
async fn prune_to_the_end(store: &RedbStore, millis: i64) -> u64 {
    let mut deleted = 0;
    loop {
        let pruned = store.prune(at(millis), usize::MAX).await.unwrap();
        deleted += pruned.deleted;
        if !pruned.more {
            return deleted;
        }
    }
}

/// As an incident is ended while a cleanup is under way.
#[tokio::test]
async fn prune_of_all_does_not_resume_a_cleanup() {
    let filing = Filing::with(hasty());
    create_many(&filing.store, 0..3, "ann").await;
    // Filed in the step that is being cleaned up, and live.
    assert_eq!(filing.prune(999_999, usize::MAX).await, (0, true));
    assert_eq!(prune_to_the_end(&filing.store, i64::MAX).await, 3);
}

#[tokio::test]
async fn prune_of_long_step_reaches_its_end() {
    let filing = Filing::with(hasty());
    create_many(&filing.store, 0..300, "ann").await;
    // The clock goes on between two prunes.
    for millis in [999_990, 999_991, 999_992] {
        assert_eq!(filing.prune(millis, usize::MAX).await, (0, true));
    }
    assert_eq!(filing.prune(999_993, usize::MAX).await, (0, false));
}

/// Whatever fails: what was not deleted is not passed over by the next prune.
#[tokio::test]
async fn prune_after_a_failed_one_deletes_all() {
    let disk = Disk::default();
    let store = disk.store();
    create_many(&store, 0..3, "ann").await;
    store.close().await;
    drop(store);
    for after in 0.. {
        let disk = disk.image();
        disk.without_cache();
        let store = disk.store_with(hasty());
        disk.fail(Fault {
            after,
            ..Fault::once(At::Any, std::io::ErrorKind::TimedOut)
        });
        let pruned = store.prune(at(1_000_000), usize::MAX).await;
        let has_failed = !disk.is_fault_left();
        disk.heal();
        until_available(&store).await;
        prune_to_the_end(&store, 1_000_000).await;
        store.close().await;
        drop(store);
        let database = disk.database().unwrap();
        assert_whole(&database);
        let sessions = database.begin_read().unwrap();
        let sessions = sessions.open_table(SESSIONS).unwrap();
        let left = ReadableTable::iter(&sessions).unwrap().count();
        assert_eq!(left, 0, "access {after} failed: {pruned:?}");
        if !has_failed {
            return;
        }
    }
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
    until("the cleanup deletes the record", async || {
        create(&store, 1, "ann").await.is_ok()
    })
    .await;
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
