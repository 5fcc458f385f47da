//! The handle of one request: who is logged in, and every action a handler may take.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::cookie::{self, Found, SetCookie};
use crate::manager::{Issued, LazyClient, Loaded, Manager, Peer, Presented, Refusal};
use crate::store::{Change, SecretChange};
use crate::user_key::IntoUserKey;
use crate::{Error, ListedSession, Meta, MetaChange, Record, Session, SessionId, UserKey};

/// The handle of one request: who is logged in, and every action a handler may take.
///
/// The store is asked when the handle is first used, and once; a request that never asks costs
/// nothing. What an action does to the cookie goes out with the response, see
/// [`response_cookie`](Sessions::response_cookie); the last action wins. A clone is a handle on the
/// same request.
///
/// Without a session, listing and revoking find nothing to do, as in the original. That the store
/// cannot be asked is always an error: an outage is not a logout.
#[derive(Clone)]
pub struct Sessions {
    visit: Arc<Visit>,
}

struct Visit {
    manager: Manager,
    presented: Presented,
    client: LazyClient,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` before the store was asked.
    loaded: Option<Loaded>,
    cookie: Option<SetCookie>,
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
            Found::One(value) => Presented::of_cookie(value, config.accept_imported),
        };
        Sessions {
            visit: Arc::new(Visit {
                manager: self.clone(),
                presented,
                client: LazyClient::new(peer, config),
                state: Mutex::default(),
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
    /// If the future is dropped, nothing was changed.
    pub async fn current(&self) -> Result<Option<CurrentSession>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(record) => Some(CurrentSession(record)),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the session of this request, or why there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store cannot be asked.
    pub async fn authenticate(&self) -> Result<Result<CurrentSession, Refusal>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(record) => Ok(CurrentSession(record)),
            Loaded::Refused { reason, .. } => Err(reason),
        })
    }

    /// Begins a session for a user: the login. Await what it returns.
    ///
    /// A live session that the request already has ends in the same step, so that a token an
    /// attacker knows is worth nothing after the login (ASVS 5.0 7.2.4). The new token goes out
    /// with the response.
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
        }
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
        let record = self.live().await?.ok_or(Error::NoSession)?;
        match self.visit.manager.renew(&record).await? {
            Some(issued) => Ok(self.adopt(issued)),
            None => Err(self.lost()),
        }
    }

    /// Lists the user's live sessions, oldest first, the one of this request marked as current.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn list(&self) -> Result<Vec<ListedSession>, Error> {
        let Some(record) = self.live().await? else {
            return Ok(Vec::new());
        };
        let Session { id, user_key, .. } = &record.session;
        Ok(self.visit.manager.list(user_key, Some(*id)).await?)
    }

    /// Revokes the session of this request: the logout. Removes the cookie, if there is one, also if
    /// it was dead.
    ///
    /// A session that is refused because its client changed ends too: whoever proves a session may
    /// end it.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]; the cookie is left alone then, since the session may be live.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke(&self) -> Result<(), Error> {
        if let Some(record) = self.proven().await? {
            let id = record.session.id;
            self.visit.manager.delete(id, None, "logout").await?;
        }
        self.end();
        Ok(())
    }

    /// Revokes one of the user's own sessions; says whether it was there.
    ///
    /// For another user's session the answer is the same as for one that does not exist.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke_by_id(&self, id: SessionId) -> Result<bool, Error> {
        let Some(record) = self.live().await? else {
            return Ok(false);
        };
        let session = &record.session;
        let manager = &self.visit.manager;
        let revoked = manager.delete(id, Some(&session.user_key), "user").await?;
        if id == session.id {
            self.end();
        }
        Ok(revoked)
    }

    /// Revokes all of the user's sessions but the one of this request, in one step; says how many.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of them are revoked or none.
    pub async fn revoke_other(&self) -> Result<u64, Error> {
        let Some(record) = self.live().await? else {
            return Ok(0);
        };
        let Session { id, user_key, .. } = &record.session;
        let manager = &self.visit.manager;
        Ok(manager.delete_user(user_key, &[*id], "user").await?)
    }

    /// Revokes all of the user's sessions in one step and removes the cookie; says how many.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of them are revoked or none.
    pub async fn revoke_all(&self) -> Result<u64, Error> {
        let Some(record) = self.live().await? else {
            return Ok(0);
        };
        let user = &record.session.user_key;
        let revoked = self.visit.manager.delete_user(user, &[], "user").await?;
        self.end();
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
        let is_own = |record: Arc<Record>| record.session.user_key == user;
        let own = self.live().await?.is_some_and(is_own);
        let revoked = self.visit.manager.delete_user(&user, &[], "admin").await?;
        if own {
            self.end();
        }
        Ok(revoked)
    }

    /// Sets an entry of the session's meta. Entries that other requests set meanwhile stay.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`], [`Error::Meta`], [`Error::Store`].
    pub async fn set_meta(
        &self,
        key: impl Into<String> + Send,
        value: impl Serialize + Send,
    ) -> Result<(), Error> {
        let change = MetaChange::new().set(key, value)?;
        self.change_meta(change).await
    }

    /// Removes an entry of the session's meta; it may be absent.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`], [`Error::Store`].
    pub async fn remove_meta(&self, key: impl Into<String> + Send) -> Result<(), Error> {
        self.change_meta(MetaChange::new().remove(key)).await
    }

    /// Sets and removes entries of the session's meta in one step.
    ///
    /// # Errors
    ///
    /// [`Error::NoSession`]; [`Error::Store`], with
    /// [`StoreError::InvalidMeta`](crate::StoreError::InvalidMeta) if a bound would be passed.
    pub async fn change_meta(&self, change: MetaChange) -> Result<(), Error> {
        let record = self.live().await?.ok_or(Error::NoSession)?;
        let id = record.session.id;
        // Only while the token that this request proved is the session's: adopting another one
        // would let a dead token renew itself.
        let mut change = Change::meta(change);
        change.secret = Some(SecretChange {
            from: record.secret_hash,
            to: record.secret_hash,
        });
        match self.visit.manager.update(id, change).await? {
            Some(changed) => {
                self.state().loaded = Some(Loaded::Live(changed));
                Ok(())
            }
            None => Err(self.lost()),
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
        self.state().cookie.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.visit.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    async fn loaded(&self) -> Result<Loaded, Error> {
        if let Some(loaded) = &self.state().loaded {
            return Ok(loaded.clone());
        }
        let visit = &*self.visit;
        let loaded = visit.manager.load(&visit.presented, &visit.client).await?;
        // A login that finished while the store was asked is newer than its answer.
        Ok(self.state().loaded.get_or_insert(loaded).clone())
    }

    async fn live(&self) -> Result<Option<Arc<Record>>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(record) => Some(record),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the live session whose token the request has, whether or not it was let in by it.
    async fn proven(&self) -> Result<Option<Arc<Record>>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(record) => Some(record),
            Loaded::Refused { behind, .. } => behind,
        })
    }

    /// Takes on a session that this request made or renewed.
    fn adopt(&self, issued: Issued) -> CurrentSession {
        let Issued { record, cookie } = issued;
        let mut state = self.state();
        state.loaded = Some(Loaded::Live(Arc::clone(&record)));
        state.cookie = Some(cookie);
        CurrentSession(record)
    }

    /// Notes that this request ended its session, and removes the cookie that the client has.
    fn end(&self) {
        let Visit {
            manager, presented, ..
        } = &*self.visit;
        let mut state = self.state();
        let is_absent = matches!(presented, Presented::Nothing(Refusal::Absent));
        if !is_absent || state.cookie.is_some() {
            state.cookie = Some(manager.config().cookie.remove());
        }
        state.loaded = Some(Loaded::refused(Refusal::Ended));
    }

    /// Notes that another request ended or renewed the session. The cookie stays: the browser may
    /// have a newer one by now.
    fn lost(&self) -> Error {
        self.state().loaded = Some(Loaded::refused(Refusal::Unknown));
        Error::NoSession
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = match &self.state().loaded {
            Some(Loaded::Live(record)) => Some(record.session.id),
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

/// A login under way; await it. Made by [`Sessions::init`].
#[derive(Debug)]
#[must_use = "a login does nothing before it is awaited"]
pub struct Init<'a> {
    sessions: &'a Sessions,
    user_key: Result<UserKey, Error>,
    meta: Result<Meta, Error>,
}

impl Init<'_> {
    /// Adds an entry to the session's meta. A mistake comes to light when the login is awaited.
    pub fn meta(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.meta = self.meta.and_then(|mut meta| {
            meta.insert(key, value)?;
            Ok(meta)
        });
        self
    }

    async fn run(self) -> Result<CurrentSession, Error> {
        let visit = &*self.sessions.visit;
        let (user_key, meta) = (self.user_key?, self.meta?);
        let replaced = self.sessions.proven().await?;
        let replaces = replaced.map(|record| record.session.id);
        let client = visit.client.get().clone();
        let issued = visit
            .manager
            .issue(user_key, meta, client, replaces)
            .await?;
        Ok(self.sessions.adopt(issued))
    }
}

impl<'a> IntoFuture for Init<'a> {
    type Output = Result<CurrentSession, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    /// Creates the session.
    ///
    /// Fails with [`Error::UserKey`], [`Error::Meta`], [`Error::Random`] or [`Error::Store`]; no
    /// cookie is set then. If the future is dropped, a session may have been made that nobody has
    /// the token of; it expires.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
