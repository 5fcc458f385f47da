//! Holds what docs/ say of tests to the tests that are there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod requirements;
mod source;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use source::Sources;

/// Documents that name tests. The second need not be there.
const DOCUMENTS: [&str; 2] = ["docs/security.md", "docs/advisories.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns a document, unless it is not there.
fn document(path: &str) -> Option<String> {
    let text = fs::read_to_string(root().join(path)).ok()?;
    assert!(!text.is_empty(), "{path}");
    Some(text)
}

/// Returns what is between backticks and names a function of a file: path and name.
fn references(text: &str) -> Vec<(&str, &str)> {
    let quoted = text
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted
        .filter_map(|text| {
            text.split_once(".rs::")
                .map(|(path, name)| (path, name, text))
        })
        .map(|(path, name, text)| (&text[..path.len() + ".rs".len()], name))
        .collect()
}

/// Returns the tables' rows by their first cell.
fn rows(text: &str) -> BTreeMap<&str, &str> {
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some((id, rest)) = line
            .strip_prefix("| ")
            .and_then(|line| line.split_once(" | "))
        else {
            continue;
        };
        if id.contains(|c: char| c.is_ascii_digit()) && !id.contains(' ') {
            assert_eq!(rows.insert(id, rest), None, "{id} has two rows");
        }
    }
    rows
}

#[test]
fn every_test_that_is_named_exists() {
    let mut sources = Sources::new(root());
    let mut missing = Vec::new();
    for name in DOCUMENTS {
        let Some(text) = document(name) else { continue };
        let references = references(&text);
        let distinct: BTreeSet<_> = references.iter().collect();
        println!(
            "{name}: {} tests named {} times",
            distinct.len(),
            references.len()
        );
        assert!(distinct.len() > 30, "{name} names hardly any test");
        for (path, test) in distinct {
            if let Err(reason) = sources.find(path, test) {
                missing.push(format!("{name}: {path}::{test} {reason}"));
            }
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_requirement_has_a_row_with_a_test_or_a_reason() {
    let text = document(DOCUMENTS[0]).unwrap();
    let rows = rows(&text);
    let expected = requirements::all();
    let mut lacking = Vec::new();
    let mut without_test = Vec::new();
    for id in &expected {
        let Some(row) = rows.get(&**id) else {
            lacking.push(format!("{id} has no row"));
            continue;
        };
        if references(row).is_empty() {
            without_test.push(&**id);
            if !row.contains("no test: ") && !row.contains("not done: ") {
                lacking.push(format!("{id} has neither test nor reason"));
            }
        }
    }
    println!(
        "{} requirements, without a test: {without_test:?}",
        expected.len()
    );
    assert_eq!(lacking, [""; 0]);
}

#[test]
fn references_are_read_where_they_are() {
    let text = "| a | `x/y.rs::one`, `z.rs::two` and `code` |\nand `Store::fetch` or `w.rs`";
    assert_eq!(references(text), [("x/y.rs", "one"), ("z.rs", "two")]);
}
