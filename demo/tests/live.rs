//! Pages that are open somewhere learn that they were logged out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::io::{BufRead, BufReader};

use support::browser::{Browser, COOKIE_NAME, FIREFOX, SAFARI, agent};
use support::in_process::InProcess;
use ureq::http::Request;

const ANNS: &str = "correct horse battery";

/// Opens the stream of a browser and waits until the server has begun it.
fn open(app: &InProcess, browser: &Browser) -> impl BufRead + use<> {
    let cookie = format!("{COOKIE_NAME}={}", browser.cookie().unwrap());
    let request = Request::get(format!("{}/devices/live", app.address));
    let request = request.header("cookie", cookie).body(()).unwrap();
    let response = agent().run(request).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["vary"], "Cookie");
    let mut events = BufReader::new(response.into_body().into_reader());
    let mut first = String::new();
    events.read_line(&mut first).unwrap();
    assert_eq!(first, ": open\n");
    events
}

fn rest(mut events: impl BufRead) -> String {
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn open_page_learns_at_once_that_it_was_logged_out() {
    let app = InProcess::start();
    let mut desk = Browser::new(&app.address, FIREFOX);
    desk.register("ann", ANNS);
    let mut phone = Browser::new(&app.address, SAFARI);
    type End = fn(&mut Browser, &mut Browser);
    let ends: [(&str, End); 3] = [
        ("by id", |desk, phone| {
            let path = format!("/devices/{}/revoke", phone.id());
            desk.post(&path, &[]).assert_redirect("/devices?logged-out");
        }),
        ("with all others", |desk, _| {
            let answer = desk.post("/devices/revoke-other", &[]);
            answer.assert_redirect("/devices?logged-out-others");
        }),
        ("by itself", |_, phone| {
            phone.post("/logout", &[]).assert_redirect("/");
        }),
    ];
    for (case, end) in ends {
        phone.log_in("ann", ANNS);
        let events = open(&app, &phone);

        end(&mut desk, &mut phone);

        let rest = rest(events);
        let told = rest.ends_with("event: revoked\ndata: log in again\n\n");
        assert!(told, "{case}: {rest:?}");
        assert!(desk.is_logged_in(), "{case}");
    }
}

#[test]
fn stream_without_a_session_is_refused() {
    let app = InProcess::start();
    let mut stranger = Browser::new(&app.address, FIREFOX);
    stranger.get("/devices/live").assert_redirect("/login");
}
