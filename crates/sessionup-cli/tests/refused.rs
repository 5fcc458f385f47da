//! Files that are missing, in use, something else or damaged: what is said, and that nothing is done.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Place, id, session};

/// A line for each command that works on a file, without the file.
fn all_commands() -> Vec<String> {
    let id = id(1);
    let mut lines = looking();
    lines.extend([
        format!("revoke {id} --yes"),
        "revoke --user ann --yes".into(),
        "prune --yes".into(),
        "compact".into(),
    ]);
    lines
}

fn looking() -> Vec<String> {
    let id = id(1);
    vec![
        "list ann".into(),
        "list --all --json".into(),
        format!("show {id}"),
        format!("revoke {id} --dry-run"),
        "prune --dry-run".into(),
        "stats".into(),
        "check".into(),
        "backup copy.redb".into(),
        "export bolt back.db --from go.db".into(),
    ]
}

fn with_go() -> Place {
    let place = Place::new();
    let go = support::go_session(&support::go_token(1), "ann");
    support::write_bolt(&place.path("go.db"), [go]);
    place
}

#[test]
fn missing_file_is_not_made() {
    let place = with_go();
    for line in all_commands() {
        let run = place.run(&format!("{line} --db s.redb"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(
            run.stderr, "sessionup: there is no file s.redb, name the sessions with --db\n",
            "{line}"
        );
        assert_eq!(place.files(), ["go.db"], "{line}");
    }
}

#[test]
fn wrong_bucket_is_named_and_not_made() {
    let place = with_go();
    place.fill([session(1, "ann")]);
    let before = fs::read(place.path("s.redb")).unwrap();
    for line in all_commands() {
        let option = if line.starts_with("export") {
            "--db-bucket"
        } else {
            "--bucket"
        };
        let run = place.run(&format!("{line} --db s.redb {option} session"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(
            run.stderr,
            format!(
                "sessionup: there is no bucket \"session\" here, but \"sessions\": say {option} \"sessions\"\n"
            ),
            "{line}"
        );
        assert!(fs::read(place.path("s.redb")).unwrap() == before, "{line}");
        assert_eq!(place.files(), ["go.db", "s.redb"], "{line}");
    }
}

#[test]
fn file_of_a_server_that_does_not_listen_is_refused_with_what_to_do() {
    let place = with_go();
    place.fill([session(1, "ann")]);
    let server = place.store();
    let mut lines = all_commands();
    lines.push("import bolt go.db --yes".into());
    for line in lines {
        let run = place.run(&format!("{line} --db s.redb --wait 0s"));
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{line}");
        assert_eq!(
            run.stderr,
            "sessionup: s.redb is in use: another process has it open, and nobody answers at \
             s.redb.control. If that is a server, stop it; or have it listen for tools \
             (RedbStoreBuilder::control), to look, revoke, prune and back up beside it. In a container \
             it must see the directory of the file, not the file alone\n",
            "{line}"
        );
    }
    assert_eq!(place.files(), ["go.db", "s.redb"]);
    futures_executor::block_on(server.close());
    assert_eq!(place.done("list ann --json --wait 0s").ids().len(), 1);
}

/// A server that is just being stopped is waited for.
#[test]
fn file_that_becomes_free_is_waited_for() {
    let place = Place::new();
    place.fill([session(1, "ann")]);
    let server = place.store();
    let child = place
        .command(["list", "ann", "--json", "--wait", "5m", "--db", "s.redb"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    futures_executor::block_on(server.close());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.len() > 100);
}

#[test]
fn what_is_no_database_is_left_alone() {
    let place = with_go();
    let contents: [(&str, &[u8]); 3] = [
        ("empty", b""),
        ("text", b"a note\n"),
        ("long text", &[b'x'; 100_000]),
    ];
    for (name, content) in contents {
        fs::write(place.path("s.redb"), content).unwrap();
        for line in all_commands() {
            let run = place.run(&format!("{line} --db s.redb"));
            assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{name}: {line}");
            let expected = match name {
                "empty" => {
                    "sessionup: s.redb is an empty file: no server has stored sessions in it, name \
                     another file with --db\n"
                }
                _ => "sessionup: s.redb is not a redb database, choose another path\n",
            };
            assert_eq!(run.stderr, expected, "{name}: {line}");
            assert_eq!(
                fs::read(place.path("s.redb")).unwrap(),
                content,
                "{name}: {line}"
            );
        }
    }
    fs::remove_file(place.path("s.redb")).unwrap();
    fs::create_dir(place.path("s.redb")).unwrap();
    for line in all_commands() {
        let run = place.run(&format!("{line} --db s.redb"));
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (1, ""),
            "directory: {line}"
        );
        assert_eq!(
            run.stderr,
            "sessionup: s.redb is a directory, name the file of the sessions in it\n"
        );
    }
    assert_eq!(place.files(), ["go.db", "s.redb"]);
}

/// One byte in each page of the file in turn. What is still read is right, what is not is told with
/// the code for damage, and there is no panic.
#[test]
fn damaged_file_is_told_and_never_ends_in_a_panic() {
    let place = Place::new();
    place.fill((0..40).map(|number| session(number, "ann")));
    let whole = fs::read(place.path("s.redb")).unwrap();
    let all = place.done("list --all --json").stdout;
    let mut found = 0;
    for at in (0..whole.len()).step_by(4_096).map(|page| page + 37) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(place.path("s.redb"), &damaged).unwrap();
        let check = place.run("check --db s.redb");
        assert!(matches!(check.code, 0 | 1 | 4), "{at}: {check:?}");
        found += u32::from(check.code == 4);
        let list = place.run("list --all --json --db s.redb");
        match list.code {
            0 => assert_eq!(list.stdout, all, "{at}"),
            1 | 4 => assert!(list.stderr.starts_with("sessionup: "), "{at}: {list:?}"),
            _ => panic!("{at}: {list:?}"),
        }
        for run in [check, list] {
            assert!(
                !run.stderr.contains("a fault of the program"),
                "{at}: {run:?}"
            );
            assert!(!run.stderr.contains("panicked at"), "{at}: {run:?}");
        }
        assert!(fs::read(place.path("s.redb")).unwrap() == damaged, "{at}");
    }
    assert!(found > 0, "no damage was found");
}

#[test]
fn cut_file_is_told() {
    let place = Place::new();
    place.fill((0..40).map(|number| session(number, "ann")));
    let whole = fs::read(place.path("s.redb")).unwrap();
    for length in [1, 100, 4_096, whole.len() / 2, whole.len() - 1] {
        fs::write(place.path("s.redb"), &whole[..length]).unwrap();
        for line in ["check", "list --all", "backup copy.redb"] {
            let run = place.run(&format!("{line} --db s.redb"));
            assert!(matches!(run.code, 1 | 4), "{length}: {line}: {run:?}");
            assert!(!run.stderr.contains("a fault of the program"), "{run:?}");
        }
        assert_eq!(place.files(), ["s.redb"], "{length}");
    }
}

/// Damage that lies in a record alone would be copied on and on.
#[test]
fn damaged_file_is_not_backed_up() {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "ann")]);
    support::spoil_record(&place.path("s.redb"), id(1));
    let run = place.run("backup copy.redb --db s.redb");
    assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
    assert_eq!(place.files(), ["s.redb"]);
}

#[cfg(unix)]
#[test]
fn file_that_may_not_be_read_is_told() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    place.fill([session(1, "ann")]);
    fs::set_permissions(place.path("s.redb"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(place.path("s.redb")).is_ok() {
        // Root may read everything.
        return;
    }
    let run = place.run("list ann --db s.redb");
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .starts_with("sessionup: no permission to open s.redb, which belongs to user "),
        "{run:?}"
    );
}
