//! What clients can cause at will hides nothing that others caused.

#![allow(clippy::unwrap_used, missing_docs)]

mod intercept;
mod lines;

use std::time::Duration;

use intercept::Intercept;
use lines::Lines;
use sessionup_core::{
    Event, Events, Manager, ManagerBuilder, ManualClock, MemoryStore, Peer, Refusal, SessionId,
    Sessions, SetCookie, StoreError, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const MINUTE: Duration = Duration::from_secs(60);

fn build(clock: &ManualClock, set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Manager {
    set(evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone()))
        .build()
        .unwrap()
}

async fn login(manager: &Manager, user: &str) -> (SessionId, SetCookie) {
    let sessions = manager.sessions([], Peer::default());
    let id = sessions.init(user).await.unwrap().id;
    (id, sessions.response_cookie().unwrap())
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

/// Logs in, renews the token, and returns the one that only a thief still sends.
async fn replaced(manager: &Manager, user: &str) -> (SessionId, SetCookie) {
    let (id, cookie) = login(manager, user).await;
    request(manager, &cookie).renew().await.unwrap();
    (id, cookie)
}

async fn come_with_stolen(manager: &Manager, cookie: &SetCookie) {
    let outcome = request(manager, cookie).authenticate().await.unwrap();
    assert_eq!(outcome.err(), Some(Refusal::Reused));
}

/// The sessions whose replaced tokens were used, as the receiver is told.
fn thefts(events: &Events) -> Vec<SessionId> {
    std::iter::from_fn(|| events.try_recv())
        .filter_map(|event| match event {
            Event::Rejected {
                reason: Refusal::Reused,
                id,
                ..
            } => id,
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn junk_of_strangers_drops_no_theft_from_events() {
    let clock = ManualClock::at(START);
    let manager = build(&clock, |builder| builder);
    let (stolen, cookie) = replaced(&manager, "ann").await;
    clock.advance(MINUTE);
    let events = manager.events();

    come_with_stolen(&manager, &cookie).await;
    for n in 0..3_000 {
        let junk = format!("__Host-id={n}");
        let request = manager.sessions([junk.as_bytes()], Peer::default());
        assert!(request.current().await.unwrap().is_none());
    }

    assert_eq!(thefts(&events), [stolen]);
}

#[tokio::test]
async fn own_replaced_token_drops_no_theft_from_events() {
    let clock = ManualClock::at(START);
    let manager = build(&clock, |builder| builder);
    let (stolen, cookie) = replaced(&manager, "ann").await;
    let (_, decoy) = replaced(&manager, "mallory").await;
    clock.advance(MINUTE);
    let events = manager.events();

    come_with_stolen(&manager, &cookie).await;
    for _ in 0..3_000 {
        come_with_stolen(&manager, &decoy).await;
    }

    let thefts = thefts(&events);
    assert!(thefts.contains(&stolen), "{thefts:?}");
    assert!(thefts.len() < 10, "{}", thefts.len());
}

#[tokio::test]
async fn own_replaced_token_hides_no_theft_from_log() {
    let (lines, _guard) = Lines::listen();
    let clock = ManualClock::at(START);
    let manager = build(&clock, |builder| builder);
    let (stolen, cookie) = replaced(&manager, "ann").await;
    let (_, decoy) = replaced(&manager, "mallory").await;
    clock.advance(MINUTE);
    lines.take();

    for _ in 0..100 {
        come_with_stolen(&manager, &decoy).await;
    }
    come_with_stolen(&manager, &cookie).await;

    let told = lines.take();
    assert_eq!(told.len(), 2, "one for each session: {told:?}");
    assert!(told.iter().any(|line| line.contains(&stolen.to_string())));

    clock.advance(MINUTE);
    come_with_stolen(&manager, &decoy).await;
    let told = lines.take();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told.iter().all(|line| line.ends_with("suppressed=99")),
        "{told:?}"
    );
}

#[tokio::test]
async fn own_damaged_record_hides_no_failure_of_the_store() {
    let (lines, _guard) = Lines::listen();
    let store = Intercept::default();
    let builder = evidence::watch(Manager::builder(store.clone()));
    let manager = builder.clock(ManualClock::at(START)).build().unwrap();
    let (damaged, mallory) = login(&manager, "mallory").await;
    let (out_of_reach, ann) = login(&manager, "ann").await;
    store.fail_fetches_of(damaged, StoreError::corrupt(damaged, "torn"));
    store.fail_fetches_of(out_of_reach, StoreError::unavailable("no disk"));
    let events = manager.events();
    lines.take();

    request(&manager, &ann).current().await.unwrap_err();
    for _ in 0..3_000 {
        request(&manager, &mallory).current().await.unwrap_err();
    }
    request(&manager, &ann).current().await.unwrap_err();

    let told = lines.take();
    let of = |cause: &str| told.iter().filter(|line| line.contains(cause)).count();
    assert_eq!(
        (of("torn"), of("no disk"), told.len()),
        (1, 2, 3),
        "{told:?}"
    );
    let unavailable = std::iter::from_fn(|| events.try_recv()).filter(|event| {
        let Event::StoreFailed { error, .. } = event else {
            return false;
        };
        matches!(error, StoreError::Unavailable { .. })
    });
    assert_eq!(unavailable.count(), 2);
}

#[tokio::test]
async fn revocation_of_nothing_by_user_is_untold() {
    let (lines, _guard) = Lines::listen();
    let manager = build(&ManualClock::at(START), |builder| builder);
    let (_, cookie) = login(&manager, "mallory").await;
    let events = manager.events();
    lines.take();

    for _ in 0..100 {
        assert_eq!(request(&manager, &cookie).revoke_other().await.unwrap(), 0);
    }

    assert!(events.try_recv().is_none());
    assert_eq!(lines.take(), Vec::<String>::new());
    // Administrators want to know that nothing was left to revoke.
    manager.revoke_by_user_key("nobody").await.unwrap();
    let told = events.try_recv();
    let is_told = matches!(told, Some(Event::RevokedUser { sessions: 0, .. }));
    assert!(is_told, "{told:?}");
    assert_eq!(lines.take().len(), 1);
}
