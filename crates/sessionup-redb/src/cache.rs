//! Records of sessions that are in use, so that their requests ask no disk.
//!
//! What is found here is what a read of the tables would find, with the uses that are not yet
//! written laid over it. For that, three must keep to an order:
//!
//! - The **writer** takes the records that its transaction changed away before it commits, and puts
//!   fences in their place until it has committed. Who asks meanwhile reads the tables: before the
//!   commit what was, after it what is.
//! - A **reader** asks for a place before it looks at anything else, and has it no more if anything
//!   near was taken away, fenced or used since.
//! - A **use** is taken note of while the record is held, so that nobody sees the one without the
//!   other.
//!
//! That there is no session is not kept: it would be room for whoever guesses.
//!
//! Whoever holds a shard may go on to try to take the touches, and does not wait for them: who asks for
//! a record that is here waits for nobody.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::unsync;
use serde_json::Value;
use sessionup_core::{Record, Session, SessionId, Timestamp, is_seeded};

use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::tombstones::{Revocation, Target};
use crate::touches::{self, Put};

/// Records by id, at most so many bytes of them.
pub(crate) struct Cache(Box<[RwLock<Shard>]>);

struct Shard {
    records: unsync::Cache<SessionId, Entry, Weight, Hashes>,
    /// Sessions of a transaction that is being committed.
    fenced: HashSet<SessionId, Hashes>,
    /// Whose sessions a transaction ends that is being committed.
    revoked: Vec<Target>,
    /// How often something was taken away, fenced or used.
    changes: u64,
}

#[derive(Clone)]
struct Entry {
    record: Arc<Record>,
    /// How many bytes it takes in memory, about.
    weight: u64,
}

/// Where a record may be put that is read from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    changes: u64,
}

/// Most shards, a power of two.
const SHARDS: usize = 64;
/// A shard for fewer bytes than this holds too little to be worth it.
const LEAST: usize = 64 * 1024;
/// What a small record takes, about, with what is around it.
const USUAL: usize = 1024;

impl Cache {
    /// Makes room for so many bytes of records; zero for none.
    pub(crate) fn new(bytes: usize) -> Self {
        let shards = match bytes {
            0 => 0,
            bytes => (bytes / LEAST).clamp(1, SHARDS).next_power_of_two(),
        };
        let shard = || RwLock::new(Shard::new(bytes / shards.max(1)));
        Self((0..shards).map(|_| shard()).collect())
    }

    /// Returns the record of a session, live or not.
    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<Record>> {
        let shard = read(self.shard(id)?);
        shard.records.get(&id).map(|it| Arc::clone(&it.record))
    }

    /// Asks for the place of a record that is not here. To be called before anything is looked at
    /// that the record depends on.
    pub(crate) fn seat(&self, id: SessionId) -> Option<Seat> {
        let shard = read(self.shard(id)?);
        let changes = shard.changes;
        Some(Seat { changes })
    }

    /// Puts a record in its place, unless that is lost.
    pub(crate) fn put(&self, seat: Option<Seat>, record: &Arc<Record>) {
        let id = record.session.id;
        let (Some(seat), Some(shard)) = (seat, self.shard(id)) else {
            return;
        };
        let mut shard = write(shard);
        if shard.is_free(&record.session, seat) {
            let (record, weight) = (Arc::clone(record), weight(record));
            shard.records.insert(id, Entry { record, weight });
        }
    }

    /// Takes note of a use of a session by `note`, and makes its record tell of it.
    pub(crate) fn used(&self, id: SessionId, at: Timestamp, note: impl FnOnce() -> Put) -> Put {
        let Some(shard) = self.shard(id) else {
            return note();
        };
        let mut shard = write(shard);
        let noted = note();
        if noted.is_noted() {
            shard.changes += 1;
            let later = shard.records.peek(&id).map(|entry| entry.used(at));
            if let Some(later) = later {
                shard.records.insert(id, later);
            }
        }
        noted
    }

    /// Takes records away and keeps their places empty until [`Cache::lift`].
    pub(crate) fn fence(&self, ids: &[SessionId]) {
        if is_seeded!(StaleCache) {
            return;
        }
        for id in ids {
            if let Some(shard) = self.shard(*id) {
                let mut shard = write(shard);
                shard.records.remove(id);
                shard.fenced.insert(*id);
                shard.changes += 1;
            }
        }
    }

    /// Takes the records of all whom large deletions are about away, and keeps them out until
    /// [`Cache::lift_revoked`]. Takes as long as there are records in memory.
    pub(crate) fn fence_revoked(&self, revocations: &[Revocation]) {
        if revocations.is_empty() || is_seeded!(StaleCache) {
            return;
        }
        for shard in &self.0 {
            let mut shard = write(shard);
            for Revocation { target, .. } in revocations {
                let is_left = |entry: &Entry| !target.contains(&entry.record.session.user_key);
                shard.records.retain(|_, entry| is_left(entry));
                shard.revoked.push(target.clone());
            }
            shard.changes += 1;
        }
    }

    /// Lets records be put in their places again that are read from now on.
    pub(crate) fn lift_revoked(&self, revocations: &[Revocation]) {
        if revocations.is_empty() {
            return;
        }
        for shard in &self.0 {
            let mut shard = write(shard);
            shard.revoked.clear();
            shard.changes += 1;
        }
    }

    /// Lets records be put in these places that are read from now on.
    pub(crate) fn lift(&self, ids: &[SessionId]) {
        for id in ids {
            if let Some(shard) = self.shard(*id) {
                let mut shard = write(shard);
                shard.fenced.remove(id);
                shard.changes += 1;
            }
        }
    }

    /// Takes all records away.
    pub(crate) fn clear(&self) {
        for shard in &self.0 {
            let mut shard = write(shard);
            shard.records.clear();
            shard.changes += 1;
        }
    }

    /// The last bits of ids are random ones.
    fn shard(&self, id: SessionId) -> Option<&RwLock<Shard>> {
        let last = usize::from(id.as_bytes()[15]);
        self.0.get(last & self.0.len().saturating_sub(1))
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

impl Shard {
    fn new(bytes: usize) -> Self {
        let records = bytes / USUAL;
        Self {
            records: unsync::Cache::with(
                records,
                bytes as u64,
                Weight,
                Hashes,
                unsync::DefaultLifecycle::default(),
            ),
            fenced: HashSet::with_hasher(Hashes),
            revoked: Vec::new(),
            changes: 0,
        }
    }

    fn is_free(&self, session: &Session, seat: Seat) -> bool {
        let is_revoked = |target: &Target| target.contains(&session.user_key);
        self.changes == seat.changes
            && !self.fenced.contains(&session.id)
            && !self.revoked.iter().any(is_revoked)
    }
}

impl Entry {
    fn used(&self, at: Timestamp) -> Self {
        let mut record = (*self.record).clone();
        touches::lay_over(&mut record, Some(at));
        Self {
            record: Arc::new(record),
            weight: self.weight,
        }
    }
}

/// Returns how many bytes a record takes in memory, with its place here. Its JSON may take many times what
/// it takes as text.
fn weight(record: &Record) -> u64 {
    let session = &record.session;
    let agent = &session.client.agent;
    let texts = [
        session.user_key.as_str(),
        session.kind.as_str(),
        &agent.os,
        &agent.browser,
    ];
    let texts: usize = texts.into_iter().map(|text| allocated(text.len())).sum();
    let meta = session.meta.iter();
    let meta = of_map(meta.map(|(name, value)| allocated(name.len()) + of_json(value)));
    (size_of::<Record>() + size_of::<(SessionId, Entry)>() + AROUND + texts + meta) as u64
}

/// What `Arc` keeps beside a record, what an allocation takes, and what finds an entry.
const AROUND: usize = 64;

/// Returns what an allocation of so many bytes takes.
const fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        bytes => bytes + 16,
    }
}

/// Returns what a value takes besides itself. It is nested no deeper than its parser allows.
fn of_json(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => allocated(text.capacity()),
        Value::Array(values) => {
            let nested: usize = values.iter().map(of_json).sum();
            allocated(values.capacity() * size_of::<Value>()) + nested
        }
        Value::Object(map) => {
            let entries = map.iter();
            of_map(entries.map(|(name, value)| allocated(name.capacity()) + of_json(value)))
        }
    }
}

/// Returns what a map takes, by what its entries take besides themselves. A node of a `BTreeMap` has room
/// for 11 entries and 12 nodes, and has at least 5 entries unless it is the only one.
fn of_map(entries: impl Iterator<Item = usize>) -> usize {
    const NODE: usize = 11 * size_of::<(String, Value)>() + 14 * size_of::<usize>();
    let (mut number, mut nested) = (0_usize, 0);
    for entry in entries {
        number += 1;
        nested += entry;
    }
    number.div_ceil(5) * allocated(NODE) + nested
}

struct Weight;

impl Weighter<SessionId, Entry> for Weight {
    fn weight(&self, _: &SessionId, entry: &Entry) -> u64 {
        entry.weight
    }
}

/// Hashes ids, which nobody outside can choose: random bits of ours, or of a digest.
#[derive(Clone, Copy, Default)]
struct Hashes;

#[derive(Clone, Copy, Default)]
struct IdHasher(u64);

impl BuildHasher for Hashes {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher::default()
    }
}

impl Hasher for IdHasher {
    /// The second half of an id is random in all of them, but for its last bits within a shard.
    fn write(&mut self, bytes: &[u8]) {
        let word = bytes
            .last_chunk()
            .map_or(0, |last| u64::from_le_bytes(*last));
        let mixed = u128::from(self.0 ^ word) * 0x9e37_79b9_7f4a_7c15;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded")]
        let folded = (mixed as u64) ^ ((mixed >> 64) as u64);
        self.0 = folded;
    }

    fn write_usize(&mut self, _: usize) {
        // The length before the bytes: it is always the same.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessionup_core::{SecretHash, UserKey};

    use super::*;

    const BYTES: usize = 1 << 20;

    fn id(number: u16) -> SessionId {
        SessionId::from_bytes(u128::from(number).to_be_bytes())
    }

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn record(number: u16) -> Arc<Record> {
        let ann = UserKey::new("ann").unwrap();
        let end = at(0).saturating_add(Duration::from_secs(9));
        let session = Session::new(id(number), ann, at(0), end);
        Arc::new(Record::new(session, SecretHash::from_bytes([7; 32])))
    }

    fn put(cache: &Cache, number: u16) {
        cache.put(cache.seat(id(number)), &record(number));
    }

    #[test]
    fn what_is_put_in_is_found() {
        let cache = Cache::new(BYTES);
        put(&cache, 1);
        assert_eq!(cache.get(id(1)), Some(record(1)));
        assert_eq!(cache.get(id(2)), None);
        cache.clear();
        assert_eq!(cache.get(id(1)), None);
    }

    /// What comes between asking for a place and putting a record there.
    #[test]
    fn place_is_lost_by_whatever_happens_meanwhile() {
        type Happens = fn(&Cache);
        let cases: [(&str, Happens, bool); 6] = [
            ("nothing", |_| (), true),
            ("fence", |cache| cache.fence(&[id(1)]), false),
            (
                "fence that was lifted",
                |cache| {
                    cache.fence(&[id(1)]);
                    cache.lift(&[id(1)]);
                },
                false,
            ),
            ("all taken away", Cache::clear, false),
            (
                "use",
                |cache| {
                    cache.used(id(1), at(5), || Put::Kept);
                },
                false,
            ),
            (
                "use that was refused",
                |cache| {
                    cache.used(id(1), at(5), || Put::Refused);
                },
                true,
            ),
        ];
        for (name, happens, is_there) in cases {
            let cache = Cache::new(BYTES);
            let seat = cache.seat(id(1));
            happens(&cache);
            cache.put(seat, &record(1));
            assert_eq!(cache.get(id(1)).is_some(), is_there, "{name}");
        }
    }

    #[test]
    fn fenced_place_stays_empty_until_the_fence_is_lifted() {
        let cache = Cache::new(BYTES);
        put(&cache, 1);
        cache.fence(&[id(1)]);
        assert_eq!(cache.get(id(1)), None);
        put(&cache, 1);
        assert_eq!(cache.get(id(1)), None);
        cache.lift(&[id(1)]);
        assert_eq!(cache.get(id(1)), None);
        put(&cache, 1);
        assert!(cache.get(id(1)).is_some());
    }

    #[test]
    fn record_tells_of_its_latest_use() {
        let cache = Cache::new(BYTES);
        put(&cache, 1);
        let seen = |cache: &Cache| cache.get(id(1)).unwrap().session.last_seen_at;
        assert_eq!(cache.used(id(1), at(5), || Put::First), Put::First);
        assert_eq!(seen(&cache), at(5));
        assert_eq!(cache.used(id(1), at(3), || Put::Kept), Put::Kept);
        assert_eq!(seen(&cache), at(5));
        cache.used(id(1), at(9), || Put::Refused);
        assert_eq!(seen(&cache), at(5));
        assert_eq!(cache.used(id(2), at(9), || Put::Kept), Put::Kept);
        assert_eq!(cache.get(id(2)), None);
    }

    #[test]
    fn bytes_are_bounded() {
        for (bytes, at_least) in [(0, 0), (1, 0), (LEAST, 50), (BYTES, 800)] {
            let cache = Cache::new(bytes);
            for number in 0..5_000 {
                put(&cache, number);
            }
            let there = (0..5_000).filter(|number| cache.get(id(*number)).is_some());
            let there = there.count();
            assert!(there >= at_least, "{there} of {bytes} bytes");
            let taken = there as u64 * weight(&record(1));
            assert!(taken <= bytes as u64, "{there}");
        }
    }

    /// Many values take little text.
    #[test]
    fn put_of_large_json_keeps_memory_bounded() {
        let value = size_of::<Value>();
        let numbers: Vec<_> = (0..512).map(|_| "0").collect();
        let empty: Vec<_> = (0..512).map(|_| "[0]").collect();
        let names: Vec<_> = (0..200).map(|name| format!("\"{name}\":0")).collect();
        // Least bytes that they take: values of arrays, names and values of objects.
        let cases = [
            (format!("[{}]", numbers.join(",")), 512 * value),
            (format!("[{}]", empty.join(",")), 512 * 2 * value),
            (
                format!("{{{}}}", names.join(",")),
                200 * (size_of::<String>() + value + 1),
            ),
            (format!("\"{}\"", "x".repeat(9_000)), 9_000),
        ];
        for (json, least) in cases {
            let value: Value = serde_json::from_str(&json).unwrap();
            let cache = Cache::new(BYTES);
            for number in 0..200 {
                let mut record = (*record(number)).clone();
                record.session.meta.insert("it", value.clone()).unwrap();
                cache.put(cache.seat(id(number)), &Arc::new(record));
            }
            let there = (0..200).filter(|number| cache.get(id(*number)).is_some());
            let there = there.count();
            let text = json.get(..9).unwrap_or_default();
            assert!(there * least <= BYTES, "{there} of {least} bytes: {text}");
            assert!(
                there * least >= BYTES / 8,
                "{there} of {least} bytes: {text}"
            );
        }
    }

    #[test]
    fn ids_spread_over_hashes() {
        let hashes: HashSet<u64> = (0..5_000).map(|it| Hashes.hash_one(id(it)) >> 44).collect();
        assert!(hashes.len() > 4_900, "{}", hashes.len());
        let low: HashSet<u64> = (0..5_000)
            .map(|it| Hashes.hash_one(id(it)) & 0xf_ffff)
            .collect();
        assert!(low.len() > 4_900, "{}", low.len());
    }
}
