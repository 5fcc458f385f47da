//! Strings as Go reads them.

/// Takes the escapes out of what stands between the quotes.
///
/// U+FFFD comes in the place of each byte that is no UTF-8 and of each half of a surrogate pair
/// without the other. The error is a place and what is wrong there.
pub(super) fn unescape(raw: &[u8]) -> Result<String, (usize, &'static str)> {
    // As long as it can become: growing step by step would take more memory than is promised.
    let invalid: usize = raw.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let mut text = String::with_capacity(raw.len() + 2 * invalid);
    let mut rest = raw;
    while let Some(escape) = rest.iter().position(|byte| *byte == b'\\') {
        let (plain, escaped) = rest.split_at(escape);
        push_lossy(&mut text, plain);
        let at = raw.len() - escaped.len();
        let (char, length) = unescape_one(escaped).ok_or((at, "an escape that JSON has not"))?;
        text.push(char);
        rest = escaped.get(length..).unwrap_or_default();
    }
    push_lossy(&mut text, rest);
    Ok(text)
}

/// Reads the escape in front; says how long it is.
fn unescape_one(escaped: &[u8]) -> Option<(char, usize)> {
    let char = match escaped.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unescape_unit(escaped),
        _ => return None,
    };
    Some((char, 2))
}

fn unescape_unit(escaped: &[u8]) -> Option<(char, usize)> {
    let first = unit(escaped)?;
    if let Some(char) = char::from_u32(first) {
        return Some((char, 6));
    }
    let second = escaped
        .get(6..)
        .filter(|rest| rest.starts_with(b"\\u"))
        .and_then(unit);
    Some(match (first, second) {
        (high @ 0xD800..0xDC00, Some(low @ 0xDC00..0xE000)) => {
            let char = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (char::from_u32(char)?, 12)
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    })
}

/// Reads four digits behind `\u`.
fn unit(escaped: &[u8]) -> Option<u32> {
    escaped.get(2..6)?.iter().try_fold(0, |unit, digit| {
        Some(unit * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// Appends bytes, with U+FFFD for each that is no UTF-8.
fn push_lossy(text: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// Reads bytes as Go does a string of JSON without escapes.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push_lossy(&mut text, bytes);
    text
}

/// Says whether Go takes a name for this one, which is in lower case: whatever the case, also for
/// the two characters outside ASCII that are letters of it in another case.
pub(crate) fn folds_to(name: &str, lower: &str) -> bool {
    let folded = name.chars().map(|char| match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        char => char.to_ascii_lowercase(),
    });
    folded.eq(lower.chars())
}

/// Writes a string as Go does, with quotes, and with escapes also for what means something in HTML
/// and for the line ends of JavaScript.
pub(crate) fn quote(into: &mut String, text: &str) {
    into.push('"');
    for char in text.chars() {
        match char {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\0'..'\u{20}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                into.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => into.push(char),
        }
    }
    into.push('"');
}
