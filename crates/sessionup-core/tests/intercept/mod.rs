//! A store in memory whose answers a test can hold up, change or lose.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sessionup_core::store::{ListOptions, OthersDeleted, RecordPage, SharedState};
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, MemoryStore, Pruned, Record, SessionId, Store,
    StoreError, Timestamp, UserDeleted, UserKey,
};

type Hook = Box<dyn FnOnce() + Send>;

/// Clones are handles on the same store.
#[derive(Clone, Default)]
pub struct Intercept {
    store: MemoryStore,
    after_fetch: Arc<Mutex<Option<Hook>>>,
    loses_answers: Arc<AtomicBool>,
    failing_fetches: Arc<Mutex<HashMap<SessionId, StoreError>>>,
}

impl Intercept {
    /// Runs this once, after the next fetch has read its record and before it answers.
    pub fn after_next_fetch(&self, hook: impl FnOnce() + Send + 'static) {
        *self.after_fetch.lock().unwrap() = Some(Box::new(hook));
    }

    /// Makes writes from here on happen and answer that their outcome is unknown.
    pub fn lose_answers(&self) {
        self.loses_answers.store(true, Ordering::SeqCst);
    }

    /// Makes fetches of a session fail from here on.
    pub fn fail_fetches_of(&self, id: SessionId, error: StoreError) {
        self.failing_fetches.lock().unwrap().insert(id, error);
    }

    fn written<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if self.loses_answers.load(Ordering::SeqCst) {
            return Err(StoreError::outcome_unknown("the answer was lost"));
        }
        answer
    }
}

impl fmt::Debug for Intercept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intercept").finish_non_exhaustive()
    }
}

impl Store for Intercept {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.store.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.written(self.store.create(record, options, now).await)
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if let Some(error) = self.failing_fetches.lock().unwrap().get(&id) {
            return Err(error.clone());
        }
        let fetched = self.store.fetch(id, now).await;
        let hook = self.after_fetch.lock().unwrap().take();
        if let Some(hook) = hook {
            hook();
        }
        fetched
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.store.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.written(self.store.update(id, change, now).await)
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.written(self.store.delete(id, owner).await)
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.written(self.store.delete_user(user, except).await)
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.written(self.store.delete_others(user, id, change, now).await)
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.written(self.store.delete_all().await)
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.written(self.store.prune(now, at_most).await)
    }
}
