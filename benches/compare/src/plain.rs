//! A session in bytes, as somebody would write it who needs no more than to have it back; for engines
//! other than ours too.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use subject::Entry;

/// What a record comes to when it is decoded.
pub(crate) struct Decoded {
    pub(crate) user: String,
    created_at: i64,
    pub(crate) expires_at: i64,
    ip: [u8; 4],
    os: String,
    browser: String,
    meta: BTreeMap<String, String>,
    hash: [u8; 32],
}

/// A time in milliseconds.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "as a manager's clock does")]
pub(crate) fn now() -> i64 {
    millis(SystemTime::now())
}

pub(crate) fn encode(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(160);
    bytes.extend_from_slice(&millis(entry.created_at).to_le_bytes());
    bytes.extend_from_slice(&millis(entry.expires_at).to_le_bytes());
    bytes.extend_from_slice(&entry.ip.octets());
    bytes.extend_from_slice(crate::sessions::secret_hash(entry.number).as_bytes());
    let texts = [
        &*entry.user,
        entry.os,
        entry.browser,
        entry.meta.0,
        entry.meta.1,
    ];
    for text in texts {
        bytes.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

pub(crate) fn decode(mut bytes: &[u8]) -> Option<Decoded> {
    let created_at = i64::from_le_bytes(take(&mut bytes)?);
    let expires_at = i64::from_le_bytes(take(&mut bytes)?);
    let (ip, hash) = (take(&mut bytes)?, take(&mut bytes)?);
    let mut text = || {
        let (length, rest) = bytes.split_first()?;
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        bytes = rest;
        Some(std::str::from_utf8(text).ok()?.to_owned())
    };
    Some(Decoded {
        user: text()?,
        created_at,
        expires_at,
        ip,
        hash,
        os: text()?,
        browser: text()?,
        meta: BTreeMap::from([(text()?, text()?)]),
    })
}

/// Says whether a session is live, and has all of it decoded.
pub(crate) fn is_live(record: &Decoded) -> bool {
    std::hint::black_box((&record.ip, &record.os, &record.browser, &record.meta));
    std::hint::black_box((&record.hash, record.created_at));
    now() < record.expires_at
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}
