//! What is written as a clause is run as a clause.

#![expect(clippy::unwrap_used, reason = "reads its own source")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sessionup_conformance::CLAUSES;

#[test]
fn every_clause_is_in_the_list() {
    let listed: BTreeSet<_> = CLAUSES
        .iter()
        .map(|clause| (clause.family.to_owned(), clause.name.to_owned()))
        .collect();
    assert_eq!(listed, written(), "a clause that is not listed is not run");
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = CLAUSES.iter().map(|clause| clause.name).collect();
    assert_eq!(names.len(), CLAUSES.len());
}

/// Families and names of the public functions below `src/clauses`.
fn written() -> BTreeSet<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clauses");
    let mut written = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let family = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let Some(function) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let (name, _) = function.split_once('(').unwrap();
            written.insert((family.clone(), name.to_owned()));
        }
    }
    written
}
