//! How a store says it is, through its life.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::io::ErrorKind;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use redb::Database;
use sessionup_core::Store;
use sessionup_redb::{Reason, RedbStore, Status};
use support::warnings::warnings_of;
use support::{
    At, Disk, Fault, SESSIONS, at, begin, builder, create, create_many, id, is_there, until,
    until_available, user,
};

fn is(store: &RedbStore, status: Status, reasons: &[Reason]) {
    let health = store.health();
    assert_eq!((health.status, &*health.reasons), (status, reasons));
}

/// Waits until the store mended itself.
async fn until_ok(store: &RedbStore) {
    until("the store mended itself", async || {
        store.health().status == Status::Ok
    })
    .await;
}

#[tokio::test]
async fn store_that_opens_its_database_anew_is_degraded_until_all_is_settled() {
    let disk = Disk::default();
    let store = disk.store();
    // Pages to spare: a file that has to grow is synced before the commit begins.
    create_many(&store, 1_000..1_100, "spare").await;
    store.delete_user(&user("spare"), &[]).await.unwrap();
    create_many(&store, 1..3, "ann").await;
    is(&store, Status::Ok, &[]);
    assert_eq!(store.health().counts.reopenings, 0);

    disk.refuse_opening(true);
    disk.fail(Fault::always(At::Sync, ErrorKind::TimedOut));
    store.delete(id(1), None).await.unwrap_err();
    store.delete(id(2), None).await.unwrap_err();
    let reasons = [Reason::Reopening, Reason::SessionsInDoubt];
    is(&store, Status::Degraded, &reasons);

    disk.heal();
    disk.refuse_opening(false);
    until_available(&store).await;
    until_ok(&store).await;

    let counts = store.health().counts;
    assert!(counts.reopenings > 0);
    assert_eq!(counts.outcome_unknown, 1);
    assert!(counts.unavailable > 0);
    store.close().await;
    is(&store, Status::Closed, &[]);
}

#[tokio::test]
async fn full_disk_shows_until_there_is_room() {
    let disk = Disk::default();
    let store = disk.store_with(builder().reserve(disk.reserve()));
    create_many(&store, 1..100, "ann").await;
    disk.refuse_reserve(Some(ErrorKind::StorageFull));
    disk.fill_up_wholly();
    create(&store, 200, "ann").await.unwrap_err();
    until("the full disk shows", async || {
        store.health().reasons.contains(&Reason::DiskFull)
    })
    .await;
    assert!(store.delete(id(1), None).await.unwrap());
    let reasons = [Reason::DiskFull, Reason::ReserveMissing];
    is(&store, Status::Degraded, &reasons);
    assert!(store.health().counts.full > 0);

    disk.make_room();
    disk.refuse_reserve(None);
    until_ok(&store).await;
    create(&store, 200, "ann").await.unwrap();
}

/// Without a reserve nothing else clears the fact when room is found.
#[tokio::test]
async fn health_without_reserve_clears_full_disk() {
    let disk = Disk::default();
    let store = disk.store_with(builder().reserve(disk.reserve()).reserve_bytes(0));
    create_many(&store, 1..100, "ann").await;
    disk.fill_up_wholly();
    create(&store, 200, "ann").await.unwrap_err();
    until("the full disk shows", async || {
        store.health().reasons.contains(&Reason::DiskFull)
    })
    .await;
    disk.make_room();
    until("a login finds room", async || {
        create(&store, 201, "ann").await.is_ok()
    })
    .await;
    until_ok(&store).await;
}

#[cfg(unix)]
#[tokio::test]
async fn health_of_displaced_file_warns_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    let aside = directory.path().join("aside.redb");
    let own = builder().open(&path).unwrap();
    is(&own, Status::Ok, &[]);
    let shows = |store: &RedbStore| warnings_of(|| is(store, Status::Degraded, &DISPLACED)).1;

    std::fs::rename(&path, &aside).unwrap();
    let warned = shows(&own);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("deleted"), "{warned:?}");
    std::fs::copy(&aside, &path).unwrap();
    assert_eq!(shows(&own), [""; 0]);

    // It goes on with the file that it has.
    create(&own, 1, "ann").await.unwrap();
    std::fs::rename(&aside, &path).unwrap();
    is(&own, Status::Ok, &[]);
    own.close().await;
    let reopened = builder().open(&path).unwrap();
    assert!(is_there(&reopened, 1).await);
    reopened.close().await;

    let database = Arc::new(Database::open(&path).unwrap());
    let shared = builder().control_beside(&path).on(database).unwrap();
    is(&shared, Status::Ok, &[]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(shows(&shared).len(), 1);
}

const DISPLACED: [Reason; 1] = [Reason::FileDisplaced];

#[tokio::test]
async fn reserve_that_cannot_be_made_shows() {
    let disk = Disk::default();
    disk.refuse_reserve(Some(ErrorKind::PermissionDenied));
    let store = disk.store_with(builder().reserve(disk.reserve()));
    is(&store, Status::Degraded, &[Reason::ReserveMissing]);
    let unwanted = disk.store_with(builder().reserve(disk.reserve()).reserve_bytes(0));
    is(&unwanted, Status::Ok, &[]);
}

#[tokio::test]
async fn store_that_cannot_mend_itself_has_failed() {
    let disk = Disk::default();
    let database: Arc<Database> = Arc::new(disk.database().unwrap());
    let store = builder().on(database).unwrap();
    disk.fail(Fault::once(At::Sync, ErrorKind::TimedOut));
    create(&store, 1, "ann").await.unwrap_err();
    is(&store, Status::Failed, &[]);

    let disk = Disk::default();
    let store = disk.store();
    disk.fail(Fault::panic(At::Write));
    create(&store, 1, "ann").await.unwrap_err();
    until("the store gives up", async || {
        !matches!(store.health().status, Status::Degraded | Status::Ok)
    })
    .await;
    is(&store, Status::Failed, &[]);
}

#[tokio::test]
async fn failing_cleanup_shows_until_one_succeeds() {
    let disk = Disk::default();
    let store = disk.store_with(builder().cleanup_interval(Duration::from_millis(1)));
    create(&store, 1, "ann").await.unwrap();
    disk.refuse_opening(true);
    disk.fail(Fault::always(At::Any, ErrorKind::TimedOut));
    create(&store, 2, "ann").await.unwrap_err();
    until("the failing cleanup shows", async || {
        store.health().reasons.contains(&Reason::CleanupFailing)
    })
    .await;
    disk.heal();
    disk.refuse_opening(false);
    until_ok(&store).await;
}

#[tokio::test]
async fn answers_are_counted_by_class() {
    let disk = Disk::default();
    let store = disk.store_with(builder().queue(NonZeroUsize::MIN));
    create(&store, 1, "ann").await.unwrap();
    let commits = store.health().counts.commits;
    store.delete(id(9), None).await.unwrap();
    assert_eq!(store.health().counts.commits, commits, "nothing to commit");

    disk.shut_gate();
    let first = begin(create(&store, 2, "ann"));
    disk.wait_for_sync();
    let second = begin(create(&store, 3, "ann"));
    create(&store, 4, "ann").await.unwrap_err();
    assert_eq!(store.health().counts.overloaded, 1);
    disk.open_gate();
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(store.health().counts.commits, commits + 2);
    store.close().await;

    let database = Arc::new(disk.database().unwrap());
    let transaction = database.begin_write().unwrap();
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    sessions.insert(id(1).as_bytes(), &b"garbage"[..]).unwrap();
    drop(sessions);
    transaction.commit().unwrap();
    let store = builder().on(database).unwrap();
    store.fetch(id(1), at(0)).await.unwrap_err();
    assert_eq!(store.health().counts.corrupt_records, 1);
}
