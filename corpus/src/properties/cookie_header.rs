//! Reading our cookie among others.

use cookie::Cookie;
use sessionup_core::cookie::{Found, find};

use crate::COOKIE_NAME;

const MAX_BYTES: usize = 64 * 1024;
const MAX_PAIRS: usize = 1_000;

/// Reads `Cookie` fields, one per line, as an independent reader does, and finds ours whatever
/// stands beside it.
pub fn cookie_header(input: &[u8]) {
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    check(&lines);
    // A line feed cannot come over HTTP; it must be a byte as any other all the same.
    check(&[input]);
}

fn check(fields: &[&[u8]]) {
    let found = find(fields.iter().copied(), COOKIE_NAME);
    assert_eq!(found, find(fields.iter().copied(), COOKIE_NAME), "twice");

    let bytes: usize = fields.iter().map(|field| field.len()).sum();
    let semicolons = fields
        .iter()
        .flat_map(|field| field.iter())
        .filter(|byte| **byte == b';');
    let pairs = fields.len() + semicolons.count();
    let is_too_large = bytes > MAX_BYTES || pairs > MAX_PAIRS;
    if is_too_large {
        assert!(
            matches!(found, Found::TooLarge | Found::Ambiguous),
            "{found:?}"
        );
        return;
    }
    assert_eq!(found, of_values(&values(fields)), "own reading");
    if let Some(theirs) = values_of_cookie_crate(fields) {
        let theirs: Vec<&[u8]> = theirs.iter().map(String::as_bytes).collect();
        assert_eq!(found, of_values(&theirs), "the cookie crate's reading");
    }
    // As one field they have a semicolon more for each.
    let has_room = bytes + fields.len() + 64 <= MAX_BYTES && pairs + 2 <= MAX_PAIRS;
    if has_room {
        check_neighbours(fields, found);
    }
}

/// Ours before, after and within one field with them is found, or makes two of ours.
fn check_neighbours(fields: &[&[u8]], found: Found<'_>) {
    let ours: &[u8] = b"__Host-id=ours";
    let joined = [fields.join(&b';'), b"; ".to_vec(), ours.to_vec()].concat();
    let before = std::iter::once(ours).chain(fields.iter().copied());
    let after = fields.iter().copied().chain([ours]);
    let expected = match found {
        Found::Absent | Found::One(b"ours") => Found::One(b"ours"),
        _ => Found::Ambiguous,
    };
    assert_eq!(find(before, COOKIE_NAME), expected, "ours first");
    assert_eq!(find(after, COOKIE_NAME), expected, "ours last");
    assert_eq!(find([&joined[..]], COOKIE_NAME), expected, "in one field");
}

/// All values of our name: RFC 6265bis §4.2.1 read backwards, without a thought for speed.
fn values<'a>(fields: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let trim = |bytes: &'a [u8]| -> &'a [u8] {
        match bytes.iter().position(|byte| !is_blank(byte)) {
            None => b"",
            Some(start) => {
                let last = bytes.iter().rposition(|byte| !is_blank(byte));
                &bytes[start..=last.unwrap_or(start)]
            }
        }
    };
    let mut values = Vec::new();
    for field in fields {
        for pair in field.split(|byte| *byte == b';') {
            let mut sides = pair.splitn(2, |byte| *byte == b'=');
            let (name, value) = (sides.next(), sides.next());
            if let (Some(name), Some(value)) = (name, value)
                && trim(name) == COOKIE_NAME.as_bytes()
            {
                values.push(trim(value));
            }
        }
    }
    values
}

fn of_values<'a>(values: &[&'a [u8]]) -> Found<'a> {
    match values {
        [] => Found::Absent,
        [first, rest @ ..] if rest.iter().all(|value| value == first) => Found::One(first),
        _ => Found::Ambiguous,
    }
}

/// The same by another's code, for text in which both must see the same: printable ASCII.
fn values_of_cookie_crate(fields: &[&[u8]]) -> Option<Vec<String>> {
    let mut values = Vec::new();
    for field in fields {
        if !field.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return None;
        }
        let field = std::str::from_utf8(field).ok()?;
        let cookies = Cookie::split_parse(field).flatten();
        let ours = cookies.filter(|cookie| cookie.name() == COOKIE_NAME);
        values.extend(ours.map(|cookie| cookie.value().to_owned()));
    }
    Some(values)
}
