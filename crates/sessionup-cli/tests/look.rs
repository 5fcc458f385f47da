//! Commands that only look: list, show, stats and check.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::io::Read;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sessionup_core::{Agent, Session};
use support::{HOUR, Place, ended, id, now, session};

/// Users and agents that a terminal would act upon.
fn hostile() -> Session {
    let mut session = session(9, "\u{1b}]0;owned\u{7}\u{202e}nna\r\n\u{9b}2J");
    session.client.agent = Agent::new("\u{1b}[31mLinux", "Fire\u{2066}fox");
    session.meta.insert("role\u{1b}c", "\u{200b}admin").unwrap();
    session
}

fn filled() -> Place {
    let place = Place::new();
    let mut bob = session(3, "bob");
    bob.created_at = now().saturating_sub(HOUR * 2);
    bob.idle_timeout = Some(HOUR * 48);
    bob.meta.insert("role", "writer").unwrap();
    bob.persistent = true;
    place.fill([
        session(1, "ann"),
        ended(2, "ann"),
        bob,
        hostile(),
        ended(5, "cleo"),
    ]);
    place
}

#[test]
fn lists() {
    let place = filled();
    let mut all = String::new();
    for line in [
        "list ann",
        "list ann --expired",
        "list --all",
        "list --all --expired --sort user",
        "list --all --sort expires",
    ] {
        let run = place.done(line);
        assert_eq!(run.stderr, "", "{line}");
        all.push_str(&format!("$ sessionup {line}\n{}\n", run.stdout));
    }
    for line in ["list zoe", "list cleo", "list an"] {
        let run = place.done(line);
        assert_eq!(run.stdout, "");
        all.push_str(&format!("$ sessionup {line}\n{}\n", run.stderr));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn lists_in_json() {
    let place = filled();
    let listed = place.done("list --all --json --sort user");
    assert_eq!(listed.ids(), [9, 1, 3].map(|number| id(number).to_string()));
    assert_eq!(place.done("list ann --json").ids(), [id(1).to_string()]);
    assert_eq!(
        place.done("list ann --json --expired").ids().len(),
        2,
        "with the one that has ended"
    );
    assert_eq!(place.done("list zoe --json").json(), json!([]));

    let document = listed.json();
    let hostile = &document[0];
    assert_eq!(
        hostile["user_key"],
        "\u{1b}]0;owned\u{7}\u{202e}nna\r\n\u{9b}2J"
    );
    assert_eq!(hostile["agent"]["browser"], "Fire\u{2066}fox");
    assert_eq!(hostile["meta"], json!({"role\u{1b}c": "\u{200b}admin"}));
    let bob = &document[2];
    let names: Vec<_> = bob.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "id",
            "user_key",
            "created_at",
            "authenticated_at",
            "last_seen_at",
            "expires_at",
            "ends_at",
            "is_live",
            "idle_timeout_ms",
            "persistent",
            "kind",
            "ip",
            "agent",
            "meta"
        ]
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
    assert_eq!(bob["idle_timeout_ms"], 172_800_000);
    assert_eq!(bob["persistent"], true);
    assert_ne!(bob["ends_at"], bob["expires_at"]);
}

/// Whatever users call themselves, and whatever is looked at.
#[test]
fn nothing_that_is_written_acts_on_a_terminal() {
    let place = filled();
    let hostile = id(9);
    for line in [
        "list --all --expired",
        "list --all --expired --json",
        &format!("show {hostile}"),
        &format!("show {hostile} --json"),
        &format!("revoke {hostile} --dry-run"),
        "stats",
        "check",
    ] {
        let run = place.done(line);
        assert!(run.stdout.len() > 10, "{line}");
        for char in run.stdout.chars().chain(run.stderr.chars()) {
            let is_plain = char == '\n' || !char.is_control();
            let turns = matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
            assert!(is_plain && !turns, "{line}: {char:?}");
        }
    }
}

#[test]
fn hash_and_its_forms_are_nowhere() {
    let place = filled();
    let hash = [0xab; 32];
    let forms = [
        data_encoding::HEXLOWER.encode(&hash),
        data_encoding::BASE64URL_NOPAD.encode(&hash),
        data_encoding::BASE64.encode(&hash),
        "171, 171".into(),
        "171,171".into(),
    ];
    for line in [
        "list --all --expired".to_owned(),
        "list --all --expired --json".into(),
        format!("show {}", id(3)),
        format!("show {} --json", id(3)),
        "stats --json".into(),
        "check --json".into(),
    ] {
        let run = place.done(&line);
        let written = run.stdout.to_lowercase() + &run.stderr.to_lowercase();
        for form in &forms {
            assert!(!written.contains(&form.to_lowercase()), "{line}: {form}");
        }
    }
}

#[test]
fn shows() {
    let place = filled();
    let times = |page: &str| {
        // The day changes from run to run; how far it is from now does not.
        let lines = page.lines().map(|line| match line.split_once(" UTC ") {
            Some((label, away)) => format!("{} … {away}", label.get(..13).unwrap()),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let shown = [3, 2, 9].map(|number| {
        let run = place.done(&format!("show {}", id(number)));
        times(&run.stdout)
    });
    insta::assert_snapshot!(shown.join("\n\n"));

    let one = place.done(&format!("show {} --json", id(3))).json();
    let listed = place.done("list bob --json").json();
    assert_eq!(one, listed[0]);

    let missing = place.run(&format!("show {} --db s.redb", id(4)));
    assert_eq!((missing.code, missing.stdout.as_str()), (3, ""));
    assert_eq!(
        missing.stderr,
        "sessionup: there is no session with this id\n"
    );
}

#[test]
fn stats() {
    let place = filled();
    let stats = place.done("stats --json").json();
    for (name, expected) in [
        ("sessions", 5),
        ("live", 3),
        ("expired", 2),
        ("damaged", 0),
        ("users", 3),
        ("most_of_one_user", 1),
    ] {
        assert_eq!(stats[name], expected, "{name}");
    }
    assert_eq!(stats["newest"]["id"], Value::from(id(3).to_string()));
    assert_eq!(stats["next_to_end"]["id"], Value::from(id(3).to_string()));
    let oldest = stats["oldest"]["id"].as_str().unwrap();
    assert!(
        [id(1), id(9)]
            .map(|id| id.to_string())
            .contains(&oldest.to_owned())
    );
    let size = std::fs::metadata(place.path("s.redb")).unwrap().len();
    assert_eq!(stats["file_bytes"], size);
    assert!(stats["session_bytes"].as_u64().unwrap() < size);

    let page = place.done("stats").stdout;
    assert!(
        page.starts_with("sessions     5\nlive         3\n"),
        "{page}"
    );
    assert_eq!(page.lines().count(), 9);

    let empty = Place::new();
    empty.fill([]);
    let stats = empty.done("stats --json").json();
    assert_eq!(
        (&stats["sessions"], &stats["oldest"]),
        (&json!(0), &Value::Null)
    );
    assert!(empty.done("stats").stdout.contains("oldest       none\n"));
}

#[test]
fn sound_file_is_checked() {
    let place = filled();
    let before = std::fs::read(place.path("s.redb")).unwrap();
    let check = place.done("check");
    assert_eq!(check.stdout, "5 sessions of 4 users, nothing is wrong\n");
    assert_eq!(
        place.done("check --json").json(),
        json!({
            "is_clean": true, "sessions": 5, "users": 4, "expired": 2, "wrong": 0, "findings": [],
        })
    );
    assert!(std::fs::read(place.path("s.redb")).unwrap() == before);
    assert_eq!(place.files(), ["s.redb"]);
}

/// As a pager does that shows the first page.
#[test]
fn list_whose_output_waits_holds_no_file() {
    for line in ["list --all", "list --all --json", "list ann --json"] {
        let place = Place::new();
        place.fill((0..6_000).map(|number| session(number, "ann")));
        let words = line.split_whitespace().chain(["--db", "s.redb"]);
        let mut child = place.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut text = vec![0];
        stdout.read_exact(&mut text).unwrap();
        // The rest does not fit into the pipe. A server starts all the same.
        let builder = sessionup_redb::RedbStore::builder().lock_wait(Duration::from_secs(90));
        let server = builder.open(place.path("s.redb")).unwrap();
        assert!(child.try_wait().unwrap().is_none(), "{line}");
        futures_executor::block_on(sessionup_core::Store::delete(&server, id(5_999), None))
            .unwrap();
        futures_executor::block_on(server.close());
        stdout.read_to_end(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "{line}");
        let text = String::from_utf8(text).unwrap();
        let found = if line.contains("json") {
            serde_json::from_str::<Vec<Value>>(&text).unwrap().len()
        } else {
            text.lines().count() - 1
        };
        assert_eq!(found, 5_999, "{line}: each once, and the last is gone");
    }
}

#[test]
fn names_that_look_alike_are_told_apart() {
    let place = Place::new();
    let names = [
        "ann",
        "ann ",
        "ann\u{fe0f}",
        "ann\u{2800}",
        "ann\u{a0}",
        "ann\u{2003}",
    ];
    place.fill((0..).zip(names).map(|(number, name)| session(number, name)));
    let table = place.done("list --all").stdout;
    let shown: std::collections::BTreeSet<_> = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().nth(1).unwrap())
        .collect();
    let expected = [
        "ann",
        "ann\\u{20}",
        "ann\\u{2003}",
        "ann\\u{2800}",
        "ann\\u{a0}",
        "ann\\u{fe0f}",
    ];
    assert_eq!(shown, expected.into_iter().collect());
    let listed = place.done("list --all --json").json();
    let listed = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["user_key"].clone());
    assert_eq!(listed.collect::<Vec<_>>(), names.map(Value::from));
    let gone = place.run_with(["revoke", "--user", "anna ", "--yes", "--db", "s.redb"]);
    assert_eq!(
        gone.stderr,
        "sessionup: user \"anna\\u{20}\" has no such sessions\n"
    );
}

/// Whoever reads the first lines only is no reason to fail, and none to panic.
#[test]
fn reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    place.fill((0..2_000).map(|number| session(number, "ann")));
    for line in [
        "list --all",
        "list --all --json",
        "completions bash",
        "man",
        "--help",
    ] {
        let words = line.split_whitespace().chain(["--db", "s.redb"]);
        let is_on_a_file = line.starts_with("list");
        let mut child = place
            .command(words.take(if is_on_a_file {
                9
            } else {
                line.split(' ').count()
            }))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Closed before it was read.
        drop(child.stdout.take());
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(stderr, "", "{line}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line}");
    }
}

/// A full disk is told, for what was to be read is not there.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let place = filled();
    for line in ["list --all", "list --all --json", "stats"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let words = line.split_whitespace().chain(["--db", "s.redb"]);
        let run = place.command(words).stdout(full.unwrap()).output().unwrap();
        assert_eq!(run.status.code(), Some(1), "{line}");
        let stderr = String::from_utf8(run.stderr).unwrap();
        assert!(
            stderr.starts_with("sessionup: output could not be written: "),
            "{stderr}"
        );
    }
}

#[test]
fn file_can_be_named_by_the_environment() {
    let place = filled();
    let listed = place
        .command(["list", "ann", "--json"])
        .env("SESSIONUP_DB", "s.redb")
        .output()
        .unwrap();
    assert!(listed.status.success());
    let document: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(document[0]["id"], id(1).to_string());
    // What is said counts more.
    let other = place
        .command(["list", "ann", "--db", "s.redb"])
        .env("SESSIONUP_DB", "missing.redb")
        .output()
        .unwrap();
    assert!(other.status.success());
}

#[test]
fn sessions_that_ended_by_being_idle_are_not_listed() {
    let place = Place::new();
    let mut idle = session(1, "ann");
    idle.idle_timeout = Some(Duration::from_secs(60));
    place.fill([idle]);
    assert_eq!(place.done("list ann --json").json(), json!([]));
    assert_eq!(place.done("stats --json").json()["expired"], 1);
}
