//! What is known of the time, over a restart.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use redb::ReadableTable;

use sessionup_core::store::{Marks, Stretch};
use sessionup_core::{Manager, ManualClock, Peer, Refusal, SessionId, SetCookie, Store, Timestamp};
use sessionup_redb::RedbStore;
use support::{ABOUT, At, Disk, Fault, at, builder, create, id, until};

/// A whole minute.
const START: Timestamp = Timestamp::from_millis(1_795_286_340_000);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

fn manager(store: &RedbStore, clock: &ManualClock, lifetime: Duration) -> Manager {
    let builder = evidence::watch(Manager::builder(store.clone())).clock(clock.clone());
    builder.lifetime(lifetime).build().unwrap()
}

async fn login(manager: &Manager) -> (SessionId, SetCookie) {
    let sessions = manager.sessions([], Peer::default());
    let session = sessions.init("ann").await.unwrap();
    (session.id, sessions.response_cookie().unwrap())
}

async fn visit(manager: &Manager, cookie: &SetCookie) -> Result<(), Refusal> {
    let pair = cookie.expose().split(';').next().unwrap();
    let request = manager.sessions([pair.as_bytes()], Peer::default());
    request.authenticate().await.unwrap().map(drop)
}

async fn lies_there(store: &RedbStore, id: SessionId) -> bool {
    store.fetch(id, Timestamp::MIN).await.unwrap().is_some()
}

#[tokio::test]
async fn what_has_expired_stays_so_when_the_clock_is_set_back_before_a_restart() {
    let (disk, clock) = (Disk::default(), ManualClock::at(START));
    let store = disk.store();
    let (id, cookie) = login(&manager(&store, &clock, 10 * MINUTE)).await;
    clock.advance(11 * MINUTE);
    let (_, later) = login(&manager(&store, &clock, 10 * MINUTE)).await;
    store.close().await;

    clock.set(START);
    let store = disk.store();
    let manager = manager(&store, &clock, 10 * MINUTE);
    assert!(lies_there(&store, id).await, "no cleanup is at work");
    assert_eq!(visit(&manager, &cookie).await, Err(Refusal::Expired));
    assert_eq!(visit(&manager, &later).await, Ok(()));
}

#[tokio::test]
async fn clock_that_was_ahead_over_restarts_deletes_nothing() {
    let (disk, clock) = (Disk::default(), ManualClock::at(START));
    let cleaning = || {
        let builder = builder().cleanup_interval(Duration::from_millis(1));
        builder.clock(clock.clone())
    };
    // One that was over long before, and whose absence shows that the cleanup has done its work.
    let cleaned_up = async |store: &RedbStore| {
        create(store, 1, "ann").await.unwrap();
        until("the cleanup deletes the record", async || {
            !lies_there(store, id(1)).await
        })
        .await;
    };
    let store = disk.store_with(cleaning());
    let (live, cookie) = login(&manager(&store, &clock, DAY)).await;
    cleaned_up(&store).await;
    store.close().await;

    clock.advance(YEARS);
    for _ in 0..2 {
        let store = disk.store_with(cleaning());
        // Its commit has what is known of the time.
        login(&manager(&store, &clock, MINUTE)).await;
        clock.advance(2 * MINUTE);
        cleaned_up(&store).await;
        store.close().await;
    }
    clock.set(START.saturating_add(10 * MINUTE));
    let store = disk.store_with(cleaning());
    cleaned_up(&store).await;
    assert!(lies_there(&store, live).await);
    assert_eq!(visit(&manager(&store, &clock, DAY), &cookie).await, Ok(()));
}

#[tokio::test]
async fn marks_are_kept_to_the_minute_and_go_with_other_changes() {
    let disk = Disk::default();
    let store = disk.store();
    assert_eq!(store.watermark().marks(), Marks::default());
    store.watermark().observe(START.saturating_add(MINUTE / 2));
    create(&store, 1, "ann").await.unwrap();
    let before = (disk.syncs(), disk.writes());

    store.watermark().observe(START.saturating_add(YEARS));
    store
        .watermark()
        .observe(START.saturating_add(YEARS + MINUTE));
    assert!(!store.delete(id(9), None).await.unwrap());
    store.prune(at(0), 9).await.unwrap();
    assert_eq!((disk.syncs(), disk.writes()), before, "no commit for them");
    // As if the power went now.
    let killed = disk.image().store();
    assert_eq!(killed.watermark().marks(), Marks::new(START, None));

    let apart = [YEARS, YEARS + MINUTE].map(|after| START.saturating_add(after));
    let apart = Some(Stretch::new(apart[0], apart[1]));
    create(&store, 2, "ann").await.unwrap();
    let killed = disk.image().store();
    assert_eq!(killed.watermark().marks(), Marks::new(START, apart));
    store.close().await;
    let store = disk.store();
    assert_eq!(store.watermark().marks(), Marks::new(START, apart));

    store.watermark().observe(START);
    create(&store, 3, "ann").await.unwrap();
    store.close().await;
    let store = disk.store();
    assert_eq!(store.watermark().marks(), Marks::new(START, None));
}

/// Nothing but the refusal moves the time, and nothing is changed after it.
#[tokio::test]
async fn expired_session_stays_refused_after_clean_close() {
    let (disk, clock) = (Disk::default(), ManualClock::at(START));
    let store = disk.store();
    let before_login = manager(&store, &clock, 10 * MINUTE);
    let (_, cookie) = login(&before_login).await;
    clock.advance(60 * MINUTE);
    let refused = visit(&before_login, &cookie).await;
    assert_eq!(refused, Err(Refusal::Expired));
    store.close().await;

    clock.set(START.saturating_add(MINUTE));
    let store = disk.store();
    let manager = manager(&store, &clock, 10 * MINUTE);
    assert_eq!(visit(&manager, &cookie).await, Err(Refusal::Expired));
}

#[tokio::test]
async fn close_writes_nothing_if_the_time_is_kept() {
    let disk = Disk::default();
    let store = disk.store();
    store.watermark().observe(START);
    create(&store, 1, "ann").await.unwrap();
    store.close().await;
    let store = disk.store();
    store.watermark().observe(START.saturating_add(MINUTE / 2));
    store.close().await;
    assert_eq!(store.health().counts.commits, 0);
}

#[tokio::test]
async fn damaged_marks_are_taken_for_absent() {
    let disk = Disk::default();
    let store = disk.store();
    store.watermark().observe(START);
    create(&store, 1, "ann").await.unwrap();
    store.close().await;

    let database = disk.database().unwrap();
    let transaction = database.begin_write().unwrap();
    let mut about = transaction.open_table(ABOUT).unwrap();
    let kept = about.get("settled").unwrap().unwrap().value();
    about.insert("settled", kept ^ 1 << 40).unwrap();
    drop(about);
    transaction.commit().unwrap();
    drop(database);

    let store = disk.store();
    assert_eq!(store.watermark().marks(), Marks::default());
    // What is known from then on is written over it.
    store.watermark().observe(START);
    create(&store, 2, "ann").await.unwrap();
    store.close().await;
    assert_eq!(disk.store().watermark().marks(), Marks::new(START, None));
}

#[tokio::test]
async fn marks_that_may_not_be_durable_are_written_again() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    store.watermark().observe(START);
    disk.fail(Fault::once(At::Sync, std::io::ErrorKind::Other));
    create(&store, 2, "ann").await.unwrap_err();
    support::until_available(&store).await;
    create(&store, 3, "ann").await.unwrap();
    store.close().await;
    assert_eq!(disk.store().watermark().marks(), Marks::new(START, None));
}
