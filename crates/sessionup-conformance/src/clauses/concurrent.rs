//! Operations that run at once behave as if each happened at one moment.

use std::collections::HashSet;

use sessionup_core::LimitPolicy::{self, EvictLeastRecentlySeen, EvictOldest, Refuse};
use sessionup_core::{Change, CreateOptions, Created, Record, StoreError};

use crate::Fixture;
use crate::ask::expect_duplicate;
use crate::races::{at_once, fill, while_looking};
use crate::sample::{
    ann, at, entries, hash, id, idling, limited, ms, record, record_of, record_with, records,
    replacing, user,
};

/// Of many creates of one id exactly one succeeds.
pub async fn creates_of_one_id_succeed_once(fixture: &Fixture) {
    for n in 0..10 {
        let rivals: Vec<_> = (0..64).map(|rival| rival_of(n, rival)).collect();
        let create = |fixture: Fixture, rival| async move {
            let none = CreateOptions::default();
            fixture.try_create(&rival, none, at(0)).await
        };
        let outcomes = at_once(fixture, rivals.clone(), create).await;

        let (won, lost): (Vec<_>, Vec<_>) = rivals
            .iter()
            .zip(&outcomes)
            .partition(|(_, outcome)| outcome.is_ok());
        assert_answer!(won.len(), 1, "of creates of one id exactly one succeeds");
        for (_, outcome) in lost {
            expect_duplicate(outcome, "another create took the id");
        }
        let why = "the one that succeeded is the one that is there";
        fixture.expect_there(won[0].0, at(0), why).await;
        let [anns, bobs] = [user("ann"), user("bob")];
        let listed = fixture.listed_ids(&anns, at(0)).await.len()
            + fixture.listed_ids(&bobs, at(0)).await.len();
        assert_answer!(listed, 1 + n as usize, "who failed left nothing in a list");
    }
}

/// A limit that evicts the oldest is exact: at no moment more, and at none fewer.
pub async fn limit_is_exact_when_the_oldest_gives_way(fixture: &Fixture) {
    expect_exact_evictions(fixture, EvictOldest).await;
}

/// A limit that evicts the least recently seen is exact: at no moment more, and at none fewer.
pub async fn limit_is_exact_when_the_least_recently_seen_gives_way(fixture: &Fixture) {
    expect_exact_evictions(fixture, EvictLeastRecentlySeen).await;
}

/// A limit that refuses is exact: as many creates succeed as there is room for.
pub async fn limit_is_exact_when_it_refuses(fixture: &Fixture) {
    for _ in 0..ROUNDS {
        let look = |fixture| expect_live(fixture, |live| live <= LIMIT);
        let work = |fixture| async move { logins(&fixture, Refuse).await };
        let outcomes = while_looking(fixture, look, work).await;

        let (created, refused): (Vec<_>, Vec<_>) = outcomes.iter().partition(|o| o.is_ok());
        assert_answer!(created.len(), LIMIT, "as many succeed as there is room for");
        for outcome in refused {
            assert!(
                matches!(outcome, Err(StoreError::LimitReached { .. })),
                "expected LimitReached, create said {outcome:?}"
            );
        }
        let live = fixture.listed_ids(&ann(), at(0)).await;
        assert_answer!(live.len(), LIMIT, "who was not refused is logged in");
        fixture.delete_user(&ann(), &[]).await;
    }
}

/// Changes of different entries at once all survive.
pub async fn changes_of_different_entries_all_survive(fixture: &Fixture) {
    let name = |n: u32| format!("entry {n}");
    let set = |n| Change::meta(entries(&[(&name(n), 7)]));
    for n in 0..ROUNDS {
        let before = record_with(n, |session| {
            session.meta.merge(&entries(&[("old", 1)])).unwrap();
        });
        fixture.create(&before, at(0)).await;

        let answers = updates(fixture, n, (0..60).map(set)).await;

        assert!(answers.iter().all(Option::is_some), "all updates are made");
        let after = fixture.fetch(id(n), at(0)).await;
        let after = after.expect("nobody ended the session");
        for name in (0..60).map(name).chain(["old".into()]) {
            assert!(
                after.session.meta.value(&name).is_some(),
                "{name:?} was set and nobody removed it"
            );
        }
        let why = "list and fetch agree";
        fixture.expect_there(&after, at(0), why).await;
    }
}

/// Of touches at once the latest counts.
pub async fn latest_of_touches_at_once_counts(fixture: &Fixture) {
    for n in 0..ROUNDS {
        let before = idling(n, ms(100));
        fixture.create(&before, at(0)).await;

        // Every moment from 1 to 64 once, not in order.
        let moments = (0..64).map(|n| 1 + (n * 37) % 64);
        let touches = moments.clone().map(|seen| Change::touch(at(seen)));
        let answers = updates(fixture, n, touches).await;

        for (answer, seen) in answers.iter().zip(moments) {
            let answer = answer.as_ref().expect("a live session can be touched");
            assert!(
                answer.session.last_seen_at >= at(seen),
                "who touched at {seen} was told an earlier moment"
            );
        }
        let latest = Change::touch(at(64)).apply(&before).unwrap().unwrap();
        let why = "the latest of all touches counts";
        fixture.expect_there(&latest, at(163), why).await;
    }
}

/// Of renewals from one hash at once exactly one is made.
pub async fn one_of_renewals_at_once_is_made(fixture: &Fixture) {
    for n in 0..4 * ROUNDS {
        fixture.create(&record(n), at(0)).await;
        let to = |rival: u32| hash(1_000 + rival);
        let renewals = (0..16).map(|rival| Change::renew(hash(n), to(rival)));
        let answers = updates(fixture, n, renewals).await;

        let answers = (0..).zip(&answers);
        let made: Vec<_> = answers.filter(|(_, answer)| answer.is_some()).collect();
        assert_answer!(made.len(), 1, "of renewals from one hash one is made");
        let mut expected = record(n);
        expected.secret_hash = to(made[0].0);
        let why = "the renewal that was made is the one that counts";
        fixture.expect_there(&expected, at(0), why).await;
    }
}

/// A change of two entries is never seen by halves.
pub async fn update_is_never_seen_by_halves(fixture: &Fixture) {
    let both = |n| entries(&[("left", n), ("right", n)]);
    let before = record_with(1, |session| session.meta.merge(&both(0)).unwrap());
    fixture.create(&before, at(0)).await;

    let work = |fixture: Fixture| async move {
        for n in 1..=200 {
            let updated = fixture.update(id(1), Change::meta(both(n)), at(0)).await;
            assert!(updated.is_some(), "a live session can be updated");
        }
    };
    while_looking(fixture, expect_whole, work).await;
}

/// While each session replaces the one before, the user has one at every moment.
pub async fn replacement_is_never_seen_by_halves(fixture: &Fixture) {
    fixture.create(&record(0), at(0)).await;

    let look = |fixture| expect_live(fixture, |live| live == 1);
    let work = |fixture: Fixture| async move {
        for n in 1..=200 {
            let (new, old) = (record(n), replacing(n - 1));
            let created = fixture.create_with(&new, old, at(0)).await;
            assert!(created.replaced, "the one before was there");
        }
    };
    while_looking(fixture, look, work).await;
    let why = "the last one was not replaced";
    fixture.expect_list(&ann(), &[id(200)], at(0), why).await;
}

/// Of creates at once that replace one session exactly one finds it there.
pub async fn session_is_replaced_once(fixture: &Fixture) {
    for round in 0..20 {
        let old = round * 100;
        fixture.create(&record(old), at(0)).await;
        let login = |fixture: Fixture, n| async move {
            let new = record(n);
            fixture
                .create_with(&new, replacing(old), at(0))
                .await
                .replaced
        };
        let replaced = at_once(fixture, old + 1..=old + 16, login).await;

        let replaced = replaced.into_iter().filter(|&replaced| replaced).count();
        assert_answer!(replaced, 1, "a session is replaced once");
        let live = fixture.listed_ids(&ann(), at(0)).await;
        assert_answer!(live.len(), 16, "the new ones live, the old one does not");
        assert_answer!(fixture.delete_user(&ann(), &[]).await, 16, "as was listed");
    }
}

/// Many users at once do not get in each other's way.
pub async fn users_at_once_keep_their_own(fixture: &Fixture) {
    let all: Vec<_> = (0..128)
        .map(|n| record_of(&format!("user {n}"), n))
        .collect();
    let login = |fixture: Fixture, record| async move {
        let one = limited(1, EvictOldest);
        let created = fixture.create_with(&record, one, at(0)).await;
        assert_answer!(created.evicted, [], "the user had no other session");
        let why = "create was answered";
        fixture.expect_there(&record, at(0), why).await;
    };
    at_once(fixture, all.clone(), login).await;

    for record in &all {
        let session = &record.session;
        let why = "the sessions of other users are not touched";
        fixture
            .expect_list(&session.user_key, &[session.id], at(0), why)
            .await;
    }
}

/// How often a race is run that one order of events may hide.
const ROUNDS: u32 = 5;

/// How many live sessions Ann may have.
const LIMIT: usize = 5;

/// Five live sessions, 200 logins at once: five live sessions at every moment, all others evicted.
async fn expect_exact_evictions(fixture: &Fixture, policy: LimitPolicy) {
    let first = records(1_000..1_005);
    fill(fixture, &first, at(0)).await;

    let look = |fixture| expect_live(fixture, |live| live == LIMIT);
    let work = |fixture| async move { logins(&fixture, policy).await };
    let outcomes = while_looking(fixture, look, work).await;

    let mut accounted = HashSet::new();
    for outcome in outcomes {
        let created = outcome.expect("a limit that evicts refuses nobody");
        for evicted in created.evicted {
            assert!(accounted.insert(evicted), "{evicted} was evicted twice");
        }
    }
    assert_answer!(accounted.len(), 200, "each login evicts one session");
    for live in fixture.listed_ids(&ann(), at(0)).await {
        assert!(accounted.insert(live), "{live} was evicted and is listed");
    }
    assert_answer!(accounted.len(), 205, "who is not evicted is logged in");
}

async fn logins(fixture: &Fixture, policy: LimitPolicy) -> Vec<Result<Created, StoreError>> {
    let limit = limited(u32::try_from(LIMIT).unwrap(), policy);
    let login = |fixture: Fixture, n| async move {
        let new = record(n);
        fixture.try_create(&new, limit, at(0)).await
    };
    at_once(fixture, 0..200, login).await
}

async fn updates(
    fixture: &Fixture,
    n: u32,
    changes: impl Iterator<Item = Change>,
) -> Vec<Option<std::sync::Arc<Record>>> {
    let update =
        |fixture: Fixture, change| async move { fixture.update(id(n), change, at(0)).await };
    at_once(fixture, changes, update).await
}

async fn expect_live(fixture: Fixture, allowed: fn(usize) -> bool) {
    let live = fixture.list(&ann(), at(0)).await.len();
    assert!(allowed(live), "Ann was seen with {live} live sessions");
}

async fn expect_whole(fixture: Fixture) {
    let mut seen = fixture.list(&ann(), at(0)).await;
    seen.extend(fixture.fetch(id(1), at(0)).await);
    assert_answer!(seen.len(), 2, "nobody ended the session");
    for record in seen {
        let meta = &record.session.meta;
        assert_eq!(
            meta.value("left"),
            meta.value("right"),
            "two entries that are changed together were seen apart"
        );
    }
}

/// A session of the n-th id, by one of two users, with a hash of its own.
fn rival_of(n: u32, rival: u32) -> Record {
    let mut record = record(n);
    record.session.user_key = user(["ann", "bob"][rival as usize % 2]);
    record.secret_hash = hash(1_000 + rival);
    record
}
