//! From what a request presents to the session it has.

use std::sync::Arc;

use crate::client::Mismatch;
use crate::cookie::SetCookie;
use crate::events::{Event, RevokedBy};
use crate::manager::{LazyClient, Manager, OnMismatch, OnReuse, Presented};
use crate::proof::{Proof, TokenChange, prove, token_change};
use crate::store::{Change, SecretChange, StoreError};
use crate::{Record, Refusal, Replaced, SecretHash, SessionId, Timestamp, Token, lifetime};

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

impl Manager {
    /// Finds the session that a request presents. If its token was renewed, there is a cookie to
    /// send.
    pub(crate) async fn load(
        &self,
        presented: &Presented,
        client: &LazyClient,
    ) -> Result<(Loaded, Option<SetCookie>), StoreError> {
        let now = self.now();
        let refuse = |reason| (Loaded::refused(reason), None);
        let (native, imported) = match presented {
            Presented::Nothing(Refusal::Absent) => return Ok(refuse(Refusal::Absent)),
            Presented::Nothing(reason) => {
                self.rejected(*reason, None, client);
                return Ok(refuse(*reason));
            }
            Presented::Credentials { native, imported } => (native, imported),
        };
        for credential in native.iter().chain(imported) {
            let Some(record) = self.fetch(credential.id, now).await? else {
                continue;
            };
            let hash = credential.secret_hash;
            let grace = self.config().renewal_grace;
            match prove(&record, &hash, now, grace) {
                None => {}
                Some(Proof::Late) => return Ok((self.late(record, client), None)),
                Some(Proof::Reused) => return Ok((self.reused(record, client).await?, None)),
                Some(proof @ (Proof::Current | Proof::Superseded)) => {
                    return self
                        .admit(Proven { record, hash }, proof, client, now)
                        .await;
                }
            }
        }
        let lifetime = self.config().lifetime;
        let made_at = native.and_then(|credential| credential.id.created_at());
        let is_old = |at: Timestamp| !lifetime::is_live(at.saturating_add(lifetime), now);
        let reason = if made_at.is_some_and(is_old) {
            Refusal::Expired
        } else {
            Refusal::Unknown
        };
        self.rejected(reason, None, client);
        Ok(refuse(reason))
    }

    /// Says whether a token still proves a session.
    pub(super) fn accepts(&self, record: &Record, hash: &SecretHash, now: Timestamp) -> bool {
        let proof = prove(record, hash, now, self.config().renewal_grace);
        matches!(proof, Some(Proof::Current | Proof::Superseded))
    }

    fn late(&self, record: Arc<Record>, client: &LazyClient) -> Loaded {
        self.rejected(Refusal::Replaced, Some(record.session.id), client);
        Loaded::Refused {
            reason: Refusal::Replaced,
            behind: Some(record),
        }
    }

    async fn reused(&self, record: Arc<Record>, client: &LazyClient) -> Result<Loaded, StoreError> {
        let id = record.session.id;
        self.rejected(Refusal::Reused, Some(id), client);
        let behind = match self.config().on_reuse {
            OnReuse::Report => Some(record),
            OnReuse::Revoke => {
                self.delete(id, None, RevokedBy::Reuse).await?;
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
    ) -> Result<(Loaded, Option<SetCookie>), StoreError> {
        let config = self.config();
        let mismatch = match config.on_mismatch {
            OnMismatch::Ignore => None,
            OnMismatch::Refuse | OnMismatch::Report | OnMismatch::Revoke => {
                let login = &proven.record.session.client;
                login.mismatch(client.get(), config.capture)
            }
        };
        if let Some(mismatch) = mismatch
            && let Some(refused) = self.mismatched(&proven, mismatch, client).await?
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
        let id = proven.record.session.id;
        let ip = client.get().ip;
        let reason = Refusal::Mismatch(mismatch);
        let behind = match self.config().on_mismatch {
            OnMismatch::Ignore | OnMismatch::Report => {
                self.tell(&Event::Mismatched { mismatch, id, ip });
                return Ok(None);
            }
            OnMismatch::Refuse => Some(Arc::clone(&proven.record)),
            OnMismatch::Revoke => {
                self.delete(id, None, RevokedBy::Mismatch).await?;
                None
            }
        };
        self.rejected(reason, Some(id), client);
        Ok(Some(Loaded::Refused { reason, behind }))
    }

    /// Records the use of a session, not more often than the touch interval says, and renews its
    /// token if it is time.
    async fn keep_up(
        &self,
        proven: Proven,
        proof: Proof,
        now: Timestamp,
    ) -> Result<(Loaded, Option<SetCookie>), StoreError> {
        let config = self.config();
        let (every, grace) = (config.renew_every, config.renewal_grace);
        match token_change(&proven.record, proof, now, every, grace) {
            Some(TokenChange::Confirm(replaced)) => {
                let held = proven.record.secret_hash;
                let confirm = SecretChange::new(held, held).replacing(replaced);
                let updated = self.change_token(&proven, confirm, now).await;
                let record = updated.unwrap_or_else(|| Arc::clone(&proven.record));
                Ok((Loaded::Live(Proven { record, ..proven }), None))
            }
            Some(TokenChange::Renew) => Ok(self.renew_by_time(proven, now).await),
            None => Ok((self.touch(proven, now).await, None)),
        }
    }

    /// Gives the session another token and keeps the one that proved it until the new one is used.
    async fn renew_by_time(&self, proven: Proven, now: Timestamp) -> (Loaded, Option<SetCookie>) {
        let id = proven.record.session.id;
        let token = match Token::renewed(id, &*self.inner.random) {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(target: "sessionup", %error, "token could not be renewed");
                return (Loaded::Live(proven), None);
            }
        };
        let replaced = Replaced::new(proven.hash, now).accepted_until(None);
        let (from, to) = (proven.record.secret_hash, token.credential().secret_hash);
        let renew = SecretChange::new(from, to).replacing(replaced);
        // If another request was faster, this one's token is still accepted.
        let Some(record) = self.change_token(&proven, renew, now).await else {
            return (Loaded::Live(proven), None);
        };
        self.tell(&Event::Renewed { id });
        let issued = self.issued(record, &token, now);
        let proven = Proven::by_present_token(issued.record);
        (Loaded::Live(proven), Some(issued.cookie))
    }

    /// Changes what is held of tokens, and records the use with it. That it cannot be done is no
    /// reason to refuse the request.
    async fn change_token(
        &self,
        proven: &Proven,
        secret: SecretChange,
        now: Timestamp,
    ) -> Option<Arc<Record>> {
        let mut change = Change::touch(now);
        change.secret = Some(secret);
        let updated = self.update(proven.record.session.id, change, now).await;
        updated.ok().flatten()
    }

    async fn touch(&self, proven: Proven, now: Timestamp) -> Loaded {
        let session = &proven.record.session;
        let interval = self.config().touch_interval;
        if !lifetime::touch_is_due(session.last_seen_at, now, interval) {
            return Loaded::Live(proven);
        }
        match self.update(session.id, Change::touch(now), now).await {
            Ok(Some(record)) if self.accepts(&record, &proven.hash, now) => {
                Loaded::Live(Proven { record, ..proven })
            }
            Ok(_) => Loaded::refused(Refusal::Unknown),
            // Losing a touch can only shorten the session's life.
            Err(_) => Loaded::Live(proven),
        }
    }

    fn rejected(&self, reason: Refusal, id: Option<SessionId>, client: &LazyClient) {
        let ip = client.ip();
        self.tell(&Event::Rejected { reason, id, ip });
    }
}
