//! A disk without room: sessions can still be ended, with the room that was kept for that.
//!
//! The disk is simulated, see `support`: its blocks are counted, and the reserve takes of the same.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;
use std::time::Duration;

use sessionup_core::{Change, CreateOptions, Store, StoreError};
use sessionup_redb::{RedbStore, RedbStoreBuilder};
use support::{
    At, Disk, Fault, assert_whole, at, begin, builder, create, create_many, id, is_there, listed,
    record, until, until_available, user,
};

const MIB: u64 = 1024 * 1024;

fn with_reserve(disk: &Disk) -> RedbStore {
    disk.store_with(builder().reserve(disk.reserve()))
}

/// Logs in until the disk is full, some hundred sessions after that much was taken.
async fn fill(disk: &Disk, store: &RedbStore) {
    create_many(store, 0..2_000, "ann").await;
    create_many(store, 2_000..2_400, "bob").await;
    disk.fill_up();
    let mut number = 10_000;
    while create(store, number, "cid").await.is_ok() {
        number += 1;
    }
    until_available(store).await;
}

fn is_full<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Full { .. })), "{result:?}");
}

fn is_unknown<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(
        matches!(result, Err(StoreError::OutcomeUnknown { .. })),
        "{result:?}"
    );
}

#[tokio::test]
async fn without_a_reserve_a_logout_is_refused_in_memory() {
    let disk = Disk::default();
    let store = disk.store();
    create_many(&store, 0..100, "ann").await;
    disk.fill_up_wholly();

    is_unknown(&store.delete(id(1), None).await);

    assert_eq!(store.fetch(id(1), at(0)).await.unwrap(), None);
    let store = disk.image().store();
    assert!(is_there(&store, 1).await, "nothing was written");
}

/// The last sync of a commit finds no room: the session may have been rewritten or not.
#[tokio::test]
async fn renewal_with_unknown_outcome_is_not_full() {
    let mut failed = 0;
    for after in 0..8 {
        let disk = Disk::default();
        let store = disk.store();
        // Pages to spare: a file that has to grow is synced before the commit begins.
        create_many(&store, 0..100, "spare").await;
        store.delete_user(&user("spare"), &[]).await.unwrap();
        create(&store, 1, "ann").await.unwrap();
        disk.fail(Fault {
            after,
            ..Fault::once(At::Sync, ErrorKind::StorageFull)
        });
        let mut renewed = Change::default();
        renewed.expires_at = Some(at(2_000_000));
        let renewed = store.update(id(1), renewed, at(0)).await;
        if disk.is_fault_left() {
            break;
        }
        is_unknown(&renewed);
        failed += 1;
    }
    assert!(failed >= 2, "{failed} syncs of a commit");
}

#[tokio::test]
async fn sessions_end_for_good_with_the_room_that_was_kept() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    create_many(&store, 0..100, "ann").await;
    create_many(&store, 100..200, "bob").await;
    assert_eq!(disk.reserved(), MIB);
    disk.fill_up_wholly();

    assert!(store.delete(id(1), None).await.unwrap());
    assert_eq!(disk.reserved(), 0, "the room is in use");
    let deleted = store.delete_user(&user("ann"), &[id(2)]).await.unwrap();
    assert_eq!(deleted.deleted, 98);

    assert!(is_there(&store, 100).await);
    is_full(&create(&store, 300, "cid").await);
    // As if the power went now.
    let store = disk.image().store();
    assert_eq!(listed(&store, "ann").await, [id(2)]);
    assert_eq!(listed(&store, "bob").await.len(), 100);
}

#[tokio::test]
async fn many_sessions_end_on_a_disk_that_logins_have_filled() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    fill(&disk, &store).await;
    assert!(store.delete(id(2_000), None).await.unwrap());
    let deleted = store.delete_user(&user("ann"), &[id(1)]).await.unwrap();
    assert_eq!(deleted.deleted, 1_999);
    let store = disk.image().store();
    assert_eq!(listed(&store, "ann").await, [id(1)]);
    assert!(!is_there(&store, 2_000).await);
    assert!(is_there(&store, 2_001).await);
}

/// A full disk on which somebody else takes what is given back.
async fn full_to_the_last(disk: &Disk, builder: RedbStoreBuilder) -> RedbStore {
    let store = disk.store_with(builder.reserve(disk.reserve()));
    disk.refuse_reserve(Some(ErrorKind::StorageFull));
    fill(disk, &store).await;
    store
}

#[tokio::test]
async fn room_that_becomes_free_is_for_revocations_first() {
    let disk = Disk::default();
    let store = full_to_the_last(&disk, builder()).await;
    let opens = disk.opens();

    for number in 20_000..20_100 {
        is_full(&create(&store, number, "cid").await);
    }
    assert!(store.delete(id(1), None).await.unwrap());
    disk.make_room();
    for number in 20_000..20_100 {
        is_full(&create(&store, number, "cid").await);
    }
    assert_eq!(disk.opens(), opens, "a login cost everybody an opening");
    assert_eq!(disk.reserved(), 0);

    disk.refuse_reserve(None);
    while let Err(error) = create(&store, 20_000, "cid").await {
        is_full(&Err::<(), _>(error));
        tokio::task::yield_now().await;
    }
    assert_eq!(disk.reserved(), MIB, "a login came in before the reserve");
    store.close().await;
    assert_whole(&disk.database().unwrap());
}

#[tokio::test]
async fn room_is_kept_again_though_nobody_asks() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    fill(&disk, &store).await;
    disk.make_room();
    until("the reserve is taken again", async || disk.reserved() > 0).await;
    create(&store, 20_000, "cid").await.unwrap();
}

#[tokio::test]
async fn what_writes_more_wants_room_too() {
    let disk = Disk::default();
    let store = full_to_the_last(&disk, builder()).await;
    let opens = disk.opens();
    let mut renewed = Change::default();
    renewed.expires_at = Some(at(2_000_000));
    for number in 1..50 {
        is_full(&store.update(id(number), renewed.clone(), at(5)).await);
    }
    assert_eq!(disk.opens(), opens);
    let found = store.fetch(id(1), at(5)).await.unwrap().unwrap();
    assert_eq!(found.session.expires_at, at(1_000_000));
}

#[tokio::test]
async fn uses_wait_for_room() {
    let disk = Disk::default();
    let eager = builder().touch_delay(Duration::ZERO);
    let store = full_to_the_last(&disk, eager).await;
    let opens = disk.opens();

    for number in 1..50 {
        let used = store.update(id(number), Change::touch(at(5)), at(5)).await;
        assert_eq!(used.unwrap().unwrap().session.last_seen_at, at(5));
    }
    assert!(store.delete(id(1), None).await.unwrap());
    assert_eq!(disk.opens(), opens);

    disk.make_room();
    store.close().await;
    let store = disk.store();
    let seen = store.fetch(id(2), at(5)).await.unwrap().unwrap();
    assert_eq!(seen.session.last_seen_at, at(5));
}

/// Each of these sessions lies in pages of its own, and all at once take far more than is kept.
#[tokio::test]
async fn scattered_sessions_end_with_little_room() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    for start in (0..20_000).step_by(2_000) {
        create_many(&store, start..start + 1_980, "bob").await;
        for number in (start..start + 1_980).step_by(40) {
            assert!(store.delete(id(number), None).await.unwrap());
            create(&store, number, "ann").await.unwrap();
        }
    }
    disk.fill_up();
    let deleted = store.delete_user(&user("ann"), &[]).await.unwrap();
    assert_eq!(deleted.deleted, 500);
    let store = disk.image().store();
    assert_eq!(listed(&store, "ann").await, []);
    assert!(is_there(&store, 1).await);
}

#[tokio::test]
async fn logins_and_logouts_of_one_transaction_have_each_their_answer() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    create_many(&store, 0..50, "ann").await;
    create_many(&store, 2_000..2_010, "bob").await;
    let (ann, bob, cid) = (user("ann"), user("bob"), user("cid"));
    disk.shut_gate();
    let blocking = begin(create(&store, 9_000, "dan"));
    disk.wait_for_sync();
    let logins: Vec<_> = (10_000..10_020)
        .map(|number| begin(create(&store, number, "cid")))
        .collect();
    let replacing = CreateOptions::default().replacing(Some(id(2_001)));
    let replacing = begin(store.create(record(9_001, "bob"), replacing, at(0)));
    let logout = begin(store.delete(id(2_000), Some(&bob)));
    let nothing = begin(store.delete(id(888_888), None));
    let all_of_ann = begin(store.delete_user(&ann, &[]));
    let all_of_cid = begin(store.delete_user(&cid, &[]));
    // What is at its first sync needs room for its root still.
    disk.fill_up();
    disk.make_some_room(8 * 1024);
    disk.never_write_in_place();
    disk.open_gate();

    blocking.await.unwrap();
    for login in logins {
        is_full(&login.await);
    }
    let replaced = replacing.await;
    assert!(
        matches!(
            replaced,
            Err(StoreError::Full { .. } | StoreError::OutcomeUnknown { .. })
        ),
        "{replaced:?}"
    );
    assert!(logout.await.unwrap());
    assert!(!nothing.await.unwrap());
    assert_eq!(all_of_ann.await.unwrap().deleted, 50);
    match all_of_cid.await {
        Ok(deleted) => assert_eq!(deleted.deleted, 0, "counts what was never there"),
        other => is_unknown(&other),
    }

    let store = disk.image().store();
    for user in ["ann", "cid"] {
        assert_eq!(listed(&store, user).await, [], "{user}");
    }
    assert!(!is_there(&store, 2_000).await);
    assert!(is_there(&store, 2_002).await);
}

#[tokio::test]
async fn where_nothing_helps_a_session_is_refused_in_memory() {
    let disk = Disk::default();
    let store = disk.store_with(builder().reserve(disk.reserve()).reserve_bytes(1));
    create_many(&store, 0..100, "ann").await;
    disk.fill_up_wholly();
    is_unknown(&store.delete_user(&user("ann"), &[]).await);
    assert_eq!(store.fetch(id(1), at(0)).await.unwrap(), None);

    disk.make_room();
    until("a login finds room", async || {
        create(&store, 20_000, "cid").await.is_ok()
    })
    .await;
    store.close().await;
    let store = disk.store();
    assert_eq!(listed(&store, "ann").await, []);
}

#[tokio::test]
async fn store_opens_on_a_full_disk_and_ends_sessions() {
    let disk = Disk::default();
    let store = with_reserve(&disk);
    create_many(&store, 0..100, "ann").await;
    store.close().await;
    disk.lose_reserve();
    disk.fill_up();

    let store = with_reserve(&disk);
    is_full(&create(&store, 20_000, "cid").await);
    assert!(is_there(&store, 1).await);
    let deleted = store.delete(id(1), None).await;
    assert!(
        matches!(deleted, Ok(true) | Err(StoreError::OutcomeUnknown { .. })),
        "{deleted:?}"
    );
    assert!(!is_there(&store, 1).await);

    disk.make_room();
    until("the reserve is taken again", async || disk.reserved() > 0).await;
    create(&store, 20_000, "cid").await.unwrap();
}

#[tokio::test]
async fn reserve_that_cannot_be_made_keeps_nobody_from_logging_in() {
    let disk = Disk::default();
    disk.refuse_reserve(Some(ErrorKind::PermissionDenied));
    let store = with_reserve(&disk);
    create(&store, 1, "ann").await.unwrap();

    // Neither does one that cannot be made again.
    let disk = Disk::default();
    let store_with_reserve = with_reserve(&disk);
    fill(&disk, &store_with_reserve).await;
    disk.refuse_reserve(Some(ErrorKind::PermissionDenied));
    disk.make_room();
    until("a login finds room", async || {
        create(&store_with_reserve, 20_000, "cid").await.is_ok()
    })
    .await;
    drop(store);
}

#[tokio::test]
async fn reserve_lies_beside_the_file_and_is_there_at_each_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    let reserve = directory.path().join("sessions.redb.reserve");
    let length = || std::fs::metadata(&reserve).map(|file| file.len()).ok();

    drop(builder().reserve_bytes(0).open(&path).unwrap());
    assert_eq!(length(), None);
    builder().open(&path).unwrap().close().await;
    assert_eq!(length(), Some(MIB));

    std::fs::write(&reserve, "").unwrap();
    let store = builder().reserve_bytes(70_000).open(&path).unwrap();
    assert_eq!(length(), Some(70_000));
    // Whoever does not have the file does not touch its reserve either.
    let impatient = builder().lock_wait(Duration::ZERO);
    impatient.open(&path).unwrap_err();
    assert_eq!(length(), Some(70_000));
    store.close().await;

    std::fs::remove_file(&reserve).unwrap();
    std::fs::create_dir(&reserve).unwrap();
    let store = builder().open(&path).unwrap();
    create(&store, 1, "ann").await.unwrap();
}
