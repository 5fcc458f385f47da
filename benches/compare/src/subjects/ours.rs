//! Our stores.

use std::path::Path;
use std::time::{Duration, SystemTime};

use sessionup_core::{CreateOptions, MemoryStore, Store, Timestamp, UserKey};
use sessionup_redb::RedbStore;
use subject::{Entry, Error, Subject};

use crate::serving;
use crate::sessions::{fill, id, record};

/// The embedded store without its cleanup, which is asked for; and when it was opened, which is given
/// it for the time of fetches: to ask a clock is no part of them.
pub(crate) struct Embedded<const KEEPS_RECORDS: bool>(RedbStore, Timestamp);

/// As it is by default.
pub(crate) type Redb = Embedded<true>;

/// Without records in memory.
pub(crate) type Cold = Embedded<false>;

/// The store in memory.
pub(crate) struct Memory(MemoryStore, Timestamp);

/// How many a cleanup deletes at a time, unless it is told otherwise.
const BATCH: usize = 1_000;

#[expect(clippy::disallowed_methods, reason = "as a manager's clock does")]
fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

async fn create(store: &impl Store, entry: Entry) -> Result<(), Error> {
    let record = record(&entry)?;
    store
        .create(record, CreateOptions::default(), now())
        .await?;
    Ok(())
}

async fn fetch(store: &impl Store, number: u64, now: Timestamp) -> Result<bool, Error> {
    Ok(store.fetch(id(number), now).await?.is_some())
}

async fn list(store: &impl Store, user: &str) -> Result<Option<usize>, Error> {
    Ok(Some(store.list(&UserKey::new(user)?, now()).await?.len()))
}

async fn delete(store: &impl Store, number: u64) -> Result<(), Error> {
    match store.delete(id(number), None).await? {
        true => Ok(()),
        false => Err(format!("session {number} is not there").into()),
    }
}

async fn delete_user(store: &impl Store, user: &str) -> Result<bool, Error> {
    store.delete_user(&UserKey::new(user)?, &[]).await?;
    Ok(true)
}

async fn prune(store: &impl Store) -> Result<bool, Error> {
    while store.prune(now(), BATCH).await?.more {}
    Ok(true)
}

/// All that a subject does with a store of ours but opening and closing it.
macro_rules! as_any_store {
    () => {
        async fn fill(&self, entries: Vec<Entry>) -> Result<(), Error> {
            fill(self.0.clone(), entries).await
        }

        async fn create(&self, entry: Entry) -> Result<(), Error> {
            create(&self.0, entry).await
        }

        async fn fetch(&self, number: u64) -> Result<bool, Error> {
            fetch(&self.0, number, self.1).await
        }

        async fn list(&self, user: &str) -> Result<Option<usize>, Error> {
            list(&self.0, user).await
        }

        async fn delete(&self, number: u64) -> Result<(), Error> {
            delete(&self.0, number).await
        }

        async fn delete_user(&self, user: &str) -> Result<bool, Error> {
            delete_user(&self.0, user).await
        }

        async fn prune(&self) -> Result<bool, Error> {
            prune(&self.0).await
        }

        async fn serve(&self, numbers: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
            serving::behind_auth(self.0.clone(), numbers)
                .await
                .map(Some)
        }
    };
}

impl<const KEEPS_RECORDS: bool> Subject for Embedded<KEEPS_RECORDS> {
    async fn open(directory: &Path) -> Result<Self, Error> {
        let mut builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
        if !KEEPS_RECORDS {
            builder = builder.record_cache_bytes(0);
        }
        Ok(Self(builder.open(directory.join("sessions.redb"))?, now()))
    }

    async fn close(self) -> Result<(), Error> {
        self.0.close().await;
        Ok(())
    }

    fn commits(&self) -> Option<u64> {
        Some(self.0.health().counts.commits)
    }

    as_any_store!();
}

impl Subject for Memory {
    async fn open(_: &Path) -> Result<Self, Error> {
        Ok(Self(MemoryStore::with_capacity(usize::MAX), now()))
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    as_any_store!();
}
