//! A fresh Bolt file, laid out as sessionup-boltstore lays out its own.

mod pages;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use self::pages::{Item, Pages};
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
    /// A session of the same token was added before.
    #[error("two sessions have one token")]
    Duplicate,
    /// There is a file of this name. It was left alone.
    #[error("{path:?} is there already: name a file that is not")]
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
        let path = path.as_ref();
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let mut beside = tempfile::Builder::new()
            .prefix(".sessionup-export-")
            .tempfile_in(directory)?;
        let mut buffered = io::BufWriter::new(beside.as_file_mut());
        self.lay_out(&mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        beside.as_file().sync_all()?;
        beside.persist_noclobber(path).map_err(|failed| {
            if failed.error.kind() == io::ErrorKind::AlreadyExists {
                WriteError::Exists { path: path.into() }
            } else {
                failed.error.into()
            }
        })?;
        sync_directory(directory)?;
        Ok(())
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

/// Makes the file's name durable, not only its content.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
