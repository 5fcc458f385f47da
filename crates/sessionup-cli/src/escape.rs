//! Text that others chose, made safe to show in a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::ser::{Formatter, PrettyFormatter};

/// Characters that a terminal acts upon, and those that are not seen: control and format characters,
/// white space other than U+0020, what Unicode says may be ignored, and blanks.
///
/// Arabic signs that stand over a number are format characters that are seen.
const UNSEEN: &str = r"[[\p{Cc}\p{Cf}\p{White_Space}\p{Default_Ignorable_Code_Point}\x{2800}\x{fff0}-\x{fffb}\x{1d159}]--[\p{Prepended_Concatenation_Mark} ]]";

static IN_TEXT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(UNSEEN).ok());

/// The same, and spaces at the ends, and what would be taken for an escape.
static IN_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"{UNSEEN}|^ +| +$|\\u\{{")).ok());

/// Writes characters that are not seen, or that a terminal would act upon, as `\u{1b}`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return text.into();
    }
    replaced(&IN_TEXT, text)
}

/// Says whether there is nothing but ASCII that is seen, as in most text.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Writes a name that others chose so that no other name looks like it: as [`text`], and spaces at the
/// ends as `\u{20}`.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    replaced(&IN_NAME, name)
}

/// Writes a name in quotes, for a sentence.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", name(text).replace('"', "\\\""))
}

fn replaced<'a>(unsafe_text: &LazyLock<Option<Regex>>, text: &'a str) -> Cow<'a, str> {
    let Some(pattern) = unsafe_text.as_ref() else {
        // The patterns are right, as the tests see. Without one nothing but ASCII is shown.
        return text.escape_default().to_string().into();
    };
    pattern.replace_all(text, |found: &Captures<'_>| {
        let found = found.get(0).map_or("", |found| found.as_str());
        if found == r"\u{" {
            return r"\u{5c}u{".to_owned();
        }
        let mut safe = String::with_capacity(8);
        for char in found.chars() {
            // Writing to a String cannot fail.
            let _ = write!(safe, "{}", char.escape_unicode());
        }
        safe
    })
}

/// Writes JSON with such characters escaped, as JSON has it: what is read back is what was given.
#[derive(Default)]
pub(crate) struct SafeJson<'a>(PrettyFormatter<'a>);
impl Formatter for SafeJson<'_> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        for found in IN_TEXT.iter().flat_map(|text| text.find_iter(fragment)) {
            let done = fragment.len() - rest.len();
            let before = fragment.get(done..found.start()).unwrap_or_default();
            writer.write_all(before.as_bytes())?;
            for char in found.as_str().chars() {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = fragment.get(found.end()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())?;
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
    fn text_with_unseen_characters_is_escaped() {
        let cases = [
            ("", ""),
            ("ann", "ann"),
            ("Zo\u{eb} \u{2603} \u{1f600}", "Zo\u{eb} \u{2603} \u{1f600}"),
            (
                "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
                "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
            ),
            ("\u{600}1", "\u{600}1"),
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
            ("  a  b  ", "  a  b  "),
        ];
        for (given, expected) in cases {
            assert_eq!(text(given), expected, "{given:?}");
        }
    }

    /// Each of these looks like `ann`, or like nothing, in some terminal.
    #[test]
    fn name_with_unseen_characters_differs_from_plain_one() {
        let unseen = [
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{1680}',
            '\u{2000}',
            '\u{2003}',
            '\u{200a}',
            '\u{200d}',
            '\u{202f}',
            '\u{205f}',
            '\u{2060}',
            '\u{2800}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d159}',
            '\u{1d173}',
            '\u{e0001}',
            '\u{e0100}',
            '\u{e0fff}',
        ];
        for char in unseen {
            let given = format!("an{char}n");
            let expected = format!("an{}n", char.escape_unicode());
            assert_eq!(name(&given), expected);
            assert_eq!(text(&given), expected);
        }
    }

    #[test]
    fn names_with_spaces_and_escapes_are_distinct() {
        let cases = [
            ("ann", "ann", "\"ann\""),
            ("ann ", "ann\\u{20}", "\"ann\\u{20}\""),
            ("  ann", "\\u{20}\\u{20}ann", "\"\\u{20}\\u{20}ann\""),
            ("ann lee", "ann lee", "\"ann lee\""),
            (" ", "\\u{20}", "\"\\u{20}\""),
            ("a\"b", "a\"b", "\"a\\\"b\""),
            ("D\\ann", "D\\ann", "\"D\\ann\""),
            // This user is called so, and is not the one with a space.
            ("ann\\u{20}", "ann\\u{5c}u{20}", "\"ann\\u{5c}u{20}\""),
        ];
        for (given, as_name, as_quoted) in cases {
            assert_eq!(name(given), as_name, "{given:?}");
            assert_eq!(quoted(given), as_quoted, "{given:?}");
        }
    }

    #[test]
    fn json_with_unseen_characters_reads_back() {
        let given = "a\u{a0}\u{fe0f}\u{1b}[2J\u{9b}\u{202e}\u{e0041}\"\\\u{7f}\nz\u{eb}";
        let mut bytes = Vec::new();
        let mut serializer =
            serde_json::Serializer::with_formatter(&mut bytes, SafeJson::default());
        let value = serde_json::json!({ given: [given, 1, {}], "empty": [] });
        value.serialize(&mut serializer).unwrap();

        let written = String::from_utf8(bytes).unwrap();
        assert!(written.contains(r"\u009b\u202e\udb40\udc41"), "{written}");
        for line in written.lines() {
            assert_eq!(text(line), line);
        }
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&written).unwrap(),
            value
        );
    }
}
