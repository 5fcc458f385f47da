//! What is known of the time is kept by the store, and is no business of its operations.

use std::ptr;

use sessionup_core::store::Marks;
use sessionup_core::{Change, CreateOptions, Store as _, Timestamp};

use crate::Fixture;
use crate::sample::{DAY, ann, at, id, record};

/// The watermark is the same one each time that it is asked for, and of every handle.
pub async fn watermark_is_one(fixture: &Fixture) {
    fixture.store().watermark().observe(at(DAY));

    let other = fixture.clone();
    let marks = Marks::new(at(DAY), None);
    assert_answer!(fixture.store().watermark().marks(), marks, "asked again");
    assert_answer!(
        other.store().watermark().marks(),
        marks,
        "asked of another handle"
    );
    let judged = other.store().watermark().observe(at(0));
    assert_answer!(judged.now, at(DAY), "it remembers what it was shown");
}

/// The shared state is the same one each time that it is asked for, on every thread and after every
/// operation.
pub async fn shared_state_is_one(fixture: &Fixture) {
    let address = |fixture: &Fixture| ptr::from_ref(fixture.store().shared()).addr();
    let first = address(fixture);
    let other = fixture.clone();
    let elsewhere = tokio::spawn(async move { address(&other) }).await;
    assert_eq!(elsewhere.expect("it was asked"), first, "on another thread");

    fixture.create(&record(1), at(0)).await;
    assert_eq!(address(fixture), first, "after a create");
    fixture.prune(Timestamp::MAX, 1).await;
    assert_eq!(address(fixture), first, "after a prune");
    fixture.delete_user(&ann(), &[]).await;
    fixture.delete_all().await;
    assert_eq!(address(fixture), first, "after all were deleted");
}

/// The watermark is that of the shared state.
pub async fn watermark_is_that_of_shared_state(fixture: &Fixture) {
    assert!(
        fixture.has_shared_watermark(),
        "Store::watermark returns that of Store::shared"
    );
}

/// No operation moves the watermark, whatever the moment that it is asked about.
pub async fn operations_leave_the_watermark_alone(fixture: &Fixture) {
    let marks = fixture.store().watermark().marks();
    let (there, absent) = (record(1), id(9));
    fixture.create(&there, at(0)).await;
    fixture
        .try_create(&there, CreateOptions::default(), at(1))
        .await
        .expect_err("the id is taken");
    fixture.fetch(absent, at(2)).await;
    fixture.list(&ann(), at(3)).await;
    let touch = Change::touch(at(4));
    fixture.update(there.session.id, touch, at(4)).await;
    fixture.prune(Timestamp::MIN, 1).await;
    fixture.prune(Timestamp::MAX, 1).await;
    fixture.delete(absent, None).await;
    fixture.delete_user(&ann(), &[]).await;
    fixture.create(&there, at(5)).await;
    let touch = Change::touch(at(6));
    fixture
        .delete_others(&ann(), there.session.id, touch, at(6))
        .await;
    fixture.delete_all().await;

    let after = fixture.store().watermark().marks();
    assert_answer!(after, marks, "it belongs to those who look at a clock");
}

/// A session is judged by the moment that is asked about, whatever the watermark says.
pub async fn watermark_ends_no_session(fixture: &Fixture) {
    let record = record(1);
    fixture.create(&record, at(0)).await;
    fixture.store().watermark().observe(at(2 * DAY));

    let why = "the watermark is no clock to judge by";
    fixture.expect_there(&record, at(0), why).await;
    assert_answer!(fixture.prune(at(0), 9).await.deleted, 0, "{why}");
    let touch = Change::touch(at(1));
    let touched = fixture.update(record.session.id, touch, at(1)).await;
    assert!(touched.is_some(), "{why}");
    let change = Change::touch(at(2));
    let deleted = fixture
        .delete_others(&ann(), record.session.id, change, at(2))
        .await;
    assert!(deleted.kept.is_some(), "{why}");
}
