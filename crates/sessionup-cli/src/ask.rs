//! The question before something is changed for good.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::args::Assent;
use crate::escape;
use crate::failure::Failure;

/// Asks, unless that was answered on the command line.
///
/// # Errors
///
/// [`Failure::Declined`] for anything but yes, [`Failure::NobodyToAsk`] without a terminal.
pub(crate) fn confirm(question: &str, assent: &Assent) -> Result<(), Failure> {
    if assent.yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::NobodyToAsk);
    }
    let agreed = ask(question, &mut io::stdin().lock(), &mut io::stderr());
    if agreed.map_err(Failure::Output)? {
        Ok(())
    } else {
        Err(Failure::Declined)
    }
}

fn ask(question: &str, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
    write!(to, "{} [y/N] ", escape::text(question))?;
    to.flush()?;
    let mut answer = String::new();
    from.read_line(&mut answer)?;
    let answer = answer.trim();
    Ok(["y", "yes"]
        .iter()
        .any(|yes| answer.eq_ignore_ascii_case(yes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let cases = [
            ("y\n", true),
            ("Y\n", true),
            (" yes \n", true),
            ("yes", true),
            ("n\n", false),
            ("\n", false),
            ("", false),
            ("yy\n", false),
            ("no\nyes\n", false),
        ];
        for (answer, expected) in cases {
            let mut asked = Vec::new();
            let agreed = ask("End \u{1b}[2J?", &mut answer.as_bytes(), &mut asked).unwrap();
            assert_eq!(agreed, expected, "{answer:?}");
            assert_eq!(asked, b"End \\u{1b}[2J? [y/N] ");
        }
    }
}
