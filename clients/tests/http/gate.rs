//! A store whose logins wait at a gate that tests close and open.

use std::sync::Arc;

use sessionup::{
    Change, CreateOptions, Created, Epoch, Pruned, Record, SessionId, Store, StoreError, Timestamp,
    UserDeleted, UserKey, Watermark,
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

    fn watermark(&self) -> &Watermark {
        self.inner.watermark()
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

    async fn list(&self, user: &UserKey, now: Timestamp) -> Result<Vec<Arc<Record>>, StoreError> {
        self.inner.list(user, now).await
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

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.inner.prune(now, at_most).await
    }
}
