//! A record as bytes. This page is the format's definition.
//!
//! All numbers are little-endian; times are milliseconds since 1970, signed. A record is
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 1 | version of the layout, 1 |
//! | 1 | 2 | *h*, the length of the head |
//! | 3 | 8 | check value |
//! | 11 | *h* | head |
//! | 11 + *h* | rest | tail |
//!
//! The **check value** is XXH3-64 of head and tail, with XXH3-64 (seed 0) of session id, version
//! and *h*, as they lie there (16 + 1 + 2 bytes), for its seed. So a record that was altered, or
//! that lies under another id, does not pass.
//!
//! The **head** has at least 72 bytes. What a later version appends to it is kept as it is.
//!
//! | offset in the head | bytes | |
//! |---|---|---|
//! | 0 | 32 | hash of the token's secret |
//! | 32 | 8 | created at |
//! | 40 | 8 | expires at |
//! | 48 | 8 | last seen at |
//! | 56 | 8 | idle timeout in milliseconds, unsigned; 2⁶⁴ − 1 for none |
//! | 64 | 8 | the step that the record is filed under in `by_expiry` |
//!
//! The **tail** is a sequence of fields: a tag of one byte, a length as LEB128 of at most five
//! bytes, and so many bytes. Except for tag 7, a tag occurs at most once. Fields without content
//! are left out. Fields with tags that are not in this table are kept as they are.
//!
//! | tag | |
//! |---|---|
//! | 1 | user key, UTF-8; never left out |
//! | 2 | IP address, 4 or 16 bytes in network order |
//! | 3 | operating system, UTF-8 |
//! | 4 | browser, UTF-8 |
//! | 5 | major version of the browser, 4 bytes |
//! | 6 | kind of device by its stable name; a name that is not known is kept as it is |
//! | 7 | an entry of meta: one byte with the length of its name, its name, its value as JSON |
//! | 8 | when the user last proved who they are, 8 bytes; left out if that was at creation |
//! | 9 | the token before the present one: hash of its secret, when it was replaced, and until when it is accepted, 32, 8 and 8 bytes; the last is left out while the present token is unused |
//! | 10 | whether browsers keep the cookie when they are closed: one byte, 1; left out if not |
//! | 11 | the kind of the session, 1 to 32 of `a` to `z`, `0` to `9` and `-`; left out for `user` |
//! | 12 | the generation that it was made in, 8 bytes; left out for 0 |

use std::net::IpAddr;
use std::time::Duration;

use sessionup_core::{
    DeviceKind, Kind, MetaChange, MetaError, Record, Replaced, SecretHash, Session, SessionId,
    Timestamp, UserKey,
};
use twox_hash::XxHash3_64;

use crate::tombstones::Generation;

/// The version that is written, and the only one there is.
const VERSION: u8 = 1;
/// Version, length of the head, check value.
const PREFIX_BYTES: usize = 11;
const NO_IDLE_TIMEOUT: u64 = u64::MAX;

mod tag {
    pub(super) const USER_KEY: u8 = 1;
    pub(super) const IP: u8 = 2;
    pub(super) const OS: u8 = 3;
    pub(super) const BROWSER: u8 = 4;
    pub(super) const BROWSER_VERSION: u8 = 5;
    pub(super) const DEVICE: u8 = 6;
    pub(super) const META: u8 = 7;
    pub(super) const AUTHENTICATED_AT: u8 = 8;
    pub(super) const REPLACED: u8 = 9;
    pub(super) const PERSISTENT: u8 = 10;
    pub(super) const KIND: u8 = 11;
    pub(super) const GENERATION: u8 = 12;
}

/// A record as it lies in the table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) record: Record,
    /// The step of `by_expiry` that has its entry.
    pub(crate) filed: i64,
    /// When it was made, in the order of large deletions ([`crate::tombstones`]).
    pub(crate) generation: Generation,
    extras: Extras,
}

/// What a later version wrote and this one does not understand.
#[derive(Clone, Debug, Default, PartialEq)]
struct Extras {
    head: Vec<u8>,
    /// Whole fields, tag and length included.
    fields: Vec<u8>,
    /// The name of a kind of device.
    device: Option<Vec<u8>>,
}

impl Stored {
    #[cfg(test)]
    fn new(record: Record, filed: i64) -> Self {
        Self {
            record,
            filed,
            generation: 0,
            extras: Extras::default(),
        }
    }

    /// Puts a changed record in place of the old one and keeps what is not understood.
    pub(crate) fn replace(&mut self, record: Record) {
        if record.session.client != self.record.session.client {
            self.extras.device = None;
        }
        self.record = record;
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        encode(&self.record, self.filed, self.generation, &self.extras)
    }

    /// Reads the record that lies under an id.
    ///
    /// Never panics, and takes no more memory than the bytes themselves call for.
    pub(crate) fn decode(id: SessionId, bytes: &[u8]) -> Result<Self, RecordError> {
        let (head, tail) = parts(id, bytes)?;
        let (head, fields) = (Head::decode(head)?, Fields::decode(tail)?);
        head.with(id, fields)
    }
}

/// Reads of the record that lies under an id whose it is, and nothing else of it.
pub(crate) fn user_key(id: SessionId, bytes: &[u8]) -> Result<UserKey, RecordError> {
    let (_, mut tail) = parts(id, bytes)?;
    while let Some(((tag, content), rest)) = next_field(tail)? {
        if tag == tag::USER_KEY {
            let key = text(content).and_then(|key| UserKey::new(key).ok());
            return key.ok_or(RecordError::Field { tag });
        }
        tail = rest;
    }
    Err(RecordError::NoUserKey)
}

/// Returns head and tail of what lies under an id, if it is whole.
fn parts(id: SessionId, bytes: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let (&version, rest) = bytes.split_first().ok_or(RecordError::Truncated)?;
    if version != VERSION {
        return Err(RecordError::Version(version));
    }
    let (head_bytes, rest) = split_array::<2>(rest)?;
    let (check, body) = split_array::<8>(rest)?;
    let is_whole = check_value(id, version, head_bytes, body) == u64::from_le_bytes(check);
    if !is_whole && !sessionup_core::is_seeded!(CheckIgnored) {
        return Err(RecordError::Check);
    }
    let head_length = usize::from(u16::from_le_bytes(head_bytes));
    split(body, head_length)
}

/// A tag and its content.
type Field<'a> = (u8, &'a [u8]);

/// Takes a field off a tail; returns also what follows.
fn next_field(tail: &[u8]) -> Result<Option<(Field<'_>, &[u8])>, RecordError> {
    let Some((&tag, rest)) = tail.split_first() else {
        return Ok(None);
    };
    let (length, rest) = split_length(rest)?;
    let (content, rest) = split(rest, length)?;
    Ok(Some(((tag, content), rest)))
}

/// Writes a record that is filed for the first time.
pub(crate) fn encode_new(record: &Record, filed: i64, generation: Generation) -> Vec<u8> {
    encode(record, filed, generation, &Extras::default())
}

fn encode(record: &Record, filed: i64, generation: Generation, extras: &Extras) -> Vec<u8> {
    let session = &record.session;
    let mut body = Vec::with_capacity(256);
    body.extend_from_slice(record.secret_hash.as_bytes());
    for time in [session.created_at, session.expires_at, session.last_seen_at] {
        body.extend_from_slice(&time.as_millis().to_le_bytes());
    }
    body.extend_from_slice(&idle_millis(session.idle_timeout).to_le_bytes());
    body.extend_from_slice(&filed.to_le_bytes());
    body.extend_from_slice(&extras.head);
    // What was read had a length that fits.
    let head_bytes = u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes();
    encode_tail(record, generation, extras, &mut body);

    let mut bytes = Vec::with_capacity(PREFIX_BYTES + body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&head_bytes);
    let check = check_value(session.id, VERSION, head_bytes, &body);
    bytes.extend_from_slice(&check.to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn encode_tail(record: &Record, generation: Generation, extras: &Extras, tail: &mut Vec<u8>) {
    let session = &record.session;
    put_field(tail, tag::USER_KEY, &[session.user_key.as_str().as_bytes()]);
    match session.client.ip {
        Some(IpAddr::V4(ip)) => put_field(tail, tag::IP, &[&ip.octets()]),
        Some(IpAddr::V6(ip)) => put_field(tail, tag::IP, &[&ip.octets()]),
        None => {}
    }
    let agent = &session.client.agent;
    for (tag, text) in [(tag::OS, &agent.os), (tag::BROWSER, &agent.browser)] {
        if !text.is_empty() {
            put_field(tail, tag, &[text.as_bytes()]);
        }
    }
    if let Some(version) = agent.version {
        put_field(tail, tag::BROWSER_VERSION, &[&version.to_le_bytes()]);
    }
    match &extras.device {
        Some(name) => put_field(tail, tag::DEVICE, &[name]),
        None if agent.kind == DeviceKind::Unknown => {}
        None => put_field(tail, tag::DEVICE, &[agent.kind.as_str().as_bytes()]),
    }
    for (name, value) in &session.meta {
        // Meta bounds it to 128.
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let json = value.to_string();
        put_field(
            tail,
            tag::META,
            &[&[length], name.as_bytes(), json.as_bytes()],
        );
    }
    if session.authenticated_at != session.created_at {
        let at = session.authenticated_at.as_millis().to_le_bytes();
        put_field(tail, tag::AUTHENTICATED_AT, &[&at]);
    }
    if session.persistent {
        put_field(tail, tag::PERSISTENT, &[&[1]]);
    }
    if session.kind != Kind::USER {
        put_field(tail, tag::KIND, &[session.kind.as_str().as_bytes()]);
    }
    if let Some(replaced) = &record.replaced {
        let hash: &[u8] = replaced.hash.as_bytes();
        let at = replaced.at.as_millis().to_le_bytes();
        match replaced.accepted_until {
            Some(until) => {
                let until = until.as_millis().to_le_bytes();
                put_field(tail, tag::REPLACED, &[hash, &at, &until]);
            }
            None => put_field(tail, tag::REPLACED, &[hash, &at]),
        }
    }
    if generation != 0 {
        put_field(tail, tag::GENERATION, &[&generation.to_le_bytes()]);
    }
    tail.extend_from_slice(&extras.fields);
}

/// The fixed fields, and what follows them.
struct Head<'a> {
    secret_hash: [u8; 32],
    created_at: i64,
    expires_at: i64,
    last_seen_at: i64,
    idle_timeout: u64,
    filed: i64,
    extra: &'a [u8],
}

impl<'a> Head<'a> {
    fn decode(head: &'a [u8]) -> Result<Self, RecordError> {
        let (secret_hash, rest) = split_array(head)?;
        let (created_at, rest) = split_array(rest)?;
        let (expires_at, rest) = split_array(rest)?;
        let (last_seen_at, rest) = split_array(rest)?;
        let (idle_timeout, rest) = split_array(rest)?;
        let (filed, extra) = split_array(rest)?;
        Ok(Self {
            secret_hash,
            created_at: i64::from_le_bytes(created_at),
            expires_at: i64::from_le_bytes(expires_at),
            last_seen_at: i64::from_le_bytes(last_seen_at),
            idle_timeout: u64::from_le_bytes(idle_timeout),
            filed: i64::from_le_bytes(filed),
            extra,
        })
    }

    fn with(self, id: SessionId, fields: Fields<'_>) -> Result<Stored, RecordError> {
        let user_key = fields.user_key.ok_or(RecordError::NoUserKey)?;
        let mut session = Session::new(
            id,
            user_key,
            Timestamp::from_millis(self.created_at),
            Timestamp::from_millis(self.expires_at),
        );
        if let Some(at) = fields.authenticated_at {
            session.authenticated_at = at;
        }
        session.persistent = fields.persistent.is_some();
        session.kind = fields.kind.unwrap_or_default();
        session.last_seen_at = Timestamp::from_millis(self.last_seen_at);
        session.idle_timeout = (self.idle_timeout != NO_IDLE_TIMEOUT)
            .then(|| Duration::from_millis(self.idle_timeout));
        session.client.ip = fields.ip;
        let agent = &mut session.client.agent;
        agent.os = fields.os.unwrap_or_default().to_owned();
        agent.browser = fields.browser.unwrap_or_default().to_owned();
        agent.version = fields.version;
        let device = fields.device.unwrap_or_default();
        let kind = std::str::from_utf8(device)
            .ok()
            .and_then(DeviceKind::from_name);
        agent.kind = kind.unwrap_or_default();
        session.meta.merge(&fields.meta)?;
        let mut record = Record::new(session, SecretHash::from_bytes(self.secret_hash));
        record.replaced = fields.replaced;
        Ok(Stored {
            record,
            filed: self.filed,
            generation: fields.generation.unwrap_or_default(),
            extras: Extras {
                head: self.extra.to_vec(),
                fields: fields.unknown,
                device: fields.device.filter(|_| kind.is_none()).map(<[u8]>::to_vec),
            },
        })
    }
}

/// The fields of the tail.
#[derive(Default)]
struct Fields<'a> {
    user_key: Option<UserKey>,
    ip: Option<IpAddr>,
    os: Option<&'a str>,
    browser: Option<&'a str>,
    version: Option<u32>,
    device: Option<&'a [u8]>,
    meta: MetaChange,
    authenticated_at: Option<Timestamp>,
    replaced: Option<Replaced>,
    persistent: Option<()>,
    kind: Option<Kind>,
    generation: Option<Generation>,
    unknown: Vec<u8>,
}

impl<'a> Fields<'a> {
    fn decode(mut tail: &'a [u8]) -> Result<Self, RecordError> {
        let mut fields = Self::default();
        while let Some(((tag, content), rest)) = next_field(tail)? {
            fields.add(tag, content)?;
            tail = rest;
        }
        Ok(fields)
    }

    fn add(&mut self, tag: u8, content: &'a [u8]) -> Result<(), RecordError> {
        let damaged = RecordError::Field { tag };
        match tag {
            tag::USER_KEY => {
                let key = text(content).and_then(|key| UserKey::new(key).ok());
                put_once(&mut self.user_key, key, damaged)
            }
            tag::IP => put_once(&mut self.ip, address(content), damaged),
            tag::OS => put_once(&mut self.os, text(content), damaged),
            tag::BROWSER => put_once(&mut self.browser, text(content), damaged),
            tag::BROWSER_VERSION => {
                let version = content.try_into().map(u32::from_le_bytes);
                put_once(&mut self.version, version.ok(), damaged)
            }
            tag::DEVICE => put_once(&mut self.device, Some(content), damaged),
            tag::META => self.add_meta(content).ok_or(damaged)?,
            tag::AUTHENTICATED_AT => put_once(&mut self.authenticated_at, time(content), damaged),
            tag::PERSISTENT => {
                let is_set = (content == [1]).then_some(());
                put_once(&mut self.persistent, is_set, damaged)
            }
            tag::KIND => {
                let kind = text(content).and_then(|kind| Kind::new(kind).ok());
                put_once(&mut self.kind, kind, damaged)
            }
            tag::REPLACED => put_once(&mut self.replaced, replaced(content), damaged),
            tag::GENERATION => {
                let generation = content.try_into().map(u64::from_le_bytes);
                put_once(&mut self.generation, generation.ok(), damaged)
            }
            _ => {
                put_field(&mut self.unknown, tag, &[content]);
                Ok(())
            }
        }
    }

    fn add_meta(&mut self, content: &[u8]) -> Option<Result<(), RecordError>> {
        let (&length, rest) = content.split_first()?;
        let (name, json) = rest.split_at_checked(usize::from(length))?;
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        let set = std::mem::take(&mut self.meta).set(text(name)?, value);
        Some(set.map(|meta| self.meta = meta).map_err(RecordError::Meta))
    }
}

fn put_once<T>(
    place: &mut Option<T>,
    value: Option<T>,
    damaged: RecordError,
) -> Result<(), RecordError> {
    match (&place, value) {
        (None, Some(value)) => {
            *place = Some(value);
            Ok(())
        }
        (Some(_), _) | (None, None) => Err(damaged),
    }
}

fn text(content: &[u8]) -> Option<&str> {
    std::str::from_utf8(content).ok()
}

fn time(content: &[u8]) -> Option<Timestamp> {
    let millis = content.try_into().map(i64::from_le_bytes).ok()?;
    Some(Timestamp::from_millis(millis))
}

fn replaced(content: &[u8]) -> Option<Replaced> {
    let (hash, rest) = content.split_first_chunk::<32>()?;
    let (at, until) = rest.split_at_checked(8)?;
    let until = match until {
        [] => None,
        until => Some(time(until)?),
    };
    let replaced = Replaced::new(SecretHash::from_bytes(*hash), time(at)?);
    Some(replaced.accepted_until(until))
}

fn address(content: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(content) {
        return Some(IpAddr::from(octets));
    }
    <[u8; 16]>::try_from(content).ok().map(IpAddr::from)
}

fn idle_millis(idle_timeout: Option<Duration>) -> u64 {
    match idle_timeout {
        Some(idle) => u64::try_from(idle.as_millis())
            .unwrap_or(u64::MAX)
            .min(NO_IDLE_TIMEOUT - 1),
        None => NO_IDLE_TIMEOUT,
    }
}

fn check_value(id: SessionId, version: u8, head_bytes: [u8; 2], body: &[u8]) -> u64 {
    let mut place = [0; 19];
    let parts = id.as_bytes().iter().chain([&version]).chain(&head_bytes);
    for (to, from) in place.iter_mut().zip(parts) {
        *to = *from;
    }
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&place), body)
}

fn put_field(tail: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    tail.push(tag);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or(0);
        length >>= 7;
        if length == 0 {
            tail.push(low);
            break;
        }
        tail.push(low | 0x80);
    }
    for part in parts {
        tail.extend_from_slice(part);
    }
}

fn split_length(bytes: &[u8]) -> Result<(usize, &[u8]), RecordError> {
    let mut length = 0_u64;
    let mut rest = bytes;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, after) = rest.split_first().ok_or(RecordError::Truncated)?;
        rest = after;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).map_err(|_| RecordError::Truncated)?;
            return Ok((length, rest));
        }
    }
    Err(RecordError::Truncated)
}

fn split(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), RecordError> {
    bytes.split_at_checked(at).ok_or(RecordError::Truncated)
}

fn split_array<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), RecordError> {
    let (array, rest) = bytes.split_first_chunk().ok_or(RecordError::Truncated)?;
    Ok((*array, rest))
}

/// Why bytes are not the record of an id. None of them tells what the record holds.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("check value does not match: the record was altered or lies under another id")]
    Check,
    #[error("field with tag {tag} is damaged or there twice")]
    Field { tag: u8 },
    #[error("meta of the record is out of bounds")]
    Meta(#[from] MetaError),
    #[error("record has no user key")]
    NoUserKey,
    #[error("record is shorter than it says")]
    Truncated,
    #[error("record has version {0}, which this program does not know")]
    Version(u8),
}

#[cfg(test)]
mod tests;
