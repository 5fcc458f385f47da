//! An application that writes its own tables in the same database meanwhile.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use sessionup_core::Store;
use sessionup_redb::RedbStore;
use support::{assert_whole, create, id, listed, user};

const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");
const THREADS: u64 = 4;
const ROUNDS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_and_store_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.redb");
    let database = Arc::new(Database::create(&path).unwrap());
    let store = RedbStore::new(Arc::clone(&database), "sessions", Duration::ZERO).unwrap();

    let orders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let database = Arc::clone(&database);
            std::thread::spawn(move || place_orders(&database, thread))
        })
        .collect();
    let mut logins = tokio::task::JoinSet::new();
    for task in 0..THREADS {
        logins.spawn(log_in_and_out(store.clone(), task));
    }
    logins.join_all().await;
    for thread in orders {
        thread.join().unwrap();
    }

    check(&database, &store).await;
    store.close().await;
    // The application's database goes on.
    place_orders(&database, 0);
    drop(store);
    drop(Arc::try_unwrap(database).unwrap());

    let database = Arc::new(Database::open(&path).unwrap());
    let store = RedbStore::new(Arc::clone(&database), "sessions", Duration::ZERO).unwrap();
    check(&database, &store).await;
}

fn place_orders(database: &Database, thread: u64) {
    for round in 0..ROUNDS {
        let transaction = database.begin_write().unwrap();
        let mut orders = transaction.open_table(ORDERS).unwrap();
        orders.insert(thread * ROUNDS + round, "tea").unwrap();
        drop(orders);
        transaction.commit().unwrap();
    }
}

/// Every second session is revoked again.
async fn log_in_and_out(store: RedbStore, task: u64) {
    let key = format!("user-{task}");
    for round in 0..ROUNDS {
        let number = task * ROUNDS + round;
        create(&store, number, &key).await.unwrap();
        if round % 2 == 1 {
            assert!(store.delete(id(number), Some(&user(&key))).await.unwrap());
        }
    }
}

async fn check(database: &Database, store: &RedbStore) {
    for task in 0..THREADS {
        let expected: Vec<_> = (0..ROUNDS)
            .step_by(2)
            .map(|round| id(task * ROUNDS + round))
            .collect();
        assert_eq!(listed(store, &format!("user-{task}")).await, expected);
    }
    assert_whole(database);
    let transaction = database.begin_read().unwrap();
    let orders = transaction.open_table(ORDERS).unwrap();
    let placed: Vec<_> = ReadableTable::iter(&orders)
        .unwrap()
        .map(|order| order.unwrap().0.value())
        .collect();
    assert_eq!(placed, (0..THREADS * ROUNDS).collect::<Vec<_>>());
}
