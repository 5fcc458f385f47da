//! A clone of a store, or an [`Arc`](std::sync::Arc) of one, is a handle on the same records.

use std::ptr;

use sessionup_core::{Change, CreateOptions, Store as _, StoreError};

use crate::Fixture;
use crate::sample::{ann, at, id, record};

/// What is done through one handle is seen through the other.
pub async fn clone_holds_the_same_records(fixture: &Fixture) {
    let clone = fixture.of_clone();
    for (one, other, n) in [(fixture, &clone, 1), (&clone, fixture, 2)] {
        one.create(&record(n), at(0)).await;
        let why = "a clone is a handle on the same records";
        other.expect_there(&record(n), at(0), why).await;

        let touched = other.update(id(n), Change::touch(at(5)), at(5)).await;
        let touched = touched.expect("the session is live");
        one.expect_there(&touched, at(5), why).await;

        assert!(one.delete(id(n), Some(&ann())).await, "it was there");
        other.expect_gone(&record(n), at(5), why).await;
    }
}

/// All handles return one shared state.
pub async fn clone_returns_the_same_shared_state(fixture: &Fixture) {
    let clone = fixture.of_clone();
    assert!(
        ptr::eq(fixture.store().shared(), clone.store().shared()),
        "a clone returns the shared state of the original"
    );
}

/// A deletion through one handle overtakes logins that began at the other.
pub async fn clone_overtakes_logins_of_the_original(fixture: &Fixture) {
    let clone = fixture.of_clone();
    for (one, other, n) in [(fixture, &clone, 1), (&clone, fixture, 2)] {
        let login = CreateOptions::default().begun(Some(one.store().epoch()));
        other.delete_user(&ann(), &[]).await;
        let refused = one.try_create(&record(n), login, at(0)).await;
        assert!(
            matches!(refused, Err(StoreError::Overtaken)),
            "the login was overtaken, create said {refused:?}"
        );

        let login = CreateOptions::default().begun(Some(one.store().epoch()));
        other.create_with(&record(n), login, at(0)).await;
        let why = "nothing overtook the login";
        one.expect_there(&record(n), at(0), why).await;
    }
}
