//! `sessionup list`

use std::collections::BTreeMap;

use sessionup_core::{Session, SessionId, Timestamp};

use super::{Damages, has_ended};
use crate::args::{List, Sort};
use crate::escape;
use crate::failure::Failure;
use crate::output::{self, Stream};
use crate::scope::Scope;
use crate::store::{Place, Reading};
use crate::view::{SessionTable, SessionView};

pub(super) fn run(args: &List, now: Timestamp) -> Result<(), Failure> {
    let user = args.user.as_deref().or(args.of.as_deref());
    let scope = Scope::new(user, &args.filter, now)?;
    let place = Place::from(&args.place);
    let mut listing = Listing {
        reading: place.reading().of(scope.user.clone()),
        printer: Printer::new(args.json.json, scope.user.is_none(), now)?,
        damages: Damages::default(),
    };
    let is_meant =
        |session: &Session| (args.expired || !has_ended(session, now)) && scope.has(session);
    match args.sort {
        Sort::Id => listing.in_order_of_ids(is_meant, scope.limit())?,
        order => listing.sorted(order, is_meant, scope.limit())?,
    }
    let Listing {
        printer, damages, ..
    } = listing;
    if printer.finish()? == 0 && !args.json.json {
        let such = if scope.is_whole() { "" } else { " such" };
        output::tell(&match user {
            Some(user) => format!("user {} has no{such} sessions", escape::quoted(user)),
            None => format!("there are no{such} sessions"),
        });
    }
    damages.into_result()
}

struct Listing<'a> {
    reading: Reading<'a>,
    printer: Printer,
    damages: Damages,
}

impl Listing<'_> {
    /// Prints while it reads.
    fn in_order_of_ids(
        &mut self,
        is_meant: impl Fn(&Session) -> bool,
        limit: usize,
    ) -> Result<(), Failure> {
        let mut left = limit;
        while left > 0 {
            let piece = self.reading.piece()?;
            if piece.is_empty() {
                break;
            }
            let mut meant = Vec::new();
            for (_, session) in piece {
                match session {
                    Ok(session) if left > meant.len() && is_meant(&session) => meant.push(session),
                    Ok(_) => {}
                    Err(damage) => self.damages.note(damage),
                }
            }
            left -= meant.len();
            self.printer.add(meant, || self.reading.release())?;
        }
        // Whatever is left to print, the file is not needed for it.
        self.reading.release();
        Ok(())
    }

    /// Reads all, keeps those that come first, and prints them.
    fn sorted(
        &mut self,
        order: Sort,
        is_meant: impl Fn(&Session) -> bool,
        limit: usize,
    ) -> Result<(), Failure> {
        let mut first = BTreeMap::new();
        let bar = output::bar("Reading", self.reading.count()?);
        loop {
            let piece = self.reading.piece()?;
            if piece.is_empty() {
                break;
            }
            bar.inc(piece.len() as u64);
            for (_, session) in piece {
                match session {
                    Ok(session) if is_meant(&session) => {
                        first.insert(key(&session, order), session);
                    }
                    Ok(_) => {}
                    Err(damage) => self.damages.note(damage),
                }
                if first.len() > limit {
                    first.pop_last();
                }
                if first.len() > MOST_SORTED {
                    return Err(too_many());
                }
            }
        }
        self.reading.release();
        bar.finish_and_clear();
        self.printer.add(first.into_values().collect(), || {})
    }
}

/// Most sessions that are held in memory to be sorted.
const MOST_SORTED: usize = 100_000;

fn too_many() -> Failure {
    Failure::Usage(format!(
        "more than {MOST_SORTED} sessions are not sorted: say --limit for the first of them, or leave \
         --sort out"
    ))
}

/// The place of a session in an order. No two sessions have the same.
fn key(session: &Session, order: Sort) -> (String, i128, SessionId) {
    let millis = |time: Timestamp| i128::from(time.as_millis());
    let created = millis(session.created_at);
    let (user, time) = match order {
        Sort::Id => ("", 0),
        Sort::Created => ("", created),
        Sort::Seen => ("", -millis(session.last_seen_at)),
        Sort::Expires => ("", millis(session.deadline())),
        Sort::User => (session.user_key.as_str(), created),
    };
    (user.to_owned(), time, session.id)
}

/// Prints sessions as they come.
struct Printer {
    form: Form,
    stream: Stream,
    with_user: bool,
    now: Timestamp,
    printed: u64,
}

enum Form {
    Json,
    /// The first sessions, by which the widths will be chosen.
    Waiting(Vec<Session>),
    Table(SessionTable),
}

/// By how many sessions the widths of a table are chosen.
const LOOK_AHEAD: usize = 1_000;

impl Printer {
    fn new(is_json: bool, with_user: bool, now: Timestamp) -> Result<Self, Failure> {
        Ok(Self {
            form: if is_json {
                Form::Json
            } else {
                Form::Waiting(Vec::new())
            },
            stream: Stream::start()?,
            with_user,
            now,
            printed: 0,
        })
    }

    /// Prints sessions. Calls `release` before it waits for the output to be read.
    fn add(&mut self, sessions: Vec<Session>, release: impl FnOnce()) -> Result<(), Failure> {
        let before = self.printed;
        self.printed += sessions.len() as u64;
        let text = match &mut self.form {
            Form::Json => elements(&sessions, before == 0, self.now)?,
            Form::Waiting(first) => {
                first.extend(sessions);
                if first.len() < LOOK_AHEAD {
                    return Ok(());
                }
                self.begin(false)
            }
            Form::Table(table) => table.rows(&sessions),
        };
        self.stream.write(text, release)
    }

    /// Chooses the widths, and writes what waited.
    fn begin(&mut self, is_all: bool) -> String {
        let Form::Waiting(first) = &mut self.form else {
            return String::new();
        };
        let first = std::mem::take(first);
        if first.is_empty() {
            return String::new();
        }
        let width = output::width();
        let table = SessionTable::of(&first, self.with_user, is_all, self.now, width);
        let text = table.titles() + &table.rows(&first);
        self.form = Form::Table(table);
        text
    }

    /// Writes the end; says how many sessions were printed.
    fn finish(mut self) -> Result<u64, Failure> {
        let text = match (&self.form, self.printed) {
            (Form::Json, 0) => "[]\n".to_owned(),
            (Form::Json, _) => "\n]\n".to_owned(),
            (Form::Waiting(_) | Form::Table(_), _) => self.begin(true),
        };
        self.stream.write(text, || {})?;
        self.stream.finish()?;
        if let Form::Table(table) = &self.form {
            table.tell_left_out();
        }
        Ok(self.printed)
    }
}

/// Writes elements of an array, and its beginning.
fn elements(sessions: &[Session], is_first: bool, now: Timestamp) -> Result<String, Failure> {
    let mut text = String::new();
    for (number, session) in sessions.iter().enumerate() {
        text.push_str(if is_first && number == 0 { "[" } else { "," });
        let mut element = Vec::new();
        output::write_json(&SessionView::of(session, now), &mut element)
            .map_err(Failure::Output)?;
        for line in String::from_utf8_lossy(&element).lines() {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sessionup_core::UserKey;

    use super::*;

    #[test]
    fn orders() {
        // User, created, seen, expires.
        let given = [
            (1, "cleo", 30, 60, 400),
            (2, "ann", 10, 90, 300),
            (3, "bob", 20, 70, 100),
            (4, "ann", 10, 60, 200),
        ];
        let cases = [
            (Sort::Id, [1, 2, 3, 4]),
            (Sort::Created, [2, 4, 3, 1]),
            (Sort::Seen, [2, 3, 1, 4]),
            (Sort::Expires, [3, 4, 2, 1]),
            (Sort::User, [2, 4, 3, 1]),
        ];
        for (order, expected) in cases {
            let mut sessions = given.map(|(id, user, created, seen, expires)| {
                let at = Timestamp::from_millis;
                let id = SessionId::from_bytes([id; 16]);
                let user = UserKey::new(user).unwrap();
                let mut session = Session::new(id, user, at(created), at(expires));
                session.last_seen_at = at(seen);
                session
            });
            sessions.sort_by_key(|session| key(session, order));
            let ids = sessions.map(|session| session.id.as_bytes()[0]);
            assert_eq!(ids, expected, "{order:?}");
        }
    }

    #[test]
    fn sessions_end_when_they_are_idle_too() {
        let at = Timestamp::from_millis;
        let session = |id: u8, idle: Option<u64>| {
            let user = UserKey::new("ann").unwrap();
            let mut session = Session::new(SessionId::from_bytes([id; 16]), user, at(0), at(1_000));
            session.idle_timeout = idle.map(Duration::from_millis);
            session
        };
        let mut sessions = [session(1, None), session(2, Some(10))];
        sessions.sort_by_key(|session| key(session, Sort::Expires));
        assert_eq!(sessions[0].id.as_bytes()[0], 2);
    }
}
