//! What may be wrong with futures.

use std::future::ready;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use crate::defect::Defect;
use crate::defect::prelude::*;

/// Deletes when it is called, not when it is polled.
#[derive(Debug, Default)]
pub(crate) struct ActsUnpolled;

impl Defect for ActsUnpolled {
    fn delete(
        &self,
        inner: &MemoryStore,
        id: SessionId,
        owner: Option<&UserKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        ready(polled(inner.delete(id, owner)))
    }
}

defect!(
    /// Lets few in at once, and does not notice when one of them leaves early.
    KeepsThePlaceOfTheDropped(AtomicU32) {
        fetch(self, inner, id, now) {
            const PLACES: u32 = 20;
            if self.0.fetch_add(1, Ordering::SeqCst) >= PLACES {
                self.0.fetch_sub(1, Ordering::SeqCst);
                return Err(StoreError::Overloaded);
            }
            yield_now().await;
            let fetched = inner.fetch(id, now).await;
            self.0.fetch_sub(1, Ordering::SeqCst);
            fetched
        }
    }
);

defect!(
    /// Works where its author has tried it.
    NeedsARuntime {
        fetch(self, inner, id, now) {
            let _ = tokio::runtime::Handle::current();
            inner.fetch(id, now).await
        }
    }
);

defect!(
    /// Wants to be polled by one thread from beginning to end.
    StaysOnItsThread {
        create(self, inner, record, options, now) {
            let begun_on = thread::current().id();
            yield_now().await;
            if thread::current().id() != begun_on {
                return Err(StoreError::unavailable("this is another thread"));
            }
            inner.create(record, options, now).await
        }
    }
);

/// Deletes the others when it is called, not when it is polled.
#[derive(Debug, Default)]
pub(crate) struct OthersActUnpolled;

impl Defect for OthersActUnpolled {
    fn delete_others(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<OthersDeleted, StoreError>> + Send {
        ready(polled(inner.delete_others(user, id, change, now)))
    }
}

/// Deletes all when it is called, not when it is polled.
#[derive(Debug, Default)]
pub(crate) struct AllActsUnpolled;

impl Defect for AllActsUnpolled {
    fn delete_all(
        &self,
        inner: &MemoryStore,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        ready(polled(inner.delete_all()))
    }
}

fn polled<T>(operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut nobody = Context::from_waker(Waker::noop());
    match pin!(operation).poll(&mut nobody) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(StoreError::Closed),
    }
}

defect!(
    /// Deletes the others where its author has tried it.
    OthersNeedARuntime {
        delete_others(self, inner, user, id, change, now) {
            let _ = tokio::runtime::Handle::current();
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Deletes all where its author has tried it.
    AllNeedsARuntime {
        delete_all(self, inner) {
            let _ = tokio::runtime::Handle::current();
            inner.delete_all().await
        }
    }
);
