//! The store under a model checker: each test runs a few tasks under many schedules.
//!
//! Built by `RUSTFLAGS="--cfg sessionup_schedules"` alone; see `faults/schedules`. Time is a choice
//! of the schedule too: whoever waits until a time may find that it has come.

#![cfg(sessionup_schedules)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]
#![allow(
    clippy::needless_pass_by_value,
    reason = "a scenario ends with its store"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod closing;
mod doubts;
mod explore;
mod listing;
mod order;
mod revocations;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sessionup_core::{Change, SessionId, Store, StoreError};
use sessionup_redb::RedbStoreBuilder;

/// Few threads, so that schedules are about the tasks.
fn small() -> RedbStoreBuilder {
    support::builder().readers(NonZeroUsize::new(2).unwrap())
}

/// Something that has happened. Raising it and looking are no points where the schedule changes.
#[derive(Clone, Debug, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Says whether a use was answered with a live session.
async fn touch(store: &impl Store, id: SessionId, millis: i64) -> Result<bool, StoreError> {
    let touch = Change::touch(support::at(millis));
    let touched = store.update(id, touch, support::at(millis)).await?;
    Ok(touched.is_some_and(|record| record.session.last_seen_at >= support::at(millis)))
}
