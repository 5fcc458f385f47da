//! Beside a server that has the file open and listens.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use futures_executor::block_on;
use serde_json::json;
use sessionup_core::{CreateOptions, Record, SecretHash, Store, StoreError};
use sessionup_redb::RedbStore;
use support::{Place, ended, go_session, go_token, id, now, session, write_bolt};

/// A server with sessions 1 and 2 of ann, 4 of bob, and 3 of ann that has ended.
fn served() -> (Place, RedbStore) {
    let place = Place::new();
    place.fill([
        session(1, "ann"),
        session(2, "ann"),
        ended(3, "ann"),
        session(4, "bob"),
    ]);
    let server = RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .reserve_bytes(0)
        .control(true)
        .open(place.path("s.redb"))
        .unwrap();
    (place, server)
}

/// The same is shown of a server as of the file afterwards.
#[test]
fn what_is_shown_is_what_the_file_holds() {
    let (place, server) = served();
    let lines = [
        "list --all --expired --json".to_owned(),
        "list --all".into(),
        "list ann --json --expired".into(),
        "list zoe --json".into(),
        format!("show {} --json", id(1)),
        "revoke --user ann --dry-run --json".into(),
        "prune --dry-run".into(),
    ];
    let beside = lines.clone().map(|line| place.done(&line).stdout);
    let stats = place.done("stats --json").json();
    let check = place.done("check --json");
    assert!(
        check.stderr.starts_with("a server has the file open"),
        "{check:?}"
    );
    block_on(server.close());
    for (line, beside) in lines.iter().zip(beside) {
        assert_eq!(place.done(line).stdout, beside, "{line}");
    }
    assert_eq!(place.done("check --json").json(), check.json());
    let file = place.done("stats --json").json();
    for name in [
        "sessions",
        "live",
        "expired",
        "users",
        "oldest",
        "session_bytes",
    ] {
        assert_eq!(stats[name], file[name], "{name}");
    }
}

#[test]
fn revoked_sessions_are_gone_for_the_server_at_once() {
    let (place, server) = served();
    let is_there = |number| block_on(server.fetch(id(number), now())).unwrap().is_some();
    assert!(is_there(1) && is_there(2) && is_there(4));
    let run = place.done(&format!("revoke {} --yes", id(1)));
    assert_eq!(run.stdout, "1 session ended\n");
    assert!(!is_there(1) && is_there(2) && is_there(4));
    let run = place.done(&format!(
        "revoke --user ann --except {} --yes --json",
        id(3)
    ));
    assert_eq!(run.json()["revoked"], 1);
    assert!(!is_there(2) && is_there(4));
    let missing = place.run(&format!("revoke {} --yes --db s.redb", id(9)));
    assert_eq!(missing.code, 3);
    assert_eq!(place.done("prune --yes").stdout, "1 session deleted\n");
    assert_eq!(
        place.done("list --all --expired --json").ids(),
        [id(4).to_string()]
    );
}

#[test]
fn backup_is_made_while_the_server_goes_on() {
    let (place, server) = served();
    let run = place.done("backup copy.redb --json");
    assert_eq!(
        (&run.json()["sessions"], &run.json()["users"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(run.json()["whole_file"], json!(false));
    assert!(
        run.stderr
            .contains("no other table that may be in the file"),
        "{run:?}"
    );
    assert!(place.is_private("copy.redb"));
    let listed = |file: &str| {
        let run = place.run(&format!("list --all --expired --json --db {file}"));
        assert_eq!(run.code, 0, "{run:?}");
        run.stdout
    };
    assert_eq!(listed("copy.redb"), listed("s.redb"));
    let again = place.run("backup copy.redb --db s.redb");
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert!(block_on(server.fetch(id(1), now())).unwrap().is_some());
}

#[test]
fn what_needs_the_file_is_refused() {
    let (place, server) = served();
    write_bolt(&place.path("go.db"), [go_session(&go_token(1), "ann")]);
    for line in [
        "compact",
        "import bolt go.db --yes",
        "export bolt back.db --from go.db",
    ] {
        let run = place.run(&format!("{line} --db s.redb --wait 0s"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert!(
            run.stderr
                .ends_with("this command needs the file for itself, stop the server first\n"),
            "{run:?}"
        );
    }
    let other = place.run("list ann --db s.redb --bucket logins");
    assert_eq!(other.code, 1);
    assert_eq!(
        other.stderr,
        "sessionup: there is no bucket \"logins\" here, but \"sessions\": say --bucket \"sessions\"\n"
    );
    drop(server);
}

/// The file is opened as ever once the server is gone.
#[test]
fn server_that_was_killed_is_no_server() {
    let (place, server) = served();
    block_on(server.close());
    let listener = std::os::unix::net::UnixListener::bind(place.path("s.redb.control")).unwrap();
    drop(listener);
    fs::symlink_metadata(place.path("s.redb.control")).unwrap();
    assert_eq!(place.done("list ann --json").ids().len(), 2);
}

/// A login that is under way is refused, although a look finds nothing to end.
#[test]
fn revoke_of_user_without_sessions_overtakes_logins() {
    let (place, server) = served();
    let login = |user: &str, begun| {
        let record = Record::new(session(9, user), SecretHash::from_bytes([1; 32]));
        let options = CreateOptions::default().begun(Some(begun));
        block_on(server.create(record, options, now()))
    };
    let begun = server.epoch();
    let dry = place.run("revoke --user zoe --dry-run --db s.redb");
    assert_eq!(dry.code, 3, "{dry:?}");
    assert!(login("zoe", begun).is_ok(), "a dry run refuses nothing");
    assert!(block_on(server.delete(id(9), None)).unwrap());

    for (line, user) in [
        ("revoke --user zoe --yes", "zoe"),
        ("revoke --user zoe --except 00000004 --yes", "zoe"),
        ("revoke --all --yes", "dora"),
    ] {
        let begun = server.epoch();
        let run = place.run(&format!("{line} --db s.redb"));
        let code = if line.contains("--all") { 0 } else { 3 };
        assert_eq!(run.code, code, "{line}: {run:?}");
        let refused = login(user, begun);
        assert!(
            matches!(refused, Err(StoreError::Overtaken)),
            "{line}: {refused:?}"
        );
    }
}

#[test]
fn revoke_all_beside_a_server_ends_every_session() {
    let (place, server) = served();
    let run = place.done("revoke --all --yes");
    assert_eq!(run.stdout, "4 sessions ended\n");
    assert!(block_on(server.fetch(id(1), now())).unwrap().is_none());
    assert!(block_on(server.fetch(id(4), now())).unwrap().is_none());
}

/// What the server would not hear of is not done.
#[test]
fn commands_beside_server_with_other_file_change_nothing() {
    let (place, server) = served();
    place.done("backup other.redb");
    fs::rename(place.path("s.redb"), place.path("served.redb")).unwrap();
    write_bolt(&place.path("go.db"), [go_session(&go_token(1), "ann")]);
    let lines = |file: &str| {
        [
            "revoke --user ann --yes".to_owned(),
            format!("revoke {} --yes", id(1)),
            "revoke --all --yes".into(),
            "prune --yes".into(),
            "compact".into(),
            "import bolt go.db --yes".into(),
            "restore other.redb --yes".into(),
            "list --all".into(),
            "backup copy.redb".into(),
        ]
        .map(|line| format!("{line} --db {file} --wait 0s"))
    };
    for line in lines("s.redb")
        .iter()
        .filter(|line| !line.contains("import"))
    {
        let run = place.run(line);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert!(
            run.stderr
                .contains("s.redb is gone, and yet a server answers at s.redb.control"),
            "{line}: {run:?}"
        );
    }
    fs::copy(place.path("other.redb"), place.path("s.redb")).unwrap();
    let before = fs::read(place.path("s.redb")).unwrap();
    for line in lines("s.redb") {
        let run = place.run(&line);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}: {run:?}");
        assert!(
            run.stderr.contains("it has another file open"),
            "{line}: {run:?}"
        );
        assert!(fs::read(place.path("s.redb")).unwrap() == before, "{line}");
    }
    assert!(!place.path("copy.redb").exists());
    fs::write(place.path("s.redb"), [0x5a; 10_000]).unwrap();
    let run = place.run("restore other.redb --yes --db s.redb --wait 0s");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("it has another file open"), "{run:?}");
    assert!(block_on(server.fetch(id(1), now())).unwrap().is_some());
}

#[test]
fn server_that_gives_no_answer_is_told_as_that() {
    let place = Place::new();
    place.fill([session(1, "ann")]);
    let server = place.store();
    let silent = std::os::unix::net::UnixListener::bind(place.path("s.redb.control")).unwrap();
    for line in ["list ann", "revoke --user ann --yes"] {
        let run = place.run(&format!("{line} --db s.redb --wait 1s"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(
            run.stderr,
            "sessionup: the server that has s.redb open gave no answer within 1s: nothing was changed. \
             Try again; --wait 2m waits longer\n"
        );
    }
    drop(silent);
    drop(server);
}

#[test]
fn names_that_are_not_utf8_work_beside_a_server() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (place, server) = served();
    let name = OsStr::from_bytes(b"copy-\xff.redb");
    let backup = [
        OsStr::new("backup"),
        name,
        OsStr::new("--db"),
        OsStr::new("s.redb"),
    ];
    let run = place.run_with(backup);
    assert_eq!(run.code, 0, "{run:?}");
    block_on(server.close());
    let list = ["list", "--all", "--json", "--db"].map(OsStr::new);
    assert_eq!(
        place.run_with(list.into_iter().chain([name])).ids().len(),
        3
    );
}
