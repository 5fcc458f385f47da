//! What is written to the log: one line for each event, nothing that clients chose, and never many.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::header::{COOKIE, USER_AGENT};
use http::{HeaderValue, Request, Response};
use sessionup::endpoints::AdminEndpoints;
use sessionup::{
    CurrentSession, LimitPolicy, Manager, ManagerBuilder, ManualClock, MemoryStore, OnMismatch,
    OnReuse, Peer, SameOriginLayer, SessionLayers, SessionLimit,
};
use support::log::Log;
use support::{Browser, SAFARI, Switch, app, build, clock, minutes};
use tower::{Layer, ServiceExt, service_fn};

/// An application, its clock, and the log of what happens there.
struct Case {
    browser: Browser,
    manager: Manager,
    store: Switch,
    clock: ManualClock,
    log: Log,
    ids: Vec<String>,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Case {
    fn new(change: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        let (log, guard) = Log::listen();
        let (store, clock) = (Switch::default(), clock());
        let manager = build(store.clone(), &clock, change);
        Self {
            browser: Browser::new(&app(&manager)),
            manager,
            store,
            clock,
            log,
            ids: Vec::new(),
            _guard: guard,
        }
    }

    async fn login(&mut self) {
        let id = self.browser.login("ann").await;
        self.ids.push(id);
    }

    /// Comes with another cookie than the browser's own.
    async fn come_with(&self, cookie: &str) {
        let mut stranger = self.browser.clone();
        stranger.cookie = None;
        stranger
            .send(Request::get("/private").header(COOKIE, cookie))
            .await;
    }

    /// Asserts which lines there are since the last call. `{1}` is the id of the first login.
    fn expect(&self, lines: &[&str]) {
        let named = |line: String| {
            let ids = self.ids.iter().enumerate();
            ids.fold(line, |line, (n, id)| {
                line.replace(id, &format!("{{{}}}", n + 1))
            })
        };
        let log: Vec<_> = self.log.take().into_iter().map(named).collect();
        assert_eq!(log, lines);
    }
}

#[tokio::test]
async fn what_users_do_has_its_line() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    case.expect(&["INFO message=session created id={1}"]);

    case.browser.post("/renew").await;
    case.expect(&["INFO message=session renewed id={1}"]);

    case.login().await;
    case.expect(&[
        "INFO message=session created id={2}",
        "INFO message=session revoked id={1} by=\"login\" actor={2}",
    ]);

    let mut first = case.browser.clone();
    case.browser.cookie = None;
    case.login().await;
    first.post(&format!("/revoke/{}", case.ids[2])).await;
    case.expect(&[
        "INFO message=session created id={3}",
        "INFO message=session revoked id={3} by=\"user\" actor={2}",
    ]);

    first.post("/revoke-all").await;
    case.expect(&["INFO message=sessions revoked sessions=1 by=\"user\" actor={2}"]);

    case.browser.cookie = None;
    case.login().await;
    case.browser.post("/logout").await;
    case.expect(&[
        "INFO message=session created id={4}",
        "INFO message=session revoked id={4} by=\"logout\"",
    ]);
}

#[tokio::test]
async fn what_administrators_do_has_its_line() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    let id = case.ids[0].parse().unwrap();
    case.manager.revoke_by_id_unchecked(id).await.unwrap();
    case.manager.revoke_by_user_key("ann").await.unwrap();
    case.expect(&[
        "INFO message=session created id={1}",
        "INFO message=session revoked id={1} by=\"admin\"",
        "INFO message=sessions revoked sessions=0 by=\"admin\"",
    ]);
}

#[tokio::test]
async fn session_that_gives_way_has_its_line() {
    let limit = SessionLimit::new(NonZeroU32::MIN, LimitPolicy::EvictOldest);
    let mut case = Case::new(|builder| builder.limit(limit));
    case.login().await;
    case.browser.cookie = None;
    case.login().await;
    case.expect(&[
        "INFO message=session created id={1}",
        "INFO message=session created id={2}",
        "INFO message=session evicted id={1}",
    ]);
}

#[tokio::test]
async fn refused_cookies_have_their_line_and_strangers_none() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    let token = case.browser.cookie.clone().unwrap();
    let other_secret = format!("{}{}", &token[..32], "A".repeat(32));
    case.expect(&["INFO message=session created id={1}"]);

    case.come_with("theme=dark").await;
    case.expect(&[]);
    case.come_with("__Host-id=nonsense").await;
    case.expect(&["DEBUG message=no session reason=\"malformed\""]);
    case.come_with(&format!("__Host-id={token}; __Host-id=nonsense"))
        .await;
    case.expect(&["WARN message=no session reason=\"ambiguous\""]);
    case.come_with(&"a=b; ".repeat(2_000)).await;
    case.expect(&["DEBUG message=no session reason=\"too-large\""]);
    case.come_with(&format!("__Host-id={other_secret}")).await;
    case.expect(&["WARN message=no session id={1} reason=\"wrong-secret\""]);
    case.browser.post("/logout").await;
    case.expect(&["INFO message=session revoked id={1} by=\"logout\""]);
    case.come_with(&format!("__Host-id={token}")).await;
    case.expect(&["DEBUG message=no session reason=\"unknown\""]);

    case.login().await;
    case.expect(&["INFO message=session created id={2}"]);
    case.clock.advance(minutes(24 * 60));
    case.browser.get("/private").await;
    case.expect(&["DEBUG message=no session reason=\"expired\""]);
}

#[tokio::test]
async fn changed_clients_have_their_line() {
    let refused = "WARN message=no session id={1} reason=\"mismatch\" mismatch=\"agent\"";
    let revoked = "INFO message=session revoked id={1} by=\"mismatch\"";
    let policies: [(_, &[_]); 3] = [
        (
            OnMismatch::Report,
            &["WARN message=client changed id={1} mismatch=\"agent\""],
        ),
        (OnMismatch::Refuse, &[refused]),
        (OnMismatch::Revoke, &[revoked, refused]),
    ];
    for (policy, lines) in policies {
        let mut case = Case::new(|builder| builder.validate(policy));
        case.login().await;
        case.expect(&["INFO message=session created id={1}"]);
        case.browser.agent = SAFARI.into();
        case.browser.get("/private").await;
        case.expect(lines);
    }
}

#[tokio::test]
async fn use_of_a_replaced_token_has_its_line() {
    let mut case = Case::new(|builder| builder.renew_every(minutes(10)).on_reuse(OnReuse::Revoke));
    case.login().await;
    let mut thief = case.browser.clone();
    case.clock.advance(minutes(10));
    case.browser.get("/private").await;
    case.browser.get("/private").await;
    case.clock.advance(minutes(10));
    case.expect(&[
        "INFO message=session created id={1}",
        "INFO message=session renewed id={1}",
    ]);
    thief.get("/private").await;
    case.expect(&[
        "WARN message=no session id={1} reason=\"reused\"",
        "INFO message=session revoked id={1} by=\"reuse\"",
    ]);
}

/// Somebody with an account of their own may cause such lines at will.
#[tokio::test]
async fn own_replaced_tokens_do_not_hide_a_theft() {
    let mut case = Case::new(|builder| builder.renew_every(minutes(10)));
    case.login().await;
    let mut mallory = Browser::new(&app(&case.manager));
    mallory.login("mallory").await;
    let (mut thief, mut decoy) = (case.browser.clone(), mallory.clone());
    case.clock.advance(minutes(10));
    for browser in [&mut case.browser, &mut mallory] {
        browser.get("/private").await;
        browser.get("/private").await;
    }
    case.clock.advance(minutes(1));
    case.log.take();

    let mut lines = Vec::new();
    for _ in 0..5 {
        for _ in 0..20 {
            assert_eq!(decoy.get("/private").await.status, 401);
        }
        assert_eq!(thief.get("/private").await.status, 401);
        case.clock.advance(Duration::from_secs(1));
        lines.extend(case.log.take());
    }
    let of_theft = lines.iter().filter(|line| line.contains(&case.ids[0]));
    assert_eq!(of_theft.count(), 1, "{lines:?}");
}

#[tokio::test]
async fn revocations_of_nothing_have_no_lines() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    case.log.take();
    for _ in 0..500 {
        assert_eq!(case.browser.post("/revoke-other").await.body, "0");
    }
    case.expect(&[]);
}

impl Case {
    /// Mounts the endpoints of administrators, who are called root, and logs one in, as `{1}`.
    async fn administered() -> (Self, Browser) {
        let mut case = Self::new(|builder| builder);
        let guard = async |session: CurrentSession| session.user_key.as_str() == "root";
        let endpoints = AdminEndpoints::new(&case.manager, guard);
        case.browser = Browser::new(&app(&case.manager).nest("/admin", endpoints.router()));
        let mut root = case.browser.clone();
        case.ids.push(root.login("root").await);
        case.login().await;
        case.log.take();
        (case, root)
    }
}

#[tokio::test]
async fn admin_revocation_is_logged_with_its_actor() {
    let (case, mut root) = Case::administered().await;
    let request = Request::delete(format!("/admin/{}", case.ids[1]));
    assert_eq!(root.send(request).await.status, 204);
    case.expect(&[
        "INFO message=administrator let in id={1} method=DELETE",
        "INFO message=session revoked id={2} by=\"admin\" actor={1}",
    ]);
    let reply = root.post("/admin/revoke-all?user_key=ann").await;
    assert_eq!(reply.body, r#"{"revoked":0}"#);
    case.expect(&[
        "INFO message=administrator let in id={1} method=POST",
        "INFO message=sessions revoked sessions=0 by=\"admin\" actor={1}",
    ]);
}

#[tokio::test]
async fn refused_administration_has_few_lines() {
    let (mut case, _) = Case::administered().await;
    let mut other = case.browser.clone();
    other.cookie = None;
    case.ids.push(other.login("bob").await);
    case.log.take();
    for _ in 0..50 {
        assert_eq!(case.browser.get("/admin?user_key=bob").await.status, 403);
    }
    assert_eq!(other.get("/admin?user_key=ann").await.status, 403);
    case.expect(&[
        "WARN message=administration refused id={2} requests=1",
        "WARN message=administration refused id={2} requests=10",
        "WARN message=administration refused id={3} requests=1",
    ]);
}

#[tokio::test]
async fn request_through_two_managers_has_one_warning() {
    let (log, _guard) = Log::listen();
    let clock = clock();
    let outer = build(MemoryStore::new(), &clock, |builder| builder);
    let inner = build(MemoryStore::new(), &clock, |builder| {
        builder.cookie_name("__Host-guest")
    });
    let app = app(&inner).layer(outer.public());
    for _ in 0..9 {
        Browser::new(&app).get("/static").await;
    }
    let line = "WARN message=layers of two session managers around one route: the handler gets the \
                sessions of the inner one, use SessionLayers::handle for the other one outer=\"__Host-id\" inner=\"__Host-guest\" requests=1";
    assert_eq!(log.take(), [line]);
    Browser::new(&app).get("/static").await;
    assert_eq!(log.take(), [line.replace("requests=1", "requests=10")]);
}

#[tokio::test]
async fn request_through_one_manager_has_no_warning() {
    let mut case = Case::new(|builder| builder);
    case.browser.get("/private").await;
    case.expect(&[]);
}

#[tokio::test]
async fn refused_cross_site_requests_have_few_warnings() {
    let (log, _guard) = Log::listen();
    let app = Router::new()
        .route("/", post(async || "done"))
        .layer(SameOriginLayer::new());
    let cases = [
        (
            [("host", "backend:8080"), ("origin", "https://example.org")],
            "origin",
            " hint=\"Origin is not Host. If a proxy rewrites Host, let it pass Host on, or name the \
             site by SameOriginLayer::trust\"",
        ),
        (
            [("host", "example.org"), ("sec-fetch-site", "cross-site")],
            "sec-fetch-site",
            "",
        ),
        ([("host", "example.org"), ("origin", "")], "unclear", ""),
    ];
    for (fields, because, hint) in cases {
        for _ in 0..100 {
            let fields = fields.iter();
            let request = fields.fold(Request::post("/"), |request, (name, value)| {
                request.header(*name, *value)
            });
            assert_eq!(Browser::new(&app).send(request).await.status, 403);
        }
        let lines = log.take();
        assert_eq!(lines.len(), 100, "each has a line");
        let warnings: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("WARN"))
            .collect();
        let expected = [1, 10, 100].map(|requests| {
            format!(
                "WARN message=cross-site request refused because=\"{because}\" \
                 requests={requests}{hint}"
            )
        });
        assert_eq!(warnings, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn store_that_fails_has_its_line_with_the_cause() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    case.store.off(true);
    case.browser.get("/private").await;
    case.expect(&[
        "INFO message=session created id={1}",
        "ERROR message=store failed error=session store is unavailable, \
         try again later \
         cause=/srv/secret/path: input/output error",
    ]);
}

/// What clients may try to write into the log: lines of their own, colours, and very much.
fn hostile() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = vec![
        b"EVIL\r\nERROR message=forged".to_vec(),
        b"EVIL\x1b[2J\x1b[31m".to_vec(),
        b"EVIL\0\x07\x08\x7f".to_vec(),
        "EVIL\u{202e}\u{2028}\u{9b}31m".into(),
        b"EVIL\xff\xfe\x80".to_vec(),
        b"EVIL{}%s%n${jndi:ldap://a}".to_vec(),
    ];
    values.push(b"EVIL".repeat(16 * 1_024));
    values
}

/// Straight to the core, which takes any bytes; HTTP would let fewer of them through.
#[tokio::test]
async fn nothing_that_clients_choose_reaches_a_line() {
    let mut case = Case::new(|builder| builder.validate(OnMismatch::Report));
    case.login().await;
    let token = case.browser.cookie.clone().unwrap();
    let mut lines = case.log.take();
    for value in hostile() {
        let pair = [b"__Host-id=", &*value].concat();
        let own = format!("__Host-id={token}");
        let beside = [own.as_bytes(), b"; theme=", &value].concat();
        let cookies: [&[&[u8]]; 4] = [&[], &[&pair], &[&beside], &[own.as_bytes(), &pair]];
        for fields in cookies {
            let peer = Peer::new("192.0.2.1".parse().ok(), Some(&value));
            let sessions = case.manager.sessions(fields.iter().copied(), peer);
            sessions.current().await.unwrap();
            sessions.init("EVIL\u{9b}31m\u{202e}").await.unwrap();
            sessions.revoke().await.unwrap();
        }
        if let Ok(header) = HeaderValue::from_bytes(&value) {
            let request = Request::get("/private").header(USER_AGENT, header.clone());
            case.browser.send(request.header(COOKIE, header)).await;
        }
        lines.extend(case.log.take());
        case.clock.advance(Duration::from_secs(1));
    }
    assert!(lines.len() > 50, "{}", lines.len());
    for line in lines {
        assert!(line.len() <= 128, "{line:?}");
        assert!(!line.contains("EVIL"), "{line:?}");
        assert!(
            line.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{line:?}"
        );
    }
}

#[tokio::test]
async fn clock_that_jumps_has_its_line() {
    let mut case = Case::new(|builder| builder);
    case.login().await;
    case.clock.advance(minutes(25 * 60));
    case.browser.get("/private").await;
    case.browser.get("/private").await;
    case.expect(&[
        "INFO message=session created id={1}",
        "WARN message=clock jumped from=2026-11-21T18:39:05Z to=2026-11-22T19:39:05Z",
        "DEBUG message=no session reason=\"expired\"",
        "DEBUG message=no session reason=\"expired\"",
    ]);
}

#[tokio::test]
async fn clock_that_was_set_back_silences_nothing() {
    let case = Case::new(|builder| builder);
    case.come_with("__Host-id=nonsense").await;
    case.clock.set(support::start().saturating_sub(minutes(60)));
    case.log.take();
    for second in 0..3 {
        for _ in 0..30 {
            case.come_with("__Host-id=nonsense").await;
        }
        assert_eq!(case.log.take().len(), 20, "{second}");
        case.clock.advance(Duration::from_secs(1));
    }
}

const BAD_COOKIES: u64 = 1_000_000;
const SECONDS: u64 = 5;

#[tokio::test]
async fn million_bad_cookies_cause_forty_lines_a_second_and_are_counted() {
    let (log, _guard) = Log::listen();
    let clock = clock();
    let manager = build(MemoryStore::new(), &clock, |builder| builder);
    let private =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    let private = manager.auth().layer(private);
    let come = async |number: u64| {
        let cookie = match number % 3 {
            0 => "__Host-id=nonsense".to_owned(),
            1 => format!("__Host-id={number:064}"),
            _ => format!("__Host-id={number}; __Host-id=other"),
        };
        let request = Request::get("/").header(COOKIE, cookie).body(()).unwrap();
        let response = private.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401);
    };
    let mut accounted = 0;
    for _ in 0..SECONDS {
        for number in 0..BAD_COOKIES / SECONDS {
            come(number).await;
        }
        let lines = log.take();
        // Twenty of those that are no tokens, and twenty of those that are two.
        assert_eq!(lines.len(), 40);
        accounted += 40
            + lines
                .iter()
                .filter_map(|line| suppressed_of(line))
                .sum::<u64>();
        clock.advance(Duration::from_secs(1));
    }
    // The next line of each kind tells of the last second.
    come(0).await;
    come(2).await;
    let lines = log.take();
    accounted += lines
        .iter()
        .filter_map(|line| suppressed_of(line))
        .sum::<u64>();
    assert_eq!(accounted, BAD_COOKIES);
}

fn suppressed_of(line: &str) -> Option<u64> {
    let (_, number) = line.split_once(" suppressed=")?;
    number.parse().ok()
}
