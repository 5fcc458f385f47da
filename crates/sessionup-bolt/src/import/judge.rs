//! Which sessions are taken, and as what. Pure.

use std::time::Duration;

use sessionup_core::client::Client;
use sessionup_core::{
    Agent, Credential, InvalidUserKey, Meta, MetaError, Record, Session, Timestamp, UserKey,
};

use crate::row::{BadRow, GoSession};

/// Why a session was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It was made more than five minutes from now.
    #[error("it was created in the future")]
    CreatedInFuture,
    /// Its meta is out of bounds.
    #[error("its meta is out of bounds")]
    Meta(#[source] MetaError),
    /// It is damaged, or none of sessionup-boltstore.
    #[error(transparent)]
    Row(#[from] BadRow),
    /// Its token is too long for a cookie.
    #[error("its token has {bytes} bytes, at most {} are allowed", Credential::IMPORTED_BYTES.end())]
    TokenTooLong {
        /// How many it has.
        bytes: usize,
    },
    /// Its token is so short that it could be guessed.
    #[error("its token has {bytes} bytes, at least {} are needed", Credential::IMPORTED_BYTES.start())]
    TokenTooShort {
        /// How many it has.
        bytes: usize,
    },
    /// Its user key is out of bounds.
    #[error("its user key is out of bounds: {0}")]
    UserKey(#[from] InvalidUserKey),
}

impl Refused {
    /// Names the reason by one word, the same in all versions: what to count by.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::CreatedInFuture => "created-in-future",
            Self::Meta(_) => "meta",
            Self::Row(BadRow::IdDiffers) => "id-differs",
            Self::Row(BadRow::TooLarge { .. } | BadRow::TooManyEntries) => "too-large",
            Self::Row(_) => "undecodable",
            Self::TokenTooLong { .. } => "token-too-long",
            Self::TokenTooShort { .. } => "token-too-short",
            Self::UserKey(_) => "user-key",
        }
    }
}

/// What holds for every session that is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) max_lifetime: Duration,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) persistent: bool,
}

/// A session that is taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) record: Record,
    /// Whether its expiry or a name of its agent was cut.
    pub(super) cut: bool,
}

/// How far the clock of the Go server may have been ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

pub(super) fn judge(go: &GoSession, rules: Rules, now: Timestamp) -> Result<Taken, Refused> {
    let token = go.token.expose();
    let Some(credential) = Credential::of_imported(token) else {
        let bytes = token.len();
        return Err(if bytes < *Credential::IMPORTED_BYTES.start() {
            Refused::TokenTooShort { bytes }
        } else {
            Refused::TokenTooLong { bytes }
        });
    };
    let user_key = UserKey::new(go.user_key.as_str())?;
    if go.created_at > now.saturating_add(CLOCK_SKEW) {
        return Err(Refused::CreatedInFuture);
    }
    let last = go.created_at.saturating_add(rules.max_lifetime);
    let (os, os_cut) = cut_name(&go.os);
    let (browser, browser_cut) = cut_name(&go.browser);

    let expires_at = go.expires_at.min(last);
    let mut session = Session::new(credential.id, user_key, go.created_at, expires_at);
    session.client = Client::new(go.ip, Agent::new(os, browser));
    session.persistent = rules.persistent;
    session.meta = meta(go).map_err(Refused::Meta)?;
    if let Some(idle_timeout) = rules.idle_timeout {
        session.idle_timeout = Some(idle_timeout);
        session.last_seen_at = now;
    }
    Ok(Taken {
        record: Record::new(session, credential.secret_hash),
        cut: expires_at < go.expires_at || os_cut || browser_cut,
    })
}

fn meta(go: &GoSession) -> Result<Meta, MetaError> {
    let entries = go.meta.len();
    if entries > Meta::MAX_ENTRIES {
        return Err(MetaError::TooMany { entries });
    }
    let mut meta = Meta::new();
    for (name, value) in &go.meta {
        meta.insert(name.as_str(), value.as_str())?;
    }
    Ok(meta)
}

/// Cuts a name as the core cuts those of an application's own parser.
fn cut_name(name: &str) -> (&str, bool) {
    let ends = name.char_indices().map(|(at, char)| at + char.len_utf8());
    let end = ends
        .take_while(|end| *end <= Agent::MAX_NAME_BYTES)
        .last()
        .unwrap_or(0);
    let kept = name.get(..end).unwrap_or_default();
    (kept, kept.len() < name.len())
}
