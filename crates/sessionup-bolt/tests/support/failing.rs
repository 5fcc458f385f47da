//! A store that fails, or never answers, at one of its creates.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessionup_core::{
    Change, CreateOptions, Created, Epoch, ListOptions, MemoryStore, OthersDeleted, Pruned, Record,
    RecordPage, SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

/// What happens at the create that is hit, and at all after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Refused, nothing changed.
    Unavailable,
    /// Done, but the caller is told that nobody knows.
    OutcomeUnknown,
    /// No answer, ever: the process is about to die.
    Silence,
}

#[derive(Debug)]
pub struct Failing {
    pub inner: MemoryStore,
    pub fault: Fault,
    /// Creates that succeed.
    pub after: usize,
    created: AtomicUsize,
}

impl Failing {
    pub fn new(inner: MemoryStore, fault: Fault, after: usize) -> Self {
        let created = AtomicUsize::new(0);
        Self {
            inner,
            fault,
            after,
            created,
        }
    }
}

impl Store for Failing {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.inner.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        if self.created.fetch_add(1, Ordering::SeqCst) < self.after {
            return self.inner.create(record, options, now).await;
        }
        match self.fault {
            Fault::Unavailable => Err(StoreError::unavailable("fault")),
            Fault::OutcomeUnknown => {
                self.inner.create(record, options, now).await?;
                Err(StoreError::outcome_unknown("fault"))
            }
            Fault::Silence => std::future::pending().await,
        }
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.inner.fetch(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.inner.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.inner.update(id, change, now).await
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.inner.delete(id, owner).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.inner.delete_user(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.inner.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.inner.delete_all().await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.inner.prune(now, at_most).await
    }
}
