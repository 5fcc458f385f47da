//! Tokens that are renewed: by hand, by time, lost on the way, and used by a thief.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use sessionup_core::{
    Error, Event, Events, Manager, ManagerBuilder, ManualClock, MemoryStore, OnReuse, Peer,
    Refusal, RevokedBy, Sessions, SetCookie, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A manager that renews tokens every ten minutes with a grace of ten seconds.
struct Case {
    manager: Manager,
    clock: ManualClock,
    events: Events,
}

impl Case {
    fn new(set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        let clock = ManualClock::at(START);
        let builder = evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone());
        let builder = builder.renew_every(10 * MINUTE).renewal_grace(10 * SECOND);
        let manager = set(builder).build().unwrap();
        let events = manager.events();
        Self {
            manager,
            clock,
            events,
        }
    }

    async fn login(&self) -> SetCookie {
        let sessions = self.manager.sessions([], Peer::default());
        sessions.init("ann").await.unwrap();
        sessions.response_cookie().unwrap()
    }

    fn request(&self, cookie: &SetCookie) -> Sessions {
        let pair = cookie.expose().split(';').next().unwrap();
        self.manager.sessions([pair.as_bytes()], Peer::default())
    }

    /// Asks for the session, and returns the cookie if the response has one.
    async fn visit(&self, cookie: &SetCookie) -> (Result<(), Refusal>, Option<SetCookie>) {
        let request = self.request(cookie);
        let outcome = request.authenticate().await.unwrap();
        (outcome.map(drop), request.response_cookie())
    }

    /// Asks for the session in the expectation of no cookie.
    async fn is_in(&self, cookie: &SetCookie) -> bool {
        let (outcome, renewed) = self.visit(cookie).await;
        assert_eq!(renewed, None, "no cookie is sent");
        outcome.is_ok()
    }

    async fn renewed(&self, cookie: &SetCookie) -> SetCookie {
        let (outcome, renewed) = self.visit(cookie).await;
        assert_eq!(outcome, Ok(()));
        renewed.unwrap()
    }

    fn told(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv()).collect()
    }
}

#[tokio::test]
async fn token_is_renewed_when_it_is_time_and_not_before() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    case.clock.advance(10 * MINUTE - Duration::from_millis(1));
    assert!(case.is_in(&first).await);

    case.clock.advance(Duration::from_millis(1));
    let second = case.renewed(&first).await;

    assert_ne!(first.expose(), second.expose());
    assert!(case.is_in(&second).await);
    case.clock.advance(10 * MINUTE - Duration::from_millis(1));
    assert!(case.is_in(&second).await);
    case.clock.advance(Duration::from_millis(1));
    case.renewed(&second).await;
}

#[tokio::test]
async fn renewal_by_time_keeps_the_session_and_its_deadline() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    let before = case.request(&first).current().await.unwrap().unwrap();
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;

    let after = case.request(&second).current().await.unwrap().unwrap();

    assert_eq!(
        (
            after.id,
            after.created_at,
            after.expires_at,
            after.authenticated_at
        ),
        (
            before.id,
            before.created_at,
            before.expires_at,
            before.authenticated_at
        ),
    );
    case.clock.set(before.expires_at);
    assert!(!case.is_in(&second).await);
}

#[tokio::test]
async fn parallel_requests_with_the_old_token_are_served() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;

    // Under way together with the one that was answered with the new token: no second renewal,
    // for that would make the first one worthless.
    for _ in 0..3 {
        assert!(case.is_in(&first).await);
    }
    assert!(case.is_in(&second).await);
    case.clock.advance(10 * SECOND - Duration::from_millis(1));
    assert!(case.is_in(&first).await, "still in the grace");
    case.clock.advance(Duration::from_millis(1));
    assert!(!case.is_in(&first).await);
    assert!(case.is_in(&second).await);
}

#[tokio::test]
async fn lost_response_logs_nobody_out() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    case.clock.advance(10 * MINUTE);
    let lost = case.renewed(&first).await;

    // The browser never got it and goes on with what it has, for however long.
    case.clock.advance(9 * MINUTE);
    assert!(case.is_in(&first).await);
    case.clock.advance(MINUTE);
    let second = case.renewed(&first).await;

    assert!(case.is_in(&second).await);
    assert!(!case.is_in(&lost).await, "nobody has it");
    case.clock.advance(10 * SECOND);
    assert!(!case.is_in(&first).await);
}

#[tokio::test]
async fn use_of_a_replaced_token_is_reported_as_theft() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;
    assert!(case.is_in(&second).await);
    case.clock.advance(10 * SECOND);
    case.told();

    assert_eq!(case.visit(&first).await.0, Err(Refusal::Reused));

    let told = case.told();
    let is_told = matches!(
        told.as_slice(),
        [Event::Rejected {
            reason: Refusal::Reused,
            id: Some(_),
            ..
        }]
    );
    assert!(is_told, "{told:?}");
    assert!(case.is_in(&second).await, "the session lives on");
}

#[tokio::test]
async fn use_of_a_replaced_token_ends_the_session_where_that_is_the_policy() {
    let case = Case::new(|builder| builder.on_reuse(OnReuse::Revoke));
    let first = case.login().await;
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;
    assert!(case.is_in(&second).await);
    case.clock.advance(10 * SECOND);
    case.told();

    assert_eq!(case.visit(&first).await.0, Err(Refusal::Reused));

    let by_reuse = |event: &Event| {
        matches!(
            event,
            Event::Revoked {
                by: RevokedBy::Reuse,
                ..
            }
        )
    };
    assert!(case.told().iter().any(by_reuse));
    assert!(!case.is_in(&second).await, "whoever holds the new one");
}

#[tokio::test]
async fn thief_who_renews_first_is_found_out_by_the_owner() {
    let case = Case::new(|builder| builder.on_reuse(OnReuse::Revoke));
    let stolen = case.login().await;
    case.clock.advance(10 * MINUTE);
    let of_thief = case.renewed(&stolen).await;
    assert!(case.is_in(&of_thief).await);
    case.clock.advance(MINUTE);

    assert!(!case.is_in(&stolen).await, "the owner comes back");

    assert!(!case.is_in(&of_thief).await, "and the thief is out");
}

#[tokio::test]
async fn token_is_dead_when_renew_returns_and_is_no_sign_of_theft_at_once() {
    let case = Case::new(|builder| builder.on_reuse(OnReuse::Revoke));
    let first = case.login().await;
    let request = case.request(&first);
    request.renew().await.unwrap();
    let second = request.response_cookie().unwrap();

    // A request that was under way.
    assert_eq!(case.visit(&first).await.0, Err(Refusal::Replaced));
    assert!(case.is_in(&second).await);

    case.clock.advance(10 * SECOND);
    assert_eq!(case.visit(&first).await.0, Err(Refusal::Reused));
    assert!(!case.is_in(&second).await);
}

#[tokio::test]
async fn logout_with_a_replaced_token_ends_the_session() {
    for wait in [Duration::ZERO, MINUTE] {
        let case = Case::new(|builder| builder);
        let first = case.login().await;
        let request = case.request(&first);
        request.renew().await.unwrap();
        let second = request.response_cookie().unwrap();
        case.clock.advance(wait);

        case.request(&first).revoke().await.unwrap();

        assert!(!case.is_in(&second).await);
    }
}

#[tokio::test]
async fn login_with_a_replaced_token_ends_the_session() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    let request = case.request(&first);
    request.renew().await.unwrap();
    let second = request.response_cookie().unwrap();

    case.request(&first).init("ann").await.unwrap();

    assert!(!case.is_in(&second).await);
}

#[tokio::test]
async fn request_with_the_old_token_may_act_while_it_is_accepted() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    let slow = case.request(&first);
    slow.current().await.unwrap().unwrap();
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;

    slow.set_meta("seen", true).await.unwrap();
    let parallel = case.request(&first);
    parallel.set_meta("also", true).await.unwrap();

    let session = case.request(&second).current().await.unwrap().unwrap();
    assert_eq!(session.meta.len(), 2);
    slow.renew().await.unwrap();
    let third = slow.response_cookie().unwrap();
    assert!(case.is_in(&third).await);
    assert!(!case.is_in(&second).await);
    assert!(!case.is_in(&first).await);
}

#[tokio::test]
async fn request_with_the_old_token_may_no_longer_act_after_the_grace() {
    let case = Case::new(|builder| builder);
    let first = case.login().await;
    case.clock.advance(10 * MINUTE);
    let second = case.renewed(&first).await;
    let slow = case.request(&first);
    slow.current().await.unwrap().unwrap();
    assert!(case.is_in(&second).await);
    case.clock.advance(10 * SECOND);

    for error in [
        slow.set_meta("seen", true).await.unwrap_err(),
        case.request(&first).renew().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::NoSession), "{error:?}");
    }
    let session = case.request(&second).current().await.unwrap().unwrap();
    assert!(session.meta.is_empty());
}

#[tokio::test]
async fn without_renew_every_no_token_is_renewed() {
    let clock = ManualClock::at(START);
    let builder = evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone());
    let manager = builder.build().unwrap();
    let events = manager.events();
    let case = Case {
        manager,
        clock,
        events,
    };
    let cookie = case.login().await;
    for _ in 0..23 {
        case.clock.advance(60 * MINUTE);
        assert!(case.is_in(&cookie).await);
    }
}

#[tokio::test]
async fn proving_who_one_is_makes_the_session_fresh_and_renews_it() {
    let case = Case::new(|builder| builder.lifetime(60 * MINUTE));
    let first = case.login().await;
    let five = 5 * MINUTE;
    case.clock.advance(five - Duration::from_millis(1));
    case.request(&first).require_fresh(five).await.unwrap();
    case.clock.advance(Duration::from_millis(1));
    let request = case.request(&first);
    let stale = request.require_fresh(five).await.unwrap_err();
    assert!(matches!(stale, Error::NotFresh), "{stale:?}");

    let session = request.reauthenticate().await.unwrap();

    assert_eq!(session.authenticated_at, START.saturating_add(five));
    assert_eq!(session.created_at, START);
    assert_eq!(session.expires_at, START.saturating_add(65 * MINUTE));
    request.require_fresh(five).await.unwrap();
    let second = request.response_cookie().unwrap();
    assert!(!case.is_in(&first).await);
    case.request(&second).require_fresh(five).await.unwrap();

    // Neither use nor renewal makes it fresh.
    case.clock.advance(five);
    let third = case.request(&second);
    third.renew().await.unwrap();
    let stale = third.require_fresh(five).await.unwrap_err();
    assert!(matches!(stale, Error::NotFresh), "{stale:?}");
}

#[tokio::test]
async fn stranger_is_not_fresh() {
    let case = Case::new(|builder| builder);
    let stranger = case.manager.sessions([], Peer::default());
    let error = stranger.require_fresh(MINUTE).await.unwrap_err();
    assert!(matches!(error, Error::NoSession), "{error:?}");
}
