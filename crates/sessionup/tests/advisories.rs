//! Flows by which other session libraries were broken. docs/advisories.md names the advisories.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use sessionup::{
    CurrentSession, Error, HttpError, Kind, Manager, MemoryStore, SessionLayers, Sessions, Store,
};
use sessionup_redb::RedbStore;
use support::{Browser, app, build, clock, manager, minutes};
use tokio::sync::Notify;

/// CVE-2024-35220: a longer setting, made later, must not lengthen what is stored.
#[tokio::test]
async fn stored_deadline_wins_over_a_longer_configuration() {
    let clock = clock();
    let short = build(MemoryStore::new(), &clock, |b| b.expires_in(minutes(60)));
    let mut browser = Browser::new(&app(&short));
    browser.login("ann").await;
    let long = short.derive().expires_in(minutes(6_000)).build().unwrap();
    let mut later = Browser::new(&app(&long));
    later.cookie = browser.cookie.clone();

    clock.advance(minutes(59));
    assert_eq!(later.get("/private").await.status, 200);
    // The cookie of a renewal may say how long it is kept; the session ends as it was to end.
    assert_eq!(later.post("/renew").await.status, 200);
    clock.advance(minutes(1));
    assert_eq!(later.get("/private").await.status, 401);
}

/// CVE-2023-48309, GHSA-xg6x-h9c9-2m83: a login that waits for its second factor has a manager,
/// a cookie and a kind of its own, so that it is no login anywhere else, also in the same store.
#[tokio::test]
async fn half_a_login_is_no_login() {
    let (store, clock) = (MemoryStore::new(), clock());
    let full = build(store.clone(), &clock, |b| b);
    let half = build(store, &clock, |b| {
        b.kind(Kind::LOGIN_ATTEMPT)
            .cookie_name("__Host-half")
            .lifetime(minutes(5))
    });
    let app = app(&full).nest("/half", app(&half));
    let mut waiting = Browser::new(&app);
    waiting.cookie_name = "__Host-half".into();
    assert_eq!(waiting.post("/half/login/ann").await.status, 200);
    assert_eq!(waiting.get("/half/private").await.body, "ann");
    assert_eq!(waiting.get("/private").await.status, 401);

    // Under the other name its token is unknown, and the other way round.
    waiting.cookie_name = "__Host-id".into();
    assert_eq!(waiting.get("/private").await.status, 401);
    let mut done = Browser::new(&app);
    done.login("ann").await;
    done.cookie_name = "__Host-half".into();
    assert_eq!(done.get("/half/private").await.status, 401);

    // Nor is it a device, or the other way round.
    done.cookie_name = "__Host-id".into();
    assert_eq!(
        done.get("/devices").await.json().as_array().unwrap().len(),
        1
    );
    waiting.cookie_name = "__Host-half".into();
    let list = waiting.get("/half/devices").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

/// As above: the area of administrators has a login of its own, over the same store.
#[tokio::test]
async fn user_token_in_administrators_cookie_is_refused() {
    let (store, clock) = (MemoryStore::new(), clock());
    let users = build(store.clone(), &clock, |b| b);
    let admins = build(store, &clock, |b| {
        b.kind(Kind::new("admin").unwrap())
            .cookie_name("__Host-admin")
    });
    let area: Router = Router::new()
        .route(
            "/",
            get(async |session: CurrentSession| session.user_key.to_string()),
        )
        .route_layer(admins.auth());
    let app = app(&users).nest("/admin-area", area);
    let mut mallory = Browser::new(&app);
    mallory.login("mallory").await;
    mallory.cookie_name = "__Host-admin".into();
    let reply = mallory.get("/admin-area").await;
    assert_eq!(reply.status, 401, "{}", reply.body);
}

/// CVE-2022-25896 and session fixation: an attacker's own live session in the victim's browser.
#[tokio::test]
async fn planted_session_is_worth_nothing_after_the_victims_login() {
    let app = app(&manager(MemoryStore::new()));
    let mut attacker = Browser::new(&app);
    attacker.login("mallory").await;
    let mut victim = Browser::new(&app);
    victim.cookie = attacker.cookie.clone();

    victim.login("ann").await;

    assert_ne!(victim.cookie, attacker.cookie);
    assert_eq!(victim.get("/private").await.body, "ann");
    assert_eq!(attacker.get("/private").await.status, 401);
    // And a second time in a row.
    let first = victim.clone();
    victim.login("ann").await;
    let mut replay = first;
    assert_eq!(replay.get("/private").await.status, 401);
}

#[derive(Clone, Debug, Default)]
struct Gate {
    entered: Arc<Notify>,
    may_leave: Arc<Notify>,
}

/// Is let in, waits at the gate, and then does all that a handler can do with its session.
async fn slow(State(gate): State<Gate>, sessions: Sessions) -> Result<StatusCode, HttpError> {
    sessions.current().await?.ok_or(Error::NoSession)?;
    gate.entered.notify_one();
    gate.may_leave.notified().await;
    let set = sessions.set_meta("visits", 1).await;
    let removed = sessions.remove_meta("permission").await;
    let renewed = sessions.renew().await;
    let listed = sessions.list().await;
    let all_refused = matches!(set, Err(Error::NoSession))
        && matches!(removed, Err(Error::NoSession))
        && matches!(renewed, Err(Error::NoSession))
        && matches!(listed, Err(Error::NoSession));
    Ok(match all_refused {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::IM_A_TEAPOT,
    })
}

async fn expect_no_resurrection(name: &str, store: impl Store + Clone) {
    for end in ["/logout", "/revoke-all", "/login/ann"] {
        let manager: Manager = manager(store.clone());
        let gate = Gate::default();
        let slow = Router::new()
            .route("/slow", get(slow).post(slow))
            .layer(manager.public())
            .with_state(gate.clone());
        let app = app(&manager)
            .merge(slow)
            .route("/unused", post(|| async {}));
        let mut browser = Browser::new(&app);
        browser.login("ann").await;
        let mut under_way = browser.clone();

        let request = tokio::spawn(async move {
            let reply = under_way.get("/slow").await;
            (reply, under_way)
        });
        gate.entered.notified().await;
        let mut replay = browser.clone();
        assert_eq!(browser.post(end).await.status, 200, "{name} {end}");
        gate.may_leave.notify_one();
        let (reply, mut under_way) = request.await.unwrap();

        assert_eq!(reply.status, 204, "{name} {end}");
        assert!(reply.set_cookies().is_empty(), "{name} {end}");
        assert_eq!(under_way.get("/private").await.status, 401, "{name} {end}");
        assert_eq!(replay.get("/private").await.status, 401, "{name} {end}");
        browser.post("/revoke-all").await;
    }
}

/// CVE-2025-46336, CVE-2025-32441: the end of a request brings back what was deleted meanwhile.
#[tokio::test]
async fn request_under_way_at_a_logout_brings_nothing_back() {
    expect_no_resurrection("memory", MemoryStore::new()).await;
    let directory = tempfile::tempdir().unwrap();
    let redb = RedbStore::open(directory.path().join("sessions.redb")).unwrap();
    expect_no_resurrection("redb", redb).await;
}

/// fiber 4771d43: a client that hangs up must not leave a login half done.
#[tokio::test]
async fn hanging_up_at_any_moment_leaves_a_whole_login_or_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::open(directory.path().join("sessions.redb")).unwrap();
    let manager = manager(store);
    let app = app(&manager);
    for polls in 0..6 {
        let user = format!("user{polls}");
        let mut browser = Browser::new(&app);
        let path = format!("/login/{user}");
        let mut login = Box::pin(browser.post(&path));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for _ in 0..polls {
            if login.as_mut().poll(&mut context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(login);
        // The writer answers in order: what the dropped login asked for is done before this.
        assert_eq!(manager.revoke_by_user_key("nobody").await.unwrap(), 0);
        let sessions = manager.list_by_user_key(user.as_str()).await.unwrap();
        assert_eq!(sessions.len(), usize::from(polls > 0), "{polls}");
        let revoked = manager.revoke_by_user_key(user.as_str()).await.unwrap();
        assert_eq!(revoked, sessions.len() as u64, "{polls}");
        let mut again = Browser::new(&app);
        again.login(&user).await;
        assert_eq!(again.get("/private").await.body, user);
    }
}

/// Each test that docs/advisories.md names is there.
#[test]
fn named_tests_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/advisories.md")).unwrap();
    let mut named = 0;
    for reference in page.split('`').filter(|part| part.contains(".rs::")) {
        let (file, test) = reference.split_once("::").unwrap();
        let code = std::fs::read_to_string(root.join(file));
        let code = code.unwrap_or_else(|error| panic!("{reference}: {error}"));
        let test = test.rsplit("::").next().unwrap();
        assert!(code.contains(&format!("fn {test}(")), "{reference}");
        named += 1;
    }
    assert!(named >= 60, "{named}");
}
