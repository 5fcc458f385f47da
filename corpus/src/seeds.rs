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
        "user_agent" => USER_AGENTS
            .iter()
            .map(|agent| agent.as_bytes().to_vec())
            .collect(),
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

const USER_AGENTS: &[&str] = &[
    "",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
    "<script>alert(1)</script>\u{1b}[31m\r\n\u{202e}",
    "((((((((((((((((((((((((((((((((",
];
