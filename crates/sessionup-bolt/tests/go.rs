//! The real sessionup-boltstore reads, writes and checks what is written here, and the other way.
//!
//! Its Go program is in `tests/go`. Where Go or its modules cannot be had, these tests say `NOT RUN`,
//! and what Go left of an earlier run is read instead. `SESSIONUP_GO_PEER` names a program that is
//! built already; `SESSIONUP_GO_REWRITE=1` renews what is kept of its answers.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used
)]

#[path = "support/json_cases.rs"]
mod json_cases;
mod support;
#[path = "support/told.rs"]
mod told;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sessionup_bolt::{BoltError, BoltFile, GoSession, GoToken, Writer};
use sessionup_core::Timestamp;
use told::{lines, told};

const CREATED: &str = "created-by-go-0123456789abcdefghijklmnop";
const DELETED: &str = "session-00017-0123456789abcdefghijklmnop";

/// The Go program, or why there is none.
static PEER: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    if let Some(peer) = std::env::var_os("SESSIONUP_GO_PEER") {
        return Ok(peer.into());
    }
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sessionup-go-peer");
    let built = Command::new("go")
        .args(["build", "-mod=readonly", "-o"])
        .arg(&to)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go"))
        .output();
    match built {
        Err(error) => Err(format!("no go: {error}")),
        Ok(built) if !built.status.success() => {
            let said = String::from_utf8_lossy(&built.stderr);
            Err(format!(
                "go build: {}",
                said.lines().last().unwrap_or_default()
            ))
        }
        Ok(_) => Ok(to),
    }
});

fn peer(test: &str) -> Option<&'static Path> {
    match &*PEER {
        Ok(peer) => Some(peer),
        Err(why) => {
            // Not captured by the test harness, so that it is seen.
            let _ = writeln!(
                std::io::stderr(),
                "NOT RUN: {test}, for want of Go and its modules ({why})"
            );
            None
        }
    }
}

/// Runs the program and returns what it said.
fn ask(peer: &Path, arguments: &[&str], input: &str) -> Vec<Value> {
    let mut child = Command::new(peer)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writing = std::thread::spawn(move || to.write_all(input.as_bytes()));
    let mut said = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
    writing.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
    lines(&said)
}

/// Enough for a tree of three levels, with large and odd ones among them.
fn sessions() -> Vec<GoSession> {
    (0_u16..1_500)
        .map(|number| {
            let token = match number {
                40 => b"bad\xff\xfeid-with-more-bytes".to_vec(),
                41 => vec![b'L'; 30_000],
                42 => "sesija-\u{17e}-\u{1f36a}".into(),
                43 => b"\x01low".to_vec(),
                _ => format!("session-{number:05}-0123456789abcdefghijklmnop").into_bytes(),
            };
            let mut session = GoSession::new(GoToken::new(token));
            session.created_at = Timestamp::from_millis(1_795_372_146_000 + i64::from(number));
            session.expires_at =
                Timestamp::from_millis(2_110_000_000_000 - i64::from(number) * 1_000);
            session.user_key = format!("user <{}> & \u{2028} \u{7f}\u{1}\"", number % 100);
            session.ip = ["192.0.2.1", "2001:db8::7", ""][usize::from(number % 3)]
                .parse()
                .ok();
            session.os = ["Linux", "", "OS X"][usize::from(number % 3)].into();
            session.browser = "Firefox".into();
            if number % 4 == 0 {
                session.meta = (0..number % 7)
                    .map(|n| (format!("k{n}"), "v\n".repeat(9)))
                    .collect();
            }
            if number % 500 == 7 {
                session.meta.insert("large".into(), "x".repeat(40_000));
            }
            session
        })
        .collect()
}

fn written(path: &Path) -> Vec<GoSession> {
    let sessions = sessions();
    let mut writer = Writer::new("sessions").unwrap();
    sessions
        .iter()
        .for_each(|session| writer.add(session).unwrap());
    writer.write(path).unwrap();
    sessions
}

#[test]
fn go_reads_writes_and_checks_what_is_written_here() {
    let Some(peer) = peer("go_reads_writes_and_checks_what_is_written_here") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("export.db");
    let sessions = written(&path);
    let ids: String = sessions
        .iter()
        .map(|session| HEXLOWER.encode(session.token.expose()) + "\n")
        .collect();

    let arguments = ["use", path.to_str().unwrap(), "sessions", CREATED, DELETED];
    let answers = ask(peer, &arguments, &ids);

    let mut expected: Vec<_> = sessions.iter().map(told).collect();
    for answer in &mut expected {
        // What Go returns as the id is what JSON could hold of it.
        if answer["id_hex"] == HEXLOWER.encode(b"bad\xff\xfeid-with-more-bytes") {
            let id = "bad\u{fffd}\u{fffd}id-with-more-bytes";
            answer["id_hex"] = HEXLOWER.encode(id.as_bytes()).into();
        }
    }
    assert!(
        answers == expected,
        "Go reads other sessions than were written"
    );
    expect_what_go_left(&BoltFile::open(&path).unwrap());
    if std::env::var_os("SESSIONUP_GO_REWRITE").is_some() {
        keep("written_by_go.db.gz", &gzip(&std::fs::read(&path).unwrap()));
    }
}

#[test]
fn what_go_left_of_an_earlier_run_is_read() {
    expect_what_go_left(&support::database("written_by_go"));
}

/// The sessions written here, without the one that Go deleted and with the one that it created.
fn expect_what_go_left(file: &BoltFile) {
    file.check().unwrap();
    let mut expected = sessions();
    expected.retain(|session| session.token.expose() != DELETED.as_bytes());
    assert_eq!(expected.len(), 1_499);
    let mut created = GoSession::new(GoToken::new(CREATED.into()));
    created.created_at = Timestamp::from_millis(1_795_345_200_123);
    created.expires_at = Timestamp::from_millis(2_110_968_000_000);
    created.user_key = "made by Go".into();
    created.ip = "192.0.2.7".parse().ok();
    created.os = "Linux".into();
    created.browser = "Firefox".into();
    created.meta.insert("permission".into(), "write".into());
    expected.push(created);
    expected.sort_by(|a, b| a.token.cmp(&b.token));
    let found = support::sessions(file, "sessions");
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn go_still_says_the_same_of_records() {
    let Some(peer) = peer("go_still_says_the_same_of_records") else {
        return;
    };
    let records: String = json_cases::cases()
        .iter()
        .map(|record| HEXLOWER.encode(record) + "\n")
        .collect();
    let answers = ask(peer, &["json"], &records);
    let kept: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
    if std::env::var_os("SESSIONUP_GO_REWRITE").is_some() {
        keep("go_json.jsonl", kept.as_bytes());
    }
    let before = include_str!("fixtures/go_json.jsonl");
    assert!(kept == before, "fixtures/go_json.jsonl is not what Go says");
}

#[test]
fn a_file_that_go_holds_open_is_refused_until_it_is_closed() {
    let Some(peer) = peer("a_file_that_go_holds_open_is_refused_until_it_is_closed") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("held.db");
    std::fs::write(&path, support::fixture("small.db")).unwrap();
    let mut child = Command::new(peer)
        .arg("hold")
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "held\n");

    let refused = BoltFile::open(&path);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(
        matches!(refused, Err(BoltError::Busy { .. })),
        "{refused:?}"
    );
    BoltFile::open(&path).unwrap().check().unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn keep(name: &str, bytes: &[u8]) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::write(fixtures.join(name), bytes).unwrap();
}
