//! Bytes that are read by their position.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use crate::BoltError;

/// A file, or bytes in memory.
#[derive(Debug)]
pub(crate) enum Source {
    Bytes(Vec<u8>),
    File { file: File, length: u64 },
}

impl Source {
    /// Opens a file for reading, under a shared lock that lasts as long as this value.
    ///
    /// A pipe or a device is not opened, since that alone may wait for ever or have effects.
    pub(crate) fn open(path: &Path) -> Result<Self, BoltError> {
        let not_a_file = || BoltError::NotAFile { path: path.into() };
        if !fs::metadata(path)?.is_file() {
            return Err(not_a_file());
        }
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(not_a_file());
        }
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BoltError::Busy { path: path.into() }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Its length under the lock.
        let length = file.metadata()?.len();
        Ok(Self::File { file, length })
    }

    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }

    /// Reads so many bytes from there; an end of the file before that is an error.
    pub(crate) fn read(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = at.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self {
            Self::Bytes(bytes) => usize::try_from(at)
                .ok()
                .and_then(|at| bytes.get(at..at.checked_add(length)?))
                .map(<[u8]>::to_vec)
                .ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
            Self::File { file, .. } => {
                let mut buffer = vec![0; length];
                read_exact_at(file, &mut buffer, at)?;
                Ok(buffer)
            }
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                at += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
