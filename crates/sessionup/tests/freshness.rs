//! Tokens that are renewed along with responses, and what needs a user who was there just now.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use sessionup::{HttpError, Manager, MemoryStore, Rejection, SessionLayers, Sessions};
use support::{Browser, Switch, app, build, clock, minutes};

/// An application with a route that needs a user who was there within five minutes.
fn bank(manager: &Manager) -> Router {
    async fn reauthenticate(sessions: Sessions) -> Result<(), HttpError> {
        sessions.reauthenticate().await?;
        Ok(())
    }
    async fn pay(sessions: Sessions) -> Result<&'static str, HttpError> {
        sessions.require_fresh(minutes(5)).await?;
        Ok("paid")
    }
    let by_layer = Router::new()
        .route("/transfer", post(async || "sent"))
        .route_layer(manager.auth().fresh_within(minutes(5)));
    let asks = |rejection: &Rejection, _: &http::request::Parts| match rejection {
        Rejection::NotFresh => (StatusCode::FORBIDDEN, "your password, please").into_response(),
        _ => rejection.to_response(),
    };
    let by_own_page = Router::new()
        .route("/close", post(async || "closed"))
        .route_layer(manager.auth().fresh_within(minutes(5)).reject(asks));
    Router::new()
        .route("/reauthenticate", post(reauthenticate))
        .route("/pay", post(pay))
        .merge(by_layer)
        .merge(by_own_page)
        .fallback_service(app(manager))
        .layer(manager.public())
}

#[tokio::test]
async fn what_needs_a_fresh_session_is_refused_until_the_user_proves_who_they_are() {
    let clock = clock();
    let mut browser = Browser::new(&bank(&build(MemoryStore::new(), &clock, |b| b)));
    assert_eq!(browser.post("/transfer").await.status, 401);
    assert_eq!(browser.post("/pay").await.status, 401);
    browser.login("ann").await;
    assert_eq!(browser.post("/transfer").await.body, "sent");
    assert_eq!(browser.post("/pay").await.body, "paid");

    clock.advance(minutes(5));
    for path in ["/transfer", "/pay"] {
        let reply = browser.post(path).await;
        assert_eq!(reply.status, 403, "{path}");
        assert_eq!(reply.body, r#"{"error":"authentication is too old"}"#);
        assert_eq!(reply.header("vary"), Some("Cookie"));
    }
    assert_eq!(browser.post("/close").await.body, "your password, please");
    assert_eq!(
        browser.get("/private").await.status,
        200,
        "all else goes on"
    );

    let before = browser.clone();
    assert_eq!(browser.post("/reauthenticate").await.status, 200);

    assert_eq!(browser.post("/transfer").await.body, "sent");
    assert_eq!(browser.post("/pay").await.body, "paid");
    let mut before = before;
    assert_eq!(before.get("/private").await.status, 401, "the old token");
}

#[tokio::test]
async fn store_that_fails_makes_nobody_fresh() {
    let store = Switch::default();
    let mut browser = Browser::new(&bank(&build(store.clone(), &clock(), |b| b)));
    browser.login("ann").await;
    store.off(true);
    for path in ["/transfer", "/pay", "/close"] {
        assert_eq!(browser.post(path).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn renewed_token_goes_out_with_a_response_that_nobody_caches() {
    let clock = clock();
    let manager = build(MemoryStore::new(), &clock, |b| b.renew_every(minutes(10)));
    let mut browser = Browser::new(&app(&manager));
    browser.login("ann").await;
    clock.advance(minutes(10));

    let nothing = browser.get("/static").await;
    assert!(nothing.set_cookies().is_empty(), "nobody asked");
    let mut parallel = browser.clone();
    let reply = browser.get("/private").await;

    assert_eq!(reply.body, "ann");
    assert_eq!(reply.set_cookies().len(), 1);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let reply = parallel.get("/private").await;
    assert_eq!(reply.body, "ann");
    assert!(reply.set_cookies().is_empty());
    let reply = browser.get("/private").await;
    assert_eq!(reply.body, "ann");
    assert!(reply.set_cookies().is_empty());

    clock.advance(minutes(1));
    assert_eq!(parallel.get("/private").await.status, 401);
    assert_eq!(browser.get("/private").await.status, 200);
}

#[tokio::test]
async fn what_the_handler_does_to_a_renewed_session_wins() {
    let clock = clock();
    let manager = build(MemoryStore::new(), &clock, |b| b.renew_every(minutes(10)));
    let app = app(&manager);
    for (path, status) in [("/logout", 401), ("/renew", 200), ("/login/bob", 200)] {
        let mut browser = Browser::new(&app);
        browser.login("ann").await;
        clock.advance(minutes(10));
        let reply = browser.post(path).await;
        assert_eq!(reply.set_cookies().len(), 1, "{path}");
        assert_eq!(browser.get("/private").await.status, status, "{path}");
    }
}

#[tokio::test]
async fn login_that_was_overtaken_may_be_tried_again() {
    async fn slow_login(sessions: Sessions) -> Result<(), HttpError> {
        // Between the check of the password and the session, somebody revokes everything.
        sessions.manager().revoke_by_user_key("ann").await?;
        sessions.init("ann").await?;
        Ok(())
    }
    let manager = build(MemoryStore::new(), &clock(), |b| b);
    let app = Router::new()
        .route("/slow", get(slow_login))
        .layer(manager.public());
    let reply = Browser::new(&app).get("/slow").await;
    assert_eq!(reply.status, 409);
    let text = r#"{"error":"all sessions were just revoked, log in again"}"#;
    assert_eq!(reply.body, text);
    assert!(reply.set_cookies().is_empty());
}
