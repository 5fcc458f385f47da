//! tower-sessions' store in memory.

use std::path::Path;

use peers::Backend;
use subject::Error;
use tower_sessions::session::Record;
use tower_sessions::{MemoryStore, SessionStore};

/// A map behind one lock. It deletes nothing that is expired.
#[derive(Debug)]
pub(crate) struct Memory(MemoryStore);

impl Backend for Memory {
    type Store = MemoryStore;

    async fn open(_: &Path) -> Result<Self, Error> {
        Ok(Self(MemoryStore::default()))
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn fill(&self, records: Vec<Record>) -> Result<(), Error> {
        for mut record in records {
            self.0.create(&mut record).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Can, drive};

    #[tokio::test]
    async fn keeps_sessions_while_it_is_open() {
        let can = Can {
            keep: false,
            prune: false,
        };
        drive::<Memory>(can).await.unwrap();
    }
}
