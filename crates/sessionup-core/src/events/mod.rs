//! What happens to sessions, for whoever wants to know.

mod hub;
mod lanes;
mod log;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;

pub(crate) use hub::{Concern, Hub, Watch};
pub(crate) use lanes::Lanes;
pub(crate) use log::Log;

use crate::feed::{Feed, Received};
use crate::{Kind, Mismatch, Refusal, SessionId, StoreError, Timestamp, UserKey};

/// Something that happened to sessions. Received from [`Manager::events`](crate::Manager::events).
///
/// Holds the user's key and the address of a request, which are personal data, and nothing of a
/// token. Variants may get more fields: match them with `..`. `examples/audit.rs` of this crate makes
/// an audit log of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The clock showed a time more than a day from the one before. What follows from it is said at
    /// [`Watermark`](crate::store::Watermark).
    ///
    /// So does a clock that nobody looked at for more than a day, as after a machine was off.
    #[non_exhaustive]
    ClockJumped {
        /// The latest time that it had shown.
        from: Timestamp,
        /// The time that it showed then.
        to: Timestamp,
    },
    /// A session was made.
    #[non_exhaustive]
    Created {
        /// Which one.
        id: SessionId,
        /// Whose it is.
        user_key: UserKey,
        /// Its purpose.
        kind: Kind,
        /// The address of the login, as far as it is kept.
        ip: Option<IpAddr>,
    },
    /// A session gave way to the limit.
    #[non_exhaustive]
    Evicted {
        /// Which one.
        id: SessionId,
        /// Whose it was.
        user_key: UserKey,
    },
    /// A request was let through although its client differs from the one that logged in.
    #[non_exhaustive]
    Mismatched {
        /// In what.
        mismatch: Mismatch,
        /// Which session.
        id: SessionId,
        /// Whose it is.
        user_key: UserKey,
        /// The address of the request.
        ip: Option<IpAddr>,
    },
    /// Events were dropped because the receiver was too slow.
    #[non_exhaustive]
    Missed {
        /// How many.
        events: u64,
    },
    /// A request brought a cookie of ours and was given no session for it.
    #[non_exhaustive]
    Rejected {
        /// Why.
        reason: Refusal,
        /// The session that the token belongs to or belonged to, if that is known.
        id: Option<SessionId>,
        /// Whose that session is.
        user_key: Option<UserKey>,
        /// The address of the request.
        ip: Option<IpAddr>,
    },
    /// A session has a new token.
    #[non_exhaustive]
    Renewed {
        /// Which one.
        id: SessionId,
        /// Whose it is.
        user_key: UserKey,
    },
    /// A session was revoked.
    #[non_exhaustive]
    Revoked {
        /// Which one.
        id: SessionId,
        /// Whose it was, if that is known.
        user_key: Option<UserKey>,
        /// By whom, or by what.
        by: RevokedBy,
        /// The session that did it, if it was another one.
        actor: Option<SessionId>,
    },
    /// All sessions of all users were revoked.
    #[non_exhaustive]
    RevokedEverybody {
        /// How many there were.
        sessions: u64,
        /// By whom.
        by: RevokedBy,
        /// The session that did it, if it was one.
        actor: Option<SessionId>,
    },
    /// All sessions of a user were revoked, but for some that were excepted. By the user there was
    /// at least one.
    #[non_exhaustive]
    RevokedUser {
        /// Whose.
        user_key: UserKey,
        /// How many there were.
        sessions: u64,
        /// By whom.
        by: RevokedBy,
        /// The session that did it, if it was one.
        actor: Option<SessionId>,
    },
    /// The store could not do its part.
    #[non_exhaustive]
    StoreFailed {
        /// Why.
        error: StoreError,
    },
}

/// Events of a store that others change too, for
/// [`SharedState::notify`](crate::store::SharedState::notify).
impl Event {
    /// Makes the event of a session that was revoked, by no session.
    #[must_use]
    pub const fn revoked(id: SessionId, by: RevokedBy) -> Self {
        Self::Revoked {
            id,
            user_key: None,
            by,
            actor: None,
        }
    }

    /// Makes the event of the sessions of a user that were revoked, by no session.
    #[must_use]
    pub const fn revoked_user(user_key: UserKey, sessions: u64, by: RevokedBy) -> Self {
        Self::RevokedUser {
            user_key,
            sessions,
            by,
            actor: None,
        }
    }

    /// Makes the event of a change that failed. If its outcome is unknown, all requests that wait for
    /// the end of a session look whether theirs has ended.
    #[must_use]
    pub const fn store_failed(error: StoreError) -> Self {
        Self::StoreFailed { error }
    }

    /// Makes the event of the sessions of all users that were revoked, by no session.
    #[must_use]
    pub const fn revoked_everybody(sessions: u64, by: RevokedBy) -> Self {
        Self::RevokedEverybody {
            sessions,
            by,
            actor: None,
        }
    }
}

impl Event {
    /// Says what the event repeats, if it is one that requests with the token of one session can
    /// cause as often as they are sent.
    ///
    /// Not what anybody can cause who knows the id of a session, such as a secret that was made up.
    pub(crate) const fn repeatable(&self) -> Option<Repeatable> {
        let (id, what) = match self {
            Self::Mismatched { id, .. } => (*id, What::Mismatched),
            Self::Rejected {
                id: Some(id),
                reason,
                ..
            } => match reason {
                Refusal::Mismatch(_) => (*id, What::RefusedMismatch),
                Refusal::Reused => (*id, What::Reused),
                _ => return None,
            },
            Self::StoreFailed {
                error: StoreError::CorruptRecord { id, .. },
            } => (*id, What::Damaged),
            _ => return None,
        };
        Some(Repeatable { id, what })
    }
}

/// What requests with the token of one session can cause as often as they are sent: signs that the
/// token was stolen, and reads of a damaged record. Bounded for each session, so that nobody hides
/// those of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Repeatable {
    id: SessionId,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    Damaged,
    Mismatched,
    RefusedMismatch,
    Reused,
}

/// By whom or by what a session was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevokedBy {
    /// A call that the application makes for administrators.
    Admin,
    /// A login that came over it.
    Login,
    /// Its logout.
    Logout,
    /// A request from another client, as [`OnMismatch::Revoke`](crate::OnMismatch::Revoke) says.
    Mismatch,
    /// An operator, past the application: by the command line, over the store's control socket.
    Operator,
    /// A request with a token that was replaced, as [`OnReuse::Revoke`](crate::OnReuse::Revoke)
    /// says.
    Reuse,
    /// Its user, from this or another session.
    User,
}

impl RevokedBy {
    /// Returns it as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Mismatch => "mismatch",
            Self::Operator => "operator",
            Self::Reuse => "reuse",
            Self::User => "user",
        }
    }
}

/// Who revokes sessions, and whose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revocation<'a> {
    pub(crate) by: RevokedBy,
    pub(crate) actor: Option<SessionId>,
    pub(crate) user_key: Option<&'a UserKey>,
}

impl<'a> Revocation<'a> {
    pub(crate) const fn by(by: RevokedBy) -> Self {
        Self {
            by,
            actor: None,
            user_key: None,
        }
    }

    /// Names the session that revokes, if it is one.
    pub(crate) const fn acting(mut self, actor: Option<SessionId>) -> Self {
        self.actor = actor;
        self
    }

    /// Names the user whose session it is.
    pub(crate) const fn of(mut self, user_key: &'a UserKey) -> Self {
        self.user_key = Some(user_key);
        self
    }
}

/// The events of all managers over a store, from the moment it was made.
///
/// They may be received and need not be. Of each of these, the latest 1,024 are kept, so that bad
/// cookies of strangers cannot drop the events about a stolen token:
///
/// - changes: sessions that were created, renewed, evicted and revoked, and jumps of the clock;
/// - signs of a stolen token: [`Event::Mismatched`], and [`Event::Rejected`] for
///   [`Refusal::Reused`] and [`Refusal::Mismatch`];
/// - failures of the store;
/// - other rejections.
///
/// Of the signs of a stolen token and of reads of a damaged record, at most four of each kind wait for
/// each session, so that the owner of one session cannot drop the events about others.
///
/// [`Event::Missed`] says how many were dropped. No session ever waits for a receiver. Clones take
/// from the same events, each of which is received once; another call of
/// [`Manager::events`](crate::Manager::events) makes a receiver that gets all of them too.
#[derive(Clone, Debug)]
pub struct Events {
    feed: Arc<Feed<Event, Lanes>>,
}

impl Events {
    /// Most events of each group that wait to be received; older ones are dropped.
    pub const CAPACITY: usize = 1_024;

    fn open() -> Self {
        Self {
            feed: Arc::new(Feed::over(Lanes::new(Self::CAPACITY))),
        }
    }

    /// Waits for the next event; `None` once the store and all managers over it are gone and all events
    /// were received.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no event is lost.
    pub async fn recv(&self) -> Option<Event> {
        self.feed.recv().await.map(Event::from)
    }

    /// Returns the next event if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<Event> {
        self.feed.try_recv().map(Event::from)
    }
}

impl From<Received<Self>> for Event {
    fn from(received: Received<Self>) -> Self {
        match received {
            Received::Item(event) => event,
            Received::Missed(events) => Self::Missed { events },
        }
    }
}
