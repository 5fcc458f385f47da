//! A store whose logins wait at a gate that tests close and open.

use std::sync::Arc;

use sessionup::{
    Change, CreateOptions, Created, Epoch, ListOptions, OthersDeleted, Pruned, Record, RecordPage,
    SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};
use tokio::sync::{Notify, watch};

/// On which side of the store's own work logins wait.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Before,
    After,
}

#[derive(Clone, Debug)]
pub(crate) struct Gate<S> {
    inner: S,
    side: Side,
    is_open: watch::Sender<bool>,
    reached: Arc<Notify>,
}

impl<S: Store> Gate<S> {
    pub(crate) fn new(inner: S, side: Side) -> Self {
        Self {
            inner,
            side,
            is_open: watch::Sender::new(true),
            reached: Arc::default(),
        }
    }

    pub(crate) fn set_open(&self, is_open: bool) {
        self.is_open.send_replace(is_open);
    }

    /// Waits until a login waits.
    pub(crate) async fn reached(&self) {
        self.reached.notified().await;
    }

    async fn pass(&self) {
        let mut is_open = self.is_open.subscribe();
        if !*is_open.borrow() {
            self.reached.notify_one();
        }
        is_open.wait_for(|is_open| *is_open).await.unwrap();
    }
}

impl<S: Store> Store for Gate<S> {
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
        match self.side {
            Side::Before => {
                self.pass().await;
                self.inner.create(record, options, now).await
            }
            Side::After => {
                let created = self.inner.create(record, options, now).await;
                self.pass().await;
                created
            }
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
