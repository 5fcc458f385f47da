//! What the builder refuses, the browser refuses too: the cookie would never have arrived.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use sessionup::{Manager, ManagerBuilder, MemoryStore, SameSite};

use super::chromium::Chromium;
use super::support::serve::Served;

type Configure = fn(ManagerBuilder) -> ManagerBuilder;

/// The configuration, and the line that it would have made.
const CASES: [(Configure, &str); 12] = [
    (
        |b| b.path("/x"),
        "__Host-id=v; Path=/x; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__host-id").path("/x"),
        "__host-id=v; Path=/x; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.domain("app.localhost"),
        "__Host-id=v; Path=/; Domain=app.localhost; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Host-id").insecure_http(),
        "__Host-id=v; Path=/; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Secure-id").insecure_http(),
        "__Secure-id=v; Path=/; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__sEcUrE-id").insecure_http(),
        "__sEcUrE-id=v; Path=/; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Http-id").insecure_script_access(),
        "__Http-id=v; Path=/; Secure; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Http-id").insecure_http(),
        "__Http-id=v; Path=/; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Host-Http-id").insecure_script_access(),
        "__Host-Http-id=v; Path=/; Secure; SameSite=Strict",
    ),
    (
        |b| b.cookie_name("__Host-Http-id").path("/x"),
        "__Host-Http-id=v; Path=/x; Secure; HttpOnly; SameSite=Strict",
    ),
    (
        |b| b.insecure_http().same_site(SameSite::None),
        "id=v; Path=/; HttpOnly; SameSite=None",
    ),
    (
        |b| b.insecure_http().partitioned(),
        "id=v; Path=/; HttpOnly; SameSite=Strict; Partitioned",
    ),
];

/// Answers `/n` with line n, whatever it says.
fn serve(lines: Vec<&'static str>) -> Served {
    async fn line(
        State(lines): State<Vec<&'static str>>,
        Path(n): Path<usize>,
    ) -> impl IntoResponse {
        ([(SET_COOKIE, lines[n])], "text")
    }
    Served::new(Router::new().route("/{n}", get(line)).with_state(lines))
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn what_the_builder_refuses_the_browser_refuses() {
    let browser = Chromium::start();
    let accepted = "__Host-id=v; Path=/; Secure; HttpOnly; SameSite=Strict";
    let lines = CASES.iter().map(|(_, line)| *line).chain([accepted]);
    let served = serve(lines.collect());
    for (n, (configure, line)) in CASES.iter().enumerate() {
        let built = configure(evidence::watch(Manager::builder(MemoryStore::new()))).build();
        assert!(built.is_err(), "{line}");
        browser.open(&format!("{}/{n}", served.url("app.localhost")));
        assert_eq!(browser.jar(), [] as [Value; 0], "{line}");
    }

    let last = CASES.len();
    browser.open(&format!("{}/{last}", served.url("app.localhost")));
    assert_eq!(browser.cookie()["name"], "__Host-id");
}
