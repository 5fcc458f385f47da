//! What is said of each command, and of mistakes in using it.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use support::Place;

const COMMANDS: [&str; 15] = [
    "list",
    "show",
    "revoke",
    "prune",
    "stats",
    "check",
    "compact",
    "backup",
    "restore",
    "import",
    "import bolt",
    "export",
    "export bolt",
    "completions",
    "man",
];

#[test]
fn help() {
    let place = Place::new();
    let short = place.run("-h");
    let mut all = place.run("--help").stdout;
    assert_eq!(short.code, 0);
    for command in COMMANDS {
        let help = place.run(&format!("{command} --help"));
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
        all.push_str(&format!("\n$ sessionup {command} --help\n{}", help.stdout));
    }
    for line in all.lines().filter(|line| line.starts_with("  sessionup")) {
        assert!(line.len() <= 80, "{line}");
    }
    insta::assert_snapshot!(all);
}

#[test]
fn mistakes() {
    let place = Place::new();
    let lines = [
        "",
        "list",
        "list --all",
        "list --all ann --db s.redb",
        "list ann --sort age --db s.redb",
        "revoke --db s.redb",
        "show not-an-id --db s.redb",
        "revoke 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f0 --db s.redb",
        "revoke --user ann --except 398 --db s.redb",
        "list --all --ip 203.0.113.300 --db s.redb",
        "list --all --kind User --db s.redb",
        "list --all --limit 0 --db s.redb",
        "revoke 0199f0c4 --ip 203.0.113.3 --db s.redb",
        "import bolt a.db --db s.redb --max-lifetime 30",
        "completions csh",
        "lst",
    ];
    let mut all = String::new();
    for line in lines {
        let run = place.run(line);
        assert_eq!(run.code, 2, "{line}: {run:?}");
        assert_eq!(run.stdout, "");
        // The help that stands for an empty line is above.
        if !line.is_empty() {
            all.push_str(&format!("$ sessionup {line}\n{}\n", run.stderr));
        }
    }
    assert!(place.files().is_empty());
    insta::assert_snapshot!(all);
}

/// Whoever pastes a token in place of an id does not see it again, in a log or over a shoulder.
#[test]
fn what_is_given_as_id_is_not_repeated() {
    let place = Place::new();
    let token = "AZnwxIpefMOYxNwMDAc5jwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
    for line in [
        "show TOKEN",
        "revoke TOKEN",
        "revoke --user ann --except TOKEN",
    ] {
        let run = place.run(&format!("{} --db s.redb", line.replace("TOKEN", token)));
        assert_eq!(run.code, 2);
        assert!(!run.stderr.contains(&token[22..]), "{run:?}");
    }
}

#[test]
fn completions_know_all_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = place.run(&format!("completions {shell}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        if shell == "bash" {
            // A user is no file.
            let after = run.stdout.split("--user)\n").nth(1).unwrap();
            assert_eq!(
                after.lines().next().unwrap().trim(),
                r#"COMPREPLY=("${cur}")"#
            );
        }
        for word in ["revoke", "dry-run"] {
            let is_there = run.stdout.contains(word);
            assert!(is_there, "{shell}: {word}");
        }
    }
}

#[test]
fn manual_pages() {
    let place = Place::new();
    let main = place.run("man");
    assert_eq!((main.code, main.stderr.as_str()), (0, ""));
    let written = place.run("man .");
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    let mut expected: Vec<_> = COMMANDS
        .iter()
        .map(|command| format!("sessionup-{}.1", command.replace(' ', "-")))
        .chain(["sessionup.1".to_owned()])
        .collect();
    expected.sort();
    assert_eq!(place.files(), expected);
    let read = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(read("sessionup.1"), main.stdout);
    let both = main.stdout + "\n" + &read("sessionup-import-bolt.1");
    let version = env!("CARGO_PKG_VERSION");
    insta::assert_snapshot!(both.replace(version, "VERSION"));

    let nowhere = place.run("man missing");
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
}
