//! docs/command.md says what there is, and no more.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use support::{Place, ended, go_session, go_token, id, session, write_bolt};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/command.md");
    fs::read_to_string(path).unwrap()
}

fn names(document: &Value) -> BTreeSet<String> {
    let object = document.as_object().unwrap();
    object.keys().cloned().collect()
}

#[test]
fn every_command_is_there() {
    let help = Place::new().run("--help").stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands = commands
        .lines()
        .map_while(|line| line.split_whitespace().next());
    let page = page();
    let mut count = 0;
    for command in commands.filter(|command| *command != "help") {
        assert!(page.contains(&format!("`{command}")), "{command}");
        count += 1;
    }
    assert_eq!(count, 13);
    for line in help.lines().filter(|line| line.starts_with("  ")) {
        let mut words = line.split_whitespace();
        let code = words.next().filter(|word| word.parse::<u8>().is_ok());
        if let Some(code) = code {
            let row = format!("| {code} | {}", words.next().unwrap());
            assert!(page.contains(row.trim_end_matches(',')), "{row}");
        }
    }
}

#[test]
fn every_name_in_json_is_there() {
    let page = page();
    let place = Place::new();
    let mut ann = session(1, "ann");
    ann.client.agent.kind = sessionup_core::DeviceKind::Desktop;
    place.fill([ann, session(2, "bob"), ended(3, "cleo")]);
    write_bolt(
        &place.path("go.db"),
        [go_session(&go_token(1), "ann"), go_session("short", "bob")],
    );
    let example = page.split("```json\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let shown = place.done(&format!("show {} --json", id(1))).json();
    assert_eq!(names(&example), names(&shown));
    assert_eq!(names(&example["agent"]), names(&shown["agent"]));

    for (command, line) in [
        ("revoke", format!("revoke {} --yes --json", id(2))),
        ("prune", "prune --yes --json".into()),
        ("stats", "stats --json".into()),
        ("check", "check --json".into()),
        ("compact", "compact --json".into()),
        ("backup", "backup copy.redb --json".into()),
        ("restore", "restore copy.redb --yes --json".into()),
        ("import bolt", "import bolt go.db --yes --json".into()),
        (
            "export bolt",
            "export bolt back.db --from go.db --json".into(),
        ),
    ] {
        let document = place.done(&line).json();
        let row = page
            .lines()
            .find(|row| row.starts_with(&format!("| `{command}` | `")));
        let row = row.unwrap_or_else(|| panic!("no row of {command}"));
        let documented: BTreeSet<String> = row
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        let mut found = names(&document);
        for inner in [&document["oldest"], &document["left_out_rows"][0]] {
            if inner.is_object() {
                found.extend(names(inner));
            }
        }
        assert_eq!(documented, found, "{command}");
    }
}
