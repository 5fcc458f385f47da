//! From stores back into Bolt files.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use sessionup_bolt::{
    BoltFile, Export, Exported, GoSession, GoToken, GoTokens, Import, WriteError, Writer,
};
use sessionup_core::client::Client;
use sessionup_core::{
    Agent, Kind, MemoryStore, Record, SecretHash, Session, SessionId, Store, Timestamp, UserKey,
};
use support::{EARLY, database, sessions};

const NOW: Timestamp = Timestamp::from_millis(1_795_372_146_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn all_records(store: &MemoryStore, go: &[GoSession]) -> Vec<Record> {
    let users: BTreeSet<_> = go.iter().map(|go| go.user_key.as_str()).collect();
    users
        .into_iter()
        .filter_map(|user| UserKey::new(user).ok())
        .flat_map(|user| futures_executor::block_on(store.list(&user, EARLY)).unwrap())
        .map(|record| record.as_ref().clone())
        .collect()
}

#[test]
fn live_sessions_come_back_as_they_were() {
    for name in ["small", "nofreelistsync", "pagesize16k"] {
        let file = database(name);
        let go = sessions(&file, "sessions");
        let store = MemoryStore::new();
        let rows = file.sessions("sessions").unwrap();
        let report = Import::new()
            .run_blocking(&store, rows, EARLY, |_| {})
            .unwrap();
        let mut tokens = GoTokens::new();
        tokens.add(file.sessions("sessions").unwrap()).unwrap();
        assert_eq!(tokens.len(), go.len());

        let mut export = Export::new("sessions", tokens).unwrap();
        for record in all_records(&store, &go) {
            let exported = export.add(&record, EARLY).unwrap();
            assert_eq!(exported, Exported::Taken { as_text: false });
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("back.db");
        let written = export.write(&path).unwrap();

        assert_eq!(written.taken, report.imported);
        let back = BoltFile::open(&path).unwrap();
        back.check().unwrap();
        let live: Vec<_> = go.into_iter().filter(|go| go.expires_at > EARLY).collect();
        assert_eq!(sessions(&back, "sessions"), live, "{name}");
    }
}

fn imported(token: &[u8], change: impl FnOnce(&mut GoSession)) -> (GoTokens, Record) {
    let mut go = GoSession::new(GoToken::new(token.to_vec()));
    go.user_key = "ann".into();
    go.created_at = NOW;
    go.expires_at = NOW.saturating_add(24 * HOUR);
    change(&mut go);
    let mut writer = Writer::new("b").unwrap();
    writer.add(&go).unwrap();
    let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
    let store = MemoryStore::new();
    let rows = file.sessions("b").unwrap();
    Import::new()
        .run_blocking(&store, rows, NOW, |_| {})
        .unwrap();
    let mut tokens = GoTokens::new();
    tokens.add(file.sessions("b").unwrap()).unwrap();
    let ann = UserKey::new("ann").unwrap();
    let record = futures_executor::block_on(store.list(&ann, NOW)).unwrap();
    (tokens, record[0].as_ref().clone())
}

const TOKEN: &[u8] = b"r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd";

#[test]
fn what_go_could_not_honour_is_left_out_and_counted() {
    let (tokens, record) = imported(TOKEN, |_| {});
    let mut export = Export::new("b", tokens).unwrap();

    let mut renewed = record.clone();
    renewed.secret_hash = SecretHash::from_bytes([7; 32]);
    assert_eq!(export.add(&renewed, NOW).unwrap(), Exported::Renewed);
    let mut made_here = record.clone();
    made_here.session.id = SessionId::from_bytes([7; 16]);
    assert_eq!(export.add(&made_here, NOW).unwrap(), Exported::NoToken);
    let mut half = record.clone();
    half.session.kind = Kind::LOGIN_ATTEMPT;
    assert_eq!(export.add(&half, NOW).unwrap(), Exported::OtherKind);
    let end = record.session.expires_at;
    assert_eq!(export.add(&record, end).unwrap(), Exported::Expired);
    assert_eq!(
        export.add(&record, NOW).unwrap(),
        Exported::Taken { as_text: false }
    );
    assert!(matches!(
        export.add(&record, NOW),
        Err(WriteError::Duplicate)
    ));

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("back.db");
    let report = export.write(&path).unwrap();
    assert_eq!((report.records, report.taken), (5, 1));
    assert_eq!((report.renewed, report.no_token, report.expired), (1, 1, 1));
    assert_eq!(report.other_kind, 1);
    assert_eq!(sessions(&BoltFile::open(&path).unwrap(), "b").len(), 1);
}

#[test]
fn what_go_has_no_place_for_is_given_up_safely() {
    let (tokens, mut record) = imported(TOKEN, |_| {});
    let session: &mut Session = &mut record.session;
    session.idle_timeout = Some(HOUR);
    session.last_seen_at = NOW.saturating_add(HOUR);
    session.meta.insert("visits", 3).unwrap();
    session.meta.insert("name", "\u{17e}").unwrap();
    session.client = Client::new("192.0.2.1".parse().ok(), Agent::parse(b"curl/8.14.1"));

    let mut export = Export::new("b", tokens).unwrap();
    let exported = export.add(&record, NOW).unwrap();
    assert_eq!(exported, Exported::Taken { as_text: true });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("back.db");
    export.write(&path).unwrap();

    let back = &sessions(&BoltFile::open(&path).unwrap(), "b")[0];
    assert_eq!(
        back.expires_at,
        NOW.saturating_add(2 * HOUR),
        "no longer than here"
    );
    assert_eq!(back.meta["visits"], "3");
    assert_eq!(back.meta["name"], "\u{17e}");
    assert_eq!((back.os.as_str(), back.browser.as_str()), ("", "curl"));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("there.db");
    std::fs::write(&path, "precious").unwrap();
    let (tokens, record) = imported(TOKEN, |_| {});
    let mut export = Export::new("b", tokens).unwrap();
    export.add(&record, NOW).unwrap();
    assert!(matches!(
        export.write(&path),
        Err(WriteError::Exists { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let left = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is left beside it");
}

#[cfg(unix)]
#[test]
fn a_written_file_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("own.db");
    Writer::new("b").unwrap().write(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn names_and_tokens_that_bolt_cannot_hold_are_refused() {
    for bucket in ["", "__storm_db", &"b".repeat(32_769)] {
        assert!(matches!(
            Writer::new(bucket),
            Err(WriteError::Bucket { .. })
        ));
    }
    let mut writer = Writer::new("b").unwrap();
    for token in [
        "",
        "__storm_metadata",
        "__storm_index_ID",
        &"t".repeat(32_769),
    ] {
        let session = GoSession::new(GoToken::new(token.into()));
        assert!(matches!(writer.add(&session), Err(WriteError::Token)));
    }
}

/// As the Go program leaves a file in which it never created a session.
#[test]
fn without_sessions_there_is_no_bucket() {
    let writer = Writer::new("b").unwrap();
    let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
    assert_eq!(file.check().unwrap().buckets, 2);
    assert!(file.session_buckets().unwrap().is_empty());
}

/// Trees of each height, and pages that one element fills.
#[test]
fn files_of_any_size_are_sound_and_read_back() {
    for (count, padding) in [
        (1, 0),
        (13, 0),
        (14, 5_000),
        (2_000, 0),
        (3, 200_000),
        (20_000, 0),
    ] {
        let mut writer = Writer::new("b").unwrap();
        let mut expected = Vec::new();
        for number in 0..count {
            let token = format!(
                "{number:016}{}",
                "t".repeat((number * 7) % 3_000 * usize::from(count < 100))
            );
            let mut go = GoSession::new(GoToken::new(token.into_bytes()));
            go.user_key = "u".repeat(padding);
            writer.add(&go).unwrap();
            expected.push(go);
        }
        let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
        let checked = file.check().unwrap();
        // Each session twice, with the index; two codecs and the version.
        assert_eq!(checked.pairs, 2 * count as u64 + 3);
        assert_eq!(sessions(&file, "b"), expected, "{count} of {padding}");
    }
}
