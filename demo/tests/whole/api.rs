//! The API for programs.

use serde_json::Value;

use super::support::browser::{Answer, Browser, FIREFOX};
use super::support::server::Home;

use super::cast::{ANNS, Cast};

const OWN: [(&str, &str); 1] = [("sec-fetch-site", "same-origin")];

fn json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn post(browser: &mut Browser, path: &str) -> Answer {
    browser.send("POST", path, &OWN, None)
}

#[test]
fn devices_are_listed_and_logged_out() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let list = cast.ann.get("/api/sessions");
    assert_eq!(list.status, 200);
    assert_eq!(list.header("cache-control"), Some("no-store"));
    assert_eq!(json(&list), Value::from(cast.ann.devices()));

    let phone = cast.anns_phone.id();
    let path = format!("/api/sessions/{phone}");
    assert_eq!(cast.bob.send("DELETE", &path, &OWN, None).status, 404);
    assert_eq!(cast.logged_in(), [true; 4]);
    assert_eq!(cast.ann.send("DELETE", &path, &OWN, None).status, 204);
    assert_eq!(cast.logged_in(), [true, false, true, true]);

    let answer = post(&mut cast.bob, "/api/sessions/revoke-other");
    assert_eq!(answer.text(), r#"{"revoked":1}"#);
    let answer = post(&mut cast.bob, "/api/sessions/logout");
    assert_eq!(answer.status, 204);
    assert!(answer.header("clear-site-data").is_some());
    assert_eq!(cast.bob.cookie(), None);
    assert_eq!(cast.logged_in(), [true, false, false, false]);
}

#[test]
fn refusals_are_json() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let evil = [("origin", "https://evil.example")];
    let answer = cast
        .ann
        .send("POST", "/api/sessions/revoke-all", &evil, None);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.text(), r#"{"error":"cross-site request"}"#);
    assert_eq!(cast.logged_in(), [true; 4]);
    let answer = cast.ann.get("/api/sessions/revoke-all");
    assert_eq!(answer.status, 405);
    assert_eq!(answer.text(), r#"{"error":"method not allowed"}"#);
    let answer = cast.ann.without_cookie().get("/api/sessions");
    assert_eq!(answer.status, 401);
    assert_eq!(answer.text(), r#"{"error":"unauthorized"}"#);
}

#[test]
fn administration_is_there_only_if_asked_for_and_for_nobody_else() {
    let path = "/api/admin/sessions?user_key=bob";
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    assert_eq!(cast.ann.get(path).status, 404);
    let description = json(&cast.ann.get("/api/openapi.json"));
    assert!(description["paths"]["/api/sessions"].is_object());
    assert!(description["paths"]["/api/admin/sessions"].is_null());
    server.kill();

    let server = home.start_with(&["--admin", "ann"]);
    cast.go_to(&server);
    assert_eq!(json(&cast.ann.get(path)).as_array().unwrap().len(), 2);
    assert_eq!(cast.bob.get(path).status, 403);
    assert_eq!(cast.ann.without_cookie().get(path).status, 401);
    let revoke = "/api/admin/sessions/revoke-all?user_key=bob";
    assert_eq!(post(&mut cast.bob, revoke).status, 403);
    assert_eq!(cast.logged_in(), [true; 4]);
    assert_eq!(post(&mut cast.ann, revoke).text(), r#"{"revoked":2}"#);
    assert_eq!(cast.logged_in(), [true, true, false, false]);
    let description = json(&cast.ann.get("/api/openapi.json"));
    assert!(description["paths"]["/api/admin/sessions"].is_object());
}

#[test]
fn administration_by_similar_names_is_refused() {
    let home = Home::new();
    let server = home.start();
    Cast::meet(&server);
    server.kill();
    let server = home.start_with(&["--admin", "ann"]);
    for name in ["anna", "an", "Ann", "ANN", "ann b", "\u{e4}nn"] {
        let mut browser = Browser::new(server.address(), FIREFOX);
        browser.register(name, ANNS);
        let answer = browser.get("/api/admin/sessions?user_key=bob");
        assert_eq!(answer.status, 403, "{name}");
    }
}
