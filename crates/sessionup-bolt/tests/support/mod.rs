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
use std::path::PathBuf;

use sessionup_bolt::{BoltFile, GoSession};
use sessionup_core::Timestamp;

pub const FIXTURES: [&str; 5] = ["edge", "empty", "nofreelistsync", "pagesize16k", "small"];

/// A moment before any session of the fixtures but the odd ones has ended.
pub const EARLY: Timestamp = Timestamp::from_millis(1_795_372_146_500);

/// Reads a compressed fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
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
pub type Sidecar = BTreeMap<(String, Vec<u8>), serde_json::Value>;

pub fn sidecar(name: &str) -> Sidecar {
    if name == "empty" {
        return Sidecar::new();
    }
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&fixture(&format!("{name}.json"))).unwrap();
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
