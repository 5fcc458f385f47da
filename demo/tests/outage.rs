//! What users see while the store cannot be asked.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use support::browser::{Browser, FIREFOX};
use support::in_process::InProcess;

#[test]
fn outage_is_not_a_logout() {
    let app = InProcess::start();
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", "correct horse battery");
    app.close_store();

    let password = [("current_password", "x"), ("new_password", "y")];
    let answers = [
        ("home", ann.get("/")),
        ("devices", ann.get("/devices")),
        ("password", ann.get("/password")),
        ("revoke", ann.post("/devices/revoke-all", &[])),
        ("change", ann.post("/password", &password)),
        ("logout", ann.post("/logout", &[])),
        ("login", ann.try_to_log_in("ann", "correct horse battery")),
    ];

    for (case, answer) in answers {
        assert_eq!(answer.status, 503, "{case}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{case}");
        assert_eq!(answer.cookie(), None, "{case}");
        assert!(answer.text().contains("Please try again"), "{case}");
    }
    assert!(ann.cookie().is_some());
}

#[test]
fn programs_are_told_of_an_outage_in_json() {
    let app = InProcess::start();
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", "correct horse battery");
    app.close_store();

    let answer = ann.get_json("/devices");

    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.text(), r#"{"error":"service unavailable"}"#);
}

#[test]
fn pages_that_ask_for_no_session_go_on() {
    let app = InProcess::start();
    app.close_store();
    let mut stranger = Browser::new(&app.address, FIREFOX);

    for path in ["/", "/login", "/register", "/style.css"] {
        assert_eq!(stranger.get(path).status, 200, "{path}");
    }
    stranger.get("/devices").assert_redirect("/login");
}
