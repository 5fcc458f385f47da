//! A list shows each session once, whether or not it is entered in the index of users, and what one
//! operation changed as one step.

use sessionup_core::{CreateOptions, Store};
use shuttle::future::block_on;

use crate::explore::{choose, explore, note, spawn};
use crate::small;
use crate::support::{Disk, at, create, id, listed, record};

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
