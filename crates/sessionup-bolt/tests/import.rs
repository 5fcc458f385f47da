//! From Bolt files into stores.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "support/failing.rs"]
mod failing;
#[path = "support/forge.rs"]
mod forge;
mod support;

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use failing::{Failing, Fault};
use sessionup_bolt::{
    BadRow, BoltError, BoltFile, GoSession, GoToken, Import, ImportFailure, ImportReport,
    ImportedRow, Outcome, Refused, Rule, Writer,
};
use sessionup_core::{
    Change, Credential, InvalidUserKey, MemoryStore, Meta, MetaError, Record, Store, Timestamp,
    UserKey,
};
use support::{EARLY, database, sessions, sidecar};

/// Later than anything in a file, so that nothing is of the future.
const LATE: Timestamp = Timestamp::from_millis(253_402_300_800_000);
const NOW: Timestamp = Timestamp::from_millis(1_795_372_146_000);
const HOUR: Duration = Duration::from_secs(3_600);

fn everything() -> Import {
    Import::new()
        .max_lifetime(Duration::MAX)
        .include_expired(true)
}

fn import(
    import: Import,
    store: &impl Store,
    file: &BoltFile,
    bucket: &str,
    now: Timestamp,
) -> (ImportReport, Vec<ImportedRow>) {
    let mut told = Vec::new();
    let rows = file.sessions(bucket).unwrap();
    let report = import
        .run_blocking(store, rows, now, |row| told.push(row.clone()))
        .unwrap();
    told.sort_by_key(|row| row.number);
    (report, told)
}

/// The record of a token, live or not.
fn fetch(store: &impl Store, token: &[u8]) -> Option<Record> {
    let id = Credential::of_imported(token)?.id;
    let fetched = futures_executor::block_on(store.fetch(id, Timestamp::MIN)).unwrap();
    fetched.map(|record| record.as_ref().clone())
}

#[test]
fn every_session_within_bounds_arrives_field_for_field() {
    let mut arrived = 0;
    for (name, bucket) in [
        ("small", "sessions"),
        ("pagesize16k", "sessions"),
        ("nofreelistsync", "sessions"),
        ("edge", "sessions"),
        ("edge", "admin-sessions"),
        ("edge", "sesijos-\u{17e}moni\u{173}-\u{7528}\u{6237}"),
    ] {
        let file = database(name);
        let store = MemoryStore::new();
        let (report, told) = import(everything(), &store, &file, bucket, LATE);
        let go = sessions(&file, bucket);
        assert_eq!(go.len(), told.len());
        for (go, row) in go.iter().zip(&told) {
            if row.outcome != (Outcome::Imported { cut: false }) {
                continue;
            }
            arrived += 1;
            let record = fetch(&store, go.token.expose()).unwrap();
            let credential = Credential::of_imported(go.token.expose()).unwrap();
            let session = record.session;
            assert_eq!(row.id, Some(session.id));
            assert_eq!(session.id, credential.id);
            assert_eq!(record.secret_hash, credential.secret_hash);
            assert_eq!(session.user_key.as_str(), go.user_key);
            assert_eq!(session.created_at, go.created_at);
            assert_eq!(session.authenticated_at, go.created_at);
            assert_eq!(session.last_seen_at, go.created_at);
            assert_eq!(session.expires_at, go.expires_at);
            assert_eq!(session.client.ip, go.ip.map(|ip| ip.to_canonical()));
            assert_eq!(session.client.agent.os, go.os);
            assert_eq!(session.client.agent.browser, go.browser);
            let meta: BTreeMap<_, _> = session
                .meta
                .iter()
                .map(|(name, value)| (name.to_owned(), value.as_str().unwrap().to_owned()))
                .collect();
            assert_eq!(meta, go.meta);
        }
        assert_eq!(report.rows, go.len() as u64);
        assert_eq!(report.imported + report.refused_in_all(), report.rows);
    }
    assert_eq!(arrived, 1_288);
}

/// What the odd ones of `edge` are left out for.
#[test]
fn what_is_out_of_bounds_is_left_out_with_its_reason() {
    let (report, _) = import(
        everything(),
        &MemoryStore::new(),
        &database("edge"),
        "sessions",
        LATE,
    );
    let refused = [
        ("meta", 7),
        ("token-too-long", 1),
        ("token-too-short", 8),
        ("user-key", 3),
    ];
    assert_eq!(report.refused, BTreeMap::from(refused));
    assert_eq!(
        report.to_string(),
        "1074 rows: 1055 imported (0 of them cut), 0 already there, 0 expired, 19 left out: meta 7, \
         token-too-long 1, token-too-short 8, user-key 3"
    );
}

#[test]
fn expired_sessions_are_left_out_and_counted() {
    let file = database("small");
    let live = sidecar("small").len() as u64;
    let now = sessions(&file, "sessions")
        .iter()
        .map(|session| session.expires_at)
        .min()
        .unwrap();
    let store = MemoryStore::new();
    let (report, _) = import(Import::new(), &store, &file, "sessions", EARLY);
    assert_eq!(report.imported + report.expired, live);
    assert!(report.expired > 5 && report.imported > 30, "{report}");

    // At its very end a session is no longer live.
    let (at_end, _) = import(Import::new(), &MemoryStore::new(), &file, "sessions", now);
    let future = at_end
        .refused
        .get("created-in-future")
        .copied()
        .unwrap_or(0);
    assert_eq!(at_end.expired, 1, "{at_end}");
    assert_eq!(at_end.imported + at_end.expired + future, live);
}

fn go_session(change: impl FnOnce(&mut GoSession)) -> GoSession {
    let mut session = GoSession::new(GoToken::new(
        b"r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd".to_vec(),
    ));
    session.user_key = "ann".into();
    session.created_at = NOW;
    session.expires_at = NOW.saturating_add(HOUR);
    change(&mut session);
    session
}

fn token(length: usize) -> GoToken {
    GoToken::new(vec![b'x'; length])
}

#[test]
fn each_session_is_judged_by_itself() {
    let taken = Outcome::Imported { cut: false };
    let cut = Outcome::Imported { cut: true };
    let refused = Outcome::Refused;
    let cases: Vec<(&str, GoSession, Outcome)> = vec![
        ("as Go makes them", go_session(|_| {}), taken.clone()),
        (
            "shortest token",
            go_session(|s| s.token = token(16)),
            taken.clone(),
        ),
        (
            "weaker token",
            go_session(|s| s.token = token(15)),
            refused(Refused::TokenTooShort { bytes: 15 }),
        ),
        (
            "longest token",
            go_session(|s| s.token = token(4_096)),
            taken.clone(),
        ),
        (
            "longer token",
            go_session(|s| s.token = token(4_097)),
            refused(Refused::TokenTooLong { bytes: 4_097 }),
        ),
        (
            "no user",
            go_session(|s| s.user_key = String::new()),
            refused(InvalidUserKey::Empty.into()),
        ),
        (
            "NUL in the user",
            go_session(|s| s.user_key = "a\0".into()),
            refused(InvalidUserKey::Nul.into()),
        ),
        (
            "longest user",
            go_session(|s| s.user_key = "a".repeat(256)),
            taken.clone(),
        ),
        (
            "longer user",
            go_session(|s| s.user_key = "a".repeat(257)),
            refused(InvalidUserKey::TooLong { bytes: 257 }.into()),
        ),
        (
            "expired",
            go_session(|s| s.expires_at = NOW),
            Outcome::Expired,
        ),
        (
            "never set",
            go_session(|s| s.expires_at = GoSession::ZERO_TIME),
            Outcome::Expired,
        ),
        (
            "clock a little ahead",
            go_session(|s| s.created_at = NOW.saturating_add(HOUR / 12)),
            taken.clone(),
        ),
        (
            "from the future",
            go_session(|s| {
                s.created_at = NOW
                    .saturating_add(HOUR / 12)
                    .saturating_add(Duration::from_millis(1));
            }),
            refused(Refused::CreatedInFuture),
        ),
        (
            "400 days",
            go_session(|s| s.expires_at = NOW.saturating_add(Import::MAX_LIFETIME)),
            taken.clone(),
        ),
        (
            "year 9999",
            go_session(|s| s.expires_at = LATE),
            cut.clone(),
        ),
        (
            "longest agent",
            go_session(|s| s.os = "o".repeat(64)),
            taken.clone(),
        ),
        (
            "longer agent",
            go_session(|s| s.browser = "\u{e9}".repeat(33)),
            cut.clone(),
        ),
        (
            "64 entries",
            go_session(|s| s.meta = entries(64)),
            taken.clone(),
        ),
        (
            "65 entries",
            go_session(|s| s.meta = entries(65)),
            refused(Refused::Meta(MetaError::TooMany { entries: 65 })),
        ),
        (
            "entry without a name",
            go_session(|s| {
                s.meta.insert(String::new(), "v".into());
            }),
            refused(Refused::Meta(MetaError::Key { bytes: 0 })),
        ),
        (
            "large meta",
            go_session(|s| {
                s.meta.insert("k".into(), "x".repeat(Meta::MAX_TOTAL_BYTES));
            }),
            refused(Refused::Meta(MetaError::TooLarge {
                bytes: Meta::MAX_TOTAL_BYTES + 3,
            })),
        ),
    ];
    for (name, session, expected) in cases {
        let mut writer = Writer::new("b").unwrap();
        writer.add(&session).unwrap();
        let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
        let store = MemoryStore::new();
        let (_, told) = import(Import::new(), &store, &file, "b", NOW);
        assert_eq!(told[0].outcome, expected, "{name}");
        assert_eq!(told[0].number, 1);
        let there = fetch(&store, session.token.expose()).is_some();
        assert_eq!(
            there,
            matches!(expected, Outcome::Imported { .. }),
            "{name}"
        );
    }
}

fn entries(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|entry| (entry.to_string(), String::new()))
        .collect()
}

#[test]
fn options_shape_what_is_taken() {
    let long = go_session(|session| session.expires_at = LATE);
    let mut writer = Writer::new("b").unwrap();
    writer.add(&long).unwrap();
    let file = BoltFile::from_bytes(writer.to_bytes().unwrap()).unwrap();
    let later = NOW.saturating_add(HOUR);
    let options = Import::new()
        .max_lifetime(24 * HOUR)
        .idle_timeout(HOUR)
        .persistent(true);
    let store = MemoryStore::new();
    import(options, &store, &file, "b", later);
    let session = fetch(&store, long.token.expose()).unwrap().session;
    assert_eq!(session.expires_at, NOW.saturating_add(24 * HOUR));
    assert_eq!(session.idle_timeout, Some(HOUR));
    assert_eq!(session.last_seen_at, later);
    assert!(session.persistent);
}

#[test]
fn rows_that_cannot_be_read_do_not_end_the_others() {
    let good =
        br#"{"id":"0123456789abcdef-c","user_key":"ann","expires_at":"2030-01-01T00:00:00Z"}"#;
    let file = forge::of_records(&[
        (b"0123456789abcdef-a".to_vec(), b"{".to_vec()),
        (
            b"0123456789abcdef-b".to_vec(),
            br#"{"id":"another"}"#.to_vec(),
        ),
        (b"0123456789abcdef-c".to_vec(), good.to_vec()),
        (b"0123456789abcdef-d".to_vec(), b"\x00\xff".to_vec()),
    ]);
    let file = BoltFile::from_bytes(file).unwrap();
    let (report, told) = import(everything(), &MemoryStore::new(), &file, "b", NOW);
    assert_eq!((report.rows, report.imported), (4, 1));
    assert_eq!(
        report.refused,
        BTreeMap::from([("id-differs", 1), ("undecodable", 2)])
    );
    assert_eq!(told[1].outcome, Outcome::Refused(BadRow::IdDiffers.into()));
    assert!(
        told.iter().all(|row| row.id.is_some()),
        "named by what is derived from the token"
    );
}

#[test]
fn nothing_that_is_told_holds_a_token() {
    let file = database("small");
    let (report, told) = import(everything(), &MemoryStore::new(), &file, "sessions", LATE);
    let rows: Vec<_> = file
        .sessions("sessions")
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let shown = format!("{report} {report:?} {told:?} {rows:?} {file:?}");
    for session in sessions(&file, "sessions") {
        let token = std::str::from_utf8(session.token.expose()).unwrap();
        assert!(!shown.contains(token));
        assert!(!shown.contains(&format!("{:?}", session.token.expose())));
    }
}

#[test]
fn a_second_run_leaves_alone_what_is_there() {
    let file = database("small");
    let store = MemoryStore::new();
    let (first, told) = import(Import::new(), &store, &file, "sessions", EARLY);
    // One was used in between.
    let used = told
        .iter()
        .find(|row| matches!(row.outcome, Outcome::Imported { .. }))
        .unwrap();
    let seen = EARLY.saturating_add(HOUR / 100);
    let mut touch = Change::default();
    touch.last_seen_at = Some(seen);
    futures_executor::block_on(store.update(used.id.unwrap(), touch, EARLY))
        .unwrap()
        .unwrap();

    let (second, _) = import(Import::new(), &store, &file, "sessions", EARLY);

    assert_eq!(second.imported, 0);
    assert_eq!(second.already_there, first.imported);
    assert_eq!(second.expired, first.expired);
    let record = futures_executor::block_on(store.fetch(used.id.unwrap(), EARLY)).unwrap();
    assert_eq!(record.unwrap().session.last_seen_at, seen);
}

/// All records that an import can have made of a file.
fn contents(store: &impl Store, go: &[GoSession]) -> Vec<Option<Record>> {
    go.iter()
        .map(|go| fetch(store, go.token.expose()))
        .collect()
}

#[test]
fn a_run_that_fails_anywhere_converges_when_it_is_run_again() {
    let file = database("nofreelistsync");
    let go = sessions(&file, "sessions");
    let whole = MemoryStore::new();
    import(everything(), &whole, &file, "sessions", LATE);
    let expected = contents(&whole, &go);
    assert!(expected.iter().all(Option::is_some));

    for fault in [Fault::Unavailable, Fault::OutcomeUnknown, Fault::Silence] {
        for after in (0..go.len()).step_by(3) {
            let failing = Failing::new(MemoryStore::new(), fault, after);
            let rows = file.sessions("sessions").unwrap();
            let import_all = everything();
            if fault == Fault::Silence {
                let mut run = pin!(import_all.run(&failing, rows, LATE, |_| {}));
                let mut context = Context::from_waker(Waker::noop());
                assert!(matches!(run.as_mut().poll(&mut context), Poll::Pending));
            } else {
                let error = import_all
                    .run_blocking(&failing, rows, LATE, |_| {})
                    .unwrap_err();
                assert!(matches!(error.source, ImportFailure::Store(_)), "{error:?}");
                assert_eq!(
                    error.report.imported, after as u64,
                    "what succeeded is counted"
                );
            }
            let (again, _) = import(everything(), &failing.inner, &file, "sessions", LATE);
            assert_eq!(again.imported + again.already_there, go.len() as u64);
            assert_eq!(
                contents(&failing.inner, &go),
                expected,
                "{fault:?} after {after}"
            );
        }
    }
}

#[test]
fn a_store_that_takes_few_at_once_is_not_overrun() {
    let directory = tempfile::tempdir().unwrap();
    let store = sessionup_redb::RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .queue(std::num::NonZeroUsize::MIN)
        .open(directory.path().join("sessions.redb"))
        .unwrap();
    let file = database("small");
    let (report, _) = import(everything(), &store, &file, "sessions", LATE);
    assert_eq!(report.imported, 50);
}

#[test]
fn damage_ends_an_import_after_what_came_before() {
    let session = |key: &str| {
        let value =
            format!(r#"{{"id":"{key}","user_key":"ann","expires_at":"2030-01-01T00:00:00Z"}}"#);
        (key.as_bytes().to_vec(), value.into_bytes())
    };
    let (first, second) = (
        session("aaaaaaaaaaaaaaaaaaaa"),
        session("zzzzzzzzzzzzzzzzzzzz"),
    );
    let mut forge = forge::two_leaves(b"b", (&first.0, first.1), (&second.0, second.1));
    let sound = BoltFile::from_bytes(forge.clone().finish()).unwrap();
    assert_eq!(
        import(everything(), &MemoryStore::new(), &sound, "b", NOW)
            .0
            .imported,
        2
    );

    forge.u16(7, 8, 0x10);
    let file = BoltFile::from_bytes(forge.finish()).unwrap();
    let store = MemoryStore::new();
    let error = everything()
        .run_blocking(&store, file.sessions("b").unwrap(), NOW, |_| {})
        .unwrap_err();
    assert_eq!(error.to_string(), "the import stopped after 1 of 1 rows");
    match error.source {
        ImportFailure::Bolt(BoltError::Damaged(damage)) => {
            assert_eq!((damage.page, damage.rule), (7, Rule::PageKind));
        }
        other => panic!("{other:?}"),
    }
    let ann = UserKey::new("ann").unwrap();
    let listed = futures_executor::block_on(store.list(&ann, NOW)).unwrap();
    assert_eq!(listed.len(), 1);
}
