//! A login under way.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Serialize;

use crate::manager::Login;
use crate::sessions::state::Visit;
use crate::sessions::{CurrentSession, Sessions};
use crate::store::Epoch;
use crate::{Error, Meta, UserKey};

/// A login under way; await it. Made by [`Sessions::init`].
#[derive(Debug)]
#[must_use = "a login does nothing before it is awaited"]
pub struct Init<'a> {
    pub(super) sessions: &'a Sessions,
    pub(super) user_key: Result<UserKey, Error>,
    pub(super) meta: Result<Meta, Error>,
    pub(super) begun: Option<Epoch>,
}

impl Init<'_> {
    /// Adds an entry to the session's meta. Users see all entries in their list of sessions, so this
    /// is no place for secrets, tokens of other services or what you think of the user.
    ///
    /// A mistake comes to light when the login is awaited.
    pub fn meta(mut self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.meta = self.meta.and_then(|mut meta| {
            meta.insert(key, value)?;
            Ok(meta)
        });
        self
    }

    /// Says that the login began earlier than with this request, see [`Sessions::epoch`].
    ///
    /// For a login of several requests in which an earlier one checked what proves the user, such as a
    /// password before a second factor. Keep the epoch of that request in the memory of the process; it
    /// has no serialised form and means nothing to another process. Leave this out where the proof is
    /// checked in the same request, as the code of an OAuth login is.
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
            replaces: replaced,
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
