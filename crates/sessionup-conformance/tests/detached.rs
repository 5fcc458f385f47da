//! A store that writes on a thread of its own keeps the contract: what its caller has dropped is
//! carried out nevertheless, some time later.

use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::sync::oneshot;

use sessionup_conformance::Fixture;
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, ListOptions, MemoryStore, OthersDeleted, Pruned, Record,
    RecordPage, SessionId, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};

sessionup_conformance::suite!(async || Fixture::new(Detached::new()));

type Write = Box<dyn FnOnce(&MemoryStore) + Send>;

/// Reads in place and writes on a thread.
#[derive(Debug)]
struct Detached {
    records: MemoryStore,
    writer: mpsc::Sender<Write>,
}

impl Detached {
    /// Starts the writer, which ends with the last write after the store is dropped.
    fn new() -> Self {
        let records = MemoryStore::new();
        let (writer, writes) = mpsc::channel::<Write>();
        thread::spawn({
            let records = records.clone();
            move || writes.into_iter().for_each(|write| write(&records))
        });
        Self { records, writer }
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |records| {
            // Whoever asked may be gone by now.
            let _ = answer.send(write(records));
        });
        self.writer.send(write).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

impl Store for Detached {
    fn epoch(&self) -> Epoch {
        self.records.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.records.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.write(move |records| ready(records.create(record, options, now)))
            .await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.records.fetch(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.records.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.write(move |records| ready(records.update(id, change, now)))
            .await
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        let owner = owner.cloned();
        self.write(move |records| ready(records.delete(id, owner.as_ref())))
            .await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        let (user, except) = (user.clone(), except.to_vec());
        self.write(move |records| ready(records.delete_user(&user, &except)))
            .await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        let user = user.clone();
        self.write(move |records| ready(records.delete_others(&user, id, change, now)))
            .await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.write(|records| ready(records.delete_all())).await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.write(move |records| ready(records.prune(now, at_most)))
            .await
    }
}

/// Returns the answer of a store that never waits.
fn ready<T>(operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut nobody = Context::from_waker(Waker::noop());
    match pin!(operation).poll(&mut nobody) {
        Poll::Ready(answer) => answer,
        Poll::Pending => Err(StoreError::Closed),
    }
}
