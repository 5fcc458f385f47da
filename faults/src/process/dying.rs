//! A file on which a process dies: it kills itself at one of its accesses. It counts them too.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend, StorageError};

/// At which access the process dies, counted from 1: writes, changes of the length and syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which one it does not survive.
    pub at: u64,
    /// What becomes of that one.
    pub how: How,
}

/// What becomes of the last access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum How {
    /// Nothing.
    Before,
    /// Half of a write; nothing of another one.
    Half,
    /// It is done.
    After,
}

/// Counts accesses of all files that a process opens by it.
#[derive(Clone, Debug)]
pub struct Fate {
    death: Option<Death>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    accesses: AtomicU64,
    syncs: AtomicU64,
    bytes: AtomicU64,
}

impl Fate {
    /// Begins to count.
    #[must_use]
    pub fn new(death: Option<Death>) -> Self {
        Self {
            death,
            counts: Arc::default(),
        }
    }

    /// Returns how many syncs there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.counts.syncs.load(Ordering::SeqCst)
    }

    /// Returns how many bytes were written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::SeqCst)
    }

    /// Opens a database, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// Those of redb's own.
    pub fn database(&self, path: &Path) -> Result<Database, DatabaseError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(StorageError::Io)?;
        Database::builder().create_with_backend(Dying {
            file: FileBackend::new(file)?,
            fate: self.clone(),
        })
    }
}

#[derive(Debug)]
struct Dying {
    file: FileBackend,
    fate: Fate,
}

impl Dying {
    fn access(
        &self,
        half: impl FnOnce(),
        whole: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let number = self.fate.counts.accesses.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(death) = self.fate.death.filter(|death| death.at == number) else {
            return whole();
        };
        match death.how {
            How::Before => {}
            How::Half => half(),
            How::After => whole()?,
        }
        die()
    }
}

/// As by `kill -9`: nothing is unwound, flushed or closed.
#[cfg(unix)]
fn die() -> ! {
    use rustix::process::{Signal, getpid, kill_process};
    // Until the kernel gets to it.
    loop {
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

#[cfg(not(unix))]
fn die() -> ! {
    std::process::abort()
}

impl StorageBackend for Dying {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.access(|| {}, || self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fate.counts.syncs.fetch_add(1, Ordering::SeqCst);
        self.access(|| {}, || self.file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let bytes = &self.fate.counts.bytes;
        bytes.fetch_add(data.len() as u64, Ordering::SeqCst);
        let half = || {
            let (half, _) = data.split_at(data.len() / 2);
            // It dies in any case.
            let _ = self.file.write(offset, half);
        };
        self.access(half, || self.file.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
