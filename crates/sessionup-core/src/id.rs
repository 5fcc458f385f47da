//! The public name of a session.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::Timestamp;

/// Names a session in lists, links and logs. Useless as a credential.
///
/// Sixteen bytes: a UUIDv7 (RFC 9562 §5.7) for sessions made here, so that ids sort by the time of
/// creation; for sessions imported from Go's sessionup a hash of their token. Written as a
/// hyphenated lower-case UUID; read in upper case too, as some platforms write UUIDs.
///
/// ```
/// use sessionup_core::SessionId;
///
/// let id: SessionId = "019ab3f0-7c00-7000-8000-000000000001".parse()?;
/// assert_eq!(id.to_string(), "019ab3f0-7c00-7000-8000-000000000001");
/// assert_eq!("019AB3F0-7C00-7000-8000-000000000001".parse(), Ok(id));
/// # Ok::<(), sessionup_core::InvalidSessionId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Makes an id of its sixteen bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns the sixteen bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Returns when the session was made, as far as the id tells. Anybody can make up an id.
    pub(crate) fn created_at(&self) -> Option<Timestamp> {
        let uuid = self.0;
        let time = uuid
            .get_timestamp()
            .filter(|_| uuid.get_version_num() == 7)?;
        let (seconds, nanos) = time.to_unix();
        let millis = i64::try_from(seconds).ok()?.checked_mul(1_000)?;
        Some(Timestamp::from_millis(
            millis + i64::from(nanos / 1_000_000),
        ))
    }

    /// Makes the UUIDv7 of a time and ten random bytes. Times before 1970 count as 1970.
    pub(crate) fn at(time: Timestamp, random: &[u8; 10]) -> Self {
        let millis = u64::try_from(time.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    /// Reads a hyphenated UUID of 36 characters, in lower or upper case.
    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidSessionId)?;
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        let written = id.as_hyphenated().encode_lower(&mut buffer);
        if written.eq_ignore_ascii_case(text) {
            Ok(Self(id))
        } else {
            Err(InvalidSessionId)
        }
    }
}

/// The text is not a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a session id: expected a UUID of 36 characters, with hyphens")]
#[non_exhaustive]
pub struct InvalidSessionId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_of_creation() {
        let early = SessionId::at(Timestamp::from_millis(1_000), &[0xff; 10]);
        let late = SessionId::at(Timestamp::from_millis(1_001), &[0; 10]);
        assert!(early < late);
    }

    #[test]
    fn id_is_a_uuid_of_version_7() {
        let id = SessionId::at(Timestamp::from_millis(0x0123_4567_89ab), &[0xff; 10]);
        assert_eq!(id.to_string(), "01234567-89ab-7fff-bfff-ffffffffffff");
    }

    #[test]
    fn json_goes_there_and_back() {
        let json = "\"019ab3f0-7c00-7000-8000-0000000000ab\"";
        let id: SessionId = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), json);
        let upper = json.to_ascii_uppercase();
        assert_eq!(serde_json::from_str::<SessionId>(&upper).unwrap(), id);
        serde_json::from_str::<SessionId>("\"019AB3F0\"").unwrap_err();
    }

    #[test]
    fn parse_of_upper_case_displays_lower_case() {
        let lower = "019ab3f0-7c00-7000-8000-0000000000ab";
        for text in [
            "019AB3F0-7C00-7000-8000-0000000000AB",
            "019aB3f0-7C00-7000-8000-0000000000Ab",
        ] {
            let id: SessionId = text.parse().unwrap();
            assert_eq!(id.to_string(), lower, "{text}");
            assert_eq!(format!("{id:?}"), format!("SessionId({lower})"));
        }
    }

    #[test]
    fn parse_of_other_forms_is_refused() {
        let good = "019ab3f0-7c00-7000-8000-0000000000ab";
        assert_eq!(good.parse::<SessionId>().unwrap().to_string(), good);
        let bad = [
            "",
            "019ab3f07c007000800000000000 00ab",
            "019ab3f07c00700080000000000000ab",
            "{019ab3f0-7c00-7000-8000-0000000000ab}",
            "urn:uuid:019ab3f0-7c00-7000-8000-0000000000ab",
            "URN:UUID:019AB3F0-7C00-7000-8000-0000000000AB",
            "019AB3F07C00700080000000000000AB",
            "{019AB3F0-7C00-7000-8000-0000000000AB}",
            " 019ab3f0-7c00-7000-8000-0000000000ab",
            "019ab3f0-7c00-7000-8000-0000000000a\u{e9}",
        ];
        for text in bad {
            assert_eq!(text.parse::<SessionId>(), Err(InvalidSessionId), "{text}");
        }
    }
}
