//! What may be wrong with clones.

use sessionup_core::store::Epochs;

use crate::defect::Defect;
use crate::defect::prelude::*;

/// Begins with no records.
#[derive(Debug, Default)]
pub(crate) struct ClonesAreEmpty;

impl Defect for ClonesAreEmpty {
    fn clone_of(this: &Arc<Self>, _: &MemoryStore) -> (Arc<Self>, MemoryStore) {
        (Arc::clone(this), MemoryStore::new())
    }
}

/// Makes a shared state for each clone.
#[derive(Debug, Default)]
pub(crate) struct ClonesShareNoState(SharedState);

impl Defect for ClonesShareNoState {
    fn clone_of(_: &Arc<Self>, inner: &MemoryStore) -> (Arc<Self>, MemoryStore) {
        (Arc::default(), inner.clone())
    }

    fn shared<'a>(&'a self, _: &'a MemoryStore) -> &'a SharedState {
        &self.0
    }
}

/// Counts revocations by each clone for itself.
#[derive(Debug, Default)]
pub(crate) struct ClonesCountForThemselves(Epochs);

impl Defect for ClonesCountForThemselves {
    fn clone_of(_: &Arc<Self>, inner: &MemoryStore) -> (Arc<Self>, MemoryStore) {
        (Arc::default(), inner.clone())
    }

    fn epoch(&self, _: &MemoryStore) -> Epoch {
        self.0.now()
    }

    async fn create(
        &self,
        inner: &MemoryStore,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let allows = |begun| self.0.allows(begun, &record.session.user_key);
        if !options.begun.is_none_or(allows) {
            return Err(StoreError::Overtaken);
        }
        inner.create(record, options.begun(None), now).await
    }

    async fn delete_user(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        let (previous, epoch) = self.0.revoke(user);
        let deleted = inner.delete_user(user, except).await?.deleted;
        Ok(UserDeleted::new(deleted, previous, epoch))
    }
}
