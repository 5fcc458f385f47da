//! A disk in memory that outlives the databases on it, and fails once where it is told to.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Database, DatabaseError, StorageBackend};

/// A disk; a clone is the same one.
#[derive(Clone, Debug, Default)]
pub struct Bytes(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: RwLock<Vec<u8>>,
    /// In how many accesses one fails; zero for none.
    fails_in: AtomicU64,
}

impl Bytes {
    /// Opens the database on it, with so much cache.
    ///
    /// # Errors
    ///
    /// Those of redb.
    pub fn database(&self, cache_bytes: usize) -> Result<Database, DatabaseError> {
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes);
        builder.create_with_backend(OnBytes(self.clone()))
    }

    /// Lets the access after so many fail, whatever it is, and that one alone.
    pub fn fail_after(&self, accesses: u64) {
        let fails_in = accesses.saturating_add(1);
        self.0.fails_in.store(fails_in, Ordering::SeqCst);
    }

    /// Lets none fail. Says whether the one that was to fail is still to come.
    #[must_use]
    pub fn heal(&self) -> bool {
        self.0.fails_in.swap(0, Ordering::SeqCst) > 0
    }

    fn access(&self) -> io::Result<()> {
        let less = |left: u64| left.checked_sub(1);
        let left = self
            .0
            .fails_in
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        match left {
            Ok(1) => Err(io::Error::other("the disk fails once")),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

#[derive(Debug)]
struct OnBytes(Bytes);

impl OnBytes {
    fn range(offset: u64, len: usize) -> io::Result<std::ops::Range<usize>> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        Ok(from..from.saturating_add(len))
    }
}

impl StorageBackend for OnBytes {
    fn len(&self) -> io::Result<u64> {
        let bytes = self.0.0.bytes.read();
        let len = bytes.unwrap_or_else(PoisonError::into_inner).len();
        u64::try_from(len).map_err(io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.access()?;
        let bytes = self.0.0.bytes.read();
        let bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        let from = bytes.get(Self::range(offset, out.len())?);
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.access()?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let bytes = self.0.0.bytes.write();
        bytes.unwrap_or_else(PoisonError::into_inner).resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.access()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.access()?;
        let bytes = self.0.0.bytes.write();
        let mut bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        let to = bytes.get_mut(Self::range(offset, data.len())?);
        to.ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlives_its_database_and_fails_once() {
        let bytes = Bytes::default();
        drop(bytes.database(0).unwrap());
        assert!(OnBytes(bytes.clone()).len().unwrap() > 0);
        drop(bytes.database(0).unwrap());

        bytes.fail_after(1);
        let disk = OnBytes(bytes.clone());
        let outcomes = [(); 3].map(|()| disk.sync_data().is_ok());
        assert_eq!(outcomes, [true, false, true]);
        assert!(!bytes.heal());
    }
}
