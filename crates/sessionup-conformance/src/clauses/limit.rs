//! How many live sessions a user may have.

use sessionup_core::LimitPolicy::{EvictLeastRecentlySeen, EvictOldest, Refuse};
use sessionup_core::{Change, CreateOptions, Created, Kind, SessionId, StoreError};

use crate::Fixture;
use crate::sample::{
    ann, at, ending_at, hash, id, idling, ids, limited, ms, of_kind, record, record_of,
    record_with, replacing, user,
};

/// With room left nobody is evicted and nobody refused.
pub async fn limit_with_room_left_ends_no_session(fixture: &Fixture) {
    for (n, policy) in (1..).zip([EvictOldest, EvictLeastRecentlySeen, Refuse]) {
        let created = fixture
            .create_with(&record(n), limited(3, policy), at(0))
            .await;
        assert_answer!(
            created,
            Created::default(),
            "there is room for session {n} of 3, {policy:?}"
        );
    }
    let why = "the new session counts, and the limit itself is allowed";
    fixture.expect_list(&ann(), &ids(1..=3), at(0), why).await;
}

/// The session that was made first gives way, whatever its id and however recently it was used.
pub async fn limit_evicts_the_oldest(fixture: &Fixture) {
    made_at(fixture, &[(3, 10), (1, 20), (2, 30)]).await;
    touch(fixture, 3, 40).await;

    let evicted = evicted_by(fixture, 4, limited(3, EvictOldest)).await;

    assert_answer!(evicted, ids([3]), "the oldest session gives way");
    let why = "only the oldest session gives way";
    fixture
        .expect_list(&ann(), &ids([1, 2, 4]), at(50), why)
        .await;
}

/// The session that was unused for longest gives way, as the touches say.
pub async fn limit_evicts_the_least_recently_seen(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20), (3, 30)]).await;
    touch(fixture, 1, 40).await;

    let evicted = evicted_by(fixture, 4, limited(3, EvictLeastRecentlySeen)).await;

    assert_answer!(
        evicted,
        ids([2]),
        "the least recently seen session gives way"
    );
    let why = "only the least recently seen session gives way";
    fixture
        .expect_list(&ann(), &ids([1, 3, 4]), at(50), why)
        .await;
}

/// If the policy is to refuse, one session too many is `LimitReached`, and nothing is changed.
pub async fn limit_refuses_where_the_policy_says_so(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20)]).await;

    let created = fixture
        .try_create(&record(3), limited(2, Refuse), at(50))
        .await;

    expect_refused(&created, 2);
    let why = "a refused create changes nothing";
    fixture.expect_list(&ann(), &ids([1, 2]), at(50), why).await;
    fixture.expect_gone(&record(3), at(50), why).await;
    fixture.expect_no_record(&record(3), at(50), why).await;
}

/// Below a limit that was lowered several give way at once.
pub async fn lowered_limit_evicts_several(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20), (3, 30), (4, 40)]).await;
    touch(fixture, 1, 41).await;

    let evicted = evicted_by(fixture, 5, limited(3, EvictLeastRecentlySeen)).await;
    assert_answer!(evicted, ids([2, 3]), "as many give way as are too many");
    let evicted = evicted_by(fixture, 6, limited(1, EvictOldest)).await;
    assert_answer!(evicted, ids([1, 4, 5]), "a limit of one leaves the new one");

    let why = "the live sessions never exceed the limit";
    fixture.expect_list(&ann(), &[id(6)], at(50), why).await;
}

/// Among those that are alike the one made first gives way, then the one of the lowest id.
pub async fn limit_breaks_ties_by_creation_then_id(fixture: &Fixture) {
    made_at(fixture, &[(4, 10), (2, 10), (3, 10), (1, 20)]).await;
    for n in 1..=4 {
        touch(fixture, n, 30).await;
    }

    let evicted = evicted_by(fixture, 5, limited(4, EvictLeastRecentlySeen)).await;
    assert_answer!(
        evicted,
        ids([2]),
        "seen at once: made first, then lowest id"
    );
    let evicted = evicted_by(fixture, 6, limited(4, EvictOldest)).await;
    assert_answer!(evicted, ids([3]), "made at once: lowest id");
}

/// An expired session does not count, and is not reported as evicted.
pub async fn limit_does_not_count_expired_sessions(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(50)), at(0)).await;
    fixture.create(&idling(2, ms(50)), at(0)).await;
    fixture.create(&record(3), at(0)).await;

    let created = fixture
        .create_with(&record(4), limited(2, Refuse), at(50))
        .await;
    assert_answer!(
        created,
        Created::default(),
        "expired records do not count against the limit"
    );
    let evicted = evicted_by(fixture, 5, limited(2, EvictLeastRecentlySeen)).await;
    assert_answer!(evicted, ids([3]), "only live sessions are evicted");
    let why = "the limit is one of live sessions";
    fixture.expect_list(&ann(), &ids([4, 5]), at(50), why).await;
}

/// Sessions of other users do not count, and are never evicted.
pub async fn limit_does_not_count_other_users(fixture: &Fixture) {
    let others = [("a", 1), ("anna", 2), ("an", 3), ("Ann", 4)];
    for (key, n) in others {
        fixture.create(&record_of(key, n), at(0)).await;
    }

    let created = fixture
        .create_with(&record(5), limited(1, Refuse), at(50))
        .await;
    assert_answer!(created, Created::default(), "others do not count");
    let evicted = evicted_by(fixture, 6, limited(1, EvictOldest)).await;
    assert_answer!(evicted, ids([5]), "others are not evicted");
    for (key, n) in others {
        let why = "a limit has nothing to do with other users";
        fixture.expect_list(&user(key), &[id(n)], at(50), why).await;
    }
}

/// Sessions of other kinds do not count, and are never evicted.
pub async fn limit_counts_sessions_of_one_kind(fixture: &Fixture) {
    for n in 1..=3 {
        fixture.create(&of_kind(n, &Kind::GUEST), at(0)).await;
    }
    fixture
        .create(&of_kind(4, &Kind::LOGIN_ATTEMPT), at(0))
        .await;

    for (n, policy) in [(5, Refuse), (6, EvictOldest), (7, EvictLeastRecentlySeen)] {
        let created = fixture
            .create_with(&of_kind(n, &Kind::USER), limited(3, policy), at(50))
            .await;
        let why = "sessions of other kinds do not count";
        assert_answer!(created, Created::default(), "{why}, {policy:?}");
    }
    let refused = fixture
        .try_create(&of_kind(8, &Kind::GUEST), limited(3, Refuse), at(50))
        .await;
    expect_refused(&refused, 3);
    let evicted = evicted_by(fixture, 9, limited(2, EvictOldest)).await;
    assert_answer!(evicted, ids([5, 6]), "those of the same kind give way");

    let why = "a limit has nothing to do with other kinds";
    let left = ids([1, 2, 3, 4, 7, 9]);
    let mut listed = fixture.listed_ids(&ann(), at(50)).await;
    listed.sort_unstable();
    assert_answer!(listed, left, "{why}");
}

/// A replaced session of another kind makes no room: those of the new one's kind all count.
pub async fn limit_replacing_another_kind_makes_no_room(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20)]).await;
    fixture.create(&of_kind(3, &Kind::GUEST), at(30)).await;

    let options = replacing(3).limited(limited(2, Refuse).limit);
    let refused = fixture.try_create(&record(4), options, at(50)).await;
    expect_refused(&refused, 2);
    let why = "a refused create changes nothing";
    fixture
        .expect_there(&of_kind(3, &Kind::GUEST), at(50), why)
        .await;

    let options = replacing(3).limited(limited(2, EvictOldest).limit);
    let created = fixture.create_with(&record(4), options, at(50)).await;
    let expected = Created::new(true, ids([1]));
    assert_answer!(created, expected, "one session of each kind ends");
}

/// The session that is replaced does not count.
pub async fn limit_does_not_count_the_replaced_session(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20)]).await;

    for (n, policy) in [(3, Refuse), (4, EvictOldest), (5, EvictLeastRecentlySeen)] {
        // Session 1 is the oldest and stays; the newest is replaced.
        let options = replacing(n - 1).limited(limited(2, policy).limit);
        let created = fixture
            .create_with(&record_with(n, |s| s.created_at = at(30)), options, at(50))
            .await;
        assert_answer!(
            created,
            Created::new(true, vec![]),
            "the replaced session makes room for the new one, {policy:?}"
        );
    }
    let why = "nobody had to give way";
    fixture.expect_list(&ann(), &ids([1, 5]), at(50), why).await;
}

/// A create that is refused for the limit leaves the session alive that it would have replaced.
pub async fn refused_create_leaves_the_replaced_session_alive(fixture: &Fixture) {
    made_at(fixture, &[(1, 10), (2, 20)]).await;
    let bobs = record_of("bob", 3);
    fixture.create(&bobs, at(20)).await;

    for (replaced, max) in [(1, 1), (3, 2)] {
        let options = replacing(replaced).limited(limited(max, Refuse).limit);
        let created = fixture.try_create(&record(4), options, at(50)).await;
        expect_refused(&created, max);
    }

    let why = "when a create is refused the replaced session lives on";
    fixture.expect_list(&ann(), &ids([1, 2]), at(50), why).await;
    fixture.expect_there(&bobs, at(50), why).await;
}

/// An evicted session is gone for good.
pub async fn evicted_session_is_gone(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    let evicted = evicted_by(fixture, 2, limited(1, EvictOldest)).await;
    assert_answer!(evicted, ids([1]), "the oldest session gives way");

    let why = "an evicted session is deleted";
    fixture.expect_gone(&record(1), at(50), why).await;
    let touched = fixture.update(id(1), Change::touch(at(50)), at(50)).await;
    assert_answer!(touched, None, "{why}: nothing is there to update");
    let renewed = Change::renew(hash(1), hash(9));
    let renewed = fixture.update(id(1), renewed, at(50)).await;
    assert_answer!(renewed, None, "{why}: nothing is there to renew");
    fixture.expect_gone(&record(1), at(50), why).await;
    fixture.expect_no_record(&record(1), at(50), why).await;
}

async fn made_at(fixture: &Fixture, sessions: &[(u32, i64)]) {
    for &(n, created) in sessions {
        let record = record_with(n, |session| {
            session.created_at = at(created);
            session.last_seen_at = at(created);
        });
        fixture.create(&record, at(created)).await;
    }
}

async fn touch(fixture: &Fixture, n: u32, seen: i64) {
    let touched = fixture
        .update(id(n), Change::touch(at(seen)), at(seen))
        .await;
    assert!(touched.is_some(), "session {n} is live and can be touched");
}

/// Creates Ann's n-th session at 50 and returns in the order of their ids who was evicted.
async fn evicted_by(fixture: &Fixture, n: u32, options: CreateOptions) -> Vec<SessionId> {
    let record = record_with(n, |session| {
        session.created_at = at(50);
        session.last_seen_at = at(50);
    });
    let created = fixture.create_with(&record, options, at(50)).await;
    assert!(!created.replaced, "evicted is not replaced");
    for evicted in &created.evicted {
        let found = fixture.fetch(*evicted, at(50)).await;
        assert_answer!(found, None, "who is reported as evicted is gone");
    }
    let mut evicted = created.evicted;
    evicted.sort_unstable();
    evicted
}

fn expect_refused(created: &Result<Created, StoreError>, max: u32) {
    assert!(
        matches!(created, Err(StoreError::LimitReached { limit }) if limit.get() == max),
        "expected LimitReached of {max}, create said {created:?}"
    );
}
