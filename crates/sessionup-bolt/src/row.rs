//! A session as sessionup-boltstore stores it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use sessionup_core::Timestamp;
use zeroize::Zeroizing;

use crate::go_time;
use crate::json::{self, JsonError, Kind, Reader};

/// The id of a Go session, which is what its cookie holds: a token.
///
/// Hidden by `Debug`, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct GoToken(Zeroizing<Vec<u8>>);

impl GoToken {
    /// Takes the bytes of a token.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes. Whoever has them is logged in.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// By bytes, as Bolt orders keys.
impl Ord for GoToken {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.expose().cmp(other.expose())
    }
}

impl PartialOrd for GoToken {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for GoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GoToken(..)")
    }
}

/// A session as sessionup-boltstore stores it, times cut to whole milliseconds.
///
/// Nothing of it is checked against the bounds of sessionup; the import does that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoSession {
    /// Its key in the file, which is the value of its cookie.
    pub token: GoToken,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whose it is; may be empty.
    pub user_key: String,
    /// The address that logged in.
    pub ip: Option<IpAddr>,
    /// Name of the operating system.
    pub os: String,
    /// Name of the browser.
    pub browser: String,
    /// The application's own entries.
    pub meta: BTreeMap<String, String>,
}

impl GoSession {
    /// Most entries of meta that are read.
    pub const MAX_META_ENTRIES: usize = 65_536;
    /// What Go has for a time that was never set: 0001-01-01T00:00:00Z.
    pub const ZERO_TIME: Timestamp = Timestamp::from_millis(-62_135_596_800_000);

    /// Makes a session of a token, with nothing else set, as Go would.
    #[must_use]
    pub fn new(token: GoToken) -> Self {
        Self {
            token,
            created_at: Self::ZERO_TIME,
            expires_at: Self::ZERO_TIME,
            user_key: String::new(),
            ip: None,
            os: String::new(),
            browser: String::new(),
            meta: BTreeMap::new(),
        }
    }
}

/// Why a row could not be read as a session. Tells nothing of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRow {
    /// The id inside is not the key it is stored under.
    #[error("its id is not the key it is stored under")]
    IdDiffers,
    /// Its address is none.
    #[error("its ip is no address")]
    Ip,
    /// It is no JSON, or a field is of another type.
    #[error("it cannot be read as JSON: {0}")]
    Json(#[from] JsonError),
    /// It is longer than [`BoltFile::MAX_VALUE_BYTES`](crate::BoltFile::MAX_VALUE_BYTES).
    #[error("it has {bytes} bytes, which is too large to be read")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// It has more entries of meta than [`GoSession::MAX_META_ENTRIES`].
    #[error("it has too many entries of meta to be read")]
    TooManyEntries,
    /// A time is none that Go would read.
    #[error("its {field} is no time")]
    Time {
        /// Which field.
        field: &'static str,
    },
}

/// Reads a record the way Go does: names in any case, the last of duplicates wins, `null` changes
/// nothing, unknown fields are passed over.
pub(crate) fn decode(key: Vec<u8>, value: &[u8]) -> Result<GoSession, BadRow> {
    let mut session = GoSession::new(GoToken::new(key));
    let mut id = Zeroizing::new(String::new());
    let mut json = Reader::new(value);
    match json.kind()? {
        Kind::Null => {}
        _ => json.object(|json, name| field(&mut session, &mut id, json, &name))?,
    }
    json.end()?;
    if *id != json::lossy(session.token.expose()) {
        return Err(BadRow::IdDiffers);
    }
    Ok(session)
}

fn field(
    session: &mut GoSession,
    id: &mut Zeroizing<String>,
    json: &mut Reader<'_>,
    name: &str,
) -> Result<(), BadRow> {
    let is = |lower| json::folds_to(name, lower);
    if is("id") {
        text(json, id)?;
    } else if is("created_at") {
        time(json, "created_at", &mut session.created_at)?;
    } else if is("expires_at") {
        time(json, "expires_at", &mut session.expires_at)?;
    } else if is("user_key") {
        text(json, &mut session.user_key)?;
    } else if is("ip") {
        session.ip = ip(json)?;
    } else if is("agent") {
        object(json, |json, name| {
            if json::folds_to(name, "os") {
                text(json, &mut session.os)
            } else if json::folds_to(name, "browser") {
                text(json, &mut session.browser)
            } else {
                json.skip()
            }
            .map_err(BadRow::from)
        })?;
    } else if is("meta") {
        meta(json, &mut session.meta)?;
    } else {
        json.skip()?;
    }
    Ok(())
}

fn object(
    json: &mut Reader<'_>,
    mut field: impl FnMut(&mut Reader<'_>, &str) -> Result<(), BadRow>,
) -> Result<(), BadRow> {
    match json.kind()? {
        Kind::Null => Ok(()),
        _ => json.object(|json, name| field(json, &name)),
    }
}

fn text(json: &mut Reader<'_>, into: &mut String) -> Result<(), JsonError> {
    match json.kind()? {
        Kind::Null => {}
        _ => *into = json.text()?,
    }
    Ok(())
}

fn time(json: &mut Reader<'_>, field: &'static str, into: &mut Timestamp) -> Result<(), BadRow> {
    match json.kind()? {
        Kind::Null => {}
        // Go reads a time without taking escapes out.
        _ => *into = go_time::parse(json.raw_text()?).ok_or(BadRow::Time { field })?,
    }
    Ok(())
}

fn ip(json: &mut Reader<'_>) -> Result<Option<IpAddr>, BadRow> {
    match json.kind()? {
        Kind::Null => Ok(None),
        _ => match json.text()?.as_str() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| BadRow::Ip),
        },
    }
}

/// Entries are added to those of a `meta` before this one; `null` takes them away.
fn meta(json: &mut Reader<'_>, into: &mut BTreeMap<String, String>) -> Result<(), BadRow> {
    match json.kind()? {
        Kind::Null => into.clear(),
        _ => json.object(|json, name| {
            let mut value = String::new();
            text(json, &mut value)?;
            into.insert(name, value);
            if into.len() > GoSession::MAX_META_ENTRIES {
                return Err(BadRow::TooManyEntries);
            }
            Ok(())
        })?,
    }
    Ok(())
}

/// Writes a session as Go does.
pub(crate) fn encode(session: &GoSession) -> Vec<u8> {
    let ip = session.ip.map(|ip| ip.to_canonical().to_string());
    let mut value = String::from("{\"id\":");
    let mut put = |before: &str, text: &str| {
        value.push_str(before);
        json::quote(&mut value, text);
    };
    put("", &json::lossy(session.token.expose()));
    put(",\"created_at\":", &session.created_at.to_string());
    put(",\"expires_at\":", &session.expires_at.to_string());
    put(",\"user_key\":", &session.user_key);
    put(",\"ip\":", &ip.unwrap_or_default());
    put(",\"agent\":{\"os\":", &session.os);
    put(",\"browser\":", &session.browser);
    for (number, (name, text)) in session.meta.iter().enumerate() {
        put(if number == 0 { "},\"meta\":{" } else { "," }, name);
        put(":", text);
    }
    value.push_str("}}");
    value.into_bytes()
}
