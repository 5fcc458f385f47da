//! What a token of one kind is worth to managers of another kind over the same store.

#![allow(clippy::unwrap_used, missing_docs)]

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use sessionup_core::{
    ConfigError, Credential, Event, Kind, LimitPolicy, Manager, ManagerBuilder, ManualClock,
    MemoryStore, Peer, Record, Refusal, Session, SessionLimit, Sessions, SetCookie, Store,
    Timestamp, Token, UserKey,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const MINUTE: Duration = Duration::from_secs(60);

fn builder(store: MemoryStore) -> ManagerBuilder {
    evidence::watch(Manager::builder(store)).clock(ManualClock::at(START))
}

fn half(full: &Manager) -> Manager {
    full.derive()
        .kind(Kind::LOGIN_ATTEMPT)
        .cookie_name("__Host-half")
        .lifetime(5 * MINUTE)
        .build()
        .unwrap()
}

async fn login(manager: &Manager, user: &str) -> SetCookie {
    let sessions = manager.sessions([], Peer::default());
    sessions.init(user).await.unwrap();
    sessions.response_cookie().unwrap()
}

fn token(cookie: &SetCookie) -> &str {
    let pair = cookie.expose().split(';').next().unwrap();
    pair.split_once('=').unwrap().1
}

/// Sends a token in the cookie of a manager.
fn send(manager: &Manager, token: &str) -> Sessions {
    let pair = format!("{}={token}", manager.cookie_name());
    manager.sessions([pair.as_bytes()], Peer::default())
}

async fn refusal(sessions: &Sessions) -> Option<Refusal> {
    sessions.authenticate().await.unwrap().err()
}

#[tokio::test]
async fn token_under_other_kinds_cookie_is_unknown() {
    let full = builder(MemoryStore::new()).build().unwrap();
    let half = half(&full);
    let (whole, attempt) = (login(&full, "ann").await, login(&half, "ann").await);
    let cases = [
        ("whole in its own", &full, &whole, None),
        ("half in its own", &half, &attempt, None),
        ("half as whole", &full, &attempt, Some(Refusal::Unknown)),
        ("whole as half", &half, &whole, Some(Refusal::Unknown)),
    ];
    for (name, manager, cookie, expected) in cases {
        let events = manager.events();
        let sessions = send(manager, token(cookie));
        assert_eq!(refusal(&sessions).await, expected, "{name}");
        let rejected = events.try_recv();
        let id = match (&rejected, expected) {
            (None, None) => continue,
            (Some(Event::Rejected { id, reason, .. }), Some(expected)) => {
                assert_eq!(*reason, expected, "{name}");
                *id
            }
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(
            id, None,
            "{name}: it does not say that there is such a session"
        );
    }
}

/// As [`token_under_other_kinds_cookie_is_unknown`], with managers that do not know each other.
#[tokio::test]
async fn users_token_in_operators_cookie_is_unknown() {
    let store = MemoryStore::new();
    let users = builder(store.clone()).build().unwrap();
    let operators = builder(store)
        .kind(Kind::new("operator").unwrap())
        .cookie_name("__Host-operator")
        .build()
        .unwrap();
    let mallory = login(&users, "mallory").await;
    let root = login(&operators, "root").await;

    let forged = send(&operators, token(&mallory));
    assert_eq!(refusal(&forged).await, Some(Refusal::Unknown));
    assert_eq!(refusal(&send(&operators, token(&root))).await, None);
}

#[tokio::test]
async fn action_by_token_of_other_kind_does_nothing() {
    let full = builder(MemoryStore::new()).build().unwrap();
    let half = half(&full);
    let whole = login(&full, "ann").await;
    let attempt = login(&half, "ann").await;

    let forged = || send(&full, token(&attempt));
    assert!(forged().list().await.unwrap().is_empty());
    assert_eq!(forged().revoke_other().await.unwrap(), 0);
    assert_eq!(forged().revoke_all().await.unwrap(), 0);
    forged().renew().await.unwrap_err();
    forged().reauthenticate().await.unwrap_err();
    forged().finish_password_change().await.unwrap_err();
    forged().set_meta("a", 1).await.unwrap_err();
    // A logout removes the cookie that the browser has, and ends no session.
    forged().revoke().await.unwrap();
    // Nor does a login over it end the session whose token it is.
    forged().init("bob").await.unwrap();

    assert_eq!(refusal(&send(&full, token(&whole))).await, None);
    assert_eq!(refusal(&send(&half, token(&attempt))).await, None);
}

/// The hash is bound to the kind as well: a store that mixes up kinds logs nobody in.
#[tokio::test]
async fn token_of_record_with_changed_kind_is_refused() {
    let store = MemoryStore::new();
    let full = builder(store.clone()).build().unwrap();
    let attempt = login(&half(&builder(MemoryStore::new()).build().unwrap()), "ann").await;
    let parsed = Token::parse(token(&attempt).as_bytes()).unwrap();
    let Credential {
        id, secret_hash, ..
    } = parsed.credential(&Kind::LOGIN_ATTEMPT);
    let user = UserKey::new("ann").unwrap();
    let session = Session::new(id, user, START, START.saturating_add(MINUTE));
    assert_eq!(session.kind, Kind::USER, "the kind was lost");
    let record = Record::new(session, secret_hash);
    store
        .create(record, sessionup_core::CreateOptions::default(), START)
        .await
        .unwrap();

    let sessions = send(&full, token(&attempt));
    assert_eq!(refusal(&sessions).await, Some(Refusal::WrongSecret));
}

#[tokio::test]
async fn renewed_token_keeps_its_kind() {
    let full = builder(MemoryStore::new()).build().unwrap();
    let half = half(&full);
    let attempt = login(&half, "ann").await;
    let sessions = send(&half, token(&attempt));
    sessions.renew().await.unwrap();
    let renewed = sessions.response_cookie().unwrap();

    assert_eq!(refusal(&send(&half, token(&renewed))).await, None);
    let forged = send(&full, token(&renewed));
    assert_eq!(refusal(&forged).await, Some(Refusal::Unknown));
}

#[tokio::test]
async fn limit_and_lists_count_one_kind() {
    let limit = SessionLimit::new(NonZeroU32::new(2).unwrap(), LimitPolicy::EvictOldest);
    let full = builder(MemoryStore::new()).limit(limit).build().unwrap();
    let half = half(&full);
    let whole = login(&full, "ann").await;
    for _ in 0..3 {
        login(&half, "ann").await;
    }

    let sessions = send(&full, token(&whole));
    assert_eq!(refusal(&sessions).await, None, "evicted by half logins");
    assert_eq!(sessions.list().await.unwrap().len(), 1);
    assert_eq!(full.list_by_user_key("ann").await.unwrap().len(), 1);
    assert_eq!(half.list_by_user_key("ann").await.unwrap().len(), 2);
    let page = sessions
        .list_page(None, NonZeroUsize::MIN.saturating_add(8))
        .await
        .unwrap();
    assert_eq!((page.sessions.len(), page.next), (1, None));
}

#[tokio::test]
async fn revoking_a_user_ends_every_kind() {
    let full = builder(MemoryStore::new()).build().unwrap();
    let half = half(&full);
    let attempt = login(&half, "ann").await;
    let whole = login(&full, "ann").await;
    let sessions = send(&full, token(&whole));
    assert_eq!(sessions.revoke_other().await.unwrap(), 1);
    let ended = send(&half, token(&attempt));
    assert_eq!(refusal(&ended).await, Some(Refusal::Unknown));
}

#[test]
fn build_with_second_cookie_for_a_kind_fails() {
    let store = MemoryStore::new();
    let first = builder(store.clone()).build().unwrap();
    let other = |builder: ManagerBuilder| builder.cookie_name("__Host-half");
    let expected = ConfigError::CookieNames {
        kind: "user".to_owned(),
        cookie_name: "__Host-half".to_owned(),
        other: "__Host-id".to_owned(),
    };

    let derived = other(first.derive()).build();
    assert_eq!(derived.unwrap_err(), expected);
    let second = other(builder(store.clone())).build();
    assert_eq!(second.unwrap_err(), expected);
    let of_own_kind = other(first.derive()).kind(Kind::LOGIN_ATTEMPT).build();
    let of_own_kind = of_own_kind.unwrap();
    first.derive().lifetime(MINUTE).build().unwrap();
    other(builder(MemoryStore::new())).build().unwrap();

    // The name is free again when nobody uses it.
    drop((first, of_own_kind));
    other(builder(store)).build().unwrap();
}
