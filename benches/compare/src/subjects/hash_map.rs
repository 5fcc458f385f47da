//! The plainest thing that keeps sessions: a map behind a lock.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use sessionup_core::{Record, SessionId};
use subject::{Entry, Error, Subject};

use crate::sessions::{id, record};

/// A `RwLock<HashMap<_, Arc<_>>>`: no durability, no users, no time.
#[derive(Default)]
pub(crate) struct HashMapStore(RwLock<HashMap<SessionId, Arc<Record>>>);

impl HashMapStore {
    fn change<T>(&self, change: impl FnOnce(&mut HashMap<SessionId, Arc<Record>>) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subject for HashMapStore {
    async fn open(_: &Path) -> Result<Self, Error> {
        Ok(Self::default())
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&self, entries: Vec<Entry>) -> Result<(), Error> {
        for entry in entries {
            self.create(entry).await?;
        }
        Ok(())
    }

    async fn create(&self, entry: Entry) -> Result<(), Error> {
        let record = Arc::new(record(&entry)?);
        self.change(|sessions| sessions.insert(record.session.id, record));
        Ok(())
    }

    async fn fetch(&self, number: u64) -> Result<bool, Error> {
        let sessions = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let record = sessions.get(&id(number)).map(Arc::clone);
        drop(sessions);
        Ok(std::hint::black_box(record).is_some())
    }

    async fn list(&self, _: &str) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    async fn delete(&self, number: u64) -> Result<(), Error> {
        self.change(|sessions| sessions.remove(&id(number)));
        Ok(())
    }

    async fn delete_user(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn prune(&self) -> Result<bool, Error> {
        Ok(false)
    }

    async fn serve(&self, _: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
        Ok(None)
    }
}
