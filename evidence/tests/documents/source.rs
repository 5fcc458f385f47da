//! Finding a test in the source.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

/// Where the conformance suite's clauses are, and the list without which they do not run.
const CLAUSES: &str = "crates/sessionup-conformance/src/clauses/";
const SUITE: &str = "crates/sessionup-conformance/src/suite.rs";
/// Where tests may be left out of an ordinary run: `clients/run` and `.ci/leaks` run them.
const IGNORED_IN: [&str; 3] = [
    "clients/tests/browser/",
    "clients/tests/programs/",
    "evidence/tests/leaks.rs",
];

pub(crate) struct Sources {
    root: PathBuf,
    texts: HashMap<String, Option<String>>,
}

impl Sources {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root,
            texts: HashMap::new(),
        }
    }

    /// Looks for a test that an ordinary run runs, or that a script does.
    pub(crate) fn find(&mut self, path: &str, test: &str) -> Result<(), &'static str> {
        let text = self.text(path).ok_or("is in a file that does not exist")?;
        if let Some(family) = path.strip_prefix(CLAUSES) {
            let suite = self.text(SUITE).ok_or("is in no suite")?;
            return find_clause(&text, &suite, family.trim_end_matches(".rs"), test);
        }
        let attributes = attributes_of(&text, test);
        if attributes.is_none() && is_made_by_a_macro(&text, test) {
            return Ok(());
        }
        let attributes = attributes.ok_or("does not exist")?;
        let is = |name: &str| attributes.iter().any(|line| line.starts_with(name));
        if !is("#[test]") && !is("#[tokio::test") {
            return Err("is no test");
        }
        if is("#[ignore") && !IGNORED_IN.iter().any(|place| path.starts_with(place)) {
            return Err("is ignored");
        }
        Ok(())
    }

    fn text(&mut self, path: &str) -> Option<String> {
        let read = || fs::read_to_string(self.root.join(path)).ok();
        self.texts.entry(path.into()).or_insert_with(read).clone()
    }
}

/// A clause is a function of its family's file that the suite lists under that family.
fn find_clause(text: &str, suite: &str, family: &str, test: &str) -> Result<(), &'static str> {
    if !text.contains(&format!("\npub async fn {test}(")) {
        return Err("is no clause");
    }
    let list = block(suite, &format!("\n            {family} {{"), '}');
    let is_listed =
        list.is_some_and(|list| list.split([',', '\n']).any(|name| name.trim() == test));
    is_listed
        .then_some(())
        .ok_or("is not in the list of the suite")
}

/// Says whether a function is named where `over_both_stores!` makes tests of it.
fn is_made_by_a_macro(text: &str, test: &str) -> bool {
    let is_test = attributes_of(text, "$behaviour").is_some_and(|lines| !lines.is_empty());
    let names = block(text, "\nover_both_stores! {", '}');
    let is_named = names.is_some_and(|names| names.split_whitespace().any(|name| name == test));
    is_test && is_named && text.contains(&format!("\nasync fn {test}("))
}

fn block<'a>(text: &'a str, begin: &str, end: char) -> Option<&'a str> {
    let (_, rest) = text.split_once(begin)?;
    rest.split(end).next()
}

/// Returns the attributes of a function, if it is one that is a test or nothing but a function.
fn attributes_of<'a>(text: &'a str, function: &str) -> Option<Vec<&'a str>> {
    let mut attributes = Vec::new();
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
        } else if !line.starts_with("//") {
            if is_head(line, function) && !attributes.is_empty() {
                found = Some(std::mem::take(&mut attributes));
            }
            attributes.clear();
        }
    }
    found
}

fn is_head(line: &str, function: &str) -> bool {
    let rest = line.strip_prefix("async ").unwrap_or(line);
    let rest = rest
        .strip_prefix("fn ")
        .and_then(|rest| rest.strip_prefix(function));
    rest.is_some_and(|rest| rest.starts_with('('))
}

#[test]
fn what_is_a_test() {
    let text = "
#[test]
fn plain() {}

    /// Says something.
    #[tokio::test(flavor = \"multi_thread\")]
    // Why.
    #[cfg(unix)]
    async fn with_more() {}

#[test]
#[ignore = \"why\"]
fn left_out() {}

#[inline]
fn no_test() {}
fn helper() {}
// fn comment() {}
fn plain_and_more() {}
";
    let cases = [
        ("plain", Ok(())),
        ("with_more", Ok(())),
        ("left_out", Err("is ignored")),
        ("no_test", Err("is no test")),
        ("helper", Err("does not exist")),
        ("comment", Err("does not exist")),
        ("plain_and", Err("does not exist")),
        ("gone", Err("does not exist")),
    ];
    let mut sources = Sources::new(PathBuf::new());
    sources.texts.insert("a.rs".into(), Some(text.into()));
    for (name, expected) in cases {
        assert_eq!(sources.find("a.rs", name), expected, "{name}");
    }
    let gone = Err("is in a file that does not exist");
    assert_eq!(sources.find("no/such/file.rs", "plain"), gone);
}

#[test]
fn what_is_a_clause() {
    let text =
        "\npub async fn listed(f: F) {}\npub async fn forgotten(f: F) {}\nasync fn help() {}";
    let suite =
        "\n            fetch {\n                listed,\n                other,\n            }\n";
    let cases = [
        ("fetch", "listed", Ok(())),
        ("list", "listed", Err("is not in the list of the suite")),
        ("fetch", "forgotten", Err("is not in the list of the suite")),
        ("fetch", "other", Err("is no clause")),
        ("fetch", "help", Err("is no clause")),
    ];
    for (family, name, expected) in cases {
        assert_eq!(
            find_clause(text, suite, family, name),
            expected,
            "{family} {name}"
        );
    }
}

#[test]
fn what_a_macro_makes_a_test() {
    let text = |attribute: &str| {
        format!(
            "macro_rules! over_both_stores {{ $(\n{attribute}\nasync fn $behaviour() {{}}\n)* }}\n\
             over_both_stores! {{\n    named\n    gone\n}}\nasync fn named() {{}}\nasync fn other() {{}}\n"
        )
    };
    let made = text("#[tokio::test]");
    assert!(is_made_by_a_macro(&made, "named"));
    assert!(!is_made_by_a_macro(&made, "gone"));
    assert!(!is_made_by_a_macro(&made, "other"));
    assert!(!is_made_by_a_macro(&text(""), "named"));
}
