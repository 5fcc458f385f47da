//! What every kind of response says of the cookie, and what a shared cache makes of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::collections::HashMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt;
use sessionup::{HttpError, Manager, MemoryStore, SessionLayers, Sessions};
use support::{Browser, COOKIE_NAME, Switch, app, manager};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Answer = Result<Response, HttpError>;

/// A handler for each thing that can be done with a session, answering in the way the path says.
async fn act(sessions: Sessions, request: Request<Body>) -> Answer {
    let path = request.uri().path().to_owned();
    let (action, kind) = path.trim_matches('/').split_once('/').unwrap();
    match action {
        "touches-nothing" => {}
        "reads" => drop(sessions.current().await?),
        "logs-in" => drop(sessions.init("bob").await?),
        "renews" => drop(sessions.renew().await?),
        "logs-out" => sessions.revoke().await?,
        other => panic!("{other}"),
    }
    let mut response = match kind {
        "text" => "text".into_response(),
        "empty" => StatusCode::NO_CONTENT.into_response(),
        "not-modified" => StatusCode::NOT_MODIFIED.into_response(),
        "redirect" => (StatusCode::SEE_OTHER, [("location", "/")]).into_response(),
        "not-found" => StatusCode::NOT_FOUND.into_response(),
        "error" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "upgrade" => (StatusCode::SWITCHING_PROTOCOLS, [("upgrade", "x")]).into_response(),
        "early-hints" => StatusCode::from_u16(103).unwrap().into_response(),
        "stream" => Response::new(Body::new(
            http_body_util::Full::new(Bytes::from_static(b"part")).map_err(axum::Error::new),
        )),
        "varies" => ([(VARY, "Accept")], "text").into_response(),
        "varies-by-all" => ([(VARY, "*")], "text").into_response(),
        other => panic!("{other}"),
    };
    let public = HeaderValue::from_static("public, max-age=60");
    response.headers_mut().insert(CACHE_CONTROL, public);
    Ok(response)
}

const ACTIONS: [&str; 5] = ["touches-nothing", "reads", "logs-in", "renews", "logs-out"];
const KINDS: [&str; 11] = [
    "text",
    "empty",
    "not-modified",
    "redirect",
    "not-found",
    "error",
    "upgrade",
    "early-hints",
    "stream",
    "varies",
    "varies-by-all",
];
const VISITORS: [&str; 5] = ["stranger", "live", "malformed", "ambiguous", "outage"];

fn expect_headers(name: &str, headers: &HeaderMap, kind: &str, ran: bool) {
    let vary: Vec<_> = headers.get_all(VARY).iter().collect();
    let expected: &[&str] = match kind {
        "varies" if ran => &["Accept", "Cookie"],
        "varies-by-all" if ran => &["*"],
        _ => &["Cookie"],
    };
    assert_eq!(vary, expected, "{name}");
    let cookies: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
    assert!(cookies.len() <= 1, "{name}");
    assert!(cookies.iter().all(|cookie| cookie.is_sensitive()), "{name}");
    let control = headers.get(CACHE_CONTROL);
    let expected = match (cookies.len(), ran) {
        (1, _) => Some("no-store"),
        (_, true) => Some("public, max-age=60"),
        (_, false) => None,
    };
    assert_eq!(
        control.map(|value| value.to_str().unwrap()),
        expected,
        "{name}"
    );
}

#[tokio::test]
async fn every_kind_of_response_to_every_visitor_says_what_it_depends_on() {
    let mut set = 0;
    let mut responses = 0;
    for layer in ["public", "auth"] {
        for action in ACTIONS {
            for kind in KINDS {
                for visitor in VISITORS {
                    for method in [Method::GET, Method::HEAD, Method::POST] {
                        let name = format!("{layer} {action} {kind} {visitor} {method}");
                        let headers = visit(layer, action, kind, visitor, method).await;
                        let (headers, ran) = headers;
                        expect_headers(&name, &headers, kind, ran);
                        let changes = match (action, visitor) {
                            ("logs-in", "outage") => ran,
                            ("logs-in", _) => ran,
                            ("renews", "live") => true,
                            ("logs-out", "stranger" | "outage") => false,
                            ("logs-out", _) => ran,
                            _ => false,
                        };
                        let count = headers.get_all(SET_COOKIE).iter().count();
                        assert_eq!(count, usize::from(changes), "{name}");
                        set += count;
                        responses += 1;
                    }
                }
            }
        }
    }
    println!("{responses} responses, {set} of them with a cookie");
    assert_eq!(responses, 2 * 5 * 11 * 5 * 3);
    assert!(set > 100, "{set}");
}

/// Sends a visitor to a handler and tells the headers and whether the handler ran to its end.
async fn visit(
    layer: &str,
    action: &str,
    kind: &str,
    visitor: &str,
    method: Method,
) -> (HeaderMap, bool) {
    let store = Switch::default();
    let manager = manager(store.clone());
    let mut browser = Browser::new(&app(&manager));
    browser.login("ann").await;
    let token = browser.cookie.unwrap();
    let routes = Router::new().fallback(any(act));
    let app = match layer {
        "public" => routes.layer(manager.public()),
        _ => routes.layer(manager.auth()),
    };
    let cookie = match visitor {
        "stranger" => String::new(),
        "malformed" => format!("{COOKIE_NAME}={token}x"),
        "ambiguous" => format!("{COOKIE_NAME}={token}; {COOKIE_NAME}=x"),
        _ => format!("{COOKIE_NAME}={token}"),
    };
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = format!("/{action}/{kind}").parse().unwrap();
    if !cookie.is_empty() {
        let cookie = HeaderValue::from_str(&cookie).unwrap();
        request.headers_mut().insert(COOKIE, cookie);
    }
    store.off(visitor == "outage");
    let response = app.oneshot(request).await.unwrap();
    let refused = [401, 503].contains(&response.status().as_u16());
    (response.headers().clone(), !refused)
}

#[tokio::test]
async fn error_of_the_inner_service_is_handed_on_and_nothing_is_stored() {
    let store = Switch::default();
    let manager = manager(store.clone());
    let mut browser = Browser::new(&app(&manager));
    browser.login("ann").await;
    let cookie = format!("{COOKIE_NAME}={}", browser.cookie.unwrap());
    let (calls, updates) = (store.calls(), store.updates());
    let broken =
        || service_fn(async |_: Request<String>| Err::<http::Response<String>, _>("broken"));
    let request = || {
        Request::get("/")
            .header(COOKIE, &cookie)
            .body(String::new())
            .unwrap()
    };

    let mut public = ServiceBuilder::new()
        .layer(manager.public())
        .service(broken());
    let outcome = public.ready().await.unwrap().call(request()).await;
    assert_eq!(outcome.unwrap_err(), "broken");
    assert_eq!(store.calls(), calls, "public asks for nothing by itself");

    let mut auth = ServiceBuilder::new()
        .layer(manager.auth())
        .service(broken());
    let outcome = auth.ready().await.unwrap().call(request()).await;
    assert_eq!(outcome.unwrap_err(), "broken");
    assert_eq!((store.calls(), store.updates()), (calls + 1, updates));
}

/// A cache that many users share, as RFC 9111 lets it be: it keeps what is neither `no-store` nor
/// `private` and has a lifetime, and gives it to whoever agrees in what `Vary` names.
struct SharedCache {
    app: Router,
    kept: HashMap<String, Vec<Kept>>,
    hits: usize,
}

struct Kept {
    /// The fields that the response varied by, as the request had them.
    agreed: Vec<(String, Option<HeaderValue>)>,
    headers: HeaderMap,
    body: Bytes,
}

impl SharedCache {
    fn before(app: Router) -> Self {
        Self {
            app,
            kept: HashMap::new(),
            hits: 0,
        }
    }

    async fn get(&mut self, path: &str, headers: HeaderMap) -> (HeaderMap, String) {
        let agrees = |kept: &&Kept| {
            let mut agreed = kept.agreed.iter();
            agreed.all(|(name, value)| name != "*" && headers.get(name) == value.as_ref())
        };
        if let Some(kept) = self.kept.get(path).and_then(|all| all.iter().find(agrees)) {
            self.hits += 1;
            return (kept.headers.clone(), text(&kept.body));
        }
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        *request.headers_mut() = headers.clone();
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let control = values(&parts.headers, CACHE_CONTROL.as_str()).join(",");
        let may_keep = control.contains("max-age")
            && !control.contains("no-store")
            && !control.contains("private");
        if may_keep {
            let vary = values(&parts.headers, VARY.as_str());
            let agreed = vary.into_iter().map(|name| {
                let value = headers.get(&name).cloned();
                (name, value)
            });
            let kept = Kept {
                agreed: agreed.collect(),
                headers: parts.headers.clone(),
                body: body.clone(),
            };
            self.kept.entry(path.to_owned()).or_default().push(kept);
        }
        (parts.headers, text(&body))
    }
}

fn text(body: &Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap());
    lines
        .flat_map(|line| line.split(',').map(|one| one.trim().to_ascii_lowercase()))
        .collect()
}

/// An application that is as careless with caches as can be: it logs in by GET, and says of
/// everything that anybody may keep it.
fn careless(manager: &Manager) -> Router {
    const PUBLIC: [(http::HeaderName, &str); 1] = [(CACHE_CONTROL, "public, max-age=60")];
    async fn enter(sessions: Sessions, headers: HeaderMap) -> Answer {
        let user = headers["x-user"].to_str().unwrap();
        sessions.init(user).await?;
        Ok((PUBLIC, user.to_owned()).into_response())
    }
    async fn home(sessions: Sessions) -> Answer {
        let session = sessions.current().await?;
        let user = session.map_or("nobody".into(), |session| session.user_key.to_string());
        Ok((PUBLIC, user).into_response())
    }
    Router::new()
        .route("/enter", get(enter))
        .route("/home", get(home))
        .layer(manager.public())
}

/// Lets users in through the cache; tells how many were given another's cookie or page.
async fn crossed(cache: &mut SharedCache, users: usize) -> usize {
    let mut crossed = 0;
    let mut cookies = std::collections::HashSet::new();
    for user in (0..users).map(|user| format!("user{user}")) {
        cache.get("/home", HeaderMap::new()).await;
        let asking = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-user"),
            HeaderValue::from_str(&user).unwrap(),
        )]);
        let (headers, _) = cache.get("/enter", asking).await;
        let cookie = headers[SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let with_cookie = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&cookie).unwrap())]);
        let own_cookie = cookies.insert(cookie);
        let (_, first) = cache.get("/home", with_cookie.clone()).await;
        let (_, second) = cache.get("/home", with_cookie).await;
        crossed += usize::from(!own_cookie || first != user || second != user);
    }
    crossed
}

#[tokio::test]
async fn shared_cache_gives_nobody_anothers_cookie_or_page() {
    const USERS: usize = 100;
    let app = careless(&manager(MemoryStore::new()));
    let mut cache = SharedCache::before(app);
    assert_eq!(crossed(&mut cache, USERS).await, 0);
    // Strangers share a page, and each user's own page is kept for them alone.
    assert_eq!(cache.hits, (USERS - 1) + USERS);
    let (_, body) = cache.get("/home", HeaderMap::new()).await;
    assert_eq!(body, "nobody");
}

#[tokio::test]
async fn cache_that_is_told_nothing_mixes_users_up() {
    async fn forget(mut response: Response) -> Response {
        response.headers_mut().remove(VARY);
        let public = HeaderValue::from_static("public, max-age=60");
        response.headers_mut().insert(CACHE_CONTROL, public);
        response
    }
    let app = careless(&manager(MemoryStore::new()));
    let app = app.layer(axum::middleware::map_response(forget));
    assert!(crossed(&mut SharedCache::before(app), 10).await > 0);
}
