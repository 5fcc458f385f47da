//! What the layers do to requests and responses.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request};
use sessionup::{
    CurrentSession, HttpError, Kind, Manager, MemoryStore, Rejection, SessionLayers, Sessions,
};
use support::{Browser, COOKIE_NAME, MARKER, Switch, app, build, clock, manager, minutes, send};
use tower::ServiceExt;

#[tokio::test]
async fn public_lets_everybody_in_and_asks_the_store_only_if_the_handler_does() {
    let store = Switch::default();
    let app = app(&manager(store.clone()));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    let calls = store.calls();

    assert_eq!(browser.get("/static").await.body, "static");

    assert_eq!(store.calls(), calls);
    assert_eq!(browser.user().await, "ann");
    assert_eq!(store.calls(), calls + 1);
}

#[tokio::test]
async fn auth_refuses_who_has_no_session_with_a_fixed_text() {
    let reply = Browser::new(&app(&manager(MemoryStore::new())))
        .get("/private")
        .await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.body, r#"{"error":"unauthorized"}"#);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("vary"), Some("Cookie"));
    assert_eq!(reply.header("cache-control"), None);
    assert!(reply.set_cookies().is_empty());
}

#[tokio::test]
async fn login_sets_the_strictest_cookie_and_is_not_cached() {
    let mut browser = Browser::new(&app(&manager(MemoryStore::new())));
    let reply = browser.post("/login/ann").await;

    let token = browser.cookie.clone().unwrap();
    assert_eq!(token.len(), 64);
    let expected = format!("__Host-id={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    assert_eq!(reply.set_cookies(), [expected]);
    assert!(reply.headers[SET_COOKIE].is_sensitive());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("vary"), Some("Cookie"));
    assert_eq!(browser.get("/private").await.body, "ann");
}

#[tokio::test]
async fn every_kind_of_response_varies_by_cookie() {
    let manager = manager(MemoryStore::new());
    let app = Router::new()
        .route(
            "/not-modified",
            get(|| async { http::StatusCode::NOT_MODIFIED }),
        )
        .route(
            "/varies",
            get(|| async { ([(http::header::VARY, "Accept")], "text") }),
        )
        .layer(manager.public());
    let mut browser = Browser::new(&app);
    for path in ["/not-modified", "/varies", "/missing"] {
        let reply = browser.get(path).await;
        let vary = reply.headers.get_all("vary");
        assert!(vary.iter().any(|value| value == "Cookie"), "{path}");
    }
    let reply = browser.get("/varies").await;
    assert_eq!(
        reply.headers.get_all("vary").iter().next().unwrap(),
        "Accept"
    );
}

#[tokio::test]
async fn outage_is_503_behind_auth_and_no_logout() {
    let store = Switch::default();
    let app = app(&manager(store.clone()));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;

    store.off(true);
    for (method, path) in [
        ("GET", "/private"),
        ("GET", "/"),
        ("POST", "/login/bob"),
        ("POST", "/logout"),
    ] {
        let reply = browser
            .send(Request::builder().method(method).uri(path))
            .await;
        assert_eq!(reply.status, 503, "{path}");
        assert_eq!(reply.header("retry-after"), Some("1"), "{path}");
        assert_eq!(reply.body, r#"{"error":"service unavailable"}"#, "{path}");
        assert!(!format!("{:?}", reply.headers).contains(MARKER), "{path}");
        assert!(reply.set_cookies().is_empty(), "{path}");
    }

    store.off(false);
    assert_eq!(browser.user().await, "ann");
}

#[tokio::test]
async fn public_tells_an_outage_from_a_stranger() {
    async fn state(sessions: Sessions) -> &'static str {
        match sessions.current().await {
            Ok(Some(_)) => "user",
            Ok(None) => "stranger",
            Err(_) => "cannot tell",
        }
    }
    let store = Switch::default();
    let manager = manager(store.clone());
    let app = app(&manager).merge(
        Router::new()
            .route("/state", get(state))
            .layer(manager.public()),
    );
    let mut browser = Browser::new(&app);
    assert_eq!(browser.get("/state").await.body, "stranger");
    browser.login("ann").await;
    assert_eq!(browser.get("/state").await.body, "user");

    store.off(true);
    let reply = browser.get("/state").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, "cannot tell"));
    assert!(reply.set_cookies().is_empty());
}

#[tokio::test]
async fn malformed_cookie_never_reaches_the_store() {
    let store = Switch::default();
    let app = app(&manager(store.clone()));
    let mut browser = Browser::new(&app);
    let id = browser.login("ann").await;
    let token = browser.cookie.clone().unwrap();
    let calls = store.calls();

    let flipped = |at: usize, with: &str| format!("{}{with}{}", &token[..at], &token[at + 1..]);
    let values = [
        String::new(),
        "v".into(),
        token[..63].into(),
        format!("{token}A"),
        format!("{token}="),
        format!("\"{token}\""),
        flipped(63, "="),
        flipped(5, "+"),
        flipped(5, "%"),
        id,
        "'+OR+1=1--".into(),
        "../../../../etc/passwd".into(),
        "*".repeat(64),
        "A".repeat(4096),
        "r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd".into(),
    ];
    for value in values {
        browser.cookie = Some(value.clone());
        let reply = browser.get("/private").await;
        assert_eq!(reply.status, 401, "{value:?}");
        assert!(reply.set_cookies().is_empty(), "{value:?}");
    }
    assert_eq!(store.calls(), calls);
}

#[tokio::test]
async fn unknown_token_becomes_no_session_and_is_not_sent_back() {
    let store = Switch::default();
    let app = app(&manager(store.clone()));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    let token = browser.cookie.clone().unwrap();
    let other = if token.ends_with('A') { "B" } else { "A" };

    let values = [
        "A".repeat(64),
        "_".repeat(64),
        format!("{}{other}", &token[..63]),
    ];
    for value in values {
        browser.cookie = Some(value.clone());
        for path in ["/", "/private", "/open-devices"] {
            let reply = browser.get(path).await;
            assert!(reply.set_cookies().is_empty(), "{value} {path}");
            assert!(!reply.body.contains("ann"), "{value} {path}");
        }
    }
    assert_eq!(store.records().await, 1);
}

#[tokio::test]
async fn two_different_cookies_of_ours_are_refused_whatever_their_order() {
    let app = app(&manager(MemoryStore::new()));
    let (mut ann, mut bob) = (Browser::new(&app), Browser::new(&app));
    ann.login("ann").await;
    bob.login("bob").await;
    let pair = |browser: &Browser| format!("{COOKIE_NAME}={}", browser.cookie.as_ref().unwrap());
    let (ann, bob) = (pair(&ann), pair(&bob));

    let cases: [(&str, Vec<String>, u16); 6] = [
        ("one", vec![ann.clone()], 200),
        ("twice the same", vec![format!("{ann}; {ann}")], 200),
        ("different", vec![format!("{ann}; {bob}")], 401),
        ("the other way round", vec![format!("{bob}; {ann}")], 401),
        ("in two fields", vec![ann.clone(), bob.clone()], 401),
        (
            "junk fields around it",
            vec!["a=b".into(), "c=\u{e9}%zz".into(), ann.clone(), "=".into()],
            200,
        ),
    ];
    for (name, fields, status) in cases {
        let mut request = Request::get("/private");
        for field in fields {
            let field = HeaderValue::from_bytes(field.as_bytes()).unwrap();
            request = request.header(COOKIE, field);
        }
        let reply = send(&app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, status, "{name}");
        assert!(reply.set_cookies().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn token_counts_nowhere_but_in_the_cookie() {
    let app = app(&manager(MemoryStore::new()));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    let token = browser.cookie.clone().unwrap();

    let requests = [
        Request::get(format!("/private?id={token}&{COOKIE_NAME}={token}")),
        Request::get("/private").header("authorization", format!("Bearer {token}")),
        Request::get("/private").header("x-session", &token),
        Request::get("/private").header(COOKIE_NAME, &token),
        Request::get("/private").header(COOKIE, format!("%5F%5FHost-id={token}")),
        Request::get("/private").header(COOKIE, format!("__host-id={token}")),
    ];
    for request in requests {
        let request = request.body(Body::from(format!("{COOKIE_NAME}={token}")));
        assert_eq!(send(&app, request.unwrap()).await.status, 401);
    }
}

#[tokio::test]
async fn last_action_decides_about_the_one_cookie() {
    async fn in_out_in(sessions: Sessions) -> Result<(), HttpError> {
        sessions.init("ann").await?;
        sessions.revoke().await?;
        sessions.init("bob").await?;
        Ok(())
    }
    async fn in_out(sessions: Sessions) -> Result<(), HttpError> {
        sessions.init("ann").await?;
        Ok(sessions.revoke().await?)
    }
    async fn by_hand(sessions: Sessions) -> Result<impl IntoResponse, HttpError> {
        sessions.init("ann").await?;
        let headers = [
            ("set-cookie", "__Host-id=by-hand; Path=/"),
            ("cache-control", "public, max-age=60"),
        ];
        Ok((headers, "text"))
    }
    let store = Switch::default();
    let manager = manager(store.clone());
    let routes = Router::new()
        .route("/in-out-in", post(in_out_in))
        .route("/in-out", post(in_out))
        .route("/by-hand", post(by_hand))
        .layer(manager.public());
    let mut browser = Browser::new(&app(&manager).merge(routes));

    assert_eq!(browser.post("/in-out-in").await.set_cookies().len(), 1);
    assert_eq!(browser.user().await, "bob");
    assert_eq!(browser.post("/in-out").await.set_cookies().len(), 1);
    assert_eq!(browser.cookie, None);
    let reply = browser.post("/by-hand").await;
    assert_eq!(reply.set_cookies().len(), 1);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(browser.user().await, "ann");
    assert_eq!(store.records().await, 1);
}

/// Browsers ignore blanks around the name of a cookie.
#[tokio::test]
async fn login_beside_padded_cookie_name_sends_one_cookie() {
    async fn login(sessions: Sessions) -> Result<impl IntoResponse, HttpError> {
        sessions.init("ann").await?;
        let by_hand = [("set-cookie", "__Host-id =by-hand; Path=/; Secure")];
        Ok((by_hand, "text"))
    }
    let manager = manager(MemoryStore::new());
    let app = Router::new()
        .route("/", post(login))
        .layer(manager.public());
    let reply = Browser::new(&app).post("/").await;
    assert_eq!(reply.set_cookies().len(), 1, "{:?}", reply.set_cookies());
}

#[tokio::test]
async fn rejection_is_the_applications_to_choose() {
    let store = Switch::default();
    let manager = manager(store.clone());
    let reject = |rejection: &Rejection, request: &http::request::Parts| match rejection {
        Rejection::Unauthenticated(_) => {
            Redirect::to(&format!("/login?next={}", request.uri.path())).into_response()
        }
        _ => (rejection.status(), "try again").into_response(),
    };
    let app = Router::new()
        .route("/private", get(|| async { "private" }))
        .route_layer(manager.auth().reject(reject));
    let mut browser = Browser::new(&app);

    let reply = browser.get("/private").await;
    assert_eq!(reply.status, 303);
    assert_eq!(reply.header("location"), Some("/login?next=/private"));
    assert_eq!(reply.header("vary"), Some("Cookie"));

    store.off(true);
    browser.cookie = Some("A".repeat(64));
    let reply = browser.get("/private").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (503, "try again"));
}

#[tokio::test]
async fn layers_of_one_manager_share_one_handle() {
    let store = Switch::default();
    let app = app(&manager(store.clone()));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    let calls = store.calls();

    // `public` around `auth` around a handler that asks again.
    let reply = browser.get("/private").await;

    assert_eq!(reply.body, "ann");
    assert_eq!(store.calls(), calls + 1);
    assert_eq!(reply.headers.get_all("vary").iter().count(), 1);
    assert_eq!(browser.post("/renew").await.set_cookies().len(), 1);
}

#[tokio::test]
async fn request_that_is_printed_shows_no_token() {
    let manager = manager(MemoryStore::new());
    let print = get(|headers: http::HeaderMap| async move { format!("{headers:?}") });
    let routes = Router::new().route("/print", print).layer(manager.public());
    let mut browser = Browser::new(&app(&manager).merge(routes));
    browser.login("ann").await;
    let printed = browser.get("/print").await.body;
    assert!(printed.contains("cookie"), "{printed}");
    assert!(!printed.contains(&browser.cookie.unwrap()), "{printed}");
}

#[tokio::test]
async fn two_managers_live_side_by_side() {
    let (store, clock) = (MemoryStore::new(), clock());
    let users = build(store.clone(), &clock, |b| b);
    let admins = build(store, &clock, |b| {
        b.kind(Kind::new("admin").unwrap())
            .cookie_name("__Host-admin")
    });
    let admin_app = app(&admins);
    let app = app(&users).nest_service("/admin-area", admin_app);
    let mut browser = Browser::new(&app);
    browser.login("ann").await;

    // A handle of another manager further out does not count as ours.
    let mut admin = Browser::new(&app);
    admin.cookie_name = "__Host-admin".into();
    assert_eq!(admin.get("/admin-area/").await.body, "nobody");
    assert_eq!(admin.post("/admin-area/login/root").await.status, 200);
    assert_eq!(admin.get("/admin-area/").await.body, "root");

    // Neither token is worth anything in the other's cookie.
    let mut stolen = Browser::new(&app);
    stolen.cookie = admin.cookie.clone();
    assert_eq!(stolen.get("/private").await.status, 401);
}

#[tokio::test]
async fn extension_from_outside_is_replaced() {
    let (ours, theirs) = (manager(MemoryStore::new()), manager(MemoryStore::new()));
    let forged = theirs.sessions([], sessionup::Peer::default());
    forged.init("root").await.unwrap();
    let mut request = Request::get("/").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Sessions::from(forged));

    assert_eq!(send(&app(&ours), request).await.body, "nobody");
}

#[tokio::test]
async fn extractors_say_what_is_missing() {
    async fn required(session: CurrentSession) -> String {
        session.user_key.to_string()
    }
    async fn optional(session: Option<CurrentSession>) -> String {
        session.map_or("nobody".into(), |session| session.user_key.to_string())
    }
    let store = Switch::default();
    let manager = manager(store.clone());
    let bare = Router::new()
        .route("/bare-handle", get(|_: Sessions| async {}))
        .route("/bare-session", get(required));
    let layered = Router::new()
        .route("/required", get(required))
        .route("/optional", get(optional))
        .layer(manager.public());
    let mut browser = Browser::new(&app(&manager).merge(bare).merge(layered));

    assert_eq!(browser.get("/bare-handle").await.status, 500);
    assert_eq!(browser.get("/bare-session").await.status, 500);
    assert_eq!(browser.get("/required").await.status, 401);
    assert_eq!(browser.get("/optional").await.body, "nobody");

    browser.login("ann").await;
    assert_eq!(browser.get("/required").await.body, "ann");
    assert_eq!(browser.get("/optional").await.body, "ann");

    store.off(true);
    assert_eq!(browser.get("/required").await.status, 503);
    assert_eq!(browser.get("/optional").await.status, 503);
}

#[tokio::test]
async fn persistent_cookie_ends_with_the_session() {
    let clock = clock();
    let manager = build(MemoryStore::new(), &clock, |b| b.expires_in(minutes(60)));
    let mut browser = Browser::new(&app(&manager));

    let reply = browser.post("/login/ann").await;
    assert!(reply.set_cookies()[0].contains("; Max-Age=3600; Expires="));

    clock.advance(minutes(45));
    let reply = browser.post("/renew").await;
    assert!(reply.set_cookies()[0].contains("; Max-Age=900; Expires="));

    clock.advance(minutes(15));
    assert_eq!(browser.get("/private").await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_do_not_see_each_other() {
    let app = app(&manager(MemoryStore::new()));
    let mut browsers = Vec::new();
    for user in 0..1_000 {
        let mut browser = Browser::new(&app);
        browser.login(&format!("user{user}")).await;
        browsers.push(browser);
    }
    let tasks: Vec<_> = (0..10_000_usize)
        .map(|n| {
            let mut browser = browsers[n % 1_000].clone();
            tokio::spawn(async move { (n % 1_000, browser.get("/private").await.body) })
        })
        .collect();
    for task in tasks {
        let (user, body) = task.await.unwrap();
        assert_eq!(body, format!("user{user}"));
    }
}

/// A service that insists on `poll_ready` before each call, as tower's contract allows it to.
#[derive(Debug)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl tower::Service<Request<String>> for Strict {
    type Response = http::Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<String>) -> Self::Future {
        assert!(self.ready, "called without being ready");
        self.ready = false;
        std::future::ready(Ok(http::Response::new("handled".into())))
    }
}

#[tokio::test]
async fn layers_suit_any_tower_service() {
    let manager: Manager = manager(MemoryStore::new());
    let sessions = manager.sessions([], sessionup::Peer::default());
    sessions.init("ann").await.unwrap();
    let cookie = sessions.response_cookie().unwrap();
    let cookie = cookie.expose().split(';').next().unwrap().to_owned();

    let mut auth = tower::ServiceBuilder::new()
        .layer(manager.public())
        .layer(manager.auth())
        .service(Strict { ready: false });
    for (cookie, status) in [(cookie.as_str(), 200), ("", 401), (cookie.as_str(), 200)] {
        let request = Request::get("/").header(COOKIE, cookie).body(String::new());
        let service = auth.ready().await.unwrap();
        let response = tower::Service::call(service, request.unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), status);
    }
}
