//! Text that others chose, made safe to show in a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::ser::{Formatter, PrettyFormatter};

/// Writes characters that a terminal would act upon as `\u{1b}`: control characters, those that
/// change the direction of text or are not seen, and separators of lines.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if acts(char) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", char.escape_unicode());
        } else {
            safe.push(char);
        }
    }
    safe.into()
}

/// Says whether a character does something else than to appear.
fn acts(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Writes JSON with such characters escaped, as JSON has it.
#[derive(Default)]
pub(crate) struct SafeJson<'a>(PrettyFormatter<'a>);

impl Formatter for SafeJson<'_> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for piece in fragment.split_inclusive(acts) {
            let mut chars = piece.chars();
            match chars.next_back() {
                Some(last) if acts(last) => {
                    writer.write_all(chars.as_str().as_bytes())?;
                    for unit in last.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
                Some(_) | None => writer.write_all(piece.as_bytes())?,
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[test]
    fn what_acts_is_escaped_and_the_rest_is_as_it_was() {
        let cases = [
            ("", ""),
            ("ann", "ann"),
            ("Zo\u{eb} \u{2603} \u{1f600}", "Zo\u{eb} \u{2603} \u{1f600}"),
            (
                "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
                "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            ),
            ("a\nb\tc", "a\\u{a}b\\u{9}c"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("\u{7f}", "\\u{7f}"),
            ("nna\u{202e}", "nna\\u{202e}"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("an\u{200b}n", "an\\u{200b}n"),
            ("\u{feff}ann", "\\u{feff}ann"),
            ("a\u{2028}b", "a\\u{2028}b"),
            ("\u{e0041}", "\\u{e0041}"),
        ];
        for (given, expected) in cases {
            assert_eq!(text(given), expected, "{given:?}");
        }
    }

    #[test]
    fn json_reads_back_and_has_nothing_that_acts() {
        let given = "a\u{1b}[2J\u{9b}\u{202e}\u{e0041}\"\\\u{7f}\nz\u{eb}";
        let mut bytes = Vec::new();
        let mut serializer =
            serde_json::Serializer::with_formatter(&mut bytes, SafeJson::default());
        let value = serde_json::json!({ given: [given, 1, {}], "empty": [] });
        value.serialize(&mut serializer).unwrap();

        let written = String::from_utf8(bytes).unwrap();
        assert!(written.contains(r"\u009b\u202e\udb40\udc41"), "{written}");
        let acting: Vec<_> = written.chars().filter(|char| acts(*char)).collect();
        assert!(acting.iter().all(|char| *char == '\n'), "{acting:?}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written).unwrap(),
            value
        );
    }
}
