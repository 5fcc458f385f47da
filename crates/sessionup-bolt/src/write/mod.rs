//! A fresh Bolt file, laid out as sessionup-boltstore lays out its own.

mod pages;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::pages::{Item, Pages};
use crate::durable::{self, Disk, SystemDisk};
use crate::layout::{BUCKET_HEADER, MAX_KEY};
use crate::row::{self, GoSession, GoToken};
use crate::storm;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The bucket's name is empty, longer than 32768 bytes, or Storm's own.
    #[error("no bucket can be named {bucket:?}")]
    Bucket {
        /// The name.
        bucket: String,
    },
    /// There is no such directory. Make it, or name another.
    #[error("there is no directory {}", path.display())]
    DirectoryMissing {
        /// The directory.
        path: PathBuf,
    },
    /// A session of the same token was added before.
    #[error("two sessions have one token")]
    Duplicate,
    /// There is a file of this name. It was left alone.
    #[error("{} is there already and is not written over, choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("could not write the file")]
    Io(#[from] io::Error),
    /// A token is empty, longer than 32768 bytes, or the name of one of Storm's buckets.
    #[error("a token that Bolt cannot hold as a key")]
    Token,
}

/// Writes sessions into a fresh Bolt file, laid out as sessionup-boltstore lays out its own: Storm's
/// version, the bucket, its records, their index.
///
/// All sessions are held in memory until the file is written.
#[derive(Debug)]
pub struct Writer {
    bucket: String,
    records: BTreeMap<GoToken, Encoded>,
}

/// A record's value, which holds a token.
struct Encoded(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoded(..)")
    }
}

impl Writer {
    /// Makes a writer into a bucket of this name.
    ///
    /// # Errors
    ///
    /// [`WriteError::Bucket`].
    pub fn new(bucket: &str) -> Result<Self, WriteError> {
        if bucket.is_empty() || !fits_key(bucket.as_bytes()) || bucket.as_bytes() == storm::STORM {
            return Err(WriteError::Bucket {
                bucket: bucket.chars().take(64).collect(),
            });
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            records: BTreeMap::new(),
        })
    }

    /// Adds a session, in any order.
    ///
    /// # Errors
    ///
    /// [`WriteError::Duplicate`], [`WriteError::Token`].
    pub fn add(&mut self, session: &GoSession) -> Result<(), WriteError> {
        let key = session.token.expose();
        if !fits_key(key) || [storm::INDEX, storm::METADATA].contains(&key) {
            return Err(WriteError::Token);
        }
        match self.records.entry(session.token.clone()) {
            Entry::Occupied(_) => Err(WriteError::Duplicate),
            Entry::Vacant(place) => {
                place.insert(Encoded(Zeroizing::new(row::encode(session))));
                Ok(())
            }
        }
    }

    /// Writes the file, readable and writable by its owner alone.
    ///
    /// It is written beside its place, synced, and then put there: at no moment is there half a file
    /// under its name, and a file that is there already is never written over. Success means that it
    /// survives a crash.
    ///
    /// # Errors
    ///
    /// [`WriteError::Exists`], [`WriteError::Io`].
    pub fn write(self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        self.write_to(&SystemDisk, path.as_ref())
    }

    fn write_to(self, disk: &impl Disk, path: &Path) -> Result<(), WriteError> {
        let mut beside = durable::make_beside(path, ".sessionup-export-").map_err(|error| {
            let directory = durable::directory(path);
            match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => WriteError::DirectoryMissing {
                    path: directory.into(),
                },
                _ => error.into(),
            }
        })?;
        let mut buffered = io::BufWriter::new(beside.as_file_mut());
        self.lay_out(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        durable::put(disk, beside, path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => WriteError::Exists { path: path.into() },
            _ => error.into(),
        })
    }

    /// Returns the bytes of the file.
    ///
    /// # Errors
    ///
    /// None that memory has; those of writing to it.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = io::Cursor::new(Vec::new());
        self.lay_out(&mut bytes)?;
        Ok(bytes.into_inner())
    }

    fn lay_out(&self, out: &mut (impl Write + io::Seek)) -> io::Result<()> {
        let metadata = pages::inline_bucket(b"codec", b"json");
        let mut pages = Pages::new(out)?;

        let mut buckets = BTreeMap::new();
        let version = [
            Item::bucket(storm::METADATA, &metadata),
            Item::pair(b"version", b"\"2.0.0\""),
        ];
        buckets.insert(storm::STORM, pages.tree(version)?);
        // Like the Go program, no bucket before the first session.
        if !self.records.is_empty() {
            let index = pages.tree(
                self.records
                    .keys()
                    .map(|key| Item::pair(key.expose(), key.expose())),
            )?;
            let index = pages::bucket(index);
            let own = [
                (storm::INDEX, Item::bucket(storm::INDEX, &index)),
                (storm::METADATA, Item::bucket(storm::METADATA, &metadata)),
            ];
            let mut items: BTreeMap<&[u8], Item<'_>> = own.into();
            items.extend(
                self.records
                    .iter()
                    .map(|(key, value)| (key.expose(), Item::pair(key.expose(), &value.0))),
            );
            let record = pages::bucket(pages.tree(items.into_values())?);
            let bucket = pages.tree([Item::bucket(storm::RECORD, &record)])?;
            buckets.insert(self.bucket.as_bytes(), bucket);
        }
        let buckets: Vec<([u8; BUCKET_HEADER], &[u8])> = buckets
            .into_iter()
            .map(|(name, root)| (pages::bucket(root), name))
            .collect();
        let root = pages.tree(
            buckets
                .iter()
                .map(|(bucket, name)| Item::bucket(name, bucket)),
        )?;
        pages.finish(root)
    }
}

fn fits_key(key: &[u8]) -> bool {
    (1..=MAX_KEY as usize).contains(&key.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::tests::{Notes, STEPS};

    fn writer() -> Writer {
        Writer::new("sessions").unwrap()
    }

    #[test]
    fn write_file_syncs_it_and_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Notes::default();
        let path = directory.path().join("back.db");
        writer().write_to(&disk, &path).unwrap();
        assert_eq!(*disk.calls.borrow(), STEPS);
    }

    #[test]
    fn write_file_into_missing_directory_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = writer().write(missing.join("back.db")).unwrap_err();
        let WriteError::DirectoryMissing { path } = error else {
            panic!("{error:?}");
        };
        assert_eq!(path, missing);
    }
}
