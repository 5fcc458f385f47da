//! A session that was revoked is never seen again, whoever looks and whatever is under way.

use std::num::NonZeroU32;

use sessionup_core::store::{LimitPolicy, SessionLimit};
use sessionup_core::{Change, CreateOptions, MemoryStore, Store};
use shuttle::future::block_on;

use crate::explore::{choose, explore, note, spawn};
use crate::support::{Disk, at, create, id, is_there, listed, record, user};
use crate::{Flag, small, touch};

/// Ends session 1, in one of the ways there are.
async fn revoke(store: &impl Store, way: u64) {
    let options = CreateOptions::default();
    match way {
        0 => assert!(store.delete(id(1), Some(&user("ann"))).await.unwrap()),
        1 => {
            let deleted = store.delete_user(&user("ann"), &[id(2)]).await.unwrap();
            assert_eq!(deleted.deleted, 1);
        }
        2 => {
            let options = options.replacing(Some(id(1)));
            let created = store.create(record(3, "ann"), options, at(0)).await;
            assert!(created.unwrap().replaced);
        }
        _ => {
            let two = NonZeroU32::new(2).unwrap();
            let limit = SessionLimit::new(two, LimitPolicy::EvictOldest);
            let options = options.limited(Some(limit));
            let created = store.create(record(3, "ann"), options, at(0)).await;
            assert_eq!(created.unwrap().evicted, [id(1)]);
        }
    }
}

/// Looks for session 1, in one of the ways there are.
async fn is_seen(store: &impl Store, way: u64) -> bool {
    match way {
        0 => is_there(store, 1).await,
        1 => listed(store, "ann").await.contains(&id(1)),
        2 => touch(store, id(1), 5).await.unwrap(),
        _ => {
            let mut change = Change::default();
            change.expires_at = Some(at(2_000_000));
            let changed = store.update(id(1), change, at(0)).await;
            changed.unwrap().is_some()
        }
    }
}

fn revoked_is_gone<S: Store + Clone>(store: S) {
    block_on(create(&store, 1, "ann")).unwrap();
    block_on(create(&store, 2, "ann")).unwrap();
    let gone = Flag::default();
    let readers: Vec<_> = (0..5)
        .map(|way| {
            let (store, gone) = (store.clone(), gone.clone());
            spawn(async move {
                let mut was_gone = false;
                for _ in 0..3 {
                    was_gone |= gone.is_raised();
                    let is_seen = is_seen(&store, way % 4).await;
                    assert!(!(was_gone && is_seen), "seen after it was gone, {way}");
                    was_gone = !is_seen;
                    note(if is_seen {
                        "it was seen"
                    } else {
                        "it was gone"
                    });
                }
            })
        })
        .collect();
    let pruning = {
        let store = store.clone();
        spawn(async move { store.prune(at(9), 9).await.unwrap().deleted })
    };
    let revoking = {
        let store = store.clone();
        let way = choose(4);
        spawn(async move {
            revoke(&store, way).await;
            gone.raise();
        })
    };

    revoking.join().unwrap();
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(pruning.join().unwrap(), 0);
    assert!(!block_on(is_there(&store, 1)));
    assert!(block_on(is_there(&store, 2)));
}

#[test]
fn revoked_session_is_never_seen_again() {
    explore(&["it was seen", "it was gone"], || {
        let disk = Disk::default();
        revoked_is_gone(disk.store_with(small()));
        assert!(!block_on(is_there(&disk.store_with(small()), 1)));
    });
}

#[test]
fn revoked_session_is_never_seen_again_in_memory() {
    explore(&["it was seen", "it was gone"], || {
        revoked_is_gone(MemoryStore::new());
    });
}

/// A use that was answered before the revocation is none of the session that has the id later.
fn use_ends_with_its_session<S: Store + Clone>(store: S) {
    block_on(create(&store, 1, "ann")).unwrap();
    block_on(create(&store, 2, "ann")).unwrap();
    let answered = Flag::default();
    let using = {
        let (store, answered) = (store.clone(), answered.clone());
        spawn(async move {
            let used = store.update(id(1), Change::touch(at(500)), at(500)).await;
            answered.raise();
            used.unwrap().map(|record| record.session.user_key.clone())
        })
    };
    let others: Vec<_> = (1..=3)
        .map(|n| {
            let store = store.clone();
            spawn(async move { touch(&store, id(2), 100 * n).await.unwrap() })
        })
        .collect();
    let renewing = {
        let store = store.clone();
        spawn(async move {
            let was_answered = answered.is_raised();
            assert!(store.delete(id(1), None).await.unwrap());
            create(&store, 1, "bob").await.unwrap();
            was_answered
        })
    };

    let was_answered = renewing.join().unwrap();
    let used = using.join().unwrap();
    for other in others {
        assert!(other.join().unwrap());
    }
    let seen = |number| {
        let record = block_on(store.fetch(id(number), at(0))).unwrap().unwrap();
        record.session.last_seen_at
    };
    let is_of_the_later = used == Some(user("bob"));
    assert_eq!(seen(1), if is_of_the_later { at(500) } else { at(0) });
    note(if was_answered {
        assert_eq!(used, Some(user("ann")));
        "use came before"
    } else if used.is_some() {
        "use came meanwhile"
    } else {
        "use came between"
    });
    assert_eq!(seen(2), at(300));
}

const USES: [&str; 3] = ["use came before", "use came meanwhile", "use came between"];

#[test]
fn use_of_a_session_ends_with_it() {
    explore(&USES, || {
        use_ends_with_its_session(Disk::default().store_with(small()))
    });
}

#[test]
fn use_of_a_session_ends_with_it_in_memory() {
    explore(&USES, || use_ends_with_its_session(MemoryStore::new()));
}

/// Logins that began before all of the user's sessions were revoked leave none.
fn login_does_not_outlive<S: Store + Clone>(store: S) {
    block_on(create(&store, 9, "ann")).unwrap();
    let logins: Vec<_> = (1..=4)
        .map(|number| {
            let store = store.clone();
            spawn(async move {
                let begun = store.epoch();
                // The password is checked meanwhile.
                shuttle::thread::yield_now();
                let options = CreateOptions::default().begun(Some(begun));
                let created = store.create(record(number, "ann"), options, at(0)).await;
                (begun, created.is_ok())
            })
        })
        .collect();
    let revoking = [1, 2].map(|_| {
        let store = store.clone();
        spawn(async move { store.delete_user(&user("ann"), &[]).await.unwrap() })
    });

    let [first, second] = revoking.map(|revoking| revoking.join().unwrap());
    let last = if first.epoch.is_from(second.epoch) {
        first
    } else {
        second
    };
    let before = if last == first { second } else { first };
    assert_eq!(last.previous, before.epoch);
    let mut expected = Vec::new();
    let mut deleted = 1;
    for (number, login) in (1..).zip(logins) {
        let (begun, is_made) = login.join().unwrap();
        if begun.is_from(last.epoch) {
            note("login came after");
            assert!(is_made, "{number} was refused");
            expected.push(id(number));
        } else if is_made {
            note("login came before, and was revoked");
            deleted += 1;
        } else {
            note("login was refused");
        }
    }
    assert_eq!(first.deleted + second.deleted, deleted);
    assert_eq!(block_on(listed(&store, "ann")), expected);
}

const LOGINS: [&str; 3] = [
    "login came after",
    "login came before, and was revoked",
    "login was refused",
];

#[test]
fn login_under_way_does_not_outlive_a_revocation() {
    explore(&LOGINS, || {
        login_does_not_outlive(Disk::default().store_with(small()))
    });
}

#[test]
fn login_under_way_does_not_outlive_a_revocation_in_memory() {
    explore(&LOGINS, || login_does_not_outlive(MemoryStore::new()));
}

/// Whoever looks while a session ends and another one begins under its id, in one transaction or two,
/// sees no use of the one on the other.
fn nobody_sees_the_use_of_an_earlier_session<S: Store + Clone>(store: S) {
    block_on(create(&store, 1, "ann")).unwrap();
    assert!(block_on(touch(&store, id(1), 500)).unwrap());
    let deleting = {
        let store = store.clone();
        spawn(async move { store.delete(id(1), None).await.unwrap() })
    };
    let beginning = {
        let store = store.clone();
        spawn(async move { create(&store, 1, "bob").await.is_ok() })
    };
    let lookers: Vec<_> = (0..3)
        .map(|way| {
            let store = store.clone();
            spawn(async move {
                for _ in 0..3 {
                    let found = match way {
                        0 => store.list(&user("bob"), at(500)).await.unwrap(),
                        _ => Vec::from_iter(store.fetch(id(1), at(500)).await.unwrap()),
                    };
                    for record in found {
                        let is_later = record.session.user_key == user("bob");
                        let seen = record.session.last_seen_at;
                        assert_eq!(seen, at(if is_later { 0 } else { 500 }), "{way}");
                        note(match is_later {
                            true => "the later one was seen",
                            false => "the earlier one was seen",
                        });
                    }
                }
            })
        })
        .collect();
    assert!(deleting.join().unwrap());
    if beginning.join().unwrap() {
        assert_eq!(
            block_on(store.fetch(id(1), at(0))).unwrap().as_deref(),
            Some(&record(1, "bob"))
        );
    }
    for looker in lookers {
        looker.join().unwrap();
    }
}

const BOTH_SEEN: [&str; 2] = ["the later one was seen", "the earlier one was seen"];

#[test]
fn use_of_an_earlier_session_is_never_seen_on_a_later_one() {
    explore(&BOTH_SEEN, || {
        nobody_sees_the_use_of_an_earlier_session(Disk::default().store_with(small()));
    });
}

#[test]
fn use_of_an_earlier_session_is_never_seen_on_a_later_one_in_memory() {
    explore(&BOTH_SEEN, || {
        nobody_sees_the_use_of_an_earlier_session(MemoryStore::new());
    });
}
