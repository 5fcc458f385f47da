//! The program in a terminal: its questions, and tables of its width.

#![cfg(unix)]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use support::{Place, id, session};

/// A program whose input and output are a terminal.
struct Terminal {
    child: Child,
    /// Our end of it.
    end: File,
    /// What is read there.
    pieces: Receiver<Vec<u8>>,
    shown: String,
}

impl Terminal {
    fn start(place: &Place, columns: u16, line: &str) -> Self {
        Self::start_with(place, columns, line.split_whitespace())
    }

    fn start_with<'a>(
        place: &Place,
        columns: u16,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let end = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&end).unwrap();
        unlockpt(&end).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).unwrap();
        let name = ptsname(&end, Vec::new()).unwrap();
        let mut options = OpenOptions::new();
        let other = options
            .read(true)
            .write(true)
            // It must not become the controlling terminal of this process, which its hangup would end.
            .custom_flags(OFlags::NOCTTY.bits().cast_signed())
            .open(name.to_str().unwrap())
            .unwrap();
        let end = File::from(end);
        let pieces = pieces(end.try_clone().unwrap());
        let child = place
            .command(arguments)
            .env("TERM", "xterm")
            .stdin(other.try_clone().unwrap())
            .stdout(other.try_clone().unwrap())
            .stderr(other)
            .spawn()
            .unwrap();
        Self {
            child,
            end,
            pieces,
            shown: String::new(),
        }
    }

    /// Reads until this is seen.
    fn see(&mut self, text: &str) {
        while !self.shown.contains(text) {
            assert!(self.read(), "{text:?} is not in {:?}", self.shown);
        }
    }

    /// Reads what is shown next; says whether there was something.
    fn read(&mut self) -> bool {
        match self.pieces.recv_timeout(LONGEST) {
            Ok(piece) => {
                self.shown.push_str(&String::from_utf8_lossy(&piece));
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                self.child.kill().unwrap();
                panic!("nothing more was shown for {LONGEST:?}: {:?}", self.shown);
            }
        }
    }

    fn type_in(&mut self, text: &str) {
        self.end.write_all(text.as_bytes()).unwrap();
    }

    /// Returns all that was shown, once the program has ended.
    fn finish(mut self) -> (ExitStatus, String) {
        while self.read() {}
        let status = self.child.wait().unwrap();
        evidence::note_written(self.shown.as_bytes());
        (status, self.shown.replace("\r\n", "\n"))
    }
}

/// How long a program may show nothing.
const LONGEST: Duration = Duration::from_secs(90);

/// Reads a terminal on a thread of its own, which ends with it.
fn pieces(mut end: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut piece = [0; 4_096];
        // On Linux the end of the program is an error.
        while let Ok(length @ 1..) = end.read(&mut piece) {
            if sender.send(piece[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn filled() -> Place {
    let place = Place::new();
    place.fill([
        session(1, "ann"),
        session(2, "ann"),
        session(3, "somebody.with.a.long.name@example.org"),
    ]);
    place
}

fn left(place: &Place) -> Vec<String> {
    place.done("list --all --json").ids()
}

#[test]
fn lists_fit_the_terminal() {
    let place = filled();
    let mut all = String::new();
    for columns in [60, 80, 120] {
        let line = "list --all --db s.redb";
        let (status, shown) = Terminal::start(&place, columns, line).finish();
        let shown = console::strip_ansi_codes(&shown);
        assert_eq!(status.code(), Some(0));
        assert!(
            shown
                .lines()
                .all(|line| line.chars().count() <= columns.into())
        );
        all.push_str(&format!("{columns} columns\n{shown}\n"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn help_fits_the_terminal() {
    let place = Place::new();
    for line in [
        "--help",
        "list --help",
        "import bolt --help",
        "export bolt --help",
    ] {
        let (status, shown) = Terminal::start(&place, 80, line).finish();
        assert_eq!(status.code(), Some(0));
        let plain = console::strip_ansi_codes(&shown);
        for line in plain.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }
}

#[test]
fn revocation_is_asked_for() {
    let place = filled();
    for (answer, code) in [("n\n", 1), ("\n", 1), ("maybe\n", 1), ("y\n", 0)] {
        assert_eq!(left(&place).len(), 3, "{answer:?}");
        let mut terminal = Terminal::start(&place, 80, "revoke --user ann --db s.redb");
        terminal.see("End 2 sessions of \"ann\"? [y/N] ");
        terminal.type_in(answer);
        let (status, shown) = terminal.finish();
        assert_eq!(status.code(), Some(code), "{shown}");
        assert!(
            shown.contains("000000000001  ann  ") && shown.contains("Firefox 140 on Linux"),
            "what would end is shown: {shown}"
        );
        let last = if code == 0 {
            "2 sessions ended"
        } else {
            "sessionup: nothing was changed"
        };
        assert_eq!(shown.lines().last(), Some(last));
    }
    assert_eq!(left(&place), [id(3).to_string()]);
}

/// Nothing is held while a question is open, and what has changed then is shown.
#[test]
fn revocation_is_asked_for_again_after_a_change() {
    let place = filled();
    let mut terminal = Terminal::start(&place, 80, "revoke --user ann --db s.redb");
    terminal.see("End 2 sessions of \"ann\"? [y/N] ");
    place.fill([session(4, "ann")]);
    terminal.type_in("y\n");
    terminal.see("the sessions of this user have changed meanwhile:");
    terminal.see("End 3 sessions of \"ann\"? [y/N] ");
    assert_eq!(left(&place).len(), 4);
    terminal.type_in("y\n");
    let (status, shown) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{shown}");
    assert_eq!(shown.lines().last(), Some("3 sessions ended"));
    assert_eq!(left(&place), [id(3).to_string()]);
}

#[test]
fn questions_hold_no_file() {
    for (line, question) in [
        ("revoke --all", "End 3 sessions of all users? [y/N] "),
        (
            "revoke --user zoe",
            "Refuse logins that are under way? [y/N] ",
        ),
        ("prune", "Delete 1 session that ended before 2"),
        ("restore copy.redb", "copy.redb? [y/N] "),
        ("import bolt go.db", "Import 1 session into s.redb? [y/N] "),
    ] {
        let place = Place::new();
        place.fill([
            session(1, "ann"),
            session(2, "ann"),
            support::ended(3, "ann"),
        ]);
        place.done("backup copy.redb");
        let go = support::go_session(&support::go_token(1), "ann");
        support::write_bolt(&place.path("go.db"), [go]);
        let mut terminal = Terminal::start(&place, 80, &format!("{line} --db s.redb"));
        terminal.see(question);
        // It does not wait.
        let builder = sessionup_redb::RedbStore::builder().lock_wait(Duration::ZERO);
        let opened = builder.open(place.path("s.redb"));
        assert!(opened.is_ok(), "{line}: {opened:?}");
        drop(opened);
        terminal.type_in("n\n");
        let (status, shown) = terminal.finish();
        assert_eq!(status.code(), Some(1), "{line}: {shown}");
    }
}

#[test]
fn names_in_questions_show_what_is_not_seen() {
    let place = Place::new();
    place.fill([session(1, "ann"), session(2, "ann ")]);
    let arguments = ["revoke", "--user", "ann ", "--db", "s.redb"];
    let mut terminal = Terminal::start_with(&place, 120, arguments);
    terminal.see("End 1 session of \"ann\\u{20}\"? [y/N] ");
    terminal.type_in("y\n");
    let (_, shown) = terminal.finish();
    assert!(shown.contains("  ann\\u{20}  "), "{shown}");
    assert_eq!(left(&place), [id(1).to_string()]);
}

#[test]
fn pruning_is_asked_for() {
    let place = Place::new();
    place.fill([session(1, "ann"), support::ended(2, "ann")]);
    let mut terminal = Terminal::start(&place, 80, "prune --db s.redb");
    terminal.see("Delete 1 session that ended before 2");
    terminal.see("? [y/N] ");
    terminal.type_in("yes\n");
    let (status, shown) = terminal.finish();
    assert_eq!(status.code(), Some(0));
    assert!(shown.ends_with("1 session deleted\n"), "{shown:?}");
}

#[test]
fn import_is_asked_for() {
    let place = Place::new();
    let sessions = (0..3).map(|number| support::go_session(&support::go_token(number), "ann"));
    support::write_bolt(&place.path("go.db"), sessions);
    for (answer, code) in [("n\n", 1), ("y\n", 0)] {
        assert_eq!(place.files(), ["go.db"], "{answer:?}");
        let mut terminal = Terminal::start(&place, 80, "import bolt go.db --db s.redb");
        terminal.see("Whoever could write to the Bolt file can log in as its users afterwards.");
        terminal.see("Import 3 sessions into s.redb, a new file? [y/N] ");
        terminal.type_in(answer);
        let (status, shown) = terminal.finish();
        assert_eq!(status.code(), Some(code), "{shown}");
    }
    assert_eq!(left(&place).len(), 3);
}

/// With a bar there is something to be seen, and nothing of it remains.
#[test]
fn bars_are_seen_in_a_terminal_alone() {
    let place = Place::new();
    let sessions = (0..1_200).map(|number| support::go_session(&support::go_token(number), "ann"));
    support::write_bolt(&place.path("go.db"), sessions);
    let terminal = Terminal::start(&place, 80, "import bolt go.db --db s.redb --yes");
    let (status, shown) = terminal.finish();
    assert_eq!(status.code(), Some(0), "{shown}");
    assert!(
        shown.contains("Importing") && shown.contains("of 1200"),
        "{shown:?}"
    );
    let piped = place.run("import bolt go.db --db t.redb --yes");
    assert_eq!((piped.code, piped.stderr.as_str()), (0, ""));
}
