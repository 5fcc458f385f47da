//! The whole way from asking subjects to tables and plots, with few sessions. What it costs is not
//! looked at.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn compare(arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {told}");
    told
}

#[test]
fn each_subject_is_asked_and_told_of() {
    let directory = tempfile::tempdir().unwrap();
    let run = [
        "run",
        "--sessions",
        "500,1000",
        "--rounds",
        "2",
        "--operations",
        "64",
        "--http-at",
        "1000",
        "--crowd",
        "300",
        "--only",
        "redb,memory,hash-map,bare-axum",
        "--directory",
        ".",
        "--results",
        "results.jsonl",
    ];
    let told = compare(&run, directory.path());
    assert!(
        told.contains("1000 sessions: round 2: list a user's ten"),
        "{told}"
    );
    compare(
        &[
            "report",
            "results.jsonl",
            "--tables",
            "tables.md",
            "--plots",
            "plots",
        ],
        directory.path(),
    );

    let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    let results = read("results.jsonl");
    assert!(!results.contains("\"left\""), "{results}");
    let tables = read("tables.md");
    let expected = [
        "### 1,000 stored",
        "### 500 stored",
        "| **sessionup-redb** |",
        "| `RwLock<HashMap>` |",
        "cannot",
        "### Over HTTP, 1,000 stored",
        "| bare axum |",
        "open after kill -9, 1,000 stored | ≤ 1000 ms |",
        "a route of axum behind `auth`",
        "while a crowd is revoked",
    ];
    for text in expected {
        assert!(tables.contains(text), "{text:?} is missing in {tables}");
    }
    for plot in ["plots/costs.svg", "plots/creates.svg", "plots/http.svg"] {
        let plot = read(plot);
        assert!(
            plot.starts_with("<svg") && plot.contains("sessionup-redb"),
            "{plot}"
        );
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], why: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(arguments)
            .current_dir(directory.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && told.contains(why),
            "{arguments:?}: {told}"
        );
    };
    refused(&["run", "--only", "nothing"], "there is no subject");
    refused(&["run", "--with", "nothing"], "NAME=PROGRAM");
    refused(&["run", "--at-most", "redb=many"], "NAME=SESSIONS");
    refused(&["report", "nowhere.jsonl"], "cannot read nowhere.jsonl");
    refused(&["subject", "nothing"], "there is no subject");
}

/// A subject that cannot do its part is left out, and the others are measured.
#[test]
fn subject_that_fails_is_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let run = [
        "run",
        "--sessions",
        "200",
        "--rounds",
        "1",
        "--operations",
        "64",
        "--http-at",
        "0",
        "--with",
        "broken=/nowhere/at/all",
        "--crowd",
        "0",
        "--only",
        "memory,broken",
        "--directory",
        ".",
        "--results",
        "results.jsonl",
    ];
    let told = compare(&run, directory.path());
    assert!(
        told.contains("broken with 200 sessions: cannot start"),
        "{told}"
    );
    let results = std::fs::read_to_string(directory.path().join("results.jsonl")).unwrap();
    assert!(results.contains("\"subject\":\"memory\""), "{results}");
}
