//! Looks for secrets where they must not be.

use std::collections::HashMap;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

use super::browser::percent;

/// Everything that gives a secret away, findable in one pass over any bytes.
pub struct Needles {
    /// By their first four bytes: name and bytes.
    needles: HashMap<[u8; 4], Vec<(String, Vec<u8>)>>,
}

impl Needles {
    pub fn new() -> Self {
        Self {
            needles: HashMap::new(),
        }
    }

    /// Adds a text, as it is and as forms send it.
    pub fn add_text(&mut self, name: &str, text: &str) {
        self.add(name, text);
        self.add(name, percent(text));
    }

    /// Adds a token: the text, and its secret part in every notation it may be written in.
    pub fn add_token(&mut self, token: &str) {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        assert_eq!(bytes.len(), 48);
        let secret = &bytes[16..];
        // Sixteen bytes end within the 22nd character.
        let (_, tail) = token.split_at(22);

        self.add("token", token);
        self.add("end of a token", tail);
        self.add("secret", secret);
        self.add("secret in hex", HEXLOWER.encode(secret));
        self.add("secret in HEX", HEXUPPER.encode(secret));
        self.add("secret in base64", BASE64.encode(secret));
        self.add("secret in base64url", BASE64URL_NOPAD.encode(secret));
        let decimal = format!("{secret:?}");
        self.add("secret in decimal", decimal.trim_matches(['[', ']']));
    }

    fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let head = *bytes.first_chunk().unwrap();
        let same_head = self.needles.entry(head).or_default();
        same_head.push((name.into(), bytes.into()));
    }

    /// Returns the names of those that are in `place`.
    pub fn found_in(&self, place: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for (start, head) in place.windows(4).enumerate() {
            for (name, needle) in self.needles.get(head).into_iter().flatten() {
                if place[start..].starts_with(needle) {
                    found.push(name.as_str());
                }
            }
        }
        found
    }
}
