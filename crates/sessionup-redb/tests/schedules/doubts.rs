//! A disk that fails in the middle: what may have been revoked is never seen again, what was
//! answered stays, and the store comes back.

use std::io::ErrorKind;

use sessionup_core::{Change, CreateOptions, Store, StoreError};
use sessionup_redb::RedbStore;
use shuttle::future::block_on;
use shuttle::thread::yield_now;

use crate::explore::{choose, explore, note, one_of, spawn};
use crate::support::{At, Disk, Fault, assert_whole, at, create, id, record, user};
use crate::{Flag, small, touch};

/// What an operation came to on a disk that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Done,
    Unknown,
    Undone,
}

fn came<T>(result: Result<T, StoreError>) -> Came {
    match result {
        Ok(_) => Came::Done,
        Err(StoreError::OutcomeUnknown { .. }) => Came::Unknown,
        Err(StoreError::Unavailable { .. }) => Came::Undone,
        Err(error) => panic!("{error:?}"),
    }
}

/// Looks for a session until the store has an answer.
async fn is_there(store: &RedbStore, number: u64) -> bool {
    loop {
        match store.fetch(id(number), at(0)).await {
            Ok(found) => return found.is_some(),
            Err(StoreError::Unavailable { .. }) => yield_now(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Looks for session 1 in one of the ways there are; `None` without an answer.
async fn is_seen(store: &RedbStore, way: u64) -> Option<bool> {
    let seen = match way {
        0 => store.fetch(id(1), at(0)).await.map(|found| found.is_some()),
        1 => {
            let records = store.list(&user("ann"), at(0)).await;
            records.map(|records| records.iter().any(|record| record.session.id == id(1)))
        }
        2 => touch(store, id(1), 5).await,
        _ => {
            let mut change = Change::default();
            change.expires_at = Some(at(2_000_000));
            let changed = store.update(id(1), change, at(0)).await;
            changed.map(|record| record.is_some())
        }
    };
    match seen {
        Ok(seen) => Some(seen),
        Err(StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. }) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Lets the disk fail at some moment, stay away for some time, and be well again.
async fn fail(disk: Disk) {
    let at = one_of([At::Sync, At::Write, At::Any]);
    disk.fail(Fault {
        after: choose(4),
        times: 1 + choose(3),
        ..Fault::always(at, ErrorKind::Other)
    });
    for _ in 0..choose(8) {
        yield_now();
    }
    if choose(2) == 0 {
        disk.refuse_opening(true);
        for _ in 0..choose(8) {
            yield_now();
        }
    }
    disk.refuse_opening(false);
    while disk.is_fault_left() && choose(8) != 0 {
        yield_now();
    }
    disk.heal();
}

/// A store that opens its disk once at a time.
fn open(disk: &Disk) -> RedbStore {
    let disk = disk.clone();
    let opened = small().open_with(move || {
        assert!(!disk.is_open());
        disk.database()
    });
    opened.unwrap()
}

const WAYS: [&str; 6] = [
    "revocation was done",
    "revocation was unknown",
    "revocation was undone",
    "login was unknown",
    "use was answered",
    "disk was opened anew",
];

#[test]
fn failing_disk_brings_nothing_back() {
    explore(&WAYS, || {
        let disk = Disk::default();
        let store = open(&disk);
        for number in 1..=3 {
            block_on(create(&store, number, "ann")).unwrap();
        }
        let gone = Flag::default();
        let never = Flag::default();
        let failing = spawn(fail(disk.clone()));
        let revoking = {
            let (store, gone) = (store.clone(), gone.clone());
            spawn(async move {
                let came = came(store.delete(id(1), None).await);
                if came != Came::Undone {
                    gone.raise();
                }
                came
            })
        };
        let readers: Vec<_> = (0..4)
            .map(|way| {
                let (store, gone) = (store.clone(), gone.clone());
                spawn(async move {
                    let mut was_gone = false;
                    for _ in 0..4 {
                        was_gone |= gone.is_raised();
                        let Some(is_seen) = is_seen(&store, way).await else {
                            continue;
                        };
                        assert!(!(was_gone && is_seen), "seen after it was gone, {way}");
                        was_gone = !is_seen;
                    }
                })
            })
            .collect();
        let login = {
            let (store, never) = (store.clone(), never.clone());
            spawn(async move {
                let created = store.create(record(4, "bob"), CreateOptions::default(), at(0));
                let came = came(created.await);
                if came == Came::Unknown {
                    never.raise();
                }
                came
            })
        };
        let looking = {
            let (store, never) = (store.clone(), never.clone());
            spawn(async move {
                for _ in 0..3 {
                    let never = never.is_raised();
                    if let Ok(found) = store.fetch(id(4), at(0)).await {
                        assert!(
                            !(never && found.is_some()),
                            "login that is unknown was seen"
                        );
                    }
                }
            })
        };
        let using = {
            let store = store.clone();
            spawn(async move { matches!(touch(&store, id(2), 7).await, Ok(true)) })
        };

        failing.join().unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
        looking.join().unwrap();
        let expected = Expected {
            revoked: revoking.join().unwrap(),
            login: login.join().unwrap(),
            used: using.join().unwrap(),
        };
        if disk.opens() > 1 {
            note("disk was opened anew");
        }
        expected.check(&store);
        block_on(store.close());
        let store = open(&disk);
        expected.check(&store);
        block_on(store.close());
        assert_whole(&disk.database().unwrap());
    });
}

#[derive(Debug)]
struct Expected {
    revoked: Came,
    login: Came,
    used: bool,
}

impl Expected {
    fn check(&self, store: &RedbStore) {
        let is_there = |number| block_on(is_there(store, number));
        note(match self.revoked {
            Came::Done => "revocation was done",
            Came::Unknown => "revocation was unknown",
            Came::Undone => "revocation was undone",
        });
        assert_eq!(is_there(1), self.revoked == Came::Undone, "{self:?}");
        if self.login == Came::Unknown {
            note("login was unknown");
        }
        assert_eq!(is_there(4), self.login == Came::Done, "{self:?}");
        assert!(is_there(2) && is_there(3), "{self:?}");
        if self.used {
            note("use was answered");
            let found = block_on(store.fetch(id(2), at(0))).unwrap().unwrap();
            assert_eq!(found.session.last_seen_at, at(7), "{self:?}");
        }
    }
}
