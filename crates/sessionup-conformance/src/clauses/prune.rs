//! Expired records are deleted.

use sessionup_core::{Change, Record};

use crate::Fixture;
use crate::races::fill;
use crate::sample::{
    DAY, ann, at, ending_at, id, idling, ids, kinds, ms, of_kind, record_of, records, user,
};

/// Records are deleted from their deadline on, not one millisecond earlier.
pub async fn prune_deletes_from_the_deadline_on(fixture: &Fixture) {
    let absolute = ending_at(1, at(100));
    let idle = idling(2, ms(100));
    for record in [&absolute, &idle] {
        fixture.create(record, at(0)).await;
    }

    let why = "prune leaves live sessions alone";
    assert_answer!(fixture.prune_all(at(99), 10).await, 0, "{why}");
    fixture.expect_there(&absolute, at(99), why).await;
    fixture.expect_there(&idle, at(99), why).await;

    let why = "prune deletes what has expired";
    assert_answer!(fixture.prune_all(at(100), 10).await, 2, "{why}");
    for record in [&absolute, &idle] {
        let deleted = fixture.delete(record.session.id, None).await;
        assert!(!deleted, "{why}, so nothing is left to delete");
    }
}

/// Of many records exactly the expired ones are deleted, of whatever user.
pub async fn prune_deletes_exactly_the_expired(fixture: &Fixture) {
    let (mut expired, mut live) = (Vec::new(), Vec::new());
    for n in 0..60 {
        let mut record = record_of(["ann", "anna", "bob"][n as usize % 3], n);
        let deadline = [50, 100, 101, DAY, 40 * DAY][n as usize % 5];
        record.session.expires_at = at(deadline);
        if deadline <= 100 {
            expired.push(record);
        } else {
            live.push(record);
        }
    }
    fill(fixture, &expired, at(0)).await;
    fill(fixture, &live, at(0)).await;

    let deleted = fixture.prune_all(at(100), 1_000).await;

    assert_answer!(deleted, 24, "the expired records are deleted");
    for record in &live {
        let why = "prune leaves live sessions alone";
        fixture.expect_there(record, at(100), why).await;
    }
    for record in &expired {
        let why = "a pruned record is gone";
        fixture.expect_gone(record, at(100), why).await;
        fixture.expect_no_record(record, at(100), why).await;
    }
}

/// Expired records of every kind are deleted, and live ones of every kind stay.
pub async fn prune_reaches_every_kind(fixture: &Fixture) {
    let count = u32::try_from(kinds().len()).unwrap();
    for (n, kind) in (0..).zip(kinds()) {
        fixture.create(&of_kind(n, &kind), at(0)).await;
        let mut ending = of_kind(count + n, &kind);
        ending.session.expires_at = at(50);
        fixture.create(&ending, at(0)).await;
    }

    let deleted = fixture.prune_all(at(50), 3).await;

    assert_answer!(deleted, u64::from(count), "one of each kind has expired");
    let why = "the live ones stay";
    fixture
        .expect_list(&ann(), &ids(0..count), at(50), why)
        .await;
}

/// At most so many records are deleted, and that more remain is said.
pub async fn prune_stops_at_its_bound(fixture: &Fixture) {
    fill(fixture, &expired(0..20), at(0)).await;

    let pruned = fixture.prune(at(100), 7).await;

    assert!(pruned.more, "13 of 20 remain: {pruned:?}");
    assert_answer!(
        fixture.delete_user(&ann(), &[]).await,
        20 - pruned.deleted,
        "prune deletes as many records as it says"
    );
}

/// A bound of zero deletes nothing.
pub async fn prune_of_none_deletes_none(fixture: &Fixture) {
    fill(fixture, &expired(0..3), at(0)).await;

    let pruned = fixture.prune(at(100), 0).await;

    assert_answer!(pruned.deleted, 0, "a bound of zero deletes nothing");
    assert!(pruned.more, "the expired records remain: {pruned:?}");
    let left = fixture.delete_user(&ann(), &[]).await;
    assert_answer!(left, 3, "a bound of zero deletes nothing");
}

/// Whoever goes on while more remain deletes all that has expired, in batches of any size.
pub async fn prune_in_batches_comes_to_an_end(fixture: &Fixture) {
    for (round, batch) in (0..).zip([1, 7, 299, 300, 301]) {
        fill(fixture, &expired(0..300), at(round)).await;
        fill(fixture, &records(300..320), at(round)).await;

        let deleted = fixture.prune_all(at(100), batch).await;

        assert_answer!(
            deleted,
            300,
            "all that has expired is deleted, {batch} at a time"
        );
        assert_answer!(fixture.prune_all(at(100), batch).await, 0, "once is enough");
        let why = "prune leaves live sessions alone";
        let live = ids(300..320);
        fixture.expect_list(&ann(), &live, at(100), why).await;
        let left = fixture.delete_user(&ann(), &[]).await;
        assert_answer!(left, 20, "what has expired is deleted, {batch} at a time");
    }
}

/// A bound beyond all numbers is a bound like any other.
pub async fn prune_takes_any_bound(fixture: &Fixture) {
    let pruned = fixture.prune(at(0), usize::MAX).await;
    assert_answer!(pruned.deleted, 0, "an empty store has nothing to delete");

    fill(fixture, &expired(0..10), at(0)).await;
    let deleted = fixture.prune_all(at(100), usize::MAX).await;
    assert_answer!(deleted, 10, "what has expired is deleted");
}

/// A session that was used in the meantime stays, until it is unused for its timeout.
pub async fn prune_keeps_a_touched_session(fixture: &Fixture) {
    fixture.create(&idling(1, ms(100)), at(0)).await;
    let seen = fixture.update(id(1), Change::touch(at(99)), at(99)).await;
    let seen = seen.expect("a session is live before its idle deadline");

    let why = "a session that was used in the meantime stays";
    for now in [100, 198] {
        assert_answer!(fixture.prune_all(at(now), 10).await, 0, "{why}");
        fixture.expect_there(&seen, at(now), why).await;
    }
    let deleted = fixture.prune_all(at(199), 10).await;
    assert_answer!(deleted, 1, "a session that is unused for its timeout goes");
}

/// What is deleted is what has expired, though more that was used in the meantime lies before it.
pub async fn prune_reaches_past_touched_sessions(fixture: &Fixture) {
    for n in 0..20 {
        fixture.create(&idling(n, ms(100)), at(0)).await;
        fixture.update(id(n), Change::touch(at(90)), at(90)).await;
    }
    fixture.create(&ending_at(20, at(120)), at(90)).await;

    let deleted = fixture.prune_all(at(120), 2).await;

    assert_answer!(deleted, 1, "only one session has expired");
    let why = "sessions that were used in the meantime stay";
    fixture.expect_list(&ann(), &ids(0..20), at(120), why).await;
}

/// The deadline that a session has by now decides, not the one it was made with.
pub async fn prune_goes_by_the_present_deadline(fixture: &Fixture) {
    for n in [1, 2] {
        fixture.create(&ending_at(n, at(1_000)), at(0)).await;
    }
    for (n, deadline) in [(1, 100), (2, 2 * DAY)] {
        let mut change = Change::default();
        change.expires_at = Some(at(deadline));
        fixture.update(id(n), change, at(0)).await;
    }

    let why = "the present deadline decides";
    assert_answer!(fixture.prune_all(at(100), 10).await, 1, "{why}");
    assert!(!fixture.delete(id(1), None).await, "{why}: 1 has expired");
    assert_answer!(fixture.prune_all(at(DAY), 10).await, 0, "{why}");
    fixture.expect_list(&ann(), &[id(2)], at(DAY), why).await;
    assert_answer!(fixture.prune_all(at(2 * DAY), 10).await, 1, "{why}");
}

/// The id of a pruned record is free, for any user.
pub async fn pruned_id_may_be_created_again(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    assert_answer!(fixture.prune_all(at(100), 10).await, 1, "one has expired");

    let bobs = record_of("bob", 1);
    fixture.create(&bobs, at(100)).await;

    let why = "a session made anew has nothing of the former one";
    fixture.expect_there(&bobs, at(100), why).await;
    fixture.expect_list(&ann(), &[], at(100), why).await;
    assert_answer!(fixture.prune_all(at(200), 10).await, 0, "{why}");
    fixture
        .expect_list(&user("bob"), &[id(1)], at(200), why)
        .await;
}

fn expired(numbers: std::ops::Range<u32>) -> Vec<Record> {
    numbers
        .map(|n| ending_at(n, at(50 + i64::from(n % 50))))
        .collect()
}
