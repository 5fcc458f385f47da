//! What the application is told, and how those learn of it who wait for the end of a session.

#![allow(clippy::unwrap_used, missing_docs)]

mod limit;

use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use limit::within_limit;
use sessionup_core::{
    DynStore, Event, LimitPolicy, Manager, ManualClock, MemoryStore, OnMismatch, Peer, Refusal,
    RevokedBy, SessionLimit, Sessions, SetCookie, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);

fn manager() -> Manager {
    let builder = evidence::watch(Manager::builder(MemoryStore::new()));
    builder.clock(ManualClock::at(START)).build().unwrap()
}

async fn login(manager: &Manager, user: &str) -> SetCookie {
    let sessions = manager.sessions([], Peer::default());
    sessions.init(user).await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    with_value(manager, cookie.expose().split(';').next().unwrap())
}

fn with_value(manager: &Manager, pair: &str) -> Sessions {
    manager.sessions([pair.as_bytes()], Peer::default())
}

/// Events in one line each, with names for ids in the order they come.
fn told(events: &sessionup_core::Events) -> Vec<String> {
    let by = RevokedBy::as_str;
    std::iter::from_fn(|| events.try_recv())
        .map(|event| match event {
            Event::Created { user_key, .. } => format!("created of {user_key}"),
            Event::Evicted { user_key, .. } => format!("evicted of {user_key}"),
            Event::Mismatched { mismatch, .. } => format!("mismatched {}", mismatch.as_str()),
            Event::Missed { events, .. } => format!("missed {events}"),
            Event::Rejected { reason, id, .. } => {
                format!("rejected {} {}", reason.as_str(), id.is_some())
            }
            Event::Renewed { .. } => "renewed".into(),
            Event::Revoked { by: who, .. } => format!("revoked by {}", by(who)),
            Event::RevokedUser {
                user_key,
                sessions,
                by: who,
                ..
            } => format!("revoked {sessions} of {user_key} by {}", by(who)),
            Event::RevokedEverybody { sessions, .. } => format!("revoked {sessions} of everybody"),
            Event::StoreFailed { error, .. } => format!("failed: {error}"),
            _ => "something new".into(),
        })
        .collect()
}

#[tokio::test]
async fn each_thing_that_happens_is_told() {
    let manager = manager();
    let events = manager.events();
    let first = login(&manager, "ann").await;
    assert_eq!(told(&events), ["created of ann"]);

    request(&manager, &first).init("ann").await.unwrap();
    assert_eq!(told(&events), ["created of ann", "revoked by login"]);

    let cookie = login(&manager, "bob").await;
    let sessions = request(&manager, &cookie);
    sessions.renew().await.unwrap();
    assert_eq!(told(&events), ["created of bob", "renewed"]);

    sessions.revoke().await.unwrap();
    sessions.revoke().await.unwrap();
    assert_eq!(told(&events), ["revoked by logout"], "once");

    let (one, two) = (login(&manager, "eve").await, login(&manager, "eve").await);
    let eve = request(&manager, &one);
    let other = request(&manager, &two).current().await.unwrap().unwrap().id;
    assert!(eve.revoke_by_id(other).await.unwrap());
    assert!(!eve.revoke_by_id(other).await.unwrap());
    eve.revoke_other().await.unwrap();
    eve.revoke_all().await.unwrap();
    let all = [
        "created of eve",
        "created of eve",
        "revoked by user",
        "revoked 1 of eve by user",
    ];
    assert_eq!(told(&events), all);

    let id = {
        let cookie = login(&manager, "kim").await;
        request(&manager, &cookie)
            .current()
            .await
            .unwrap()
            .unwrap()
            .id
    };
    manager.revoke_by_id_unchecked(id).await.unwrap();
    manager.revoke_by_user_key("kim").await.unwrap();
    let all = [
        "created of kim",
        "revoked by admin",
        "revoked 0 of kim by admin",
    ];
    assert_eq!(told(&events), all);
}

#[tokio::test]
async fn everybodys_sessions_are_revoked() {
    let store = MemoryStore::new();
    let manager = evidence::watch(Manager::builder(store.clone()))
        .build()
        .unwrap();
    let forever = manager.derive().lifetime(Duration::MAX).build().unwrap();
    let mut cookies = Vec::new();
    for n in 0..2_500 {
        let manager = if n % 2 == 0 { &manager } else { &forever };
        cookies.push(login(manager, &format!("user {n}")).await);
    }
    let events = manager.events();

    assert_eq!(manager.revoke_everybody().await.unwrap(), 2_500);

    assert_eq!(told(&events), ["revoked 2500 of everybody"]);
    for cookie in &cookies {
        assert!(request(&manager, cookie).current().await.unwrap().is_none());
    }
    assert_eq!(manager.revoke_everybody().await.unwrap(), 0);
    login(&manager, "ann").await;
}

#[tokio::test]
async fn sessions_that_give_way_to_the_limit_are_told() {
    let one = NonZeroU32::MIN;
    let limit = SessionLimit::new(one, LimitPolicy::EvictOldest);
    let manager = manager().derive().limit(limit).build().unwrap();
    let events = manager.events();
    login(&manager, "ann").await;
    login(&manager, "ann").await;
    let all = ["created of ann", "created of ann", "evicted of ann"];
    assert_eq!(told(&events), all);
}

#[tokio::test]
async fn refused_requests_are_told_with_the_reason_and_strangers_are_not() {
    let clock = ManualClock::at(START);
    let manager = evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone());
    let manager = manager.build().unwrap();
    let cookie = login(&manager, "ann").await;
    let events = manager.events();
    let pair = cookie.expose().split(';').next().unwrap();

    let nobody = manager.sessions([b"theme=dark".as_slice()], Peer::default());
    assert_eq!(
        nobody.authenticate().await.unwrap().err(),
        Some(Refusal::Absent)
    );
    assert_eq!(told(&events), Vec::<String>::new());

    let altered = if pair.ends_with('A') { "E" } else { "A" };
    let wrong = format!("{}{altered}", &pair[..pair.len() - 1]);
    let gone = login(&manager, "bob").await;
    request(&manager, &gone).revoke().await.unwrap();
    let unknown = gone.expose().split(';').next().unwrap();
    told(&events);
    let twice = format!("{pair}; __Host-id=other");
    let cases = [
        (wrong.as_str(), "rejected wrong-secret true"),
        (unknown, "rejected unknown false"),
        ("__Host-id=short", "rejected malformed false"),
        (twice.as_str(), "rejected ambiguous false"),
    ];
    for (pair, expected) in cases {
        let refused = with_value(&manager, pair).authenticate().await.unwrap();
        refused.unwrap_err();
        assert_eq!(told(&events), [expected]);
    }

    clock.advance(Duration::from_secs(24 * 60 * 60));
    let refused = request(&manager, &cookie).authenticate().await.unwrap();
    assert_eq!(refused.err(), Some(Refusal::Expired));
    assert_eq!(told(&events), ["rejected expired false"]);
}

#[tokio::test]
async fn mismatches_are_told_as_the_policy_goes() {
    let cases = [
        (OnMismatch::Report, vec!["mismatched ip"]),
        (OnMismatch::Refuse, vec!["rejected mismatch true"]),
        (
            OnMismatch::Revoke,
            vec!["revoked by mismatch", "rejected mismatch true"],
        ),
    ];
    for (policy, expected) in cases {
        let manager = manager().derive().validate(policy).build().unwrap();
        let cookie = login(&manager, "ann").await;
        let events = manager.events();
        // Neither login nor request has an address, and that is no match.
        let _ = request(&manager, &cookie).authenticate().await.unwrap();
        assert_eq!(told(&events), expected, "{policy:?}");
    }
}

#[tokio::test]
async fn derived_managers_tell_each_others_events() {
    let first = manager();
    let second = first.derive().build().unwrap();
    let (of_first, of_second) = (first.events(), second.events());
    login(&second, "ann").await;
    login(&first, "bob").await;
    let all = ["created of ann", "created of bob"];
    assert_eq!(told(&of_first), all);
    assert_eq!(told(&of_second), all);
}

#[tokio::test]
async fn nobody_who_listens_holds_up_a_login() {
    let manager = manager().derive().no_limit().build().unwrap();
    let events = manager.events();
    for _ in 0..1_030 {
        login(&manager, "ann").await;
    }
    let told = told(&events);
    assert_eq!(told.len(), 1 + 1_024);
    assert_eq!(told.first().unwrap(), "missed 6");
}

#[tokio::test]
async fn end_of_the_manager_reaches_every_receiver() {
    let manager = manager();
    let events = manager.events();
    let waiting: [_; 3] = std::array::from_fn(|_| {
        let events = events.clone();
        tokio::spawn(async move { events.recv().await.is_none() })
    });
    // On one thread: all of them wait when this one goes on.
    tokio::task::yield_now().await;
    drop(manager);
    for waiting in waiting {
        assert!(
            within_limit("the end of a receiver", waiting)
                .await
                .unwrap()
        );
    }
}

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(std::sync::atomic::AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> bool {
        self.0.swap(0, std::sync::atomic::Ordering::SeqCst) > 0
    }
}

#[tokio::test]
async fn whoever_waits_for_the_end_of_a_session_is_woken_by_it() {
    type End = fn(Manager, SetCookie) -> std::pin::Pin<Box<dyn Future<Output = ()>>>;
    let ends: [(&str, End); 6] = [
        ("everybody's", |manager, _| {
            Box::pin(async move {
                manager.revoke_everybody().await.unwrap();
            })
        }),
        ("logout", |manager, cookie| {
            Box::pin(async move { request(&manager, &cookie).revoke().await.unwrap() })
        }),
        ("another login", |manager, cookie| {
            Box::pin(async move {
                request(&manager, &cookie).init("bob").await.unwrap();
            })
        }),
        ("all of the user's", |manager, _| {
            Box::pin(async move {
                manager.revoke_by_user_key("ann").await.unwrap();
            })
        }),
        ("a derived manager", |manager, cookie| {
            Box::pin(async move {
                let derived = manager.derive().build().unwrap();
                request(&derived, &cookie).revoke_all().await.unwrap();
            })
        }),
        ("the limit", |manager, _| {
            Box::pin(async move {
                let limit = SessionLimit::new(NonZeroU32::MIN, LimitPolicy::EvictOldest);
                let limited = manager.derive().limit(limit).build().unwrap();
                login(&limited, "ann").await;
            })
        }),
    ];
    for (name, end) in ends {
        let manager = manager();
        let cookie = login(&manager, "ann").await;
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut context = Context::from_waker(&waker);
        let mut revoked = pin!(request(&manager, &cookie).revoked());
        assert!(revoked.as_mut().poll(&mut context).is_pending(), "{name}");

        // Neither what happens to others nor what does not end it.
        login(&manager, "eve").await;
        manager.revoke_by_user_key("eve").await.unwrap();
        assert!(!bell.rung(), "{name}");

        end(manager.clone(), cookie).await;

        assert!(bell.rung(), "{name}");
        assert_eq!(
            revoked.as_mut().poll(&mut context),
            Poll::Ready(()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn woken_for_nothing_is_no_end() {
    let manager = manager();
    let cookie = login(&manager, "ann").await;
    let other = login(&manager, "ann").await;
    let mut context = Context::from_waker(Waker::noop());
    let mut revoked = pin!(request(&manager, &cookie).revoked());
    assert!(revoked.as_mut().poll(&mut context).is_pending());

    request(&manager, &cookie).revoke_other().await.unwrap();
    assert!(revoked.as_mut().poll(&mut context).is_pending());
    request(&manager, &other).revoke().await.unwrap();
    request(&manager, &cookie).renew().await.unwrap();
    assert!(revoked.as_mut().poll(&mut context).is_pending());
}

#[tokio::test]
async fn there_is_nothing_to_wait_for_without_a_session() {
    let clock = ManualClock::at(START);
    let manager = evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone());
    let manager = manager.build().unwrap();
    let nobody = manager.sessions([], Peer::default());
    within_limit("the answer without a session", nobody.revoked()).await;

    let cookie = login(&manager, "ann").await;
    let expired = request(&manager, &cookie);
    expired.current().await.unwrap().unwrap();
    clock.advance(Duration::from_secs(24 * 60 * 60));
    within_limit("the end of an expired session", expired.revoked()).await;
}

#[tokio::test]
async fn end_by_the_deadline_is_noticed() {
    let manager = evidence::watch(Manager::builder(MemoryStore::new()));
    let manager = manager.lifetime(Duration::from_millis(20)).build().unwrap();
    let cookie = login(&manager, "ann").await;
    within_limit("the deadline", request(&manager, &cookie).revoked()).await;
    let session = request(&manager, &cookie).current().await.unwrap();
    assert!(session.is_none());
}

#[tokio::test]
async fn who_gave_up_waiting_leaves_nothing_behind() {
    let store: Arc<dyn DynStore> = Arc::new(MemoryStore::new());
    let manager = evidence::watch(Manager::builder(store)).build().unwrap();
    let cookie = login(&manager, "ann").await;
    let events = manager.events();
    {
        let mut revoked = pin!(request(&manager, &cookie).revoked());
        let mut context = Context::from_waker(Waker::noop());
        assert!(revoked.as_mut().poll(&mut context).is_pending());
    }
    drop(manager);
    let end = within_limit("the end of the events", events.recv()).await;
    assert!(end.is_none(), "nothing holds the manager");
}
