//! What is said over the socket. This page is its definition.
//!
//! A connection has one request and one answer, each a frame: its length in four bytes, most
//! significant first, and so many bytes of JSON. Whoever is asked then hangs up.
//!
//! A request names the protocol's number and the bucket that is meant. What older versions would
//! not understand raises the number. Records are as in the file ([`crate::record`]), in base64, and
//! without the hashes of secrets: zeros stand in their place, and the token before the present one is
//! left out.

use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sessionup_core::{Record, SecretHash, Session, SessionId, StoreError, UserKey};

use crate::control::socket::Stream;
use crate::health::Health;
use crate::identity::Identity;
use crate::record::{Stored, encode_new};
use crate::verify::Report;
use crate::walk::Found;

pub(crate) const PROTOCOL: u32 = 2;
/// Most bytes of a request: some twenty-five thousand ids.
pub(crate) const LONGEST_REQUEST: usize = 1024 * 1024;
/// Most bytes of an answer.
pub(crate) const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
/// After so many bytes of records an answer has no more of them.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;
/// Most records of an answer.
pub(crate) const PIECE: usize = 1_024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) protocol: u32,
    pub(crate) bucket: String,
    pub(crate) wish: Wish,
}

/// What every version understands of a request.
#[derive(Deserialize)]
pub(crate) struct Version {
    pub(crate) protocol: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    After {
        last: Option<SessionId>,
        at_most: usize,
    },
    Backup {
        path: SentPath,
    },
    Bytes,
    Count,
    Delete {
        id: SessionId,
        owner: Option<User>,
    },
    DeleteAll,
    DeleteMany {
        ids: Vec<SessionId>,
    },
    DeleteUser {
        user: User,
        except: Vec<SessionId>,
    },
    /// Removes the backup that was made last, which who asked for it does not find.
    DiscardBackup {
        path: SentPath,
    },
    File,
    Find {
        id: SessionId,
    },
    Health,
    OfUser {
        user: User,
        last: Option<SessionId>,
    },
    Prune {
        at_most: usize,
    },
    Verify {
        /// Milliseconds since 1970.
        now: Option<i64>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    Backup {
        bytes: u64,
        identity: Option<Identity>,
    },
    Deleted(u64),
    Discarded(bool),
    /// Which file the store has open, and whether its path leads to another one or to none.
    File {
        identity: Option<Identity>,
        is_displaced: bool,
    },
    Found(Vec<Sent>),
    Health(Health),
    Number(u64),
    Pruned {
        deleted: u64,
        more: bool,
    },
    Refused(Refusal),
    Report(Report),
}

/// Why nothing was done, or what is wrong with what was.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refusal {
    Backup { reason: String },
    BackupDenied { user: u32 },
    BackupExists,
    Bucket { found: String },
    Busy,
    Closed,
    Corrupt { id: SessionId, reason: String },
    Malformed { reason: String },
    OutcomeUnknown { reason: String },
    Overloaded,
    Protocol { spoken: u32 },
    Unavailable { reason: String },
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        let reason = chain(&error);
        match error {
            StoreError::Closed => Self::Closed,
            StoreError::CorruptRecord { id, .. } => Self::Corrupt { id, reason },
            StoreError::OutcomeUnknown { .. } => Self::OutcomeUnknown { reason },
            StoreError::Overloaded => Self::Overloaded,
            _ => Self::Unavailable { reason },
        }
    }
}

/// What lies beneath an error, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let beneath = std::iter::successors(error.source(), |error| error.source());
    let texts: Vec<_> = beneath.map(ToString::to_string).collect();
    texts.join(": ")
}

/// A path on its way: its bytes, which need not be text, in base64.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SentPath(pub(crate) PathBuf);

impl TryFrom<String> for SentPath {
    type Error = &'static str;

    #[cfg(unix)]
    fn try_from(text: String) -> Result<Self, Self::Error> {
        use std::os::unix::ffi::OsStringExt;
        let bytes = BASE64.decode(text.as_bytes());
        let bytes = bytes.map_err(|_| "path is not in base64")?;
        Ok(Self(std::ffi::OsString::from_vec(bytes).into()))
    }

    #[cfg(not(unix))]
    fn try_from(_: String) -> Result<Self, Self::Error> {
        Err("this system has no control sockets")
    }
}

impl From<SentPath> for String {
    fn from(path: SentPath) -> Self {
        BASE64.encode(path.0.as_os_str().as_encoded_bytes())
    }
}

/// A user key that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct User(pub(crate) UserKey);

impl TryFrom<String> for User {
    type Error = sessionup_core::InvalidUserKey;

    fn try_from(key: String) -> Result<Self, Self::Error> {
        UserKey::new(key).map(Self)
    }
}

impl From<User> for String {
    fn from(user: User) -> Self {
        user.0.as_str().to_owned()
    }
}

/// An id, and the session of its record unless it cannot be read.
pub type FoundSession = (SessionId, Result<Session, StoreError>);

/// A record on its way, or what is wrong with it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sent {
    id: SessionId,
    record: Result<String, String>,
}

impl Sent {
    pub(crate) fn of((id, record): Found) -> Self {
        let record = match record {
            Ok(record) => {
                let bare = Record::new(record.session, SecretHash::from_bytes([0; 32]));
                Ok(BASE64.encode(&encode_new(&bare, 0, 0)))
            }
            Err(error) => Err(chain(&error)),
        };
        Self { id, record }
    }

    pub(crate) fn found(self) -> Result<FoundSession, String> {
        let session = match self.record {
            Err(reason) => Err(StoreError::corrupt(self.id, reason)),
            Ok(text) => {
                let bytes = BASE64.decode(text.as_bytes());
                let bytes = bytes.map_err(|error| error.to_string())?;
                let stored = Stored::decode(self.id, &bytes).map_err(|error| error.to_string())?;
                Ok(stored.record.session)
            }
        };
        Ok((self.id, session))
    }
}

/// Reads a frame of at most so many bytes. Takes no memory for what has not come, and no longer than
/// until the given time, however little comes at a time.
pub(crate) fn read_frame(
    stream: &Stream,
    longest: usize,
    until: Option<Instant>,
) -> io::Result<Vec<u8>> {
    let mut header = Vec::new();
    read_to(stream, &mut header, 4, until)?;
    let length = header
        .first_chunk()
        .map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > longest {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut frame = Vec::new();
    read_to(stream, &mut frame, length, until)?;
    Ok(frame)
}

fn read_to(
    mut stream: &Stream,
    bytes: &mut Vec<u8>,
    length: usize,
    until: Option<Instant>,
) -> io::Result<()> {
    let mut piece = [0; 8 * 1024];
    while bytes.len() < length {
        let wanted = (length - bytes.len()).min(piece.len());
        let Some(room) = piece.get_mut(..wanted) else {
            break;
        };
        stream.set_read_timeout(left(until)?)?;
        match stream.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes.extend(room.iter().take(read)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // How sockets tell that the time is over.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes a frame, no longer than until the given time.
pub(crate) fn write_frame(
    mut stream: &Stream,
    content: &[u8],
    until: Option<Instant>,
) -> io::Result<()> {
    let length = u32::try_from(content.len()).map_err(|_| ErrorKind::FileTooLarge)?;
    let frame = [&length.to_be_bytes(), content].concat();
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(left(until)?)?;
        match stream.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // How sockets tell that the time is over.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How long to wait, if there is a limit. Zero would be none.
fn left(until: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(until) = until else { return Ok(None) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(Some(left))
}
