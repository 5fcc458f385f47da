//! A cookie that Go issued, sent to an application that was moved over.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use http::{Request, Response, StatusCode};
use sessionup::layer::Either;
use sessionup::{DynStore, Manager, MemoryStore, Sessions, StoreExt};
use sessionup_bolt::{BoltFile, Import};
use sessionup_core::ManualClock;
use sessionup_redb::RedbStore;
use std::sync::Arc;
use support::{EARLY, sidecar};
use tower::{Layer, ServiceExt, service_fn};

/// Answers with the user, behind `auth`.
async fn ask(manager: &Manager, cookie: &str) -> (StatusCode, String) {
    let whoami = service_fn(async |request: Request<String>| {
        let sessions = request
            .extensions()
            .get::<Sessions>()
            .cloned()
            .expect("a handle");
        let current = sessions.current().await.expect("a session");
        let user = current.map(|session| session.user_key.to_string());
        Ok::<_, std::convert::Infallible>(Response::new(user.unwrap_or_default()))
    });
    let request = Request::builder()
        .header("cookie", format!("theme=dark; sessionup={cookie}"))
        .body(String::new())
        .unwrap();
    let service = sessionup::SessionLayers::auth(manager).layer(whoami);
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    // Left is the handler's own, right that of the refusal.
    let body = match body {
        Either::Left(body) => body,
        Either::Right(_) => String::new(),
    };
    (parts.status, body)
}

/// Sends the cookie of every session that Go issued.
async fn move_over(store: Arc<dyn DynStore>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.db");
    std::fs::write(&path, support::fixture("small.db")).unwrap();
    let clock = ManualClock::at(EARLY);
    let strict = evidence::watch(Manager::builder(Arc::clone(&store)))
        .clock(clock.clone())
        .cookie_name("sessionup")
        .build()
        .unwrap();
    let accepting = strict.derive().accept_imported_tokens().build().unwrap();
    let issued = sidecar("small");
    let some = std::str::from_utf8(&issued.keys().next().unwrap().1).unwrap();
    assert_eq!(
        ask(&accepting, some).await.0,
        StatusCode::UNAUTHORIZED,
        "before the import"
    );

    let file = BoltFile::open(&path).unwrap();
    let rows = file.sessions("sessions").unwrap();
    let report = Import::new()
        .run(&store, rows, EARLY, |_| {})
        .await
        .unwrap();

    let mut let_in = 0;
    for ((_, token), session) in &issued {
        let token = std::str::from_utf8(token).unwrap();
        let (status, user) = ask(&accepting, token).await;
        if status == StatusCode::OK {
            assert_eq!(user, session["user_key"].as_str().unwrap());
            let_in += 1;
        } else {
            assert_eq!(status, StatusCode::UNAUTHORIZED);
        }
        let (status, _) = ask(&strict, token).await;
        assert_eq!(
            status,
            StatusCode::UNAUTHORIZED,
            "not asked to accept Go's tokens"
        );
    }
    assert_eq!(let_in, report.imported);
    assert_eq!(let_in + report.expired, issued.len() as u64);

    clock.advance(Duration::from_secs(400 * 86_400));
    for (_, token) in issued.keys() {
        let token = std::str::from_utf8(token).unwrap();
        assert_eq!(
            ask(&accepting, token).await.0,
            StatusCode::UNAUTHORIZED,
            "ended"
        );
    }
}

#[tokio::test]
async fn a_cookie_that_go_issued_is_accepted_over_a_store_in_memory() {
    move_over(MemoryStore::new().into_dyn()).await;
}

#[tokio::test]
async fn a_cookie_that_go_issued_is_accepted_over_the_embedded_store() {
    let directory = tempfile::tempdir().unwrap();
    let store = RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .open(directory.path().join("sessions.redb"))
        .unwrap();
    move_over(store.into_dyn()).await;
}
