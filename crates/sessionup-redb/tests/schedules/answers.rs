//! Everybody who asks is answered, with what came of their own operation.

use std::num::{NonZeroU32, NonZeroUsize};

use sessionup_core::store::{LimitPolicy, SessionLimit};
use sessionup_core::{Change, CreateOptions, Store, StoreError};
use sessionup_redb::RedbStore;
use shuttle::future::block_on;

use crate::explore::{explore, note, one_of, spawn};
use crate::support::{
    At, Disk, Fault, assert_whole, at, create, id, is_there, listed, record, user,
};
use crate::{small, touch};

/// All operations, on a session that nobody else knows.
async fn whole_life(store: RedbStore, number: u64) {
    let name = format!("user {number}");
    create(&store, number, &name).await.unwrap();
    assert!(is_there(&store, number).await);
    assert!(touch(&store, id(number), 5).await.unwrap());
    let records = store.list(&user(&name), at(5)).await.unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].session.last_seen_at, at(5));
    let mut change = Change::default();
    change.expires_at = Some(at(2_000_000));
    let changed = store.update(id(number), change, at(6)).await.unwrap();
    assert_eq!(changed.unwrap().session.last_seen_at, at(5));
    assert_eq!(store.prune(at(7), 9).await.unwrap().deleted, 0);
    assert!(store.delete(id(number), None).await.unwrap());
    assert!(!is_there(&store, number).await);
    let gone = store.delete_user(&user(&name), &[]).await.unwrap();
    assert_eq!(gone.deleted, 0);
}

#[test]
fn everybody_is_answered() {
    explore(&[], || {
        let disk = Disk::default();
        let store = disk.store_with(small());
        let callers: Vec<_> = (1..=5)
            .map(|number| spawn(whole_life(store.clone(), number)))
            .collect();
        for caller in callers {
            caller.join().unwrap();
        }
        block_on(store.close());
        assert_whole(&disk.database().unwrap());
    });
}

#[test]
fn who_shares_a_commit_fails_alone() {
    explore(&["two shared a commit"], || {
        let disk = Disk::default();
        let store = disk.store_with(small());
        block_on(create(&store, 1, "ann")).unwrap();
        block_on(create(&store, 5, "dan")).unwrap();
        let before = disk.syncs();
        block_on(create(&store, 6, "dan")).unwrap();
        let syncs = disk.syncs();
        let alone = syncs - before;
        let create_one = |number, key| {
            let store = store.clone();
            spawn(async move { create(&store, number, key).await })
        };
        let same = [create_one(2, "bob"), create_one(2, "cid")];
        let other = create_one(3, "bob");
        let limited = {
            let store = store.clone();
            let limit = SessionLimit::new(NonZeroU32::MIN, LimitPolicy::Refuse);
            let options = CreateOptions::default().limited(Some(limit));
            spawn(async move { store.create(record(4, "ann"), options, at(0)).await })
        };
        let nothing = {
            let store = store.clone();
            spawn(async move { store.delete(id(9), None).await })
        };

        let same = same.map(|caller| caller.join().unwrap());
        let refused: Vec<_> = same
            .iter()
            .filter_map(|result| result.as_ref().err())
            .collect();
        assert!(matches!(refused[..], [StoreError::DuplicateId]), "{same:?}");
        other.join().unwrap().unwrap();
        let limited = limited.join().unwrap();
        assert!(
            matches!(limited, Err(StoreError::LimitReached { .. })),
            "{limited:?}"
        );
        assert!(!nothing.join().unwrap().unwrap());
        let owner = if same[0].is_ok() { "bob" } else { "cid" };
        let expected = if owner == "bob" {
            vec![id(2), id(3)]
        } else {
            vec![id(2)]
        };
        assert_eq!(block_on(listed(&store, owner)), expected);
        assert_eq!(block_on(listed(&store, "ann")), [id(1)]);
        if disk.syncs() == syncs + alone {
            note("two shared a commit");
        }
    });
}

#[test]
fn full_queue_refuses_logins_and_no_revocation() {
    explore(&["login was refused", "all logins were taken"], || {
        let disk = Disk::default();
        let store = disk.store_with(small().queue(NonZeroUsize::MIN));
        let logins: Vec<_> = (1..=5)
            .map(|number| {
                let store = store.clone();
                spawn(async move { create(&store, number, "ann").await })
            })
            .collect();
        let revocations: Vec<_> = (11..=14)
            .map(|number| {
                let store = store.clone();
                spawn(async move { store.delete(id(number), None).await })
            })
            .collect();

        let mut expected = Vec::new();
        for (number, login) in (1..).zip(logins) {
            match login.join().unwrap() {
                Ok(()) => expected.push(id(number)),
                Err(StoreError::Overloaded) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        for revocation in revocations {
            assert!(!revocation.join().unwrap().unwrap());
        }
        note(match expected.len() {
            5 => "all logins were taken",
            _ => "login was refused",
        });
        assert_eq!(block_on(listed(&store, "ann")), expected);
    });
}

#[test]
fn panic_of_the_writer_is_told_to_everybody() {
    let ways = [
        "login was told of the panic",
        "revocation was told of the panic",
        "revocation came before the panic",
    ];
    explore(&ways, || {
        let disk = Disk::default();
        let store = disk.store_with(small());
        block_on(create(&store, 1, "ann")).unwrap();
        let at_what = one_of([At::Sync, At::Write]);
        let panicking = disk.clone();
        let fault = spawn(async move { panicking.fail(Fault::panic(at_what)) });
        let logins: Vec<_> = (2..=5)
            .map(|number| {
                let store = store.clone();
                spawn(async move { create(&store, number, "ann").await })
            })
            .collect();
        let revocation = {
            let store = store.clone();
            spawn(async move {
                let revoked = store.delete(id(1), None).await;
                let read = store.fetch(id(1), at(0)).await;
                if matches!(revoked, Ok(_) | Err(StoreError::OutcomeUnknown { .. })) {
                    assert!(!matches!(read, Ok(Some(_))), "{revoked:?} and {read:?}");
                }
                revoked
            })
        };
        let reads: Vec<_> = (1..=2)
            .map(|number| {
                let store = store.clone();
                spawn(async move { store.fetch(id(number), at(0)).await.map(drop) })
            })
            .collect();

        fault.join().unwrap();
        let logins: Vec<_> = logins
            .into_iter()
            .map(|login| login.join().unwrap())
            .collect();
        let revoked = revocation.join().unwrap();
        for read in reads {
            let read = read.join().unwrap();
            assert!(
                matches!(read, Ok(()) | Err(StoreError::Unavailable { .. })),
                "{read:?}"
            );
        }
        block_on(store.close());

        disk.heal();
        let store = disk.store_with(small());
        for (number, login) in (2..).zip(logins) {
            let is_there = block_on(is_there(&store, number));
            match login {
                Ok(()) => assert!(is_there, "{number}"),
                Err(StoreError::Unavailable { .. }) => assert!(!is_there, "{number}"),
                Err(StoreError::OutcomeUnknown { .. }) => note("login was told of the panic"),
                Err(error) => panic!("{error:?}"),
            }
        }
        let is_there = block_on(is_there(&store, 1));
        match revoked {
            Ok(was_there) => {
                note("revocation came before the panic");
                assert!(was_there && !is_there);
            }
            Err(StoreError::OutcomeUnknown { .. }) => note("revocation was told of the panic"),
            Err(StoreError::Unavailable { .. }) => assert!(is_there),
            Err(error) => panic!("{error:?}"),
        }
    });
}
