//! Taking the lines of a list header apart, from the right, within bounds.

use super::TrustedProxies;

/// The elements of a list that is spread over lines.
///
/// From the right, because that is where proxies write. What a client wrote further left, an open
/// quote say, has no say in where their elements begin.
pub(super) struct Elements<'a, L> {
    lines: L,
    /// What remains of the line that was begun.
    rest: Option<&'a [u8]>,
    bytes_left: usize,
    entries_left: usize,
}

/// Nobody can tell where the next element begins, or not within the bounds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

impl<'a, L: DoubleEndedIterator<Item = &'a [u8]>> Elements<'a, L> {
    pub(super) const fn new(lines: L) -> Self {
        Self {
            lines,
            rest: None,
            bytes_left: TrustedProxies::MAX_BYTES,
            entries_left: TrustedProxies::MAX_ENTRIES,
        }
    }

    /// Takes the last element that is left; `None` after the first one.
    pub(super) fn next_back(&mut self) -> Result<Option<&'a [u8]>, Unreadable> {
        let Some(line) = self.rest.take().or_else(|| self.lines.next_back()) else {
            return Ok(None);
        };
        self.entries_left = self.entries_left.checked_sub(1).ok_or(Unreadable)?;

        let hidden_bytes = line.len().saturating_sub(self.bytes_left);
        let (hidden, visible) = line.split_at_checked(hidden_bytes).ok_or(Unreadable)?;
        let start = match last_comma(visible)? {
            Some(comma) => {
                self.rest = line.get(..hidden_bytes.saturating_add(comma));
                comma.saturating_add(1)
            }
            None if hidden.is_empty() => 0,
            None => return Err(Unreadable),
        };
        let element = visible.get(start..).ok_or(Unreadable)?;
        // The comma between elements, or between lines, counts too.
        self.bytes_left = self
            .bytes_left
            .saturating_sub(element.len().saturating_add(1));
        Ok(Some(element))
    }
}

/// Finds the last comma that is not in quotes. `X-Forwarded-For` has no quotes, but an element with
/// one is no address either way.
fn last_comma(text: &[u8]) -> Result<Option<usize>, Unreadable> {
    let mut in_quotes = false;
    for (at, byte) in text.iter().enumerate().rev() {
        match byte {
            b'"' => {
                let is_escaped = ends_escaping(text.get(..at).unwrap_or_default());
                if is_escaped && !in_quotes {
                    return Err(Unreadable);
                }
                in_quotes ^= !is_escaped;
            }
            b',' if !in_quotes => return Ok(Some(at)),
            _ => {}
        }
    }
    if in_quotes { Err(Unreadable) } else { Ok(None) }
}

/// Whether what follows this text is escaped by its last backslash.
fn ends_escaping(text: &[u8]) -> bool {
    let backslashes = text.iter().rev().take_while(|byte| **byte == b'\\');
    backslashes.count() % 2 == 1
}
