//! What was taken on before a store closes is done; all else is refused.

use sessionup_core::{Store, StoreError};
use sessionup_redb::RedbStore;
use shuttle::future::block_on;
use shuttle::thread::JoinHandle;

use crate::explore::{explore, note, spawn};
use crate::support::{Boxed, Disk, assert_whole, at, create, id, is_there, poll};
use crate::{small, touch};

struct Asked {
    logins: Vec<JoinHandle<Result<(), StoreError>>>,
    revocation: JoinHandle<Result<bool, StoreError>>,
    touched: JoinHandle<Result<bool, StoreError>>,
    read: JoinHandle<Result<bool, StoreError>>,
}

/// A store with sessions 1 and 2, and callers that each keep a handle until they are answered.
fn ask(store: &RedbStore) -> Asked {
    block_on(create(store, 1, "ann")).unwrap();
    block_on(create(store, 2, "ann")).unwrap();
    let logins = (3..=6)
        .map(|number| {
            let store = store.clone();
            spawn(async move { create(&store, number, "ann").await })
        })
        .collect();
    let revoking = store.clone();
    let touching = store.clone();
    let reading = store.clone();
    Asked {
        logins,
        revocation: spawn(async move { revoking.delete(id(1), None).await }),
        touched: spawn(async move { touch(&touching, id(2), 5).await }),
        read: spawn(async move {
            let read = reading.fetch(id(2), at(0)).await;
            read.map(|record| record.is_some())
        }),
    }
}

impl Asked {
    fn join(self) -> Answers {
        Answers {
            logins: self
                .logins
                .into_iter()
                .map(|login| login.join().unwrap())
                .collect(),
            revoked: self.revocation.join().unwrap(),
            touched: self.touched.join().unwrap(),
            read: self.read.join().unwrap(),
        }
    }
}

struct Answers {
    logins: Vec<Result<(), StoreError>>,
    revoked: Result<bool, StoreError>,
    touched: Result<bool, StoreError>,
    read: Result<bool, StoreError>,
}

/// Whether it was carried out. Only a closed store may refuse.
fn is_done<T: std::fmt::Debug>(result: &Result<T, StoreError>) -> bool {
    match result {
        Ok(_) => true,
        Err(StoreError::Closed) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// Asserts that the disk holds what was answered, and nothing that was refused.
fn check(answers: &Answers, disk: &Disk) {
    assert!(!disk.is_open());
    let store = disk.store_with(small());
    for (number, login) in (3..).zip(&answers.logins) {
        let is_done = is_done(login);
        note(if is_done { TAKEN } else { REFUSED });
        assert_eq!(block_on(is_there(&store, number)), is_done, "{number}");
    }
    let is_revoked = is_done(&answers.revoked);
    assert_eq!(block_on(is_there(&store, 1)), !is_revoked);
    let seen = block_on(store.fetch(id(2), at(0))).unwrap().unwrap();
    let is_used = is_done(&answers.touched);
    note(if is_used { USED } else { UNUSED });
    let expected = if is_used { at(5) } else { at(0) };
    assert_eq!(seen.session.last_seen_at, expected);
    for answer in [&answers.touched, &answers.read] {
        assert!(!matches!(answer, Ok(false)));
    }
    block_on(store.close());
    assert_whole(&disk.database().unwrap());
}

const TAKEN: &str = "login was taken on";
const REFUSED: &str = "login was refused";
const USED: &str = "use was taken on";
const UNUSED: &str = "use was refused";

#[test]
fn closing_does_what_was_taken_on() {
    explore(&[TAKEN, REFUSED, USED, UNUSED], || {
        let disk = Disk::default();
        let store = disk.store_with(small());
        let asked = ask(&store);
        let closing = (0..2).map(|_| {
            let (store, disk) = (store.clone(), disk.clone());
            spawn(async move {
                store.close().await;
                assert!(!disk.is_open());
                let late = create(&store, 7, "ann").await;
                assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
            })
        });
        let closing: Vec<_> = closing.collect();
        let abandoned = spawn(async move {
            let mut closing: Boxed<'_, ()> = Box::pin(store.close());
            let _ = poll(&mut closing);
        });

        for closing in closing {
            closing.join().unwrap();
        }
        abandoned.join().unwrap();
        check(&asked.join(), &disk);
    });
}

#[test]
fn last_handle_to_go_leaves_all_done() {
    explore(&[TAKEN, USED], || {
        let disk = Disk::default();
        let store = disk.store_with(small());
        let asked = ask(&store);
        drop(store);
        // One of the callers drops the last handle, and waits.
        check(&asked.join(), &disk);
    });
}
