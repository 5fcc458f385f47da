//! Sessions as they are shown. There is nothing of a token or of a hash in it.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::Serialize;
use sessionup_core::{Agent, DeviceKind, Kind, Meta, Session, SessionId, Timestamp, UserKey};

use crate::escape;
use crate::output;
use crate::table::{Column, Layout};
use crate::when;

/// A session in JSON: the names of a list of devices, and what only an operator sees.
#[derive(Debug, Serialize)]
pub(crate) struct SessionView {
    pub(crate) id: SessionId,
    user_key: String,
    kind: Kind,
    created_at: Timestamp,
    authenticated_at: Timestamp,
    last_seen_at: Timestamp,
    expires_at: Timestamp,
    /// When it ends: `expires_at`, or before that by the idle timeout.
    ends_at: Timestamp,
    is_live: bool,
    idle_timeout_ms: Option<u64>,
    persistent: bool,
    ip: Option<IpAddr>,
    agent: Agent,
    meta: Meta,
}

impl SessionView {
    pub(crate) fn of(session: &Session, now: Timestamp) -> Self {
        let idle = session.idle_timeout.map(|idle| idle.as_millis());
        Self {
            id: session.id,
            user_key: session.user_key.as_str().to_owned(),
            kind: session.kind.clone(),
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
            ends_at: session.deadline(),
            is_live: session.is_live(now),
            idle_timeout_ms: idle.map(|idle| u64::try_from(idle).unwrap_or(u64::MAX)),
            persistent: session.persistent,
            ip: session.client.ip,
            agent: session.client.agent.clone(),
            meta: session.meta.clone(),
        }
    }
}

const ID: Column = Column::whole("ID", 0);
const USER: Column = Column::cut("USER", 1, 20);
const SEEN: Column = Column::whole("SEEN", 2);
const ENDS: Column = Column::whole("ENDS", 3);
const AGENT: Column = Column::cut("AGENT", 4, 12);
const ADDRESS: Column = Column::whole("ADDRESS", 5);
const CREATED: Column = Column::whole("CREATED", 6);
const KIND: Column = Column::whole("KIND", 2);

/// Sessions as a table, with their users or without. Its widths are chosen by the first sessions.
#[derive(Debug)]
pub(crate) struct SessionTable {
    layout: Layout,
    form: Form,
    now: Timestamp,
}

/// What rows have.
#[derive(Clone, Copy, Debug)]
struct Form {
    with_user: bool,
    with_kind: bool,
    /// How many characters of an id are shown, from its end.
    tail: usize,
}

impl Form {
    /// Takes what belongs to columns that are not there.
    fn of<T>(self, mut all: Vec<T>) -> Vec<T> {
        if !self.with_kind {
            all.remove(2);
        }
        if !self.with_user {
            all.remove(1);
        }
        all
    }
}

/// Characters of an id.
const WHOLE: usize = 36;
/// Where the groups of an id begin, from the last one: so many characters are left.
const TAILS: [usize; 4] = [12, 17, 22, 27];

impl SessionTable {
    /// Chooses the widths. Ids are shortened if a column would be left out otherwise.
    pub(crate) fn of(
        sessions: &[Session],
        with_user: bool,
        is_all: bool,
        now: Timestamp,
        width: Option<u16>,
    ) -> Self {
        // Where nobody is anything else, the kind says nothing.
        let with_kind = !is_all || sessions.iter().any(|session| session.kind != Kind::USER);
        let fit = |tail| {
            let form = Form {
                with_user,
                with_kind,
                tail,
            };
            let columns = form.of(vec![ID, USER, KIND, SEEN, ENDS, AGENT, ADDRESS, CREATED]);
            let mut rows = rows(sessions, form, now);
            if !is_all {
                rows.push(usual(&columns, tail));
            }
            Self {
                layout: Layout::of(&columns, &rows, width),
                form,
                now,
            }
        };
        let table = fit(WHOLE);
        if table.layout.left_out().is_empty() {
            return table;
        }
        fit(distinct_tail(sessions))
    }

    pub(crate) fn titles(&self) -> String {
        self.layout.titles()
    }

    pub(crate) fn rows(&self, sessions: &[Session]) -> String {
        let rows = rows(sessions, self.form, self.now);
        self.layout.rows(&rows)
    }

    /// Says aside which columns do not fit the terminal.
    pub(crate) fn tell_left_out(&self) {
        let left_out = self.layout.left_out().len() as u64;
        if left_out > 0 {
            let columns = output::count(left_out, "column", "columns");
            output::hint(&format!(
                "{columns} left out: a wider terminal, or a pipe, has all"
            ));
        }
    }
}

fn rows(sessions: &[Session], form: Form, now: Timestamp) -> Vec<Vec<String>> {
    let rows = sessions.iter().map(|session| {
        form.of(vec![
            short(session.id, form.tail),
            user(&session.user_key),
            session.kind.to_string(),
            when::from_now(session.last_seen_at, now),
            when::from_now(session.deadline(), now),
            escape::name(&session.client.agent.to_string()).into_owned(),
            address(session),
            when::from_now(session.created_at, now),
        ])
    });
    rows.collect()
}

/// Cells as wide as most are, for sessions that are not known yet.
fn usual(columns: &[Column], tail: usize) -> Vec<String> {
    let width = |column: &Column| match column.title {
        "ID" => tail.min(WHOLE),
        "ADDRESS" => "203.0.113.100".len(),
        "KIND" => "login-attempt".len(),
        _ => "in 100d".len().max(column.title.len()),
    };
    columns
        .iter()
        .map(|column| " ".repeat(width(column)))
        .collect()
}

/// Writes the end of an id. Ids that were made at one time begin alike.
fn short(id: SessionId, tail: usize) -> String {
    let whole = id.to_string();
    match whole.len().checked_sub(tail).and_then(|at| whole.get(at..)) {
        Some(end) if end.len() < whole.len() => format!("\u{2026}{end}"),
        Some(_) | None => whole,
    }
}

/// Returns how many characters of ids tell them apart.
fn distinct_tail(sessions: &[Session]) -> usize {
    let is_distinct = |tail: &usize| {
        let shorts: HashSet<_> = sessions
            .iter()
            .map(|session| short(session.id, *tail))
            .collect();
        shorts.len() == sessions.len()
    };
    TAILS.into_iter().find(is_distinct).unwrap_or(WHOLE)
}

/// Writes all that is known of a session, a line each.
pub(crate) fn page(session: &Session, now: Timestamp) -> String {
    let time = |time| format!("{} ({})", when::minute(time), when::from_now(time, now));
    let agent = &session.client.agent;
    let mut lines = vec![
        ("id", session.id.to_string()),
        ("user", user(&session.user_key)),
        ("kind", session.kind.to_string()),
        ("created", time(session.created_at)),
        ("last proof", time(session.authenticated_at)),
        ("last seen", time(session.last_seen_at)),
        ("expires", time(session.expires_at)),
    ];
    if let Some(idle) = session.idle_timeout {
        lines.push(("idle timeout", when::length(idle)));
        lines.push(("ends", time(session.deadline())));
    }
    let state = if session.is_live(now) {
        "live"
    } else {
        "ended"
    };
    lines.push(("state", state.into()));
    let cookie = match session.persistent {
        true => "kept when the browser is closed",
        false => "forgotten when the browser is closed",
    };
    lines.push(("cookie", cookie.into()));
    lines.push(("address", address(session)));
    lines.push(("agent", escape::name(&agent.to_string()).into_owned()));
    if agent.kind != DeviceKind::Unknown {
        lines.push(("device", agent.kind.as_str().into()));
    }
    let mut page = String::new();
    for (label, value) in lines {
        page.push_str(&format!("{label:<13} {value}\n"));
    }
    for (at, (name, value)) in session.meta.iter().enumerate() {
        let label = if at == 0 { "meta" } else { "" };
        let (name, value) = (escape::name(name).into_owned(), value.to_string());
        page.push_str(&format!("{label:<13} {name} = {}\n", escape::text(&value)));
    }
    page
}

pub(crate) fn user(key: &UserKey) -> String {
    escape::name(key.as_str()).into_owned()
}

fn address(session: &Session) -> String {
    let ip = session.client.ip;
    ip.map_or_else(|| "unknown".into(), |ip| ip.to_string())
}

#[cfg(test)]
mod tests;
