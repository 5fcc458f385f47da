//! What is done to the session of a request.

use std::sync::Arc;

use crate::client::Client;
use crate::cookie::SetCookie;
use crate::events::{Event, Revocation, RevokedBy};
use crate::manager::{Manager, Proven};
use crate::store::{
    Change, CreateOptions, Epoch, OthersDeleted, SecretChange, StoreError, UserDeleted,
};
use crate::{
    Error, Meta, MetaChange, Record, Replaced, SecretHash, Session, SessionId, Timestamp, Token,
    UserKey,
};

/// A session and the cookie that goes out for it.
pub(crate) struct Issued {
    pub(crate) record: Arc<Record>,
    pub(crate) cookie: SetCookie,
}

/// What a session is made from.
pub(crate) struct Login {
    pub(crate) user_key: UserKey,
    pub(crate) meta: Meta,
    pub(crate) client: Client,
    pub(crate) replaces: Option<Arc<Record>>,
    pub(crate) begun: Epoch,
}

impl Manager {
    /// Makes a session, ending the one it replaces in the same step.
    pub(crate) async fn issue(&self, login: Login) -> Result<Issued, Error> {
        /// How often a taken id is answered with another one. Even the second try is a sign of a
        /// broken random source.
        const ATTEMPTS: usize = 3;

        let config = self.config();
        let now = self.now();
        let options = CreateOptions::default()
            .replacing(login.replaces.as_ref().map(|record| record.session.id))
            .limited(config.limit)
            .begun(Some(login.begun));
        let mut session = Session::new(
            SessionId::from_bytes([0; 16]),
            login.user_key,
            now,
            now.saturating_add(config.lifetime),
        );
        session.kind = config.kind.clone();
        session.idle_timeout = config.idle_timeout;
        session.persistent = config.persistent;
        session.client = login.client;
        session.meta = login.meta;
        if config.capture.ip && session.client.ip.is_none() {
            let behind_proxies = config.trusted_proxies.is_some();
            self.inner.log.warn_of_missing_address(behind_proxies);
        }

        for _ in 0..ATTEMPTS {
            let token = Token::generate(now, &*self.inner.random)?;
            let credential = token.credential(&config.kind);
            session.id = credential.id;
            let record = Record::new(session.clone(), credential.secret_hash);
            match self.create(record.clone(), options, now).await {
                Ok(created) => {
                    let replaced = login.replaces.filter(|_| created.replaced);
                    self.tell_of_login(&session, replaced.as_deref(), created.evicted);
                    return Ok(self.issued(Arc::new(record), &token, now));
                }
                Err(StoreError::DuplicateId) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::DuplicateId.into())
    }

    fn tell_of_login(&self, session: &Session, replaced: Option<&Record>, evicted: Vec<SessionId>) {
        let user_key = || session.user_key.clone();
        self.tell(&Event::Created {
            id: session.id,
            user_key: user_key(),
            kind: session.kind.clone(),
            ip: session.client.ip,
        });
        if let Some(Record {
            session: former, ..
        }) = replaced
        {
            self.tell(&Event::Revoked {
                id: former.id,
                user_key: Some(former.user_key.clone()),
                by: RevokedBy::Login,
                actor: Some(session.id),
            });
        }
        for id in evicted {
            let user_key = user_key();
            self.tell(&Event::Evicted { id, user_key });
        }
    }

    /// Puts a new secret in place of the present one, which is dead from then on; the id stays.
    /// With a client the user proved who they are: the session lasts as long again.
    /// `None` if the session ended or the token no longer proves it.
    pub(crate) async fn renew(
        &self,
        proven: &Proven,
        authenticated: Option<Client>,
    ) -> Result<Option<Issued>, Error> {
        let id = proven.record.session.id;
        let token = Token::renewed(id, &*self.inner.random)?;
        let to = token.credential(&self.config().kind).secret_hash;
        let change = |record: &Record, now: Timestamp| {
            Ok::<_, Error>(renewal(record, to, now, authenticated.as_ref()))
        };
        let Some(renewed) = self.edit(proven, change).await? else {
            return Ok(None);
        };
        let user_key = renewed.session.user_key.clone();
        self.tell(&Event::Renewed { id, user_key });
        Ok(Some(self.issued(renewed, &token, self.now())))
    }

    /// Renews the token of a session whose user proved who they are, and ends all other sessions of
    /// the user, in one step. Ends all of them if the session ended, the token no longer proves it,
    /// another request is faster, or no token could be made.
    pub(crate) async fn renew_and_delete_others(
        &self,
        proven: &Proven,
        client: &Client,
    ) -> Result<(UserDeleted, Option<Issued>), Error> {
        let Session { id, user_key, .. } = &proven.record.session;
        let now = self.now();
        let present = if proven.record.secret_hash == proven.hash {
            Some(Arc::clone(&proven.record))
        } else {
            // What cannot be read proves nothing.
            self.fetch(*id, now).await.unwrap_or_default()
        };
        let accepted = present.filter(|record| self.accepts(record, &proven.hash, now));
        let token = Token::renewed(*id, &*self.inner.random).inspect_err(
            |error| tracing::error!(target: "sessionup", %error, "token could not be renewed"),
        );
        let (Some(record), Ok(token)) = (accepted, token) else {
            let revocation = Revocation::by(RevokedBy::User).acting(Some(*id));
            let deleted = self.delete_user(user_key, &[], revocation).await?;
            return Ok((deleted, None));
        };
        let to = token.credential(&self.config().kind).secret_hash;
        let change = renewal(&record, to, now, Some(client));
        let OthersDeleted {
            deleted,
            previous,
            epoch,
            kept,
        } = self.delete_others(user_key, *id, change, now).await?;
        let issued = kept.map(|renewed| {
            self.tell(&Event::Renewed {
                id: *id,
                user_key: user_key.clone(),
            });
            self.issued(renewed, &token, now)
        });
        Ok((UserDeleted::new(deleted, previous, epoch), issued))
    }

    /// Changes entries of meta. `None` if the session ended or the token no longer proves it.
    pub(crate) async fn change_meta(
        &self,
        proven: &Proven,
        change: &MetaChange,
    ) -> Result<Option<Arc<Record>>, Error> {
        let make = |record: &Record, _| Ok(meta_of_proven(record, change.clone()));
        self.edit(proven, make).await
    }

    /// Changes entries of meta by what they are, as if nobody else did so at the same time.
    pub(crate) async fn change_meta_with<E: From<Error> + From<StoreError>>(
        &self,
        proven: &Proven,
        mut work_out: impl FnMut(&Meta) -> Result<MetaChange, E>,
    ) -> Result<Option<Arc<Record>>, E> {
        let make = |record: &Record, _| {
            let meta = &record.session.meta;
            let mut change = meta_of_proven(record, work_out(meta)?);
            change.meta_was = Some(meta.clone());
            Ok(change)
        };
        self.edit(proven, make).await
    }

    pub(super) fn issued(&self, record: Arc<Record>, token: &Token, now: Timestamp) -> Issued {
        let session = &record.session;
        let keep_until = session.persistent.then_some(session.expires_at);
        Issued {
            cookie: self.config().cookie.set(token, keep_until, now),
            record,
        }
    }
}

/// Makes the change that puts another secret in place of the one that a record holds. With a client
/// the user proved who they are: the session lasts as long again.
fn renewal(
    record: &Record,
    to: SecretHash,
    now: Timestamp,
    authenticated: Option<&Client>,
) -> Change {
    let mut change = Change::touch(now);
    let replaced = Replaced::new(record.secret_hash, now);
    change.secret = Some(SecretChange::new(record.secret_hash, to).replacing(replaced));
    if let Some(client) = authenticated {
        let Session {
            authenticated_at,
            expires_at,
            ..
        } = record.session;
        let lifetime = expires_at.saturating_since(authenticated_at);
        change.authenticated_at = Some(now);
        change.expires_at = Some(now.saturating_add(lifetime));
        change.client = Some(client.clone());
    }
    change
}

/// A change of meta that is made only while the token that is known to be accepted is accepted:
/// taking on another one would let a dead token renew itself.
fn meta_of_proven(record: &Record, meta: MetaChange) -> Change {
    let mut change = Change::meta(meta);
    let held = record.secret_hash;
    change.secret = Some(SecretChange::new(held, held));
    change
}
