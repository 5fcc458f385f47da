//! Which user an administrator asks about, and which page of a list. Pure: from a query to values, and
//! back to the query of the next page.

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use axum::extract::FromRequestParts;
use http::HeaderName;
use http::header::LINK;
use http::request::Parts;
use sessionup_core::{ListOptions, SessionId, UserKey};

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

/// The page of a list that the parameters `after` and `limit` name. Without them it is the first page,
/// of [`ListOptions::DEFAULT_LIMIT`] sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) after: Option<SessionId>,
    pub(super) limit: NonZeroUsize,
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let query = parts.uri.query().unwrap_or_default();
        page(query).ok_or(Failure::BadRequest)
    }
}

impl Page {
    /// Makes the field that leads to the next page (RFC 8288), by a reference that is relative to the
    /// address of this page. `None` if this page is the last one.
    pub(super) fn link(
        &self,
        user: Option<&UserKey>,
        next: Option<SessionId>,
    ) -> Option<[(HeaderName, String); 1]> {
        let (next, limit) = (next?, self.limit);
        let user = user.map(|user| format!("user_key={}&", encode(user.as_str())));
        let user = user.unwrap_or_default();
        Some([(
            LINK,
            format!("<?{user}after={next}&limit={limit}>; rel=\"next\""),
        )])
    }
}

/// Reads the one `user_key` of a query. `None` if there is none, or several, or it is empty, or
/// anything cannot be decoded.
fn user_key(query: &str) -> Option<Named> {
    let key = parameter(query, "user_key")?.filter(|key| !key.is_empty())?;
    Some(Named(UserKey::new(key).ok()))
}

/// Reads `after` and `limit` of a query. `None` if one of them is there twice or out of bounds, or
/// anything cannot be decoded.
fn page(query: &str) -> Option<Page> {
    let after = match parameter(query, "after")? {
        Some(id) => Some(id.parse().ok()?),
        None => None,
    };
    let limit = match parameter(query, "limit")? {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None => ListOptions::DEFAULT_LIMIT,
    };
    (limit <= ListOptions::MAX_LIMIT).then_some(Page { after, limit })
}

/// Finds the value of a parameter, `Some(None)` if it is absent. `None` if it is there twice, or
/// anything in the query cannot be decoded.
fn parameter(query: &str, wanted: &str) -> Option<Option<String>> {
    let mut found = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decode(name)?, decode(value)?);
        if name == wanted && found.replace(value).is_some() {
            return None;
        }
    }
    Some(found)
}

/// Encodes a value for a query. Only unreserved characters (RFC 3986, 2.3) stay as they are.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
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

    const ID: &str = "019ab3f0-7c00-7000-8000-000000000001";

    #[test]
    fn page_of_valid_query_is_read() {
        let id = Some(ID.parse().unwrap());
        let after = format!("after={ID}");
        let escaped = format!("after={}", ID.replace('-', "%2D"));
        let both = format!("user_key=ann&limit=25&after={ID}");
        let cases: [(&str, Option<SessionId>, usize); 8] = [
            ("", None, 100),
            ("user_key=ann", None, 100),
            (&after, id, 100),
            (&escaped, id, 100),
            ("limit=1", None, 1),
            ("limit=1000", None, 1_000),
            ("limit=%31", None, 1),
            (&both, id, 25),
        ];
        for (query, after, limit) in cases {
            let limit = NonZeroUsize::new(limit).unwrap();
            assert_eq!(page(query), Some(Page { after, limit }), "{query}");
        }
    }

    #[test]
    fn page_of_malformed_query_is_none() {
        let twice = format!("after={ID}&after={ID}");
        let queries = [
            "after=",
            "after",
            "after=x",
            "after=019ab3f07c0070008000000000000001",
            &twice,
            "limit=",
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=%2B5",
            "limit=+5",
            "limit=5+",
            "limit=1.5",
            "limit=0x10",
            "limit=ten",
            "limit=18446744073709551617",
            "limit=5&limit=5",
            "limit=5&limi%74=6",
            "x=%ff",
        ];
        for query in queries {
            assert_eq!(page(query), None, "{query}");
        }
    }

    #[test]
    fn link_of_next_page_reads_back() {
        let key = UserKey::new("a/\u{e9} &=?#%+\"<>\r\n;~").unwrap();
        let next = ID.parse().unwrap();
        let first = page("limit=7").unwrap();
        let [(name, value)] = first.link(Some(&key), Some(next)).unwrap();
        assert_eq!(name, "link");
        let query = value.strip_prefix("<?").unwrap();
        let query = query.strip_suffix(">; rel=\"next\"").unwrap();
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%&=_".contains(&byte);
        assert!(query.bytes().all(is_safe), "{query}");
        assert_eq!(user_key(query), Some(Named(Some(key))));
        let after = Some(next);
        assert_eq!(page(query), Some(Page { after, ..first }));

        assert_eq!(first.link(None, None), None);
        let [(_, value)] = first.link(None, Some(next)).unwrap();
        assert_eq!(value, format!("<?after={ID}&limit=7>; rel=\"next\""));
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
