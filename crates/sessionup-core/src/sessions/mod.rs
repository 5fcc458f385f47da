//! The handle of one request: who is logged in, and every action a handler may take.

mod login;
mod meta;
mod state;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use login::Init;
use state::{State, Visit};

use crate::cookie::{self, Found, SetCookie};
use crate::events::{Revocation, RevokedBy, Watch};
use crate::manager::{LazyClient, Loaded, Manager, Peer, Presented, Proven};
use crate::store::Epoch;
use crate::user_key::IntoUserKey;
use crate::{Error, ListedSession, Meta, Record, Refusal, Session, SessionId, SessionPage};

/// The handle of one request: who is logged in, and every action a handler may take.
///
/// The store is asked when the handle is first used, and once; a request that never asks costs
/// nothing. What an action does to the cookie goes out with the response, see
/// [`response_cookie`](Sessions::response_cookie); the last action wins. A clone is a handle on the
/// same request.
///
/// Without a session, listing and revoking find nothing to do, as in the original; if the request had
/// one and another request ended or renewed it meanwhile, they are [`Error::NoSession`], since what was
/// to be ended has not been. That the store cannot be asked is always an error: an outage is not a
/// logout.
#[derive(Clone)]
pub struct Sessions {
    visit: Arc<Visit>,
}

impl Manager {
    /// Makes the handle of one request.
    ///
    /// `cookies` are the values of all its `Cookie` fields. Nothing is asked of the store before
    /// the handle is used.
    #[must_use]
    pub fn sessions<'a>(
        &self,
        cookies: impl IntoIterator<Item = &'a [u8]>,
        peer: Peer<'_>,
    ) -> Sessions {
        let config = self.config();
        let presented = match cookie::find(cookies, &config.cookie.name) {
            Found::Absent => Presented::Nothing(Refusal::Absent),
            Found::Ambiguous => Presented::Nothing(Refusal::Ambiguous),
            Found::TooLarge => Presented::Nothing(Refusal::TooLarge),
            Found::One(value) => Presented::of_cookie(value, config),
        };
        Sessions {
            visit: Arc::new(Visit {
                manager: self.clone(),
                arrived: self.now(),
                presented,
                client: LazyClient::new(peer, config),
                state: Mutex::new(State {
                    loaded: None,
                    cookie: None,
                    is_lost: false,
                    renewal: None,
                    begun: self.epoch(),
                    own: None,
                }),
            }),
        }
    }
}

impl Sessions {
    /// Returns the session of this request; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store cannot be asked: the request may well have a session.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the use may have been recorded or the token been renewed; the one that
    /// the client has is accepted then.
    pub async fn current(&self) -> Result<Option<CurrentSession>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(proven) => Some(CurrentSession(proven.record)),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the session if the user authenticated within the last `within`: the guard before what
    /// must not be done with a session that was left open (ASVS 5.0 7.5.1, 7.5.3).
    ///
    /// Otherwise ask for the password again and call [`reauthenticate`](Sessions::reauthenticate).
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`]; [`Error::NotFresh`] if it was longer ago; [`Error::Store`].
    pub async fn require_fresh(&self, within: Duration) -> Result<CurrentSession, Error> {
        let session = self.current().await?.ok_or(Error::NoSession)?;
        if self.visit.manager.is_fresh(&session, within) {
            Ok(session)
        } else {
            Err(Error::NotFresh)
        }
    }

    /// Returns the session of this request, or why there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store cannot be asked.
    pub async fn authenticate(&self) -> Result<Result<CurrentSession, Refusal>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(proven) => Ok(CurrentSession(proven.record)),
            Loaded::Refused { reason, .. } => Err(reason),
        })
    }

    /// Begins a session for a user: the login. Await what it returns.
    ///
    /// A live session that the request already has ends in the same step, so that a token an
    /// attacker knows is worth nothing after the login (ASVS 5.0 7.2.4). The new token goes out
    /// with the response.
    ///
    /// The key is your name for the user: text, or an integer such as an account's number. See
    /// [`UserKey`](crate::UserKey) for its bounds, and [`IntoUserKey`] for types of your own.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use sessionup_core::{Manager, MemoryStore, Peer};
    /// # let manager = Manager::builder(MemoryStore::new()).build()?;
    /// # let sessions = manager.sessions([], Peer::default());
    /// let session = sessions.init("ann").meta("permission", "write").await?;
    /// assert_eq!(session.user_key.as_str(), "ann");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "a login does nothing before it is awaited"]
    pub fn init(&self, user_key: impl IntoUserKey) -> Init<'_> {
        Init {
            sessions: self,
            user_key: user_key.into_user_key().map_err(Error::from),
            meta: Ok(Meta::new()),
            begun: None,
        }
    }

    /// Returns the moment that a login counts as begun at: when the request met the layer that made
    /// this handle.
    ///
    /// If all sessions of the user are revoked after that moment, [`init`](Sessions::init) is
    /// refused with [`StoreError::Overtaken`](crate::StoreError::Overtaken): the password that was
    /// checked may be the one whose change was the reason. Revocations by this handle itself do not
    /// count for its own logins, unless they failed. A login that takes several requests keeps the
    /// moment of the first and names it by [`Init::begun`].
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.state().begun
    }

    /// Gives the session of this request a new token; the old one is dead when this returns.
    ///
    /// For a change of privilege, such as a second factor or a new password. Id, deadlines and meta
    /// stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if there is none, or another request ended or renewed it meanwhile;
    /// [`Error::Random`]; [`Error::Store`], and then the old token or the new one is live, never
    /// both.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the old token may be dead without the client having the new one.
    pub async fn renew(&self) -> Result<CurrentSession, Error> {
        self.renew_as(false).await
    }

    /// Notes that the user proved who they are once more, and gives the session a new token; the
    /// old one is dead when this returns.
    ///
    /// For after the password was asked for again. The session lasts from now on for as long as it did
    /// from the login (NIST SP 800-63B 5.2), its client is that of this request, and [`require_fresh`](Sessions::require_fresh) is content for a while.
    ///
    /// # Errors
    ///
    /// Those of [`renew`](Sessions::renew).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the old token may be dead without the client having the new one.
    pub async fn reauthenticate(&self) -> Result<CurrentSession, Error> {
        self.renew_as(true).await
    }

    async fn renew_as(&self, authenticates: bool) -> Result<CurrentSession, Error> {
        let proven = self.live().await?.ok_or(Error::NoSession)?;
        let Visit {
            manager, client, ..
        } = &*self.visit;
        let client = authenticates.then(|| client.get().clone());
        match manager.renew(&proven, client).await? {
            Some(issued) => Ok(self.adopt(issued)),
            None => Err(self.lost(&proven.record)),
        }
    }

    /// Finishes a change of the password: gives this session a new token, revokes all other sessions
    /// of the user, and refuses logins of the user that are under way, in one step (ASVS 5.0 7.4.3).
    /// Says how many were revoked.
    ///
    /// Call it when the new password is stored. The old token is dead when this returns, so a thief
    /// who has it is out as well; [`require_fresh`](Sessions::require_fresh) is content for a while.
    /// If this session ended meanwhile, or another request renewed its token, all sessions of the
    /// user are revoked: what would have been spared may be the thief's. May be called again.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use sessionup_core::{Manager, MemoryStore, Peer};
    /// # let manager = Manager::builder(MemoryStore::new()).build()?;
    /// # manager.sessions([], Peer::default()).init("ann").await?;
    /// # let sessions = manager.sessions([], Peer::default());
    /// # sessions.init("ann").await?;
    /// // Check the old password, store the new one, then:
    /// assert_eq!(sessions.finish_password_change().await?, 1);
    /// assert_eq!(sessions.list().await?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if there was none, or if it could not be kept because it was lost
    /// meanwhile or no token could be made: then all sessions of the user are revoked, and the user
    /// has to log in. [`Error::Store`]: nothing was changed, unless it is
    /// [`StoreError::OutcomeUnknown`](crate::StoreError::OutcomeUnknown): then it may have been, and
    /// this session may have ended with the others. Call it again, or
    /// [`Manager::revoke_by_user_key`], and keep the new password.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, everything was done or nothing; the old token may be dead without
    /// the client having the new one. Run it in a task of its own, so that a client that hangs up
    /// does not stop it.
    pub async fn finish_password_change(&self) -> Result<u64, Error> {
        let Visit {
            manager, client, ..
        } = &*self.visit;
        let proven = match self.loaded().await? {
            Loaded::Live(proven) => proven,
            Loaded::Refused {
                behind: Some(record),
                ..
            } if self.state().is_lost => {
                let Session { id, user_key, .. } = &record.session;
                let revocation = Revocation::by(RevokedBy::User).acting(Some(*id));
                self.delete_user(user_key, &[], revocation).await?;
                return Err(Error::NoSession);
            }
            Loaded::Refused { .. } => return Err(Error::NoSession),
        };
        let (deleted, issued) = manager
            .renew_and_delete_others(&proven, client.get())
            .await?;
        self.note_revocation(&proven.record.session.user_key, deleted);
        match issued {
            Some(issued) => {
                self.adopt(issued);
                Ok(deleted.deleted)
            }
            None => Err(self.lost(&proven.record)),
        }
    }

    /// Lists the user's live sessions that are of the manager's kind, oldest first, the one of this
    /// request marked as current.
    ///
    /// Reads them page by page and holds all of them in memory. Where users may have any number of
    /// sessions, use [`list_page`](Sessions::list_page).
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if the session was lost meanwhile; [`Error::Store`].
    pub async fn list(&self) -> Result<Vec<ListedSession>, Error> {
        let Some(proven) = self.still_live().await? else {
            return Ok(Vec::new());
        };
        let Session { id, user_key, .. } = &proven.record.session;
        Ok(self.visit.manager.list(user_key, Some(*id)).await?)
    }

    /// Lists a page of the user's live sessions that are of the manager's kind, the one of this
    /// request marked as current.
    ///
    /// `after` is the [`SessionPage::next`] of the page before, or `None` for the first one. A page
    /// has at most `limit` sessions, and never more than 1,000; it may have fewer, even none,
    /// although others follow.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use sessionup_core::{Manager, MemoryStore, Peer};
    /// use std::num::NonZeroUsize;
    /// # let manager = Manager::builder(MemoryStore::new()).build()?;
    /// # let sessions = manager.sessions([], Peer::default());
    /// # sessions.init("ann").await?;
    ///
    /// let (mut after, limit) = (None, NonZeroUsize::MIN.saturating_add(49));
    /// loop {
    ///     let page = sessions.list_page(after, limit).await?;
    ///     for session in page.sessions {
    ///         println!("{}", session.id);
    ///     }
    ///     after = page.next;
    ///     if after.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if the session was lost meanwhile; [`Error::Store`].
    pub async fn list_page(
        &self,
        after: Option<SessionId>,
        limit: NonZeroUsize,
    ) -> Result<SessionPage, Error> {
        let Some(proven) = self.still_live().await? else {
            return Ok(SessionPage::default());
        };
        let Session { id, user_key, .. } = &proven.record.session;
        let manager = &self.visit.manager;
        Ok(manager.list_page(user_key, Some(*id), after, limit).await?)
    }

    /// Revokes the session of this request: the logout. Removes the cookie, if there is one, also if
    /// it was dead.
    ///
    /// A session that is refused because its client changed or its token was replaced ends too:
    /// whoever proves a session may end it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; the cookie is left alone then, since the session may be live.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke(&self) -> Result<(), Error> {
        let proven = self.proven().await?;
        if let Some(record) = &proven {
            let Session { id, user_key, .. } = &record.session;
            let revocation = Revocation::by(RevokedBy::Logout).of(user_key);
            self.visit.manager.delete(*id, None, revocation).await?;
        }
        self.end(proven.as_ref());
        Ok(())
    }

    /// Revokes one of the user's own sessions; says whether it was there.
    ///
    /// For another user's session the answer is the same as for one that does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if the session was lost meanwhile; [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke_by_id(&self, id: SessionId) -> Result<bool, Error> {
        let Some(Proven { record, .. }) = self.still_live().await? else {
            return Ok(false);
        };
        let session = &record.session;
        let owner = Some(&session.user_key);
        let manager = &self.visit.manager;
        let revocation = Revocation::by(RevokedBy::User).acting(Some(session.id));
        let revoked = manager.delete(id, owner, revocation).await?;
        if id == session.id {
            self.end(Some(&record));
        }
        Ok(revoked)
    }

    /// Revokes all of the user's sessions, of every kind, but the one of this request, in one step;
    /// says how many.
    ///
    /// The session that is spared keeps its token, and so does a thief who has it. After a change of
    /// the password use [`finish_password_change`](Sessions::finish_password_change).
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if the session was lost meanwhile; [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of them are revoked or none.
    pub async fn revoke_other(&self) -> Result<u64, Error> {
        let Some(Proven { record, .. }) = self.still_live().await? else {
            return Ok(0);
        };
        let Session { id, user_key, .. } = &record.session;
        let revocation = Revocation::by(RevokedBy::User).acting(Some(*id));
        self.delete_user(user_key, &[*id], revocation).await
    }

    /// Revokes all of the user's sessions, of every kind, in one step and removes the cookie; says how
    /// many.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`] if the session was lost meanwhile; [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of them are revoked or none.
    pub async fn revoke_all(&self) -> Result<u64, Error> {
        let Some(Proven { record, .. }) = self.still_live().await? else {
            return Ok(0);
        };
        let Session { id, user_key, .. } = &record.session;
        let revocation = Revocation::by(RevokedBy::User).acting(Some(*id));
        let revoked = self.delete_user(user_key, &[], revocation).await?;
        self.end(Some(&record));
        Ok(revoked)
    }

    /// Revokes all sessions of any user in one step; says how many.
    ///
    /// For administrators, like [`Manager::revoke_by_user_key`]: whoever can reach the handler can
    /// log that user out. If it is the user of this request, the cookie is removed too.
    ///
    /// # Errors
    ///
    /// [`Error::UserKey`], [`Error::Store`].
    pub async fn revoke_by_user_key(
        &self,
        user_key: impl IntoUserKey + Send,
    ) -> Result<u64, Error> {
        let user = user_key.into_user_key()?;
        let live = self.live().await?.map(|proven| proven.record);
        let revocation = Revocation::by(RevokedBy::Admin).acting(id_of(live.as_ref()));
        let revoked = self.delete_user(&user, &[], revocation).await?;
        let own = live.filter(|record| record.session.user_key == user);
        if own.is_some() {
            self.end(own.as_ref());
        }
        Ok(revoked)
    }

    /// Revokes any session by its id, whoever's it is; says whether it was there.
    ///
    /// For administrators, like [`Manager::revoke_by_id_unchecked`]; the log and
    /// [`Event::Revoked`](crate::Event::Revoked) name the session of this request as the one that did
    /// it. If it is the session of this request, the cookie is removed too.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke_by_id_unchecked(&self, id: SessionId) -> Result<bool, Error> {
        let live = self.live().await?.map(|proven| proven.record);
        let revocation = Revocation::by(RevokedBy::Admin).acting(id_of(live.as_ref()));
        let manager = &self.visit.manager;
        let revoked = manager.delete(id, None, revocation).await?;
        let own = live.filter(|record| record.session.id == id);
        if own.is_some() {
            self.end(own.as_ref());
        }
        Ok(revoked)
    }

    /// Revokes the sessions of all users in one step, the one of this request too, and removes the
    /// cookie; says how many.
    ///
    /// For administrators, like [`Manager::revoke_everybody`]; the log and
    /// [`Event::RevokedEverybody`](crate::Event::RevokedEverybody) name the session of this request as
    /// the one that did it. A login by this request afterwards is refused as overtaken; it needs a
    /// request of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all sessions are revoked or none.
    pub async fn revoke_everybody(&self) -> Result<u64, Error> {
        let live = self.live().await?.map(|proven| proven.record);
        let revocation = Revocation::by(RevokedBy::Admin).acting(id_of(live.as_ref()));
        let revoked = self.visit.manager.delete_all(revocation).await?;
        if live.is_some() {
            self.end(live.as_ref());
        }
        Ok(revoked)
    }

    /// Waits until the session of this request has ended, by whatever hand or by its deadline.
    /// Returns at once if there is none. A renewal of the token is no end.
    ///
    /// For what outlives its request, such as a WebSocket or a stream of events: race it against
    /// the work (ASVS 5.0 4.4.4). The future borrows nothing, so it can go into a task or a callback.
    /// Revocations through any manager over the same store in this process are noticed at once, and so
    /// are those that the store is told of by others and
    /// [passes on](crate::store::SharedState::notify); all others at the latest within a minute.
    /// Returns too when the store fails, since then nobody can say that the session is live.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was changed.
    pub fn revoked(&self) -> impl Future<Output = ()> + Send + use<> {
        let sessions = self.clone();
        async move {
            if let Ok(Some(proven)) = sessions.live().await {
                sessions.visit.manager.ended(&proven.record.session).await;
            }
        }
    }

    /// Returns the manager behind the handle.
    #[must_use]
    pub fn manager(&self) -> &Manager {
        &self.visit.manager
    }

    /// Returns the value of the one `Set-Cookie` field that must go out with the response; `None`
    /// if nothing was done that changes the cookie.
    ///
    /// For whoever writes a middleware. A response with it must not be cached, and none must be
    /// shared between requests with different cookies: send `Cache-Control: no-store` with it and
    /// `Vary: Cookie` always.
    #[must_use]
    pub fn response_cookie(&self) -> Option<SetCookie> {
        let mut state = self.state();
        if state.renewal.as_ref().is_some_and(Watch::has_rung) {
            // The session ended or was renewed once more. The browser may have a newer cookie, and
            // the one it had before the renewal is as good as this one.
            state.renewal = None;
            state.cookie = None;
        }
        state.cookie.clone()
    }
}

fn id_of(record: Option<&Arc<Record>>) -> Option<SessionId> {
    record.map(|record| record.session.id)
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = match &self.state().loaded {
            Some(Loaded::Live(proven)) => Some(proven.record.session.id),
            Some(Loaded::Refused { .. }) | None => None,
        };
        f.debug_struct("Sessions")
            .field("current", &id)
            .finish_non_exhaustive()
    }
}

/// The session of a request.
#[derive(Clone, Debug)]
pub struct CurrentSession(Arc<Record>);

impl Deref for CurrentSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0.session
    }
}
