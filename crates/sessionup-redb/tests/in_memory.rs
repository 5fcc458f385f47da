//! Sessions in use are found in memory, and there is nothing there that the tables do not say.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;

use sessionup_core::{
    Change, CreateOptions, LimitPolicy, MetaChange, Record, SecretHash, SessionLimit, Store,
    StoreError,
};
use sessionup_redb::RedbStore;
use support::{
    At, Boxed, Disk, Fault, at, begin, builder, create, id, is_there, poll, record, user,
};

/// A store whose every read reaches the disk, with sessions 1 and 2 of ann and 3 of bob.
async fn store_on(disk: &Disk) -> RedbStore {
    disk.without_cache();
    let store = disk.store();
    for (number, key) in [(1, "ann"), (2, "ann"), (3, "bob")] {
        create(&store, number, key).await.unwrap();
    }
    store
}

async fn fetch(store: &RedbStore, number: u64) -> Option<Arc<Record>> {
    store.fetch(id(number), at(10)).await.unwrap()
}

/// Polls once; the answer is there.
fn at_once<'a, T>(future: impl Future<Output = T> + 'a) -> T {
    let mut future: Boxed<'a, T> = Box::pin(future);
    match poll(&mut future) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn session_in_use_is_found_and_used_without_the_disk_and_at_once() {
    let disk = Disk::default();
    let store = store_on(&disk).await;
    let first = fetch(&store, 1).await.unwrap();
    disk.fail(Fault::always(At::Read, ErrorKind::TimedOut));

    let again = at_once(store.fetch(id(1), at(10))).unwrap().unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let touch = store.update(id(1), Change::touch(at(20)), at(20));
    let used = at_once(touch).unwrap().unwrap();
    assert_eq!(used.session.last_seen_at, at(20));
    let again = at_once(store.fetch(id(1), at(20))).unwrap().unwrap();
    assert_eq!(again, used);
    let over = store.fetch(id(1), again.session.expires_at);
    assert_eq!(at_once(over).unwrap(), None);

    let other = store.fetch(id(2), at(10)).await;
    assert!(
        matches!(other, Err(StoreError::Unavailable { .. })),
        "{other:?}"
    );
}

#[tokio::test]
async fn store_that_is_to_keep_nothing_asks_the_disk_each_time() {
    let disk = Disk::default();
    disk.without_cache();
    let store = disk.store_with(builder().record_cache_bytes(0));
    create(&store, 1, "ann").await.unwrap();
    fetch(&store, 1).await.unwrap();
    disk.fail(Fault::always(At::Read, ErrorKind::TimedOut));
    let again = store.fetch(id(1), at(10)).await;
    assert!(
        matches!(again, Err(StoreError::Unavailable { .. })),
        "{again:?}"
    );
}

/// Each way in which a session ends or changes.
#[tokio::test]
async fn what_ends_and_changes_does_so_in_memory_too() {
    async fn login(store: &RedbStore, options: CreateOptions) {
        store
            .create(record(9, "ann"), options, at(10))
            .await
            .unwrap();
    }
    const WAYS: [&str; 8] = [
        "delete",
        "delete of its owner",
        "all of the user's",
        "replaced by a login",
        "evicted by a login",
        "pruned",
        "renewed",
        "meta",
    ];
    for way in WAYS {
        let disk = Disk::default();
        let store = store_on(&disk).await;
        for number in 1..=3 {
            fetch(&store, number).await.unwrap();
        }
        match way {
            "delete" => drop(store.delete(id(1), None).await.unwrap()),
            "delete of its owner" => {
                store.delete(id(1), Some(&user("ann"))).await.unwrap();
            }
            "all of the user's" => {
                store.delete_user(&user("ann"), &[id(2)]).await.unwrap();
            }
            "replaced by a login" => {
                login(&store, CreateOptions::default().replacing(Some(id(1)))).await;
            }
            "evicted by a login" => {
                let two = NonZeroU32::new(2).unwrap();
                let limit = SessionLimit::new(two, LimitPolicy::EvictOldest);
                login(&store, CreateOptions::default().limited(Some(limit))).await;
            }
            "pruned" => {
                let end = fetch(&store, 1).await.unwrap().session.expires_at;
                let touch = store.update(id(1), Change::default(), at(10)).await;
                touch.unwrap();
                store.prune(end, 100).await.unwrap();
            }
            "renewed" => {
                let [from, to] = [7, 8].map(|byte| SecretHash::from_bytes([byte; 32]));
                let renew = store.update(id(1), Change::renew(from, to), at(10));
                let renewed = renew.await.unwrap().unwrap();
                assert_eq!(fetch(&store, 1).await.unwrap(), renewed);
                continue;
            }
            _ => {
                let change = Change::meta(MetaChange::default().set("a", 1).unwrap());
                let changed = store.update(id(1), change, at(10)).await.unwrap().unwrap();
                assert_eq!(fetch(&store, 1).await.unwrap(), changed);
                continue;
            }
        }
        assert_eq!(fetch(&store, 1).await, None, "{way}");
        let all_have_ended = way == "pruned";
        assert_eq!(fetch(&store, 2).await.is_none(), all_have_ended, "{way}");
    }
}

#[tokio::test]
async fn while_a_change_is_being_made_nobody_sees_it_and_nothing_is_kept() {
    let disk = Disk::default();
    let store = store_on(&disk).await;
    assert!(is_there(&store, 1).await);
    disk.shut_gate();
    let revocation = begin(store.delete(id(1), None));
    disk.wait_for_sync();

    // By the tables, which it must not be put back from.
    assert!(is_there(&store, 1).await);
    assert!(is_there(&store, 1).await);

    disk.open_gate();
    assert!(revocation.await.unwrap());
    assert!(!is_there(&store, 1).await);
}

#[tokio::test]
async fn session_that_begins_under_an_id_that_was_there_is_the_new_one() {
    let disk = Disk::default();
    let store = store_on(&disk).await;
    store
        .update(id(1), Change::touch(at(10)), at(10))
        .await
        .unwrap();
    fetch(&store, 1).await.unwrap();
    store.delete(id(1), None).await.unwrap();
    create(&store, 1, "bob").await.unwrap();
    assert_eq!(*fetch(&store, 1).await.unwrap(), record(1, "bob"));
}

#[tokio::test]
async fn what_is_in_doubt_is_refused_though_it_was_in_memory() {
    let disk = Disk::default();
    let store = store_on(&disk).await;
    fetch(&store, 1).await.unwrap();
    disk.refuse_opening(true);
    disk.fail(Fault::once(At::Sync, ErrorKind::TimedOut));
    let revoked = store.delete(id(1), None).await;
    assert!(
        matches!(revoked, Err(StoreError::OutcomeUnknown { .. })),
        "{revoked:?}"
    );
    assert_eq!(store.fetch(id(1), at(10)).await.unwrap(), None);
    disk.refuse_opening(false);
}

#[tokio::test]
async fn closed_store_finds_nothing_in_memory() {
    let disk = Disk::default();
    let store = store_on(&disk).await;
    fetch(&store, 1).await.unwrap();
    store.close().await;
    let closed = store.fetch(id(1), at(10)).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
    let used = store.update(id(1), Change::touch(at(20)), at(20)).await;
    assert!(matches!(used, Err(StoreError::Closed)), "{used:?}");
}
