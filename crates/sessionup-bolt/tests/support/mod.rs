//! What the tests of this crate share.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;
use sessionup_bolt::{BoltFile, GoSession, GoToken};
use sessionup_core::Timestamp;

pub const FIXTURES: [&str; 5] = ["edge", "empty", "nofreelistsync", "pagesize16k", "small"];

/// A moment before any session of the fixtures but the odd ones has ended.
pub const EARLY: Timestamp = Timestamp::from_millis(1_795_372_146_500);

/// Reads a compressed fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    // Also where another crate tests with these.
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sessionup-bolt/tests/fixtures");
    let file = std::fs::File::open(path.join(format!("{name}.gz"))).expect(name);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .expect(name);
    bytes
}

pub fn database(name: &str) -> BoltFile {
    BoltFile::from_bytes(fixture(&format!("{name}.db"))).expect(name)
}

/// The sessions of a bucket that can be read.
pub fn sessions(file: &BoltFile, bucket: &str) -> Vec<GoSession> {
    let rows = file.sessions(bucket).unwrap();
    rows.map(|row| row.unwrap().session.unwrap()).collect()
}

/// What was handed to Go, by bucket and token.
pub type Sidecar = BTreeMap<(String, Vec<u8>), Value>;

pub fn sidecar(name: &str) -> Sidecar {
    if name == "empty" {
        return Sidecar::new();
    }
    let list: Vec<Value> = serde_json::from_slice(&fixture(&format!("{name}.json"))).unwrap();
    list.into_iter()
        .map(|session| {
            let bucket = session["bucket"].as_str().unwrap().to_owned();
            let token = data_encoding::HEXLOWER
                .decode(session["id_hex"].as_str().unwrap().as_bytes())
                .unwrap();
            ((bucket, token), session)
        })
        .collect()
}

/// The session that was handed to Go, as it must come back.
pub fn of_sidecar(token: Vec<u8>, given: &Value) -> GoSession {
    let text = |field: &str| given[field].as_str().unwrap().to_owned();
    let mut session = GoSession::new(GoToken::new(token));
    session.created_at = millis(&text("created_at_unix_nanos"), &text("created_at"));
    session.expires_at = millis(&text("expires_at_unix_nanos"), &text("expires_at"));
    session.user_key = text("user_key");
    session.ip = given["ip"]
        .as_str()
        .filter(|ip| *ip != "<nil>")
        .map(|ip| ip.parse::<IpAddr>().expect("an address"));
    session.os = text("os");
    session.browser = text("browser");
    session.meta = match &given["meta"] {
        Value::Null => BTreeMap::new(),
        Value::Object(entries) => entries
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        other => panic!("meta is {other}"),
    };
    session
}

/// Reads Unix time in nanoseconds, or in seconds and then the fraction of the text beside it.
fn millis(unix: &str, text: &str) -> Timestamp {
    if let Some(seconds) = unix.strip_suffix('s') {
        let digits = text.split_once('.').map_or("", |(_, fraction)| fraction);
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        let fraction: i64 = format!("{digits:0<3}")[..3].parse().unwrap();
        return Timestamp::from_millis(seconds.parse::<i64>().unwrap() * 1_000 + fraction);
    }
    Timestamp::from_millis(unix.parse::<i64>().unwrap().div_euclid(1_000_000))
}
