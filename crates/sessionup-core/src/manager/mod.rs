//! The rules: issue, authenticate, renew, list, revoke.

mod builder;
mod config;
mod request;

use std::fmt;
use std::sync::Arc;

pub use builder::ManagerBuilder;
pub(crate) use config::Config;
pub use config::{ConfigError, OnMismatch};
pub use request::Peer;
pub(crate) use request::{LazyClient, Presented};

use crate::client::{Client, Mismatch};
use crate::cookie::SetCookie;
use crate::store::{Change, CreateOptions, DynStore, Store, StoreError};
use crate::user_key::IntoUserKey;
use crate::{
    Clock, Error, ListedSession, Meta, Random, Record, Session, SessionId, Timestamp, Token,
    TrustedProxies, UserKey, lifetime,
};

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
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    options: config::Options,
    config: Config,
}

impl Manager {
    /// Begins a manager over a store, with the defaults that [`ManagerBuilder`] names.
    pub fn builder(store: impl Store) -> ManagerBuilder {
        ManagerBuilder::new(Arc::new(store))
    }

    /// Begins a manager over the same store that has the settings of this one until they are
    /// changed.
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

    /// Lists the live sessions of a user, oldest first; none is marked as current.
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
        Ok(self.delete(id, None, "admin").await?)
    }

    /// Revokes all sessions of a user in one step; says how many.
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
        Ok(self.delete_user(&user, &[], "admin").await?)
    }
}

/// What the handle of a request asks of the manager.
impl Manager {
    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Finds the session that a request presents.
    pub(crate) async fn load(
        &self,
        presented: &Presented,
        client: &LazyClient,
    ) -> Result<Loaded, StoreError> {
        let loaded = self.find(presented, client).await.inspect_err(report)?;
        if let Loaded::Refused { reason, behind } = &loaded {
            let id = behind.as_ref().map(|record| record.session.id);
            tracing::debug!(
                target: "sessionup",
                reason = reason.as_str(),
                id = id.as_ref().map(tracing::field::display),
                "no session"
            );
        }
        Ok(loaded)
    }

    async fn find(&self, presented: &Presented, client: &LazyClient) -> Result<Loaded, StoreError> {
        let (native, imported) = match presented {
            Presented::Nothing(reason) => return Ok(Loaded::refused(*reason)),
            Presented::Credentials { native, imported } => (native, imported),
        };
        let now = self.inner.clock.now();
        for credential in native.iter().chain(imported) {
            let found = self.inner.store.fetch_dyn(credential.id, now).await?;
            // The store promises the first two; nobody is logged in on a promise.
            let proven = found.filter(|record| {
                record.session.id == credential.id
                    && record.session.is_live(now)
                    && record.secret_hash == credential.secret_hash
            });
            if let Some(record) = proven {
                return self.admit(record, client, now).await;
            }
        }
        Ok(Loaded::refused(Refusal::Unknown))
    }

    async fn admit(
        &self,
        record: Arc<Record>,
        client: &LazyClient,
        now: Timestamp,
    ) -> Result<Loaded, StoreError> {
        let config = self.config();
        let mismatch = match config.on_mismatch {
            OnMismatch::Ignore => None,
            OnMismatch::Refuse | OnMismatch::Report | OnMismatch::Revoke => {
                record.session.client.mismatch(client.get(), config.capture)
            }
        };
        if let Some(mismatch) = mismatch {
            let id = record.session.id;
            tracing::warn!(target: "sessionup", %id, mismatch = mismatch.as_str(), "client changed");
            match config.on_mismatch {
                OnMismatch::Ignore | OnMismatch::Report => {}
                OnMismatch::Refuse => {
                    return Ok(Loaded::Refused {
                        reason: Refusal::Mismatch(mismatch),
                        behind: Some(record),
                    });
                }
                OnMismatch::Revoke => {
                    self.delete(id, None, "mismatch").await?;
                    return Ok(Loaded::refused(Refusal::Mismatch(mismatch)));
                }
            }
        }
        Ok(self.touch(record, now).await)
    }

    /// Records the use of a session, not more often than the touch interval says.
    async fn touch(&self, record: Arc<Record>, now: Timestamp) -> Loaded {
        let Session {
            id, last_seen_at, ..
        } = record.session;
        if !lifetime::touch_is_due(last_seen_at, now, self.config().touch_interval) {
            return Loaded::Live(record);
        }
        match self
            .inner
            .store
            .update_dyn(id, Change::touch(now), now)
            .await
        {
            Ok(Some(touched)) if touched.secret_hash == record.secret_hash => Loaded::Live(touched),
            Ok(_) => Loaded::refused(Refusal::Unknown),
            Err(error) => {
                // Losing a touch can only shorten the session's life.
                report(&error);
                Loaded::Live(record)
            }
        }
    }

    /// Makes a session, ending the one it replaces in the same step.
    pub(crate) async fn issue(
        &self,
        user_key: UserKey,
        meta: Meta,
        client: Client,
        replaces: Option<SessionId>,
    ) -> Result<Issued, Error> {
        /// How often a taken id is answered with another one. Even the second try is a sign of a
        /// broken random source.
        const ATTEMPTS: usize = 3;

        let config = self.config();
        let now = self.inner.clock.now();
        let options = CreateOptions::default()
            .replacing(replaces)
            .limited(config.limit);
        let mut session = Session::new(
            SessionId::from_bytes([0; 16]),
            user_key,
            now,
            now.saturating_add(config.lifetime),
        );
        session.idle_timeout = config.idle_timeout;
        session.client = client;
        session.meta = meta;

        for _ in 0..ATTEMPTS {
            let token = Token::generate(now, &*self.inner.random)?;
            let credential = token.credential();
            session.id = credential.id;
            let record = Record::new(session.clone(), credential.secret_hash);
            match self
                .inner
                .store
                .create_dyn(record.clone(), options, now)
                .await
            {
                Ok(created) => {
                    let id = session.id;
                    tracing::info!(target: "sessionup", %id, "session created");
                    if let Some(id) = replaces.filter(|_| created.replaced) {
                        tracing::info!(target: "sessionup", %id, by = "login", "session revoked");
                    }
                    for id in created.evicted {
                        tracing::info!(target: "sessionup", %id, "session evicted");
                    }
                    return Ok(self.issued(record, &token, now));
                }
                Err(StoreError::DuplicateId) => {}
                Err(error) => {
                    report(&error);
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::DuplicateId.into())
    }

    /// Puts a new secret in place of the one the record holds; the id stays. `None` if the session
    /// ended, or was renewed by another request, since it was loaded.
    pub(crate) async fn renew(&self, record: &Record) -> Result<Option<Issued>, Error> {
        let now = self.inner.clock.now();
        let id = record.session.id;
        let token = Token::renewed(id, &*self.inner.random)?;
        let change = Change::renew(record.secret_hash, token.credential().secret_hash);
        let Some(renewed) = self.update(id, change).await? else {
            return Ok(None);
        };
        tracing::info!(target: "sessionup", %id, "session renewed");
        Ok(Some(self.issued((*renewed).clone(), &token, now)))
    }

    fn issued(&self, record: Record, token: &Token, now: Timestamp) -> Issued {
        let config = self.config();
        let keep_until = config.persistent.then_some(record.session.expires_at);
        Issued {
            cookie: config.cookie.set(token, keep_until, now),
            record: Arc::new(record),
        }
    }

    pub(crate) async fn update(
        &self,
        id: SessionId,
        change: Change,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let now = self.inner.clock.now();
        let updated = self.inner.store.update_dyn(id, change, now).await;
        updated.inspect_err(report)
    }

    pub(crate) async fn list(
        &self,
        user: &UserKey,
        current: Option<SessionId>,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let now = self.inner.clock.now();
        let records = self.inner.store.list_dyn(user, now).await;
        let records = records.inspect_err(report)?;
        Ok(records
            .iter()
            .map(|record| ListedSession::of(&record.session, current))
            .collect())
    }

    pub(crate) async fn delete(
        &self,
        id: SessionId,
        owner: Option<&UserKey>,
        by: &'static str,
    ) -> Result<bool, StoreError> {
        let deleted = self.inner.store.delete_dyn(id, owner).await;
        let deleted = deleted.inspect_err(report)?;
        if deleted {
            tracing::info!(target: "sessionup", %id, by, "session revoked");
        }
        Ok(deleted)
    }

    pub(crate) async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
        by: &'static str,
    ) -> Result<u64, StoreError> {
        let deleted = self.inner.store.delete_user_dyn(user, except).await;
        let deleted = deleted.inspect_err(report)?;
        tracing::info!(target: "sessionup", sessions = deleted, by, "sessions revoked");
        Ok(deleted)
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

/// Writes a store's failure to the log, with what lies beneath it. Answers that are errors only
/// because the caller must act on them are no failures.
fn report(error: &StoreError) {
    if matches!(
        error,
        StoreError::DuplicateId | StoreError::InvalidMeta(_) | StoreError::LimitReached { .. }
    ) {
        return;
    }
    let cause = std::error::Error::source(error);
    tracing::error!(
        target: "sessionup",
        error = %error,
        cause = cause.map(tracing::field::display),
        "store failed"
    );
}

/// What became of what a request presented.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// A live session, proven.
    Live(Arc<Record>),
    /// No session for the application.
    Refused {
        reason: Refusal,
        /// The live session that was proven and refused all the same.
        behind: Option<Arc<Record>>,
    },
}

impl Loaded {
    pub(crate) const fn refused(reason: Refusal) -> Self {
        Self::Refused {
            reason,
            behind: None,
        }
    }
}

/// A session and the cookie that goes out for it.
pub(crate) struct Issued {
    pub(crate) record: Arc<Record>,
    pub(crate) cookie: SetCookie,
}

/// Why a request has no session. For logs and metrics; clients are told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It has no cookie of ours.
    Absent,
    /// It has our cookie more than once with different values.
    Ambiguous,
    /// The session was ended by this request.
    Ended,
    /// The cookie's value is no token.
    Malformed,
    /// Address or agent differ from those that logged in.
    Mismatch(Mismatch),
    /// It has more cookies than are looked at.
    TooLarge,
    /// No live session has this token.
    Unknown,
}

impl Refusal {
    /// Returns the reason as one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Ambiguous => "ambiguous",
            Self::Ended => "ended",
            Self::Malformed => "malformed",
            Self::Mismatch(_) => "mismatch",
            Self::TooLarge => "too-large",
            Self::Unknown => "unknown",
        }
    }
}
