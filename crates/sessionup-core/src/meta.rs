//! The application's own entries on a session.

use std::collections::BTreeMap;
use std::collections::btree_map;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// The application's own entries on a session: names with JSON values.
///
/// Bounds: [`Meta::MAX_ENTRIES`] entries; a name has 1 to [`Meta::MAX_KEY_BYTES`] bytes; names and
/// values together, written as JSON, take at most [`Meta::MAX_TOTAL_BYTES`]; values nest at most
/// [`Meta::MAX_DEPTH`] deep. Not a place for secrets: users see it in their list of sessions.
///
/// ```
/// use sessionup_core::Meta;
///
/// let mut meta = Meta::new();
/// meta.insert("permission", "write")?;
/// meta.insert("visits", 3)?;
/// assert_eq!(meta.get::<u32>("visits")?, Some(3));
/// assert_eq!(meta.get::<u32>("missing")?, None);
/// # Ok::<(), sessionup_core::MetaError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meta {
    entries: BTreeMap<String, Value>,
}

impl Meta {
    /// Most entries.
    pub const MAX_ENTRIES: usize = 64;
    /// Most bytes of an entry's name.
    pub const MAX_KEY_BYTES: usize = 128;
    /// Most bytes of all names and values together, values written as JSON.
    pub const MAX_TOTAL_BYTES: usize = 16 * 1024;
    /// Deepest nesting of a value.
    pub const MAX_DEPTH: usize = 32;

    /// Makes a meta without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an entry, in place of one of the same name.
    ///
    /// # Errors
    ///
    /// [`MetaError`] if the value cannot be written as JSON or a bound would be passed; nothing is
    /// changed then.
    pub fn insert(
        &mut self,
        key: impl Into<String>,
        value: impl Serialize,
    ) -> Result<(), MetaError> {
        self.merge(&MetaChange::new().set(key, value)?)
    }

    /// Removes an entry; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.entries.remove(key).is_some()
    }

    /// Reads an entry as a type. `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`MetaError::Type`] if the value is not of this type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, MetaError> {
        self.entries
            .get(key)
            .map(T::deserialize)
            .transpose()
            .map_err(|error| MetaError::Type {
                key: key.to_owned(),
                reason: error.to_string(),
            })
    }

    /// Returns the value of an entry as it stands.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// Goes through the entries in the order of their names.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter(self.entries.iter())
    }

    /// Returns how many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Carries out a change, entry by entry.
    ///
    /// # Errors
    ///
    /// [`MetaError`] if the outcome would pass a bound; nothing is changed then.
    pub fn merge(&mut self, change: &MetaChange) -> Result<(), MetaError> {
        if change.is_empty() {
            return Ok(());
        }
        let mut merged = self.entries.clone();
        for (key, value) in &change.entries {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        check(&merged)?;
        self.entries = merged;
        Ok(())
    }
}

/// Goes through the entries of a [`Meta`] in the order of their names.
#[derive(Clone, Debug)]
pub struct Iter<'a>(btree_map::Iter<'a, String, Value>);

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.as_str(), value))
    }
}

impl<'a> IntoIterator for &'a Meta {
    type Item = (&'a str, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entries.serialize(serializer)
    }
}

/// What to do to a [`Meta`]: entries to set and entries to remove.
///
/// Changes are merged by name, so that two requests that set different entries at once do not undo
/// each other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetaChange {
    entries: BTreeMap<String, Option<Value>>,
}

impl MetaChange {
    /// Makes a change that does nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an entry.
    ///
    /// # Errors
    ///
    /// [`MetaError`] if the value cannot be written as JSON or is nested too deeply.
    pub fn set(mut self, key: impl Into<String>, value: impl Serialize) -> Result<Self, MetaError> {
        let key = key.into();
        let value = serde_json::to_value(value).map_err(|error| MetaError::Type {
            key: key.clone(),
            reason: error.to_string(),
        })?;
        if !fits_depth(&value, Meta::MAX_DEPTH) {
            return Err(MetaError::TooDeep { key });
        }
        self.entries.insert(key, Some(value));
        Ok(self)
    }

    /// Removes an entry.
    #[must_use]
    pub fn remove(mut self, key: impl Into<String>) -> Self {
        self.entries.insert(key.into(), None);
        self
    }

    /// Says whether the change does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

fn check(entries: &BTreeMap<String, Value>) -> Result<(), MetaError> {
    if entries.len() > Meta::MAX_ENTRIES {
        return Err(MetaError::TooMany {
            entries: entries.len(),
        });
    }
    let mut total = 0_usize;
    for (key, value) in entries {
        if key.is_empty() || key.len() > Meta::MAX_KEY_BYTES {
            return Err(MetaError::Key { bytes: key.len() });
        }
        total = total
            .saturating_add(key.len())
            .saturating_add(json_bytes(value));
    }
    if total > Meta::MAX_TOTAL_BYTES {
        return Err(MetaError::TooLarge { bytes: total });
    }
    Ok(())
}

fn json_bytes(value: &Value) -> usize {
    /// Counts what is written to it.
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

fn fits_depth(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else {
        return false;
    };
    match value {
        Value::Array(items) => items.iter().all(|item| fits_depth(item, left)),
        Value::Object(fields) => fields.values().all(|item| fits_depth(item, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Why an entry or a change of [`Meta`] was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// An entry's name is empty or too long.
    #[error("name of a meta entry has {bytes} bytes, 1 to {max} are allowed", max = Meta::MAX_KEY_BYTES)]
    Key {
        /// How many bytes it has.
        bytes: usize,
    },
    /// A value is nested too deeply.
    #[error("meta entry {key:?} is nested more than {max} deep", max = Meta::MAX_DEPTH)]
    TooDeep {
        /// The entry's name.
        key: String,
    },
    /// All entries together are too large.
    #[error("meta would take {bytes} bytes, at most {max} are allowed", max = Meta::MAX_TOTAL_BYTES)]
    TooLarge {
        /// How many bytes they would take.
        bytes: usize,
    },
    /// There would be too many entries.
    #[error("meta would have {entries} entries, at most {max} are allowed", max = Meta::MAX_ENTRIES)]
    TooMany {
        /// How many there would be.
        entries: usize,
    },
    /// A value is not of the type that was asked for, or has no form in JSON.
    #[error("meta entry {key:?} is of another type: {reason}")]
    Type {
        /// The entry's name.
        key: String,
        /// What does not fit.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Value {
        (1..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn bounds() {
        let many = |count: usize| {
            (0..count).try_fold(MetaChange::new(), |change, i| change.set(i.to_string(), i))
        };
        let one = |key: &str, value: Value| MetaChange::new().set(key, value);
        let text = |bytes: usize| Value::String("x".repeat(bytes));

        let cases = [
            ("64 entries", many(64), Ok(())),
            (
                "65 entries",
                many(65),
                Err(MetaError::TooMany { entries: 65 }),
            ),
            (
                "no name",
                one("", Value::Null),
                Err(MetaError::Key { bytes: 0 }),
            ),
            ("longest name", one(&"k".repeat(128), Value::Null), Ok(())),
            (
                "longer name",
                one(&"k".repeat(129), Value::Null),
                Err(MetaError::Key { bytes: 129 }),
            ),
            ("largest", one("k", text(16_381)), Ok(())),
            (
                "larger",
                one("k", text(16_382)),
                Err(MetaError::TooLarge { bytes: 16_385 }),
            ),
            ("deepest", one("k", nested(32)), Ok(())),
            (
                "deeper",
                one("k", nested(33)),
                Err(MetaError::TooDeep { key: "k".into() }),
            ),
        ];
        for (name, change, expected) in cases {
            let mut meta = Meta::new();
            let outcome = change.and_then(|change| meta.merge(&change));
            assert_eq!(outcome, expected, "{name}");
            assert_eq!(meta.is_empty(), expected.is_err(), "{name}");
        }
    }

    #[test]
    fn changes_are_merged_by_name() {
        let mut meta = Meta::new();
        meta.insert("a", 1).unwrap();
        meta.insert("b", "old").unwrap();

        let change = MetaChange::new().remove("a").remove("c").set("b", "new");
        meta.merge(&change.unwrap().set("d", true).unwrap())
            .unwrap();

        assert_eq!(
            serde_json::to_string(&meta).unwrap(),
            r#"{"b":"new","d":true}"#
        );
    }

    #[test]
    fn entries_are_told_and_taken_one_by_one() {
        let mut meta = Meta::new();
        meta.insert("b", 2).unwrap();
        meta.insert("a", "one").unwrap();

        let entries: Vec<_> = meta.iter().collect();
        assert_eq!(
            entries,
            [("a", &Value::from("one")), ("b", &Value::from(2))]
        );
        assert_eq!(meta.len(), 2);
        assert_eq!(meta.value("b"), Some(&Value::from(2)));
        assert_eq!(meta.value("c"), None);

        assert!(meta.remove("a"));
        assert!(!meta.remove("a"));
        assert_eq!(meta.len(), 1);
    }

    #[test]
    fn refused_change_changes_nothing() {
        let mut meta = Meta::new();
        meta.insert("a", 1).unwrap();
        let before = meta.clone();

        let change = MetaChange::new().remove("a").set("", 2).unwrap();

        assert_eq!(meta.merge(&change), Err(MetaError::Key { bytes: 0 }));
        assert_eq!(meta, before);
    }

    #[test]
    fn value_of_another_type_is_an_error_not_an_absence() {
        let mut meta = Meta::new();
        meta.insert("visits", "many").unwrap();
        let error = meta.get::<u32>("visits").unwrap_err();
        assert!(
            matches!(error, MetaError::Type { ref key, .. } if key == "visits"),
            "{error}"
        );
    }
}
