//! That applications find every name of the core in this crate.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::Path;

/// The last names of all that a file re-exports or declares as public modules.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for item in text.split("pub use ").skip(1) {
        let (item, _) = item.split_once(';').unwrap();
        let list = item.split_once('{').map_or(item, |(_, list)| list);
        for path in list.trim_end_matches('}').split(',') {
            let name = path.rsplit("::").next().unwrap();
            let name = name.rsplit(" as ").next().unwrap().trim();
            names.insert(name.to_owned());
        }
    }
    for line in text.lines() {
        let module = line.strip_prefix("pub mod ");
        names.extend(module.map(|module| module.trim_end_matches(';').to_owned()));
    }
    names.remove("");
    names
}

#[test]
fn every_name_of_the_core_is_exported() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let core = names(&read("../sessionup-core/src/lib.rs"));
    let here = names(&read("src/lib.rs"));
    assert!(core.len() > 70, "{}", core.len());
    // For seeded defects alone.
    let missing: Vec<_> = core
        .difference(&here)
        .filter(|name| *name != "defects")
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
