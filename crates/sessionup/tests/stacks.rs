//! Layers above services whose responses have another type of body, in one `ServiceBuilder`.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::Request;
use http_body_util::BodyExt;
use http_body_util::combinators::MapErr;
use sessionup::{MemoryStore, SameOriginLayer, SessionLayers};
use support::{Browser, app, manager};
use tower::ServiceBuilder;

type Wrapped = MapErr<Body, fn(axum::Error) -> axum::Error>;

/// Gives a response a body of a type that cannot be made of a text, as compression and tracing do.
fn wrap(response: Response) -> http::Response<Wrapped> {
    response.map(|body| body.map_err(std::convert::identity as fn(axum::Error) -> axum::Error))
}

#[tokio::test]
async fn auth_outside_another_body_type_answers() {
    let manager = manager(MemoryStore::new());
    let stack = ServiceBuilder::new()
        .layer(manager.auth())
        .map_response(wrap);
    let routes = Router::new()
        .route("/wrapped", get(async || "let in"))
        .layer(stack);
    let mut browser = Browser::new(&app(&manager).merge(routes));

    let reply = browser.get("/wrapped").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.body, r#"{"error":"unauthorized"}"#);
    browser.login("ann").await;
    let reply = browser.get("/wrapped").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, "let in"));
    assert_eq!(reply.header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn reject_of_axum_outside_another_body_type_answers() {
    let manager = manager(MemoryStore::new());
    let auth = manager
        .auth()
        .reject(|rejection, _| (rejection.status(), "log in first").into_response());
    let stack = ServiceBuilder::new().layer(auth).map_response(wrap);
    let app = Router::new()
        .route("/", get(async || "let in"))
        .layer(stack);

    let reply = Browser::new(&app).get("/").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (401, "log in first"));
}

#[tokio::test]
async fn same_origin_outside_another_body_type_answers() {
    let stack = ServiceBuilder::new()
        .layer(SameOriginLayer::new())
        .map_response(wrap);
    let app = Router::new()
        .route("/", post(async || "let in"))
        .layer(stack);

    for (site, status, body) in [
        ("same-origin", 200, "let in"),
        ("cross-site", 403, r#"{"error":"cross-site request"}"#),
    ] {
        let request = Request::post("/").header("sec-fetch-site", site);
        let reply = Browser::new(&app).send(request).await;
        assert_eq!((reply.status.as_u16(), &*reply.body), (status, body));
    }
}
