//! What the layer against cross-site requests does to any tower service; its rules are tested as
//! tables beside them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use sessionup::layer::{InvalidOrigin, Reject};
use sessionup::{Rejection, SameOriginLayer};
use tower::{ServiceBuilder, ServiceExt, service_fn};

async fn answer<R>(
    layer: SameOriginLayer<R>,
    request: http::request::Builder,
) -> (Response<String>, u32)
where
    R: Reject<Body: BodyExt<Data = bytes::Bytes, Error = Infallible>>,
{
    let calls = Arc::new(AtomicU32::new(0));
    let service = ServiceBuilder::new()
        .layer(layer)
        .service(service_fn(|_: Request<()>| async {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<_, Infallible>(Response::new("done".to_owned()))
        }));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let response = Response::from_parts(parts, String::from_utf8(body).unwrap());
    (response, calls.load(Ordering::SeqCst))
}

fn post(site: &str) -> http::request::Builder {
    Request::post("/").header("sec-fetch-site", site)
}

#[tokio::test]
async fn other_sites_are_refused_before_the_service_runs() {
    let (response, calls) = answer(SameOriginLayer::new(), post("cross-site")).await;

    assert_eq!(calls, 0);
    assert_eq!(response.status(), 403);
    assert_eq!(response.body(), r#"{"error":"cross-site request"}"#);
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[tokio::test]
async fn own_pages_pass() {
    let (response, calls) = answer(SameOriginLayer::new(), post("same-origin")).await;

    assert_eq!((response.status().as_u16(), calls), (200, 1));
    assert_eq!(response.body(), "done");
}

#[tokio::test]
async fn the_target_of_http_2_counts() {
    for (origin, status) in [("https://example.org", 200), ("https://evil.example", 403)] {
        let request = Request::post("https://example.org/").header("origin", origin);
        let (response, _) = answer(SameOriginLayer::new(), request).await;
        assert_eq!(response.status(), status, "{origin}");
    }
}

#[tokio::test]
async fn trust_is_for_one_layer_and_not_for_its_clones() -> Result<(), InvalidOrigin> {
    let origin = "https://app.example.org";
    let strict = SameOriginLayer::new();
    let trusting = strict.clone().trust(origin)?;

    let request = || post("same-site").header("origin", origin);
    let (response, _) = answer(trusting, request()).await;
    assert_eq!(response.status(), 200);
    let (response, _) = answer(strict, request()).await;
    assert_eq!(response.status(), 403);
    Ok(())
}

#[tokio::test]
async fn the_answer_can_be_replaced() {
    let reject = |rejection: &Rejection, request: &Parts| {
        assert!(matches!(rejection, Rejection::CrossSite), "{rejection:?}");
        let mut response = Response::new(format!("not to {}", request.uri));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    };
    let layer = SameOriginLayer::new().reject(reject);
    let (response, calls) = answer(layer, post("cross-site")).await;
    assert_eq!((response.status().as_u16(), calls), (418, 0));
    assert_eq!(response.body(), "not to /");
}

/// A page of a sibling host is the same site, so its WebSocket brings the cookie, and what comes over
/// it is no other request that could be checked.
#[tokio::test]
async fn websocket_of_another_origin_is_refused() {
    let handshake = Request::get("https://example.org/live")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("origin", "https://evil.example.org")
        .header("sec-fetch-site", "same-site");
    let (response, calls) = answer(SameOriginLayer::new(), handshake).await;
    assert_eq!((response.status().as_u16(), calls), (403, 0));
}
