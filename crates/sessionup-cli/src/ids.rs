//! Ids as operators name them: whole, or by their beginning or end.

use std::fmt;
use std::io::{BufRead, Read};

use sessionup_core::SessionId;

use crate::failure::{Failure, while_doing};
use crate::store::Place;

/// An id as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Whole(SessionId),
    Part(Part),
}

/// Hexadecimal digits with which an id begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    digits: String,
    /// Whether the id ends with them: a mark was before them, as in tables.
    is_end: bool,
}

impl Part {
    /// Says whether an id has it, of which all digits are given.
    fn is_of(&self, whole: &str) -> bool {
        whole.ends_with(&self.digits) || !self.is_end && whole.starts_with(&self.digits)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.is_end { "\u{2026}" } else { "" };
        write!(formatter, "{mark}{}", self.digits)
    }
}

/// Digits of a whole id.
const DIGITS: usize = 32;
/// Fewest digits of a part.
const FEWEST: usize = 4;
/// Fewest digits of a part if nobody is asked whether the right session was found.
const FEWEST_UNASKED: usize = 8;

impl Wanted {
    /// Reads an id. What was given instead is not repeated: it may be a token.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        read(text).ok_or_else(|| {
            Failure::Usage(
                "that is no id of a session: `sessionup list` shows them, 36 characters such as \
                 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f, or at least four of its beginning or end \
                 (eight with --yes)"
                    .into(),
            )
        })
    }
}

fn read(text: &str) -> Option<Wanted> {
    // As tables have it.
    let unmarked = text.trim_start_matches(['\u{2026}', '.']);
    let is_end = unmarked.len() < text.len();
    let text = unmarked.to_ascii_lowercase();
    if let Ok(id) = text.parse() {
        return Some(Wanted::Whole(id));
    }
    let is_part = |char: char| matches!(char, '0'..='9' | 'a'..='f' | '-');
    if !text.chars().all(is_part) || text.len() > 36 {
        return None;
    }
    let digits = digits(&text);
    (FEWEST..DIGITS)
        .contains(&digits.len())
        .then_some(Wanted::Part(Part { digits, is_end }))
}

/// Fails if a part is too short to be taken without a question.
pub(crate) fn check_unasked(wanted: &[Wanted]) -> Result<(), Failure> {
    for wanted in wanted {
        if let Wanted::Part(part) = wanted
            && part.digits.len() < FEWEST_UNASKED
        {
            return Err(Failure::Usage(format!(
                "{part} is too short for --yes, which asks nobody whether the right session was found: give \
                 at least eight characters of the id, or leave --yes out. Nothing was changed"
            )));
        }
    }
    Ok(())
}

fn digits(text: &str) -> String {
    text.chars().filter(|char| *char != '-').collect()
}

/// Reads several ids; one of them may be `-`, for those of the standard input.
pub(crate) fn parse_all(texts: &[String], input: impl BufRead) -> Result<Vec<Wanted>, Failure> {
    let mut wanted = Vec::new();
    let mut input = Some(input);
    for text in texts {
        match (text.as_str(), &mut input) {
            ("-", given) => {
                let given = given.take().ok_or_else(|| {
                    Failure::Usage("the standard input can be read once: say - once".into())
                })?;
                wanted.extend(read_lines(given)?);
            }
            (text, _) => wanted.push(Wanted::parse(text)?),
        }
    }
    Ok(wanted)
}

/// Most ids that are read from the standard input.
const MOST: usize = 100_000;

/// Reads ids, one a line.
fn read_lines(mut input: impl BufRead) -> Result<Vec<Wanted>, Failure> {
    const LONGEST: u64 = 128;
    let mut wanted = Vec::new();
    for number in 1.. {
        let mut line = Vec::new();
        let length = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if length.map_err(while_doing("the ids could not be read"))? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if wanted.len() == MOST {
            return Err(Failure::Usage(format!(
                "more than {MOST} ids were given: give fewer at a time. Nothing was changed"
            )));
        }
        let found = read(text).ok_or_else(|| {
            Failure::Usage(format!(
                "line {number} is no id of a session. Nothing was changed"
            ))
        });
        wanted.push(found?);
    }
    if wanted.is_empty() {
        return Err(Failure::Usage(
            "no ids were given. Nothing was changed".into(),
        ));
    }
    Ok(wanted)
}

/// What parts of ids are short for.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// In the order of ids, each once.
    pub(crate) ids: Vec<SessionId>,
    /// Parts that no session has.
    pub(crate) not_found: Vec<String>,
    /// The other parts, and which session each is short for.
    pub(crate) meant: Vec<(String, SessionId)>,
}

/// Finds what parts of ids are short for, by one look at all sessions.
///
/// # Errors
///
/// [`Failure::Ambiguous`] if several sessions have a part.
pub(crate) fn resolve(wanted: &[Wanted], place: &Place) -> Result<Resolved, Failure> {
    let mut resolved = Resolved::default();
    let mut parts = Vec::new();
    for wanted in wanted {
        match wanted {
            Wanted::Whole(id) => resolved.ids.push(*id),
            Wanted::Part(part) => parts.push((part, Vec::new())),
        }
    }
    if !parts.is_empty() {
        let mut reading = place.reading();
        loop {
            let piece = reading.piece()?;
            if piece.is_empty() {
                break;
            }
            for (id, _) in piece {
                let whole = digits(&id.to_string());
                for (part, found) in &mut parts {
                    if part.is_of(&whole) && found.len() < SHOWN {
                        found.push(id);
                    }
                }
            }
        }
    }
    for (part, found) in parts {
        match found.as_slice() {
            [] => resolved.not_found.push(part.to_string()),
            [id] => {
                resolved.ids.push(*id);
                resolved.meant.push((part.to_string(), *id));
            }
            several => return Err(ambiguous(part, several)),
        }
    }
    resolved.ids.sort();
    resolved.ids.dedup();
    Ok(resolved)
}

/// How many sessions are named that have a part.
const SHOWN: usize = 10;

fn ambiguous(part: &Part, ids: &[SessionId]) -> Failure {
    let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let more = if ids.len() == SHOWN {
        " and perhaps more"
    } else {
        ""
    };
    Failure::Ambiguous(format!(
        "{part} is short for several sessions, give more of the id: {}{more}",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f";

    #[test]
    fn parse_id_takes_whole_ones_and_parts() {
        let either = |text: &str, is_end| {
            let digits = text.into();
            Some(Wanted::Part(Part { digits, is_end }))
        };
        let part = |text| either(text, false);
        let end = |text| either(text, true);
        let whole = Some(Wanted::Whole(ID.parse().unwrap()));
        let cases = [
            (ID, whole.clone()),
            ("0199F0C4-8A5E-7CC3-98C4-DC0C0C07398F", whole),
            ("0199", part("0199")),
            ("07398F", part("07398f")),
            ("\u{2026}dc0c0c07398f", end("dc0c0c07398f")),
            ("...dc0c0c07398f", end("dc0c0c07398f")),
            ("98c4-dc0c0c07398f", part("98c4dc0c0c07398f")),
            ("0199f0c4-8", part("0199f0c48")),
            ("199", None),
            ("0-1-9", None),
            ("", None),
            ("-", None),
            ("ann", None),
            ("0199f0c4_8a5e", None),
            ("0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f0", None),
            (
                "AZnwxIpefMOYxNwMDAc5jwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g",
                None,
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn check_unasked_refuses_fewer_than_eight_digits() {
        for (text, is_taken) in [
            (ID, true),
            ("0199f0c4", true),
            ("98c4-dc0c", true),
            ("\u{2026}0c07398f", true),
            ("0199f0c", false),
            ("0199-f0c", false),
            ("\u{2026}c07398f", false),
        ] {
            let wanted = [ID, text].map(|text| read(text).unwrap());
            assert_eq!(check_unasked(&wanted).is_ok(), is_taken, "{text}");
        }
    }

    #[test]
    fn read_lines_takes_ids_and_refuses_the_rest() {
        let good = format!("{ID}\r\n\n  0199f0c4\n{ID}");
        assert_eq!(read_lines(good.as_bytes()).unwrap().len(), 3);
        for (bad, expected) in [
            (format!("{ID}\nann\n"), "line 2 is no id"),
            ("x".repeat(1_000), "line 1 is no id"),
            ("0199\n".repeat(MOST + 1), "more than 100000 ids"),
            ("\n\n".into(), "no ids were given"),
            ("\u{ff}\n".into(), "line 1 is no id"),
        ] {
            let Err(Failure::Usage(text)) = read_lines(bad.as_bytes()) else {
                panic!("{expected}");
            };
            assert!(text.starts_with(expected), "{text}");
        }
    }
}
