//! Records that cannot be read: nobody is logged in by them, and they are in nobody's way.

#![allow(clippy::unwrap_used)]

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable};
use sessionup_core::{
    Change, CreateOptions, LimitPolicy, SessionId, SessionLimit, Store, StoreError,
};
use sessionup_redb::RedbStore;
use support::{
    BY_EXPIRY, BY_USER, SESSIONS, assert_whole, at, builder, create, id, is_there, listed, record,
    user,
};

/// What a damaged record may look like.
const DAMAGES: [&[u8]; 4] = [b"", b"garbage", &[1; 200], &[0xff; 20]];

fn database() -> Arc<Database> {
    let backend = redb::backends::InMemoryBackend::new();
    Arc::new(Database::builder().create_with_backend(backend).unwrap())
}

/// A store with sessions 1 and 2 of ann and 3 of bob, of which 1 is damaged.
async fn damaged(database: &Arc<Database>, damage: &[u8]) -> RedbStore {
    let store = builder().on(Arc::clone(database)).unwrap();
    create(&store, 1, "ann").await.unwrap();
    create(&store, 2, "ann").await.unwrap();
    create(&store, 3, "bob").await.unwrap();
    overwrite(database, id(1), damage);
    store
}

fn overwrite(database: &Database, id: SessionId, bytes: &[u8]) {
    let transaction = database.begin_write().unwrap();
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    sessions.insert(id.as_bytes(), bytes).unwrap();
    drop(sessions);
    transaction.commit().unwrap();
}

fn is_damage<T: std::fmt::Debug>(result: &Result<T, StoreError>, number: u64) {
    assert!(
        matches!(result, Err(StoreError::CorruptRecord { id: named, .. }) if *named == id(number)),
        "{result:?}"
    );
}

#[tokio::test]
async fn damaged_record_is_an_error_and_others_are_not() {
    for damage in DAMAGES {
        let store = damaged(&database(), damage).await;

        is_damage(&store.fetch(id(1), at(0)).await, 1);
        is_damage(&store.list(&user("ann"), at(0)).await, 1);
        is_damage(&store.update(id(1), Change::default(), at(0)).await, 1);
        is_damage(&store.update(id(1), Change::touch(at(5)), at(5)).await, 1);

        assert!(is_there(&store, 2).await);
        assert_eq!(listed(&store, "bob").await, [id(3)]);
        let taken = create(&store, 1, "cid").await;
        assert!(matches!(taken, Err(StoreError::DuplicateId)), "{taken:?}");
    }
}

#[tokio::test]
async fn damaged_record_can_be_deleted() {
    for damage in DAMAGES {
        let database = database();
        let store = damaged(&database, damage).await;
        assert!(!store.delete(id(1), Some(&user("bob"))).await.unwrap());
        assert!(store.delete(id(1), Some(&user("ann"))).await.unwrap());
        is_tidy(&database, &store).await;

        let database = self::database();
        let store = damaged(&database, damage).await;
        assert!(store.delete(id(1), None).await.unwrap());
        is_tidy(&database, &store).await;

        let database = self::database();
        let store = damaged(&database, damage).await;
        let replaces = CreateOptions::default().replacing(Some(id(1)));
        let created = store.create(record(4, "bob"), replaces, at(0)).await;
        assert!(created.unwrap().replaced);
        is_tidy(&database, &store).await;

        let database = self::database();
        let store = damaged(&database, damage).await;
        let deleted = store.delete_user(&user("ann"), &[id(2)]).await;
        assert_eq!(deleted.unwrap().deleted, 1);
        is_tidy(&database, &store).await;
    }
}

/// Session 1 is gone, and so is all that led to it once a prune came by.
async fn is_tidy(database: &Database, store: &RedbStore) {
    assert!(!is_there(store, 1).await);
    assert_eq!(listed(store, "ann").await, [id(2)]);
    let pruned = store.prune(at(999_999), 100).await.unwrap();
    assert_eq!((pruned.deleted, pruned.more), (0, false));
    assert_whole(database);
}

#[tokio::test]
async fn damaged_record_keeps_nobody_from_logging_in() {
    let store = damaged(&database(), b"garbage").await;
    let two = NonZeroU32::new(2).unwrap();
    let limit = SessionLimit::new(two, LimitPolicy::Refuse);
    let options = CreateOptions::default().limited(Some(limit));

    store
        .create(record(4, "ann"), options, at(0))
        .await
        .unwrap();
    let third = store.create(record(5, "ann"), options, at(0)).await;
    assert!(
        matches!(third, Err(StoreError::LimitReached { .. })),
        "{third:?}"
    );
}

/// How many entries the index of expiries has.
fn entries(database: &Database) -> usize {
    let transaction = database.begin_read().unwrap();
    let by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
    ReadableTable::iter(&by_expiry).unwrap().count()
}

#[tokio::test]
async fn prune_passes_over_damaged_records() {
    let database = database();
    let store = damaged(&database, b"garbage").await;

    let pruned = store.prune(at(1_000_000), 100).await.unwrap();

    assert_eq!((pruned.deleted, pruned.more), (2, false));
    // It is kept with its entry, for whoever wants to look into it or has a program that reads it.
    is_damage(&store.fetch(id(1), at(0)).await, 1);
    assert_eq!(entries(&database), 1);
    assert_eq!(
        store.delete_user(&user("ann"), &[]).await.unwrap().deleted,
        1
    );
    store.prune(at(1_000_000), 100).await.unwrap();
    assert_eq!(entries(&database), 0);
    assert_whole(&database);
}

#[tokio::test]
async fn record_under_another_id_logs_nobody_in() {
    let database = database();
    let store = builder().on(Arc::clone(&database)).unwrap();
    create(&store, 1, "ann").await.unwrap();
    create(&store, 2, "bob").await.unwrap();
    let transaction = database.begin_read().unwrap();
    let sessions = transaction.open_table(SESSIONS).unwrap();
    let bobs = ReadableTable::get(&sessions, id(2).as_bytes())
        .unwrap()
        .unwrap();
    overwrite(&database, id(1), bobs.value());

    is_damage(&store.fetch(id(1), at(0)).await, 1);
}

#[tokio::test]
async fn entry_of_another_user_hands_out_nothing() {
    let database = database();
    let store = builder().on(Arc::clone(&database)).unwrap();
    create(&store, 1, "ann").await.unwrap();
    let transaction = database.begin_write().unwrap();
    let mut by_user = transaction.open_table(BY_USER).unwrap();
    by_user.insert((&b"bob"[..], id(1).as_bytes()), ()).unwrap();
    by_user.insert((&b"bob"[..], id(9).as_bytes()), ()).unwrap();
    drop(by_user);
    transaction.commit().unwrap();

    is_damage(&store.list(&user("bob"), at(0)).await, 1);
    assert_eq!(
        store.delete_user(&user("bob"), &[]).await.unwrap().deleted,
        0
    );
    assert_eq!(listed(&store, "bob").await, []);
    assert!(is_there(&store, 1).await);
    assert_whole(&database);
}
