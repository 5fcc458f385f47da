//! A Bolt file, open for reading.

use std::path::Path;

use crate::check::{self, Checked};
use crate::meta::Meta;
use crate::source::Source;
use crate::storm::{self, Sessions};
use crate::walk::{Step, Walk};
use crate::{BoltError, layout};

/// A Bolt file, open for reading.
///
/// It is read where it is asked, piece by piece, and never written. A shared lock of the kind that
/// Bolt takes on Unix is held as long as this value lives: a file that a program has open for writing
/// is refused ([`BoltError::Busy`]), and a program that comes later waits for us. So is a file on a
/// file system without such locks ([`BoltError::Io`]); read a copy elsewhere. On Windows Bolt locks in
/// a way of its own: make sure yourself that the Go program is stopped.
///
/// Whatever the bytes are, reading ends, and takes at most 64 MiB and the largest value of memory;
/// values above [`BoltFile::MAX_VALUE_BYTES`] are not read. What was damaged is named by its page
/// and the [`Rule`](crate::Rule) it breaks.
///
/// ```no_run
/// use sessionup_bolt::BoltFile;
///
/// let file = BoltFile::open("my.db")?;
/// file.check()?;
/// for row in file.sessions("sessions")? {
///     match row?.session {
///         Ok(session) => println!("{} since {}", session.user_key, session.created_at),
///         Err(bad) => eprintln!("left out: {bad}"),
///     }
/// }
/// # Ok::<(), sessionup_bolt::BoltError>(())
/// ```
#[derive(Debug)]
pub struct BoltFile {
    source: Source,
    meta: Meta,
}

impl BoltFile {
    /// Longest value that is read, in bytes. A session of sessionup-boltstore has some hundred.
    pub const MAX_VALUE_BYTES: usize = 8 * 1024 * 1024;

    /// Opens a file and reads its two meta pages.
    ///
    /// # Errors
    ///
    /// [`BoltError::Busy`] while another process has it open for writing, [`BoltError::NotAFile`],
    /// [`BoltError::NotBolt`], [`BoltError::Damaged`] if it is shorter than it says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BoltError> {
        Self::of(Source::open(path.as_ref())?)
    }

    /// Reads a file that is in memory.
    ///
    /// # Errors
    ///
    /// As [`BoltFile::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, BoltError> {
        Self::of(Source::Bytes(bytes))
    }

    fn of(source: Source) -> Result<Self, BoltError> {
        let meta = Meta::read(&source)?;
        Ok(Self { source, meta })
    }

    /// Returns the size of its pages in bytes.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        self.meta.page_size
    }

    /// Checks everything: all trees, buckets at any level, and that each page is in use or free.
    ///
    /// Sessions are checked as they are read, so an import need not begin with this. It tells
    /// beforehand whether there is damage, also where no session is.
    ///
    /// # Errors
    ///
    /// [`BoltError::Damaged`] for the first rule that is broken, [`BoltError::Io`].
    pub fn check(&self) -> Result<Checked, BoltError> {
        check::check(&self.source, self.meta)
    }

    /// Reads the sessions of a bucket, in the order of their keys.
    ///
    /// # Errors
    ///
    /// [`BoltError::NoBucket`] if there is no such bucket, which is so too if the Go program never
    /// created a session in it; [`BoltError::Damaged`], [`BoltError::Io`].
    pub fn sessions(&self, bucket: &str) -> Result<Sessions<'_>, BoltError> {
        let mut walk = self.walk()?;
        while let Some(step) = walk.next()? {
            let Step::Bucket {
                level,
                key,
                bucket: found,
            } = step
            else {
                continue;
            };
            match level {
                0 if key == bucket.as_bytes() => walk.enter(found)?,
                1 if key == storm::RECORD => {
                    walk.enter(found)?;
                    return Ok(Sessions::new(walk));
                }
                _ => {}
            }
        }
        let mut found = self.session_buckets()?;
        found.truncate(16);
        Err(BoltError::NoBucket {
            bucket: bucket.to_owned(),
            found,
        })
    }

    /// Names the buckets that hold sessions of sessionup-boltstore, at most a thousand. A name that
    /// is no UTF-8 is left out; the Go program would have had to be written so.
    ///
    /// # Errors
    ///
    /// [`BoltError::Damaged`], [`BoltError::Io`].
    pub fn session_buckets(&self) -> Result<Vec<String>, BoltError> {
        const MOST: usize = 1_000;
        let mut found = Vec::new();
        let mut name = Vec::new();
        let mut walk = self.walk()?;
        while let Some(step) = walk.next()? {
            match step {
                Step::Bucket {
                    level: 0,
                    key,
                    bucket,
                } => {
                    name = key;
                    walk.enter(bucket)?;
                }
                Step::Bucket { level: 1, key, .. } if key == storm::RECORD => {
                    found.extend(String::from_utf8(std::mem::take(&mut name)).ok());
                    if found.len() == MOST {
                        break;
                    }
                }
                Step::Bucket { .. } | Step::Pair { .. } => {}
            }
        }
        Ok(found)
    }

    fn walk(&self) -> Result<Walk<'_>, BoltError> {
        Walk::new(&self.source, self.meta)
    }
}

const _: () = assert!((layout::MAX_KEY as usize) < BoltFile::MAX_VALUE_BYTES);
