//! Inputs for the properties, made of the files.

use crate::{Settings, Vars, cases};

/// Makes the inputs that a property begins with: each case of the file that belongs to it.
///
/// Panics if there is no such property.
#[must_use]
pub fn seeds(property: &str) -> Vec<Vec<u8>> {
    let vars = sample_vars();
    match property {
        "config" => {
            let cases = cases("config.jsonl", 1);
            let settings = cases.iter().map(Settings::of_case);
            settings.map(|settings| settings.to_bytes()).collect()
        }
        "cookie_header" => {
            let cases = cases("cookie_header.jsonl", 1);
            let fields = cases
                .iter()
                .map(|case| case.list("fields", &vars).join(&b'\n'));
            fields.filter(|bytes| bytes.len() <= 128 * 1024).collect()
        }
        "token" => {
            let cases = cases("token.jsonl", 1);
            cases
                .iter()
                .map(|case| case.bytes("value", &vars))
                .collect()
        }
        "forwarding" => texts("forwarding.jsonl", "lines"),
        "user_agent" => texts("user_agent.jsonl", "user_agent"),
        other => panic!("no property {other}"),
    }
}

/// What stands for the values of a running system in inputs that meet none.
#[must_use]
pub fn sample_vars() -> Vars<'static> {
    Vars::from([
        (
            "token",
            b"AZq2lg2Jcn6xTm3lX-8o4hEXAMPLEexampleEXAMPLEexampleEXAMPLE_-12345".to_vec(),
        ),
        (
            "other",
            b"AZq2lg2Kcn6xTm3lX-8o4hotherOTHERotherOTHERotherOTHERother_-67890".to_vec(),
        ),
        ("handle", b"019ab3f0-7c00-7000-8000-0000000000ab".to_vec()),
        ("hash_base64", vec![b'H'; 43]),
        ("hash_hex", vec![b'a'; 64]),
        ("id_and_hash", vec![b'I'; 64]),
    ])
}

/// Takes the texts of `corpus/forwarding.md`'s files as they are written, escapes included.
fn texts(file: &str, field: &str) -> Vec<Vec<u8>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let lines = std::fs::read_to_string(&path).expect(file);
    let texts = lines.lines().map(|line| {
        let case: serde_json::Value = serde_json::from_str(line).expect(file);
        let mut text = Vec::new();
        strings(&case[field], &mut text);
        text.join("\n").into_bytes()
    });
    texts.filter(|text| text.len() <= 128 * 1024).collect()
}

fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(values) => {
            values.iter().for_each(|value| strings(value, found));
        }
        _ => {}
    }
}
