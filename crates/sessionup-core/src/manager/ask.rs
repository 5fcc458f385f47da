//! Asking the store, with patience, and telling what happened.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::events::{Concern, Event, Revocation, RevokedBy, Watch};
use crate::manager::{Config, Inner, Manager, Proven};
use crate::patience::Patient;
use crate::store::{
    Change, CreateOptions, Created, Epoch, ListOptions, OthersDeleted, StoreError, UserDeleted,
};
use crate::watermark::Jump;
use crate::{ListedSession, Record, Session, SessionId, SessionPage, Timestamp, UserKey};

impl Manager {
    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns the time to judge by and to record. It does not step back with the clock.
    pub(crate) fn now(&self) -> Timestamp {
        let Inner { clock, store, .. } = &*self.inner;
        let (judged, jump) = clock.look(store.shared_dyn().watermark());
        if let Some(Jump { from, to }) = jump {
            self.tell(&Event::ClockJumped { from, to });
        }
        judged.now
    }

    /// Returns what the clock shows, for what must not stand still.
    pub(crate) fn shown(&self) -> Timestamp {
        self.inner.clock.shown()
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.inner.store.epoch_dyn()
    }

    /// Begins to watch for the end of a session.
    pub(crate) fn watch(&self, session: &Session) -> Watch {
        self.inner.hub().watch(session.id, session.user_key.clone())
    }

    /// Writes an event to the log, passes it on to receivers, and wakes whom it concerns.
    pub(super) fn tell(&self, event: &Event) {
        self.write(event);
        self.inner.hub().publish(event, None);
    }

    /// As [`Manager::tell`], but one who watches knows already.
    pub(super) fn tell_others(&self, event: &Event, knows: &Watch) {
        self.write(event);
        self.inner.hub().publish(event, Some(knows));
    }

    fn write(&self, event: &Event) {
        let names_users = self.config().log_users;
        self.inner.log.write(event, self.shown(), names_users);
    }

    pub(super) async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let user_key = record.session.user_key.clone();
        let replaced = options.replaces;
        let create = self.inner.store.create_dyn(record, options, now);
        let created = Patient::write(create, self.config().store_timeout).await;
        created.inspect_err(|error| {
            // The limit may have ended other sessions of the user.
            let of_user = Some(Concern::User(&user_key));
            let concerns = of_user.into_iter().chain(replaced.map(Concern::Session));
            self.report_write(error, &concerns.collect::<Vec<_>>());
        })
    }

    /// Returns the record of a live session of the manager's kind.
    pub(crate) async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let fetch = self.inner.store.fetch_dyn(id, now);
        let fetched = Patient::read(fetch, self.config().store_timeout).await;
        let fetched = fetched.inspect_err(|error| self.report(error))?;
        // The store promises the first two; nobody is logged in on a promise.
        Ok(fetched.filter(|record| {
            let session = &record.session;
            session.id == id && session.is_live(now) && session.kind == self.config().kind
        }))
    }

    pub(super) async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let update = self.inner.store.update_dyn(id, change, now);
        let updated = Patient::write(update, self.config().store_timeout).await;
        // The token may have been renewed.
        updated.inspect_err(|error| self.report_write(error, &[Concern::Session(id)]))
    }

    /// Lists all live sessions of a user that are of the manager's kind, oldest first.
    pub(crate) async fn list(
        &self,
        user: &UserKey,
        current: Option<SessionId>,
    ) -> Result<Vec<ListedSession>, StoreError> {
        let mut sessions = Vec::new();
        let mut after = None;
        loop {
            let limit = ListOptions::MAX_LIMIT;
            let page = self.list_page(user, current, after, limit).await?;
            sessions.extend(page.sessions);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        sessions.sort_by_key(|session| (session.created_at, session.id));
        Ok(sessions)
    }

    /// Lists a page of the live sessions of a user that are of the manager's kind.
    pub(crate) async fn list_page(
        &self,
        user: &UserKey,
        current: Option<SessionId>,
        after: Option<SessionId>,
        limit: NonZeroUsize,
    ) -> Result<SessionPage, StoreError> {
        let kind = self.config().kind.clone();
        let options = ListOptions::default().kind(kind).after(after).limit(limit);
        let list = self.inner.store.list_page_dyn(user, options, self.now());
        let page = Patient::read(list, self.config().store_timeout).await;
        let page = page.inspect_err(|error| self.report(error))?;
        let listed = page.records.iter();
        Ok(SessionPage {
            sessions: listed
                .map(|record| ListedSession::of(&record.session, current))
                .collect(),
            next: page.next,
        })
    }

    pub(crate) async fn delete(
        &self,
        id: SessionId,
        owner: Option<&UserKey>,
        revocation: Revocation<'_>,
    ) -> Result<bool, StoreError> {
        let delete = self.inner.store.delete_dyn(id, owner);
        let deleted = Patient::write(delete, self.config().store_timeout).await;
        let deleted =
            deleted.inspect_err(|error| self.report_write(error, &[Concern::Session(id)]))?;
        if deleted {
            let Revocation {
                by,
                actor,
                user_key,
            } = revocation;
            self.tell(&Event::Revoked {
                id,
                user_key: owner.or(user_key).cloned(),
                by,
                actor: actor.filter(|actor| *actor != id),
            });
        }
        Ok(deleted)
    }

    pub(crate) async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
        revocation: Revocation<'_>,
    ) -> Result<UserDeleted, StoreError> {
        let delete = self.inner.store.delete_user_dyn(user, except);
        let deleted = Patient::write(delete, self.config().store_timeout).await;
        let deleted =
            deleted.inspect_err(|error| self.report_write(error, &[Concern::User(user)]))?;
        self.tell_of_user(user, deleted.deleted, revocation);
        Ok(deleted)
    }

    /// Deletes all sessions of a user but one, which is changed in the same step.
    pub(super) async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        let delete = self.inner.store.delete_others_dyn(user, id, change, now);
        let deleted = Patient::write(delete, self.config().store_timeout).await;
        let deleted =
            deleted.inspect_err(|error| self.report_write(error, &[Concern::User(user)]))?;
        let revocation = Revocation::by(RevokedBy::User).acting(Some(id));
        self.tell_of_user(user, deleted.deleted, revocation);
        Ok(deleted)
    }

    fn tell_of_user(&self, user: &UserKey, sessions: u64, revocation: Revocation<'_>) {
        let Revocation { by, actor, .. } = revocation;
        // A user can revoke nothing again and again, and it would fill the log.
        if sessions == 0 && by == RevokedBy::User {
            return;
        }
        self.tell(&Event::RevokedUser {
            user_key: user.clone(),
            sessions,
            by,
            actor,
        });
    }

    pub(crate) async fn delete_all(&self, revocation: Revocation<'_>) -> Result<u64, StoreError> {
        let delete = self.inner.store.delete_all_dyn();
        let deleted = Patient::write(delete, self.config().store_timeout).await;
        let everybody = &[Concern::Everybody];
        let sessions = deleted.inspect_err(|error| self.report_write(error, everybody))?;
        let Revocation { by, actor, .. } = revocation;
        self.tell(&Event::RevokedEverybody {
            sessions,
            by,
            actor,
        });
        Ok(sessions)
    }

    /// Changes a session in the name of a token, as long as the token is accepted.
    ///
    /// `make` works the change out from a record; it is asked again if another request was faster.
    /// `None` if the session ended or the token no longer proves it.
    pub(super) async fn edit<E: From<StoreError>>(
        &self,
        proven: &Proven,
        mut make: impl FnMut(&Record, Timestamp) -> Result<Change, E>,
    ) -> Result<Option<Arc<Record>>, E> {
        /// How many other requests may be faster. Each of them made its change.
        const ATTEMPTS: usize = 100;

        let id = proven.record.session.id;
        // Until when a token that was replaced is accepted may have been decided since it was read.
        let is_current = proven.record.secret_hash == proven.hash;
        let mut known = is_current.then(|| Arc::clone(&proven.record));
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let record = match known.take() {
                Some(record) => Some(record),
                None => self.fetch(id, now).await?,
            };
            let accepted = record.filter(|record| self.accepts(record, &proven.hash, now));
            let Some(record) = accepted else {
                return Ok(None);
            };
            let change = make(&record, now)?;
            if let Some(changed) = self.update(id, change, now).await? {
                return Ok(Some(changed));
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Says whether a token proves its session even now.
    pub(crate) async fn is_proven(&self, proven: &Proven) -> Result<bool, StoreError> {
        let now = self.now();
        let present = self.fetch(proven.record.session.id, now).await?;
        Ok(present.is_some_and(|record| self.accepts(&record, &proven.hash, now)))
    }

    /// Tells of a read that failed.
    fn report(&self, error: &StoreError) {
        self.report_write(error, &[]);
    }

    /// Tells of a write that failed. Answers that are errors only because the caller must act on
    /// them are none. If the outcome is unknown, those are woken whose sessions may have ended.
    fn report_write(&self, error: &StoreError, concerns: &[Concern<'_>]) {
        let is_unknown = match error {
            StoreError::DuplicateId
            | StoreError::InvalidMeta(_)
            | StoreError::LimitReached { .. }
            | StoreError::Overtaken => return,
            StoreError::OutcomeUnknown { .. } => true,
            _ => false,
        };
        let error = error.clone();
        let event = Event::StoreFailed { error };
        self.write(&event);
        let concerns = if is_unknown { concerns } else { &[] };
        self.inner.hub().publish_failure(&event, concerns);
    }
}
