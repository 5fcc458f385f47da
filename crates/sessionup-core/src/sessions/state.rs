//! What a request brought, what is known of it, and what its actions made of that.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cookie::SetCookie;
use crate::events::{Revocation, Watch};
use crate::manager::{Arrival, Issued, LazyClient, Loaded, Manager, Presented, Proven};
use crate::sessions::{CurrentSession, Sessions};
use crate::store::{Epoch, UserDeleted};
use crate::{Error, Record, Refusal, SessionId, StoreError, Timestamp, UserKey};

pub(super) struct Visit {
    pub(super) manager: Manager,
    pub(super) arrived: Timestamp,
    pub(super) presented: Presented,
    pub(super) client: LazyClient,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    /// `None` before the store was asked.
    pub(super) loaded: Option<Loaded>,
    pub(super) cookie: Option<SetCookie>,
    /// Whether the request had a session and lost it to another one.
    pub(super) is_lost: bool,
    /// Set while the cookie is that of a renewal by time, which a later event may make worthless.
    pub(super) renewal: Option<Watch>,
    /// When the request came in.
    pub(super) begun: Epoch,
    /// Whose sessions this request was the last to revoke, and when, if a login of the user that
    /// began with the request had not been overtaken by then.
    pub(super) own: Option<(UserKey, Epoch)>,
}

impl Visit {
    pub(super) fn arrival(&self) -> Arrival<'_> {
        Arrival {
            at: self.arrived,
            presented: &self.presented,
            client: &self.client,
        }
    }
}

impl Sessions {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let state = self.visit.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn loaded(&self) -> Result<Loaded, Error> {
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

    pub(super) async fn live(&self) -> Result<Option<Proven>, Error> {
        Ok(match self.loaded().await? {
            Loaded::Live(proven) => Some(proven),
            Loaded::Refused { .. } => None,
        })
    }

    /// Returns the session of this request if its token proves it even now. A handle may outlive its
    /// request by far, and what it lists and ends is more than its own.
    ///
    /// That it was lost meanwhile is an error, and not the answer of who never had one: what was to
    /// be ended has not been.
    pub(super) async fn still_live(&self) -> Result<Option<Proven>, Error> {
        let (is_known, is_lost) = {
            let state = self.state();
            (state.loaded.is_some(), state.is_lost)
        };
        if is_lost {
            return Err(Error::NoSession);
        }
        let Some(proven) = self.live().await? else {
            return Ok(None);
        };
        if !is_known || self.visit.manager.is_proven(&proven).await? {
            return Ok(Some(proven));
        }
        Err(self.lost(&proven.record))
    }

    /// Returns the live session whose token the request has, whether or not it was let in by it.
    /// A record that cannot be read proves nothing, and keeps nobody from logging in or out.
    pub(super) async fn proven(&self) -> Result<Option<Arc<Record>>, Error> {
        Ok(match self.loaded().await {
            Ok(Loaded::Live(proven)) => Some(proven.record),
            Ok(Loaded::Refused { behind, .. }) => behind,
            Err(Error::Store(StoreError::CorruptRecord { .. })) => None,
            Err(error) => return Err(error),
        })
    }

    /// Revokes sessions of a user. A login of this request after it is not overtaken by it.
    pub(super) async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
        revocation: Revocation<'_>,
    ) -> Result<u64, Error> {
        let manager = &self.visit.manager;
        let deleted = manager.delete_user(user, except, revocation).await?;
        self.note_revocation(user, deleted);
        Ok(deleted.deleted)
    }

    /// Notes that this request revoked sessions of a user: a login of it afterwards is not overtaken.
    pub(super) fn note_revocation(&self, user: &UserKey, deleted: UserDeleted) {
        let mut state = self.state();
        if state.begun_for(user).is_from(deleted.previous) {
            state.own = Some((user.clone(), deleted.epoch));
        }
    }

    /// Takes on a session that this request made or renewed.
    pub(super) fn adopt(&self, issued: Issued) -> CurrentSession {
        let Issued { record, cookie } = issued;
        let mut state = self.state();
        state.loaded = Some(Loaded::Live(Proven::by_present_token(Arc::clone(&record))));
        state.cookie = Some(cookie);
        state.renewal = None;
        state.is_lost = false;
        CurrentSession(record)
    }

    /// Takes on what became of the session that an action began with.
    pub(super) fn take_on(
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
    pub(super) fn end(&self, began: Option<&Arc<Record>>) {
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
    pub(super) fn lost(&self, began: &Arc<Record>) -> Error {
        let mut state = self.state();
        if state.has(began) {
            state.loaded = Some(Loaded::Refused {
                reason: Refusal::Unknown,
                // Whoever proved the session may still end it.
                behind: Some(Arc::clone(began)),
            });
            state.is_lost = true;
        }
        Error::NoSession
    }
}

impl State {
    /// Returns when a login of this user by this request began.
    pub(super) fn begun_for(&self, user: &UserKey) -> Epoch {
        match &self.own {
            Some((own, epoch)) if own == user => *epoch,
            Some(_) | None => self.begun,
        }
    }

    /// Says whether this is still the record that an action began with. Another action of the same
    /// request may have been faster.
    pub(super) fn has(&self, began: &Arc<Record>) -> bool {
        match &self.loaded {
            Some(Loaded::Live(present)) => Arc::ptr_eq(&present.record, began),
            Some(Loaded::Refused { .. }) | None => false,
        }
    }
}
