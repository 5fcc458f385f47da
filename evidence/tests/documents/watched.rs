//! Holds the search for tokens to all tests that could issue one.

use std::fs;
use std::path::Path;

use super::root;

#[test]
fn every_manager_of_the_tests_is_watched() {
    let mut managers = 0;
    let mut unwatched = Vec::new();
    for crates in ["crates", "."] {
        for entry in fs::read_dir(root().join(crates)).unwrap() {
            visit(&entry.unwrap().path().join("tests"), &mut |path, text| {
                for (number, line) in text.lines().enumerate() {
                    if line.contains("Manager::builder(") {
                        managers += 1;
                        if !line.contains("evidence::watch(") {
                            unwatched.push(format!("{}:{}", path.display(), number + 1));
                        }
                    }
                }
            });
        }
    }
    assert!(managers > 15, "{managers}");
    assert_eq!(
        unwatched, [""; 0],
        "write evidence::watch(Manager::builder(…)), so that .ci/leaks knows their tokens"
    );
}

/// Hands over every source file but this one.
fn visit(path: &Path, see: &mut impl FnMut(&Path, &str)) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            visit(&entry.unwrap().path(), see);
        }
    } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("watched.rs")
    {
        see(path, &fs::read_to_string(path).unwrap());
    }
}
