//! That the programs which the pages of docs/ show work, and that the pages show them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

#[allow(dead_code, unreachable_pub)]
#[path = "../examples/oauth.rs"]
mod oauth;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/recipes.rs"]
mod recipes;
mod support;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/testing.rs"]
mod testing;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/user.rs"]
mod user;
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/visitors.rs"]
mod visitors;

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use sessionup::{Kind, Manager, MemoryStore};
use support::{Reply, build, clock, manager};
use tower::ServiceExt;

/// A browser that keeps all cookies.
#[derive(Clone)]
struct Jar {
    app: Router,
    cookies: BTreeMap<String, String>,
}

impl Jar {
    fn new(app: &Router) -> Self {
        Self {
            app: app.clone(),
            cookies: BTreeMap::new(),
        }
    }

    fn request(&self, method: &str, path: &str) -> Request<Body> {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = Request::builder().method(method).uri(path);
        let request = request.header(COOKIE, pairs.join("; "));
        request.body(Body::empty()).unwrap()
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    async fn send(&mut self, method: &str, path: &str) -> Reply {
        let reply = support::send(&self.app, self.request(method, path)).await;
        self.keep(&reply.headers);
        reply
    }
}

fn provider() -> oauth::Provider {
    oauth::Provider {
        authorize: "https://idp.example/authorize".into(),
        exchange: |code, verifier| {
            (code == "right" && verifier.len() == 43).then(|| "https://idp.example|7".into())
        },
    }
}

/// Begins a login and returns the state that the provider is to send back.
async fn begin(browser: &mut Jar) -> String {
    let reply = browser.send("GET", "/login").await;
    let location = reply.header("location").unwrap();
    let (at, state) = location.split_once("?state=").unwrap();
    assert_eq!(at, "https://idp.example/authorize");
    assert!(reply.set_cookies()[0].contains("SameSite=Lax"));
    state.to_owned()
}

#[tokio::test]
async fn oauth_login_of_the_same_browser_succeeds() {
    let mut browser = Jar::new(&oauth::app(&manager(MemoryStore::new()), provider()));
    let state = begin(&mut browser).await;

    let path = format!("/callback?code=right&state={state}");
    let reply = browser.send("GET", &path).await;
    assert_eq!(reply.status, 200, "a page, and no redirect");
    assert!(reply.body.contains("url=/home"), "{}", reply.body);
    assert_eq!(browser.send("GET", "/home").await.body, "1");
    assert_eq!(browser.send("GET", &path).await.status, 403, "twice");
}

#[tokio::test]
async fn oauth_login_of_another_browser_is_refused() {
    let app = oauth::app(&manager(MemoryStore::new()), provider());
    let (mut attacker, mut victim) = (Jar::new(&app), Jar::new(&app));
    let state = begin(&mut attacker).await;
    let path = format!("/callback?code=right&state={state}");
    assert_eq!(victim.send("GET", &path).await.status, 403);
    begin(&mut victim).await;
    assert_eq!(victim.send("GET", &path).await.status, 403);
    assert_eq!(victim.send("GET", "/home").await.status, 401);

    let path = format!("/callback?code=wrong&state={state}");
    assert_eq!(attacker.send("GET", &path).await.status, 403);
}

fn shop(sessions: &Manager) -> Router {
    let visitors = visitors::visitors(sessions).unwrap();
    visitors::app(sessions, visitors)
}

#[tokio::test]
async fn cart_of_visitor_goes_along_with_login() {
    let manager = manager(MemoryStore::new());
    let mut browser = Jar::new(&shop(&manager));
    assert_eq!(browser.send("POST", "/cart/pear").await.body, r#"["pear"]"#);
    let reply = browser.send("POST", "/cart/plum").await;
    assert_eq!(reply.body, r#"["pear","plum"]"#);
    assert_eq!(browser.send("GET", "/account").await.status, 401);
    let visitor = browser.clone();

    let reply = browser.send("POST", "/login/ann").await;
    assert_eq!(reply.body, r#"["pear","plum"]"#);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let names: Vec<_> = browser.cookies.keys().collect();
    assert_eq!(names, ["__Host-id"], "the visitor's cookie is gone");
    assert_eq!(browser.send("GET", "/account").await.status, 200);
    let reply = browser.send("POST", "/cart/fig").await;
    assert_eq!(reply.body, r#"["pear","plum","fig"]"#);

    // The visitor's session is gone too.
    let mut visitor = visitor;
    assert_eq!(visitor.send("POST", "/cart/fig").await.body, r#"["fig"]"#);
}

#[tokio::test]
async fn visitor_token_in_users_cookie_is_refused() {
    let mut browser = Jar::new(&shop(&manager(MemoryStore::new())));
    browser.send("POST", "/cart/pear").await;
    let token = browser.cookies.remove("__Host-visitor").unwrap();
    browser.cookies.insert("__Host-id".into(), token);
    assert_eq!(browser.send("GET", "/account").await.status, 401);
}

#[tokio::test]
async fn login_with_remember_keeps_cookie_for_two_weeks() {
    let manager = manager(MemoryStore::new());
    let mut browser = Jar::new(&recipes::app(&manager).unwrap());
    let reply = browser.send("POST", "/login?name=ann").await;
    assert!(!reply.set_cookies()[0].contains("Max-Age"));

    let reply = browser.send("POST", "/login?name=ann&remember=on").await;
    let cookies = reply.set_cookies();
    assert_eq!(cookies.len(), 1);
    assert!(cookies[0].contains("; Max-Age=1209600;"), "{cookies:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("vary"), Some("Cookie"));
    let list = manager.list_by_user_key("ann").await.unwrap();
    assert_eq!(
        list.len(),
        1,
        "the second login took the place of the first"
    );
}

#[tokio::test]
async fn login_in_two_steps_needs_both() {
    let manager = manager(MemoryStore::new());
    let mut browser = Jar::new(&recipes::app(&manager).unwrap());
    let reply = browser.send("POST", "/login/second/123456").await;
    assert_eq!(reply.status, 401);

    browser.send("POST", "/login/first/ann").await;
    assert_eq!(browser.send("POST", "/password").await.status, 401);
    let mut replay = browser.clone();
    let reply = browser.send("POST", "/login/second/1").await;
    assert_eq!(reply.status, 403);
    let reply = browser.send("POST", "/login/second/123456").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, "logged in"));
    let names: Vec<_> = browser.cookies.keys().collect();
    assert_eq!(names, ["__Host-id"]);
    let reply = replay.send("POST", "/login/second/123456").await;
    assert_eq!(reply.status, 401, "a code counts once");
}

#[tokio::test]
async fn half_login_ends_with_users_sessions() {
    let manager = manager(MemoryStore::new());
    let mut browser = Jar::new(&recipes::app(&manager).unwrap());
    browser.send("POST", "/login/first/ann").await;
    assert_eq!(manager.revoke_by_user_key("ann").await.unwrap(), 1);
    let reply = browser.send("POST", "/login/second/123456").await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn changed_password_ends_others_and_renews() {
    let app = recipes::app(&manager(MemoryStore::new())).unwrap();
    let (mut here, mut there) = (Jar::new(&app), Jar::new(&app));
    here.send("POST", "/login?name=ann").await;
    there.send("POST", "/login?name=ann").await;
    let mut thief = here.clone();
    let reply = here.send("POST", "/password").await;
    assert_eq!(reply.body, "other sessions ended: 1");
    assert_eq!(here.send("POST", "/password").await.status, 200);
    for other in [&mut there, &mut thief] {
        assert_eq!(other.send("POST", "/password").await.status, 401);
    }
}

#[tokio::test]
async fn stream_ends_with_its_session() {
    let manager = manager(MemoryStore::new());
    let mut browser = Jar::new(&recipes::app(&manager).unwrap());
    browser.send("POST", "/login?name=ann").await;
    let request = browser.request("GET", "/events");
    let response = browser.app.clone().oneshot(request).await.unwrap();
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "data: hello\n\n");

    manager.revoke_by_user_key("ann").await.unwrap();
    let minute = std::time::Duration::from_secs(60);
    let end = tokio::time::timeout(minute, body.frame()).await;
    let end = end.expect("the stream goes on after its session");
    assert!(end.is_none(), "{end:?}");
}

#[tokio::test]
async fn handle_of_other_manager_keeps_outer_cookie() {
    let (store, clock) = (MemoryStore::new(), clock());
    let users = build(store.clone(), &clock, |b| b);
    let other = build(store, &clock, |b| {
        b.kind(Kind::GUEST).cookie_name("__Host-other")
    });
    use sessionup::{HttpError, SessionLayers, Sessions};
    let both = async move |sessions: Sessions, request: http::request::Parts| {
        let handle = other.handle(&request);
        sessions.init("ann").await?;
        handle.init("somebody").await?;
        Ok::<_, HttpError>((handle, "both"))
    };
    let app = Router::new()
        .route("/", axum::routing::post(both))
        .layer(users.public());
    let mut browser = Jar::new(&app);
    let reply = browser.send("POST", "/").await;
    assert_eq!(reply.set_cookies().len(), 2);
    let names: Vec<_> = browser.cookies.keys().collect();
    assert_eq!(names, ["__Host-id", "__Host-other"]);
    let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Cookie"]);
}

#[tokio::test]
async fn user_extractor_answers_by_session_and_account() {
    let manager = manager(MemoryStore::new());
    let account = |name: &str, is_admin| {
        let name = name.to_owned();
        (name.clone(), user::User { name, is_admin })
    };
    let users = BTreeMap::from([account("ann", false), account("root", true)]);
    let app = user::app(&manager, user::Users(users.into()));
    let reply = Jar::new(&app).send("GET", "/admin").await;
    assert_eq!(reply.header("location"), Some("/login?next=/admin"));

    for (name, home, admin) in [("ann", 200, 403), ("root", 200, 200), ("gone", 401, 401)] {
        let sessions = manager.sessions([], sessionup::Peer::default());
        sessions.init(name).await.unwrap();
        let cookie = sessions.response_cookie().unwrap();
        let (_, token) = cookie.expose().split_once('=').unwrap();
        let (token, _) = token.split_once(';').unwrap();
        let mut browser = Jar::new(&app);
        browser.cookies.insert("__Host-id".into(), token.into());
        assert_eq!(browser.send("GET", "/").await.status, home, "{name}");
        assert_eq!(browser.send("GET", "/admin").await.status, admin, "{name}");
    }
}

/// Every block of Rust of these pages is a part of its program.
#[test]
fn pages_show_parts_of_their_programs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, name) in [
        ("oauth", "oauth"),
        ("visitors", "visitors"),
        ("recipes", "recipes"),
        ("testing", "testing"),
        ("from-tower-sessions", "user"),
    ] {
        let page = root.join(format!("../../docs/{page}.md"));
        let page = std::fs::read_to_string(page).unwrap();
        let program = root.join(format!("examples/{name}.rs"));
        let program = std::fs::read_to_string(program).unwrap();
        let mut blocks = 0;
        for block in page.split("```rust\n").skip(1) {
            let (block, _) = block.split_once("```").unwrap();
            assert!(
                program.contains(block),
                "{name}: not in the program:\n{block}"
            );
            blocks += 1;
        }
        assert!(blocks > 1, "{name}: {blocks}");
    }
}
