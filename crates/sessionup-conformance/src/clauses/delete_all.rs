//! The sessions of all users are deleted.

use sessionup_core::Change;

use crate::Fixture;
use crate::races::fill;
use crate::sample::{
    MANY, ann, at, confusable_users, ending_at, hash, id, idling, ids, kinds, ms, of_kind, record,
    record_of, records, user,
};

/// The sessions of every user are deleted, and their number is the answer.
pub async fn delete_all_deletes_sessions_of_every_user(fixture: &Fixture) {
    let users = confusable_users();
    let sessions: Vec<_> = (0..)
        .zip(&users)
        .flat_map(|(n, user)| [2 * n, 2 * n + 1].map(|n| record_of(user.as_str(), n)))
        .collect();
    fill(fixture, &sessions, at(0)).await;

    assert_answer!(fixture.delete_all().await, sessions.len() as u64, "all");

    let why = "the sessions of every user are deleted";
    for user in &users {
        fixture.expect_list(user, &[], at(0), why).await;
    }
    for record in &sessions {
        fixture.expect_gone(record, at(0), why).await;
    }
}

/// All sessions of a user are deleted, be they many.
pub async fn delete_all_deletes_many_sessions(fixture: &Fixture) {
    fill(fixture, &records(0..MANY), at(0)).await;

    assert_answer!(fixture.delete_all().await, u64::from(MANY), "all");

    let why = "all sessions are deleted";
    fixture.expect_no_trace(0..MANY, &[], why).await;
}

/// Of an empty store nothing is deleted, and nothing the second time.
pub async fn delete_all_of_empty_store_deletes_none(fixture: &Fixture) {
    assert_answer!(fixture.delete_all().await, 0, "there was no session");
    fixture.create(&record(1), at(0)).await;
    assert_answer!(fixture.delete_all().await, 1, "there was one");
    assert_answer!(fixture.delete_all().await, 0, "it was deleted before");
}

/// Expired records that still lie there are deleted and counted as well.
pub async fn delete_all_reaches_expired_sessions(fixture: &Fixture) {
    let expired = [ending_at(1, at(100)), idling(2, ms(100))];
    for record in expired.iter().chain([&record(3)]) {
        fixture.create(record, at(0)).await;
    }
    let why = "the others have expired";
    fixture.expect_list(&ann(), &[id(3)], at(100), why).await;

    assert_answer!(fixture.delete_all().await, 3, "expired records count too");

    for record in records(1..=2) {
        let why = "a deleted record is gone";
        fixture.expect_no_record(&record, at(100), why).await;
    }
}

/// Sessions of every kind are deleted.
pub async fn delete_all_reaches_every_kind(fixture: &Fixture) {
    let sessions: Vec<_> = (0..)
        .zip(kinds())
        .map(|(n, kind)| of_kind(n, &kind))
        .collect();
    fill(fixture, &sessions, at(0)).await;

    assert_answer!(fixture.delete_all().await, sessions.len() as u64, "all");

    for record in &sessions {
        let why = format!("a session of kind {} is deleted", record.session.kind);
        fixture.expect_gone(record, at(0), &why).await;
        fixture.expect_no_record(record, at(0), &why).await;
    }
}

/// Afterwards users may log in again, and nothing of the former sessions is left to the new ones.
pub async fn create_after_delete_all_reuses_ids(fixture: &Fixture) {
    for round in 0..3 {
        let now = at(1_000 * round);
        let mut idle = idling(1, ms(100));
        idle.session.last_seen_at = now;
        fixture.create(&idle, now).await;
        fixture.update(id(1), Change::touch(now), now).await;
        assert_answer!(fixture.delete_all().await, 1, "there was one");

        let mut bobs = record_of("bob", 1);
        bobs.secret_hash = hash(7);
        fixture.create(&bobs, now).await;

        let later = at(1_000 * round + 500);
        let why = "a session made anew has nothing of the former one";
        fixture.expect_list(&ann(), &[], now, why).await;
        assert_answer!(fixture.prune_all(later, 10).await, 0, "{why}");
        fixture.expect_there(&bobs, later, why).await;
        let bob = user("bob");
        fixture.expect_list(&bob, &ids([1]), later, why).await;
        assert_answer!(fixture.delete_all().await, 1, "the new one is deleted");
    }
}
