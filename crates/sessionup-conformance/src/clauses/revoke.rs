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

/// A session that is deleted with the others of its user while it is used does not come back.
pub async fn session_deleted_with_others_never_comes_back(fixture: &Fixture) {
    let delete_others: End = |fixture, n| {
        Box::pin(async move {
            let kept = id(ROUNDS + n);
            fixture.create(&record(ROUNDS + n), at(0)).await;
            let change = Change::touch(at(5));
            let deleted = fixture.delete_others(&ann(), kept, change, at(0)).await;
            assert_answer!(deleted.deleted, 1, "it was there");
            assert!(fixture.delete(kept, None).await, "the other one was kept");
        })
    };
    expect_end(fixture, delete_others).await;
}

/// A session that is deleted with all others while it is used does not come back.
pub async fn session_deleted_with_all_never_comes_back(fixture: &Fixture) {
    let delete_all: End = |fixture, _| {
        Box::pin(async move {
            assert_answer!(fixture.delete_all().await, 1, "it was there");
        })
    };
    expect_end(fixture, delete_all).await;
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

        let delete: Delete =
            |fixture, _| Box::pin(async move { fixture.delete_user(&ann(), &[]).await });
        let deleted = delete_among(fixture, &meanwhile, delete, first).await;

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

/// Sessions made before the others of their user were deleted are gone; those made meanwhile are there
/// or gone as a whole; and as many were deleted as are missing.
pub async fn delete_others_ends_what_was_made_before(fixture: &Fixture) {
    for round in 0..20 {
        let first = round * 100;
        let before = records(first..first + 10);
        let meanwhile = records(first + 10..first + 30);
        fill(fixture, &before, at(0)).await;

        let delete: Delete = |fixture, first| {
            Box::pin(async move {
                let change = Change::default();
                let kept = id(first);
                let deleted = fixture.delete_others(&ann(), kept, change, at(0)).await;
                assert!(deleted.kept.is_some(), "the named session is kept");
                deleted.deleted
            })
        };
        let deleted = delete_among(fixture, &meanwhile, delete, first).await;

        for record in &before[1..] {
            let why = "what was made before the others were deleted is gone";
            fixture.expect_gone(record, at(0), why).await;
        }
        let why = "the named session is kept";
        fixture.expect_there(&before[0], at(0), why).await;
        let why = "what was made meanwhile is there or gone as a whole";
        fixture.expect_agreement(&meanwhile, at(0), why).await;
        let left = fixture.delete_user(&ann(), &[]).await;
        assert_answer!(deleted + left, 30, "as many were deleted as were missing");
    }
}

/// Sessions made before all were deleted are gone; those made meanwhile are there or gone as a whole;
/// and as many were deleted as are missing.
pub async fn delete_all_ends_what_was_made_before(fixture: &Fixture) {
    let of_two = |n| record_of(["ann", "bob"][n as usize % 2], n);
    for round in 0..20 {
        let first = round * 100;
        let before: Vec<_> = (first..first + 10).map(of_two).collect();
        let meanwhile: Vec<_> = (first + 10..first + 30).map(of_two).collect();
        fill(fixture, &before, at(0)).await;

        let delete: Delete = |fixture, _| Box::pin(async move { fixture.delete_all().await });
        let deleted = delete_among(fixture, &meanwhile, delete, first).await;

        for record in &before {
            let why = "what was made before all were deleted is gone";
            fixture.expect_gone(record, at(0), why).await;
        }
        let why = "what was made meanwhile is there or gone as a whole";
        fixture.expect_agreement(&meanwhile, at(0), why).await;
        let left = fixture.delete_all().await;
        assert_answer!(deleted + left, 30, "as many were deleted as were missing");
    }
}

/// The others end and the kept session is renewed at one moment: nobody sees one without the other.
pub async fn delete_others_is_never_seen_by_halves(fixture: &Fixture) {
    const SESSIONS: u32 = 12;
    for round in 0..10 {
        let before = move || records(round * SESSIONS..(round + 1) * SESSIONS);
        let kept = round * SESSIONS + 5;
        let renewed = hash(1_000 + round);
        fill(fixture, &before(), at(0)).await;

        let look = move |fixture: Fixture| async move {
            fixture
                .expect_whole_delete_others(&before(), id(kept), renewed, at(0))
                .await;
        };
        let work = |fixture: Fixture| async move {
            let change = Change::renew(hash(kept), renewed);
            fixture.delete_others(&ann(), id(kept), change, at(0)).await
        };
        let deleted = while_looking(fixture, look, work).await;

        assert_answer!(deleted.deleted, u64::from(SESSIONS) - 1, "all others");
        assert!(fixture.delete(id(kept), None).await, "it was kept");
    }
}

/// The sessions of all users end at one moment: nobody sees some of them.
pub async fn delete_all_is_never_seen_by_halves(fixture: &Fixture) {
    const SESSIONS: u32 = 12;
    const USERS: [&str; 3] = ["ann", "bob", "carl"];
    let of_three = |n| record_of(USERS[n as usize % USERS.len()], n);
    for round in 0..10 {
        let all = round * SESSIONS..(round + 1) * SESSIONS;
        let before = move || (round * SESSIONS..(round + 1) * SESSIONS).map(of_three);
        fill(fixture, &all.map(of_three).collect::<Vec<_>>(), at(0)).await;

        let look = move |fixture: Fixture| async move {
            let before: Vec<_> = before().collect();
            fixture.expect_whole_delete_all(&before, at(0)).await;
        };
        let work = |fixture: Fixture| async move { fixture.delete_all().await };
        let deleted = while_looking(fixture, look, work).await;
        assert_answer!(deleted, u64::from(SESSIONS), "all sessions are deleted");
    }
}

/// Of deletions of the others at once one keeps the session that it names, and the next one deletes it,
/// since it is gone or no longer as that one knew it.
pub async fn delete_others_at_once_leave_no_session(fixture: &Fixture) {
    for round in 0..ROUNDS / 4 {
        let first = round * 10;
        fill(fixture, &records(first..first + 4), at(0)).await;
        let act = |fixture: Fixture, rival: u32| async move {
            let kept = first + rival % 2;
            let change = Change::renew(hash(kept), hash(1_000_000 + rival));
            fixture.delete_others(&ann(), id(kept), change, at(0)).await
        };
        let answers = at_once(fixture, 0..4, act).await;

        let kept = answers.iter().filter(|answer| answer.kept.is_some());
        assert_answer!(kept.count(), 1, "one deletion finds its session as it was");
        let deleted: u64 = answers.iter().map(|answer| answer.deleted).sum();
        assert_answer!(deleted, 4, "each session is deleted once");
        let why = "the second deletion keeps nothing";
        fixture.expect_list(&ann(), &[], at(0), why).await;
        for record in records(first..first + 4) {
            fixture.expect_gone(&record, at(0), why).await;
        }
    }
}

/// Of a renewal and a deletion of the others from the same secret one is made: if it is the renewal,
/// the session is deleted with the others.
pub async fn delete_others_or_renewal_at_once_is_made(fixture: &Fixture) {
    for n in 0..ROUNDS {
        fixture.create(&record(n), at(0)).await;
        fixture.create(&record(ROUNDS + n), at(0)).await;
        let act = |fixture: Fixture, deletes: bool| async move {
            let change = |to| Change::renew(hash(n), hash(to));
            if !deletes {
                return fixture.update(id(n), change(1_001), at(0)).await;
            }
            let anns = ann();
            let deleted = fixture.delete_others(&anns, id(n), change(1_002), at(0));
            let deleted = deleted.await;
            let expected = if deleted.kept.is_some() { 1 } else { 2 };
            assert_answer!(deleted.deleted, expected, "one other, and what is not kept");
            deleted.kept
        };
        let deletes_first = n.is_multiple_of(2);
        let answers = at_once(fixture, [deletes_first, !deletes_first], act).await;

        let made: Vec<_> = answers.iter().flatten().collect();
        assert_answer!(made.len(), 1, "of changes from one secret one is made");
        let kept = if deletes_first {
            &answers[0]
        } else {
            &answers[1]
        };
        match kept {
            Some(kept) => {
                let why = "the deletion came first and renewed it";
                assert!(kept.secret_hash == hash(1_002), "{why}");
                fixture.expect_there(kept, at(0), why).await;
            }
            None => {
                let why = "the renewal came first, so nothing was kept";
                fixture.expect_gone(&record(n), at(0), why).await;
            }
        }
        fixture.delete_user(&ann(), &[]).await;
    }
}

/// Changes of a session at once with a deletion of the others that keeps it all survive.
pub async fn delete_others_at_once_keeps_other_changes(fixture: &Fixture) {
    const RIVALS: u32 = 16;
    let name = |rival: u32| format!("entry {rival}");
    for n in 0..ROUNDS / 10 {
        fixture.create(&record(n), at(0)).await;
        fixture.create(&record(ROUNDS + n), at(0)).await;
        let act = |fixture: Fixture, rival: u32| async move {
            let change = Change::meta(entries(&[(&name(rival), 7)]));
            if rival == RIVALS / 2 {
                let anns = ann();
                let deleted = fixture.delete_others(&anns, id(n), change, at(0));
                return deleted.await.kept;
            }
            fixture.update(id(n), change, at(0)).await
        };
        let answers = at_once(fixture, 0..RIVALS, act).await;

        assert!(answers.iter().all(Option::is_some), "all changes are made");
        let after = fixture.fetch(id(n), at(0)).await;
        let after = after.expect("the session is kept");
        for name in (0..RIVALS).map(name) {
            assert!(
                after.session.meta.value(&name).is_some(),
                "{name:?} was set and nobody removed it"
            );
        }
        let why = "list and fetch agree";
        fixture.expect_there(&after, at(0), why).await;
        assert_answer!(fixture.delete_user(&ann(), &[]).await, 1, "one was kept");
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

/// How sessions are deleted while others are made; says how many.
type Delete = fn(Fixture, u32) -> Pin<Box<dyn Future<Output = u64> + Send>>;

/// Deletes while sessions are made; returns how many were deleted.
async fn delete_among(fixture: &Fixture, logins: &[Record], delete: Delete, n: u32) -> u64 {
    let act = move |fixture: Fixture, login: Option<Record>| async move {
        match login {
            Some(record) => {
                fixture.create(&record, at(0)).await;
                0
            }
            None => delete(fixture, n).await,
        }
    };
    let (first, last) = logins.split_at(logins.len() / 2);
    let first = first.iter().cloned().map(Some);
    let last = last.iter().cloned().map(Some);
    let deleted = at_once(fixture, first.chain([None]).chain(last), act).await;
    deleted.into_iter().sum()
}
