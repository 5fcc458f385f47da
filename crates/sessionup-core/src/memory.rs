//! The store that forgets: the reference reading of the contract.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::store::{
    Change, CreateOptions, Created, Epoch, Epochs, ListOptions, OthersDeleted, Pruned, RecordPage,
    SharedState, Store, StoreError, UserDeleted,
};
use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::{Record, SessionId, Timestamp, UserKey};

/// Keeps records in memory; they are lost when the process ends.
///
/// For tests, and for applications whose logins need not survive a restart. Clones share the same
/// records. Holds at most a given number of sessions, so that logins cannot fill the memory. Expired
/// ones give way when it is full; a [`Cleanup`](crate::Cleanup) gives back their room sooner.
///
/// ```
/// use sessionup_core::{Manager, MemoryStore};
///
/// let manager = Manager::builder(MemoryStore::new()).build()?;
/// # Ok::<(), sessionup_core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    state: Arc<RwLock<State>>,
    epochs: Arc<Epochs>,
    shared: Arc<SharedState>,
    capacity: usize,
}

impl MemoryStore {
    /// Most sessions unless said otherwise.
    pub const DEFAULT_CAPACITY: usize = 1_000_000;

    /// Makes an empty store for [`MemoryStore::DEFAULT_CAPACITY`] sessions.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::DEFAULT_CAPACITY)
    }

    /// Makes an empty store for at most `capacity` live sessions. One more is [`StoreError::Full`].
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            state: Arc::default(),
            epochs: Arc::default(),
            shared: Arc::default(),
            capacity,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn remove_user(
        &self,
        state: &mut State,
        user: &UserKey,
        is_kept: impl Fn(SessionId) -> bool,
    ) -> UserDeleted {
        let (previous, epoch) = self.epochs.revoke(user);
        let ids: Vec<_> = state
            .of_user_after(user, None)
            .filter(|id| !is_kept(*id))
            .collect();
        for id in &ids {
            state.remove(*id);
        }
        let deleted = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        UserDeleted::new(deleted, previous, epoch)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for MemoryStore {
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
        let mut state = self.write();
        let session = &record.session;
        if state.records.contains_key(&session.id) {
            return Err(StoreError::DuplicateId);
        }
        let allows = |begun| self.epochs.allows(begun, &session.user_key);
        if !options.begun.is_none_or(allows) {
            return Err(StoreError::Overtaken);
        }
        let evicted = match options.limit {
            None => Vec::new(),
            Some(limit) => limit.make_room(
                state
                    .live(&session.user_key, now)
                    .filter(|record| Some(record.session.id) != options.replaces)
                    .filter(|record| record.session.kind == session.kind)
                    .map(|record| &record.session),
            )?,
        };
        let ending = options.replaces.filter(|id| state.records.contains_key(id));
        let leaving = evicted.len() + usize::from(ending.is_some());
        while state.records.len() - leaving >= self.capacity {
            let Some(id) = state.expired(now).find(|id| Some(*id) != ending) else {
                return Err(StoreError::Full { source: None });
            };
            state.remove(id);
        }

        for id in evicted.iter().chain(&ending) {
            state.remove(*id);
        }
        state.insert(Arc::new(record));
        Ok(Created::new(ending.is_some(), evicted))
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.read().live_one(id, now).cloned())
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        /// How many sessions are looked at for each one of a page, so that expired ones and those of
        /// other kinds keep nobody waiting.
        const EXAMINED: usize = 4;

        let ListOptions { kind, after, limit } = options;
        let state = self.read();
        let mut ids = state.of_user_after(user, after).peekable();
        let mut page = RecordPage::default();
        for _ in 0..limit.get().saturating_mul(EXAMINED) {
            let Some(id) = ids.next() else { break };
            let live = state.live_one(id, now);
            let wanted = |record: &&Arc<Record>| {
                kind.as_ref()
                    .is_none_or(|kind| *kind == record.session.kind)
            };
            page.records.extend(live.filter(wanted).cloned());
            page.next = Some(id);
            if page.records.len() == limit.get() {
                break;
            }
        }
        page.next = page.next.filter(|_| ids.peek().is_some());
        Ok(page)
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let mut state = self.write();
        let Some(record) = state.live_one(id, now) else {
            return Ok(None);
        };
        let Some(changed) = change.apply(record).map_err(StoreError::InvalidMeta)? else {
            return Ok(None);
        };
        let changed = Arc::new(changed);
        state.remove(id);
        state.insert(Arc::clone(&changed));
        Ok(Some(changed))
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        let mut state = self.write();
        let is_owned = state
            .records
            .get(&id)
            .is_some_and(|record| owner.is_none_or(|owner| *owner == record.session.user_key));
        if is_owned {
            state.remove(id);
        }
        Ok(is_owned)
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        let except: HashSet<_> = except.iter().copied().collect();
        let mut state = self.write();
        Ok(self.remove_user(&mut state, user, |id| except.contains(&id)))
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        let mut state = self.write();
        let present = state.live_one(id, now);
        let changed = match present.filter(|record| record.session.user_key == *user) {
            Some(record) => change.apply(record).map_err(StoreError::InvalidMeta)?,
            None => None,
        };
        let kept = changed.map(Arc::new);
        let deleted = self.remove_user(&mut state, user, |other| kept.is_some() && other == id);
        if let Some(kept) = &kept {
            state.remove(id);
            state.insert(Arc::clone(kept));
        }
        Ok(OthersDeleted::new(deleted, kept))
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        let former = {
            let mut state = self.write();
            self.epochs.revoke_all();
            std::mem::take(&mut *state)
        };
        // Freed after the lock, for that takes long.
        Ok(u64::try_from(former.records.len()).unwrap_or(u64::MAX))
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        let mut state = self.write();
        let mut deleted = 0;
        for _ in 0..at_most {
            let Some(id) = state.expired(now).next() else {
                return Ok(Pruned::new(deleted, false));
            };
            state.remove(id);
            deleted += 1;
        }
        Ok(Pruned::new(deleted, state.expired(now).next().is_some()))
    }
}

/// Records and the two ways to find them; changed together, by `insert` and `remove` alone.
#[derive(Debug, Default)]
struct State {
    records: HashMap<SessionId, Arc<Record>>,
    by_user: HashMap<UserKey, BTreeSet<SessionId>>,
    by_deadline: BTreeSet<(Timestamp, SessionId)>,
}

impl State {
    fn insert(&mut self, record: Arc<Record>) {
        let session = &record.session;
        self.by_user
            .entry(session.user_key.clone())
            .or_default()
            .insert(session.id);
        self.by_deadline.insert((session.deadline(), session.id));
        self.records.insert(session.id, record);
    }

    fn remove(&mut self, id: SessionId) {
        let Some(record) = self.records.remove(&id) else {
            return;
        };
        let session = &record.session;
        self.by_deadline.remove(&(session.deadline(), id));
        if let Some(ids) = self.by_user.get_mut(&session.user_key) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_user.remove(&session.user_key);
            }
        }
    }

    fn live_one(&self, id: SessionId, now: Timestamp) -> Option<&Arc<Record>> {
        self.records
            .get(&id)
            .filter(|record| record.session.is_live(now))
    }

    fn of_user_after(
        &self,
        user: &UserKey,
        after: Option<SessionId>,
    ) -> impl Iterator<Item = SessionId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let ids = self.by_user.get(user).into_iter();
        ids.flat_map(move |ids| ids.range((from, Bound::Unbounded)).copied())
    }

    fn live(&self, user: &UserKey, now: Timestamp) -> impl Iterator<Item = &Arc<Record>> {
        self.of_user_after(user, None)
            .filter_map(move |id| self.live_one(id, now))
    }

    /// Goes through the expired ones, those that expired first before the others.
    fn expired(&self, now: Timestamp) -> impl Iterator<Item = SessionId> {
        self.by_deadline
            .iter()
            .take_while(move |(deadline, _)| !crate::lifetime::is_live(*deadline, now))
            .map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SecretHash, Session};

    async fn create(
        store: &MemoryStore,
        id: u8,
        expires_at: i64,
        replaces: Option<u8>,
        now: i64,
    ) -> Result<Created, StoreError> {
        let id_of = |id| SessionId::from_bytes([id; 16]);
        let session = Session::new(
            id_of(id),
            UserKey::new("ann").unwrap(),
            Timestamp::from_millis(0),
            Timestamp::from_millis(expires_at),
        );
        let record = Record::new(session, SecretHash::from_bytes([0; 32]));
        let options = CreateOptions::default().replacing(replaces.map(id_of));
        store
            .create(record, options, Timestamp::from_millis(now))
            .await
    }

    #[tokio::test]
    async fn full_store_refuses_and_a_replacement_needs_no_room() {
        let store = MemoryStore::with_capacity(2);
        create(&store, 1, 100, None, 0).await.unwrap();
        create(&store, 2, 100, None, 0).await.unwrap();

        let refused = create(&store, 3, 100, None, 99).await;
        assert!(
            matches!(refused, Err(StoreError::Full { source: None })),
            "{refused:?}"
        );
        let replaced = create(&store, 3, 100, Some(1), 99).await.unwrap();
        assert!(replaced.replaced);
    }

    #[tokio::test]
    async fn expired_sessions_give_way_when_it_is_full() {
        let store = MemoryStore::with_capacity(2);
        create(&store, 1, 10, None, 0).await.unwrap();
        create(&store, 2, 100, None, 0).await.unwrap();

        create(&store, 3, 100, None, 10).await.unwrap();

        let ann = UserKey::new("ann").unwrap();
        let list = store.list(&ann, Timestamp::from_millis(10)).await.unwrap();
        assert_eq!(list.len(), 2);
        let refused = create(&store, 4, 100, None, 10).await;
        assert!(
            matches!(refused, Err(StoreError::Full { .. })),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn expired_session_that_is_replaced_counts_once() {
        let store = MemoryStore::with_capacity(1);
        create(&store, 1, 10, None, 0).await.unwrap();
        let created = create(&store, 2, 100, Some(1), 10).await.unwrap();
        assert!(created.replaced);
    }
}
