//! Requests that come between two steps of another one, by a user, a thief or a failing store.

#![allow(clippy::unwrap_used, missing_docs)]

mod limit;

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use limit::within_limit;
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, ListOptions, Manager, ManagerBuilder, ManualClock,
    MemoryStore, OthersDeleted, Peer, Pruned, Record, RecordPage, Refusal, SessionId, Sessions,
    SetCookie, SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};
use tokio::sync::Barrier;

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn build(
    store: impl Store,
    clock: &ManualClock,
    set: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
) -> Manager {
    set(evidence::watch(Manager::builder(store)).clock(clock.clone()))
        .build()
        .unwrap()
}

fn by_time(builder: ManagerBuilder) -> ManagerBuilder {
    builder.renew_every(10 * MINUTE).renewal_grace(10 * SECOND)
}

fn stranger(manager: &Manager) -> Sessions {
    manager.sessions([], Peer::default())
}

async fn login(manager: &Manager) -> SetCookie {
    let sessions = stranger(manager);
    sessions.init("ann").await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

async fn visit(manager: &Manager, cookie: &SetCookie) -> (Result<(), Refusal>, Option<SetCookie>) {
    let request = request(manager, cookie);
    let outcome = request.authenticate().await.unwrap();
    (outcome.map(drop), request.response_cookie())
}

/// What a change of password does: the new one is set, all others go, this session is renewed.
#[tokio::test]
async fn thief_who_ends_the_session_of_a_password_change_does_not_outlive_it() {
    let manager = build(MemoryStore::new(), &ManualClock::at(START), |b| b);
    let (own, theirs) = (login(&manager).await, login(&manager).await);
    let change = request(&manager, &own);
    let session = change.current().await.unwrap().unwrap();
    // Checked the old password, and will make a session of it.
    let slow_login = stranger(&manager);
    // While passwords are hashed.
    let thief = request(&manager, &theirs);
    assert!(thief.revoke_by_id(session.id).await.unwrap());

    let revoked = change.revoke_other().await;

    let thief_is_in = visit(&manager, &theirs).await.0.is_ok();
    let slips_past = slow_login.init("ann").await.is_ok();
    assert!(
        revoked.is_err() || !thief_is_in && !slips_past,
        "told {revoked:?}; thief is in: {thief_is_in}; login by the old password: {slips_past}"
    );
}

#[tokio::test]
async fn revocation_of_all_that_did_nothing_is_not_told_as_done() {
    let manager = build(MemoryStore::new(), &ManualClock::at(START), |b| b);
    let (own, other) = (login(&manager).await, login(&manager).await);
    let slow = request(&manager, &own);
    slow.current().await.unwrap();
    // Another tab of the same browser.
    request(&manager, &own).reauthenticate().await.unwrap();

    let revoked = slow.revoke_all().await;

    let other_is_in = visit(&manager, &other).await.0.is_ok();
    assert!(revoked.is_err() || !other_is_in, "told {revoked:?}");
}

#[tokio::test]
async fn logout_ends_the_session_also_after_a_list_that_found_the_token_replaced() {
    let manager = build(MemoryStore::new(), &ManualClock::at(START), |b| b);
    for lists in [false, true] {
        let own = login(&manager).await;
        let slow = request(&manager, &own);
        slow.current().await.unwrap();
        let tab = request(&manager, &own);
        tab.renew().await.unwrap();
        let renewed = tab.response_cookie().unwrap();
        if lists {
            slow.list().await.unwrap_err();
        }
        slow.revoke().await.unwrap();
        assert!(visit(&manager, &renewed).await.0.is_err(), "lists: {lists}");
    }
}

/// Waits before or after updates of secrets, so that others get in between.
#[derive(Clone, Debug)]
struct Between {
    store: MemoryStore,
    before: Option<Arc<Barrier>>,
    after: Option<Arc<Barrier>>,
    /// Whether it deletes everybody and says that it does not know.
    loses_answers: bool,
}

impl Between {
    fn new() -> Self {
        Self {
            store: MemoryStore::new(),
            before: None,
            after: None,
            loses_answers: false,
        }
    }
}

async fn pass(barrier: Option<&Arc<Barrier>>) {
    if let Some(barrier) = barrier {
        barrier.wait().await;
        barrier.wait().await;
    }
}

impl Store for Between {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.store.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.store.create(record, options, now).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.store.fetch(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.store.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        pass(self.before.as_ref()).await;
        let updated = self.store.update(id, change, now).await;
        pass(self.after.as_ref()).await;
        updated
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.store.delete(id, owner).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.store.delete_user(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.store.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        let deleted = self.store.delete_all().await;
        if self.loses_answers {
            return Err(StoreError::outcome_unknown("the answer was lost"));
        }
        deleted
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.store.prune(now, at_most).await
    }
}

#[tokio::test]
async fn cookie_of_a_renewal_does_not_undo_a_login_that_came_before_its_watch() {
    let clock = ManualClock::at(START);
    let barrier = Arc::new(Barrier::new(2));
    let mut store = Between::new();
    let good = build(store.clone(), &clock, by_time);
    let cookie = login(&good).await;
    store.after = Some(Arc::clone(&barrier));
    // Of the same hub.
    let slow_store = store.clone();
    let manager = build(slow_store, &clock, by_time);
    clock.advance(10 * MINUTE);

    let slow = request(&manager, &cookie);
    let login = request(&manager, &cookie);
    let renewing = slow.authenticate();
    let others = async {
        barrier.wait().await;
        // The renewal is in the store, and its request was not told yet.
        login.init("ann").await.unwrap();
        barrier.wait().await;
    };
    let both = async { tokio::join!(renewing, others) };
    let (_, ()) = within_limit("a login within a renewal", both).await;

    let new = login.response_cookie().unwrap();
    let late = slow.response_cookie();
    let late_is_dead = match &late {
        Some(late) => visit(&good, late).await.0.is_err(),
        None => false,
    };
    visit(&good, &new).await.0.unwrap();
    assert!(!late_is_dead, "a dead cookie goes out over the login's");
}

#[tokio::test]
async fn token_that_was_used_meanwhile_is_not_put_out_by_the_one_before() {
    let clock = ManualClock::at(START);
    let barrier = Arc::new(Barrier::new(2));
    let mut store = Between::new();
    let good = build(store.clone(), &clock, by_time);
    let first = login(&good).await;
    clock.advance(10 * MINUTE);
    let second = visit(&good, &first).await.1.unwrap();
    clock.advance(10 * MINUTE);
    store.before = Some(Arc::clone(&barrier));
    let slow = build(store, &clock, by_time);

    let old = request(&slow, &first);
    let others = async {
        barrier.wait().await;
        // The owner is there with the new token, which is confirmed by that.
        visit(&good, &second).await.0.unwrap();
        barrier.wait().await;
    };
    let both = async { tokio::join!(old.authenticate(), others) };
    let (outcome, ()) = within_limit("a visit within a renewal", both).await;

    let owner = visit(&good, &second).await.0;
    assert!(owner.is_ok(), "{owner:?}; the old token: {outcome:?}");
}

#[tokio::test]
async fn revoke_everybody_with_unknown_outcome_wakes_the_ended() {
    let mut store = Between::new();
    store.loses_answers = true;
    let manager = build(store, &ManualClock::at(START), |b| b);
    let cookie = login(&manager).await;
    let mut ended = Box::pin(request(&manager, &cookie).revoked());
    let mut context = Context::from_waker(Waker::noop());
    assert!(ended.as_mut().poll(&mut context).is_pending());

    manager.revoke_everybody().await.unwrap_err();

    assert!(visit(&manager, &cookie).await.0.is_err(), "it has ended");
    assert!(ended.as_mut().poll(&mut context).is_ready());
}
