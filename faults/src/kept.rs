//! What lies in a file, read by `docs/format.md` alone: with none of the store's code.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle as _};
use sessionup_core::{
    DeviceKind, Kind, MetaChange, Record, Replaced, SecretHash, Session, SessionId, Timestamp,
    UserKey,
};
use twox_hash::XxHash3_64;

use crate::campaign::{Violation, ensure};
use crate::model::Model;

type Id = &'static [u8; 16];

/// Reads all records of a bucket, live or not; `None` if it has no tables yet.
///
/// # Errors
///
/// What is damaged, and records without their entries in the indexes, and entries without a record.
pub fn kept(database: &Database, bucket: &str) -> Result<Option<Model>, Violation> {
    let damaged = |error: redb::Error| Violation::new(format_args!("read: {error:?}"));
    read(database, bucket)
        .map_err(damaged)?
        .map_or(Ok(None), |tables| tables.checked().map(Some))
}

/// All that is in the tables of a bucket.
struct Tables {
    format: Option<u64>,
    unlisted_from: Option<u64>,
    /// By user key, or by nothing for all users.
    tombstones: BTreeMap<Vec<u8>, u64>,
    records: Vec<([u8; 16], Vec<u8>)>,
    by_user: BTreeMap<[u8; 16], Vec<Vec<u8>>>,
    by_expiry: BTreeMap<[u8; 16], Vec<i64>>,
}

fn read(database: &Database, bucket: &str) -> Result<Option<Tables>, redb::Error> {
    let names = ["about", "sessions", "by_user", "by_expiry"].map(|it| format!("{bucket}/{it}"));
    let transaction = database.begin_read()?;
    let there: Vec<_> = transaction
        .list_tables()?
        .map(|table| table.name().to_owned())
        .collect();
    if !names.iter().any(|name| there.contains(name)) {
        return Ok(None);
    }
    let [about, sessions, by_user, by_expiry] = &names;
    let about = transaction.open_table(TableDefinition::<&str, u64>::new(about))?;
    let sessions = transaction.open_table(TableDefinition::<Id, &[u8]>::new(sessions))?;
    let by_user = transaction.open_table(TableDefinition::<(&[u8], Id), ()>::new(by_user))?;
    let by_expiry = transaction.open_table(TableDefinition::<(i64, Id), ()>::new(by_expiry))?;
    let mut tables = Tables {
        format: about.get("format")?.map(|format| format.value()),
        unlisted_from: about.get("unlisted_from")?.map(|from| from.value()),
        tombstones: BTreeMap::new(),
        records: Vec::new(),
        by_user: BTreeMap::new(),
        by_expiry: BTreeMap::new(),
    };
    let tombstones = format!("{bucket}/tombstones");
    if there.contains(&tombstones) {
        let rows = TableDefinition::<&[u8], u64>::new(&tombstones);
        for entry in ReadableTable::iter(&transaction.open_table(rows)?)? {
            let (key, value) = entry?;
            tables
                .tombstones
                .insert(key.value().to_vec(), value.value());
        }
    }
    for entry in ReadableTable::iter(&sessions)? {
        let (id, bytes) = entry?;
        tables.records.push((*id.value(), bytes.value().to_vec()));
    }
    for entry in ReadableTable::iter(&by_user)? {
        let (key, _) = entry?;
        let (user, id) = key.value();
        tables.by_user.entry(*id).or_default().push(user.to_vec());
    }
    for entry in ReadableTable::iter(&by_expiry)? {
        let (key, _) = entry?;
        let (step, id) = key.value();
        tables.by_expiry.entry(*id).or_default().push(step);
    }
    Ok(Some(tables))
}

impl Tables {
    fn checked(mut self) -> Result<Model, Violation> {
        let unlisted = unlisted(self.format, self.unlisted_from).ok_or_else(|| {
            Violation(format!(
                "format {:?}, unlisted from {:?}",
                self.format, self.unlisted_from
            ))
        })?;
        let has_tombstones = !self.tombstones.is_empty();
        ensure(matches!(self.format, Some(3 | 4)) == has_tombstones, || {
            let (format, tombstones) = (self.format, &self.tombstones);
            format!("format {format:?} with {tombstones:?}")
        })?;
        let mut records = Vec::new();
        for (id, bytes) in &self.records {
            let session = SessionId::from_bytes(*id);
            let (record, filed, generation) = decode(session, bytes)
                .ok_or_else(|| Violation(format!("record {session} is damaged")))?;
            let listed = self.by_user.remove(id).unwrap_or_default();
            let user = record.session.user_key.as_str().as_bytes();
            let need_not = listed.is_empty() && unlisted.contains(&u128::from_be_bytes(*id));
            ensure(listed == [user] || need_not, || {
                format!("{session} of {user:?} is listed under {listed:?}")
            })?;
            let entries = self.by_expiry.remove(id).unwrap_or_default();
            ensure(entries == [filed], || {
                format!("{session} says that it is filed under {filed} and is under {entries:?}")
            })?;
            let latest = deadline(&record.session) >> 16;
            ensure(filed <= latest, || {
                format!("{session} is filed under {filed}, after its deadline's {latest}")
            })?;
            if !self.has_ended(user, generation)? {
                records.push(record);
            }
        }
        ensure(self.by_user.is_empty() && self.by_expiry.is_empty(), || {
            let (users, steps) = (&self.by_user, &self.by_expiry);
            format!("entries without a record: {users:?}, {steps:?}")
        })?;
        Ok(Model::of(records))
    }

    /// Says whether a tombstone is about a record of a generation.
    fn has_ended(&self, user: &[u8], generation: u64) -> Result<bool, Violation> {
        for key in [user, &[]] {
            let Some(value) = self.tombstones.get(key) else {
                continue;
            };
            let hashed = [key, &value.to_be_bytes()[..6]].concat();
            ensure(
                XxHash3_64::oneshot(&hashed) & 0xffff == value & 0xffff,
                || format!("tombstone of {key:?} is damaged: {value:x}"),
            )?;
            if generation < value >> 16 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The ids of records that need not be listed; `None` if it is not said which.
fn unlisted(format: Option<u64>, from: Option<u64>) -> Option<Range<u128>> {
    match (format?, from) {
        (1 | 3, None) => Some(0..0),
        (2 | 4, Some(value)) => {
            let hashed = [b"unlisted_from".as_slice(), &value.to_be_bytes()[..6]].concat();
            let from = u128::from(value >> 16);
            let is_whole = XxHash3_64::oneshot(&hashed) & 0xffff == value & 0xffff;
            is_whole.then_some(from << 80..(from + (1 << 35)) << 80)
        }
        _ => None,
    }
}

fn deadline(session: &Session) -> i64 {
    let absolute = session.expires_at.as_millis();
    session.idle_timeout.map_or(absolute, |idle| {
        let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        absolute.min(session.last_seen_at.as_millis().saturating_add(idle))
    })
}

/// Reads the record that lies under an id, the step that it says it is filed under, and its
/// generation; `None` if it is none.
#[must_use]
pub fn decode(id: SessionId, bytes: &[u8]) -> Option<(Record, i64, u64)> {
    let (&[1], rest) = bytes.split_first_chunk()? else {
        return None;
    };
    let (head_bytes, rest) = rest.split_first_chunk::<2>()?;
    let (check, body) = rest.split_first_chunk::<8>()?;
    let place = [id.as_bytes().as_slice(), &[1], head_bytes].concat();
    let seed = XxHash3_64::oneshot(&place);
    if XxHash3_64::oneshot_with_seed(seed, body) != u64::from_le_bytes(*check) {
        return None;
    }
    let (head, mut tail) = body.split_at_checked(usize::from(u16::from_le_bytes(*head_bytes)))?;
    let (hash, numbers) = head.split_first_chunk::<32>()?;
    let mut numbers = numbers
        .chunks_exact(8)
        .map(|n| n.try_into().map(i64::from_le_bytes));
    let mut number = || numbers.next()?.ok();
    let (created, expires, seen, idle, filed) =
        (number()?, number()?, number()?, number()?, number()?);
    let mut fields = Vec::new();
    while let Some((tag, rest)) = tail.split_first() {
        let (length, rest) = leb128(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        fields.push((*tag, content));
        tail = rest;
    }
    let one = |wanted: u8| {
        fields
            .iter()
            .find(|(tag, _)| *tag == wanted)
            .map(|(_, content)| *content)
    };
    let text =
        |wanted: u8| one(wanted).map_or(Some(""), |content| std::str::from_utf8(content).ok());
    let time = |content: &[u8]| {
        content
            .try_into()
            .ok()
            .map(i64::from_le_bytes)
            .map(Timestamp::from_millis)
    };

    let user = UserKey::new(text(1)?).ok()?;
    let at = Timestamp::from_millis;
    let mut session = Session::new(id, user, at(created), at(expires));
    session.last_seen_at = at(seen);
    session.idle_timeout = (idle != -1).then(|| Duration::from_millis(idle.cast_unsigned()));
    if let Some(content) = one(2) {
        session.client.ip = Some(address(content)?);
    }
    session.client.agent.os = text(3)?.to_owned();
    session.client.agent.browser = text(4)?.to_owned();
    if let Some(version) = one(5) {
        session.client.agent.version = Some(u32::from_le_bytes(version.try_into().ok()?));
    }
    let kind = one(6).and_then(|name| DeviceKind::from_name(std::str::from_utf8(name).ok()?));
    session.client.agent.kind = kind.unwrap_or_default();
    for (_, entry) in fields.iter().filter(|(tag, _)| *tag == 7) {
        let (length, rest) = entry.split_first()?;
        let (name, json) = rest.split_at_checked(usize::from(*length))?;
        let value: serde_json::Value = serde_json::from_slice(json).ok()?;
        let change = MetaChange::default().set(std::str::from_utf8(name).ok()?, value);
        session.meta.merge(&change.ok()?).ok()?;
    }
    if let Some(content) = one(8) {
        session.authenticated_at = time(content)?;
    }
    session.persistent = one(10).is_some();
    if let Some(name) = one(11) {
        session.kind = Kind::new(std::str::from_utf8(name).ok()?).ok()?;
    }
    let mut record = Record::new(session, SecretHash::from_bytes(*hash));
    if let Some(content) = one(9) {
        let (hash, rest) = content.split_first_chunk::<32>()?;
        let (at, until) = rest.split_at_checked(8)?;
        let until = if until.is_empty() {
            None
        } else {
            Some(time(until)?)
        };
        let replaced = Replaced::new(SecretHash::from_bytes(*hash), time(at)?);
        record.replaced = Some(replaced.accepted_until(until));
    }
    let generation = match one(12) {
        Some(content) => u64::from_le_bytes(content.try_into().ok()?),
        None => 0,
    };
    Some((record, filed, generation))
}

fn address(content: &[u8]) -> Option<IpAddr> {
    match content.len() {
        4 => <[u8; 4]>::try_from(content).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(content).ok().map(IpAddr::from),
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut length = 0;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((length, bytes.get(place + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Rng;
    use crate::disk::Disk;
    use crate::disk::life::{self, Step};
    use crate::disk::together::carry_out;
    use crate::ledger::Ledger;
    use crate::script::{Profile, Script};

    const SESSIONS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("sessions/sessions");
    const BY_USER: TableDefinition<'_, (&[u8], Id), ()> = TableDefinition::new("sessions/by_user");
    const BY_EXPIRY: TableDefinition<'_, (i64, Id), ()> =
        TableDefinition::new("sessions/by_expiry");
    const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("sessions/about");

    /// The disk of a store that was closed, and what it held.
    fn closed(seed: u64) -> (Disk, Model) {
        let mut rng = Rng::with_seed(seed);
        let mut script = Script::new(Profile {
            ids: 20,
            users: 4,
            expires: true,
            reads: false,
            creates: 7,
        });
        let disk = Disk::with(life::empty().unwrap());
        let store = life::open(&disk, false).unwrap();
        let mut ledger = Ledger::default();
        for step in life::steps(&mut script, 12, &mut rng) {
            let Step::Together(ops) = step else { continue };
            for (op, outcome) in ops.iter().zip(carry_out(&store, &ops, &disk, 0)) {
                ledger.answered(op, &outcome.unwrap()).unwrap();
            }
        }
        futures_executor::block_on(store.close());
        (disk, ledger.worlds()[0].clone())
    }

    #[test]
    fn reads_what_a_store_wrote() {
        for seed in 0..20 {
            let (disk, model) = closed(seed);
            let found = life::read(&disk.image()).unwrap().unwrap();
            assert_eq!(found, model, "seed {seed}");
        }
        assert_eq!(life::read(&life::empty().unwrap()).unwrap(), None);
    }

    #[test]
    fn finds_what_is_not_whole() {
        type Change = fn(&redb::WriteTransaction, [u8; 16], &Record) -> Result<(), redb::Error>;
        fn key(record: &Record) -> &[u8] {
            record.session.user_key.as_str().as_bytes()
        }
        let changes: [(&str, Change); 10] = [
            ("not listed", |transaction, id, record| {
                transaction
                    .open_table(BY_USER)?
                    .remove((key(record), &id))?;
                Ok(())
            }),
            ("listed twice", |transaction, id, _| {
                transaction
                    .open_table(BY_USER)?
                    .insert(("zoe".as_bytes(), &id), ())?;
                Ok(())
            }),
            ("filed twice", |transaction, id, _| {
                transaction.open_table(BY_EXPIRY)?.insert((3, &id), ())?;
                Ok(())
            }),
            ("listed and not there", |transaction, _, record| {
                transaction
                    .open_table(BY_USER)?
                    .insert((key(record), &[7; 16]), ())?;
                Ok(())
            }),
            ("not filed", |transaction, id, _| {
                transaction
                    .open_table(BY_EXPIRY)?
                    .retain(|(_, filed), ()| *filed != id)?;
                Ok(())
            }),
            ("filed and not there", |transaction, _, _| {
                transaction
                    .open_table(BY_EXPIRY)?
                    .insert((i64::MAX, &[7; 16]), ())?;
                Ok(())
            }),
            ("gone but for its entries", |transaction, id, _| {
                transaction.open_table(SESSIONS)?.remove(&id)?;
                Ok(())
            }),
            ("without its format", |transaction, _, _| {
                transaction.delete_table(ABOUT)?;
                Ok(())
            }),
            ("altered", |transaction, id, _| {
                let mut sessions = transaction.open_table(SESSIONS)?;
                let mut bytes = sessions.get(&id)?.unwrap().value().to_vec();
                bytes[20] ^= 1;
                sessions.insert(&id, bytes.as_slice())?;
                Ok(())
            }),
            ("under another id", |transaction, id, _| {
                let mut sessions = transaction.open_table(SESSIONS)?;
                let bytes = sessions.remove(&id)?.unwrap().value().to_vec();
                sessions.insert(&[9; 16], bytes.as_slice())?;
                Ok(())
            }),
        ];
        for (name, change) in changes {
            let (disk, model) = closed(3);
            let record = model.records().next().unwrap();
            let database = disk.database().unwrap();
            let transaction = database.begin_write().unwrap();
            change(&transaction, *record.session.id.as_bytes(), record).unwrap();
            transaction.commit().unwrap();
            assert!(kept(&database, "sessions").is_err(), "{name}");
        }
    }
}
