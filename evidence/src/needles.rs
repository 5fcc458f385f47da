//! Looks for secrets where they must not be.

use std::collections::HashMap;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Length of a token's secret part, in bytes.
pub(crate) const SECRET_BYTES: usize = 32;
const TOKEN_CHARS: usize = 64;

/// Everything that gives a secret away, findable in one pass over any bytes.
#[derive(Debug)]
pub struct Needles {
    /// By their first four bytes: name and bytes.
    needles: HashMap<[u8; 4], Vec<(String, Vec<u8>)>>,
    /// By their first two bytes, whether there are any. Most places are passed over by this alone.
    begins: Vec<bool>,
}

impl Default for Needles {
    fn default() -> Self {
        Self {
            needles: HashMap::new(),
            begins: vec![false; 1 << 16],
        }
    }
}

impl Needles {
    /// Makes a search for nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text, as it is and as forms send it.
    pub fn add_text(&mut self, name: &str, text: &str) {
        self.add(name, text);
        self.add(name, percent(text));
    }

    /// Adds a token by its text.
    pub fn add_token(&mut self, token: &str) {
        self.add_secret("token", &secret_of(token).unwrap());
    }

    /// Adds the secret part of a token in every notation in which it, or the token, may be written.
    pub fn add_secret(&mut self, name: &str, secret: &[u8]) {
        assert_eq!(secret.len(), SECRET_BYTES);
        // Sixteen bytes of id end within the 22nd character; the rest is of the secret alone.
        let after_id = [&[0], secret].concat();
        let tail = |text: String| text[2..].to_owned();
        let decimal = format!("{secret:?}");

        let notations = [
            ("", tail(BASE64URL_NOPAD.encode(&after_id))),
            (
                " in percents",
                percent(&tail(BASE64URL_NOPAD.encode(&after_id))),
            ),
            (" in base64", tail(BASE64.encode(&after_id))),
            (", secret in hex", HEXLOWER.encode(secret)),
            (", secret in HEX", HEXUPPER.encode(secret)),
            (", secret in base64", BASE64.encode(secret)),
            (", secret in base64url", BASE64URL_NOPAD.encode(secret)),
            (
                ", secret in decimal",
                decimal.trim_matches(['[', ']']).to_owned(),
            ),
        ];
        self.add(&format!("{name}, secret in bytes"), secret);
        for (notation, text) in notations {
            self.add(&format!("{name}{notation}"), text);
        }
    }

    fn add(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let head = *bytes.first_chunk().unwrap();
        self.begins[begin(head[0], head[1])] = true;
        let same_head = self.needles.entry(head).or_default();
        if same_head.iter().all(|(_, known)| known != bytes) {
            same_head.push((name.into(), bytes.into()));
        }
    }

    /// Returns the names of those that are in `place`.
    #[must_use]
    pub fn found_in(&self, place: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for (start, head) in place.windows(4).enumerate() {
            if !self.begins[begin(head[0], head[1])] {
                continue;
            }
            for (name, needle) in self.needles.get(head).into_iter().flatten() {
                if place[start..].starts_with(needle) {
                    found.push(name.as_str());
                }
            }
        }
        found
    }
}

fn begin(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Returns the texts in `place` that look like tokens made in this quarter of the century, whether
/// or not anybody knows that they were issued.
#[must_use]
pub fn tokens_by_form(place: &[u8]) -> Vec<&str> {
    let is_apart =
        |byte: &u8| !matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_');
    let words = place.split(is_apart);
    let texts = words.filter(|word| word.len() == TOKEN_CHARS);
    texts
        .filter(|word| is_token(word))
        .filter_map(|word| std::str::from_utf8(word).ok())
        .collect()
}

fn is_token(text: &[u8]) -> bool {
    const YEARS: std::ops::Range<u64> = 1_735_689_600_000..2_524_608_000_000;
    let Ok(bytes) = BASE64URL_NOPAD.decode(text) else {
        return false;
    };
    let millis = bytes[..6]
        .iter()
        .fold(0, |n, byte| n << 8 | u64::from(*byte));
    YEARS.contains(&millis) && bytes[6] >> 4 == 7 && bytes[8] >> 6 == 2
}

/// Returns the secret part of a token, unless the text is none.
pub(crate) fn secret_of(token: &str) -> Option<Vec<u8>> {
    let mut bytes = BASE64URL_NOPAD.decode(token.as_bytes()).ok()?;
    (token.len() == TOKEN_CHARS).then(|| bytes.split_off(16))
}

/// Writes all but letters and digits as `%` and two digits.
#[must_use]
pub fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sessionup_core::{OsRandom, Timestamp, Token};

    fn token() -> String {
        let now = Timestamp::from_millis(1_795_286_345_000);
        Token::generate(now, &OsRandom::default())
            .unwrap()
            .expose()
            .to_string()
    }

    #[test]
    fn every_notation_is_found() {
        for _ in 0..200 {
            let token = token();
            let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
            let mut needles = Needles::new();
            needles.add_token(&token);
            let notations: [Vec<u8>; 9] = [
                token.clone().into(),
                percent(&token).into(),
                BASE64.encode(&bytes).into(),
                HEXLOWER.encode(&bytes).into(),
                HEXUPPER.encode(&bytes).into(),
                format!("{bytes:?}").into(),
                BASE64.encode(&bytes[16..]).into(),
                BASE64URL_NOPAD.encode(&bytes[16..]).into(),
                bytes.clone(),
            ];
            for notation in notations {
                let place = [b"before ", &*notation, b" after"].concat();
                assert_ne!(needles.found_in(&place), [""; 0], "{place:?}");
            }
            let id = &token[..21];
            assert_eq!(needles.found_in(id.as_bytes()), [""; 0]);
        }
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        let token = token();
        let cases = [
            (format!("a {token} b"), true),
            (format!("__Host-id={token}; Path=/"), true),
            (token[1..].to_owned(), false),
            (format!("{token}x"), false),
            ("a".repeat(64), false),
            ("0".repeat(64), false),
        ];
        for (place, is_found) in cases {
            let found = tokens_by_form(place.as_bytes());
            assert_eq!(found == [&*token], is_found, "{place}");
        }
    }
}
