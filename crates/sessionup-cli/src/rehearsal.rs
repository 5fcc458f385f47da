//! A store that takes nothing: what would come of an import.

use std::sync::Arc;

use sessionup_core::store::Epochs;
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, ListOptions, OthersDeleted, Pruned, Record, RecordPage,
    SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

use crate::store::View;

/// Answers to `create` as the store would that is looked at, and changes nothing.
#[derive(Debug, Default)]
pub(crate) struct Rehearsal {
    /// `None` if there is no such store yet.
    view: Option<View>,
    epochs: Epochs,
    shared: SharedState,
}

impl Rehearsal {
    pub(crate) fn over(view: Option<View>) -> Self {
        Self {
            view,
            ..Self::default()
        }
    }
}

impl Store for Rehearsal {
    fn epoch(&self) -> Epoch {
        self.epochs.now()
    }

    fn shared(&self) -> &SharedState {
        &self.shared
    }

    async fn create(
        &self,
        record: Record,
        _: CreateOptions,
        _: Timestamp,
    ) -> Result<Created, StoreError> {
        let found = match &self.view {
            Some(view) => view.find(record.session.id),
            None => Ok(None),
        };
        match found {
            Ok(None) => Ok(Created::default()),
            Ok(Some(_)) => Err(StoreError::DuplicateId),
            Err(error) => Err(StoreError::unavailable(error)),
        }
    }

    async fn fetch(&self, _: SessionId, _: Timestamp) -> Result<Option<Arc<Record>>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn list_page(
        &self,
        _: &UserKey,
        _: ListOptions,
        _: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        Err(StoreError::Closed)
    }

    async fn update(
        &self,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete(&self, _: SessionId, _: Option<&UserKey>) -> Result<bool, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_user(&self, _: &UserKey, _: &[SessionId]) -> Result<UserDeleted, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_others(
        &self,
        _: &UserKey,
        _: SessionId,
        _: Change,
        _: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        Err(StoreError::Closed)
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        Err(StoreError::Closed)
    }

    async fn prune(&self, _: Timestamp, _: usize) -> Result<Pruned, StoreError> {
        Err(StoreError::Closed)
    }
}
