//! All sessions of a user but one are deleted, and that one is changed in the same step.

use sessionup_core::store::SecretChange;
use sessionup_core::{Change, Meta, MetaChange, Record, Replaced, Store as _, StoreError};

use crate::Fixture;
use crate::races::fill;
use crate::sample::{
    DAY, MANY, ann, at, change_of_everything, confusable_users, deadline_at, ending_at, entries,
    hash, id, idling, ids, kinds, ms, odd_ids, of_kind, record, record_of, record_with, records,
    user,
};
use crate::variety::{many, metas_out_of_bounds};

/// The named session is kept with the change made to it, and all others of the user are deleted.
pub async fn delete_others_keeps_and_changes_one(fixture: &Fixture) {
    fill(fixture, &records(0..150), at(0)).await;
    let expected = change_of_everything(70)
        .apply(&record(70))
        .unwrap()
        .unwrap();

    let deleted = fixture
        .delete_others(&ann(), id(70), change_of_everything(70), at(10))
        .await;

    let kept = deleted.kept.as_deref();
    assert_answer!(
        kept,
        Some(&expected),
        "the answer has it as it is afterwards"
    );
    assert_answer!(deleted.deleted, 149, "all others are deleted");
    let why = "exactly the named session is kept, with the change";
    fixture.expect_there(&expected, at(10), why).await;
    fixture.expect_list(&ann(), &[id(70)], at(10), why).await;
    for record in records([0, 1, 69, 71, 149]) {
        fixture.expect_gone(&record, at(10), why).await;
        fixture.expect_no_record(&record, at(10), why).await;
    }
}

/// All others are deleted, be they many.
pub async fn delete_others_deletes_many_sessions(fixture: &Fixture) {
    fill(fixture, &records(0..=MANY), at(0)).await;

    let change = Change::renew(hash(MANY), hash(MANY + 1));
    let deleted = fixture.delete_others(&ann(), id(MANY), change, at(0)).await;

    assert_answer!(deleted.deleted, u64::from(MANY), "all others are deleted");
    let kept = deleted.kept.expect("the named session is kept");
    let why = "exactly the named session is kept";
    fixture.expect_there(&kept, at(0), why).await;
    fixture.expect_no_trace(0..MANY, &[id(MANY)], why).await;
}

/// Whatever a change names is made, and what it does not name stays.
pub async fn delete_others_makes_any_change(fixture: &Fixture) {
    let mut current = record_with(1, |session| {
        session.idle_timeout = Some(ms(1_000));
        session
            .meta
            .merge(&entries(&[("kept", 1), ("old", 1)]))
            .unwrap();
    });
    fixture.create(&current, at(0)).await;

    let all = change_of_everything(1);
    let mut authenticated = Change::default();
    authenticated.authenticated_at = all.authenticated_at;
    let mut client = Change::default();
    client.client = all.client;
    let replaced = Replaced::new(hash(0), at(4)).accepted_until(None);
    let mut confirmed = Change::default();
    confirmed.secret = Some(SecretChange::new(hash(1), hash(1)).replacing(replaced));
    let mut from_meta = Change::meta(entries(&[("old", 2)]));
    from_meta.meta_was = Some(current.session.meta.clone());
    let changes = [
        Change::default(),
        Change::touch(at(5)),
        Change::touch(at(4)),
        from_meta,
        Change::meta(all.meta.remove("old")),
        authenticated,
        client,
        confirmed,
        deadline_at(5_000),
        Change::renew(hash(1), hash(2)),
    ];
    for change in changes {
        fixture.create(&record(2), at(10)).await;
        let expected = change.apply(&current).unwrap().unwrap();
        let why = format!("the kept session is changed as {change:?} says");

        let deleted = fixture.delete_others(&ann(), id(1), change, at(10)).await;

        assert_answer!(deleted.kept.as_deref(), Some(&expected), "{why}");
        assert_answer!(deleted.deleted, 1, "the other one is deleted");
        fixture.expect_there(&expected, at(10), &why).await;
        fixture.expect_list(&ann(), &[id(1)], at(10), &why).await;
        current = expected;
    }
}

/// The deadline that the kept session has afterwards is the one that counts, in every operation.
pub async fn delete_others_kept_session_has_new_deadline(fixture: &Fixture) {
    for (n, deadline) in [(1, 200), (2, 50)] {
        let before = ending_at(n, at(100));
        fixture.create(&before, at(0)).await;
        let change = deadline_at(deadline);
        let expected = change.apply(&before).unwrap().unwrap();

        fixture.delete_others(&ann(), id(n), change, at(10)).await;

        let why = "the new deadline is the one that counts";
        let last = at(deadline - 1);
        assert_answer!(fixture.prune_all(last, 10).await, 0, "{why} to prune");
        fixture.expect_there(&expected, last, why).await;
        fixture.expect_gone(&expected, at(deadline), why).await;
        let pruned = fixture.prune_all(at(deadline), 10).await;
        assert_answer!(pruned, 1, "{why} to prune");
    }
}

/// A session that is not there is not made, and all sessions of the user are deleted.
pub async fn delete_others_of_absent_session_deletes_all(fixture: &Fixture) {
    let none = fixture
        .delete_others(&ann(), id(9), Change::default(), at(0))
        .await;
    assert_answer!((none.deleted, none.kept), (0, None), "there is no session");

    for absent in odd_ids().into_iter().chain([id(9)]) {
        fill(fixture, &records(1..=3), at(0)).await;

        let deleted = fixture
            .delete_others(&ann(), absent, change_of_everything(9), at(0))
            .await;

        let why = format!("no session has the id {absent}, so none is kept");
        assert_answer!(deleted.kept, None, "{why}");
        assert_answer!(deleted.deleted, 3, "{why}");
        fixture.expect_list(&ann(), &[], at(0), &why).await;
        assert_answer!(fixture.fetch(absent, at(0)).await, None, "{why}");
        for record in records(1..=3) {
            fixture.expect_gone(&record, at(0), &why).await;
        }
    }
}

/// An expired session is not kept, whatever the change: it is deleted with the others.
pub async fn delete_others_of_expired_session_deletes_all(fixture: &Fixture) {
    let changes = [deadline_at(DAY), Change::touch(at(100)), Change::default()];
    for (n, change) in (1..).step_by(10).zip(changes) {
        for (n, expired) in [(n, ending_at(n, at(100))), (n + 1, idling(n + 1, ms(100)))] {
            fixture.create(&expired, at(0)).await;
            fixture.create(&record(n + 2), at(0)).await;

            let deleted = fixture
                .delete_others(&ann(), id(n), change.clone(), at(100))
                .await;

            let why = "an expired session is not kept";
            assert_answer!(deleted.kept, None, "{why}");
            assert_answer!(deleted.deleted, 2, "{why}");
            fixture.expect_list(&ann(), &[], at(100), why).await;
            fixture.expect_no_record(&record(n), at(100), why).await;
            fixture.delete(id(n), None).await;
        }
    }
}

/// Another user's session is neither kept for this user nor touched.
pub async fn delete_others_of_foreign_session_deletes_all(fixture: &Fixture) {
    for key in ["bob", "an", "anna", "Ann", "ann "] {
        let foreign = record_of(key, 9);
        fixture.create(&foreign, at(0)).await;
        fill(fixture, &records(1..=3), at(0)).await;

        let deleted = fixture
            .delete_others(&ann(), id(9), change_of_everything(9), at(0))
            .await;

        let why = format!("the session is one of {key:?}");
        assert_answer!(deleted.kept, None, "{why}");
        assert_answer!(deleted.deleted, 3, "{why}");
        fixture.expect_list(&ann(), &[], at(0), &why).await;
        fixture.expect_there(&foreign, at(0), &why).await;
        fixture.delete(id(9), None).await;
    }
}

/// A session that is no longer as the change starts from is deleted with the others.
pub async fn delete_others_of_changed_session_deletes_all(fixture: &Fixture) {
    let mut before = record_with(1, |session| {
        session.meta.merge(&entries(&[("n", 1)])).unwrap();
    });
    let known = Replaced::new(hash(7), at(5)).accepted_until(None);
    before.replaced = Some(known);
    let over = |was| {
        let mut secret = SecretChange::new(hash(1), hash(2)).replacing(known);
        secret.replaced_was = Some(was);
        let mut change = Change::touch(at(9));
        change.secret = Some(secret);
        change
    };
    let mut other_meta = Change::renew(hash(1), hash(2));
    other_meta.meta_was = Some(Meta::new());
    let stale = [
        ("another secret", Change::renew(hash(2), hash(3))),
        ("another former secret", over(Replaced::new(hash(8), at(5)))),
        ("other entries", other_meta),
    ];
    for (name, change) in stale {
        fixture.create(&before, at(0)).await;
        fixture.create(&record(2), at(0)).await;

        let deleted = fixture.delete_others(&ann(), id(1), change, at(10)).await;

        let why = format!("the change starts from {name}, so nothing is kept");
        assert_answer!(deleted.kept, None, "{why}");
        assert_answer!(deleted.deleted, 2, "{why}");
        for record in [&before, &record(2)] {
            fixture.expect_gone(record, at(10), &why).await;
            fixture.expect_no_record(record, at(10), &why).await;
        }
        fixture.delete_user(&ann(), &[]).await;
    }

    fixture.create(&before, at(0)).await;
    let expected = over(known).apply(&before).unwrap();
    let deleted = fixture
        .delete_others(&ann(), id(1), over(known), at(10))
        .await;
    let kept = deleted.kept.as_deref();
    assert_answer!(
        kept,
        expected.as_ref(),
        "a session that is as it was is kept"
    );
}

/// Entries that would pass a bound are `InvalidMeta`, and nothing is changed: no session is deleted,
/// no login overtaken.
pub async fn delete_others_with_invalid_meta_changes_nothing(fixture: &Fixture) {
    let before = record_with(1, |session| {
        session.meta.merge(&many(Meta::MAX_ENTRIES - 1)).unwrap();
    });
    let (other, expired) = (record(2), ending_at(3, at(5)));
    for record in [&before, &other, &expired] {
        fixture.create(record, at(0)).await;
    }
    let opened = fixture.store().epoch();

    for (name, meta) in metas_out_of_bounds() {
        let mut change = Change::renew(hash(1), hash(2));
        change.expires_at = Some(at(500));
        change.meta = meta;
        let store = fixture.store();
        let refused = store.delete_others(&ann(), id(1), change, at(10)).await;
        assert!(
            matches!(refused, Err(StoreError::InvalidMeta(_))),
            "{name}: expected InvalidMeta, delete_others said {refused:?}"
        );
        let why = format!("{name}: a refused change changes nothing");
        fixture.expect_there(&before, at(10), &why).await;
        fixture.expect_there(&other, at(10), &why).await;
    }

    let login = sessionup_core::CreateOptions::default().begun(Some(opened));
    let made = fixture.try_create(&record(4), login, at(10)).await;
    assert!(made.is_ok(), "no login is overtaken, create said {made:?}");
    let deleted = fixture.delete_user_and_tell(&ann(), &[]).await;
    assert_answer!(deleted.deleted, 4, "no session was deleted, expired or not");
    assert_answer!(deleted.previous, opened, "this is the first deletion");
}

/// Entries that are removed make room for those that are set, as in an update.
pub async fn delete_others_may_reach_bounds_of_meta(fixture: &Fixture) {
    let full = record_with(1, |session| {
        session.meta.merge(&many(Meta::MAX_ENTRIES)).unwrap();
    });
    fixture.create(&full, at(0)).await;

    let swap = Change::meta(MetaChange::new().remove("entry 0").set("new", 1).unwrap());
    let expected = swap.apply(&full).unwrap();
    let deleted = fixture.delete_others(&ann(), id(1), swap, at(0)).await;

    let kept = deleted.kept.as_deref();
    assert_answer!(kept, expected.as_ref(), "what is removed makes room");
}

/// Expired records that still lie there are deleted and counted as well.
pub async fn delete_others_reaches_expired_sessions(fixture: &Fixture) {
    let expired = [ending_at(1, at(100)), idling(2, ms(100))];
    for record in expired.iter().chain(&records(3..=5)) {
        fixture.create(record, at(0)).await;
    }

    let deleted = fixture
        .delete_others(&ann(), id(4), Change::default(), at(100))
        .await;

    assert_answer!(deleted.deleted, 4, "expired records count like live ones");
    for record in records(1..=2) {
        let why = "a deleted record is gone";
        fixture.expect_no_record(&record, at(100), why).await;
    }
}

/// Sessions of every kind are deleted, and the named one is kept whatever its kind.
pub async fn delete_others_reaches_every_kind(fixture: &Fixture) {
    let sessions: Vec<_> = (0..)
        .zip(kinds())
        .map(|(n, kind)| of_kind(n, &kind))
        .collect();
    for (n, kept) in (0..).zip(&sessions) {
        fill(fixture, &sessions, at(0)).await;
        let expected = change_of_everything(n).apply(kept).unwrap().unwrap();

        let deleted = fixture
            .delete_others(&ann(), id(n), change_of_everything(n), at(10))
            .await;

        let why = format!("one session of kind {} is kept", kept.session.kind);
        assert_answer!(deleted.kept.as_deref(), Some(&expected), "{why}");
        assert_answer!(deleted.deleted, sessions.len() as u64 - 1, "{why}");
        fixture.expect_there(&expected, at(10), &why).await;
        fixture.expect_list(&ann(), &[id(n)], at(10), &why).await;
        fixture.delete(id(n), None).await;
    }
}

/// User keys are compared byte for byte: no other user loses a session.
pub async fn delete_others_deletes_exactly_this_user(fixture: &Fixture) {
    let users = confusable_users();
    let kept = |n: u32| 2 * n;
    let sessions: Vec<_> = (0..)
        .zip(&users)
        .flat_map(|(n, user)| [kept(n), kept(n) + 1].map(|n| record_of(user.as_str(), n)))
        .collect();
    fill(fixture, &sessions, at(0)).await;

    for (n, user) in (0..).zip(&users) {
        let deleted = fixture
            .delete_others(user, id(kept(n)), Change::default(), at(0))
            .await;
        assert_answer!(deleted.deleted, 1, "{user:?} has two sessions, one is kept");
        assert!(deleted.kept.is_some(), "the session is one of {user:?}");
        for (m, other) in (0..).zip(&users) {
            let left = if m <= n { 1 } else { 2 };
            let left = ids(kept(m)..kept(m) + left);
            let why = format!("others of {user:?} were deleted, and nobody else's");
            fixture.expect_list(other, &left, at(0), &why).await;
        }
    }
    for record in sessions.iter().step_by(2) {
        let why = "the kept sessions are there";
        fixture.expect_there(record, at(0), why).await;
    }
}

/// Deleted sessions leave nothing behind: their ids are free, also for another user.
pub async fn create_after_delete_others_reuses_ids(fixture: &Fixture) {
    fixture.create(&idling(1, ms(100)), at(0)).await;
    fixture.create(&record(2), at(0)).await;
    fixture
        .delete_others(&ann(), id(2), Change::default(), at(0))
        .await;

    let bobs = record_of("bob", 1);
    fixture.create(&bobs, at(0)).await;

    let why = "a session made anew has nothing of the former one";
    fixture.expect_list(&ann(), &[id(2)], at(0), why).await;
    assert_answer!(fixture.prune_all(at(500), 10).await, 0, "{why}");
    fixture.expect_there(&bobs, at(500), why).await;
    let bob = user("bob");
    fixture.expect_list(&bob, &[id(1)], at(500), why).await;
}

/// The kept session can be used, renewed and deleted like any other.
pub async fn delete_others_kept_session_stays_usable(fixture: &Fixture) {
    let before = idling(1, ms(100));
    fill(fixture, &[before.clone(), record(2)], at(0)).await;
    let renewal = Change::renew(hash(1), hash(5));
    let mut current = kept_by(fixture, &before, renewal).await;

    for change in [Change::touch(at(90)), Change::renew(hash(5), hash(6))] {
        let expected = change.apply(&current).unwrap().unwrap();
        let updated = fixture.update(id(1), change, at(90)).await;
        let why = "the kept session is a session like any other";
        assert_answer!(updated.as_deref(), Some(&expected), "{why}");
        fixture.expect_there(&expected, at(189), why).await;
        current = expected;
    }
    let why = "the former secret is worth nothing";
    let stale = Change::renew(hash(1), hash(7));
    assert_answer!(fixture.update(id(1), stale, at(90)).await, None, "{why}");
    assert!(fixture.delete(id(1), Some(&ann())).await, "it is Ann's");
    fixture
        .expect_gone(&current, at(90), "it was deleted")
        .await;
}

async fn kept_by(fixture: &Fixture, before: &Record, change: Change) -> Record {
    let (user, id) = (&before.session.user_key, before.session.id);
    let expected = change.apply(before).unwrap().unwrap();
    let deleted = fixture.delete_others(user, id, change, at(10)).await;
    let kept = deleted.kept.as_deref();
    assert_answer!(kept, Some(&expected), "the named session is kept");
    expected
}
