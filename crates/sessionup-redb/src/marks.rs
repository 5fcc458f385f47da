//! What is kept of the time, in the table `about`.
//!
//! | name | |
//! |---|---|
//! | `settled` | the latest time that has proved itself |
//! | `apart_since`, `apart_latest` | the times that a clock has shown since it jumped; absent if it has not |
//!
//! A value is minutes since 1970, signed and rounded down, in its upper half, and a check value in
//! its lower half: the lower half of XXH3-64 of the name and the upper half in big-endian. One that
//! does not pass is taken for absent: a time that no clock showed would end sessions.

use redb::{Database, ReadableDatabase, ReadableTable, WriteTransaction};
use sessionup_core::Timestamp;
use sessionup_core::store::{Marks, Stretch};
use twox_hash::XxHash3_64;

use crate::schema::Schema;
use crate::sync::{Mutex, PoisonError};

const SETTLED: &str = "settled";
const APART_SINCE: &str = "apart_since";
const APART_LATEST: &str = "apart_latest";

const MINUTE: i64 = 60_000;

/// The entries of marks, as they lie in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries([Option<u64>; 3]);

const NAMES: [&str; 3] = [SETTLED, APART_SINCE, APART_LATEST];

impl Entries {
    pub(crate) fn of(marks: Marks) -> Self {
        let settled = encode(SETTLED, marks.settled);
        let since = marks
            .apart
            .and_then(|apart| encode(APART_SINCE, apart.since));
        let latest = marks
            .apart
            .and_then(|apart| encode(APART_LATEST, apart.latest));
        Self([settled, since, latest])
    }

    pub(crate) fn marks(self) -> Marks {
        let Self([settled, since, latest]) = self;
        let Some(settled) = settled.and_then(|value| decode(SETTLED, value)) else {
            return Marks::default();
        };
        let since = since.and_then(|value| decode(APART_SINCE, value));
        let latest = latest.and_then(|value| decode(APART_LATEST, value));
        let apart = since.zip(latest);
        Marks::new(
            settled,
            apart.map(|(since, latest)| Stretch::new(since, latest)),
        )
    }

    pub(crate) fn read(database: &Database, schema: &Schema) -> Result<Self, redb::Error> {
        let about = database.begin_read()?.open_table(schema.about())?;
        let mut entries = Self::default();
        for (entry, name) in entries.0.iter_mut().zip(NAMES) {
            *entry = ReadableTable::get(&about, name)?.map(|value| value.value());
        }
        Ok(entries)
    }

    pub(crate) fn write(
        self,
        transaction: &WriteTransaction,
        schema: &Schema,
    ) -> Result<(), redb::Error> {
        let mut about = transaction.open_table(schema.about())?;
        for (entry, name) in self.0.into_iter().zip(NAMES) {
            match entry {
                Some(value) => drop(about.insert(name, value)?),
                None => drop(about.remove(name)?),
            }
        }
        Ok(())
    }
}

/// The entries that are known to be durable.
#[derive(Debug)]
pub(crate) struct Kept(Mutex<Entries>);

impl Kept {
    pub(crate) fn new(entries: Entries) -> Self {
        Self(Mutex::new(entries))
    }

    /// Returns what is to be written in place of what is kept, if it differs.
    pub(crate) fn due(&self, marks: Marks) -> Option<Entries> {
        let entries = Entries::of(marks);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (entries != *kept).then_some(entries)
    }

    pub(crate) fn keep(&self, entries: Entries) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = entries;
    }
}

/// `None` for a time that no clock shows: thousands of years from 1970.
fn encode(name: &str, time: Timestamp) -> Option<u64> {
    let minutes = i32::try_from(time.as_millis().div_euclid(MINUTE)).ok()?;
    let [a, b, c, d] = minutes.to_be_bytes();
    let hashed = [name.as_bytes(), &[a, b, c, d]].concat();
    let [.., w, x, y, z] = XxHash3_64::oneshot(&hashed).to_be_bytes();
    Some(u64::from_be_bytes([a, b, c, d, w, x, y, z]))
}

/// `None` for what is damaged.
fn decode(name: &str, value: u64) -> Option<Timestamp> {
    let [a, b, c, d, ..] = value.to_be_bytes();
    let minutes = i64::from(i32::from_be_bytes([a, b, c, d]));
    let time = Timestamp::from_millis(minutes * MINUTE);
    (encode(name, time) == Some(value)).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_767_268_800_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn marks_come_back_to_the_minute() {
        let noon = at(NOON);
        let cases = [
            ("nothing", Marks::default(), Marks::default()),
            (
                "settled",
                Marks::new(at(NOON + 59_999), None),
                Marks::new(noon, None),
            ),
            (
                "before 1970",
                Marks::new(at(-1), None),
                Marks::new(at(-60_000), None),
            ),
            (
                "apart",
                Marks::new(noon, Some(Stretch::new(at(1), at(60_001)))),
                Marks::new(noon, Some(Stretch::new(at(0), at(60_000)))),
            ),
            (
                "no clock's time",
                Marks::new(Timestamp::MAX, None),
                Marks::default(),
            ),
        ];
        for (name, marks, expected) in cases {
            assert_eq!(Entries::of(marks).marks(), expected, "{name}");
        }
    }

    /// The bytes on disk, which no later version may read otherwise.
    #[test]
    fn entry_is_as_it_always_was() {
        assert_eq!(encode(SETTLED, at(NOON)), Some(0x01c1_7090_a61b_d4ab));
    }

    #[test]
    fn damage_is_taken_for_absence() {
        let marks = Marks::new(at(NOON), Some(Stretch::new(at(0), at(60_000))));
        let Entries([settled, since, latest]) = Entries::of(marks);
        let flipped = |value: Option<u64>, bit: u32| value.map(|value| value ^ (1 << bit));
        for bit in 0..64 {
            let damaged = Entries([flipped(settled, bit), since, latest]);
            assert_eq!(damaged.marks(), Marks::default(), "{bit}");
            for damaged in [
                Entries([settled, flipped(since, bit), latest]),
                Entries([settled, since, flipped(latest, bit)]),
            ] {
                assert_eq!(damaged.marks(), Marks::new(at(NOON), None), "{bit}");
            }
        }
        let swapped = Entries([since, settled, latest]);
        assert_eq!(swapped.marks(), Marks::default());
    }

    #[test]
    fn what_moved_by_less_than_a_minute_is_not_due() {
        let kept = Kept::new(Entries::of(Marks::new(at(NOON), None)));
        assert_eq!(kept.due(Marks::new(at(NOON + 59_999), None)), None);
        let moved = Marks::new(at(NOON + 60_000), None);
        let due = kept.due(moved).unwrap();
        assert_eq!(due.marks(), moved);
        kept.keep(due);
        assert_eq!(kept.due(moved), None);
    }
}
