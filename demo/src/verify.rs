//! Checking a password: in turn, and not too often.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use sessionup::Session;

use crate::app::AppState;
use crate::hashing::Asker;
use crate::pages::error::PageError;
use crate::passwords::{NewPassword, Password, PasswordHash};
use crate::tries::{Network, Subject, Tries};

impl FromRequestParts<AppState> for Network {
    type Rejection = Infallible;

    /// Finds the network of the client, as the sessions find their address.
    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map(|ConnectInfo(address)| address.ip());
        let address = match app.manager.trusted_proxies() {
            Some(proxies) => {
                let lines = parts.headers.get_all(proxies.header_name()).iter();
                proxies.client_ip(peer, lines.map(|line| line.as_bytes()))
            }
            None => peer,
        };
        Ok(Self::of(address))
    }
}

impl AppState {
    /// Returns the hash of an account's password if `password` is it; `None` for a wrong password
    /// and for an unknown name alike. The session is that of the browser in which it was typed.
    ///
    /// # Errors
    ///
    /// [`PageError::Busy`] and [`PageError::TooManyTries`], without a look at the password.
    pub(crate) async fn verify(
        &self,
        name: &str,
        password: Password,
        network: Network,
        session: Option<&Session>,
    ) -> Result<Option<PasswordHash>, PageError> {
        let (asker, subject) = match session {
            Some(own) if own.user_key.as_str() == name => (Asker::User, Subject::Session(own.id)),
            _ => (Asker::Stranger, Subject::Account(name)),
        };
        // A network pays for each try, also for one that is refused for its account: otherwise a
        // flood against one account would cost its sender nothing.
        self.take(&[Subject::Network(network)])?;
        let subject = self.take_try(name, network, subject).await?;
        let turn = self.passwords.turn(asker).inspect_err(|_| {
            // Nobody looked at the password.
            self.tries().give_back(&[subject], self.started.elapsed());
        })?;
        let stored = self.accounts.hash_of(name).await?;
        let is_right = turn.verify(password, stored.clone()).await?;
        if is_right {
            let counted = [Subject::Network(network), subject];
            self.tries().give_back(&counted, self.started.elapsed());
        }
        Ok(stored.filter(|_| is_right))
    }

    /// Hashes the password of a new account. Registrations count as tries of their network.
    ///
    /// # Errors
    ///
    /// [`PageError::Busy`], [`PageError::TooManyTries`].
    pub(crate) async fn hash_for_new_account(
        &self,
        password: NewPassword,
        network: Network,
    ) -> Result<PasswordHash, PageError> {
        self.take(&[Subject::Network(network)])?;
        let turn = self.passwords.turn(Asker::Stranger)?;
        Ok(turn.hash(password).await?)
    }

    /// Takes a try of an account or session, and says whose it was. To be called when the network
    /// has paid: one that floods us causes no reads.
    async fn take_try<'a>(
        &self,
        name: &'a str,
        network: Network,
        subject: Subject<'a>,
    ) -> Result<Subject<'a>, PageError> {
        match self.take(&[subject]) {
            Err(PageError::TooManyTries { .. }) if self.is_used_in(name, network).await? => {
                let subject = Subject::AccountIn(name, network);
                self.take(&[subject]).map(|()| subject)
            }
            taken => taken.map(|()| subject),
        }
    }

    /// Says whether an account is logged in somewhere in a network.
    async fn is_used_in(&self, name: &str, network: Network) -> Result<bool, PageError> {
        match self.manager.list_by_user_key(name).await {
            Ok(devices) => Ok(devices
                .iter()
                .any(|device| Network::of(device.ip) == network)),
            // What is no user key is no account either.
            Err(sessionup::Error::UserKey(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn take(&self, subjects: &[Subject<'_>]) -> Result<(), PageError> {
        let taken = self.tries().take(subjects, self.started.elapsed());
        taken.map_err(|wait| PageError::TooManyTries { wait })
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
