//! Pages of others that make a browser send requests to the demo.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::Value;

use super::chromium::Chromium;
use super::devices::Stage;
use super::support::serve::Served;

/// A page with a form to each path, and the hosts it is reached by.
fn attacker(target: &str) -> Served {
    let form = |path: &str| {
        format!(
            "<form id='{}' method=post action='{target}{path}'>\
             <input name=name value=mallory><input name=password value='mallory mallory'>\
             <button>Win a prize</button></form>",
            path.replace('/', "-")
        )
    };
    let forms = [
        "/login",
        "/register",
        "/logout",
        "/devices/revoke-all",
        "/password",
    ]
    .map(form);
    let page = forms.concat();
    let sandboxed = format!(
        "<iframe sandbox='allow-forms allow-top-navigation' srcdoc=\"{}\"></iframe>",
        page.replace('"', "&quot;")
            .replace("method=post", "method=post target=_top")
    );
    let images = format!("<img src='{target}/logout'><img src='{target}/devices/revoke-all'>");
    Served::new(
        Router::new()
            .route("/", get(async || Html(page)))
            .route("/sandboxed", get(async || Html(sandboxed)))
            .route("/images", get(async || Html(images))),
    )
}

fn assert_still_ann(browser: &Chromium, target: &str) {
    browser.open(&format!("{target}/devices"));
    assert_eq!(browser.path(), "/devices");
    assert!(browser.text().contains("Here ann is logged in"));
    assert_eq!(browser.count("ul.devices > li"), 2);
}

/// A page of another site, and one of the same site on another port.
const HOSTS: [&str; 2] = ["127.0.0.1", "localhost"];

#[test]
#[ignore = "needs chromium and chromedriver"]
fn forms_of_others_change_nothing() {
    let stage = &Stage::new();
    let (laptop, target) = (&stage.laptop, stage.server.address());
    let attacker = attacker(target);
    for host in HOSTS {
        for form in [
            "-login",
            "-register",
            "-logout",
            "-devices-revoke-all",
            "-password",
        ] {
            laptop.open(&attacker.url(host));
            laptop.click(&format!("#{form} button"));
            let text = laptop.text();
            assert!(text.contains("another site"), "{host} {form}: {text}");
            assert_still_ann(laptop, target);
        }
    }
}

/// Of a sandboxed frame the browser says `Origin: null`.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn forms_of_an_origin_that_is_null_change_nothing() {
    let stage = &Stage::new();
    let (laptop, target) = (&stage.laptop, stage.server.address());
    let attacker = attacker(target);
    for host in HOSTS {
        laptop.open(&format!("{}/sandboxed", attacker.url(host)));
        laptop.click_in_frame("iframe", "#-devices-revoke-all button");
        let text = laptop.text();
        assert!(text.contains("another site"), "{host}: {text}");
        assert_still_ann(laptop, target);
    }
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn images_of_others_change_nothing() {
    let stage = &Stage::new();
    let (laptop, target) = (&stage.laptop, stage.server.address());
    let attacker = attacker(target);
    for host in HOSTS {
        laptop.open(&format!("{}/images", attacker.url(host)));
        assert_eq!(laptop.count("img"), 2);
        assert_still_ann(laptop, target);
    }
}

/// No form of others logs a stranger in, so that they would write into an attacker's account.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn forms_of_others_log_nobody_in() {
    let home = super::support::server::Home::new();
    let server = home.start();
    let attacker = attacker(server.address());
    let stranger = Chromium::start();
    for host in HOSTS {
        for form in ["-register", "-login"] {
            stranger.open(&attacker.url(host));
            stranger.click(&format!("#{form} button"));
            assert!(stranger.text().contains("another site"), "{host} {form}");
            assert_eq!(stranger.jar(), [] as [Value; 0], "{host} {form}");
        }
    }
}
