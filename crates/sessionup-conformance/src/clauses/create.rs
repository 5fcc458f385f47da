//! A session is made, once.

use std::time::Duration;

use sessionup_core::{CreateOptions, Kind, LimitPolicy, Replaced, SecretHash, Timestamp};

use crate::Fixture;
use crate::ask::expect_duplicate;
use crate::sample::{
    ann, at, ending_at, entries, hash, idling, kinds, limited, odd_ids, of_kind, record, record_of,
    record_with, replacing, user,
};
use crate::variety::{clients, metas};

/// A created session is found with every field as it was given.
pub async fn create_keeps_every_field(fixture: &Fixture) {
    let kinds = kinds();
    for (n, (name, client)) in (0..).zip(clients()) {
        let mut full = record_with(n, |session| {
            session.kind = kinds[n as usize % kinds.len()].clone();
            session.authenticated_at = at(3);
            session.persistent = n % 3 == 0;
            session.last_seen_at = at(7);
            session.idle_timeout = Some(Duration::from_secs(1_800));
            session.client = client;
            session.meta.merge(&entries(&[("visits", n)])).unwrap();
        });
        let until = (n % 2 == 0).then(|| at(9));
        full.replaced = Some(Replaced::new(hash(n + 1_000), at(6)).accepted_until(until));
        fixture.create(&full, at(8)).await;
        let why = format!("create keeps every field, {name}");
        fixture.expect_there(&full, at(8), &why).await;
    }
}

/// Meta is kept as it was given: nested, with numbers of every kind, in any script, up to its
/// bounds.
pub async fn create_keeps_meta(fixture: &Fixture) {
    for (n, (name, meta)) in (0..).zip(metas()) {
        let record = record_with(n, |session| session.meta = meta);
        fixture.create(&record, at(0)).await;
        let why = format!("create keeps meta, {name}");
        fixture.expect_there(&record, at(0), &why).await;
    }
}

/// Times are kept to the millisecond, before 1970 and in the far future too.
pub async fn create_keeps_times(fixture: &Fixture) {
    let time = Timestamp::from_millis;
    let cases = [
        ("to the millisecond", time(1), time(3), time(2), None),
        ("around 1970", time(-1), time(1), time(0), Some(1)),
        ("before 1970", time(-3), time(-1), time(-2), Some(2)),
        (
            "all there is",
            Timestamp::MIN,
            Timestamp::MAX,
            time(0),
            None,
        ),
        (
            "after 9999",
            time(1 << 50),
            time(1 << 51),
            time(1 << 50),
            Some(1 << 40),
        ),
        (
            "made later than seen",
            time(9),
            time(10),
            time(8),
            Some(u64::from(u32::MAX)),
        ),
    ];
    for (n, (name, created, expires, seen, idle)) in (0..).zip(cases) {
        let record = record_with(n, |session| {
            session.created_at = created;
            session.expires_at = expires;
            session.last_seen_at = seen;
            session.idle_timeout = idle.map(Duration::from_millis);
        });
        fixture.create(&record, seen).await;
        let why = format!("create keeps times, {name}");
        fixture.expect_there(&record, seen, &why).await;
    }
}

/// An id is any sixteen bytes, and a neighbour is another session.
pub async fn create_keeps_ids_of_any_bytes_apart(fixture: &Fixture) {
    let records: Vec<_> = (0..)
        .zip(odd_ids())
        .map(|(n, id)| record_with(n, |session| session.id = id))
        .collect();
    for record in &records {
        fixture.create(record, at(0)).await;
    }
    for record in &records {
        let why = "an id is any sixteen bytes";
        fixture.expect_there(record, at(0), why).await;
    }
    for record in &records {
        assert!(
            fixture.delete(record.session.id, Some(&ann())).await,
            "a session is deleted by an id of any bytes"
        );
        fixture
            .expect_agreement(&records, at(0), "a neighbour is another session")
            .await;
    }
    let left = fixture.listed_ids(&ann(), at(0)).await;
    assert!(left.is_empty(), "all were deleted, but {left:?} are left");
}

/// A secret hash is any 32 bytes.
pub async fn create_keeps_hashes_of_any_bytes(fixture: &Fixture) {
    let counting = std::array::from_fn(|i| u8::try_from(i).unwrap());
    for (n, bytes) in (0..).zip([[0x00; 32], [0xff; 32], counting]) {
        let mut record = record(n);
        record.secret_hash = SecretHash::from_bytes(bytes);
        fixture.create(&record, at(0)).await;
        fixture
            .expect_there(&record, at(0), "a hash is any 32 bytes")
            .await;
    }
}

/// The id of a live session is taken: `DuplicateId`, and nothing is changed.
pub async fn create_refuses_a_taken_id(fixture: &Fixture) {
    let first = record(1);
    fixture.create(&first, at(0)).await;

    let mut second = record_with(1, |session| session.expires_at = at(99));
    second.secret_hash = hash(2);
    let created = fixture
        .try_create(&second, CreateOptions::default(), at(1))
        .await;

    expect_duplicate(&created, "a live session has the id");
    fixture
        .expect_there(&first, at(1), "create never overwrites")
        .await;
}

/// The id of an expired record that still lies there is taken as well.
pub async fn create_refuses_the_id_of_an_expired_session(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    fixture
        .create(&idling(2, Duration::from_millis(100)), at(0))
        .await;

    for n in [1, 2] {
        let created = fixture
            .try_create(&record(n), CreateOptions::default(), at(100))
            .await;
        expect_duplicate(&created, "an expired record has the id");
        fixture
            .expect_gone(&record(n), at(100), "create never overwrites")
            .await;
    }
}

/// The id of another user's session is taken, and the session stays with its user.
pub async fn create_refuses_the_id_of_another_users_session(fixture: &Fixture) {
    let anns = record(1);
    fixture.create(&anns, at(0)).await;

    let bobs = record_of("bob", 1);
    let created = fixture
        .try_create(&bobs, CreateOptions::default(), at(0))
        .await;

    expect_duplicate(&created, "another user's session has the id");
    let why = "a refused create changes nothing";
    fixture.expect_there(&anns, at(0), why).await;
    fixture.expect_list(&user("bob"), &[], at(0), why).await;
}

/// A create that is refused as duplicate leaves the session alone that it would have replaced.
pub async fn refused_duplicate_leaves_the_replaced_session_alone(fixture: &Fixture) {
    let (taken, old) = (record(1), record(2));
    fixture.create(&taken, at(0)).await;
    fixture.create(&old, at(0)).await;

    let created = fixture.try_create(&record(1), replacing(2), at(0)).await;

    expect_duplicate(&created, "a live session has the id");
    let why = "a refused create changes nothing";
    fixture.expect_there(&taken, at(0), why).await;
    fixture.expect_there(&old, at(0), why).await;
}

/// A create that is refused as duplicate evicts nobody.
pub async fn refused_duplicate_evicts_nobody(fixture: &Fixture) {
    let (taken, other) = (record(1), record(2));
    fixture.create(&taken, at(0)).await;
    fixture.create(&other, at(0)).await;

    let one = limited(1, LimitPolicy::EvictOldest);
    let created = fixture.try_create(&record(1), one, at(0)).await;

    expect_duplicate(&created, "a live session has the id");
    let why = "a refused create changes nothing";
    fixture.expect_there(&taken, at(0), why).await;
    fixture.expect_there(&other, at(0), why).await;
}

/// The session that a new one replaces ends in the same step, and that is reported.
pub async fn create_ends_the_replaced_session(fixture: &Fixture) {
    let (old, new, other) = (record(1), record(2), record(3));
    fixture.create(&old, at(0)).await;
    fixture.create(&other, at(0)).await;

    let created = fixture.create_with(&new, replacing(1), at(1)).await;

    assert!(created.replaced, "a session was there to be replaced");
    assert!(created.evicted.is_empty(), "replaced is not evicted");
    let why = "create ends the session that it replaces, and no other";
    fixture.expect_gone(&old, at(1), why).await;
    fixture.expect_there(&new, at(1), why).await;
    fixture.expect_there(&other, at(1), why).await;
    fixture
        .expect_no_record(&old, at(1), "the replaced session is deleted")
        .await;
}

/// The session that a new one replaces may be another user's.
pub async fn create_ends_the_replaced_session_of_another_user(fixture: &Fixture) {
    let (bobs, anns) = (record_of("bob", 1), record(2));
    fixture.create(&bobs, at(0)).await;

    let created = fixture.create_with(&anns, replacing(1), at(1)).await;

    assert!(created.replaced, "a session was there to be replaced");
    let why = "the replaced session ends, whoever's it is";
    fixture.expect_gone(&bobs, at(1), why).await;
    fixture.expect_there(&anns, at(1), why).await;
}

/// The session that a new one replaces may be of another kind: a login ends the visitor's session.
pub async fn create_replacing_another_kind_ends_it(fixture: &Fixture) {
    let (old, new) = (of_kind(1, &Kind::GUEST), of_kind(2, &Kind::USER));
    fixture.create(&old, at(0)).await;

    let created = fixture.create_with(&new, replacing(1), at(1)).await;

    assert!(created.replaced, "a session was there to be replaced");
    let why = "the replaced session ends, whatever its kind";
    fixture.expect_gone(&old, at(1), why).await;
    fixture.expect_there(&new, at(1), why).await;
}

/// That the session to replace is not there is no error.
pub async fn create_replacing_an_absent_session_is_no_error(fixture: &Fixture) {
    let created = fixture.create_with(&record(1), replacing(9), at(0)).await;

    assert!(!created.replaced, "no session was there to be replaced");
    fixture
        .expect_there(&record(1), at(0), "an absent replaced session is no error")
        .await;
}

/// A session cannot replace itself: its id is taken.
pub async fn create_replacing_its_own_id_is_a_duplicate(fixture: &Fixture) {
    let first = record(1);
    fixture.create(&first, at(0)).await;

    let mut again = record(1);
    again.secret_hash = hash(2);
    let created = fixture.try_create(&again, replacing(1), at(0)).await;

    expect_duplicate(&created, "a live session has the id");
    fixture
        .expect_there(&first, at(0), "create never overwrites")
        .await;
}
