//! Records to test with. Ids, users and times are always given: no clock, nothing random.

use std::num::NonZeroU32;
use std::time::Duration;

use sessionup_core::{
    Agent, Change, Client, CreateOptions, Kind, LimitPolicy, MetaChange, Record, Replaced,
    SecretHash, Session, SessionId, SessionLimit, Timestamp, UserKey,
};

/// More sessions of a user than a page of a list holds at most.
pub(crate) const MANY: u32 = 1_100;

/// One day in milliseconds.
pub(crate) const DAY: i64 = 86_400_000;

/// The moment `millis` after the one at which tests begin.
pub(crate) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_286_400_000 + millis)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The n-th id. Ids sort as their numbers do.
pub(crate) fn id(n: u32) -> SessionId {
    let mut bytes = *b"\x01\xa2\x00\x00\x00\x00\x70\x00\x80\x00\x00\x00....";
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    SessionId::from_bytes(bytes)
}

pub(crate) fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<SessionId> {
    numbers.into_iter().map(id).collect()
}

/// The n-th hash. Neighbours differ at both ends only.
pub(crate) fn hash(n: u32) -> SecretHash {
    let mut bytes = [0xa5; 32];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    bytes[28..].copy_from_slice(&n.to_le_bytes());
    SecretHash::from_bytes(bytes)
}

pub(crate) fn user(key: &str) -> UserKey {
    UserKey::new(key).expect("a user key within its bounds")
}

/// Whose sessions are tested where it does not matter.
pub(crate) fn ann() -> UserKey {
    user("ann")
}

/// Ann's n-th session: made at the beginning, live for a day, without idle timeout.
pub(crate) fn record(n: u32) -> Record {
    record_of("ann", n)
}

/// The n-th session, of another user.
pub(crate) fn record_of(key: &str, n: u32) -> Record {
    let session = Session::new(id(n), user(key), at(0), at(DAY));
    Record::new(session, hash(n))
}

/// Ann's n-th session, otherwise different.
pub(crate) fn record_with(n: u32, differ: impl FnOnce(&mut Session)) -> Record {
    let mut record = record(n);
    differ(&mut record.session);
    record
}

/// Ann's n-th session, which ends at `deadline`.
pub(crate) fn ending_at(n: u32, deadline: Timestamp) -> Record {
    record_with(n, |session| session.expires_at = deadline)
}

/// Ann's n-th session, which ends when it is unused for `timeout`.
pub(crate) fn idling(n: u32, timeout: Duration) -> Record {
    record_with(n, |session| session.idle_timeout = Some(timeout))
}

/// Ann's n-th session, of a kind.
pub(crate) fn of_kind(n: u32, kind: &Kind) -> Record {
    record_with(n, |session| session.kind = kind.clone())
}

/// Kinds of sessions: the constants, the shortest and the longest name, and names that begin alike.
pub(crate) fn kinds() -> Vec<Kind> {
    let longest = "k".repeat(Kind::MAX_BYTES);
    let own = ["2", "user-2", "use", &longest].map(|name| Kind::new(name).expect("a valid name"));
    let mut kinds = vec![Kind::USER, Kind::GUEST, Kind::LOGIN_ATTEMPT];
    kinds.extend(own);
    kinds
}

pub(crate) fn records(numbers: impl IntoIterator<Item = u32>) -> Vec<Record> {
    numbers.into_iter().map(record).collect()
}

/// A change of a deadline alone.
pub(crate) fn deadline_at(millis: i64) -> Change {
    let mut change = Change::default();
    change.expires_at = Some(at(millis));
    change
}

/// A change of the n-th session that names everything.
pub(crate) fn change_of_everything(n: u32) -> Change {
    let mut change = Change::renew(hash(n), hash(n + 1_000));
    let replaced = Replaced::new(hash(n), at(9)).accepted_until(Some(at(19)));
    change.secret = change.secret.map(|secret| secret.replacing(replaced));
    change.authenticated_at = Some(at(8));
    change.client = Some(Client::new("::1".parse().ok(), Agent::new("iOS", "Safari")));
    change.expires_at = Some(at(5_000));
    change.last_seen_at = Some(at(10));
    change.meta = entries(&[("new", 2)]);
    change
}

/// A change that sets these entries.
pub(crate) fn entries(entries: &[(&str, u32)]) -> MetaChange {
    entries.iter().fold(MetaChange::new(), |change, (key, n)| {
        change.set(*key, n).expect("a value that JSON has")
    })
}

pub(crate) fn replacing(n: u32) -> CreateOptions {
    CreateOptions::default().replacing(Some(id(n)))
}

pub(crate) fn limited(max: u32, policy: LimitPolicy) -> CreateOptions {
    let max = NonZeroU32::new(max).expect("a limit above zero");
    CreateOptions::default().limited(Some(SessionLimit::new(max, policy)))
}

/// Users that a store must not mix up: prefixes, the shortest and the longest, one letter written
/// in two ways, what means something to a query language, and what looks like a number.
pub(crate) fn confusable_users() -> Vec<UserKey> {
    let short = [
        "a",
        "aa",
        "aab",
        "ab",
        "abc",
        "b",
        "A",
        " a",
        "a ",
        "a\u{1}",
        "a\u{7f}",
        "a:b",
        "a/b",
        "a;b",
        "%",
        "_",
        "*",
        "a%",
        "a_",
        "a*",
        "%_*'\";:{}[]",
        "'",
        "\"",
        "\\",
        "\\0",
        "1",
        "01",
        "1.0",
        "null",
        "\u{e9}",
        "e\u{301}",
        "\u{202e}a",
        "\u{fffd}",
        "\u{10ffff}",
    ];
    let long = [
        "a".repeat(255),
        "a".repeat(256),
        "\u{e9}".repeat(128),
        "e\u{301}".repeat(85),
        "\u{10ffff}".repeat(64),
    ];
    let long = long.iter().map(String::as_str);
    short.into_iter().chain(long).map(user).collect()
}

/// Ids at the ends and beside each other, none of which is a UUID of any version.
pub(crate) fn odd_ids() -> Vec<SessionId> {
    let with_last = |byte: u8, last: u8| {
        let mut bytes = [byte; 16];
        bytes[15] = last;
        SessionId::from_bytes(bytes)
    };
    let with_first = |first: u8, byte: u8| {
        let mut bytes = [byte; 16];
        bytes[0] = first;
        SessionId::from_bytes(bytes)
    };
    vec![
        with_last(0x00, 0x00),
        with_last(0x00, 0x01),
        with_first(0x01, 0x00),
        with_first(0x80, 0x00),
        with_first(0x7f, 0xff),
        with_last(0x61, 0x61),
        with_last(0xff, 0xfe),
        with_last(0xff, 0xff),
    ]
}
