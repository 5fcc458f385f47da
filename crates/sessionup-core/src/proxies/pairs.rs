//! Finding a parameter in one element of `Forwarded` (RFC 7239 §4).

use std::borrow::Cow;

/// Finds the value of the one parameter of this lower-case name; `None` if it is absent, there
/// twice, or no value.
pub(super) fn value_of<'a>(element: &'a [u8], name: &[u8]) -> Option<Cow<'a, [u8]>> {
    let mut found = None;
    for pair in Pairs(Some(element)) {
        let mut sides = pair.trim_ascii().splitn(2, |byte| *byte == b'=');
        if sides
            .next()
            .is_some_and(|left| left.eq_ignore_ascii_case(name))
        {
            let value = sides.next()?;
            if found.replace(value).is_some() {
                return None;
            }
        }
    }
    unquote(found?)
}

/// The parameters of an element: what semicolons part that are not in quotes.
struct Pairs<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Pairs<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.0.take()?;
        let (mut in_quotes, mut is_escaped) = (false, false);
        let semicolon = text.iter().position(|byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = in_quotes,
                b'"' => in_quotes = !in_quotes,
                b';' => return !in_quotes,
                _ => {}
            }
            false
        });
        let Some(semicolon) = semicolon else {
            return Some(text);
        };
        self.0 = text.get(semicolon.saturating_add(1)..);
        text.get(..semicolon)
    }
}

/// Takes a value out of its quotes, if it is in quotes. Another quote inside stays, and is part of no
/// address.
fn unquote(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        return Some(Cow::Borrowed(value));
    };
    let quoted = quoted.strip_suffix(b"\"")?;
    let mut plain = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => *bytes.next()?,
            _ => *byte,
        });
    }
    Some(Cow::Owned(plain))
}
