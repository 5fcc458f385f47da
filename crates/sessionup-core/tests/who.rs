//! Whom events and lines of the log name: whose session it was, and which session acted.

#![allow(clippy::unwrap_used, missing_docs)]

mod lines;

use std::net::IpAddr;

use lines::Lines;
use sessionup_core::{
    Event, Events, Kind, Manager, ManagerBuilder, ManualClock, MemoryStore, OnMismatch, Peer,
    Refusal, RevokedBy, SessionId, Sessions, SetCookie, Store, Timestamp, TrustedProxies, UserKey,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);

type Set = fn(ManagerBuilder) -> ManagerBuilder;

fn build(set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Manager {
    let builder = evidence::watch(Manager::builder(MemoryStore::new()));
    set(builder.clock(ManualClock::at(START))).build().unwrap()
}

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

async fn login(manager: &Manager, user: &str) -> (SessionId, SetCookie) {
    let sessions = manager.sessions([], Peer::new(address(1), None));
    let id = sessions.init(user).await.unwrap().id;
    (id, sessions.response_cookie().unwrap())
}

fn pair(cookie: &SetCookie) -> &str {
    cookie.expose().split(';').next().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    manager.sessions([pair(cookie).as_bytes()], Peer::new(address(2), None))
}

/// The token with another secret.
fn guessed(cookie: &SetCookie) -> String {
    let pair = pair(cookie);
    let (rest, last) = pair.split_at(pair.len() - 1);
    format!("{rest}{}", if last == "A" { "E" } else { "A" })
}

/// What an event says of an end: whose, by what, and which session did it.
type End = (Option<String>, RevokedBy, Option<SessionId>);

fn ends(events: &Events) -> Vec<End> {
    let key = |user: UserKey| user.to_string();
    std::iter::from_fn(|| events.try_recv())
        .filter_map(|event| match event {
            Event::Revoked {
                user_key,
                by,
                actor,
                ..
            } => Some((user_key.map(key), by, actor)),
            Event::RevokedUser {
                user_key,
                by,
                actor,
                ..
            } => Some((Some(key(user_key)), by, actor)),
            Event::RevokedEverybody { by, actor, .. } => Some((None, by, actor)),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn revocation_by_user_names_session_and_actor() {
    let manager = build(|builder| builder);
    let events = manager.events();
    let ann = || Some("ann".to_owned());
    let user = |actor| (ann(), RevokedBy::User, Some(actor));

    let (first, first_cookie) = login(&manager, "ann").await;
    let (second, second_cookie) = login(&manager, "ann").await;
    request(&manager, &first_cookie)
        .revoke_by_id(second)
        .await
        .unwrap();
    assert_eq!(ends(&events), [user(first)], "another one");

    assert!(
        request(&manager, &second_cookie)
            .current()
            .await
            .unwrap()
            .is_none()
    );
    login(&manager, "ann").await;
    request(&manager, &first_cookie)
        .revoke_other()
        .await
        .unwrap();
    assert_eq!(ends(&events), [user(first)], "the others");

    login(&manager, "ann").await;
    let change = request(&manager, &first_cookie);
    change.finish_password_change().await.unwrap();
    assert_eq!(ends(&events), [user(first)], "a change of the password");

    let cookie = change.response_cookie().unwrap();
    request(&manager, &cookie).revoke_all().await.unwrap();
    assert_eq!(ends(&events), [user(first)], "all");

    let (own, cookie) = login(&manager, "ann").await;
    request(&manager, &cookie).revoke_by_id(own).await.unwrap();
    assert_eq!(ends(&events), [(ann(), RevokedBy::User, None)], "its own");

    let (_, cookie) = login(&manager, "ann").await;
    request(&manager, &cookie).revoke().await.unwrap();
    assert_eq!(ends(&events), [(ann(), RevokedBy::Logout, None)]);

    let (_, cookie) = login(&manager, "ann").await;
    let over = request(&manager, &cookie);
    let new = over.init("bob").await.unwrap().id;
    assert_eq!(ends(&events), [(ann(), RevokedBy::Login, Some(new))]);
}

#[tokio::test]
async fn revocation_by_administrator_names_actor() {
    let manager = build(|builder| builder);
    let (admin, cookie) = login(&manager, "root").await;
    let (session, _) = login(&manager, "ann").await;
    let events = manager.events();
    let administrator = || request(&manager, &cookie);
    let by = |user: Option<&str>, actor| (user.map(str::to_owned), RevokedBy::Admin, actor);

    assert!(
        administrator()
            .revoke_by_id_unchecked(session)
            .await
            .unwrap()
    );
    assert!(
        !administrator()
            .revoke_by_id_unchecked(session)
            .await
            .unwrap()
    );
    administrator().revoke_by_user_key("ann").await.unwrap();
    assert_eq!(
        ends(&events),
        [by(None, Some(admin)), by(Some("ann"), Some(admin))]
    );

    // By the application itself, apart from a request.
    let (session, _) = login(&manager, "ann").await;
    manager.revoke_by_id_unchecked(session).await.unwrap();
    manager.revoke_by_user_key("ann").await.unwrap();
    manager.revoke_everybody().await.unwrap();
    assert_eq!(
        ends(&events),
        [by(None, None), by(Some("ann"), None), by(None, None)]
    );

    let (admin, cookie) = login(&manager, "root").await;
    login(&manager, "ann").await;
    let everybody = request(&manager, &cookie);
    assert_eq!(everybody.revoke_everybody().await.unwrap(), 2);
    assert_eq!(ends(&events), [by(None, Some(admin))]);
    let removal = everybody.response_cookie().unwrap();
    assert!(
        removal.expose().contains("Max-Age=0"),
        "{}",
        removal.expose()
    );
}

#[tokio::test]
async fn administrator_who_revokes_own_session_loses_cookie() {
    let manager = build(|builder| builder);
    let (own, cookie) = login(&manager, "root").await;
    let sessions = request(&manager, &cookie);

    assert!(sessions.revoke_by_id_unchecked(own).await.unwrap());

    let removal = sessions.response_cookie().unwrap();
    assert!(
        removal.expose().contains("Max-Age=0"),
        "{}",
        removal.expose()
    );
    assert!(sessions.current().await.unwrap().is_none());
}

#[tokio::test]
async fn notify_of_operator_reaches_events() {
    let store = MemoryStore::new();
    let manager = evidence::watch(Manager::builder(store.clone()))
        .build()
        .unwrap();
    let (session, _) = login(&manager, "ann").await;
    let events = manager.events();
    let operator = RevokedBy::Operator;

    store.shared().notify(&Event::revoked(session, operator));
    let ann = UserKey::new("ann").unwrap();
    store
        .shared()
        .notify(&Event::revoked_user(ann, 2, operator));
    store
        .shared()
        .notify(&Event::revoked_everybody(3, operator));

    let ann = Some("ann".to_owned());
    let all = [
        (None, operator, None),
        (ann, operator, None),
        (None, operator, None),
    ];
    assert_eq!(ends(&events), all);
    assert_eq!(operator.as_str(), "operator");
}

#[tokio::test]
async fn created_event_names_address_and_kind() {
    let manager = build(|builder| builder.kind(Kind::LOGIN_ATTEMPT));
    let events = manager.events();
    login(&manager, "ann").await;
    let told = events.try_recv();
    let Some(Event::Created { kind, ip, .. }) = told else {
        panic!("{told:?}");
    };
    assert_eq!((kind, ip), (Kind::LOGIN_ATTEMPT, address(1)));
}

#[tokio::test]
async fn wrong_secret_event_names_user_and_address() {
    let manager = build(|builder| builder);
    let (id, cookie) = login(&manager, "ann").await;
    let events = manager.events();
    let guess = manager.sessions([guessed(&cookie).as_bytes()], Peer::new(address(9), None));
    let outcome = guess.authenticate().await.unwrap();
    assert_eq!(outcome.err(), Some(Refusal::WrongSecret));
    let told = events.try_recv();
    let Some(Event::Rejected {
        id: named,
        user_key,
        ip,
        ..
    }) = told
    else {
        panic!("{told:?}");
    };
    let user = user_key.map(|user| user.to_string());
    assert_eq!(
        (named, user.as_deref(), ip),
        (Some(id), Some("ann"), address(9))
    );
}

/// Does everything that has a line of its own, and returns the lines, with names in place of ids.
async fn lines_of_everything(set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Vec<String> {
    let (lines, _guard) = Lines::listen();
    let manager = build(|builder| set(builder.validate(OnMismatch::Report)));
    let (admin, admin_cookie) = login(&manager, "root").await;
    let (first, cookie) = login(&manager, "ann").await;
    let guess = guessed(&cookie);
    let guess = manager.sessions([guess.as_bytes()], Peer::new(address(9), None));
    assert!(guess.current().await.unwrap().is_none());
    let user = request(&manager, &cookie);
    user.renew().await.unwrap();
    let cookie = user.response_cookie().unwrap();
    let (second, _) = login(&manager, "ann").await;
    let user = request(&manager, &cookie);
    assert!(user.revoke_by_id(second).await.unwrap());
    let admin_request = request(&manager, &admin_cookie);
    admin_request.revoke_by_user_key("ann").await.unwrap();
    admin_request.revoke_everybody().await.unwrap();
    let ids = [(admin, "ADMIN"), (first, "FIRST"), (second, "SECOND")];
    let named = |line: String| {
        ids.iter()
            .fold(line, |line, (id, name)| line.replace(&id.to_string(), name))
    };
    lines.take().into_iter().map(named).collect()
}

#[tokio::test]
async fn log_by_default_names_sessions_alone() {
    let lines = lines_of_everything(|builder| builder).await;
    let expected = [
        "INFO session created id=ADMIN",
        "INFO session created id=FIRST",
        "WARN no session id=FIRST reason=\"wrong-secret\"",
        "WARN client changed id=FIRST mismatch=\"ip\"",
        "INFO session renewed id=FIRST",
        "INFO session created id=SECOND",
        "INFO session revoked id=SECOND by=\"user\" actor=FIRST",
        "WARN client changed id=ADMIN mismatch=\"ip\"",
        "INFO sessions revoked sessions=1 by=\"admin\" actor=ADMIN",
        "WARN sessions of all users revoked sessions=1 by=\"admin\" actor=ADMIN",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn log_users_adds_user_and_address() {
    let lines = lines_of_everything(|builder| builder.log_users(true)).await;
    let expected = [
        "INFO session created id=ADMIN user=\"root\" ip=192.0.2.1",
        "INFO session created id=FIRST user=\"ann\" ip=192.0.2.1",
        "WARN no session id=FIRST reason=\"wrong-secret\" user=\"ann\" ip=192.0.2.9",
        "WARN client changed id=FIRST mismatch=\"ip\" user=\"ann\" ip=192.0.2.2",
        "INFO session renewed id=FIRST user=\"ann\"",
        "INFO session created id=SECOND user=\"ann\" ip=192.0.2.1",
        "INFO session revoked id=SECOND by=\"user\" actor=FIRST user=\"ann\"",
        "WARN client changed id=ADMIN mismatch=\"ip\" user=\"root\" ip=192.0.2.2",
        "INFO sessions revoked sessions=1 by=\"admin\" actor=ADMIN user=\"ann\"",
        "WARN sessions of all users revoked sessions=1 by=\"admin\" actor=ADMIN",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn log_users_escapes_what_does_not_print() {
    let (lines, _guard) = Lines::listen();
    let manager = build(|builder| builder.log_users(true));
    login(&manager, "ann\n ERROR forged=\"\u{1b}[31m\u{202e}\u{9b}").await;
    let all = lines.take();
    assert_eq!(all.len(), 1, "{all:?}");
    for line in all {
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn log_users_keeps_to_captured_addresses() {
    let cases: [(&str, Set, &str); 2] = [
        ("none", |builder| builder.with_ip(false), "user=\"ann\""),
        ("network", ManagerBuilder::truncate_ip, "ip=192.0.2.0"),
    ];
    for (name, set, expected) in cases {
        let (lines, _guard) = Lines::listen();
        let manager = build(|builder| set(builder.log_users(true)));
        login(&manager, "ann").await;
        let all = lines.take();
        assert!(
            all.iter().all(|line| line.ends_with(expected)),
            "{name}: {all:?}"
        );
        assert_eq!(all.len(), 1, "{name}");
    }
}

#[tokio::test]
async fn login_without_address_warns_once() {
    let cases: [(&str, Set, Option<&str>); 3] = [
        ("no proxies", |builder| builder, Some("with_connect_info")),
        (
            "behind proxies",
            |builder| builder.trusted_proxies(TrustedProxies::hops(1).unwrap()),
            Some("trusted_proxies"),
        ),
        ("none is kept", |builder| builder.with_ip(false), None),
    ];
    for (name, set, expected) in cases {
        let (lines, _guard) = Lines::listen();
        let manager = build(set);
        let derived = manager.derive().build().unwrap();
        for manager in [&manager, &manager, &derived] {
            let sessions = manager.sessions([], Peer::default());
            sessions.init("ann").await.unwrap();
        }
        let all = lines.take();
        let warnings = all.iter().filter(|line| line.starts_with("WARN"));
        let warnings: Vec<_> = warnings.collect();
        assert_eq!(
            warnings.len(),
            usize::from(expected.is_some()),
            "{name}: {all:?}"
        );
        for warning in warnings {
            assert!(warning.contains(expected.unwrap()), "{name}: {warning}");
        }
    }
}
