//! An update that finds no session to change makes none.

use sessionup_core::store::SecretChange;
use sessionup_core::{Change, LimitPolicy, Record, Replaced};

use crate::Fixture;
use crate::sample::{
    ann, at, ending_at, entries, hash, id, idling, ids, limited, ms, odd_ids, record, record_with,
    replacing,
};

/// A renewal that starts from another former secret than the record knows changes nothing; from the
/// one it knows it is made.
pub async fn renew_over_another_former_secret_changes_nothing(fixture: &Fixture) {
    let known = Replaced::new(hash(7), at(5)).accepted_until(None);
    let mut before = record(1);
    before.replaced = Some(known);
    fixture.create(&before, at(0)).await;
    let renew = |was| {
        let mut secret =
            SecretChange::new(hash(1), hash(2)).replacing(Replaced::new(hash(1), at(9)));
        secret.replaced_was = Some(was);
        let mut change = Change::touch(at(9));
        change.secret = Some(secret);
        change
    };

    for other in [
        known.accepted_until(Some(at(20))),
        Replaced::new(hash(8), at(5)).accepted_until(None),
        Replaced::new(hash(7), at(6)).accepted_until(None),
    ] {
        let renewed = fixture.update(id(1), renew(other), at(9)).await;
        assert_answer!(renewed, None, "the former secret is another one");
        let why = "a renewal over another former secret changes nothing";
        fixture.expect_there(&before, at(9), why).await;
    }
    let expected = renew(known).apply(&before).unwrap().unwrap();
    let renewed = fixture.update(id(1), renew(known), at(9)).await;
    assert_answer!(renewed.as_deref(), Some(&expected), "over the one it knows");
}

/// An update of an id that is not there is none, and nothing is made.
pub async fn update_of_an_absent_session_makes_nothing(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    for id in odd_ids().into_iter().chain([id(2)]) {
        for (name, change) in changes() {
            let updated = fixture.update(id, change, at(0)).await;
            assert_answer!(updated, None, "no session has the id {id}: {name}");
            let fetched = fixture.fetch(id, at(0)).await;
            assert_answer!(fetched, None, "update never inserts: {name}");
        }
    }
    let why = "update never inserts";
    fixture.expect_list(&ann(), &ids([1]), at(0), why).await;
    fixture.expect_no_record(&record(2), at(0), why).await;
}

/// An update at the absolute deadline or later is none, and the session stays expired.
pub async fn update_of_an_expired_session_changes_nothing(fixture: &Fixture) {
    let record = ending_at(1, at(100));
    fixture.create(&record, at(0)).await;

    for now in [100, 101] {
        expect_refused(fixture, &record, now, "an expired session is absent").await;
    }
}

/// An update at the idle deadline or later is none: no touch brings the session back.
pub async fn update_of_an_idle_session_changes_nothing(fixture: &Fixture) {
    let record = idling(1, ms(100));
    fixture.create(&record, at(0)).await;

    for now in [100, 101] {
        expect_refused(fixture, &record, now, "an idle session is absent").await;
    }
}

/// An update of an expired session leaves it to prune.
pub async fn refused_update_leaves_the_session_to_prune(fixture: &Fixture) {
    let record = idling(1, ms(100));
    fixture.create(&record, at(0)).await;

    expect_refused(fixture, &record, 100, "an idle session is absent").await;

    assert_answer!(
        fixture.prune_all(at(100), 10).await,
        1,
        "an update that was refused does not keep a session from prune"
    );
}

/// A deleted session is not brought back by an update.
pub async fn update_after_delete_does_not_revive(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    // Known to the store by more than its creation.
    fixture.update(id(1), Change::touch(at(5)), at(5)).await;
    fixture
        .expect_agreement(&[record(1)], at(5), "list and fetch agree")
        .await;
    assert!(fixture.delete(id(1), None).await, "there was a session");

    expect_refused(fixture, &record(1), 5, "a deleted session stays gone").await;
    fixture
        .expect_no_record(&record(1), at(5), "a deleted session stays gone")
        .await;
}

/// A session that went with all of its user's is not brought back by an update.
pub async fn update_after_delete_user_does_not_revive(fixture: &Fixture) {
    for n in [1, 2] {
        fixture.create(&record(n), at(0)).await;
    }
    assert_answer!(fixture.delete_user(&ann(), &[]).await, 2, "there were two");

    for n in [1, 2] {
        let why = "a session that went with its user's stays gone";
        expect_refused(fixture, &record(n), 0, why).await;
    }
}

/// A session that was deleted with the others of its user is not brought back by an update.
pub async fn update_after_delete_others_does_not_revive(fixture: &Fixture) {
    for n in [1, 2, 3] {
        fixture.create(&record(n), at(0)).await;
        fixture.update(id(n), Change::touch(at(5)), at(5)).await;
    }
    let change = Change::renew(hash(2), hash(9));
    let deleted = fixture.delete_others(&ann(), id(2), change, at(5)).await;
    assert_answer!(deleted.deleted, 2, "there were two others");

    let why = "a session that was deleted with the others stays gone";
    for n in [1, 3] {
        expect_refused(fixture, &record(n), 5, why).await;
        fixture.expect_no_record(&record(n), at(5), why).await;
    }
}

/// A session that was deleted with those of all users is not brought back by an update.
pub async fn update_after_delete_all_does_not_revive(fixture: &Fixture) {
    for n in [1, 2] {
        fixture.create(&record(n), at(0)).await;
        fixture.update(id(n), Change::touch(at(5)), at(5)).await;
    }
    assert_answer!(fixture.delete_all().await, 2, "there were two");

    let why = "a session that was deleted with all others stays gone";
    for n in [1, 2] {
        expect_refused(fixture, &record(n), 5, why).await;
        fixture.expect_no_record(&record(n), at(5), why).await;
    }
}

/// A replaced session is not brought back by an update.
pub async fn update_after_replacement_does_not_revive(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    fixture.create_with(&record(2), replacing(1), at(0)).await;

    expect_refused(fixture, &record(1), 0, "a replaced session stays gone").await;
}

/// An evicted session is not brought back by an update.
pub async fn update_after_eviction_does_not_revive(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    let one = limited(1, LimitPolicy::EvictOldest);
    fixture.create_with(&record(2), one, at(0)).await;

    expect_refused(fixture, &record(1), 0, "an evicted session stays gone").await;
}

/// A pruned session is not brought back by an update.
pub async fn update_after_prune_does_not_revive(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    assert_answer!(fixture.prune_all(at(100), 10).await, 1, "one had expired");

    let why = "a pruned session stays gone";
    expect_refused(fixture, &record(1), 100, why).await;
    fixture.expect_no_record(&record(1), at(100), why).await;
}

/// A renewal that was meant for a former session of the same id leaves the new one alone.
pub async fn renew_of_the_former_session_leaves_the_new_one_alone(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    fixture.delete(id(1), None).await;
    let mut anew = record(1);
    anew.secret_hash = hash(5);
    fixture.create(&anew, at(0)).await;

    let renewed = fixture
        .update(id(1), Change::renew(hash(1), hash(2)), at(0))
        .await;

    assert_answer!(renewed, None, "the hash is not the one that is held");
    let why = "a stale renewal changes nothing";
    fixture.expect_there(&anew, at(0), why).await;
}

/// A renewal that does not start from the hash the record holds is none, and nothing of the change
/// is made.
pub async fn renew_from_a_stale_hash_changes_nothing(fixture: &Fixture) {
    let before = record_with(1, |session| session.idle_timeout = Some(ms(1_000)));
    fixture.create(&before, at(0)).await;
    let renewed = fixture
        .update(id(1), Change::renew(hash(1), hash(2)), at(0))
        .await;
    assert!(renewed.is_some(), "the first renewal is made");
    let mut held = before;
    held.secret_hash = hash(2);

    for stale in [hash(1), hash(3)] {
        let mut change = Change::renew(stale, hash(4));
        change.expires_at = Some(at(500));
        change.last_seen_at = Some(at(10));
        change.meta = entries(&[("a", 1)]);
        let renewed = fixture.update(id(1), change, at(10)).await;
        assert_answer!(renewed, None, "the hash is not the one that is held");
        let why = "a stale renewal changes nothing";
        fixture.expect_there(&held, at(10), why).await;
    }
}

/// Every kind of change is refused, and the session is as absent as before.
async fn expect_refused(fixture: &Fixture, record: &Record, now: i64, why: &str) {
    for (name, change) in changes() {
        let updated = fixture.update(record.session.id, change, at(now)).await;
        assert_answer!(
            updated,
            None,
            "{why}, so nothing is there to update: {name}"
        );
        let why = format!("{why}, also after {name} was tried");
        fixture.expect_gone(record, at(now), &why).await;
    }
}

/// Every kind of change there is, starting from Ann's first session.
fn changes() -> [(&'static str, Change); 6] {
    let mut later = Change::default();
    later.expires_at = Some(at(1_000_000));
    let mut all = Change::renew(hash(1), hash(2));
    all.expires_at = Some(at(1_000_000));
    all.last_seen_at = Some(at(500_000));
    all.meta = entries(&[("a", 1)]);
    [
        ("an empty change", Change::default()),
        ("a touch", Change::touch(at(500_000))),
        ("a change of meta", Change::meta(entries(&[("a", 1)]))),
        ("a renewal", Change::renew(hash(1), hash(2))),
        ("a later deadline", later),
        ("a change of everything", all),
    ]
}
