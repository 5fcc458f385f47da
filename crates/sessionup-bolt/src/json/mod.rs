//! JSON as Go's `encoding/json` reads it.
//!
//! Not `serde_json`, because the two differ where it matters: Go takes invalid UTF-8 and lone
//! surrogates and puts U+FFFD in their place, and finds names whatever their case. What Go reads is
//! read here, and what it refuses is refused.

mod text;

pub(crate) use text::{folds_to, lossy, quote};

/// Why bytes are no JSON that Go would read. Tells a place, never what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
#[non_exhaustive]
pub struct JsonError {
    /// How many bytes stand before the place.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl JsonError {
    /// Says what is wrong where.
    #[must_use]
    pub const fn new(at: usize, what: &'static str) -> Self {
        Self { at, what }
    }
}

/// What a value begins like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Object,
    Text,
    /// A list, a number or a truth value: nothing that a session has.
    Other,
}

/// Reads JSON from front to back.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// Deepest nesting of a value that is passed over: with the record around it, the 10,000 of Go.
const MAX_DEPTH: usize = 9_999;

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Says what comes next, and passes over `null`.
    pub(crate) fn kind(&mut self) -> Result<Kind, JsonError> {
        self.space();
        Ok(match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'"') => Kind::Text,
            Some(b'n') => {
                self.word(b"null")?;
                Kind::Null
            }
            Some(_) => Kind::Other,
            None => return self.wrong("a value is missing"),
        })
    }

    /// Reads an object; `field` is called behind each name and must read the value.
    pub(crate) fn object<E: From<JsonError>>(
        &mut self,
        mut field: impl FnMut(&mut Self, String) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{', "an object is expected")?;
        self.space();
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            self.space();
            let name = self.text()?;
            self.space();
            self.expect(b':', "a colon is expected")?;
            field(self, name)?;
            self.space();
            if self.eat(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of an object is expected")?;
        }
    }

    /// Reads a string.
    pub(crate) fn text(&mut self) -> Result<String, JsonError> {
        let from = self.at + 1;
        let raw = self.raw_text()?;
        text::unescape(raw).map_err(|(at, what)| JsonError {
            at: from + at,
            what,
        })
    }

    /// Reads a string and returns what is between its quotes as it stands.
    pub(crate) fn raw_text(&mut self) -> Result<&'a [u8], JsonError> {
        self.expect(b'"', "a string is expected")?;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..0x20) => return self.wrong("a control character in a string"),
                Some(_) => self.at += 1,
                None => return self.wrong("a string has no end"),
            }
        }
        let raw = self.bytes.get(from..self.at).unwrap_or_default();
        self.at += 1;
        Ok(raw)
    }

    /// Passes over a value of any kind.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        // The closing brackets that are due, innermost last.
        let mut due: Vec<u8> = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    let close = if open == b'{' { b'}' } else { b']' };
                    if due.len() == MAX_DEPTH {
                        return self.wrong("nested too deeply");
                    }
                    self.space();
                    if !self.eat(close) {
                        due.push(close);
                        self.name_if(close == b'}')?;
                        continue;
                    }
                }
                Some(b'"') => drop(self.text()?),
                Some(b't') => self.word(b"true")?,
                Some(b'f') => self.word(b"false")?,
                Some(b'n') => self.word(b"null")?,
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(_) => return self.wrong("no value begins like this"),
                None => return self.wrong("a value is missing"),
            }
            // Behind a value: as many ends as there are, then the next value.
            loop {
                let Some(close) = due.last().copied() else {
                    return Ok(());
                };
                self.space();
                if self.eat(close) {
                    due.pop();
                    continue;
                }
                self.expect(b',', "a comma or a closing bracket is expected")?;
                self.name_if(close == b'}')?;
                break;
            }
        }
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.wrong("something follows the value"),
        }
    }

    pub(crate) fn wrong<T>(&self, what: &'static str) -> Result<T, JsonError> {
        let at = self.at.min(self.bytes.len());
        Err(JsonError { at, what })
    }

    fn name_if(&mut self, in_object: bool) -> Result<(), JsonError> {
        if in_object {
            self.space();
            self.text()?;
            self.space();
            self.expect(b':', "a colon is expected")?;
        }
        Ok(())
    }

    /// Passes over a number: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    fn number(&mut self) -> Result<(), JsonError> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from {
            return self.wrong("a digit is expected");
        }
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), JsonError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.wrong("no value begins like this");
        }
        self.at += word.len();
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) {
            Ok(())
        } else {
            self.wrong(what)
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}
