//! Which records need have no entry in `by_user` yet, as a file says it in the table `about`.
//!
//! | name | |
//! |---|---|
//! | `unlisted_from` | the earliest time that the id of such a record begins with; absent in formats 1 and 3 |
//!
//! An id begins with 48 bits of time, in milliseconds since 1970, big-endian. Records whose ids
//! begin with a time from there to 2³⁵ milliseconds (397 days) later may have no entry; all others
//! have one. In formats 1 and 3 all records have one.
//!
//! A value is the time in its upper 48 bits, and a check value in its lower 16 bits: the lower 16
//! of XXH3-64 of the name and the upper 6 bytes in big-endian. In formats 2 and 4, where it is absent or
//! does not pass, any record may have no entry: to take one for listed that is not would hide it
//! from its user.

use std::ops::RangeInclusive;

use redb::{ReadTransaction, ReadableTable, StorageError, Table, WriteTransaction};
use sessionup_core::SessionId;
use twox_hash::XxHash3_64;

use crate::schema::{FORMAT_NAME, Format, IdKey, Schema};

const NAME: &str = "unlisted_from";

/// The records that need not be listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    #[default]
    Nothing,
    Within(Window),
    /// It is not known which.
    Anything,
}

/// Ids by the time that they begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    from: u64,
}

/// In milliseconds.
const LENGTH: u64 = 1 << 35;
const LATEST: u64 = (1 << 48) - 1;
/// By how much a window begins before the first id that it is made for: the next ones may be a
/// little earlier.
const MARGIN: u64 = 60_000;

/// The time that an id begins with, in milliseconds, whether or not it was one.
pub(crate) fn time(id: SessionId) -> u64 {
    let [a, b, c, d, e, f, ..] = *id.as_bytes();
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

impl Window {
    /// Makes one for an id and what follows it.
    pub(crate) fn around(id: SessionId) -> Self {
        Self::from(time(id).saturating_sub(MARGIN))
    }

    pub(crate) fn from(from: u64) -> Self {
        Self { from }
    }

    pub(crate) fn contains(self, id: SessionId) -> bool {
        time(id)
            .checked_sub(self.from)
            .is_some_and(|since| since < LENGTH)
    }

    /// Moves its beginning up, never down.
    pub(crate) fn move_up(&mut self, from: u64) {
        self.from = self.from.max(from);
    }

    fn encode(self) -> u64 {
        let time = self.from << 16;
        let [a, b, c, d, e, f, ..] = time.to_be_bytes();
        let hashed = [NAME.as_bytes(), &[a, b, c, d, e, f]].concat();
        time | (XxHash3_64::oneshot(&hashed) & 0xffff)
    }

    /// `None` for what is damaged.
    fn decode(value: u64) -> Option<Self> {
        let window = Self { from: value >> 16 };
        (window.encode() == value).then_some(window)
    }
}

impl Scope {
    pub(crate) fn read(
        transaction: &ReadTransaction,
        schema: &Schema,
    ) -> Result<Self, redb::Error> {
        let about = transaction.open_table(schema.about())?;
        let entry = |name| -> Result<Option<u64>, StorageError> {
            Ok(ReadableTable::get(&about, name)?.map(|value| value.value()))
        };
        Ok(Self::of(entry(FORMAT_NAME)?, entry(NAME)?))
    }

    fn of(format: Option<u64>, from: Option<u64>) -> Self {
        if !Format::of(format).is_partly_unlisted {
            return Self::Nothing;
        }
        from.and_then(Window::decode)
            .map_or(Self::Anything, Self::Within)
    }

    pub(crate) fn write(
        self,
        transaction: &WriteTransaction,
        schema: &Schema,
        has_tombstones: bool,
    ) -> Result<(), redb::Error> {
        let mut about: Table<'_, &str, u64> = transaction.open_table(schema.about())?;
        let format = Format {
            is_partly_unlisted: self != Self::Nothing,
            has_tombstones,
        };
        about.insert(FORMAT_NAME, format.number())?;
        match self {
            Self::Within(window) => drop(about.insert(NAME, window.encode())?),
            Self::Nothing | Self::Anything => drop(about.remove(NAME)?),
        }
        Ok(())
    }

    pub(crate) fn contains(self, id: SessionId) -> bool {
        match self {
            Self::Nothing => false,
            Self::Within(window) => window.contains(id),
            Self::Anything => true,
        }
    }

    /// Looks at each record that need not be listed, in the order of their ids.
    pub(crate) fn each(
        self,
        sessions: &impl ReadableTable<IdKey, &'static [u8]>,
        mut look: impl FnMut(SessionId, &[u8]),
    ) -> Result<(), StorageError> {
        let Some(range) = self.range() else {
            return Ok(());
        };
        for entry in sessions.range::<&[u8; 16]>(range.start()..=range.end())? {
            let (id, bytes) = entry?;
            look(SessionId::from_bytes(*id.value()), bytes.value());
        }
        Ok(())
    }

    fn range(self) -> Option<RangeInclusive<[u8; 16]>> {
        let (first, last) = match self {
            Self::Nothing => return None,
            Self::Within(Window { from }) => (from, from.saturating_add(LENGTH - 1).min(LATEST)),
            Self::Anything => (0, LATEST),
        };
        let edge = |time: u64, rest| {
            let [_, _, a, b, c, d, e, f] = time.to_be_bytes();
            let mut edge = [rest; 16];
            for (to, from) in edge.iter_mut().zip([a, b, c, d, e, f]) {
                *to = from;
            }
            edge
        };
        Some(edge(first, 0)..=edge(last, 0xff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_767_268_800_000;

    fn id(time: u64, rest: u8) -> SessionId {
        let mut id = [rest; 16];
        id[..6].copy_from_slice(&time.to_be_bytes()[2..]);
        SessionId::from_bytes(id)
    }

    #[test]
    fn what_is_contained_is_what_is_looked_at() {
        let end = NOON + LENGTH;
        let cases = [
            ("before", id(NOON - 1, 0xff), false),
            ("first", id(NOON, 0), true),
            ("last", id(end - 1, 0xff), true),
            ("after", id(end, 0), false),
            ("least", id(0, 0), false),
            ("greatest", id(LATEST, 0xff), false),
        ];
        let scope = Scope::Within(Window::from(NOON));
        let range = scope.range().unwrap();
        for (name, id, is_within) in cases {
            assert_eq!(scope.contains(id), is_within, "{name}");
            assert_eq!(range.contains(id.as_bytes()), is_within, "{name}");
            assert!(Scope::Anything.contains(id), "{name}");
            let all = Scope::Anything.range().unwrap();
            assert!(all.contains(id.as_bytes()), "{name}");
            assert!(!Scope::Nothing.contains(id), "{name}");
        }
        assert_eq!(Scope::Nothing.range(), None);
        let latest = Scope::Within(Window::from(LATEST));
        assert!(latest.contains(id(LATEST, 0xff)));
        let range = latest.range().unwrap();
        assert!(range.contains(id(LATEST, 0xff).as_bytes()));
    }

    #[test]
    fn window_is_made_with_room_before_it() {
        for time in [0, 1, MARGIN, NOON, LATEST] {
            let window = Window::around(id(time, 7));
            assert!(window.contains(id(time, 0)), "{time}");
            assert!(window.contains(id(time.saturating_sub(MARGIN), 0)));
        }
    }

    /// The bytes on disk, which no later version may read otherwise.
    #[test]
    fn entry_is_as_it_always_was() {
        assert_eq!(Window::from(NOON).encode(), 0x019b_796d_d600_8a10);
    }

    #[test]
    fn what_a_file_says() {
        let window = Window::from(NOON);
        let value = Some(window.encode());
        let cases = [
            ("format 1", Some(1), None, Scope::Nothing),
            ("format 1 with an entry", Some(1), value, Scope::Nothing),
            ("format 2", Some(2), value, Scope::Within(window)),
            ("format 3", Some(3), value, Scope::Nothing),
            ("format 4", Some(4), value, Scope::Within(window)),
            ("format 4 without an entry", Some(4), None, Scope::Anything),
            ("format 2 without an entry", Some(2), None, Scope::Anything),
        ];
        for (name, format, from, expected) in cases {
            assert_eq!(Scope::of(format, from), expected, "{name}");
        }
        for bit in 0..64 {
            let damaged = value.map(|value| value ^ (1 << bit));
            assert_eq!(Scope::of(Some(2), damaged), Scope::Anything, "{bit}");
        }
    }
}
