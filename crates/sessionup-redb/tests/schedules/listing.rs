//! A list shows each session once, whether or not it is entered in the index of users, and what one
//! operation changed as one step.

use sessionup_core::{CreateOptions, ListOptions, Store};
use shuttle::future::block_on;

use crate::explore::{choose, explore, note, spawn};
use crate::support::{Disk, at, create, id, listed, record, user};
use crate::{Flag, small, touch};

const FIRST: &str = "first session was seen";
const BETWEEN: &str = "session in between was seen";
const LAST: &str = "last session was seen";

/// Each login of ann replaces the one before it, while others log in, with whom those who wait for
/// the index are entered.
fn each_login_replaces_the_one_before() {
    let capacity = usize::try_from(choose(3)).unwrap();
    let store = Disk::default().store_with(small().most_unlisted(capacity));
    block_on(create(&store, 1, "ann")).unwrap();
    let logins = {
        let store = store.clone();
        spawn(async move {
            for number in 2..=4 {
                let options = CreateOptions::default().replacing(Some(id(number - 1)));
                let created = store.create(record(number, "ann"), options, at(0)).await;
                assert!(created.unwrap().replaced);
            }
        })
    };
    let others: Vec<_> = (0..2)
        .map(|other| {
            let store = store.clone();
            spawn(async move {
                for number in 0..2 {
                    create(&store, 10 + 2 * other + number, "bob")
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let looking: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            spawn(async move {
                let mut last = id(1);
                for _ in 0..3 {
                    let seen = listed(&store, "ann").await;
                    assert_eq!(seen.len(), 1, "{seen:?}");
                    assert!(seen[0] >= last, "{seen:?} after {last}");
                    last = seen[0];
                    note(match last {
                        last if last == id(1) => FIRST,
                        last if last == id(4) => LAST,
                        _ => BETWEEN,
                    });
                }
            })
        })
        .collect();
    logins.join().unwrap();
    for other in others {
        other.join().unwrap();
    }
    for looking in looking {
        looking.join().unwrap();
    }
    assert_eq!(block_on(listed(&store, "ann")), [id(4)]);
    assert_eq!(block_on(listed(&store, "bob")).len(), 4);
}

#[test]
fn list_sees_each_login_as_one_step() {
    explore(&[FIRST, BETWEEN, LAST], each_login_replaces_the_one_before);
}

const USE_SEEN: &str = "the use was seen, and the session that ended after it";
const END_SEEN: &str = "the end was seen, and the use before it";
const NOTHING_SEEN: &str = "neither was seen";

/// One session of ann is used, then another one ends, while the writer writes uses and enters sessions
/// in the index.
fn use_is_followed_by_an_end() {
    let capacity = usize::try_from(choose(3)).unwrap();
    let store = Disk::default().store_with(small().most_unlisted(capacity));
    block_on(create(&store, 1, "ann")).unwrap();
    block_on(create(&store, 2, "ann")).unwrap();
    let answered = Flag::default();
    let changes = {
        let (store, answered) = (store.clone(), answered.clone());
        spawn(async move {
            assert!(touch(&store, id(1), 500).await.unwrap());
            answered.raise();
            assert!(store.delete(id(2), None).await.unwrap());
        })
    };
    let other = {
        let store = store.clone();
        spawn(async move { create(&store, 3, "ann").await.unwrap() })
    };
    let looking: Vec<_> = (0..2)
        .map(|_| {
            let (store, answered) = (store.clone(), answered.clone());
            spawn(async move {
                let is_known = answered.is_raised();
                let (ann, options) = (user("ann"), ListOptions::default());
                let page = store.list_page(&ann, options, at(0)).await.unwrap();
                let records = page.records;
                assert_eq!(records[0].session.id, id(1));
                let is_used = records[0].session.last_seen_at == at(500);
                let has_ended = records.iter().all(|record| record.session.id != id(2));
                assert!(is_used || !has_ended, "the end was seen without the use");
                assert!(is_used || !is_known, "a use that was answered was not seen");
                note(match (is_used, has_ended) {
                    (_, true) => END_SEEN,
                    (true, false) => USE_SEEN,
                    (false, false) => NOTHING_SEEN,
                });
            })
        })
        .collect();
    changes.join().unwrap();
    other.join().unwrap();
    for looking in looking {
        looking.join().unwrap();
    }
    assert_eq!(block_on(listed(&store, "ann")), [id(1), id(3)]);
}

#[test]
fn list_page_beside_changes_is_of_one_moment() {
    explore(
        &[USE_SEEN, END_SEEN, NOTHING_SEEN],
        use_is_followed_by_an_end,
    );
}
