//! Who sent a request, from the header on the wire to the list of devices.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

#[path = "../../sessionup-core/tests/recorded/mod.rs"]
mod recorded;
mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::header::USER_AGENT;
use http::{HeaderValue, Request};
use recorded::{Forwarding, UserAgent};
use sessionup::{
    Agent, ForwardingHeader, ManagerBuilder, MemoryStore, OnMismatch, PeerAddr, SessionLayers,
    Sessions, TrustedProxies,
};
use support::log::Log;
use support::{Browser, FIREFOX, SAFARI, build, clock};
use tower::ServiceExt;

const XFF: &str = "x-forwarded-for";

fn app(change: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Router {
    support::app(&build(MemoryStore::new(), &clock(), change))
}

/// Trusts the address that a browser of these tests has, as if it were a proxy's.
fn proxy() -> TrustedProxies {
    TrustedProxies::networks(["192.0.2.1"]).unwrap()
}

/// Logs in with these lines in the request's header, and returns the session as it is listed.
async fn login(browser: &mut Browser, lines: &[(&str, &[u8])]) -> serde_json::Value {
    let mut request = Request::post("/login/ann");
    for (name, value) in lines {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    assert_eq!(browser.send(request).await.status, 200);
    current(&browser.get("/open-devices").await.json())
}

fn current(devices: &serde_json::Value) -> serde_json::Value {
    let mut devices = devices.as_array().unwrap().iter();
    let current = devices.find(|device| device["current"] == true);
    current.unwrap().clone()
}

async fn use_over(browser: &mut Browser, forwarded: &str) -> u16 {
    let request = Request::get("/private").header(XFF, forwarded);
    browser.send(request).await.status.as_u16()
}

#[tokio::test]
async fn listed_address_is_what_the_corpus_says() {
    let mut not_http = Vec::new();
    for case in Forwarding::all() {
        let lines = case.lines();
        if lines
            .iter()
            .any(|(_, v)| HeaderValue::from_bytes(v).is_err())
        {
            not_http.push(case.name);
            continue;
        }
        let app = app(|builder| match case.proxies() {
            Some(proxies) => builder.trusted_proxies(proxies),
            None => builder,
        });
        let mut browser = Browser::new(&app);
        browser.ip = case.peer;
        let lines: Vec<_> = lines.iter().map(|(n, v)| (*n, v.as_slice())).collect();
        let listed = login(&mut browser, &lines).await;
        let expected = case.expected.map(|ip| ip.to_string()).unwrap_or_default();
        assert_eq!(listed["ip"], expected, "{}", case.name);
    }
    // What HTTP cannot carry has control characters in it, and says so.
    assert_eq!(not_http.len(), 5, "{not_http:?}");
}

#[tokio::test]
async fn header_is_ignored_unless_proxies_are_trusted() {
    let spoofed: [(&str, &[u8]); 3] = [
        (XFF, b"203.0.113.9"),
        ("forwarded", b"for=203.0.113.9"),
        ("x-real-ip", b"203.0.113.9"),
    ];
    let mut browser = Browser::new(&app(|b| b));
    assert_eq!(login(&mut browser, &spoofed).await["ip"], "192.0.2.1");

    let mut browser = Browser::new(&app(|b| b.trusted_proxies(proxy())));
    assert_eq!(login(&mut browser, &spoofed).await["ip"], "203.0.113.9");

    let app = app(|b| b.trusted_proxies(proxy().header(ForwardingHeader::Forwarded)));
    let mut browser = Browser::new(&app);
    assert_eq!(
        login(&mut browser, &[(XFF, b"198.51.100.7"), spoofed[1]]).await["ip"],
        "203.0.113.9"
    );
}

#[tokio::test]
async fn derived_manager_trusts_the_same_proxies() {
    let manager = build(MemoryStore::new(), &clock(), |b| b.trusted_proxies(proxy()));
    let derived = manager.derive().build().unwrap();
    let mut browser = Browser::new(&support::app(&derived));
    let listed = login(&mut browser, &[(XFF, b"203.0.113.9")]).await;
    assert_eq!(listed["ip"], "203.0.113.9");
}

#[tokio::test]
async fn peer_of_another_server_may_be_a_proxy_too() {
    async fn login(sessions: Sessions) -> String {
        let session = sessions.init("ann").await.unwrap();
        session
            .client
            .ip
            .map_or_else(String::new, |ip| ip.to_string())
    }
    let manager = build(MemoryStore::new(), &clock(), |b| b.trusted_proxies(proxy()));
    let app = Router::new()
        .route("/login", axum::routing::post(login))
        .layer(manager.public());
    for (peer, expected) in [
        ([192, 0, 2, 1], "203.0.113.9"),
        ([192, 0, 2, 2], "192.0.2.2"),
    ] {
        let request = Request::post("/login").header(XFF, "203.0.113.9");
        let mut request = request.body(Body::empty()).unwrap();
        let peer = PeerAddr::new(SocketAddr::from((peer, 50_000)));
        request.extensions_mut().insert(peer);
        assert_eq!(support::send(&app, request).await.body, expected);
    }
}

#[tokio::test]
async fn address_that_cannot_be_read_is_a_mismatch() {
    let app = app(|b| b.trusted_proxies(proxy()).validate(OnMismatch::Refuse));
    for garbage in ["garbage", "unknown", "_hidden", "", "203.0.113.9, "] {
        // At the login: from elsewhere, from anywhere, and by the same garbage again.
        let mut browser = Browser::new(&app);
        let request = Request::post("/login/ann").header(XFF, garbage);
        assert_eq!(browser.send(request).await.status, 200, "{garbage:?}");
        for elsewhere in ["198.51.100.7", "203.0.113.9", garbage] {
            let status = use_over(&mut browser, elsewhere).await;
            assert_eq!(status, 401, "{garbage:?} {elsewhere:?}");
        }

        // At the use.
        let mut browser = Browser::new(&app);
        let request = Request::post("/login/ann").header(XFF, "203.0.113.9");
        assert_eq!(browser.send(request).await.status, 200);
        assert_eq!(use_over(&mut browser, garbage).await, 401, "{garbage:?}");
        assert_eq!(use_over(&mut browser, "203.0.113.9").await, 200);
    }
}

#[tokio::test]
async fn every_policy_answers_every_change_behind_a_proxy() {
    // Policy; the answer to the change; the answer to the client as it was, afterwards.
    let policies = [
        (OnMismatch::Ignore, 200, 200),
        (OnMismatch::Report, 200, 200),
        (OnMismatch::Refuse, 401, 200),
        (OnMismatch::Revoke, 401, 401),
    ];
    let changes = [
        ("address", "198.51.100.7", FIREFOX),
        ("no address", "unknown", FIREFOX),
        ("agent", "203.0.113.9", SAFARI),
        ("no agent", "203.0.113.9", ""),
        ("both", "198.51.100.7", SAFARI),
    ];
    for (policy, answer, afterwards) in policies {
        let app = app(|b| b.trusted_proxies(proxy()).validate(policy));
        for (change, forwarded, agent) in changes {
            let mut browser = Browser::new(&app);
            let request = Request::post("/login/ann").header(XFF, "203.0.113.9");
            assert_eq!(browser.send(request).await.status, 200);

            browser.agent = agent.into();
            let status = use_over(&mut browser, forwarded).await;
            assert_eq!(status, answer, "{policy:?} {change}");
            browser.agent = FIREFOX.into();
            let status = use_over(&mut browser, "203.0.113.9").await;
            assert_eq!(status, afterwards, "{policy:?} {change}");
        }
    }
}

#[tokio::test]
async fn change_of_the_client_is_logged_whatever_the_policy() {
    let policies = [
        (OnMismatch::Ignore, 0),
        (OnMismatch::Report, 1),
        (OnMismatch::Refuse, 1),
        (OnMismatch::Revoke, 1),
    ];
    for (policy, events) in policies {
        let app = app(|b| b.trusted_proxies(proxy()).validate(policy));
        let mut browser = Browser::new(&app);
        let request = Request::post("/login/ann").header(XFF, "203.0.113.9");
        let id = browser.send(request).await.body;

        let (log, _guard) = Log::listen();
        use_over(&mut browser, "unknown").await;

        let log = log.take();
        let refused = policy != OnMismatch::Report;
        let message = if refused {
            "no session"
        } else {
            "client changed"
        };
        let reason = if refused { " reason=\"mismatch\"" } else { "" };
        let expected = format!("WARN message={message} id={id}{reason} mismatch=\"ip\"");
        let found = log.iter().filter(|line| **line == expected);
        assert_eq!(found.count(), events, "{policy:?} {log:#?}");
    }
}

#[tokio::test]
async fn truncated_address_is_all_that_is_kept_and_compared() {
    let app = app(|b| b.truncate_ip().validate(OnMismatch::Refuse));
    let cases = [
        ("192.0.2.7", "192.0.2.0", "192.0.2.250", "192.0.3.7"),
        (
            "2001:db8:1:2::3",
            "2001:db8:1::",
            "2001:db8:1:ffff::1",
            "2001:db8:2:2::3",
        ),
    ];
    let ip = |text: &str| text.parse::<IpAddr>().ok();
    for (address, kept, near, far) in cases {
        let mut browser = Browser::new(&app);
        browser.ip = ip(address);
        assert_eq!(login(&mut browser, &[]).await["ip"], kept);
        for (other, status) in [(ip(near), 200), (ip(far), 401), (None, 401)] {
            browser.ip = other;
            let reply = browser.get("/private").await;
            assert_eq!(reply.status, status, "{address} {other:?}");
        }
    }
}

#[tokio::test]
async fn order_of_the_settings_does_not_matter() {
    let orders: [fn(ManagerBuilder) -> ManagerBuilder; 2] = [
        |b| b.truncate_ip().with_ip(true).with_agent(true),
        |b| b.with_agent(true).with_ip(true).truncate_ip(),
    ];
    for order in orders {
        let listed = login(&mut Browser::new(&app(order)), &[]).await;
        assert_eq!(listed["ip"], "192.0.2.0");
        assert_eq!(listed["agent"]["os"], "Linux");
    }
    let nothing = app(|b| b.with_ip(false).truncate_ip());
    assert_eq!(login(&mut Browser::new(&nothing), &[]).await["ip"], "");
}

#[tokio::test]
async fn listed_agent_is_what_the_corpus_says() {
    let app = app(|b| b);
    let mut not_http = Vec::new();
    for case in UserAgent::all() {
        let Ok(header) = HeaderValue::from_bytes(&case.header()) else {
            not_http.push(case.name);
            continue;
        };
        let request = Request::post("/login/ann").header(USER_AGENT, header);
        let reply = support::send(&app, request.body(Body::empty()).unwrap()).await;
        let cookie = reply.set_cookies()[0].split(';').next().unwrap().to_owned();

        let request = Request::get("/devices").header("cookie", cookie);
        let request = request.body(Body::empty()).unwrap();
        let devices = support::send(&app, request).await.json();
        let agent = &current(&devices)["agent"];
        assert_eq!(agent["os"], case.os, "{}", case.name);
        assert_eq!(agent["browser"], case.browser, "{}", case.name);
        assert_eq!(
            agent.get("version").and_then(|v| v.as_u64()),
            case.version.map(u64::from),
            "{}",
            case.name
        );
        assert!(agent.to_string().len() < 256, "{}", case.name);
    }
    assert_eq!(not_http.len(), 6, "{not_http:?}");
}

/// A parser that keeps what it is given, and gives it back as a name.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Vec<u8>>>>);

impl Recorder {
    fn parse(&self, header: &[u8]) -> Agent {
        self.0.lock().unwrap().push(header.to_vec());
        let text = String::from_utf8_lossy(header);
        Agent::new(text.clone(), text)
    }

    fn asked(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn parser_of_the_application_is_asked_late_and_for_little() {
    let recorder = Recorder::default();
    let parser = recorder.clone();
    let app = app(|b| b.agent_parser(move |header| parser.parse(header)));
    let mut browser = Browser::new(&app);
    browser.agent = format!("{}\u{1f980}{}", "-".repeat(510), "x".repeat(1 << 20));

    browser.get("/static").await;
    browser.get("/private").await;
    assert!(recorder.asked().is_empty());

    let agent = login(&mut browser, &[]).await["agent"].clone();
    assert_eq!(agent["os"], "-".repeat(Agent::MAX_NAME_BYTES));
    assert_eq!(agent["browser"], "-".repeat(Agent::MAX_NAME_BYTES));
    // Cut within the crab.
    let cut = [&[b'-'; 510], "\u{1f980}".as_bytes().split_at(2).0].concat();
    assert_eq!(recorder.asked(), [cut]);

    browser.get("/private").await;
    assert_eq!(recorder.asked().len(), 1);
}

#[tokio::test]
async fn parser_of_the_application_is_not_asked_about_nothing() {
    let recorder = Recorder::default();
    let parser = recorder.clone();
    let manager = build(MemoryStore::new(), &clock(), |b| {
        b.agent_parser(move |header| parser.parse(header))
    });
    let request = Request::post("/login/ann").body(Body::empty()).unwrap();
    support::app(&manager).oneshot(request).await.unwrap();
    let incurious = manager.derive().with_agent(false).build().unwrap();
    let listed = login(&mut Browser::new(&support::app(&incurious)), &[]).await;
    assert_eq!(listed["agent"]["browser"], "");
    assert!(recorder.asked().is_empty());
}

#[tokio::test]
async fn parser_of_the_application_decides_about_mismatches() {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    let app = app(|b| {
        b.validate(OnMismatch::Refuse).agent_parser(move |header| {
            counting.fetch_add(1, Ordering::SeqCst);
            Agent::new("any", if header.is_ascii() { "ascii" } else { "" })
        })
    });
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    browser.agent = SAFARI.into();
    assert_eq!(browser.get("/private").await.status, 200);
    browser.agent = "\u{e9}".into();
    assert_eq!(browser.get("/private").await.status, 401);
    assert_eq!(count.load(Ordering::SeqCst), 3);
}
