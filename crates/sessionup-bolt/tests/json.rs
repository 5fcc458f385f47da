//! Records as Go reads them: what it takes, what it makes of it, what it refuses.
//!
//! `fixtures/go_json.jsonl` is what Go said of these records. `tests/go.rs` asks it again where Go
//! can be had.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/forge.rs"]
mod forge;
#[path = "support/json_cases.rs"]
mod json_cases;
#[path = "support/told.rs"]
mod told;

use sessionup_bolt::{BadRow, BoltFile, JsonError};
use told::{lines, told};

const ANSWERS: &[u8] = include_bytes!("fixtures/go_json.jsonl");

/// Reads a record as it lies in a file, under the key that its id asks for.
fn read(value: &[u8], key: &[u8]) -> Result<serde_json::Value, BadRow> {
    let file = forge::of_records(&[(key.to_vec(), value.to_vec())]);
    let file = BoltFile::from_bytes(file).unwrap();
    let row = file.sessions("b").unwrap().next().unwrap().unwrap();
    row.session.map(|session| told(&session))
}

#[test]
fn records_are_read_as_go_reads_them() {
    let (cases, answers) = (json_cases::cases(), lines(ANSWERS));
    assert_eq!(cases.len(), answers.len(), "ask Go again: tests/go.rs");
    for (case, answer) in cases.iter().zip(&answers) {
        let shown = String::from_utf8_lossy(&case[..case.len().min(200)]).into_owned();
        // A record without an id cannot lie in a file, and is refused for that alone.
        let id = answer["id_hex"].as_str().filter(|id| !id.is_empty());
        let key = id.map(|id| data_encoding::HEXLOWER.decode(id.as_bytes()).unwrap());
        let read = read(case, key.as_deref().unwrap_or(b"k"));
        match read {
            Ok(session) => assert_eq!(&session, answer, "{shown}"),
            Err(BadRow::IdDiffers) => assert!(id.is_none() && !answer.is_null(), "{shown}"),
            Err(error) => assert!(answer.is_null(), "{error}: {shown}"),
        }
    }
    let refused = answers.iter().filter(|answer| answer.is_null()).count();
    assert!(
        refused > 40 && answers.len() - refused > 40,
        "{refused} of {}",
        answers.len()
    );
}

#[test]
fn errors_tell_the_place_and_not_what_is_there() {
    let json = |at, what| BadRow::Json(JsonError::new(at, what));
    let cases: [(&[u8], BadRow); 8] = [
        (b"", json(0, "a value is missing")),
        (b"[]", json(0, "an object is expected")),
        (b"{\"id\":\"k\"} x", json(11, "something follows the value")),
        (b"{\"id\":\"k\\q\"}", json(8, "an escape that JSON has not")),
        (b"{\"id\":7}", json(6, "a string is expected")),
        (b"{\"id\":\"k\",\"ip\":\"localhost\"}", BadRow::Ip),
        (
            b"{\"id\":\"k\",\"created_at\":\"NaN\"}",
            BadRow::Time {
                field: "created_at",
            },
        ),
        (b"{\"id\":\"secret-token-of-somebody\"}", BadRow::IdDiffers),
    ];
    for (value, expected) in cases {
        let error = read(value, b"k").unwrap_err();
        assert_eq!(error, expected);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[test]
fn depth_and_entries_are_bounded() {
    let deep = |depth: usize| {
        let value = format!(
            "{{\"id\":\"k\",\"x\":{}{}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        read(value.as_bytes(), b"k")
    };
    deep(9_999).unwrap();
    assert!(matches!(deep(10_000), Err(BadRow::Json(_))));
    assert!(matches!(deep(1_000_000), Err(BadRow::Json(_))));

    let entries: Vec<_> = (0..65_537)
        .map(|entry| format!("\"{entry}\":\"\""))
        .collect();
    let many = |count: usize| {
        let value = format!(
            "{{\"id\":\"k\",\"meta\":{{{}}}}}",
            entries[..count].join(",")
        );
        read(value.as_bytes(), b"k").map(drop)
    };
    assert_eq!(many(65_536), Ok(()));
    assert_eq!(many(65_537), Err(BadRow::TooManyEntries));
}

#[test]
fn a_value_beyond_the_bound_is_a_bad_row_and_not_the_end() {
    let limit = BoltFile::MAX_VALUE_BYTES;
    let padded = |length: usize| {
        let mut value = b"{\"id\":\"k\"}".to_vec();
        value.resize(length, b' ');
        value
    };
    read(&padded(limit), b"k").unwrap();
    let file = forge::of_records(&[
        (b"a".to_vec(), padded(limit + 1)),
        (b"k".to_vec(), padded(20)),
    ]);
    let file = BoltFile::from_bytes(file).unwrap();
    let rows: Vec<_> = file.sessions("b").unwrap().map(Result::unwrap).collect();
    let bytes = BoltFile::MAX_VALUE_BYTES + 1;
    assert_eq!(rows[0].session, Err(BadRow::TooLarge { bytes }));
    rows[1].session.as_ref().unwrap();
}
