//! Entries of meta as lines of `meta.jsonl` have them.

use serde_json::Value;
use sessionup_core::{MetaChange, MetaError};

use crate::bytes::Vars;
use crate::case::Case;

/// Makes the change that a line of `meta.jsonl` asks for.
///
/// # Errors
///
/// What the change itself says.
pub fn meta(case: &Case) -> Result<MetaChange, MetaError> {
    let mut change = MetaChange::new();
    let entries = case.value("entries").as_array().expect("a list of entries");
    for entry in entries {
        let key = text(case, entry.get("key").expect("a key"));
        let value = match (entry.get("json"), entry.get("text"), entry.get("nested")) {
            (Some(json), None, None) => json.clone(),
            (None, Some(bytes), None) => Value::String(text(case, bytes)),
            (None, None, Some(depth)) => nested(depth.as_u64().expect("how deep")),
            _ => panic!("{case}: an entry has one of json, text and nested"),
        };
        match entry.get("times").and_then(Value::as_u64) {
            None => change = change.set(key, value)?,
            Some(times) => {
                for number in 0..times {
                    change = change.set(format!("{key}{number}"), value.clone())?;
                }
            }
        }
    }
    Ok(change)
}

fn text(case: &Case, value: &Value) -> String {
    let bytes = case.read(value, &Vars::new());
    String::from_utf8(bytes).expect("meta is text")
}

fn nested(depth: u64) -> Value {
    (1..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]))
}
