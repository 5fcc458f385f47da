//! The session's layer among others, in either order.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{HeaderValue, Request, StatusCode};
use sessionup::{
    CurrentSession, HttpError, Manager, MemoryStore, SameOriginLayer, SessionLayers, Sessions,
};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::client::{only_cookie, varies_by_cookie};
use super::support::app::{Switch, manager};
use tower::{ServiceBuilder, ServiceExt};

/// Long enough to be compressed.
const PAGE: &str = "welcome, welcome, welcome, welcome, welcome, welcome, welcome";
const ORIGIN: &str = "https://other.example";

type Add = fn(Router) -> Router;

const OTHERS: [(&str, Add); 5] = [
    ("catch-panic", |app| app.layer(CatchPanicLayer::new())),
    ("compression", |app| app.layer(CompressionLayer::new())),
    ("cors", |app| {
        let origin = HeaderValue::from_static(ORIGIN);
        app.layer(
            CorsLayer::new()
                .allow_origin([origin])
                .allow_credentials(true),
        )
    }),
    ("timeout", |app| {
        let time = Duration::from_secs(60);
        app.layer(TimeoutLayer::with_status_code(
            StatusCode::REQUEST_TIMEOUT,
            time,
        ))
    }),
    ("trace", |app| app.layer(TraceLayer::new_for_http())),
];

fn routes(manager: &Manager) -> Router {
    async fn login(sessions: Sessions) -> Result<&'static str, HttpError> {
        sessions.init("ann").await?;
        Ok(PAGE)
    }
    async fn panics(sessions: Sessions) -> StatusCode {
        assert!(sessions.init("ann").await.is_err(), "as this test wants");
        StatusCode::OK
    }
    async fn whoami(session: CurrentSession) -> String {
        format!("{PAGE}, {}", session.user_key)
    }
    Router::new()
        .route("/private", get(whoami))
        .route_layer(manager.auth())
        .route("/login", post(login))
        .route("/panic", post(panics))
}

/// The layers of `outside` come after the session's, all others before it.
fn stack(manager: &Manager, outside: &[&str]) -> Router {
    let is_outside = |name: &&str| outside.contains(name);
    let mut app = routes(manager);
    for (_, add) in OTHERS.iter().filter(|(name, _)| !is_outside(name)) {
        app = add(app);
    }
    app = app.layer(manager.public());
    for (_, add) in OTHERS.iter().filter(|(name, _)| is_outside(name)) {
        app = add(app);
    }
    app
}

/// Every way to divide the layers into those outside and those inside.
fn divisions() -> impl Iterator<Item = Vec<&'static str>> {
    (0..1_u32 << OTHERS.len()).map(|bits| {
        let others = OTHERS.iter().enumerate();
        let outside = others.filter(|(n, _)| bits & (1 << n) != 0);
        outside.map(|(_, (name, _))| *name).collect()
    })
}

async fn ask(app: &Router, request: http::request::Builder) -> http::Response<Body> {
    let request = request
        .header("origin", ORIGIN)
        .header("accept-encoding", "gzip")
        .body(Body::empty());
    app.clone().oneshot(request.unwrap()).await.unwrap()
}

/// All in one `ServiceBuilder`, where each layer meets the body of the one inside it.
#[tokio::test]
async fn auth_outside_compression_and_tracing_answers() {
    let manager = manager(MemoryStore::new());
    let stack = ServiceBuilder::new()
        .layer(SameOriginLayer::new())
        .layer(manager.auth())
        .layer(TraceLayer::new_for_http())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new());
    let app = Router::new()
        .route("/inside", get(async || PAGE).post(async || PAGE))
        .layer(stack);
    let app = routes(&manager).merge(app).layer(manager.public());
    let refused = ask(&app, Request::get("/inside")).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);

    let login = ask(&app, Request::post("/login")).await;
    let cookie = only_cookie(login.headers());
    let page = ask(&app, Request::get("/inside").header("cookie", &cookie)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["content-encoding"], "gzip");
    let crossing = Request::post("/inside")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site");
    assert_eq!(ask(&app, crossing).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn cookie_and_vary_leave_once_in_every_order() {
    let mut checked = 0;
    for outside in divisions() {
        let manager = manager(MemoryStore::new());
        let app = stack(&manager, &outside);

        let login = ask(&app, Request::post("/login")).await;

        assert_eq!(login.status(), 200, "{outside:?}");
        let headers = login.headers();
        let cookie = only_cookie(headers);
        assert_eq!(varies_by_cookie(headers), 1, "{outside:?}");
        assert_eq!(headers["cache-control"], "no-store", "{outside:?}");
        assert_eq!(headers["content-encoding"], "gzip", "{outside:?}");
        assert_eq!(
            headers["access-control-allow-origin"], ORIGIN,
            "{outside:?}"
        );

        let private = Request::get("/private");
        let private = ask(&app, private.header("cookie", &cookie)).await;
        assert_eq!(private.status(), 200, "{outside:?}");
        assert_eq!(varies_by_cookie(private.headers()), 1, "{outside:?}");
        assert!(!private.headers().contains_key("set-cookie"));

        let refused = ask(&app, Request::get("/private")).await;
        assert_eq!(refused.status(), 401, "{outside:?}");
        assert_eq!(varies_by_cookie(refused.headers()), 1, "{outside:?}");
        checked += 1;
    }
    assert_eq!(checked, 32);
}

/// Inside, the panic has become a response and takes the cookie along. Outside, the session is there
/// and nobody has its token; neither harms the requests that follow.
#[tokio::test]
async fn panic_after_a_login_is_500_in_every_order() {
    for outside in divisions() {
        let manager = manager(MemoryStore::new());
        let app = stack(&manager, &outside);

        let answer = ask(&app, Request::post("/panic")).await;

        assert_eq!(answer.status(), 500, "{outside:?}");
        let cookies = answer.headers().get_all("set-cookie").iter().count();
        let expected = usize::from(!outside.contains(&"catch-panic"));
        assert_eq!(cookies, expected, "{outside:?}");
        let login = ask(&app, Request::post("/login")).await;
        only_cookie(login.headers());
    }
}

#[tokio::test]
async fn preflight_asks_no_store_and_changes_no_cookie() {
    for outside in divisions() {
        let store = Switch::default();
        let app = stack(&manager(store.clone()), &outside);
        let preflight = Request::options("/login")
            .header("access-control-request-method", "POST")
            .header("cookie", format!("__Host-id={}", "A".repeat(64)));

        let answer = ask(&app, preflight).await;

        assert_eq!(answer.status(), 200, "{outside:?}");
        assert!(!answer.headers().contains_key("set-cookie"), "{outside:?}");
        assert_eq!(store.calls(), 0, "{outside:?}");
    }
}
