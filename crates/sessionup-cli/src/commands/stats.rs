//! `sessionup stats`

use std::collections::HashMap;

use indicatif::BinaryBytes;
use serde::Serialize;
use sessionup_core::{Session, SessionId, Timestamp, UserKey};

use super::{Damages, has_ended};
use crate::args::Look;
use crate::failure::Failure;
use crate::store::{Place, View};
use crate::{output, when};

/// What is counted.
#[derive(Debug, Default, Serialize)]
struct Stats {
    /// All records.
    sessions: u64,
    live: u64,
    /// Ended, and waiting to be deleted.
    expired: u64,
    /// Cannot be read.
    damaged: u64,
    /// Users with a live session.
    users: u64,
    /// The most live sessions of one user.
    most_of_one_user: u64,
    oldest: Option<Mark>,
    newest: Option<Mark>,
    /// The live session that ends first.
    next_to_end: Option<Mark>,
    file_bytes: u64,
    session_bytes: u64,
}

/// A session, and a time of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Mark {
    at: Timestamp,
    id: SessionId,
}

pub(super) fn run(args: &Look, now: Timestamp) -> Result<(), Failure> {
    let place = Place::from(&args.place);
    let (mut stats, damages) = counted(&place.look()?, now)?;
    stats.file_bytes = place.bytes()?;
    if args.json.json {
        output::json(&stats)?;
    } else {
        output::print(&stats.page(now))?;
    }
    damages.into_result()
}

fn counted(view: &View, now: Timestamp) -> Result<(Stats, Damages), Failure> {
    let mut stats = Stats::default();
    let mut damages = Damages::default();
    let mut users = HashMap::new();
    let bar = output::bar("Counting", view.count()?);
    view.each(|_, session| {
        bar.inc(1);
        stats.sessions += 1;
        match session {
            Ok(session) if has_ended(&session, now) => stats.expired += 1,
            Ok(session) => stats.add(session, &mut users),
            Err(damage) => damages.note(damage),
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    stats.damaged = damages.number;
    stats.users = users.len() as u64;
    stats.most_of_one_user = users.into_values().max().unwrap_or(0);
    stats.session_bytes = view.bytes()?;
    Ok((stats, damages))
}

impl Stats {
    fn add(&mut self, session: Session, users: &mut HashMap<UserKey, u64>) {
        self.live += 1;
        let mark = |at| Some(Mark { at, id: session.id });
        let (created, ends) = (mark(session.created_at), mark(session.deadline()));
        self.oldest = self.oldest.min(created).or(created);
        self.newest = self.newest.max(created);
        self.next_to_end = self.next_to_end.min(ends).or(ends);
        *users.entry(session.user_key).or_default() += 1;
    }

    fn users(&self) -> String {
        match self.users {
            0 => "0".into(),
            users => {
                let most = output::sessions(self.most_of_one_user);
                format!("{users}, with up to {most} each")
            }
        }
    }

    fn page(&self, now: Timestamp) -> String {
        let mark = |mark: &Option<Mark>| match mark {
            None => "none".to_owned(),
            Some(Mark { at, id }) => {
                let (minute, away) = (when::minute(*at), when::from_now(*at, now));
                format!("{minute} ({away})  {id}")
            }
        };
        let lines = [
            ("sessions", self.sessions.to_string()),
            ("live", self.live.to_string()),
            (
                "expired",
                format!("{} (ended and not yet deleted)", self.expired),
            ),
            ("damaged", self.damaged.to_string()),
            ("users", self.users()),
            ("oldest", mark(&self.oldest)),
            ("newest", mark(&self.newest)),
            ("next to end", mark(&self.next_to_end)),
            (
                "file",
                format!(
                    "{}, sessions take {}",
                    BinaryBytes(self.file_bytes),
                    BinaryBytes(self.session_bytes)
                ),
            ),
        ];
        let lines = lines.map(|(label, value)| format!("{label:<12} {value}\n"));
        lines.concat()
    }
}
