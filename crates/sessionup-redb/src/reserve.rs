//! Room on the disk that is kept for revocations.
//!
//! A tree that is copied on write needs room to delete. So that a session can be ended on a full
//! disk too, some room is taken while there is plenty and given back when a commit finds none.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use twox_hash::XxHash3_64;

use crate::directory::sync_directory_of;
use crate::file::new_file;

/// Room that can be taken on the disk of a database, and given back to it.
///
/// Stores opened by [`RedbStore::open`](crate::RedbStore::open) have a file for it. This is for
/// databases that lie elsewhere, see
/// [`RedbStoreBuilder::reserve`](crate::RedbStoreBuilder::reserve). It is called by one thread of
/// the store at a time, and only while the store has the database open.
///
/// ```
/// use std::io;
/// use std::sync::Mutex;
/// use redb::backends::InMemoryBackend;
/// use sessionup_redb::{RedbStore, Reserve};
///
/// #[derive(Debug, Default)]
/// struct InMemory(Mutex<Vec<u8>>);
///
/// impl Reserve for InMemory {
///     fn take(&self, bytes: u64) -> io::Result<()> {
///         let bytes = bytes.try_into().map_err(|_| io::ErrorKind::StorageFull)?;
///         *self.0.lock().unwrap() = vec![1; bytes];
///         Ok(())
///     }
///     fn release(&self) -> io::Result<()> {
///         *self.0.lock().unwrap() = Vec::new();
///         Ok(())
///     }
/// }
///
/// let store = RedbStore::builder()
///     .reserve(InMemory::default())
///     .open_with(|| redb::Database::builder().create_with_backend(InMemoryBackend::new()))?;
/// # drop(store);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Reserve: fmt::Debug + Send + Sync + 'static {
    /// Takes so much room, durably. Room that is taken already counts.
    ///
    /// # Errors
    ///
    /// Of the disk. Then no room is taken.
    fn take(&self, bytes: u64) -> io::Result<()>;

    /// Gives all room back, so that the database can be written into it.
    ///
    /// # Errors
    ///
    /// Of the disk. Then the room may be given back or not.
    fn release(&self) -> io::Result<()>;
}

/// A file beside the database.
#[derive(Debug)]
pub(crate) struct FileReserve {
    path: PathBuf,
}

impl FileReserve {
    /// The reserve of the database at a path: its name with `.reserve` after it.
    pub(crate) fn beside(database: &Path) -> Self {
        let mut name = database.file_name().unwrap_or_default().to_owned();
        name.push(".reserve");
        Self {
            path: database.with_file_name(name),
        }
    }

    /// Opens what is there, if it is a reserve. Asks before opening: to open a pipe could hang.
    fn existing(&self) -> io::Result<Option<File>> {
        match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(foreign()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        let mut mark = Vec::new();
        Read::by_ref(&mut file)
            .take(MARK.len() as u64)
            .read_to_end(&mut mark)?;
        // One that was being written when the power went may be shorter than its mark.
        if MARK.starts_with(&mark) || mark.iter().all(|byte| *byte == 0) {
            Ok(Some(file))
        } else {
            Err(foreign())
        }
    }

    fn make(&self) -> io::Result<File> {
        let file = new_file(&self.path)?;
        sync_directory_of(&self.path).inspect_err(|_| drop(fs::remove_file(&self.path)))?;
        Ok(file)
    }
}

impl Reserve for FileReserve {
    fn take(&self, bytes: u64) -> io::Result<()> {
        let mut file = match self.existing()? {
            Some(file) => file,
            None => self.make()?,
        };
        if holds(&file, bytes)? {
            return Ok(());
        }
        let taken = fill(&mut file, bytes);
        if taken.is_err() {
            // A part of it would be room that nobody can use.
            let _ = empty(&file);
        }
        taken
    }

    fn release(&self) -> io::Result<()> {
        match self.existing()? {
            Some(file) => empty(&file),
            None => Ok(()),
        }
    }
}

/// The first bytes of a reserve. Whatever begins otherwise is not ours to write into.
const MARK: &[u8] = b"room kept for revocations by sessionup-redb\n";
const PIECE: usize = 64 * 1024;

fn foreign() -> io::Error {
    io::Error::new(
        ErrorKind::AlreadyExists,
        "file of the reserve's name is not a reserve",
    )
}

/// Says whether a file is of this size and has its room on the disk.
fn holds(file: &File, bytes: u64) -> io::Result<bool> {
    let found = file.metadata()?;
    #[cfg(unix)]
    let has_room = std::os::unix::fs::MetadataExt::blocks(&found).saturating_mul(512) >= bytes;
    #[cfg(not(unix))]
    let has_room = true;
    Ok(found.len() == bytes && has_room)
}

/// Writes bytes that no file system makes smaller.
fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    let mut left = bytes;
    let mut number = 0;
    let mut piece = Vec::with_capacity(PIECE + MARK.len());
    piece.extend_from_slice(MARK);
    while left > 0 {
        while piece.len() < PIECE {
            piece.extend_from_slice(&XxHash3_64::oneshot_with_seed(number, MARK).to_le_bytes());
            number += 1;
        }
        let length = usize::try_from(left).map_or(piece.len(), |left| left.min(piece.len()));
        file.write_all(piece.get(..length).unwrap_or_default())?;
        left -= length as u64;
        piece.clear();
    }
    file.sync_all()
}

fn empty(file: &File) -> io::Result<()> {
    file.set_len(0)?;
    file.sync_all()
}

/// A reserve, and whether its room is taken.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    reserve: Option<Arc<dyn Reserve>>,
    bytes: u64,
    state: State,
}

/// What is known of the room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// None is wanted.
    #[default]
    Unwanted,
    /// It is there when it is needed.
    Taken,
    /// It was given back to the database, or there was none on the disk.
    Lacking,
    /// It cannot be taken, for another reason than a full disk.
    Refused,
}

impl Keeper {
    /// Takes the room for the first time. What comes of it is in the state.
    pub(crate) fn new(reserve: Arc<dyn Reserve>, bytes: u64) -> Self {
        if bytes == 0 {
            return Self::default();
        }
        let mut keeper = Self {
            reserve: Some(reserve),
            bytes,
            state: State::Unwanted,
        };
        keeper.take();
        keeper
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Takes the room if it is lacking.
    pub(crate) fn take(&mut self) {
        let Some(reserve) = &self.reserve else { return };
        let taken = reserve.take(self.bytes);
        let state = match &taken {
            Ok(()) => State::Taken,
            Err(error) if is_fullness(error.kind()) => State::Lacking,
            Err(_) => State::Refused,
        };
        let before = std::mem::replace(&mut self.state, state);
        // It is tried again and again.
        match taken {
            Err(error) if before != state => {
                tracing::warn!(target: "sessionup_redb", ?reserve, %error, "no room on the disk is kept for revocations");
            }
            Ok(()) if before == State::Lacking => {
                tracing::info!(target: "sessionup_redb", "room on the disk is kept for revocations again");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// Gives the room to the database. Says whether there was any.
    pub(crate) fn release(&mut self) -> bool {
        let Some(reserve) = &self.reserve else {
            return false;
        };
        if self.state != State::Taken {
            return false;
        }
        self.state = State::Lacking;
        match reserve.release() {
            Ok(()) => {
                tracing::warn!(target: "sessionup_redb", "disk is full, the room kept for revocations is used");
                true
            }
            Err(error) => {
                tracing::error!(target: "sessionup_redb", ?reserve, %error, "the room kept for revocations could not be given back");
                false
            }
        }
    }
}

/// Says whether an error of the disk is that it has no room.
pub(crate) fn is_fullness(kind: ErrorKind) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
mod tests;
