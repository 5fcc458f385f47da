//! The handle of one request: who is logged in, and every action a handler may take.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::cookie::{self, Found, SetCookie};
use crate::events::{RevokedBy, Watch};
use crate::manager::{
    Arrival, Issued, LazyClient, Loaded, Login, Manager, Peer, Presented, Proven,
};
use crate::store::{Epoch, UserDeleted};
use crate::user_key::IntoUserKey;
use crate::{
    Error, ListedSession, Meta, MetaChange, Record, Refusal, Session, SessionId, StoreError,
    Timestamp, UserKey,
};

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
    arrived: Timestamp,
    presented: Presented,
    client: LazyClient,
    state: Mutex<State>,
}

struct State {
    /// `None` before the store was asked.
    loaded: Option<Loaded>,
    cookie: Option<SetCookie>,
    /// Set while the cookie is that of a renewal by time, which a later event may make worthless.
    renewal: Option<Watch>,
    /// When the request came in.
    begun: Epoch,
    /// Whose sessions this request was the last to revoke, and when, if a login of the user that
    /// began with the request had not been overtaken by then.
    own: Option<(UserKey, Epoch)>,
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
                arrived: self.now(),
                presented,
                client: LazyClient::new(peer, config),
                state: Mutex::new(State {
                    loaded: None,
                    cookie: None,
                    renewal: None,
                    begun: self.epoch(),
                    own: None,
                }),
            }),
        }
    }
}

impl Visit {
    fn arrival(&self) -> Arrival<'_> {
        Arrival {
            at: self.arrived,
            presented: &self.presented,
            client: &self.client,
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
            Loaded::Live(proven) => Some(CurrentSession(proven.record)),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the session of this request if its user proved who they are less than `within` ago:
    /// the guard before what must not be done with a session that was left open (ASVS 5.0 7.5.1,
    /// 7.5.3).
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
    /// count. A login that takes several requests keeps the moment of the first and names it by
    /// [`Init::begun`].
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

    /// Lists the user's live sessions, oldest first, the one of this request marked as current.
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    pub async fn list(&self) -> Result<Vec<ListedSession>, Error> {
        let Some(proven) = self.still_live().await? else {
            return Ok(Vec::new());
        };
        let Session { id, user_key, .. } = &proven.record.session;
        Ok(self.visit.manager.list(user_key, Some(*id)).await?)
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
            let id = record.session.id;
            let manager = &self.visit.manager;
            manager.delete(id, None, RevokedBy::Logout).await?;
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
    /// [`Error::Store`].
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
        let revoked = manager.delete(id, owner, RevokedBy::User).await?;
        if id == session.id {
            self.end(Some(&record));
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
        let Some(Proven { record, .. }) = self.still_live().await? else {
            return Ok(0);
        };
        let Session { id, user_key, .. } = &record.session;
        self.delete_user(user_key, &[*id], RevokedBy::User).await
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
        let Some(Proven { record, .. }) = self.still_live().await? else {
            return Ok(0);
        };
        let user = &record.session.user_key;
        let revoked = self.delete_user(user, &[], RevokedBy::User).await?;
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
        let own = live.filter(|record| record.session.user_key == user);
        let revoked = self.delete_user(&user, &[], RevokedBy::Admin).await?;
        if own.is_some() {
            self.end(own.as_ref());
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
        let proven = self.live().await?.ok_or(Error::NoSession)?;
        let changed = self.visit.manager.change_meta(&proven, &change).await?;
        self.take_on(&proven, changed).map(drop)
    }

    /// Changes entries of the session's meta by what they are now, without losing what other
    /// requests change meanwhile.
    ///
    /// `work_out` is given the entries and returns what to set and to remove. It is asked again if
    /// another request was faster, so it should do nothing else. Returns the session as it is
    /// afterwards.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # use sessionup_core::{Error, Manager, MemoryStore, MetaChange, Peer};
    /// # let manager = Manager::builder(MemoryStore::new()).build()?;
    /// # let sessions = manager.sessions([], Peer::default());
    /// # sessions.init("ann").await?;
    /// let session = sessions
    ///     .update_meta_with(|meta| {
    ///         let visits = meta.get::<u32>("visits")?.unwrap_or_default();
    ///         Ok::<_, Error>(MetaChange::new().set("visits", visits + 1)?)
    ///     })
    ///     .await?;
    /// assert_eq!(session.meta.get::<u32>("visits")?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// That of `work_out`; those of [`change_meta`](Sessions::change_meta).
    pub async fn update_meta_with<E>(
        &self,
        work_out: impl FnMut(&Meta) -> Result<MetaChange, E> + Send,
    ) -> Result<CurrentSession, E>
    where
        E: From<Error> + From<StoreError> + Send,
    {
        let proven = self.live().await?.ok_or(Error::NoSession)?;
        let manager = &self.visit.manager;
        let changed = manager.change_meta_with(&proven, work_out).await?;
        Ok(self.take_on(&proven, changed)?)
    }

    /// Waits until the session of this request has ended, by whatever hand or by its deadline.
    /// Returns at once if there is none. A renewal of the token is no end.
    ///
    /// For what outlives its request, such as a WebSocket or a stream of events: race it against
    /// the work (ASVS 5.0 4.4.4). Revocations through this manager and those derived from it are
    /// noticed at once, those by others at the latest within a minute. Returns too when the store
    /// fails, since then nobody can say that the session is live.
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

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.visit.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    async fn loaded(&self) -> Result<Loaded, Error> {
        if let Some(loaded) = &self.state().loaded {
            return Ok(loaded.clone());
        }
        let visit = &*self.visit;
        let (loaded, renewed) = visit.manager.load(visit.arrival()).await?;
        let mut state = self.state();
        if let Some(present) = &state.loaded
            && !(renewed.is_some() && state.cookie.is_none() && present.is_same_session(&loaded))
        {
            // A login that finished while the store was asked is newer than its answer.
            return Ok(present.clone());
        }
        state.loaded = Some(loaded.clone());
        (state.cookie, state.renewal) = renewed.map_or((None, None), |r| (Some(r.0), Some(r.1)));
        Ok(loaded)
    }

    async fn live(&self) -> Result<Option<Proven>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(proven) => Some(proven),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the session of this request if its token proves it even now. A handle may outlive its
    /// request by far, and what it lists and ends is more than its own.
    async fn still_live(&self) -> Result<Option<Proven>, Error> {
        let is_known = self.state().loaded.is_some();
        let Some(proven) = self.live().await? else {
            return Ok(None);
        };
        if !is_known || self.visit.manager.is_proven(&proven).await? {
            return Ok(Some(proven));
        }
        self.lost(&proven.record);
        Ok(None)
    }

    /// Returns the live session whose token the request has, whether or not it was let in by it.
    /// A record that cannot be read proves nothing, and keeps nobody from logging in or out.
    async fn proven(&self) -> Result<Option<Arc<Record>>, Error> {
        Ok(match self.loaded().await {
            Ok(Loaded::Live(proven)) => Some(proven.record),
            Ok(Loaded::Refused { behind, .. }) => behind,
            Err(Error::Store(StoreError::CorruptRecord { .. })) => None,
            Err(error) => return Err(error),
        })
    }

    /// Revokes sessions of a user. A login of this request after it is not overtaken by it.
    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
        by: RevokedBy,
    ) -> Result<u64, Error> {
        let manager = &self.visit.manager;
        let UserDeleted {
            deleted,
            previous,
            epoch,
        } = manager.delete_user(user, except, by).await?;
        let mut state = self.state();
        if state.begun_for(user).is_from(previous) {
            state.own = Some((user.clone(), epoch));
        }
        Ok(deleted)
    }

    /// Takes on a session that this request made or renewed.
    fn adopt(&self, issued: Issued) -> CurrentSession {
        let Issued { record, cookie } = issued;
        let mut state = self.state();
        state.loaded = Some(Loaded::Live(Proven::by_present_token(Arc::clone(&record))));
        state.cookie = Some(cookie);
        state.renewal = None;
        CurrentSession(record)
    }

    /// Takes on what became of the session that an action began with.
    fn take_on(
        &self,
        began: &Proven,
        changed: Option<Arc<Record>>,
    ) -> Result<CurrentSession, Error> {
        let Some(record) = changed else {
            return Err(self.lost(&began.record));
        };
        let hash = began.hash;
        let mut state = self.state();
        if state.has(&began.record) {
            let record = Arc::clone(&record);
            state.loaded = Some(Loaded::Live(Proven { record, hash }));
        }
        Ok(CurrentSession(record))
    }

    /// Notes that this request ended the session it began with, and removes the cookie that the
    /// client has; unless it logged in anew meanwhile.
    fn end(&self, began: Option<&Arc<Record>>) {
        let Visit {
            manager, presented, ..
        } = &*self.visit;
        let mut state = self.state();
        if let Some(Loaded::Live(present)) = &state.loaded
            && began.is_none_or(|began| began.session.id != present.record.session.id)
        {
            return;
        }
        let is_absent = matches!(presented, Presented::Nothing(Refusal::Absent));
        if !is_absent || state.cookie.is_some() {
            state.cookie = Some(manager.config().cookie.remove());
            state.renewal = None;
        }
        state.loaded = Some(Loaded::refused(Refusal::Ended));
    }

    /// Notes that another request ended or renewed the session. The cookie stays: the browser may
    /// have a newer one by now.
    fn lost(&self, began: &Arc<Record>) -> Error {
        let mut state = self.state();
        if state.has(began) {
            state.loaded = Some(Loaded::refused(Refusal::Unknown));
        }
        Error::NoSession
    }
}

impl State {
    /// Returns when a login of this user by this request began.
    fn begun_for(&self, user: &UserKey) -> Epoch {
        match &self.own {
            Some((own, epoch)) if own == user => *epoch,
            Some(_) | None => self.begun,
        }
    }

    /// Says whether this is still the record that an action began with. Another action of the same
    /// request may have been faster.
    fn has(&self, began: &Arc<Record>) -> bool {
        match &self.loaded {
            Some(Loaded::Live(present)) => Arc::ptr_eq(&present.record, began),
            Some(Loaded::Refused { .. }) | None => false,
        }
    }
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

/// A login under way; await it. Made by [`Sessions::init`].
#[derive(Debug)]
#[must_use = "a login does nothing before it is awaited"]
pub struct Init<'a> {
    sessions: &'a Sessions,
    user_key: Result<UserKey, Error>,
    meta: Result<Meta, Error>,
    begun: Option<Epoch>,
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

    /// Says that the login began earlier than with this request, see [`Sessions::epoch`].
    pub fn begun(mut self, epoch: Epoch) -> Self {
        self.begun = Some(epoch);
        self
    }

    async fn run(self) -> Result<CurrentSession, Error> {
        let sessions = self.sessions;
        let Visit {
            manager, client, ..
        } = &*sessions.visit;
        let (user_key, meta) = (self.user_key?, self.meta?);
        let begun = self.begun;
        let begun = begun.unwrap_or_else(|| sessions.state().begun_for(&user_key));
        let replaced = sessions.proven().await?;
        let login = Login {
            user_key,
            meta,
            client: client.get().clone(),
            replaces: replaced.map(|record| record.session.id),
            begun,
        };
        Ok(sessions.adopt(manager.issue(login).await?))
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
