//! Gone is gone: what is under way when a session ends does not bring it back.

use std::pin::Pin;

use tokio::task::yield_now;

use sessionup_core::{Change, Record};

use crate::Fixture;
use crate::races::{at_once, fill, while_looking};
use crate::sample::{
    ann, at, ending_at, entries, hash, id, idling, ids, ms, record, record_of, records, replacing,
    user,
};

const ROUNDS: u32 = 200;

/// A session that is deleted while it is used does not come back.
pub async fn deleted_session_never_comes_back(fixture: &Fixture) {
    let delete: End = |fixture, n| {
        Box::pin(async move {
            assert!(fixture.delete(id(n), Some(&ann())).await, "it was there");
        })
    };
    expect_end(fixture, delete).await;
}

/// A session that is deleted with all of its user's while it is used does not come back.
pub async fn session_of_a_deleted_user_never_comes_back(fixture: &Fixture) {
    let delete_user: End = |fixture, _| {
        Box::pin(async move {
            assert_answer!(fixture.delete_user(&ann(), &[]).await, 1, "it was there");
        })
    };
    expect_end(fixture, delete_user).await;
}

/// A session that is replaced while it is used does not come back.
pub async fn replaced_session_never_comes_back(fixture: &Fixture) {
    let replace: End = |fixture, n| {
        Box::pin(async move {
            let bobs = record_of("bob", ROUNDS + n);
            let created = fixture.create_with(&bobs, replacing(n), at(0)).await;
            assert!(created.replaced, "it was there");
        })
    };
    expect_end(fixture, replace).await;
}

/// Of deletes at once exactly one deletes.
pub async fn session_is_deleted_once(fixture: &Fixture) {
    for n in 0..ROUNDS / 4 {
        fixture.create(&record(n), at(0)).await;
        let delete = |fixture: Fixture, rival: u32| async move {
            let owner = rival.is_multiple_of(2).then(ann);
            fixture.delete(id(n), owner.as_ref()).await
        };
        let deleted = at_once(fixture, 0..8, delete).await;

        let count = deleted.into_iter().filter(|&deleted| deleted).count();
        assert_answer!(count, 1, "of deletes at once exactly one deletes");
    }
}

/// Either a delete ends a session or a create that replaces it does, not both.
pub async fn session_is_deleted_or_replaced(fixture: &Fixture) {
    for round in 0..ROUNDS / 4 {
        let old = round * 100;
        fixture.create(&record(old), at(0)).await;
        let end = |fixture: Fixture, n: u32| async move {
            if n.is_multiple_of(2) {
                return fixture.delete(id(old), None).await;
            }
            let new = record(old + n);
            let created = fixture.create_with(&new, replacing(old), at(0)).await;
            let why = "a create makes its session, whatever becomes of the replaced one";
            fixture.expect_there(&new, at(0), why).await;
            created.replaced
        };
        let ended = at_once(fixture, 1..=8, end).await;

        let count = ended.into_iter().filter(|&ended| ended).count();
        assert_answer!(count, 1, "a session ends once");
        let why = "the session was ended";
        fixture.expect_gone(&record(old), at(0), why).await;
    }
}

/// Sessions made before their user was deleted are gone; those made meanwhile are there or gone as
/// a whole; and as many were deleted as are missing.
pub async fn delete_user_ends_what_was_made_before(fixture: &Fixture) {
    for round in 0..20 {
        let first = round * 100;
        let before = records(first..first + 10);
        let meanwhile = records(first + 10..first + 30);
        fill(fixture, &before, at(0)).await;

        let deleted = delete_user_among(fixture, &meanwhile).await;

        for record in &before {
            let why = "what was made before the user was deleted is gone";
            fixture.expect_gone(record, at(0), why).await;
        }
        let why = "what was made meanwhile is there or gone as a whole";
        fixture.expect_agreement(&meanwhile, at(0), why).await;
        let left = fixture.delete_user(&ann(), &[]).await;
        assert_answer!(deleted + left, 30, "as many were deleted as were missing");
    }
}

/// All sessions of a user end at one moment: nobody sees some of them.
pub async fn delete_user_is_never_seen_by_halves(fixture: &Fixture) {
    const SESSIONS: u32 = 20;
    for round in 0..10 {
        let all = round * SESSIONS..(round + 1) * SESSIONS;
        fill(fixture, &records(all.clone()), at(0)).await;
        let why = "all were made";
        fixture.expect_list(&ann(), &ids(all), at(0), why).await;

        let look = |fixture: Fixture| async move {
            let live = fixture.list(&ann(), at(0)).await.len();
            assert!(
                live == 0 || live == SESSIONS as usize,
                "all or none end, but {live} of {SESSIONS} were seen"
            );
        };
        let work = |fixture: Fixture| async move { fixture.delete_user(&ann(), &[]).await };
        let deleted = while_looking(fixture, look, work).await;
        assert_answer!(deleted, u64::from(SESSIONS), "all sessions are deleted");
    }
}

/// Either a touch comes before a prune and the session stays, or after it and there is none.
pub async fn touched_session_survives_a_prune_at_once(fixture: &Fixture) {
    for n in 0..ROUNDS {
        fixture.create(&idling(n, ms(100)), at(0)).await;
        // By the clock of the touch the session is live, by that of the prune it is not.
        let act = |fixture: Fixture, prunes: bool| async move {
            if prunes {
                fixture.prune_all(at(150), 10).await == 0
            } else {
                let touch = Change::touch(at(99));
                fixture.update(id(n), touch, at(99)).await.is_some()
            }
        };
        let prunes_first = n.is_multiple_of(2);
        let answers = at_once(fixture, [prunes_first, !prunes_first], act).await;

        let found = fixture.fetch(id(n), at(150)).await.is_some();
        assert_answer!(
            answers,
            [found, found],
            "a session is touched, spared by the prune and found, or nothing of it"
        );
        assert_answer!(fixture.delete(id(n), None).await, found, "as was fetched");
    }
}

/// Prunes at once delete each expired record once.
pub async fn record_is_pruned_once(fixture: &Fixture) {
    for _ in 0..5 {
        let expired: Vec<_> = (0..100).map(|n| ending_at(n, at(50))).collect();
        fill(fixture, &expired, at(0)).await;
        let prune =
            |fixture: Fixture, batch| async move { fixture.prune_all(at(100), batch).await };
        let deleted = at_once(fixture, [7, 8, 9, 100], prune).await;

        let deleted: u64 = deleted.into_iter().sum();
        assert_answer!(deleted, 100, "each expired record is pruned once");
        assert_answer!(fixture.delete_user(&ann(), &[]).await, 0, "all are gone");
    }
}

/// How Ann's n-th session is ended.
type End = fn(Fixture, u32) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// What somebody does to a session in its last moments.
enum Act {
    End(End),
    Use(Box<Change>),
    Watch,
}

/// Ends sessions one by one while others use them.
async fn expect_end(fixture: &Fixture, end: End) {
    for n in 0..ROUNDS {
        fixture.create(&record(n), at(0)).await;

        let mut acts = vec![Act::Watch];
        acts.extend(uses(n).map(|change| Act::Use(change.into())));
        // Each in turn begins last.
        acts.insert(n as usize % (acts.len() + 1), Act::End(end));
        at_once(fixture, acts, |fixture, act| act.out(fixture, n)).await;

        let why = "an update under way does not bring a session back";
        fixture.expect_gone(&record(n), at(0), why).await;
        assert!(!fixture.delete(id(n), None).await, "{why}: it was there");
    }
    let why = "no ended session is left in a list";
    fixture.expect_list(&ann(), &[], at(0), why).await;
    let others = fixture.list(&user("bob"), at(0)).await;
    for record in others {
        let why = "sessions that replaced others are there";
        fixture.expect_there(&record, at(0), why).await;
    }
}

impl Act {
    async fn out(self, fixture: Fixture, n: u32) {
        match self {
            Self::End(end) => {
                end(fixture.clone(), n).await;
                let why = "once its end was answered no operation sees a session";
                fixture.expect_gone(&record(n), at(0), why).await;
            }
            Self::Use(change) => {
                for _ in 0..3 {
                    fixture.update(id(n), (*change).clone(), at(0)).await;
                }
            }
            Self::Watch => watch(&fixture, n).await,
        }
    }
}

/// Whoever has seen that a session is gone never sees it again.
async fn watch(fixture: &Fixture, n: u32) {
    let mut gone = false;
    for _ in 0..10 {
        let seen = fixture.fetch(id(n), at(0)).await.is_some();
        assert!(!(gone && seen), "a session was gone and came back");
        gone = !seen;
        yield_now().await;
    }
}

fn uses(n: u32) -> [Change; 4] {
    let mut later = Change::default();
    later.expires_at = Some(at(1_000_000_000));
    [
        Change::touch(at(10)),
        Change::meta(entries(&[("a", 1)])),
        Change::renew(hash(n), hash(n + 1)),
        later,
    ]
}

/// Deletes Ann's sessions while she logs in; returns how many were deleted.
async fn delete_user_among(fixture: &Fixture, logins: &[Record]) -> u64 {
    let act = |fixture: Fixture, login: Option<Record>| async move {
        match login {
            Some(record) => {
                fixture.create(&record, at(0)).await;
                0
            }
            None => fixture.delete_user(&ann(), &[]).await,
        }
    };
    let (first, last) = logins.split_at(logins.len() / 2);
    let first = first.iter().cloned().map(Some);
    let last = last.iter().cloned().map(Some);
    let deleted = at_once(fixture, first.chain([None]).chain(last), act).await;
    deleted.into_iter().sum()
}
