//! Files that Go wrote: every session arrives, field for field.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use sessionup_bolt::{BoltError, BoltFile, Writer};
use support::{FIXTURES, database, fixture, of_sidecar, sessions, sidecar};

#[test]
fn every_session_arrives_field_for_field() {
    let mut compared = 0;
    for name in FIXTURES {
        let file = database(name);
        let mut expected = sidecar(name);
        let buckets: BTreeSet<_> = expected.keys().map(|(bucket, _)| bucket.clone()).collect();
        assert_eq!(
            BTreeSet::from_iter(file.session_buckets().unwrap()),
            buckets,
            "{name}"
        );
        for bucket in buckets {
            for session in sessions(&file, &bucket) {
                let key = (bucket.clone(), session.token.expose().to_vec());
                let given = expected.remove(&key).expect("nobody gave it to Go");
                assert_eq!(
                    session,
                    of_sidecar(key.1, &given),
                    "{name}: {}",
                    given["note"]
                );
                compared += 1;
            }
        }
        assert!(expected.is_empty(), "{name} lacks {}", expected.len());
    }
    assert_eq!(compared, 1_107 + 100 + 50 + 50);
}

#[test]
fn every_file_is_sound() {
    for name in FIXTURES {
        let checked = database(name).check().expect(name);
        let with_index = 2 * sidecar(name).len() as u64;
        assert!(checked.pairs > with_index, "{name}: {checked:?}");
    }
}

#[test]
fn sizes_of_pages_are_told() {
    assert_eq!(database("small").page_size(), 4_096);
    assert_eq!(database("pagesize16k").page_size(), 16_384);
}

/// What is written again is what Go wrote, but for the part of times below a millisecond.
#[test]
fn written_values_are_those_of_go() {
    let mut compared = 0;
    for name in FIXTURES {
        for ((_, token), given) in sidecar(name) {
            let Some(raw) = given["raw_value"].as_str().filter(|raw| !raw.is_empty()) else {
                continue;
            };
            let session = of_sidecar(token, &given);
            // Go keeps the offset of a time; here all times are UTC.
            if !raw.contains("Z\",\"expires_at")
                || session.expires_at.as_millis() > 253_402_207_200_000
            {
                continue;
            }
            let mut writer = Writer::new("b").unwrap();
            writer.add(&session).unwrap();
            let written = writer.to_bytes().unwrap();
            let raw = cut_times(raw);
            let found = written
                .windows(raw.len())
                .any(|bytes| bytes == raw.as_bytes());
            assert!(found, "{name}: {raw}");
            compared += 1;
        }
    }
    assert!(compared > 1_200, "only {compared} compared");
}

#[test]
fn a_bucket_without_sessions_is_an_error_that_names_those_that_have_some() {
    let cases = [
        (
            "empty",
            "sessions",
            "no sessions in a bucket \"sessions\", and in no other one",
        ),
        (
            "small",
            "session",
            "no sessions in a bucket \"session\", but in [\"sessions\"]",
        ),
        (
            "small",
            "__storm_db",
            "no sessions in a bucket \"__storm_db\", but in [\"sessions\"]",
        ),
        (
            "small",
            "",
            "no sessions in a bucket \"\", but in [\"sessions\"]",
        ),
    ];
    for (name, bucket, text) in cases {
        let error = database(name).sessions(bucket).unwrap_err();
        assert!(matches!(error, BoltError::NoBucket { .. }));
        assert_eq!(error.to_string(), text);
    }
}

/// 700 sessions each, most of them deleted again in no order.
#[test]
fn every_page_size_is_read_after_many_deletes() {
    for page_size in [512, 1_024, 2_048, 8_192, 32_768, 65_536] {
        let file = database(&format!("deletes{page_size}"));
        assert_eq!(file.page_size(), page_size);
        let checked = file.check().unwrap();
        assert!(checked.free_pages > checked.pages / 2, "{checked:?}");
        let sessions = sessions(&file, "b");
        assert_eq!(sessions.len(), 120);
        for session in sessions {
            assert_eq!(session.ip, "1.2.3.4".parse().ok());
            assert_eq!(
                session
                    .expires_at
                    .saturating_since(session.created_at)
                    .as_secs(),
                3_600
            );
        }
    }
}

#[test]
fn a_spoiled_newest_meta_page_falls_back_to_the_one_before() {
    for name in ["small", "pagesize16k"] {
        let bytes = fixture(&format!("{name}.db"));
        let page_size = usize::try_from(database(name).page_size()).unwrap();
        for at in [0, page_size] {
            let mut torn = bytes.clone();
            torn[at + 16 + 40] ^= 1;
            let file = BoltFile::from_bytes(torn).unwrap();
            assert_eq!(file.page_size(), page_size as u64);
            file.check().unwrap();
        }
    }
}

fn cut_times(raw: &str) -> String {
    let mut value: Vec<u8> = raw.into();
    for field in ["\"created_at\":\"", "\"expires_at\":\""] {
        let from = raw.find(field).unwrap() + field.len();
        let length = raw[from..].find('"').unwrap();
        let text = &raw[from..from + length];
        let (seconds, fraction) = text
            .strip_suffix('Z')
            .unwrap()
            .split_once('.')
            .unwrap_or((&text[..19], ""));
        let millis = fraction[..fraction.len().min(3)].trim_end_matches('0');
        let cut = if millis.is_empty() {
            format!("{seconds}Z")
        } else {
            format!("{seconds}.{millis}Z")
        };
        let text = text.as_bytes();
        let at = value
            .windows(text.len())
            .position(|bytes| bytes == text)
            .unwrap();
        value.splice(at..at + text.len(), cut.into_bytes());
    }
    String::from_utf8(value).unwrap()
}
