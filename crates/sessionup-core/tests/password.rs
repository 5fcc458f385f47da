//! A changed password: who is still logged in afterwards, whoever gets in between.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sessionup_core::{
    Error, Event, Manager, ManagerBuilder, ManualClock, MemoryStore, Peer, Random, RandomError,
    Sessions, SetCookie, StoreError, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const MINUTE: Duration = Duration::from_secs(60);

fn builder(clock: &ManualClock) -> ManagerBuilder {
    evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone())
}

async fn login(manager: &Manager, user: &str) -> SetCookie {
    let sessions = manager.sessions([], Peer::default());
    sessions.init(user).await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

async fn is_in(manager: &Manager, cookie: &SetCookie) -> bool {
    request(manager, cookie).current().await.unwrap().is_some()
}

#[tokio::test]
async fn finish_password_change_leaves_the_new_token_alone() {
    let clock = ManualClock::at(START);
    let manager = builder(&clock).build().unwrap();
    let (own, phone) = (login(&manager, "ann").await, login(&manager, "ann").await);
    let bob = login(&manager, "bob").await;
    let under_way = manager.sessions([], Peer::default());
    clock.advance(10 * MINUTE);
    let events = manager.events();

    let sessions = request(&manager, &own);
    let before = sessions.current().await.unwrap().unwrap();
    assert_eq!(sessions.finish_password_change().await.unwrap(), 1);

    let renewed = sessions.response_cookie().unwrap();
    let session = request(&manager, &renewed)
        .current()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(session.id, before.id);
    assert_eq!(session.authenticated_at, clock_now(&clock));
    let later = before.expires_at.saturating_add(10 * MINUTE);
    assert_eq!(session.expires_at, later, "it lasts as long again");
    assert!(!is_in(&manager, &own).await, "the old token");
    assert!(!is_in(&manager, &phone).await, "the other device");
    assert!(is_in(&manager, &bob).await, "another user");
    let late = under_way.init("ann").await.map(drop);
    assert!(
        matches!(late, Err(Error::Store(StoreError::Overtaken))),
        "a login by the old password: {late:?}"
    );
    let told: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
    assert!(
        matches!(told.first(), Some(Event::RevokedUser { sessions: 1, .. })),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|it| matches!(it, Event::Renewed { id, .. } if *id == session.id)),
        "{told:?}"
    );

    // Once more, and by the handle that has the new token.
    assert_eq!(sessions.finish_password_change().await.unwrap(), 0);
    let last = sessions.response_cookie().unwrap();
    assert!(!is_in(&manager, &renewed).await);
    assert!(is_in(&manager, &last).await);
    // The same request may log in as somebody it has just logged out.
    sessions.init("ann").await.unwrap();
}

fn clock_now(clock: &ManualClock) -> Timestamp {
    use sessionup_core::Clock;
    clock.now()
}

/// Somebody who has the same cookie, and the old password checked a moment before.
#[tokio::test]
async fn finish_password_change_ends_a_thief_with_the_cookie() {
    for thief_is_first in [true, false] {
        let manager = builder(&ManualClock::at(START)).build().unwrap();
        let cookie = login(&manager, "ann").await;
        let phone = login(&manager, "ann").await;
        let (owner, thief) = (request(&manager, &cookie), request(&manager, &cookie));
        owner.current().await.unwrap().unwrap();
        thief.current().await.unwrap().unwrap();

        let stolen = if thief_is_first {
            thief.reauthenticate().await.unwrap();
            let stolen = thief.response_cookie();
            let changed = owner.finish_password_change().await;
            assert!(matches!(changed, Err(Error::NoSession)), "{changed:?}");
            stolen
        } else {
            assert_eq!(owner.finish_password_change().await.unwrap(), 1);
            thief.reauthenticate().await.unwrap_err();
            thief.response_cookie()
        };

        if let Some(stolen) = stolen {
            assert!(!is_in(&manager, &stolen).await, "first: {thief_is_first}");
        }
        assert!(!is_in(&manager, &cookie).await, "first: {thief_is_first}");
        assert!(!is_in(&manager, &phone).await, "first: {thief_is_first}");
        // The owner has to log in if the thief was first, and stays otherwise.
        let left = manager.list_by_user_key("ann").await.unwrap().len();
        assert_eq!(left, usize::from(!thief_is_first));
    }
}

/// The session was ended before, by somebody who wants another one to stay.
#[tokio::test]
async fn finish_password_change_of_ended_session_ends_all() {
    for is_noticed in [true, false] {
        let manager = builder(&ManualClock::at(START)).build().unwrap();
        let (own, other) = (login(&manager, "ann").await, login(&manager, "ann").await);
        let owner = request(&manager, &own);
        let id = owner.current().await.unwrap().unwrap().id;
        request(&manager, &other).revoke_by_id(id).await.unwrap();
        if is_noticed {
            // By another action of the same request.
            owner.list().await.unwrap_err();
        }

        let changed = owner.finish_password_change().await;
        assert!(matches!(changed, Err(Error::NoSession)), "{changed:?}");
        assert!(!is_in(&manager, &other).await, "noticed: {is_noticed}");
        let again = owner.finish_password_change().await;
        assert!(matches!(again, Err(Error::NoSession)), "{again:?}");
    }
}

#[tokio::test]
async fn finish_password_change_without_session_does_nothing() {
    let manager = builder(&ManualClock::at(START)).build().unwrap();
    let cookie = login(&manager, "ann").await;
    let stranger = manager.sessions([], Peer::default());
    let changed = stranger.finish_password_change().await;
    assert!(matches!(changed, Err(Error::NoSession)), "{changed:?}");
    assert!(stranger.response_cookie().is_none());
    assert!(is_in(&manager, &cookie).await);
}

/// Fails when it is told to.
#[derive(Clone, Debug, Default)]
struct Failing {
    fails: Arc<AtomicBool>,
    filled: Arc<AtomicU64>,
}

impl Random for Failing {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(RandomError::new("no entropy"));
        }
        let filled = self.filled.fetch_add(1, Ordering::SeqCst);
        for (to, from) in bytes.iter_mut().zip(filled.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }
}

#[tokio::test]
async fn finish_password_change_without_randomness_ends_all() {
    let random = Failing::default();
    let manager = builder(&ManualClock::at(START))
        .insecure_random(random.clone())
        .build()
        .unwrap();
    let (own, phone) = (login(&manager, "ann").await, login(&manager, "ann").await);
    let owner = request(&manager, &own);
    random.fails.store(true, Ordering::SeqCst);
    let changed = owner.finish_password_change().await;
    assert!(matches!(changed, Err(Error::NoSession)), "{changed:?}");
    assert!(!is_in(&manager, &own).await);
    assert!(!is_in(&manager, &phone).await);
    // The handle knows that its session is gone.
    assert!(owner.current().await.unwrap().is_none());
}
