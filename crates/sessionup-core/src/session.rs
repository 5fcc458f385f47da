//! A session, as the application sees it, as a store keeps it, and as a list shows it.

use std::time::Duration;

use serde::Serialize;

use crate::client::Client;
use crate::{Agent, Kind, Meta, SecretHash, SessionId, Timestamp, UserKey, lifetime};

/// A session, as the application sees it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Session {
    /// Its public name.
    pub id: SessionId,
    /// Whose it is.
    pub user_key: UserKey,
    /// What it is good for.
    pub kind: Kind,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user last proved who they are: at login, or since then by
    /// [`reauthenticate`](crate::Sessions::reauthenticate).
    pub authenticated_at: Timestamp,
    /// The absolute deadline; no activity moves it.
    pub expires_at: Timestamp,
    /// When a request last used it, as exact as the manager's touch interval.
    pub last_seen_at: Timestamp,
    /// How long it may go unused, in whole milliseconds; `None` for no such limit.
    pub idle_timeout: Option<Duration>,
    /// Whether browsers keep its cookie when they are closed.
    pub persistent: bool,
    /// Who logged in.
    pub client: Client,
    /// The application's own entries.
    pub meta: Meta,
}

impl Session {
    /// Makes a session of [`Kind::USER`] that nobody has used yet, without idle timeout, client and
    /// meta.
    #[must_use]
    pub fn new(
        id: SessionId,
        user_key: UserKey,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            id,
            user_key,
            kind: Kind::USER,
            created_at,
            authenticated_at: created_at,
            expires_at,
            last_seen_at: created_at,
            idle_timeout: None,
            persistent: false,
            client: Client::default(),
            meta: Meta::new(),
        }
    }

    /// Returns the moment from which the session is no longer live.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        lifetime::deadline(self.expires_at, self.last_seen_at, self.idle_timeout)
    }

    /// Says whether the session is live: `now` is before both deadlines.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        lifetime::is_live(self.deadline(), now)
    }
}

/// What a store keeps: a session, and the hash of its token's secret.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The session.
    pub session: Session,
    /// The hash that a request's token must have. Nobody but the manager compares it.
    pub secret_hash: SecretHash,
    /// The token before the present one, if the session was ever renewed.
    pub replaced: Option<Replaced>,
}

/// A token that a renewal put another one in place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replaced {
    /// The hash of its secret.
    pub hash: SecretHash,
    /// When it was replaced.
    pub at: Timestamp,
    /// Until when it still proves the session; `None` until the new one is first used, since the
    /// response that brought it may not have arrived.
    pub accepted_until: Option<Timestamp>,
}

impl Replaced {
    /// Makes a token that proves nothing from the moment it was replaced.
    #[must_use]
    pub const fn new(hash: SecretHash, at: Timestamp) -> Self {
        Self {
            hash,
            at,
            accepted_until: Some(at),
        }
    }

    /// Says until when it still proves the session; `None` until the new one is used.
    #[must_use]
    pub const fn accepted_until(mut self, until: Option<Timestamp>) -> Self {
        self.accepted_until = until;
        self
    }
}

impl Record {
    /// Puts a record together.
    #[must_use]
    pub fn new(session: Session, secret_hash: SecretHash) -> Self {
        Self {
            session,
            secret_hash,
            replaced: None,
        }
    }
}

/// A session as a list of devices shows it.
///
/// Serialised with the field names of Go's sessionup (`current`, `created_at`, `id`, `ip`,
/// `agent`, `meta`) and with `expires_at` and `last_seen_at`; times are RFC 3339. Neither the
/// user's key nor anything of the token is in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ListedSession {
    /// Whether it is the session of this request.
    pub current: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The absolute deadline.
    pub expires_at: Timestamp,
    /// When a request last used it.
    pub last_seen_at: Timestamp,
    /// Its public name: what to revoke it by.
    pub id: SessionId,
    /// The address that logged in, empty if unknown.
    #[serde(serialize_with = "ip_or_empty")]
    pub ip: Option<std::net::IpAddr>,
    /// What logged in.
    pub agent: Agent,
    /// The application's own entries.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
}

impl ListedSession {
    /// Makes a line of a list; `current` is the session of the request that asks.
    #[must_use]
    pub fn of(session: &Session, current: Option<SessionId>) -> Self {
        Self {
            current: current == Some(session.id),
            created_at: session.created_at,
            expires_at: session.expires_at,
            last_seen_at: session.last_seen_at,
            id: session.id,
            ip: session.client.ip,
            agent: session.client.agent.clone(),
            meta: session.meta.clone(),
        }
    }
}

/// A page of a list of devices.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions, in the order of their ids, which for sessions that this library made is that
    /// of their creation.
    pub sessions: Vec<ListedSession>,
    /// The cursor of the next page; `None` if nothing follows.
    pub next: Option<SessionId>,
}

fn ip_or_empty<S: serde::Serializer>(
    ip: &Option<std::net::IpAddr>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match ip {
        Some(ip) => serializer.collect_str(ip),
        None => serializer.serialize_str(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_session_keeps_the_field_names_of_the_original() {
        let mut session = Session::new(
            SessionId::from_bytes([0x11; 16]),
            UserKey::new("ann").unwrap(),
            Timestamp::from_millis(0),
            Timestamp::from_millis(86_400_000),
        );
        session.client = Client::new("192.0.2.1".parse().ok(), Agent::new("Linux", "Firefox"));
        session.meta.insert("permission", "write").unwrap();

        let listed = ListedSession::of(&session, Some(session.id));

        let expected = serde_json::json!({
            "current": true,
            "created_at": "1970-01-01T00:00:00Z",
            "expires_at": "1970-01-02T00:00:00Z",
            "last_seen_at": "1970-01-01T00:00:00Z",
            "id": "11111111-1111-1111-1111-111111111111",
            "ip": "192.0.2.1",
            "agent": {"os": "Linux", "browser": "Firefox"},
            "meta": {"permission": "write"},
        });
        assert_eq!(serde_json::to_value(&listed).unwrap(), expected);
    }

    #[test]
    fn unknown_address_is_listed_as_empty_text() {
        let session = Session::new(
            SessionId::from_bytes([0; 16]),
            UserKey::new("ann").unwrap(),
            Timestamp::from_millis(0),
            Timestamp::from_millis(1),
        );
        let listed = serde_json::to_value(ListedSession::of(&session, None)).unwrap();
        assert_eq!(listed["ip"], "");
        assert_eq!(listed["current"], false);
        assert_eq!(listed.get("meta"), None);
    }
}
