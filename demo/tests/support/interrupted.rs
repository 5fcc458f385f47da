//! A store in whose operations something else happens first.

use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use sessionup::{
    Change, CreateOptions, Created, Epoch, ListOptions, MemoryStore, OthersDeleted, Pruned, Record,
    RecordPage, SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

/// What happens before an operation, once. An error is the operation's.
type Event = BoxFuture<'static, Result<(), StoreError>>;

/// Where something can happen first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Create,
    DeleteOthers,
    List,
    /// Of a session whose user has proved who they are.
    Reauthenticate,
}

/// Operations on memory, each of which can be interrupted.
#[derive(Clone, Default)]
pub struct Interrupted {
    pub inner: MemoryStore,
    events: Arc<Mutex<Vec<(Before, Event)>>>,
}

impl std::fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupted")
    }
}

impl Interrupted {
    /// Has something happen before the next operation of this sort.
    pub fn once(
        &self,
        before: Before,
        event: impl Future<Output = Result<(), StoreError>> + Send + 'static,
    ) {
        let event = (before, Box::pin(event) as Event);
        self.events.lock().unwrap().push(event);
    }

    async fn happen(&self, before: Before) -> Result<(), StoreError> {
        let event = {
            let mut events = self.events.lock().unwrap();
            let first = events.iter().position(|(at, _)| *at == before);
            first.map(|first| events.remove(first).1)
        };
        match event {
            Some(event) => event.await,
            None => Ok(()),
        }
    }
}

impl Store for Interrupted {
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
        self.happen(Before::Create).await?;
        self.inner.create(record, options, now).await
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
        self.happen(Before::List).await?;
        self.inner.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        if change.authenticated_at.is_some() {
            self.happen(Before::Reauthenticate).await?;
        }
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
        self.happen(Before::DeleteOthers).await?;
        self.inner.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.inner.delete_all().await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.inner.prune(now, at_most).await
    }
}
