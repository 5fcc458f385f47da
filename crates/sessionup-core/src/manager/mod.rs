//! The rules: issue, authenticate, renew, list, revoke.

mod act;
mod ask;
mod builder;
mod config;
mod ended;
mod load;
mod request;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use act::{Issued, Login};
pub use builder::ManagerBuilder;
pub(crate) use config::Config;
pub use config::{ConfigError, OnMismatch, OnReuse};
pub(crate) use load::{Arrival, Loaded, Proven};
pub use request::Peer;
pub(crate) use request::{LazyClient, Presented};

use crate::events::{Events, Hub, Log, Revocation, RevokedBy};
use crate::store::{CookieNameInUse, DynStore, Store};
use crate::user_key::IntoUserKey;
use crate::watermark::Steady;
use crate::{Error, Kind, ListedSession, Random, Session, SessionId, SessionPage, TrustedProxies};

/// The rules of sessions over a store.
///
/// Knows no HTTP framework. A middleware makes a [`Sessions`](crate::Sessions) handle of each request
/// by [`Manager::sessions`]; what is done to sessions apart from a request is done here. A clone is a
/// handle on the same manager.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use sessionup_core::{Manager, MemoryStore, Peer};
///
/// let manager = Manager::builder(MemoryStore::new()).build()?;
///
/// // A request without cookies logs in.
/// let request = manager.sessions([], Peer::default());
/// request.init("ann").await?;
/// let cookie = request.response_cookie().expect("login sets the cookie");
///
/// // The next one brings the cookie.
/// let value = cookie.expose().split(';').next().unwrap_or_default();
/// let request = manager.sessions([value.as_bytes()], Peer::default());
/// assert_eq!(request.list().await?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn DynStore>,
    clock: Arc<Steady>,
    random: Arc<dyn Random>,
    /// Shared with the managers that are derived from this one.
    log: Arc<Log>,
    options: config::Options,
    config: Config,
    /// Keeps other managers from using another cookie for sessions of this kind.
    _cookie_name: CookieNameInUse,
}

impl Inner {
    fn hub(&self) -> &Arc<Hub> {
        self.store.shared_dyn().hub()
    }
}

impl Manager {
    /// Begins a manager over a store, with the defaults that [`ManagerBuilder`] names.
    pub fn builder(store: impl Store) -> ManagerBuilder {
        ManagerBuilder::new(Arc::new(store))
    }

    /// Begins a manager over the same store that has the settings of this one until they are
    /// changed.
    ///
    /// For some logins that differ from the others, such as those that are to be remembered. A session
    /// keeps lifetime, idle timeout and persistence of its cookie from the manager that made it,
    /// whichever serves it later. One with another [`cookie_name`](ManagerBuilder::cookie_name)
    /// needs another [`kind`](ManagerBuilder::kind) too. Do not put layers of two managers around
    /// one route: the handler gets the handle of the inner one. Where a handler needs both, make the
    /// other handle by `SessionLayers::handle` of `sessionup`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sessionup_core::{Manager, MemoryStore};
    /// let manager = Manager::builder(MemoryStore::new()).build()?;
    /// let remembering = manager.derive().expires_in(Duration::from_secs(14 * 24 * 60 * 60)).build()?;
    /// # Ok::<(), sessionup_core::ConfigError>(())
    /// ```
    pub fn derive(&self) -> ManagerBuilder {
        ManagerBuilder::derived(self)
    }

    /// Returns the name of the cookie.
    #[must_use]
    pub fn cookie_name(&self) -> &str {
        &self.config().cookie.name
    }

    /// Returns the kind of the sessions that this manager makes and serves.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.config().kind
    }

    /// Returns the proxies whose header tells the client's address, for whoever writes a middleware;
    /// `None` if no header is to be read.
    #[must_use]
    pub fn trusted_proxies(&self) -> Option<&TrustedProxies> {
        self.config().trusted_proxies.as_ref()
    }

    /// Says whether both are handles on the same manager.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Returns what happens to sessions from now on, through all managers over the same store in this
    /// process.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use sessionup_core::{Event, Manager, MemoryStore, Peer};
    ///
    /// let manager = Manager::builder(MemoryStore::new()).build()?;
    /// let events = manager.events();
    /// manager.sessions([], Peer::default()).init("ann").await?;
    /// assert!(matches!(events.recv().await, Some(Event::Created { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use = "events from before the call are not received"]
    pub fn events(&self) -> Events {
        self.inner.hub().subscribe()
    }

    /// Says whether the user of a session proved who they are less than `within` ago.
    ///
    /// While the clock is behind the latest time that it showed by `within` or more, nobody did: how
    /// long ago it was cannot be told.
    #[must_use]
    pub fn is_fresh(&self, session: &Session, within: Duration) -> bool {
        let (now, shown, at) = (self.now(), self.shown(), session.authenticated_at);
        let behind = now.saturating_since(shown);
        // What seems to lie ahead is believed as long and no longer.
        let apart = now.saturating_since(at).max(at.saturating_since(now));
        apart.max(behind) < within
    }

    /// Lists the live sessions of a user that are of the manager's kind, oldest first; none is
    /// marked as current.
    ///
    /// Reads them page by page and holds all of them in memory. Where users may have any number of
    /// sessions, use [`list_page_by_user_key`](Manager::list_page_by_user_key).
    ///
    /// # Errors
    ///
    /// [`Error::UserKey`], [`Error::Store`].
    pub async fn list_by_user_key(
        &self,
        user_key: impl IntoUserKey + Send,
    ) -> Result<Vec<ListedSession>, Error> {
        let user = user_key.into_user_key()?;
        Ok(self.list(&user, None).await?)
    }

    /// Lists a page of the live sessions of a user that are of the manager's kind; none is marked
    /// as current.
    ///
    /// `after` is the [`SessionPage::next`] of the page before, or `None` for the first one. A page
    /// has at most `limit` sessions, and never more than 1,000; it may have fewer, even none,
    /// although others follow.
    ///
    /// # Errors
    ///
    /// [`Error::UserKey`], [`Error::Store`].
    pub async fn list_page_by_user_key(
        &self,
        user_key: impl IntoUserKey + Send,
        after: Option<SessionId>,
        limit: NonZeroUsize,
    ) -> Result<SessionPage, Error> {
        let user = user_key.into_user_key()?;
        Ok(self.list_page(&user, None, after, limit).await?)
    }

    /// Revokes any session by its id, whoever's it is; says whether it was there.
    ///
    /// For administrators. What a user may do is [`Sessions::revoke_by_id`](crate::Sessions::revoke_by_id).
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session is revoked or not.
    pub async fn revoke_by_id_unchecked(&self, id: SessionId) -> Result<bool, Error> {
        Ok(self
            .delete(id, None, Revocation::by(RevokedBy::Admin))
            .await?)
    }

    /// Revokes all sessions of a user, of every kind, in one step; says how many.
    ///
    /// # Errors
    ///
    /// [`Error::UserKey`], [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of them are revoked or none.
    pub async fn revoke_by_user_key(
        &self,
        user_key: impl IntoUserKey + Send,
    ) -> Result<u64, Error> {
        let user = user_key.into_user_key()?;
        let revocation = Revocation::by(RevokedBy::Admin);
        let deleted = self.delete_user(&user, &[], revocation).await?;
        Ok(deleted.deleted)
    }

    /// Revokes the sessions of all users, of every kind and manager over this store, in one step;
    /// says how many.
    ///
    /// For after an incident (ASVS 5.0 7.4.5). Logins that are under way are refused with
    /// [`StoreError::Overtaken`](crate::StoreError::Overtaken).
    ///
    /// # Errors
    ///
    /// [`Error::Store`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all sessions are revoked or none.
    pub async fn revoke_everybody(&self) -> Result<u64, Error> {
        Ok(self.delete_all(Revocation::by(RevokedBy::Admin)).await?)
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Manager")
            .field("store", &self.inner.store)
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}
