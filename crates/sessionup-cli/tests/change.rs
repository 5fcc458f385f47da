//! Commands that change something: revoke, prune, compact and backup.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::Duration;

use serde_json::json;
use sessionup_core::Session;
use sessionup_redb::FileReader;
use support::{Place, ended, id, session};

fn filled() -> Place {
    let place = Place::new();
    place.fill([
        session(1, "ann"),
        session(2, "ann"),
        ended(3, "ann"),
        session(4, "bob"),
        session(5, "an"),
    ]);
    place
}

/// Numbers of all sessions that are there, ended ones too.
fn there(place: &Place) -> Vec<u64> {
    let reader = FileReader::open(place.path("s.redb"), "sessions", Duration::ZERO).unwrap();
    let all = reader.after(None, 1_000).unwrap();
    let numbers = all
        .iter()
        .map(|(id, _)| u128::from_be_bytes(*id.as_bytes()) >> 64);
    numbers.map(|number| number.try_into().unwrap()).collect()
}

#[test]
fn sessions_are_revoked_by_id() {
    let place = filled();
    let run = place.done(&format!("revoke {} {} --yes", id(4), id(1)));
    assert_eq!(
        (run.stdout.as_str(), run.stderr.as_str()),
        ("2 sessions ended\n", "")
    );
    assert_eq!(there(&place), [2, 3, 5]);
    let one = place.done(&format!("revoke {0} {0} -y --json", id(2)));
    assert_eq!(
        one.json(),
        json!({
            "dry_run": false, "revoked": 1, "sessions": [id(2).to_string()], "not_found": [],
        })
    );
    assert_eq!(there(&place), [3, 5]);
    assert_eq!(place.files(), ["s.redb"], "no reserve is made");
}

#[test]
fn sessions_of_exactly_one_user_are_revoked() {
    let place = filled();
    let run = place.done(&format!("revoke --user ann --except {} --yes", id(2)));
    assert_eq!(run.stdout, "2 sessions ended\n");
    assert_eq!(there(&place), [2, 4, 5]);
    place.done("revoke --user ann --yes");
    assert_eq!(there(&place), [4, 5]);
}

#[test]
fn all_that_are_excepted_stay() {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "ann"), session(3, "ann")]);
    place.done(&format!(
        "revoke --user ann --except {} --except {} --yes",
        id(1),
        id(2)
    ));
    assert_eq!(there(&place), [1, 2]);
}

/// Files may not grow beyond a limit, which fails in the midst of it.
#[cfg(unix)]
#[test]
fn revocation_that_fails_is_an_error() {
    let mut failed = 0;
    for blocks in [8, 16, 32, 64, 128] {
        for target in [id(1).to_string(), "--user ann".into(), "--all".into()] {
            let place = filled();
            // Otherwise the signal that comes with it ends the process.
            let script = format!(r#"trap '' XFSZ; ulimit -f {blocks}; exec "$0" "$@""#);
            let line = format!("revoke {target} --yes --wait 0s --db s.redb");
            let output = std::process::Command::new("sh")
                .current_dir(place.path(""))
                .args(["-c", &script, support::PROGRAM])
                .args(line.split_whitespace())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            match output.status.code() {
                Some(0) => assert!(there(&place).len() < 5, "{blocks}: {line}"),
                code => {
                    let stderr = String::from_utf8(output.stderr).unwrap();
                    assert_eq!(
                        (code, text.as_str()),
                        (Some(1), ""),
                        "{blocks}: {line}: {stderr}"
                    );
                    failed +=
                        usize::from(stderr.contains("raise the limit of file sizes (ulimit -f)"));
                }
            }
        }
    }
    assert!(failed > 0, "no limit was met");
}

#[cfg(unix)]
#[test]
fn limit_of_open_files_is_told() {
    let place = filled();
    let mut told = 0;
    // The system wants some files itself before the program begins.
    for files in 3..16 {
        let output = std::process::Command::new("sh")
            .current_dir(place.path(""))
            .args(["-c", &format!(r#"ulimit -n {files}; exec "$0" "$@""#)])
            .args([
                support::PROGRAM,
                "backup",
                "copy.redb",
                "--wait",
                "0s",
                "--db",
                "s.redb",
            ])
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let _ = fs::remove_file(place.path("copy.redb"));
        if output.status.code() == Some(1) {
            let remedy = ": raise the limit of open files (ulimit -n)\n";
            assert!(stderr.ends_with(remedy), "{files}: {stderr}");
            told += 1;
        }
    }
    assert!(told > 0, "no limit was met");
}

#[test]
fn what_is_not_there_is_told() {
    let place = filled();
    let mixed = place.run(&format!("revoke {} {} --yes --db s.redb", id(1), id(8)));
    assert_eq!(
        (mixed.code, mixed.stdout.as_str()),
        (3, "1 session ended\n")
    );
    assert_eq!(
        mixed.stderr,
        format!(
            "there is no session {}\nsessionup: 1 session not found\n",
            id(8)
        )
    );
    assert_eq!(there(&place), [2, 3, 4, 5]);
    let none = place.run(&format!("revoke {} --yes --json --db s.redb", id(8)));
    assert_eq!(none.code, 3);
    assert_eq!(none.json()["not_found"], json!([id(8).to_string()]));
    let nobody = place.run("revoke --user zoe --yes --db s.redb");
    assert_eq!((nobody.code, nobody.stdout.as_str()), (3, ""));
    assert_eq!(
        nobody.stderr,
        "sessionup: user \"zoe\" has no such sessions\n"
    );
    assert_eq!(there(&place), [2, 3, 4, 5]);
}

/// Byte for byte, as if the command had not been run.
#[test]
fn dry_run_changes_nothing() {
    let place = filled();
    let before = fs::read(place.path("s.redb")).unwrap();
    for (line, last) in [
        (format!("revoke {} --dry-run", id(1)), "1 session would end"),
        (
            format!("revoke {} --dry-run --yes", id(1)),
            "1 session would end",
        ),
        ("revoke --user ann --dry-run".into(), "3 sessions would end"),
        ("prune --dry-run".into(), "1 session would be deleted"),
    ] {
        let run = place.done(&line);
        assert_eq!(run.stdout.lines().last(), Some(last), "{line}");
        assert!(fs::read(place.path("s.redb")).unwrap() == before, "{line}");
    }
    let run = place.done("revoke --user ann --dry-run --json").json();
    assert_eq!(
        (&run["dry_run"], &run["revoked"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(run["sessions"].as_array().unwrap().len(), 3);
    assert_eq!(place.files(), ["s.redb"]);
}

#[test]
fn nothing_is_destroyed_where_nobody_can_be_asked() {
    let place = filled();
    let before = fs::read(place.path("s.redb")).unwrap();
    for line in [
        format!("revoke {}", id(1)),
        "revoke --user ann --json".into(),
        "prune".into(),
    ] {
        let run = place.run(&format!("{line} --db s.redb"));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}");
        assert!(run.stderr.ends_with(
            "sessionup: there is no terminal to ask in: say --yes, or --dry-run to see what would be done\n"
        ));
        assert!(fs::read(place.path("s.redb")).unwrap() == before, "{line}");
    }
}

#[test]
fn what_has_ended_is_pruned() {
    let place = filled();
    let run = place.done("prune --yes");
    assert_eq!(run.stdout, "1 session deleted\n");
    assert_eq!(there(&place), [1, 2, 4, 5]);
    let again = place.done("prune --yes --json");
    assert_eq!(
        again.json(),
        json!({"dry_run": false, "expired": 0, "deleted": 0})
    );
    // There is nothing to ask.
    assert_eq!(place.done("prune").stdout, "0 sessions deleted\n");
}

/// The file was last used by a clock that is ten days before that of this machine.
#[test]
fn after_a_jump_of_the_clock_less_is_pruned_unless_the_clock_is_trusted() {
    let place = filled();
    let store = place.store();
    let before = support::now().saturating_sub(support::DAY * 10);
    sessionup_core::Store::watermark(&store).observe(before);
    // Kept with the next change.
    let record = sessionup_core::Record::new(
        session(6, "cleo"),
        sessionup_core::SecretHash::from_bytes([0; 32]),
    );
    let created = sessionup_core::Store::create(
        &store,
        record,
        sessionup_core::CreateOptions::default(),
        before,
    );
    futures_executor::block_on(created).unwrap();
    futures_executor::block_on(store.close());

    let run = place.done("prune --yes");
    assert_eq!(run.stdout, "0 sessions deleted\n");
    assert!(run.stderr.starts_with("the clock is far from"), "{run:?}");
    assert_eq!(
        place.done("prune --yes --trust-clock").stdout,
        "1 session deleted\n"
    );
}

#[test]
fn compacting_keeps_all_sessions() {
    let place = Place::new();
    place.fill((0..3_000).map(|number| session(number, "ann")));
    let ids = (1..3_000).map(|number| id(number).to_string());
    let revoke = ["revoke", "--yes", "--db", "s.redb"].map(str::to_owned);
    assert_eq!(place.run_with(revoke.into_iter().chain(ids)).code, 0);
    let before = fs::metadata(place.path("s.redb")).unwrap().len();
    let run = place.done("compact --json").json();
    let after = fs::metadata(place.path("s.redb")).unwrap().len();
    assert!(after < before, "{before} {after}");
    assert_eq!(run, json!({"bytes_before": before, "bytes_after": after}));
    assert_eq!(there(&place), [0]);
    assert!(place.done("compact").stdout.contains(" before, "));
    place.done("check");
}

#[test]
fn backup_is_a_checked_copy_that_its_owner_alone_can_read() {
    let place = filled();
    let run = place.done("backup copy.redb --json");
    let copy = place.path("copy.redb");
    assert!(fs::read(&copy).unwrap() == fs::read(place.path("s.redb")).unwrap());
    let size = fs::metadata(&copy).unwrap().len();
    assert_eq!(
        run.json(),
        json!({"path": "copy.redb", "bytes": size, "sessions": 5, "users": 3, "whole_file": true})
    );
    assert!(place.is_private("copy.redb"));
    assert_eq!(place.files(), ["copy.redb", "s.redb"]);
    let listed = place.run("list --all --json --db copy.redb");
    assert_eq!(listed.json(), place.done("list --all --json").json());
}

#[test]
fn backup_is_written_over_nothing() {
    let place = filled();
    fs::write(place.path("copy.redb"), "mine").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("nowhere", place.path("link.redb")).unwrap();
    for name in [
        "copy.redb",
        "s.redb",
        #[cfg(unix)]
        "link.redb",
    ] {
        let run = place.run(&format!("backup {name} --db s.redb"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{name}");
        assert_eq!(
            run.stderr,
            format!(
                "sessionup: {name} is there already and is not written over, choose another name\n"
            )
        );
    }
    assert_eq!(fs::read(place.path("copy.redb")).unwrap(), b"mine");
    assert!(!place.path("nowhere").exists());
    let nowhere = place.run("backup missing/copy.redb --db s.redb");
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
    assert_eq!(
        nowhere.stderr,
        "sessionup: there is no directory missing, make it or choose another\n"
    );
    assert_eq!(there(&place).len(), 5);
}

/// What was written with a reserve beside it, as servers do, has it left as it is.
#[test]
fn reserve_of_a_server_stays() {
    let place = filled();
    let store = sessionup_redb::RedbStore::open(place.path("s.redb")).unwrap();
    futures_executor::block_on(store.close());
    let before = fs::read(place.path("s.redb.reserve")).unwrap();
    assert!(!before.is_empty());
    place.done(&format!("revoke {} --yes", id(1)));
    assert!(fs::read(place.path("s.redb.reserve")).unwrap() == before);
}

#[test]
fn sessions_that_cannot_be_read_can_be_revoked() {
    let place = Place::new();
    let sessions: Vec<Session> = (0..3).map(|number| session(number, "ann")).collect();
    place.fill(sessions);
    support::spoil_record(&place.path("s.redb"), id(1));
    let listed = place.run("list --all --json --db s.redb");
    assert_eq!(listed.code, 4, "{listed:?}");
    let left = [0, 2].map(|number| id(number).to_string());
    assert_eq!(listed.ids(), left, "the document is whole");
    let spoilt = id(1).to_string();
    assert!(
        listed
            .stderr
            .starts_with(&format!("record of session {spoilt} is damaged"))
    );
    let show = place.run(&format!("show {spoilt} --db s.redb"));
    assert_eq!((show.code, show.stdout.as_str()), (4, ""));
    assert_eq!(place.run("stats --json --db s.redb").json()["damaged"], 1);
    let check = place.run("check --json --db s.redb");
    assert_eq!(check.code, 4);
    assert!(
        check.json()["findings"][0]
            .as_str()
            .unwrap()
            .contains(&spoilt)
    );

    place.done(&format!("revoke {spoilt} --yes"));
    assert_eq!(place.done("list --all --json").ids(), left);
}
