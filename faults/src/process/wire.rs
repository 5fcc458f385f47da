//! What a child tells its parent, a line each.

use std::fmt;
use std::str::FromStr;

/// Something that happened. What is begun is the next operation of the script; answers come in the
/// order in which operations were begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The store is open.
    Opened,
    /// It cannot be opened.
    Unopened(String),
    /// An operation is about to be begun.
    Begun,
    /// An operation was answered.
    Answered(String),
    /// Whether an operation happened is not known.
    Unknown(String),
    /// An operation has not happened.
    Refused(String),
    /// The store works as if nothing had been.
    Mended,
    /// The store does not work though nothing is in its way any more.
    Unmended(String),
    /// The store is closed.
    Done,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("o"),
            Self::Unopened(why) => write!(f, "x{why}"),
            Self::Begun => f.write_str("+"),
            Self::Answered(answer) => write!(f, "={answer}"),
            Self::Unknown(error) => write!(f, "?{error}"),
            Self::Refused(error) => write!(f, "!{error}"),
            Self::Mended => f.write_str("m"),
            Self::Unmended(error) => write!(f, "u{error}"),
            Self::Done => f.write_str("."),
        }
    }
}

/// A line that no child writes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a child does not speak like this: {0:?}")]
pub struct NotALine(String);

impl FromStr for Line {
    type Err = NotALine;

    fn from_str(text: &str) -> Result<Self, NotALine> {
        let mut rest = text.chars();
        let kind = rest.next();
        let rest = rest.as_str();
        Ok(match (kind, rest) {
            (Some('o'), "") => Self::Opened,
            (Some('+'), "") => Self::Begun,
            (Some('m'), "") => Self::Mended,
            (Some('.'), "") => Self::Done,
            (Some('x'), why) => Self::Unopened(why.to_owned()),
            (Some('='), answer) => Self::Answered(answer.to_owned()),
            (Some('?'), error) => Self::Unknown(error.to_owned()),
            (Some('!'), error) => Self::Refused(error.to_owned()),
            (Some('u'), error) => Self::Unmended(error.to_owned()),
            _ => return Err(NotALine(text.to_owned())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let text = || "Deleted(true)".to_owned();
        for line in [
            Line::Opened,
            Line::Unopened(text()),
            Line::Begun,
            Line::Answered(text()),
            Line::Unknown(text()),
            Line::Refused(text()),
            Line::Mended,
            Line::Unmended(text()),
            Line::Done,
        ] {
            assert_eq!(line.to_string().parse(), Ok(line));
        }
        for text in ["", "+1", "#"] {
            assert!(text.parse::<Line>().is_err(), "{text:?}");
        }
    }
}
