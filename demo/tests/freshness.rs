//! What a screen that was left open is not good for.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::time::Duration;

use demo::app::FRESH_WITHIN;
use sessionup::{ManualClock, Timestamp};
use support::browser::{Browser, FIREFOX, SAFARI};
use support::in_process::InProcess;

const ANNS: &str = "correct horse battery";

fn clock() -> ManualClock {
    ManualClock::at(Timestamp::from_millis(1_795_286_345_000))
}

/// Ann at her desk, and her telephone.
fn two_devices(app: &InProcess) -> (Browser, Browser) {
    let mut desk = Browser::new(&app.address, FIREFOX);
    desk.register("ann", ANNS);
    let mut phone = Browser::new(&app.address, SAFARI);
    phone.log_in("ann", ANNS);
    (desk, phone)
}

#[test]
fn devices_are_logged_out_by_those_alone_who_gave_their_password_just_now() {
    let clock = clock();
    let app = InProcess::at(&clock);
    let (mut desk, mut phone) = two_devices(&app);
    let phones = format!("/devices/{}/revoke", phone.id());
    clock.advance(FRESH_WITHIN);

    for path in ["/devices/revoke-other", "/devices/revoke-all", &phones] {
        let answer = desk.post(path, &[]);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("action=\"/confirm\""), "{path}");
        assert_eq!(answer.cookie(), None, "{path}");
    }
    let own = [("sec-fetch-site", "same-origin")];
    let answer = desk.send("POST", "/api/sessions/revoke-other", &own, None);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.text(), r#"{"error":"authentication is too old"}"#);
    assert!(phone.is_logged_in());

    let wrong = desk.post("/confirm", &[("password", "wrong")]);
    assert_eq!(wrong.status, 422);
    assert_eq!(desk.post("/devices/revoke-other", &[]).status, 403);

    let before = desk.cookie();
    let right = desk.post("/confirm", &[("password", ANNS)]);
    right.assert_redirect("/devices?confirmed");
    assert_ne!(desk.cookie(), before);
    let answer = desk.post("/devices/revoke-other", &[]);
    answer.assert_redirect("/devices?logged-out-others");
    assert!(!phone.is_logged_in());
}

#[test]
fn everything_else_goes_on_and_so_does_the_logout() {
    let clock = clock();
    let app = InProcess::at(&clock);
    let (mut desk, mut phone) = two_devices(&app);
    clock.advance(FRESH_WITHIN + Duration::from_secs(3_600));

    assert_eq!(desk.get("/devices").status, 200);
    assert_eq!(desk.get("/password").status, 200);
    desk.post("/logout", &[]).assert_redirect("/");
    assert!(!desk.is_logged_in());
    assert!(phone.is_logged_in());
}

#[test]
fn administrator_who_logged_in_earlier_is_refused() {
    let clock = clock();
    let app = InProcess::administrated(&clock, "ann");
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", ANNS);
    let path = "/api/admin/sessions?user_key=ann";
    assert_eq!(ann.get(path).status, 200);
    clock.advance(FRESH_WITHIN - Duration::from_millis(1));
    assert_eq!(ann.get(path).status, 200);

    clock.advance(Duration::from_millis(1));
    assert_eq!(ann.get(path).status, 403);
    let own = [("sec-fetch-site", "same-origin")];
    let revoke = "/api/admin/sessions/revoke-all?user_key=ann";
    assert_eq!(ann.send("POST", revoke, &own, None).status, 403);

    ann.post("/confirm", &[("password", ANNS)])
        .assert_redirect("/devices?confirmed");
    assert_eq!(ann.get(path).status, 200);
}

#[test]
fn stranger_is_not_asked_to_confirm() {
    let app = InProcess::start();
    let mut stranger = Browser::new(&app.address, FIREFOX);
    stranger.get("/confirm").assert_redirect("/login");
    let answer = stranger.post("/confirm", &[("password", ANNS)]);
    answer.assert_redirect("/login");
}
