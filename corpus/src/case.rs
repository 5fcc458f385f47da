//! Lines of a file as cases.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::bytes::{self, Vars};

/// One line of a file. Shown as file, line and name, so that a failing assertion can name it.
#[derive(Clone, Debug)]
pub struct Case {
    place: String,
    fields: Map<String, Value>,
}

/// Reads a file of the corpus as it is now.
///
/// Panics if it cannot be read, a line is no case, two have one name, or fewer than `at_least` are
/// there: a file that was emptied tests nothing.
#[must_use]
pub fn cases(file: &str, at_least: usize) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names = BTreeSet::new();
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("corpus/{file}:{}", number + 1);
        let fields = serde_json::from_str(line);
        let fields = fields.unwrap_or_else(|error| panic!("{place}: {error}"));
        let case = Case { place, fields };
        assert!(names.insert(case.name().to_owned()), "{case}: second one");
        cases.push(case);
    }
    assert!(
        cases.len() >= at_least,
        "corpus/{file} has {} cases, {at_least} were known",
        cases.len()
    );
    cases
}

impl Case {
    /// Returns what the case is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// Returns a field that is text.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        let text = self.value(field).as_str();
        text.unwrap_or_else(|| panic!("{}: {field} is not text", self.place))
    }

    /// Returns a field that may be missing.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    /// Returns a field.
    #[must_use]
    pub fn value(&self, field: &str) -> &Value {
        let value = self.get(field);
        value.unwrap_or_else(|| panic!("{}: no {field}", self.place))
    }

    /// Returns a field that is bytes.
    #[must_use]
    pub fn bytes(&self, field: &str, vars: &Vars<'_>) -> Vec<u8> {
        self.read(self.value(field), vars)
    }

    /// Reads a part of the case as bytes.
    #[must_use]
    pub fn read(&self, value: &Value, vars: &Vars<'_>) -> Vec<u8> {
        let bytes = bytes::read(value, vars);
        bytes.unwrap_or_else(|error| panic!("{}: {error}", self.place))
    }

    /// Reads a field that is a list of bytes. An item `{"times": [bytes, n]}` stands for n of them.
    #[must_use]
    pub fn list(&self, field: &str, vars: &Vars<'_>) -> Vec<Vec<u8>> {
        let items = self.value(field).as_array();
        let items = items.unwrap_or_else(|| panic!("{}: {field} is not a list", self.place));
        let mut list = Vec::new();
        for item in items {
            match item.get("times") {
                Some(times) => {
                    let count = times[1].as_u64().expect("how many times");
                    let bytes = self.read(&times[0], vars);
                    list.extend((0..count).map(|_| bytes.clone()));
                }
                None => list.push(self.read(item, vars)),
            }
        }
        list
    }

    /// Reads a field that is a duration: `"max"`, or seconds and nanoseconds.
    #[must_use]
    pub fn duration(&self, field: &str) -> Option<Duration> {
        let value = self.get(field)?;
        if value == "max" {
            return Some(Duration::MAX);
        }
        let seconds = value[0].as_u64().expect("seconds");
        let nanos = value[1].as_u64().and_then(|nanos| nanos.try_into().ok());
        Some(Duration::new(seconds, nanos.expect("nanoseconds")))
    }

    /// Tells whether a field is there and true.
    #[must_use]
    pub fn flag(&self, field: &str) -> bool {
        self.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Asserts that the case has no other fields than these: a misspelt one would test nothing.
    pub fn expect_fields(&self, known: &[&str]) {
        for field in self.fields.keys() {
            assert!(
                field == "name" || known.contains(&field.as_str()),
                "{self}: nothing reads {field}"
            );
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.fields.get("name").and_then(Value::as_str);
        write!(f, "{} ({})", self.place, name.unwrap_or("without a name"))
    }
}
