//! Which user an administrator asks about. Pure: from a query to a key.

use axum::extract::FromRequestParts;
use http::request::Parts;
use sessionup_core::UserKey;

use super::answer::Failure;

/// The user whom the parameter `user_key` names; `None` if nobody can have that key.
///
/// A query, for keys are any text: `/`, `.` and `..` do not come through paths unharmed. Percent
/// signs and UTF-8 must be right, and a space may be `+`, as forms write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named(pub(super) Option<UserKey>);

impl<S: Sync> FromRequestParts<S> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        user_key(query).ok_or(Failure::BadRequest)
    }
}

/// Reads the one `user_key` of a query. `None` if there is none, or several, or it is empty, or
/// anything cannot be decoded.
fn user_key(query: &str) -> Option<Named> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if name == "user_key" && found.replace(value).is_some() {
            return None;
        }
    }
    let key = found.filter(|key| !key.is_empty())?;
    Some(Named(UserKey::new(key).ok()))
}

/// Decodes a name or value of `application/x-www-form-urlencoded`.
fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
                u8::try_from(value).ok()?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_query_names() {
        let cases = [
            ("plain", "user_key=ann", "ann"),
            ("escaped", "user_key=ann%40example.org", "ann@example.org"),
            ("not escaped", "user_key=ann@example.org", "ann@example.org"),
            ("path", "user_key=..%2F../%2e", "../../."),
            (
                "several bytes",
                "user_key=%c3%a9%E2%80%AE",
                "\u{e9}\u{202e}",
            ),
            ("plus is a space", "user_key=a+b%2Bc", "a b+c"),
            ("equals sign", "user_key=a=b", "a=b"),
            (
                "escaped ampersand",
                "user_key=a%26user_key%3Db",
                "a&user_key=b",
            ),
            ("escaped once only", "user_key=%2541", "%41"),
            ("among others", "a&user_key=ann&b=c", "ann"),
            ("escaped name", "user%5Fkey=ann", "ann"),
        ];
        for (name, query, expected) in cases {
            let expected = Named(Some(UserKey::new(expected).unwrap()));
            assert_eq!(user_key(query), Some(expected), "{name}");
        }
    }

    #[test]
    fn queries_that_name_nobody() {
        let cases = [
            ("nothing", ""),
            ("other name", "user=ann"),
            ("other case", "User_Key=ann"),
            ("empty", "user_key="),
            ("no value", "user_key"),
            ("twice", "user_key=ann&user_key=bob"),
            ("twice, one in disguise", "user_key=ann&user%5fkey=bob"),
            ("twice, once empty", "user_key=&user_key=ann"),
            ("no hexadecimal digits", "user_key=%zz"),
            ("a sign is no digit", "user_key=%+1"),
            ("cut short", "user_key=ann%4"),
            ("percent alone", "user_key=100%"),
            ("no UTF-8", "user_key=%ff"),
            ("half a character", "user_key=%c3"),
            ("surrogate", "user_key=%ed%a0%80"),
            ("overlong", "user_key=%c0%af"),
            ("other parameter undecodable", "user_key=ann&x=%ff"),
        ];
        for (name, query) in cases {
            assert_eq!(user_key(query), None, "{name}");
        }
    }

    #[test]
    fn keys_that_nobody_can_have() {
        let longest = format!("user_key={}", "a".repeat(UserKey::MAX_BYTES));
        assert!(user_key(&longest).unwrap().0.is_some());
        for query in [&*format!("{longest}a"), "user_key=a%00b"] {
            assert_eq!(user_key(query), Some(Named(None)), "{query}");
        }
    }
}
