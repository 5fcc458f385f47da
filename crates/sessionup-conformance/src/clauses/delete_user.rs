//! The sessions of a user are deleted.

use crate::Fixture;
use crate::races::fill;
use crate::sample::{
    MANY, ann, at, confusable_users, ending_at, id, idling, ids, kinds, ms, odd_ids, of_kind,
    record, record_of, records, user,
};

/// All sessions of the user are deleted, and their number is the answer.
pub async fn delete_user_deletes_all_sessions(fixture: &Fixture) {
    fill(fixture, &records(0..100), at(0)).await;

    assert_answer!(
        fixture.delete_user(&ann(), &[]).await,
        100,
        "all are deleted"
    );

    let why = "all sessions of the user are deleted";
    fixture.expect_list(&ann(), &[], at(0), why).await;
    for record in records([0, 1, 50, 99]) {
        fixture.expect_gone(&record, at(0), why).await;
        fixture.expect_no_record(&record, at(0), why).await;
    }
}

/// All sessions of the user are deleted, be they many.
pub async fn delete_user_deletes_many_sessions(fixture: &Fixture) {
    fill(fixture, &records(0..MANY), at(0)).await;
    fixture.create(&record_of("ann2", MANY), at(0)).await;

    let deleted = fixture.delete_user(&ann(), &[]).await;

    assert_answer!(deleted, u64::from(MANY), "all are deleted");
    let why = "the sessions of the next user stay";
    fixture
        .expect_there(&record_of("ann2", MANY), at(0), why)
        .await;
    fixture.delete(id(MANY), None).await;
    let why = "all sessions of the user are deleted";
    fixture.expect_no_trace(0..MANY, &[], why).await;
}

/// The sessions that are excepted are kept, exactly these.
pub async fn delete_user_keeps_the_excepted(fixture: &Fixture) {
    fill(fixture, &records(1..=9), at(0)).await;

    let why = "exactly the excepted sessions are kept";
    assert_answer!(
        fixture.delete_user(&ann(), &ids([2, 5, 9])).await,
        6,
        "{why}"
    );
    fixture
        .expect_list(&ann(), &ids([2, 5, 9]), at(0), why)
        .await;
    assert_answer!(fixture.delete_user(&ann(), &[id(5)]).await, 2, "{why}");
    fixture.expect_there(&record(5), at(0), why).await;
    fixture.expect_list(&ann(), &[id(5)], at(0), why).await;
    assert_answer!(fixture.delete_user(&ann(), &[id(5)]).await, 0, "{why}");
    fixture.expect_there(&record(5), at(0), why).await;
}

/// Excepted ids that are another user's, unknown or named twice do no harm.
pub async fn delete_user_takes_any_exceptions(fixture: &Fixture) {
    fill(fixture, &records(1..=3), at(0)).await;
    fixture.create(&record_of("bob", 4), at(0)).await;

    let mut except = odd_ids();
    except.extend(ids([3, 3, 4, 4, 99, 3]));
    let deleted = fixture.delete_user(&ann(), &except).await;

    assert_answer!(deleted, 2, "only the user's own excepted session is kept");
    let why = "exceptions neither add nor take away other sessions";
    fixture.expect_list(&ann(), &[id(3)], at(0), why).await;
    fixture
        .expect_list(&user("bob"), &[id(4)], at(0), why)
        .await;
}

/// User keys are compared byte for byte: no other user loses a session.
pub async fn delete_user_deletes_exactly_this_user(fixture: &Fixture) {
    let users = confusable_users();
    let records: Vec<_> = (0..)
        .zip(&users)
        .map(|(n, user)| record_of(user.as_str(), n))
        .collect();
    fill(fixture, &records, at(0)).await;

    for gone in &records {
        let user = &gone.session.user_key;
        let deleted = fixture.delete_user(user, &[]).await;
        assert_answer!(deleted, 1, "{user:?} has one session");
        let why = format!("{user:?} was deleted, and nobody else");
        fixture.expect_gone(gone, at(0), &why).await;
        for other in records.iter().filter(|other| *other != gone) {
            fixture.expect_there(other, at(0), &why).await;
        }
        fixture.create(gone, at(0)).await;
    }
}

/// Whatever character a user key contains, exactly the excepted session is kept.
pub async fn delete_user_takes_any_character(fixture: &Fixture) {
    let keys: Vec<_> = ('\u{1}'..='\u{7f}').map(|c| format!("a{c}b")).collect();
    let sessions: Vec<_> = (0..)
        .zip(&keys)
        .flat_map(|(n, key)| [record_of(key, 2 * n), record_of(key, 2 * n + 1)])
        .collect();
    fill(fixture, &sessions, at(0)).await;

    for (n, key) in (0..).zip(&keys) {
        let deleted = fixture.delete_user(&user(key), &[id(2 * n)]).await;
        assert_answer!(deleted, 1, "{key:?} has two sessions, one of them excepted");
    }

    for (n, key) in (0..).zip(&keys) {
        let why = "exactly the excepted session is kept";
        fixture
            .expect_list(&user(key), &[id(2 * n)], at(0), why)
            .await;
    }
}

/// Of a user without sessions none are deleted.
pub async fn delete_user_without_sessions_deletes_none(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    for key in ["a", "an", "anna", "Ann", "bob"] {
        let deleted = fixture.delete_user(&user(key), &[]).await;
        assert_answer!(deleted, 0, "{key:?} has no sessions");
    }
    let why = "no other user loses a session";
    fixture.expect_there(&record(1), at(0), why).await;
}

/// Expired records that still lie there are deleted as well.
pub async fn delete_user_reaches_expired_sessions(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    fixture.create(&idling(2, ms(100)), at(0)).await;
    fixture.create(&ending_at(3, at(100)), at(0)).await;
    fixture.create(&record(4), at(0)).await;
    let why = "the others have expired";
    fixture.expect_list(&ann(), &[id(4)], at(100), why).await;

    let deleted = fixture.delete_user(&ann(), &[id(3)]).await;

    assert_answer!(deleted, 3, "expired records are deleted with the live ones");
    for n in [1, 2, 4] {
        let why = "a deleted record is gone";
        fixture.expect_no_record(&record(n), at(100), why).await;
    }
    assert!(
        fixture.delete(id(3), Some(&ann())).await,
        "an excepted record is kept, expired or not"
    );
}

/// Sessions of every kind are deleted, and an excepted one is kept whatever its kind.
pub async fn delete_user_reaches_every_kind(fixture: &Fixture) {
    let sessions: Vec<_> = (0..)
        .zip(kinds())
        .map(|(n, kind)| of_kind(n, &kind))
        .collect();
    for kept in &sessions {
        fill(fixture, &sessions, at(0)).await;
        let deleted = fixture.delete_user(&ann(), &[kept.session.id]).await;
        let why = "sessions of every kind are deleted";
        assert_answer!(deleted, sessions.len() as u64 - 1, "{why}");
        let kind = &kept.session.kind;
        let why = format!("{why} but the excepted one of kind {kind}");
        fixture
            .expect_list(&ann(), &[kept.session.id], at(0), &why)
            .await;
        fixture.expect_there(kept, at(0), &why).await;
        fixture.delete(kept.session.id, None).await;
    }
}

/// After it the user may log in again.
pub async fn user_may_return_after_delete_user(fixture: &Fixture) {
    for round in 0..3 {
        fill(fixture, &records(1..=3), at(round)).await;
        let why = "the ids of deleted sessions are free";
        fixture
            .expect_list(&ann(), &ids(1..=3), at(round), why)
            .await;
        assert_answer!(fixture.delete_user(&ann(), &[]).await, 3, "all are deleted");
    }
}
