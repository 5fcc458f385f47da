//! A store that is right but for one defect.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use sessionup_conformance::{CLAUSES, Clause, Fixture};
use sessionup_core::store::Watermark;
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, Kind, ListOptions, MemoryStore, OthersDeleted, Pruned,
    Record, RecordPage, SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

/// Runs those of the clauses that are meant against a store with this defect, and returns which of
/// them failed.
pub(crate) fn failed_clauses<D: Defect>(is_meant: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let fails = |clause: &&'static Clause| {
        let clause: &'static Clause = clause;
        // A thread of its own keeps the panic away from the others.
        let run = move || clause.run(async || Fixture::with_clone(Broken::<D>::default()));
        thread::spawn(run).join().is_err()
    };
    CLAUSES
        .iter()
        .filter(|clause| is_meant(clause.name))
        .filter(fails)
        .map(|clause| clause.name)
        .collect()
}

/// In what a store differs from the one it wraps. What is not overridden is right.
pub(crate) trait Defect: Debug + Default + Send + Sync + 'static {
    /// What a clone consists of.
    fn clone_of(this: &Arc<Self>, inner: &MemoryStore) -> (Arc<Self>, MemoryStore) {
        (Arc::clone(this), inner.clone())
    }

    fn epoch(&self, inner: &MemoryStore) -> Epoch {
        inner.epoch()
    }

    fn shared<'a>(&'a self, inner: &'a MemoryStore) -> &'a SharedState {
        inner.shared()
    }

    fn watermark<'a>(&'a self, inner: &'a MemoryStore) -> &'a Watermark {
        self.shared(inner).watermark()
    }

    fn create(
        &self,
        inner: &MemoryStore,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send {
        inner.create(record, options, now)
    }

    fn fetch(
        &self,
        inner: &MemoryStore,
        id: SessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send {
        inner.fetch(id, now)
    }

    fn list(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Arc<Record>>, StoreError>> + Send {
        inner.list(user, now)
    }

    /// A page of what [`Defect::list`] returns.
    fn list_page(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<RecordPage, StoreError>> + Send {
        async move {
            let mut records = self.list(inner, user, now).await?;
            records.sort_by_key(|record| record.session.id);
            Ok(page_of(records, &options))
        }
    }

    fn update(
        &self,
        inner: &MemoryStore,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send {
        inner.update(id, change, now)
    }

    fn delete(
        &self,
        inner: &MemoryStore,
        id: SessionId,
        owner: Option<&UserKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        inner.delete(id, owner)
    }

    fn delete_user(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        except: &[SessionId],
    ) -> impl Future<Output = Result<UserDeleted, StoreError>> + Send {
        inner.delete_user(user, except)
    }

    fn delete_others(
        &self,
        inner: &MemoryStore,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<OthersDeleted, StoreError>> + Send {
        inner.delete_others(user, id, change, now)
    }

    fn delete_all(
        &self,
        inner: &MemoryStore,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        inner.delete_all()
    }

    fn prune(
        &self,
        inner: &MemoryStore,
        now: Timestamp,
        at_most: usize,
    ) -> impl Future<Output = Result<Pruned, StoreError>> + Send {
        inner.prune(now, at_most)
    }
}

/// Makes a page of records, leaving their order.
pub(crate) fn page_of(mut records: Vec<Arc<Record>>, options: &ListOptions) -> RecordPage {
    records.retain(|record| {
        let session = &record.session;
        let is_wanted = |kind: &Kind| *kind == session.kind;
        options.kind.as_ref().is_none_or(is_wanted)
            && options.after.is_none_or(|after| session.id > after)
    });
    let limit = options.limit.get();
    let is_last = records.len() <= limit;
    records.truncate(limit);
    let last = records.last().map(|record| record.session.id);
    RecordPage::new(records, last.filter(|_| !is_last))
}

/// No defect at all.
#[derive(Debug, Default)]
pub(crate) struct Right;

impl Defect for Right {}

#[derive(Debug, Default)]
struct Broken<D> {
    inner: MemoryStore,
    defect: Arc<D>,
}

impl<D: Defect> Clone for Broken<D> {
    fn clone(&self) -> Self {
        let (defect, inner) = D::clone_of(&self.defect, &self.inner);
        Self { inner, defect }
    }
}

impl<D: Defect> Store for Broken<D> {
    fn epoch(&self) -> Epoch {
        self.defect.epoch(&self.inner)
    }

    fn shared(&self) -> &SharedState {
        self.defect.shared(&self.inner)
    }

    fn watermark(&self) -> &Watermark {
        self.defect.watermark(&self.inner)
    }

    fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send {
        self.defect.create(&self.inner, record, options, now)
    }

    fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send {
        self.defect.fetch(&self.inner, id, now)
    }

    fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> impl Future<Output = Result<RecordPage, StoreError>> + Send {
        self.defect.list_page(&self.inner, user, options, now)
    }

    fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Arc<Record>>, StoreError>> + Send {
        self.defect.update(&self.inner, id, change, now)
    }

    fn delete(
        &self,
        id: SessionId,
        owner: Option<&UserKey>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        self.defect.delete(&self.inner, id, owner)
    }

    fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> impl Future<Output = Result<UserDeleted, StoreError>> + Send {
        self.defect.delete_user(&self.inner, user, except)
    }

    fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> impl Future<Output = Result<OthersDeleted, StoreError>> + Send {
        self.defect
            .delete_others(&self.inner, user, id, change, now)
    }

    fn delete_all(&self) -> impl Future<Output = Result<u64, StoreError>> + Send {
        self.defect.delete_all(&self.inner)
    }

    fn prune(
        &self,
        now: Timestamp,
        at_most: usize,
    ) -> impl Future<Output = Result<Pruned, StoreError>> + Send {
        self.defect.prune(&self.inner, now, at_most)
    }
}

/// Every record as it was created, deleted ones included.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<BTreeMap<SessionId, Record>>);

impl Remembered {
    /// Creates as it should be, and remembers the record.
    pub(crate) async fn create(
        &self,
        inner: &MemoryStore,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let created = inner.create(record.clone(), options, now).await?;
        self.lock().insert(record.session.id, record);
        Ok(created)
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Record> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn filter(&self, keep: impl Fn(&Record) -> bool) -> Vec<Record> {
        self.lock().values().filter(|r| keep(r)).cloned().collect()
    }

    /// Lists, oldest first, what is there and live of all users of a kind.
    pub(crate) async fn list(
        &self,
        inner: &MemoryStore,
        of: impl Fn(&UserKey) -> bool + Send,
        now: Timestamp,
    ) -> Result<Vec<Arc<Record>>, StoreError> {
        let mut list = Vec::new();
        for record in self.filter(|record| of(&record.session.user_key)) {
            list.extend(inner.fetch(record.session.id, now).await?);
        }
        list.sort_by_key(|record| (record.session.created_at, record.session.id));
        Ok(list)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Record>> {
        self.0.lock().unwrap()
    }
}

/// A time at which no record has expired.
pub(crate) const BEFORE_ALL: Timestamp = Timestamp::MIN;

/// Returns the record that lies there, live or expired.
pub(crate) async fn lying(
    inner: &MemoryStore,
    id: SessionId,
) -> Result<Option<Arc<Record>>, StoreError> {
    inner.fetch(id, BEFORE_ALL).await
}

/// Writes a record over whatever lies there.
pub(crate) async fn overwrite(inner: &MemoryStore, record: Record) -> Result<(), StoreError> {
    inner.delete(record.session.id, None).await?;
    inner
        .create(record, CreateOptions::default(), BEFORE_ALL)
        .await?;
    Ok(())
}

/// Declares a defect: its state, if it has any, and the operations that are not right.
macro_rules! defect {
    ($(#[$attribute:meta])* $name:ident $(($state:ty))? {
        $($operation:ident($($argument:ident),*) $body:block)+
    }) => {
        $(#[$attribute])*
        #[derive(Debug, Default)]
        pub(crate) struct $name $(($state))?;

        impl $crate::defect::Defect for $name {
            $($crate::defect::operation!($operation($($argument),*) $body);)+
        }
    };
}

/// Declares one operation of a defect: the signature, which is always the same, and the body.
macro_rules! operation {
    (epoch($this:ident, $inner:ident) $body:block) => {
        fn epoch(&$this, $inner: &MemoryStore) -> Epoch $body
    };
    (shared($this:ident, $inner:ident) $body:block) => {
        fn shared<'a>(&'a $this, $inner: &'a MemoryStore) -> &'a SharedState $body
    };
    (watermark($this:ident, $inner:ident) $body:block) => {
        fn watermark<'a>(&'a $this, $inner: &'a MemoryStore) -> &'a Watermark $body
    };
    (create($this:ident, $inner:ident, $record:ident, $options:ident, $now:ident) $body:block) => {
        async fn create(
            &$this,
            $inner: &MemoryStore,
            $record: Record,
            $options: CreateOptions,
            $now: Timestamp,
        ) -> Result<Created, StoreError> $body
    };
    (fetch($this:ident, $inner:ident, $id:ident, $now:ident) $body:block) => {
        async fn fetch(
            &$this,
            $inner: &MemoryStore,
            $id: SessionId,
            $now: Timestamp,
        ) -> Result<Option<Arc<Record>>, StoreError> $body
    };
    (list($this:ident, $inner:ident, $user:ident, $now:ident) $body:block) => {
        async fn list(
            &$this,
            $inner: &MemoryStore,
            $user: &UserKey,
            $now: Timestamp,
        ) -> Result<Vec<Arc<Record>>, StoreError> $body
    };
    (list_page($this:ident, $inner:ident, $user:ident, $options:ident, $now:ident) $body:block) => {
        async fn list_page(
            &$this,
            $inner: &MemoryStore,
            $user: &UserKey,
            $options: ListOptions,
            $now: Timestamp,
        ) -> Result<RecordPage, StoreError> $body
    };
    (delete_others(
        $this:ident, $inner:ident, $user:ident, $id:ident, $change:ident, $now:ident
    ) $body:block) => {
        async fn delete_others(
            &$this,
            $inner: &MemoryStore,
            $user: &UserKey,
            $id: SessionId,
            $change: Change,
            $now: Timestamp,
        ) -> Result<OthersDeleted, StoreError> $body
    };
    (delete_all($this:ident, $inner:ident) $body:block) => {
        async fn delete_all(&$this, $inner: &MemoryStore) -> Result<u64, StoreError> $body
    };
    (update($this:ident, $inner:ident, $id:ident, $change:ident, $now:ident) $body:block) => {
        async fn update(
            &$this,
            $inner: &MemoryStore,
            $id: SessionId,
            $change: Change,
            $now: Timestamp,
        ) -> Result<Option<Arc<Record>>, StoreError> $body
    };
    (delete($this:ident, $inner:ident, $id:ident, $owner:ident) $body:block) => {
        async fn delete(
            &$this,
            $inner: &MemoryStore,
            $id: SessionId,
            $owner: Option<&UserKey>,
        ) -> Result<bool, StoreError> $body
    };
    (delete_user($this:ident, $inner:ident, $user:ident, $except:ident) $body:block) => {
        async fn delete_user(
            &$this,
            $inner: &MemoryStore,
            $user: &UserKey,
            $except: &[SessionId],
        ) -> Result<UserDeleted, StoreError> $body
    };
    (prune($this:ident, $inner:ident, $now:ident, $at_most:ident) $body:block) => {
        async fn prune(
            &$this,
            $inner: &MemoryStore,
            $now: Timestamp,
            $at_most: usize,
        ) -> Result<Pruned, StoreError> $body
    };
}

pub(crate) use {defect, operation};

/// What defects are written with.
pub(crate) mod prelude {
    pub(crate) use std::sync::Arc;

    pub(crate) use sessionup_core::{
        Change, CreateOptions, Created, Epoch, Kind, ListOptions, MemoryStore, MetaChange,
        OthersDeleted, Pruned, Record, RecordPage, SecretHash, Session, SessionId, SessionLimit,
        SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
    };
    pub(crate) use tokio::task::yield_now;

    pub(crate) use super::{BEFORE_ALL, Remembered, defect, lying, overwrite, page_of};
}
