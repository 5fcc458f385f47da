//! Many users behind one shared cache, and handlers that say that it may keep everything.

use std::collections::HashSet;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, Request};
use sessionup::{HttpError, MemoryStore, SessionLayers, Sessions};

use super::shared_cache::SharedCache;
use super::support::app::{Reply, manager};

const USERS: usize = 40;
const ROUNDS: usize = 30;
const PUBLIC: HeaderValue = HeaderValue::from_static("public, max-age=60");

/// Keeps the cookie that it is sent.
struct User {
    name: String,
    cookie: Option<String>,
}

impl User {
    fn request(&self, request: http::request::Builder) -> http::request::Builder {
        let request = request.header("x-user", &self.name);
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    fn receive(&mut self, reply: &Reply) {
        for cookie in reply.set_cookies() {
            let pair = cookie.split(';').next().unwrap().to_owned();
            self.cookie = (!pair.ends_with('=')).then_some(pair);
        }
    }
}

/// What went wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Leaks {
    pages: u32,
    cookies: u32,
    hits: u32,
}

fn origin() -> Router {
    async fn page(sessions: Sessions) -> Result<Response, HttpError> {
        let user = sessions.current().await?;
        let name = user.map_or("nobody".into(), |user| user.user_key.to_string());
        Ok(([(CACHE_CONTROL, PUBLIC)], name).into_response())
    }
    // As a link in a mail does; who follows it is told by a field that nothing varies by.
    async fn link(sessions: Sessions, headers: http::HeaderMap) -> Result<Response, HttpError> {
        sessions.init(headers["x-user"].to_str().unwrap()).await?;
        Ok(([(CACHE_CONTROL, PUBLIC)], "welcome").into_response())
    }
    async fn login(sessions: Sessions, Path(user): Path<String>) -> Result<Response, HttpError> {
        sessions.init(user).await?;
        Ok(([(CACHE_CONTROL, PUBLIC)], "welcome").into_response())
    }
    async fn logout(sessions: Sessions) -> Result<Response, HttpError> {
        sessions.revoke().await?;
        Ok(([(CACHE_CONTROL, PUBLIC)], "goodbye").into_response())
    }
    let manager = manager(MemoryStore::new());
    Router::new()
        .route("/private", get(page))
        .route_layer(manager.auth())
        .route("/", get(page))
        .route("/link", get(link))
        .route("/login/{user}", post(login))
        .route("/logout", get(logout))
        .layer(manager.public())
}

/// Lets every user do one thing after the other, interleaved with all others.
async fn run(origin: Router) -> Leaks {
    let mut cache = SharedCache::new(origin);
    let mut users: Vec<_> = (0..USERS)
        .map(|n| User {
            name: format!("user-{n}"),
            cookie: None,
        })
        .collect();
    let mut issued = HashSet::new();
    let mut leaks = Leaks::default();
    for round in 0..ROUNDS {
        cache.pass(7);
        for (n, user) in users.iter_mut().enumerate() {
            let before = user.cookie.clone();
            let path = [
                "/link", "/", "/private", "/", "/private", "/logout", "/", "post",
            ][(round + n) % 8];
            let reply = if path == "post" {
                let request = user.request(Request::post(format!("/login/{}", user.name)));
                cache.post(request.body(Body::empty()).unwrap()).await
            } else {
                cache.get(user.request(Request::get(path))).await
            };
            user.receive(&reply);
            let is_new = user.cookie.is_some() && user.cookie != before;
            if is_new && !issued.insert(user.cookie.clone()) {
                leaks.cookies += 1;
            }
            if reply.body.starts_with("user-") && reply.body != user.name {
                leaks.pages += 1;
            }
        }
    }
    leaks.hits = cache.hits;
    leaks
}

#[tokio::test]
async fn nobody_is_given_the_page_or_the_cookie_of_another() {
    let leaks = run(origin()).await;
    assert_eq!((leaks.pages, leaks.cookies), (0, 0), "{leaks:?}");
    assert!(leaks.hits > 100, "{leaks:?}");
}

/// The simulation notices what the layer sees to: without it, there are leaks.
#[tokio::test]
async fn without_vary_pages_leak() {
    async fn forget(mut response: Response) -> Response {
        response.headers_mut().remove(VARY);
        response
    }
    let leaks = run(origin().layer(map_response(forget))).await;
    assert!(leaks.pages > 0, "{leaks:?}");
}

#[tokio::test]
async fn without_no_store_cookies_leak() {
    async fn forget(mut response: Response) -> Response {
        response.headers_mut().insert(CACHE_CONTROL, PUBLIC);
        response
    }
    let leaks = run(origin().layer(map_response(forget))).await;
    assert!(leaks.cookies > 0, "{leaks:?}");
}
