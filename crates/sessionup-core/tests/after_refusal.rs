//! What a handle may still do after it was refused or overtaken.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use sessionup_core::{
    Error, Manager, ManagerBuilder, ManualClock, MemoryStore, Peer, Sessions, SetCookie, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn build(clock: &ManualClock, set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Manager {
    set(evidence::watch(Manager::builder(MemoryStore::new())).clock(clock.clone()))
        .build()
        .unwrap()
}

fn by_time(builder: ManagerBuilder) -> ManagerBuilder {
    builder.renew_every(10 * MINUTE).renewal_grace(10 * SECOND)
}

async fn login(manager: &Manager) -> SetCookie {
    let sessions = manager.sessions([], Peer::default());
    sessions.init("ann").await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

/// Makes a request that renews the token, and returns the new cookie.
async fn renewed(manager: &Manager, cookie: &SetCookie) -> (Sessions, SetCookie) {
    let request = request(manager, cookie);
    request.current().await.unwrap().unwrap();
    let cookie = request.response_cookie().unwrap();
    (request, cookie)
}

#[tokio::test]
async fn second_renewal_by_time_withdraws_the_first_cookie() {
    let clock = ManualClock::at(START);
    let manager = build(&clock, by_time);
    let first = login(&manager).await;
    clock.advance(10 * MINUTE);
    let (slow, _) = renewed(&manager, &first).await;
    clock.advance(10 * MINUTE);
    let (fast, second) = renewed(&manager, &first).await;

    // Its response comes last, and would put the worthless cookie in place of the good one.
    assert_eq!(slow.response_cookie(), None);
    assert_eq!(fast.response_cookie(), Some(second.clone()));
    let outcome = request(&manager, &second).authenticate().await.unwrap();
    assert_eq!(outcome.err(), None);
}

#[tokio::test]
async fn login_after_lost_session_lets_handle_act() {
    let manager = build(&ManualClock::at(START), |builder| builder);
    let cookie = login(&manager).await;
    let handle = request(&manager, &cookie);
    let id = handle.current().await.unwrap().unwrap().id;
    manager.revoke_by_id_unchecked(id).await.unwrap();
    let lost = handle.list().await;
    assert!(matches!(lost, Err(Error::NoSession)), "{lost:?}");

    handle.init("ann").await.unwrap();

    assert_eq!(handle.list().await.unwrap().len(), 1);
    assert_eq!(handle.revoke_other().await.unwrap(), 0);
}

#[tokio::test]
async fn change_of_meta_by_old_token_stays_old() {
    let clock = ManualClock::at(START);
    let manager = build(&clock, by_time);
    let first = login(&manager).await;
    clock.advance(10 * MINUTE);
    let (_, second) = renewed(&manager, &first).await;
    let slow = request(&manager, &first);
    slow.current().await.unwrap().unwrap();
    // The new token is used: from here on the old one is accepted for the grace.
    request(&manager, &second).current().await.unwrap().unwrap();
    slow.set_meta("seen", true).await.unwrap();

    clock.advance(10 * SECOND);

    let list = slow.list().await;
    assert!(matches!(list, Err(Error::NoSession)), "{list:?}");
}
