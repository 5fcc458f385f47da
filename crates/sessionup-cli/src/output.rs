//! What is written: results to the standard output, all else to the standard error.

use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::escape::{self, SafeJson};
use crate::failure::{Failure, while_doing};

/// Prints text as it is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes());
    printed
        .and_then(|()| stdout.flush())
        .map_err(Failure::Output)
}

/// Prints a JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let written = write_json(value, &mut stdout);
    written
        .and_then(|()| stdout.flush())
        .map_err(Failure::Output)
}

/// Writes a JSON document in which nothing acts on a terminal.
pub(crate) fn write_json(value: &impl Serialize, to: &mut impl Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *to, SafeJson::default());
    value.serialize(&mut serializer)?;
    to.write_all(b"\n")
}

/// Tells something of less weight aside: dim in a terminal.
pub(crate) fn hint(line: &str) {
    let line = escape::text(line);
    let _ = writeln!(io::stderr(), "{}", console::style(line).dim().for_stderr());
}

/// Tells something aside. Nobody is left to be told if it cannot be written.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", escape::text(line));
}

/// Shows text aside that is safe already.
pub(crate) fn tell_safe(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Returns the width of the terminal that results go to; `None` if they go elsewhere.
pub(crate) fn width() -> Option<u16> {
    width_of(&Term::stdout())
}

/// The same of the terminal that questions go to.
pub(crate) fn width_aside() -> Option<u16> {
    width_of(&Term::stderr())
}

fn width_of(terminal: &Term) -> Option<u16> {
    terminal.size_checked().map(|(_, columns)| columns)
}

/// Makes a bar for work of a known length. It is seen in a terminal alone, and if there is some to do.
pub(crate) fn bar(doing: &'static str, length: u64) -> ProgressBar {
    const WORTH_A_BAR: u64 = 1_000;
    if length < WORTH_A_BAR {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len} {eta}");
    shown(ProgressBar::new(length), style, doing)
}

/// The same for work of a length that is not known.
pub(crate) fn spinner(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let bar = shown(ProgressBar::new_spinner(), style, doing);
    // Where it is not seen it needs no thread.
    if !bar.is_hidden() {
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
    }
    bar
}

fn shown(
    bar: ProgressBar,
    style: Result<ProgressStyle, indicatif::style::TemplateError>,
    doing: &'static str,
) -> ProgressBar {
    // The templates are right, as the tests see; without one there is the usual bar.
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.with_message(doing)
}

/// Results that are written by a thread of their own, so that whoever makes them learns when they are
/// not read: `sessionup list --all | less`.
#[derive(Debug)]
pub(crate) struct Stream {
    sender: Option<SyncSender<String>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// How many pieces of text wait to be written.
const PIECES: usize = 4;

impl Stream {
    pub(crate) fn start() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::sync_channel::<String>(PIECES);
        let write = move || {
            let mut stdout = io::stdout().lock();
            for text in receiver {
                stdout.write_all(text.as_bytes())?;
                stdout.flush()?;
            }
            Ok(())
        };
        let thread = thread::Builder::new().spawn(write);
        let thread = thread.map_err(while_doing("there is no thread to write the output"))?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Writes text. Calls `release` before it waits for earlier text to be read.
    pub(crate) fn write(&mut self, text: String, release: impl FnOnce()) -> Result<(), Failure> {
        let Some(sender) = &self.sender else {
            return Ok(());
        };
        let sent = match sender.try_send(text) {
            Err(TrySendError::Full(text)) => {
                release();
                sender.send(text).is_ok()
            }
            sent => sent.is_ok(),
        };
        if sent { Ok(()) } else { self.end() }
    }

    /// Waits until all is written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.sender = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written.map_err(Failure::Output),
            Some(Err(_)) => Err(Failure::Output(io::Error::other("the writer has ended"))),
            None => Ok(()),
        }
    }
}

/// `1 session`, `2 sessions`.
pub(crate) fn count(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

pub(crate) fn sessions(number: u64) -> String {
    count(number, "session", "sessions")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_agree() {
        assert_eq!(sessions(0), "0 sessions");
        assert_eq!(sessions(1), "1 session");
        assert_eq!(sessions(2), "2 sessions");
    }
}
