//! `sessionup import bolt`

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

#[path = "../../sessionup-bolt/tests/support/forge.rs"]
mod forge;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};
use sessionup_bolt::{BoltFile, GoSession};
use sessionup_core::{Credential, Meta};
use support::go::{self, FIXTURES, of_sidecar, sidecar};
use support::{DAY, HOUR, Place, go_session, go_token, now, write_bolt};

/// Why a session is left out, if it is.
fn reason(go: &GoSession) -> Option<&'static str> {
    let token = go.token.expose().len();
    let meta: usize = go
        .meta
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let is_odd = |name: &String| name.is_empty() || name.len() > Meta::MAX_KEY_BYTES;
    if token < 16 {
        Some("token-too-short")
    } else if token > 4_096 {
        Some("token-too-long")
    } else if !(1..=256).contains(&go.user_key.len()) || go.user_key.contains('\0') {
        Some("user-key")
    } else if go.created_at > now().saturating_add(HOUR / 12) {
        Some("created-in-future")
    } else if go.meta.len() > 64 || meta > Meta::MAX_TOTAL_BYTES || go.meta.keys().any(is_odd) {
        Some("meta")
    } else {
        None
    }
}

/// A session as it is to be listed.
fn listed(go: &GoSession) -> Value {
    let cut = |name: &str| {
        let ends = name.char_indices().map(|(at, char)| at + char.len_utf8());
        name[..ends.filter(|end| *end <= 64).max().unwrap_or(0)].to_owned()
    };
    let id = Credential::of_imported(go.token.expose()).unwrap().id;
    json!({
        "id": id,
        "user_key": go.user_key,
        "created_at": go.created_at,
        "authenticated_at": go.created_at,
        "last_seen_at": go.created_at,
        "expires_at": go.expires_at,
        "ends_at": go.expires_at,
        "is_live": go.expires_at > now(),
        "idle_timeout_ms": null,
        "persistent": false,
        "kind": "user",
        "ip": go.ip.map(|ip| ip.to_canonical()),
        "agent": {"os": cut(&go.os), "browser": cut(&go.browser)},
        "meta": go.meta,
    })
}

/// Imports all of a bucket into a file of its own, and compares what is listed then, field for field.
fn compare(place: &Place, source: &str, bucket: &str, go: &[GoSession]) -> usize {
    let target = format!("{source}-{}.redb", bucket.len());
    let import = [
        "import", "bolt", source, "--bucket", bucket, "--db", &target,
    ]
    .into_iter()
    .chain([
        "--include-expired",
        "--max-lifetime",
        "4000000d",
        "--yes",
        "--json",
    ]);
    let run = place.run_with(import);
    assert_eq!(run.code, 0, "{source} {bucket}: {run:?}");
    let report = run.json();

    let (mut taken, mut left_out) = (Vec::new(), BTreeMap::<_, u64>::new());
    for go in go {
        match reason(go) {
            Some(reason) => *left_out.entry(reason).or_default() += 1,
            None => taken.push(go),
        }
    }
    assert_eq!(report["rows"], go.len(), "{source} {bucket}");
    assert_eq!(report["imported"], taken.len(), "{source} {bucket}");
    assert_eq!(report["left_out"], json!(left_out), "{source} {bucket}");
    assert_eq!(
        report["left_out_rows"].as_array().unwrap().len(),
        go.len() - taken.len()
    );

    let list = place.run(&format!("list --all --expired --json --db {target}"));
    let list = list.json();
    let by_id = |sessions: Vec<Value>| -> BTreeMap<String, Value> {
        let named = sessions
            .into_iter()
            .map(|session| (session["id"].as_str().unwrap().to_owned(), session));
        named.collect()
    };
    let found = by_id(list.as_array().unwrap().clone());
    let expected = by_id(taken.iter().map(|go| listed(go)).collect());
    assert_eq!(found.len(), expected.len(), "{source} {bucket}");
    for (id, expected) in &expected {
        assert_eq!(found.get(id), Some(expected), "{source} {bucket}");
    }
    let check = place.run(&format!("check --db {target}"));
    assert_eq!(check.code, 0, "{check:?}");
    taken.len()
}

/// Against what was handed to Go, not against what is read here.
#[test]
fn every_session_of_every_fixture_arrives_field_for_field() {
    let place = Place::new();
    let mut compared = 0;
    for name in FIXTURES {
        let path = place.go_fixture(name);
        let before = fs::read(&path).unwrap();
        let mut buckets = BTreeMap::<_, Vec<_>>::new();
        for ((bucket, token), given) in sidecar(name) {
            buckets
                .entry(bucket)
                .or_default()
                .push(of_sidecar(token, &given));
        }
        for (bucket, go) in &buckets {
            compared += compare(&place, &format!("{name}.db"), bucket, go);
        }
        assert!(fs::read(&path).unwrap() == before, "{name} was changed");
    }
    // Of 1,307; those of `edge` that are of the future are taken once it has come.
    assert!((1_270..=1_290).contains(&compared), "{compared}");
}

/// Files that have no sidecar are compared with what the library reads.
#[test]
fn every_other_file_of_go_is_imported() {
    let place = Place::new();
    let deletes = [512, 1_024, 2_048, 8_192, 32_768, 65_536].map(|size| format!("deletes{size}"));
    let mut buckets_in_all = BTreeSet::new();
    for name in deletes.iter().map(String::as_str).chain(["written_by_go"]) {
        let file = BoltFile::open(place.go_fixture(name)).unwrap();
        let buckets = file.session_buckets().unwrap();
        for bucket in &buckets {
            let go = go::sessions(&file, bucket);
            assert!(compare(&place, &format!("{name}.db"), bucket, &go) > 0);
        }
        buckets_in_all.extend(buckets);
    }
    assert!(buckets_in_all.contains("b"), "{buckets_in_all:?}");
}

fn three() -> Place {
    let place = Place::new();
    let mut ended = go_session(&go_token(3), "cleo");
    ended.created_at = now().saturating_sub(3 * DAY);
    ended.expires_at = now().saturating_sub(HOUR);
    write_bolt(
        &place.path("go.db"),
        [
            go_session(&go_token(1), "ann"),
            go_session(&go_token(2), "bob"),
            ended,
            go_session("short", "dora"),
        ],
    );
    place
}

#[test]
fn dry_run_says_what_would_come_of_it_and_makes_nothing() {
    let place = three();
    let run = place.done("import bolt go.db --dry-run");
    assert_eq!(
        run.stdout,
        "would be: 4 rows: 2 imported (0 of them cut), 0 already there, 1 expired, 1 left out: token-too-short 1\n"
    );
    assert_eq!(
        run.stderr,
        "row 4 left out: its token has 5 bytes, at least 16 are needed\n"
    );
    assert_eq!(place.files(), ["go.db"]);
    let run = place.done("import bolt go.db --dry-run --json").json();
    assert_eq!(
        (&run["dry_run"], &run["file_made"]),
        (&json!(true), &json!(false))
    );

    place.done("import bolt go.db --yes");
    let before = fs::read(place.path("s.redb")).unwrap();
    let run = place
        .done("import bolt go.db --dry-run --include-expired --json")
        .json();
    let counts = ["imported", "already_there", "expired"].map(|name| run[name].as_u64().unwrap());
    assert_eq!(counts, [1, 2, 0]);
    assert!(fs::read(place.path("s.redb")).unwrap() == before);
}

#[test]
fn import_may_be_run_again() {
    let place = three();
    let first = place.done("import bolt go.db --yes --json").json();
    assert_eq!(
        first,
        json!({
            "dry_run": false, "file_made": true, "rows": 4, "imported": 2, "cut": 0,
            "already_there": 0, "expired": 1, "left_out": {"token-too-short": 1},
            "left_out_rows": [{
                "row": 4, "id": null, "reason": "token-too-short",
                "text": "its token has 5 bytes, at least 16 are needed",
            }],
            "damage": null,
        })
    );
    let before = fs::read(place.path("s.redb")).unwrap();
    let again = place.done("import bolt go.db --yes --json").json();
    assert_eq!(again["already_there"], 2);
    assert_eq!(again["file_made"], false);
    assert!(
        fs::read(place.path("s.redb")).unwrap() == before,
        "nothing was written"
    );
    assert!(place.is_private("s.redb"));
}

/// Into a file that an application has for other things too.
#[test]
fn bucket_is_made_in_a_file_that_is_there() {
    let place = three();
    place.fill([support::session(1, "ann")]);
    let run = place
        .done("import bolt go.db --db-bucket imported --yes --json")
        .json();
    assert_eq!(
        (&run["imported"], &run["file_made"]),
        (&json!(2), &json!(false))
    );
    assert_eq!(
        place
            .done("list --all --json --bucket imported")
            .ids()
            .len(),
        2
    );
    assert_eq!(place.done("list --all --json").ids().len(), 1);
}

#[test]
fn options_shape_what_is_taken() {
    let place = three();
    place.done("import bolt go.db --yes --max-lifetime 2h --idle-timeout 30m --persistent");
    let session = &place.done("list ann --json").json()[0];
    assert_eq!(session["idle_timeout_ms"], 1_800_000);
    assert_eq!(session["persistent"], true);
    let file = BoltFile::open(place.path("go.db")).unwrap();
    let created = go::sessions(&file, "sessions")[0].created_at;
    let two_hours_later = created.saturating_add(2 * HOUR).to_string();
    assert_eq!(session["expires_at"], two_hours_later);
    let id = session["id"].as_str().unwrap();
    let listed = place.done(&format!("show {id} --json"));
    assert_eq!(&listed.json(), session);
}

#[test]
fn nothing_to_import_makes_nothing() {
    let place = Place::new();
    let short = go_session("short", "ann");
    write_bolt(&place.path("go.db"), [short]);
    let run = place.done("import bolt go.db");
    assert!(run.stdout.starts_with("1 rows: 0 imported"), "{run:?}");
    assert_eq!(place.files(), ["go.db"]);
}

#[test]
fn tokens_are_in_nothing_that_is_written() {
    let place = Place::new();
    let tokens: Vec<_> = (0..20)
        .map(|number| format!("r4nd0m{number:034}"))
        .collect();
    let sessions = tokens.iter().map(|token| {
        let mut session = go_session(token, "ann");
        // Half of them are left out and told of.
        if token.ends_with(['1', '3', '5', '7', '9']) {
            session.user_key = String::new();
        }
        session
    });
    write_bolt(&place.path("go.db"), sessions);
    for line in [
        "import bolt go.db --dry-run",
        "import bolt go.db --yes",
        "import bolt go.db --yes --json",
        "list --all --json",
        "export bolt back.db --from go.db --json",
    ] {
        let run = place.done(line);
        for token in &tokens {
            let written = run.stdout.clone() + &run.stderr;
            assert!(!written.contains(token.as_str()), "{line}");
        }
    }
    let database = fs::read(place.path("s.redb")).unwrap();
    for token in &tokens {
        let is_there = database
            .windows(token.len())
            .any(|bytes| bytes == token.as_bytes());
        assert!(!is_there, "a token is in the database");
    }
}

#[test]
fn files_that_cannot_be_imported_are_told() {
    let place = three();
    fs::write(place.path("note.txt"), "x".repeat(10_000)).unwrap();
    let mut all = String::new();
    for line in [
        "import bolt missing.db",
        "import bolt note.txt",
        "import bolt .",
        "import bolt go.db --bucket logins",
    ] {
        let run = place.run(&format!("{line} --yes --db s.redb"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}: {run:?}");
        all.push_str(&format!("$ sessionup {line}\n{}\n", run.stderr));
    }
    assert_eq!(place.files(), ["go.db", "note.txt"]);
    insta::assert_snapshot!(all);
}

#[cfg(unix)]
#[test]
fn file_that_a_go_program_has_open_is_refused() {
    let place = three();
    let held = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.path("go.db"))
        .unwrap();
    held.lock().unwrap();
    let run = place.run("import bolt go.db --yes --db s.redb");
    assert_eq!(run.code, 1);
    assert_eq!(
        run.stderr,
        "sessionup: \"go.db\" is open for writing in another process: stop the Go program first, or \
         read a copy made while it was stopped\n"
    );
    assert_eq!(place.files(), ["go.db"]);
    drop(held);
    place.done("import bolt go.db --yes");
}

/// Two leaves, the second of which is damaged.
fn damaged() -> Place {
    let session = |key: &str| {
        let ends = now().saturating_add(DAY);
        let value = format!(r#"{{"id":"{key}","user_key":"ann","expires_at":"{ends}"}}"#);
        (key.as_bytes().to_vec(), value.into_bytes())
    };
    let (first, second) = (
        session("aaaaaaaaaaaaaaaaaaaa"),
        session("zzzzzzzzzzzzzzzzzzzz"),
    );
    let mut forge = forge::two_leaves(b"sessions", (&first.0, first.1), (&second.0, second.1));
    forge.u16(7, 8, 0x10);
    let place = Place::new();
    fs::write(place.path("go.db"), forge.finish()).unwrap();
    place
}

#[test]
fn damaged_file_is_imported_only_on_request() {
    let place = damaged();
    let import = "import bolt go.db --yes --max-lifetime 4000000d --db s.redb";
    let run = place.run(import);
    assert_eq!((run.code, run.stdout.as_str()), (4, ""));
    assert_eq!(
        run.stderr,
        "nothing was imported; 1 session before the damage can be with --despite-damage\n\
         sessionup: go.db could not be read: page 7 is damaged: it is neither a branch nor a leaf\n"
    );
    assert_eq!(place.files(), ["go.db"]);

    let run = place.run(&format!("{import} --despite-damage --json"));
    assert_eq!(run.code, 4);
    let report = run.json();
    assert_eq!(report["imported"], 1);
    assert_eq!(
        report["damage"],
        "page 7 is damaged: it is neither a branch nor a leaf"
    );
    assert_eq!(place.done("list ann --json").ids().len(), 1);
}
