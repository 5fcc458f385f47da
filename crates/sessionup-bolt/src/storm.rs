//! Storm's layout: where sessions are in a file, and what else lies between them.

use sessionup_core::{Credential, SessionId};

use crate::page::Span;
use crate::row::{self, BadRow, GoSession};
use crate::walk::{Step, Walk};
use crate::{BoltError, BoltFile};

/// The bucket of a store's sessions, named by Storm after a type of sessionup-boltstore.
pub(crate) const RECORD: &[u8] = b"record";
/// Storm's own bucket, with its version.
pub(crate) const STORM: &[u8] = b"__storm_db";
/// A bucket with the name of the codec, in Storm's own and in each store's.
pub(crate) const METADATA: &[u8] = b"__storm_metadata";
/// The unique index on the id, which only writing needs.
pub(crate) const INDEX: &[u8] = b"__storm_index_ID";

/// The sessions of a bucket, in the order of their keys.
///
/// A row that cannot be read does not end the others. Damage to a page does, since what lies behind
/// it cannot be told: after an error there is nothing more.
#[derive(Debug)]
pub struct Sessions<'f> {
    /// `None` after an error or the end.
    walk: Option<Walk<'f>>,
    level: usize,
    number: u64,
}

/// A row of a bucket of sessions.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row {
    /// Its place in the order of keys, from 1. What to call it by: its key is a token.
    pub number: u64,
    /// The public name that its session has here, unless the token is too short or too long.
    pub id: Option<SessionId>,
    /// The session, or why it could not be read.
    pub session: Result<GoSession, BadRow>,
}

impl<'f> Sessions<'f> {
    /// Goes on with a walk that has just entered the bucket of a store's sessions.
    pub(crate) const fn new(walk: Walk<'f>) -> Self {
        Self {
            walk: Some(walk),
            level: 2,
            number: 0,
        }
    }

    fn row(&mut self) -> Result<Option<Row>, BoltError> {
        let Some(walk) = &mut self.walk else {
            return Ok(None);
        };
        while let Some(step) = walk.next()? {
            match step {
                Step::Pair { level, key, value } if level == self.level => {
                    self.number += 1;
                    return Ok(Some(Row {
                        number: self.number,
                        id: Credential::of_imported(&key).map(|credential| credential.id),
                        session: read(walk, key, value)?,
                    }));
                }
                // Index and metadata are buckets that lie among the sessions.
                Step::Bucket { level, .. } if level == self.level => {}
                // Out of the bucket again.
                Step::Pair { .. } | Step::Bucket { .. } => break,
            }
        }
        Ok(None)
    }
}

fn read(
    walk: &Walk<'_>,
    key: Vec<u8>,
    value: Span,
) -> Result<Result<GoSession, BadRow>, BoltError> {
    if value.length > BoltFile::MAX_VALUE_BYTES {
        return Ok(Err(BadRow::TooLarge {
            bytes: value.length,
        }));
    }
    Ok(row::decode(key, &walk.value(value)?))
}

impl Iterator for Sessions<'_> {
    type Item = Result<Row, BoltError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.row().transpose();
        if !matches!(row, Some(Ok(_))) {
            self.walk = None;
        }
        row
    }
}
