//! What is answered is true of some order: uses against those who decide by them, and limits.

use std::num::NonZeroU32;
use std::time::Duration;

use sessionup_core::store::{LimitPolicy, SessionLimit};
use sessionup_core::{CreateOptions, MemoryStore, Record, SecretHash, Store, StoreError};
use shuttle::future::block_on;

use crate::explore::{explore, note, one_of, spawn};
use crate::support::{Disk, at, create, id, is_there, listed, record, session};
use crate::{small, touch};

const USED: &str = "use came before";
const UNUSED: &str = "use came too late";

/// The session that was used stays and the other one goes, or it goes and its use is refused.
fn use_decides_who_goes<S: Store + Clone>(store: S) {
    block_on(create(&store, 1, "ann")).unwrap();
    block_on(create(&store, 2, "ann")).unwrap();
    let using = {
        let store = store.clone();
        spawn(async move { touch(&store, id(1), 5).await.unwrap() })
    };
    let other = {
        let store = store.clone();
        spawn(async move { touch(&store, id(8), 6).await.unwrap() })
    };
    let login = {
        let store = store.clone();
        let two = NonZeroU32::new(2).unwrap();
        let limit = SessionLimit::new(two, LimitPolicy::EvictLeastRecentlySeen);
        let options = CreateOptions::default().limited(Some(limit));
        spawn(async move {
            store
                .create(record(3, "ann"), options, at(9))
                .await
                .unwrap()
        })
    };
    let pruning = {
        let store = store.clone();
        spawn(async move { store.prune(at(9), 9).await.unwrap() })
    };

    let used = using.join().unwrap();
    note(if used { USED } else { UNUSED });
    let evicted = login.join().unwrap().evicted;
    assert_eq!(evicted, [id(if used { 2 } else { 1 })]);
    assert!(!other.join().unwrap());
    assert_eq!(pruning.join().unwrap().deleted, 0);
    assert_eq!(block_on(is_there(&store, 1)), used);
}

#[test]
fn use_decides_who_must_go() {
    explore(&[USED, UNUSED], || {
        use_decides_who_goes(Disk::default().store_with(small()))
    });
}

#[test]
fn use_decides_who_must_go_in_memory() {
    explore(&[USED, UNUSED], || use_decides_who_goes(MemoryStore::new()));
}

/// More than a step of the expiry index.
const IDLE: i64 = 1_000_000;

/// A use that was answered keeps a session from being pruned; one that comes too late is refused.
fn use_keeps_from_prune<S: Store + Clone>(store: S) {
    let mut idle = session(1, "ann");
    idle.expires_at = at(9 * IDLE);
    idle.idle_timeout = Some(Duration::from_millis(IDLE.unsigned_abs()));
    let record = Record::new(idle, SecretHash::from_bytes([7; 32]));
    block_on(store.create(record, CreateOptions::default(), at(0))).unwrap();
    let using = {
        let store = store.clone();
        spawn(async move { touch(&store, id(1), IDLE - 1).await.unwrap() })
    };
    let pruning: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            spawn(async move { store.prune(at(IDLE + 1), 9).await.unwrap().deleted })
        })
        .collect();
    let logins: Vec<_> = (2..=4)
        .map(|number| {
            let store = store.clone();
            spawn(async move { create(&store, number, "ann").await.unwrap() })
        })
        .collect();

    let used = using.join().unwrap();
    note(if used { USED } else { UNUSED });
    for login in logins {
        login.join().unwrap();
    }
    for pruning in pruning {
        pruning.join().unwrap();
    }
    let found = block_on(store.fetch(id(1), at(IDLE + 1))).unwrap();
    assert_eq!(found.is_some(), used);
    if let Some(record) = found {
        assert_eq!(record.session.last_seen_at, at(IDLE - 1));
    }
}

#[test]
fn use_keeps_a_session_from_prune() {
    explore(&[USED, UNUSED], || {
        use_keeps_from_prune(Disk::default().store_with(small()))
    });
}

#[test]
fn use_keeps_a_session_from_prune_in_memory() {
    explore(&[USED, UNUSED], || use_keeps_from_prune(MemoryStore::new()));
}

/// A user never has more sessions than allowed, nor fewer than could be.
fn limit_holds<S: Store + Clone>(store: S) {
    let policy = one_of([
        LimitPolicy::Refuse,
        LimitPolicy::EvictOldest,
        LimitPolicy::EvictLeastRecentlySeen,
    ]);
    let limit = SessionLimit::new(NonZeroU32::new(2).unwrap(), policy);
    let logins: Vec<_> = (1..=5)
        .map(|number| {
            let store = store.clone();
            let options = CreateOptions::default().limited(Some(limit));
            spawn(async move { store.create(record(number, "ann"), options, at(0)).await })
        })
        .collect();
    let looking: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            spawn(async move {
                for _ in 0..3 {
                    let found = listed(&store, "ann").await;
                    assert!(found.len() <= 2, "{found:?}");
                }
            })
        })
        .collect();

    let mut expected = Vec::new();
    let mut evicted = Vec::new();
    for (number, login) in (1..).zip(logins) {
        match login.join().unwrap() {
            Ok(created) => {
                expected.push(id(number));
                evicted.extend(created.evicted);
            }
            Err(StoreError::LimitReached { .. }) if policy == LimitPolicy::Refuse => {
                note("login was refused");
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    for looking in looking {
        looking.join().unwrap();
    }
    if !evicted.is_empty() {
        note("session was evicted");
    }
    expected.retain(|id| !evicted.contains(id));
    assert_eq!(expected.len(), 2);
    assert_eq!(block_on(listed(&store, "ann")), expected);
}

const LIMITS: [&str; 2] = ["login was refused", "session was evicted"];

#[test]
fn limit_is_exact() {
    explore(&LIMITS, || limit_holds(Disk::default().store_with(small())));
}

#[test]
fn limit_is_exact_in_memory() {
    explore(&LIMITS, || limit_holds(MemoryStore::new()));
}
