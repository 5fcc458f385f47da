//! A whole store, to begin one of your own with: a map behind a lock, in one process.
//!
//! Put your database in place of the map. What has to happen in one step, such as all of `create`,
//! happens here under one lock; in a database it is one transaction. `sessionup-conformance` tests
//! each sentence of the contract of `Store`; it tests this example too.
//!
//! ```sh
//! cargo run -p sessionup-core --example store
//! ```

#![allow(
    clippy::print_stdout,
    reason = "a program for the developer's terminal"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sessionup_core::store::{Epochs, ListOptions, OthersDeleted, RecordPage, SharedState};
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, Manager, Peer, Pruned, Record, SessionId, Store,
    StoreError, Timestamp, UserDeleted, UserKey,
};

/// Sessions by their ids. A real store has an index by user and one by deadline too.
type Records = BTreeMap<SessionId, Arc<Record>>;

/// Clones are handles on the same records.
#[derive(Clone, Debug, Default)]
pub(crate) struct MapStore {
    records: Arc<Mutex<Records>>,
    /// In which order sessions of a user were revoked, so that no login under way slips past.
    epochs: Arc<Epochs>,
    /// What the managers over this store share. A store makes it and keeps it, and that is all.
    shared: Arc<SharedState>,
}

impl MapStore {
    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(deleted: usize) -> u64 {
    u64::try_from(deleted).unwrap_or(u64::MAX)
}

impl Store for MapStore {
    fn epoch(&self) -> Epoch {
        self.epochs.now()
    }

    fn shared(&self) -> &SharedState {
        &self.shared
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let mut records = self.lock();
        let session = &record.session;
        // There is no upsert, and expired records keep their ids taken.
        if records.contains_key(&session.id) {
            return Err(StoreError::DuplicateId);
        }
        let user = &session.user_key;
        if options
            .begun
            .is_some_and(|begun| !self.epochs.allows(begun, user))
        {
            return Err(StoreError::Overtaken);
        }
        let evicted = match options.limit {
            Some(limit) => limit.make_room(
                records
                    .values()
                    .map(|record| &record.session)
                    .filter(|other| other.user_key == *user && other.kind == session.kind)
                    .filter(|other| other.is_live(now) && Some(other.id) != options.replaces),
            )?,
            None => Vec::new(),
        };
        // Nothing is refused from here on, so nothing is half done.
        let replaced = options.replaces.and_then(|id| records.remove(&id));
        for id in &evicted {
            records.remove(id);
        }
        records.insert(session.id, Arc::new(record));
        Ok(Created::new(replaced.is_some(), evicted))
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let found = self.lock().get(&id).cloned();
        Ok(found.filter(|record| record.session.is_live(now)))
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        let ListOptions {
            kind, after, limit, ..
        } = options;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.lock();
        let mut listed = records
            .range((from, Bound::Unbounded))
            .map(|(_, record)| record)
            .filter(|record| record.session.user_key == *user && record.session.is_live(now))
            .filter(|record| {
                kind.as_ref()
                    .is_none_or(|kind| *kind == record.session.kind)
            });
        let page: Vec<_> = listed.by_ref().take(limit.get()).cloned().collect();
        let last = page.last().map(|record| record.session.id);
        let next = last.filter(|_| listed.next().is_some());
        Ok(RecordPage::new(page, next))
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let mut records = self.lock();
        let live = records
            .get(&id)
            .filter(|record| record.session.is_live(now));
        let Some(record) = live else {
            return Ok(None);
        };
        // `None` if the change does not start from what the record holds.
        let Some(changed) = change.apply(record)?.map(Arc::new) else {
            return Ok(None);
        };
        records.insert(id, Arc::clone(&changed));
        Ok(Some(changed))
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        let mut records = self.lock();
        let is_meant = records
            .get(&id)
            .is_some_and(|record| owner.is_none_or(|owner| *owner == record.session.user_key));
        Ok(is_meant && records.remove(&id).is_some())
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        let mut records = self.lock();
        // In the same step, also if there is nothing to delete.
        let (previous, epoch) = self.epochs.revoke(user);
        let before = records.len();
        records.retain(|id, record| record.session.user_key != *user || except.contains(id));
        Ok(UserDeleted::new(
            count(before - records.len()),
            previous,
            epoch,
        ))
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        let mut records = self.lock();
        let kept = match records.get(&id) {
            Some(record) if record.session.user_key == *user && record.session.is_live(now) => {
                change.apply(record)?.map(Arc::new)
            }
            _ => None,
        };
        let (previous, epoch) = self.epochs.revoke(user);
        let before = records.len();
        records.retain(|other, record| {
            record.session.user_key != *user || (kept.is_some() && *other == id)
        });
        let deleted = count(before - records.len());
        if let Some(kept) = &kept {
            records.insert(id, Arc::clone(kept));
        }
        Ok(OthersDeleted::new(
            UserDeleted::new(deleted, previous, epoch),
            kept,
        ))
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        let mut records = self.lock();
        self.epochs.revoke_all();
        let deleted = count(records.len());
        records.clear();
        Ok(deleted)
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        let mut records = self.lock();
        let expired = records
            .values()
            .filter(|record| !record.session.is_live(now));
        let mut expired = expired.map(|record| record.session.id);
        let ids: Vec<_> = expired.by_ref().take(at_most).collect();
        let more = expired.next().is_some();
        for id in &ids {
            records.remove(id);
        }
        Ok(Pruned::new(count(ids.len()), more))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let manager = Manager::builder(MapStore::default())
        .with_ip(false)
        .build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for _ in 0..3 {
            manager.sessions([], Peer::default()).init("ann").await?;
        }
        for session in manager.list_by_user_key("ann").await? {
            println!("{} since {}", session.id, session.created_at);
        }
        println!("revoked: {}", manager.revoke_by_user_key("ann").await?);
        Ok(())
    })
}
