//! A live session is changed.

use sessionup_core::store::SecretChange;
use sessionup_core::{Agent, Change, Client, Record, Replaced, Session};

use crate::Fixture;
use crate::sample::{
    DAY, ann, at, change_of_everything, deadline_at, ending_at, entries, hash, id, idling, ids,
    kinds, ms, of_kind, record, record_of, record_with,
};

/// An update returns the record as it is afterwards, and so do fetch and list.
pub async fn update_returns_the_record_as_it_is_afterwards(fixture: &Fixture) {
    let before = record_with(1, |session| {
        session.idle_timeout = Some(ms(1_000));
        session.meta.merge(&entries(&[("kept", 1)])).unwrap();
    });
    fixture.create(&before, at(0)).await;

    let change = change_of_everything(1);
    let after = changed(fixture, &before, change, 10).await;

    let Session {
        id,
        user_key,
        created_at,
        idle_timeout,
        ..
    } = &before.session;
    let kept = &after.session;
    assert_answer!(
        (
            &kept.id,
            &kept.user_key,
            &kept.created_at,
            &kept.idle_timeout
        ),
        (id, user_key, created_at, idle_timeout),
        "an update changes neither id nor user, creation or idle timeout"
    );
}

/// What a change does not name stays.
pub async fn update_keeps_what_it_does_not_name(fixture: &Fixture) {
    let mut current = record_with(1, |session| {
        session.idle_timeout = Some(ms(1_000));
        session.client = Client::new("192.0.2.1".parse().ok(), Agent::new("Linux", "Firefox"));
        session.meta.merge(&entries(&[("kept", 1)])).unwrap();
    });
    fixture.create(&current, at(0)).await;

    let all = change_of_everything(1);
    let mut client = Change::default();
    client.client = all.client;
    let mut deadline = Change::default();
    deadline.expires_at = all.expires_at;
    let mut authenticated = Change::default();
    authenticated.authenticated_at = all.authenticated_at;
    let mut confirmed = Change::default();
    let replaced = Replaced::new(hash(0), at(4)).accepted_until(None);
    confirmed.secret = Some(SecretChange::new(hash(1), hash(1)).replacing(replaced));
    let changes = [
        Change::default(),
        authenticated,
        client,
        confirmed,
        deadline,
        Change::touch(at(5)),
        Change::meta(all.meta),
        Change::renew(hash(1), hash(2)),
    ];
    for change in changes {
        current = changed(fixture, &current, change, 10).await;
    }
}

/// A session of any kind can be updated, and no change alters its kind.
pub async fn update_of_any_kind_keeps_the_kind(fixture: &Fixture) {
    for (n, kind) in (1..).zip(kinds()) {
        let before = of_kind(n, &kind);
        fixture.create(&before, at(0)).await;
        changed(fixture, &before, change_of_everything(n), 10).await;
    }
}

/// An update of one session leaves the others alone.
pub async fn update_leaves_other_sessions_alone(fixture: &Fixture) {
    let others = [record(1), record(3), record_of("bob", 4)];
    for other in others.iter().chain([&record(2)]) {
        fixture.create(other, at(0)).await;
    }

    changed(fixture, &record(2), change_of_everything(2), 10).await;

    for other in &others {
        let why = "an update changes one session";
        fixture.expect_there(other, at(10), why).await;
    }
}

/// A touch that was answered is seen by every read that starts later.
pub async fn touch_is_seen_by_the_next_read(fixture: &Fixture) {
    let mut current = record(1);
    fixture.create(&current, at(0)).await;

    for seen in 1..=20 {
        current = changed(fixture, &current, Change::touch(at(seen)), seen).await;
    }
}

/// The moment of the latest use only moves forward.
pub async fn last_seen_never_moves_back(fixture: &Fixture) {
    let current = record_with(1, |session| session.last_seen_at = at(50));
    fixture.create(&current, at(50)).await;

    for earlier in [49, 0, -DAY] {
        let touched = fixture
            .update(id(1), Change::touch(at(earlier)), at(60))
            .await;
        assert_answer!(
            touched.as_deref(),
            Some(&current),
            "a touch of an earlier moment changes nothing"
        );
        let why = "last_seen_at only moves forward";
        fixture.expect_there(&current, at(60), why).await;
    }

    let mut late = Change::meta(entries(&[("a", 1)]));
    late.last_seen_at = Some(at(49));
    changed(fixture, &current, late, 60).await;
}

/// A touch moves the idle deadline.
pub async fn touch_moves_the_idle_deadline(fixture: &Fixture) {
    let mut current = idling(1, ms(100));
    fixture.create(&current, at(0)).await;

    for seen in [99, 198, 200] {
        current = changed(fixture, &current, Change::touch(at(seen)), seen).await;
    }

    let why = "a session is live for its idle timeout after the latest use";
    fixture.expect_there(&current, at(299), why).await;
    fixture.expect_gone(&current, at(300), why).await;
}

/// No touch moves the absolute deadline.
pub async fn touch_never_moves_the_absolute_deadline(fixture: &Fixture) {
    let mut current = record_with(1, |session| {
        session.expires_at = at(150);
        session.idle_timeout = Some(ms(100));
    });
    fixture.create(&current, at(0)).await;

    for (now, seen) in [(99, 99), (149, 149), (149, 1_000)] {
        current = changed(fixture, &current, Change::touch(at(seen)), now).await;
    }

    let why = "no activity moves the absolute deadline";
    fixture.expect_gone(&current, at(150), why).await;
}

/// A later deadline counts from now on, in every operation.
pub async fn later_deadline_is_respected(fixture: &Fixture) {
    let before = ending_at(1, at(100));
    fixture.create(&before, at(0)).await;

    let after = changed(fixture, &before, deadline_at(200), 99).await;

    let why = "the later deadline is the one that counts";
    assert_answer!(fixture.prune_all(at(150), 10).await, 0, "{why} to prune");
    fixture.expect_there(&after, at(199), why).await;
    fixture.expect_gone(&after, at(200), why).await;
    assert_answer!(fixture.prune_all(at(200), 10).await, 1, "{why} to prune");
}

/// An earlier deadline counts from now on, in every operation.
pub async fn earlier_deadline_is_respected(fixture: &Fixture) {
    let before = ending_at(1, at(DAY));
    fixture.create(&before, at(0)).await;

    let after = changed(fixture, &before, deadline_at(100), 50).await;

    let why = "the earlier deadline is the one that counts";
    assert_answer!(fixture.prune_all(at(99), 10).await, 0, "{why} to prune");
    fixture.expect_there(&after, at(99), why).await;
    fixture.expect_gone(&after, at(100), why).await;
    assert_answer!(fixture.prune_all(at(100), 10).await, 1, "{why} to prune");
}

/// A deadline that has passed ends the session; the update itself still returns it.
pub async fn past_deadline_ends_the_session(fixture: &Fixture) {
    let before = record(1);
    fixture.create(&before, at(0)).await;

    let ended = fixture.update(id(1), deadline_at(40), at(50)).await;

    let expected = deadline_at(40).apply(&before).unwrap();
    assert_answer!(
        ended.as_deref(),
        expected.as_ref(),
        "an update of a live session returns the record as it is afterwards"
    );
    let why = "the session has expired";
    fixture.expect_gone(&before, at(50), why).await;
    let revived = fixture.update(id(1), deadline_at(1_000), at(50)).await;
    assert_answer!(revived, None, "{why}, so nothing is there to update");
}

/// A renewal swaps the secret hash and keeps id, creation, deadline and meta.
pub async fn renew_swaps_the_hash_and_keeps_the_rest(fixture: &Fixture) {
    let mut current = record_with(1, |session| {
        session.meta.merge(&entries(&[("kept", 1)])).unwrap();
    });
    fixture.create(&current, at(0)).await;

    for n in 1..=3 {
        let renew = Change::renew(hash(n), hash(n + 1));
        let renewed = changed(fixture, &current, renew, 10).await;
        assert_answer!(
            renewed.session,
            current.session,
            "a renewal changes nothing but the hash"
        );
        assert!(renewed.secret_hash == hash(n + 1), "the new hash is held");
        current = renewed;
    }
    let why = "a renewed session keeps its id";
    fixture.expect_list(&ann(), &ids([1]), at(10), why).await;
}

/// What is known of a former secret is kept by every change but the one that names another.
pub async fn former_secret_is_kept_until_another_one_is(fixture: &Fixture) {
    let mut current = record(1);
    let known = |n| Replaced::new(hash(n), at(10));
    current.replaced = Some(known(7).accepted_until(Some(at(20))));
    fixture.create(&current, at(0)).await;

    let kept = known(8).accepted_until(None);
    let secrets = [
        SecretChange::new(hash(1), hash(2)),
        SecretChange::new(hash(2), hash(2)).replacing(known(2)),
        SecretChange::new(hash(2), hash(3)).replacing(kept),
    ];
    for secret in secrets {
        let mut change = Change::default();
        change.secret = Some(secret);
        current = changed(fixture, &current, change, 10).await;
        current = changed(fixture, &current, Change::touch(at(11)), 11).await;
        current = changed(fixture, &current, deadline_at(5_000), 11).await;
    }
    assert_answer!(current.replaced, Some(kept), "the last one that was named");
}

/// Carries a change out and expects the outcome of [`Change::apply`] in the answer, in fetch and in
/// list.
async fn changed(fixture: &Fixture, before: &Record, change: Change, now: i64) -> Record {
    let expected = change.apply(before).unwrap().unwrap();
    let answer = fixture.update(before.session.id, change, at(now)).await;
    assert_answer!(
        answer.as_deref(),
        Some(&expected),
        "an update of a live session returns the record as it is afterwards"
    );
    let why = "what update returned is what is kept";
    fixture.expect_there(&expected, at(now), why).await;
    expected
}
