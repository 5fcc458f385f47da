//! Which sessions are listed, shown and revoked: short ids, ids of the standard input, filters, all.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::json;
use sessionup_core::{Agent, Kind, Session, SessionId};
use support::{DAY, HOUR, Place, Run, id, now, session};

/// Two ids that end alike, and one that ends otherwise.
const ALIKE: [&str; 3] = [
    "0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f",
    "0199f0c4-8a5f-7cc3-98c4-aa0c0c07398f",
    "0199f0c4-8a60-7cc3-98c4-dc0c0c073990",
];

fn alike() -> Place {
    let place = Place::new();
    place.fill(ALIKE.map(|text| {
        let mut session = session(1, "ann");
        session.id = text.parse::<SessionId>().unwrap();
        session
    }));
    place
}

fn left(place: &Place) -> Vec<String> {
    place.done("list --all --json").ids()
}

fn run_with_input(place: &Place, line: &str, input: &str) -> Run {
    let mut child = place
        .command(line.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before all is read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn show_by_unambiguous_part_finds_session() {
    let place = alike();
    for part in [
        "dc0c0c07398f",
        "DC0C0C07398F",
        "\u{2026}dc0c0c07398f",
        "0199f0c4-8a5e",
        "0199F0C48A5E",
        "0199F0C4-8A5E-7CC3-98C4-DC0C0C07398F",
    ] {
        let run = place.run_with(["show", part, "--json", "--db", "s.redb"]);
        assert_eq!(run.json()["id"], ALIKE[0], "{part}");
    }
    let run = place.run("show 3990 --json --db s.redb");
    assert_eq!(run.json()["id"], ALIKE[2]);
}

#[test]
fn part_of_several_ids_is_refused() {
    let place = alike();
    for (line, part) in [
        ("show 398f", "398f"),
        ("show \u{2026}398f", "\u{2026}398f"),
        ("revoke 398f", "398f"),
        ("revoke 0c07398f --yes", "0c07398f"),
        ("revoke --user ann --except 0c07398f --yes", "0c07398f"),
    ] {
        let run = place.run(&format!("{line} --db s.redb"));
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}");
        let expected = format!(
            "sessionup: {part} is short for several sessions, give more of the id: {}, {}\n",
            ALIKE[0], ALIKE[1]
        );
        assert_eq!(run.stderr, expected);
    }
    assert_eq!(left(&place), ALIKE);
    let none = place.run("revoke ffffffff --yes --json --db s.redb");
    assert_eq!(
        (none.code, none.json()["not_found"].clone()),
        (3, json!(["ffffffff"]))
    );
    let spared = place.run("revoke --user ann --except ffffffff --yes --db s.redb");
    assert_eq!(spared.code, 3);
    assert_eq!(left(&place), ALIKE);
}

/// A table shows the end of an id, which may be how another one begins.
#[test]
fn show_marked_end_leaves_beginnings_out() {
    let place = alike();
    place.fill(["07398f00", "11111111"].map(|beginning| {
        let mut session = session(2, "bob");
        let id = format!("{beginning}-8a5e-7cc3-98c4-{beginning}3990");
        session.id = id.parse::<SessionId>().unwrap();
        session
    }));
    for mark in ["\u{2026}", "..."] {
        let by_beginning = format!("{mark}07398f00");
        let run = place.run_with(["show", by_beginning.as_str(), "--db", "s.redb"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{run:?}");
        let by_end = format!("{mark}11113990");
        let run = place.run_with(["show", by_end.as_str(), "--json", "--db", "s.redb"]);
        assert_eq!(run.json()["user_key"], "bob", "{run:?}");
    }
    let unmarked = place.run("show 07398f00 --json --db s.redb");
    assert_eq!(unmarked.json()["user_key"], "bob", "{unmarked:?}");
}

#[test]
fn revoke_unasked_by_seven_characters_is_refused() {
    let place = alike();
    let refused = |run: &Run| {
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{run:?}");
        let told = "is too short for --yes, which asks nobody whether the right session was found: give at \
                    least eight characters of the id";
        assert!(run.stderr.contains(told), "{run:?}");
    };
    for line in [
        "revoke c073990 --yes",
        "revoke 0199f0c4-8a5f c073990 --yes",
        "revoke --user ann --except c073990 --yes",
    ] {
        refused(&place.run(&format!("{line} --db s.redb")));
    }
    refused(&run_with_input(
        &place,
        "revoke - --yes --db s.redb",
        "c073990\n",
    ));
    assert_eq!(left(&place), ALIKE);
    place.done("revoke c073990 --dry-run");
    place.done("revoke 0c073990 --yes");
    assert_eq!(left(&place), ALIKE[..2]);
}

#[test]
fn revoke_by_part_says_which_session_it_is() {
    let place = alike();
    let run = place.done("revoke 0c073990 0199f0c4-8a5f --yes");
    assert_eq!(run.stdout, "2 sessions ended\n");
    for (part, id) in [("0c073990", ALIKE[2]), ("0199f0c48a5f", ALIKE[1])] {
        assert!(run.stderr.contains(&format!("{part} is {id}")), "{run:?}");
    }
    assert_eq!(left(&place), [ALIKE[0]]);
}

#[test]
fn revoke_dash_reads_ids_from_input() {
    let place = Place::new();
    place.fill((0..5).map(|number| session(number, "ann")));
    let input = format!("{}\r\n\n  {}\n", id(1), id(3));
    let run = run_with_input(
        &place,
        &format!("revoke - {} --yes --db s.redb", id(4)),
        &input,
    );
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "3 sessions ended\n"),
        "{run:?}"
    );
    assert_eq!(left(&place), [0, 2].map(|number| id(number).to_string()));
}

#[test]
fn revoke_dash_with_one_wrong_line_changes_nothing() {
    let place = Place::new();
    place.fill((0..3).map(|number| session(number, "ann")));
    let secret = "AZnwxIpefMOYxNwMDAc5jwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
    for (input, expected) in [
        (
            format!("{}\n{secret}\n", id(1)),
            "line 2 is no id of a session",
        ),
        (String::new(), "no ids were given"),
        (
            format!("{}\n", id(1)).repeat(100_001),
            "more than 100000 ids were given",
        ),
    ] {
        let run = run_with_input(&place, "revoke - --yes --db s.redb", &input);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{expected}");
        assert!(run.stderr.contains(expected), "{}", run.stderr);
        assert!(!run.stderr.contains(secret));
    }
    let unasked = run_with_input(&place, "revoke - --db s.redb", &id(1).to_string());
    assert_eq!(unasked.code, 2, "nobody can be asked");
    assert_eq!(left(&place).len(), 3);
}

#[test]
fn revoke_all_ends_every_session() {
    let place = Place::new();
    place.fill((0..700).map(|number| session(number, &format!("user{}", number % 7))));
    let before = fs::read(place.path("s.redb")).unwrap();
    let dry = place.done("revoke --all --dry-run");
    assert_eq!(dry.stdout.lines().last(), Some("700 sessions would end"));
    assert!(dry.stdout.contains("and 650 sessions more\n"), "{dry:?}");
    let unasked = place.run("revoke --all --db s.redb");
    assert_eq!(unasked.code, 2);
    assert!(fs::read(place.path("s.redb")).unwrap() == before);
    assert_eq!(
        place.done("revoke --all --yes").stdout,
        "700 sessions ended\n"
    );
    assert!(left(&place).is_empty());
    let again = place.run("revoke --all --yes --db s.redb");
    assert_eq!(again.code, 3, "{again:?}");
    assert_eq!(again.stderr, "sessionup: there are no such sessions\n");
}

#[test]
fn revoke_all_spares_all_that_are_excepted() {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "bob"), session(3, "cleo")]);
    let line = format!("revoke --all --except {} --except {} --yes", id(1), id(3));
    assert_eq!(place.done(&line).stdout, "1 session ended\n");
    assert_eq!(left(&place), [1, 3].map(|number| id(number).to_string()));
}

/// Sessions that differ in address, agent, age and kind.
fn various() -> Place {
    let with = |number, change: &dyn Fn(&mut Session)| {
        let mut session = session(number, if number % 2 == 0 { "ann" } else { "bob" });
        change(&mut session);
        session
    };
    let place = Place::new();
    place.fill([
        with(1, &|_| {}),
        with(2, &|session| session.client.ip = "203.0.113.7".parse().ok()),
        with(3, &|session| {
            session.client.ip = "203.0.113.99".parse().ok()
        }),
        with(4, &|session| {
            session.client.agent = Agent::new("Windows", "Chrome")
        }),
        with(5, &|session| {
            session.created_at = now().saturating_sub(DAY * 40)
        }),
        with(6, &|session| session.kind = Kind::GUEST),
        with(7, &|session| {
            session.created_at = now().saturating_sub(HOUR)
        }),
        with(8, &|session| session.client.ip = None),
    ]);
    place
}

#[test]
fn filters_choose_sessions_to_list_and_revoke() {
    let cases: [(&str, &[u64]); 12] = [
        ("--all --ip 203.0.113.7", &[2]),
        ("--all --ip 203.0.113.0/24", &[2, 3]),
        ("--user bob --ip 203.0.113.0/24", &[3]),
        ("--all --agent CHROME", &[4]),
        ("--all --agent windows --ip 203.0.113.0/24", &[]),
        ("--all --older-than 30d", &[5]),
        ("--user ann --older-than 2h --agent firefox", &[2, 6, 8]),
        ("--all --kind guest", &[6]),
        ("--all --kind user --limit 3", &[1, 2, 3]),
        ("--all --limit 2", &[1, 2]),
        ("--user ann --limit 100", &[2, 4, 6, 8]),
        ("--all --kind login-attempt", &[]),
    ];
    for (filter, expected) in cases {
        let place = various();
        let expected: Vec<_> = expected
            .iter()
            .map(|number| id(*number).to_string())
            .collect();
        let listed = place.done(&format!("list {filter} --json"));
        assert_eq!(listed.ids(), expected, "{filter}");
        let run = place.run(&format!("revoke {filter} --yes --json --db s.redb"));
        assert_eq!(
            run.code,
            if expected.is_empty() { 3 } else { 0 },
            "{filter}"
        );
        assert_eq!(run.json()["sessions"], json!(expected), "{filter}");
        assert_eq!(run.json()["revoked"], expected.len(), "{filter}");
        let left = left(&place);
        assert_eq!(left.len() + expected.len(), 8, "{filter}");
        assert!(left.iter().all(|id| !expected.contains(id)), "{filter}");
    }
}

#[test]
fn list_sorted_with_limit_has_the_first() {
    let place = various();
    let ids = |line: &str| place.done(line).ids();
    assert_eq!(
        ids("list --all --sort created --limit 1 --json"),
        [id(5).to_string()]
    );
    let all = ids("list --all --sort created --json");
    assert_eq!(all.len(), 8);
    assert_eq!(all[7], id(7).to_string());
    assert_eq!(ids("list --user ann --json"), ids("list ann --json"));
}

#[test]
fn kind_of_a_session_is_shown() {
    let place = various();
    assert!(!place.done("list --all --kind user").stdout.contains("KIND"));
    let guest = place.done("list --all --kind guest").stdout;
    assert!(
        guest.contains("  KIND   ") && guest.contains("  guest  "),
        "{guest}"
    );
    let json = place.done(&format!("show {} --json", id(6))).json();
    assert_eq!(json["kind"], "guest");
}

#[test]
fn only_bucket_is_taken_if_none_is_named() {
    let place = Place::new();
    let fill = |bucket: &str| {
        let store = sessionup_redb::RedbStore::builder()
            .bucket(bucket)
            .cleanup_interval(std::time::Duration::ZERO)
            .reserve_bytes(0)
            .open(place.path("s.redb"))
            .unwrap();
        support::create(&store, [session(1, "ann")]);
        futures_executor::block_on(store.close());
    };
    fill("logins");
    let run = place.done("list --all --json");
    assert_eq!(run.ids().len(), 1);
    assert!(
        run.stderr.contains("bucket \"logins\", the only one"),
        "{run:?}"
    );
    place.done("check");
    assert_eq!(
        place.done("revoke --user ann --yes").stdout,
        "1 session ended\n"
    );
    let named = place.run("list --all --db s.redb --bucket sessions");
    assert_eq!(
        named.stderr,
        "sessionup: there is no bucket \"sessions\" here, but \"logins\": say --bucket \"logins\"\n"
    );
    fill("others");
    let several = place.run("list --all --db s.redb");
    assert_eq!(several.code, 1);
    assert_eq!(
        several.stderr,
        "sessionup: there is no bucket \"sessions\" here, but \"logins\", \"others\": choose one with \
         --bucket\n"
    );
}
