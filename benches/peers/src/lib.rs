//! Stores of tower-sessions as subjects of the benchmarks.
//!
//! What differs from one to the next is a [`Backend`]; [`Tower`] makes a subject of it. This much
//! comes without the feature `stores`, for a program whose store cannot be linked beside the others.

mod older;
mod record;
mod serving;

use std::path::Path;

pub use older::Ported;
use subject::{Entry, Error, Subject};
use tower_sessions::SessionStore;
use tower_sessions::session::Record;

/// A store of tower-sessions, and what that trait does not say of it.
pub trait Backend: Send + Sync + Sized + 'static {
    /// The store, of which there may be clones.
    type Store: SessionStore + Clone;

    /// Opens the store whose files are in this directory, which is there and may be empty.
    fn open(directory: &Path) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Closes it cleanly.
    fn close(self) -> impl Future<Output = Result<(), Error>> + Send;

    /// What applications use.
    fn store(&self) -> &Self::Store;

    /// Makes many sessions, expired ones too, as fast as it can, in the form that the store gives
    /// them.
    fn fill(&self, records: Vec<Record>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Deletes expired sessions, and says whether it can do such a thing.
    fn prune(&self) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Ok(false) }
    }

    /// Other processes that serve it.
    fn servers(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// The subject of a backend. No store of tower-sessions knows of users.
#[derive(Debug)]
pub struct Tower<B>(B);

impl<B: Backend> Subject for Tower<B> {
    async fn open(directory: &Path) -> Result<Self, Error> {
        B::open(directory).await.map(Self)
    }

    async fn close(self) -> Result<(), Error> {
        self.0.close().await
    }

    async fn fill(&self, entries: Vec<Entry>) -> Result<(), Error> {
        self.0.fill(entries.iter().map(record::of).collect()).await
    }

    async fn create(&self, entry: Entry) -> Result<(), Error> {
        let mut record = record::of(&entry);
        let id = record.id;
        self.0.store().create(&mut record).await?;
        // Where an id is taken, stores are to take another.
        match record.id == id {
            true => Ok(()),
            false => Err(format!("the id of session {} is taken", entry.number).into()),
        }
    }

    async fn fetch(&self, number: u64) -> Result<bool, Error> {
        let record = self.0.store().load(&record::id(number)).await?;
        Ok(std::hint::black_box(record).is_some())
    }

    async fn list(&self, _: &str) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    async fn delete(&self, number: u64) -> Result<(), Error> {
        Ok(self.0.store().delete(&record::id(number)).await?)
    }

    async fn delete_user(&self, _: &str) -> Result<bool, Error> {
        Ok(false)
    }

    async fn prune(&self) -> Result<bool, Error> {
        self.0.prune().await
    }

    fn servers(&self) -> Vec<u32> {
        self.0.servers()
    }

    async fn serve(&self, numbers: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
        let cookies = numbers.iter().map(|number| serving::cookie(*number));
        let cookies = cookies.collect();
        let port = serving::spawn(self.0.store().clone()).await?;
        Ok(Some((port, cookies)))
    }
}
