//! Sessions as they are shown. There is nothing of a token or of a hash in it.

use std::net::IpAddr;

use serde::Serialize;
use sessionup_core::{Agent, DeviceKind, Kind, Meta, Session, SessionId, Timestamp, UserKey};

use crate::escape;
use crate::table::{self, Column};
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

/// Writes sessions as a table, with their users or without.
pub(crate) fn table<'a>(
    sessions: impl IntoIterator<Item = &'a Session>,
    with_user: bool,
    now: Timestamp,
    width: Option<u16>,
) -> String {
    let mut columns = vec![ID, USER, SEEN, ENDS, AGENT, ADDRESS, CREATED];
    let rows = sessions.into_iter().map(|session| {
        let mut cells = vec![
            session.id.to_string(),
            user(&session.user_key),
            when::from_now(session.last_seen_at, now),
            when::from_now(session.deadline(), now),
            escape::text(&session.client.agent.to_string()).into_owned(),
            address(session),
            when::from_now(session.created_at, now),
        ];
        if !with_user {
            cells.remove(1);
        }
        cells
    });
    let rows: Vec<_> = rows.collect();
    if !with_user {
        columns.remove(1);
    }
    table::render(&columns, &rows, width)
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
    lines.push(("agent", escape::text(&agent.to_string()).into_owned()));
    if agent.kind != DeviceKind::Unknown {
        lines.push(("device", agent.kind.as_str().into()));
    }
    let mut page = String::new();
    for (label, value) in lines {
        page.push_str(&format!("{label:<13} {value}\n"));
    }
    for (at, (name, value)) in session.meta.iter().enumerate() {
        let label = if at == 0 { "meta" } else { "" };
        let (name, value) = (escape::text(name).into_owned(), value.to_string());
        page.push_str(&format!("{label:<13} {name} = {}\n", escape::text(&value)));
    }
    page
}

pub(crate) fn user(key: &UserKey) -> String {
    escape::text(key.as_str()).into_owned()
}

fn address(session: &Session) -> String {
    let ip = session.client.ip;
    ip.map_or_else(|| "unknown".into(), |ip| ip.to_string())
}

#[cfg(test)]
mod tests;
