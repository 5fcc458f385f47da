//! A session is deleted.

use sessionup_core::Change;

use crate::Fixture;
use crate::sample::{
    ann, at, ending_at, hash, id, idling, ids, kinds, ms, odd_ids, of_kind, record, record_of, user,
};

/// Without an owner a record is deleted, whoever's it is, and no other.
pub async fn delete_ends_the_session(fixture: &Fixture) {
    for n in [1, 2, 3] {
        fixture.create(&record(n), at(0)).await;
    }

    assert!(fixture.delete(id(2), None).await, "a record was deleted");

    let why = "a deleted session is gone, and no other";
    fixture.expect_gone(&record(2), at(0), why).await;
    fixture.expect_list(&ann(), &ids([1, 3]), at(0), why).await;
}

/// The right owner may delete.
pub async fn delete_by_its_owner_ends_the_session(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    let deleted = fixture.delete(id(1), Some(&ann())).await;

    assert!(deleted, "the record is the owner's and was deleted");
    let why = "a deleted session is gone";
    fixture.expect_gone(&record(1), at(0), why).await;
}

/// Another user's record is left alone, and the answer is the same as for one that is not there.
pub async fn delete_by_another_user_leaves_the_session_alone(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;
    fixture.create(&record_of("bob", 2), at(0)).await;

    for key in ["bob", "an", "anna", "Ann", "ann ", "nobody"] {
        let deleted = fixture.delete(id(1), Some(&user(key))).await;
        assert!(!deleted, "{key:?} is another user and deletes nothing");
        let why = "another user's record is left alone";
        fixture.expect_there(&record(1), at(0), why).await;
    }
}

/// Of an id that is not there nothing is deleted, whatever its bytes.
pub async fn delete_of_an_absent_session_deletes_nothing(fixture: &Fixture) {
    fixture.create(&record(1), at(0)).await;

    for id in odd_ids().into_iter().chain([id(2)]) {
        for owner in [None, Some(&ann())] {
            let deleted = fixture.delete(id, owner).await;
            assert!(!deleted, "no session has the id {id}");
        }
    }
    let why = "nothing was deleted";
    fixture.expect_list(&ann(), &ids([1]), at(0), why).await;
}

/// A session is deleted once.
pub async fn second_delete_deletes_nothing(fixture: &Fixture) {
    for owner in [None, Some(&ann())] {
        fixture.create(&record(1), at(0)).await;
        assert!(fixture.delete(id(1), owner).await, "a record was deleted");
        for again in [None, Some(&ann())] {
            let deleted = fixture.delete(id(1), again).await;
            assert!(!deleted, "the record was deleted before");
        }
    }
}

/// An expired record that still lies there is deleted as well, under the same rule of ownership.
pub async fn delete_reaches_expired_sessions(fixture: &Fixture) {
    fixture.create(&ending_at(1, at(100)), at(0)).await;
    fixture.create(&idling(2, ms(100)), at(0)).await;

    for n in [1, 2] {
        let why = "the session has expired";
        fixture.expect_gone(&record(n), at(100), why).await;
        let foreign = fixture.delete(id(n), Some(&user("bob"))).await;
        assert!(!foreign, "another user's expired record is left alone");
        let deleted = fixture.delete(id(n), Some(&ann())).await;
        assert!(deleted, "an expired record is there to be deleted");
        let why = "a deleted record is gone";
        fixture.expect_no_record(&record(n), at(100), why).await;
    }
}

/// A session of any kind can be deleted.
pub async fn delete_of_any_kind_ends_the_session(fixture: &Fixture) {
    for (n, kind) in (0..).zip(kinds()) {
        let session = of_kind(n, &kind);
        fixture.create(&session, at(0)).await;
        let owner = n.is_multiple_of(2).then(ann);
        let deleted = fixture.delete(id(n), owner.as_ref()).await;
        assert!(deleted, "a session of kind {kind} was there");
        let why = format!("a deleted session of kind {kind} is gone");
        fixture.expect_gone(&session, at(0), &why).await;
        fixture.expect_no_record(&session, at(0), &why).await;
    }
}

/// After a delete the id is free, and nothing of the former session is left to the new one.
pub async fn deleted_id_may_be_created_again(fixture: &Fixture) {
    fixture.create(&idling(1, ms(100)), at(0)).await;
    fixture.update(id(1), Change::touch(at(50)), at(50)).await;
    fixture.delete(id(1), None).await;

    let mut bobs = record_of("bob", 1);
    bobs.secret_hash = hash(7);
    fixture.create(&bobs, at(50)).await;

    let why = "a session made anew has nothing of the former one";
    fixture.expect_there(&bobs, at(50), why).await;
    fixture.expect_list(&ann(), &[], at(50), why).await;
    assert_answer!(fixture.prune_all(at(500), 10).await, 0, "{why}");
    fixture.expect_there(&bobs, at(500), why).await;
}
