//! Reading the cookie out of `Cookie` header fields, on bytes.
//!
//! Other cookies are none of our business: whatever bytes they have, they neither hide ours nor
//! cause an error. Names are compared byte for byte and nothing is decoded, since a decoded name is
//! how a subdomain forges `__Host-` (CVE-2020-8184).

use std::fmt;

/// Most bytes of `Cookie` fields that are looked at.
const MAX_BYTES: usize = 64 * 1024;
/// Most cookies that are looked at.
const MAX_PAIRS: usize = 1_000;

/// What the `Cookie` fields of a request say about one cookie. `Debug` hides its value.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found<'a> {
    /// It is not there.
    Absent,
    /// It is there more than once with different values. Which one is ours cannot be told from
    /// their order (RFC 6265bis §4.2.2), so none of them is used.
    Ambiguous,
    /// It is there, with this value.
    One(&'a [u8]),
    /// The fields have more than 64 KiB or 1,000 cookies and were not read to the end.
    TooLarge,
}

impl fmt::Debug for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Ambiguous => "Ambiguous",
            Self::One(_) => "One(..)",
            Self::TooLarge => "TooLarge",
        })
    }
}

/// Looks for a cookie in all `Cookie` fields of a request.
///
/// Fields are split at `;`, a cookie at its first `=`; spaces and tabs around name and value are
/// dropped. There are no quotes, no percent-encoding and no commas (RFC 6265bis §5.8.3). HTTP/2
/// clients may spread cookies over many fields (RFC 9113 §8.2.3), so all of them count. Work is
/// linear and bounded, and nothing is copied.
///
/// ```
/// use sessionup_core::cookie::{Found, find};
///
/// let fields = [&b"theme=dark; id=abc"[..], b"lang=lt"];
/// assert_eq!(find(fields, "id"), Found::One(b"abc"));
/// assert_eq!(find(fields, "Id"), Found::Absent);
/// ```
pub fn find<'a>(fields: impl IntoIterator<Item = &'a [u8]>, name: &str) -> Found<'a> {
    let mut found = Found::Absent;
    let (mut bytes_left, mut pairs_left) = (MAX_BYTES, MAX_PAIRS);
    for field in fields {
        let Some(left) = bytes_left.checked_sub(field.len()) else {
            return Found::TooLarge;
        };
        bytes_left = left;
        let mut rest = Some(field);
        while let Some(pairs) = rest {
            let (pair, after) = match split_once(pairs, b';') {
                Some((pair, after)) => (pair, Some(after)),
                None => (pairs, None),
            };
            rest = after;
            let Some(left) = pairs_left.checked_sub(1) else {
                return Found::TooLarge;
            };
            pairs_left = left;
            let Some(value) = value_of(pair, name.as_bytes()) else {
                continue;
            };
            found = match found {
                Found::Absent => Found::One(value),
                Found::One(first) if first == value => found,
                _ => return Found::Ambiguous,
            };
        }
    }
    found
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (this, value) = split_once(pair, b'=')?;
    is_name(this, name).then(|| trim(value))
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = bytes.split_at_checked(memchr::memchr(separator, bytes)?)?;
    Some((before, rest.get(1..)?))
}

fn is_name(bytes: &[u8], name: &[u8]) -> bool {
    if crate::is_seeded!(UnicodeTrim) {
        return String::from_utf8_lossy(bytes).trim().as_bytes() == name;
    }
    if crate::is_seeded!(PercentDecodedName) {
        return String::from_utf8_lossy(bytes)
            .replace("%5F", "_")
            .trim()
            .as_bytes()
            == name;
    }
    trim(bytes) == name
}

fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "__Host-id";

    #[test]
    fn one_field() {
        let cases: [(&str, &[u8], Found<'_>); 35] = [
            ("empty", b"", Found::Absent),
            ("separator", b";", Found::Absent),
            ("separators", b";;;", Found::Absent),
            ("equals", b"=", Found::Absent),
            ("nameless", b"=v", Found::Absent),
            ("no equals", b"__Host-id", Found::Absent),
            ("alone", b"__Host-id=v", Found::One(b"v")),
            ("empty value", b"__Host-id=", Found::One(b"")),
            ("first", b"__Host-id=v; a=b", Found::One(b"v")),
            ("last", b"a=b; __Host-id=v", Found::One(b"v")),
            ("no space", b"a=b;__Host-id=v", Found::One(b"v")),
            ("trailing separator", b"__Host-id=v;", Found::One(b"v")),
            (
                "spaces and tabs",
                b" \t__Host-id\t = v \t; a=b",
                Found::One(b"v"),
            ),
            ("value with equals", b"__Host-id=v=w", Found::One(b"v=w")),
            ("quotes stay", b"__Host-id=\"v\"", Found::One(b"\"v\"")),
            (
                "a quote ends nothing",
                b"a=\"x;__Host-id=v\"",
                Found::One(b"v\""),
            ),
            ("comma is no separator", b"a=b,__Host-id=v", Found::Absent),
            ("other case", b"__host-id=v", Found::Absent),
            ("capitals", b"__HOST-id=v", Found::Absent),
            ("longer name", b"__Host-id2=v", Found::Absent),
            ("shorter name", b"__Host-i=v", Found::Absent),
            ("percent-encoded name", b"%5F%5FHost-id=v", Found::Absent),
            ("U+2000 before", b"\xe2\x80\x80__Host-id=v", Found::Absent),
            ("U+0085 before", b"\x85__Host-id=v", Found::Absent),
            ("U+00A0 before", b"\xa0__Host-id=v", Found::Absent),
            ("U+FEFF before", b"\xef\xbb\xbf__Host-id=v", Found::Absent),
            ("NUL after", b"__Host-id\0=v", Found::Absent),
            ("line feed before", b"\n__Host-id=v", Found::Absent),
            (
                "$Version",
                b"$Version=1; __Host-id=v; $Path=/",
                Found::One(b"v"),
            ),
            (
                "nameless with our text",
                b"a=b; =__Host-id=evil",
                Found::Absent,
            ),
            (
                "twice the same",
                b"__Host-id=v; __Host-id=v",
                Found::One(b"v"),
            ),
            (
                "twice, different",
                b"__Host-id=v; __Host-id=w",
                Found::Ambiguous,
            ),
            (
                "twice, one empty",
                b"__Host-id=; __Host-id=v",
                Found::Ambiguous,
            ),
            (
                "three, the odd one last",
                b"__Host-id=v; __Host-id=v; __Host-id=w",
                Found::Ambiguous,
            ),
            (
                "junk beside it",
                b"a=\xed\xa0\x80%zz%00\"; __Host-id=v",
                Found::One(b"v"),
            ),
        ];
        for (name, field, expected) in cases {
            assert_eq!(find([field], NAME), expected, "{name}");
        }
    }

    #[test]
    fn all_fields_count() {
        let fields = (0..50).map(|_| &b"a=b"[..]);
        let ours = [&b"__Host-id=v"[..]];
        assert_eq!(find(fields.clone().chain(ours), NAME), Found::One(b"v"));
        assert_eq!(
            find(
                ours.into_iter().chain(fields).chain([&b"__Host-id=w"[..]]),
                NAME
            ),
            Found::Ambiguous
        );
    }

    #[test]
    fn no_neighbour_hides_ours() {
        for byte in (0..=255_u8).filter(|byte| *byte != b';') {
            let mut field = vec![b'n', byte, b'=', b'v', byte, b';'];
            field.extend_from_slice(b"__Host-id=ours;");
            field.extend_from_slice(&[byte, byte]);
            assert_eq!(find([&field[..]], NAME), Found::One(b"ours"), "{byte:#x}");
        }
    }

    #[test]
    fn work_is_bounded() {
        let long = vec![b'a'; MAX_BYTES + 1];
        assert_eq!(find([&long[..]], NAME), Found::TooLarge);

        let mut fits = b"__Host-id=v;".to_vec();
        fits.resize(MAX_BYTES, b'a');
        assert_eq!(find([&fits[..]], NAME), Found::One(b"v"));
        assert_eq!(find([&fits[..], b"x"], NAME), Found::TooLarge);

        let pairs = |count: usize| vec![b';'; count - 1];
        assert_eq!(find([&pairs(MAX_PAIRS)[..]], NAME), Found::Absent);
        assert_eq!(find([&pairs(MAX_PAIRS + 1)[..]], NAME), Found::TooLarge);
        assert_eq!(find(vec![&b""[..]; MAX_PAIRS + 1], NAME), Found::TooLarge);
    }
}
