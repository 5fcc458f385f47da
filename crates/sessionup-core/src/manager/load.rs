//! From what a request presents to the session it has.

use std::sync::Arc;

use crate::client::Mismatch;
use crate::cookie::SetCookie;
use crate::events::{Event, Revocation, RevokedBy, Watch};
use crate::manager::{LazyClient, Manager, OnMismatch, OnReuse, Presented};
use crate::proof::{Proof, TokenChange, prove, token_change};
use crate::store::{Change, SecretChange, StoreError};
use crate::{
    Credential, Record, Refusal, Replaced, SecretHash, Session, Timestamp, Token, lifetime,
};

/// What became of what a request presented.
#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    /// A live session, proven.
    Live(Proven),
    /// No session for the application.
    Refused {
        reason: Refusal,
        /// The live session that was proven and refused all the same.
        behind: Option<Arc<Record>>,
    },
}

/// A live session, and the hash of the token that proved it.
#[derive(Clone, Debug)]
pub(crate) struct Proven {
    pub(crate) record: Arc<Record>,
    pub(crate) hash: SecretHash,
}

impl Proven {
    /// A session whose present token a request brought or was given.
    pub(crate) fn by_present_token(record: Arc<Record>) -> Self {
        let hash = record.secret_hash;
        Self { record, hash }
    }
}

impl Loaded {
    pub(crate) const fn refused(reason: Refusal) -> Self {
        Self::Refused {
            reason,
            behind: None,
        }
    }
}

impl Loaded {
    /// Says whether both are the same live session.
    pub(crate) fn is_same_session(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Live(this), Self::Live(other)) => {
                this.record.session.id == other.record.session.id
            }
            _ => false,
        }
    }
}

/// What a request came with, and when.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) at: Timestamp,
    pub(crate) presented: &'a Presented,
    pub(crate) client: &'a LazyClient,
}

/// The cookie of a token that was renewed by time, and what makes it worthless.
pub(crate) type Renewal = Option<(SetCookie, Watch)>;

impl Manager {
    /// Finds the session that a request presents. If its token was renewed, there is a cookie to
    /// send.
    ///
    /// What few requests need is in boxes of its own in here, so that the others do not carry room
    /// for it.
    pub(crate) async fn load(&self, arrival: Arrival<'_>) -> Result<(Loaded, Renewal), StoreError> {
        let now = self.now();
        let client = arrival.client;
        let (native, imported) = match arrival.presented {
            Presented::Nothing(Refusal::Absent) => {
                return Ok((Loaded::refused(Refusal::Absent), None));
            }
            Presented::Nothing(reason) => return Ok((self.refuse(*reason, None, client), None)),
            Presented::Credentials { native, imported } => (native, imported),
        };
        let mut other = None;
        for credential in native.iter().chain(imported) {
            let Some(record) = self.fetch(credential.id, now).await? else {
                continue;
            };
            let hash = credential.secret_hash;
            let grace = self.config().renewal_grace;
            let proof = prove(&record, &hash, now, grace);
            return match proof {
                None => {
                    other = Some(record);
                    continue;
                }
                Some(proof @ (Proof::Current | Proof::Superseded)) => {
                    self.admit(Proven { record, hash }, proof, client, now)
                        .await
                }
                // It may have been on its way for long.
                Some(Proof::Reused)
                    if prove(&record, &hash, arrival.at, grace) == Some(Proof::Reused) =>
                {
                    Ok((Box::pin(self.reused(record, client)).await?, None))
                }
                Some(Proof::Late | Proof::Reused) => Ok((self.late(record, client), None)),
            };
        }
        let reason = if other.is_some() {
            Refusal::WrongSecret
        } else {
            self.guess(*native, now)
        };
        Ok((self.refuse(reason, other.as_deref(), client), None))
    }

    /// Guesses why nobody has a token, by the time in its id.
    fn guess(&self, native: Option<Credential>, now: Timestamp) -> Refusal {
        let lifetime = self.config().lifetime;
        let made_at = native.and_then(|credential| credential.id.created_at());
        let is_old = |at: Timestamp| !lifetime::is_live(at.saturating_add(lifetime), now);
        if made_at.is_some_and(is_old) {
            Refusal::Expired
        } else {
            Refusal::Unknown
        }
    }

    fn refuse(&self, reason: Refusal, record: Option<&Record>, client: &LazyClient) -> Loaded {
        self.rejected(reason, record, client);
        Loaded::refused(reason)
    }

    /// Says whether a token still proves a session.
    pub(super) fn accepts(&self, record: &Record, hash: &SecretHash, now: Timestamp) -> bool {
        let proof = prove(record, hash, now, self.config().renewal_grace);
        matches!(proof, Some(Proof::Current | Proof::Superseded))
    }

    fn late(&self, record: Arc<Record>, client: &LazyClient) -> Loaded {
        self.rejected(Refusal::Replaced, Some(&record), client);
        Loaded::Refused {
            reason: Refusal::Replaced,
            behind: Some(record),
        }
    }

    async fn reused(&self, record: Arc<Record>, client: &LazyClient) -> Result<Loaded, StoreError> {
        self.rejected(Refusal::Reused, Some(&record), client);
        let behind = match self.config().on_reuse {
            OnReuse::Report => Some(record),
            OnReuse::Revoke => {
                let Session { id, user_key, .. } = &record.session;
                let revocation = Revocation::by(RevokedBy::Reuse).of(user_key);
                self.delete(*id, None, revocation).await?;
                None
            }
        };
        Ok(Loaded::Refused {
            reason: Refusal::Reused,
            behind,
        })
    }

    async fn admit(
        &self,
        proven: Proven,
        proof: Proof,
        client: &LazyClient,
        now: Timestamp,
    ) -> Result<(Loaded, Renewal), StoreError> {
        let config = self.config();
        let mismatch = match config.on_mismatch {
            OnMismatch::Ignore => None,
            OnMismatch::Refuse | OnMismatch::Report | OnMismatch::Revoke => {
                let login = &proven.record.session.client;
                login.mismatch(client.get(), config.capture)
            }
        };
        if let Some(mismatch) = mismatch
            && let Some(refused) = Box::pin(self.mismatched(&proven, mismatch, client)).await?
        {
            return Ok((refused, None));
        }
        self.keep_up(proven, proof, now).await
    }

    /// Does what the policy on other clients says; `None` if the request is let through.
    async fn mismatched(
        &self,
        proven: &Proven,
        mismatch: Mismatch,
        client: &LazyClient,
    ) -> Result<Option<Loaded>, StoreError> {
        let Session { id, user_key, .. } = &proven.record.session;
        let reason = Refusal::Mismatch(mismatch);
        let behind = match self.config().on_mismatch {
            OnMismatch::Ignore | OnMismatch::Report => {
                self.tell(&Event::Mismatched {
                    mismatch,
                    id: *id,
                    user_key: user_key.clone(),
                    ip: client.get().ip,
                });
                return Ok(None);
            }
            OnMismatch::Refuse => Some(Arc::clone(&proven.record)),
            OnMismatch::Revoke => {
                let revocation = Revocation::by(RevokedBy::Mismatch).of(user_key);
                self.delete(*id, None, revocation).await?;
                None
            }
        };
        self.rejected(reason, Some(&proven.record), client);
        Ok(Some(Loaded::Refused { reason, behind }))
    }

    /// Records the use of a session, not more often than the touch interval says, and renews its
    /// token if it is time.
    async fn keep_up(
        &self,
        proven: Proven,
        proof: Proof,
        now: Timestamp,
    ) -> Result<(Loaded, Renewal), StoreError> {
        let config = self.config();
        let (every, grace) = (config.renew_every, config.renewal_grace);
        match token_change(&proven.record, proof, now, every, grace) {
            Some(TokenChange::Confirm(replaced)) => {
                let held = proven.record.secret_hash;
                let confirm = SecretChange::new(held, held).replacing(replaced);
                Ok((Box::pin(self.confirm(proven, confirm, now)).await?, None))
            }
            Some(TokenChange::Renew) => Box::pin(self.renew_by_time(proven, now)).await,
            None if self.touch_is_due(&proven, now) => {
                Ok((Box::pin(self.touch(proven, now)).await, None))
            }
            None => Ok((Loaded::Live(proven), None)),
        }
    }

    async fn confirm(
        &self,
        proven: Proven,
        confirm: SecretChange,
        now: Timestamp,
    ) -> Result<Loaded, StoreError> {
        match self.change_token(&proven, confirm, now).await {
            Ok(Some(record)) => Ok(Loaded::Live(Proven { record, ..proven })),
            Ok(None) => self.recheck(proven, now).await,
            Err(_) => Ok(Loaded::Live(proven)),
        }
    }

    /// Gives the session another token and keeps the one that proved it until the new one is used.
    async fn renew_by_time(
        &self,
        proven: Proven,
        now: Timestamp,
    ) -> Result<(Loaded, Renewal), StoreError> {
        let id = proven.record.session.id;
        let token = match Token::renewed(id, &*self.inner.random) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(target: "sessionup", %error, "token could not be renewed");
                return Ok((Loaded::Live(proven), None));
            }
        };
        let replaced = Replaced::new(proven.hash, now).accepted_until(None);
        let (from, to) = (
            proven.record.secret_hash,
            token.credential(&self.config().kind).secret_hash,
        );
        let mut renew = SecretChange::new(from, to).replacing(replaced);
        // Once the new token was used, the one before it makes no other one.
        renew.replaced_was = proven.record.replaced;
        // From before the renewal on, so that no end of the session goes unheard.
        let watch = self.watch(&proven.record.session);
        let record = match self.change_token(&proven, renew, now).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok((self.recheck(proven, now).await?, None)),
            Err(_) => return Ok((Loaded::Live(proven), None)),
        };
        let user_key = record.session.user_key.clone();
        self.tell_others(&Event::Renewed { id, user_key }, &watch);
        let issued = self.issued(record, &token, now);
        let proven = Proven::by_present_token(issued.record);
        Ok((Loaded::Live(proven), Some((issued.cookie, watch))))
    }

    /// Another request was faster: it renewed the token, which is accepted still, or ended the
    /// session.
    async fn recheck(&self, proven: Proven, now: Timestamp) -> Result<Loaded, StoreError> {
        let present = self.fetch(proven.record.session.id, now).await?;
        Ok(match present {
            Some(record) if self.accepts(&record, &proven.hash, now) => {
                Loaded::Live(Proven { record, ..proven })
            }
            Some(_) | None => lost(proven),
        })
    }

    /// Changes what is held of tokens, and records the use with it. That it fails is no reason to
    /// refuse the request.
    async fn change_token(
        &self,
        proven: &Proven,
        secret: SecretChange,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let mut change = Change::touch(now);
        change.secret = Some(secret);
        self.update(proven.record.session.id, change, now).await
    }

    fn touch_is_due(&self, proven: &Proven, now: Timestamp) -> bool {
        let session = &proven.record.session;
        // The session's own timeout may be shorter than the one that the interval suits.
        let interval = self.config().touch_interval;
        let interval = session
            .idle_timeout
            .map_or(interval, |idle| interval.min(idle / 4));
        lifetime::touch_is_due(session.last_seen_at, now, interval)
    }

    async fn touch(&self, proven: Proven, now: Timestamp) -> Loaded {
        let id = proven.record.session.id;
        match self.update(id, Change::touch(now), now).await {
            Ok(Some(record)) if self.accepts(&record, &proven.hash, now) => {
                Loaded::Live(Proven { record, ..proven })
            }
            Ok(_) => lost(proven),
            // Losing a touch can only shorten the session's life.
            Err(_) => Loaded::Live(proven),
        }
    }

    fn rejected(&self, reason: Refusal, record: Option<&Record>, client: &LazyClient) {
        let session = record.map(|record| &record.session);
        self.tell(&Event::Rejected {
            reason,
            id: session.map(|session| session.id),
            user_key: session.map(|session| session.user_key.clone()),
            ip: client.ip(),
        });
    }
}

/// What is left of a session that another request ended or renewed: whoever proved it may end it.
fn lost(proven: Proven) -> Loaded {
    Loaded::Refused {
        reason: Refusal::Unknown,
        behind: Some(proven.record),
    }
}
