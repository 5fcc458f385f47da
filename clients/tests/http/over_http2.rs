//! The demo over HTTP/2.

use std::net::SocketAddr;

use http::Request;

use super::client::{Answer, Client, VERSIONS, Version};
use super::support::server::Home;

const FORM: &str = "name=ann&password=correct+horse+battery";

fn form(path: &str) -> http::request::Builder {
    Request::post(path).header("content-type", "application/x-www-form-urlencoded")
}

fn list(cookie: &str) -> http::request::Builder {
    Request::get("/devices")
        .header("accept", "application/json")
        .header("cookie", cookie)
}

fn assert_logged_in(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(answer.headers["location"], "/devices?logged-in");
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.cookie()
}

#[tokio::test]
async fn one_account_over_both_versions_of_http() {
    let home = Home::new();
    let server = home.start();
    let port = server.address().rsplit(':').next().unwrap();
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    let mut over1 = Client::connect(address, Version::Http1).await;
    let mut over2 = Client::connect(address, Version::Http2).await;
    let first = assert_logged_in(&over1.send_with(form("/register"), FORM).await);
    let second = assert_logged_in(&over2.send_with(form("/login"), FORM).await);

    let devices = over2.send(list(&second)).await;
    assert_eq!(devices.status, 200, "{}", devices.body);
    let devices: Vec<serde_json::Value> = serde_json::from_str(&devices.body).unwrap();
    assert_eq!(devices.len(), 2);
    let other = devices.iter().find(|device| device["current"] == false);
    let path = format!("/devices/{}/revoke", other.unwrap()["id"].as_str().unwrap());
    let revoke = over2.send(form(&path).header("cookie", &second)).await;
    assert_eq!(revoke.status, 303, "{}", revoke.body);
    assert!(!revoke.headers.contains_key("set-cookie"));
    assert_eq!(over1.send(list(&first)).await.status, 401);

    let logout = over2.send(form("/logout").header("cookie", &second)).await;
    assert_eq!(logout.cookie(), "__Host-id=");
    assert_eq!(over2.send(list(&second)).await.status, 401);
}

/// What a browser without `Sec-Fetch-Site` sends. HTTP/2 has no `Host`.
#[tokio::test]
async fn own_forms_are_told_by_origin_in_both_versions() {
    let home = Home::new();
    let server = home.start();
    let port = server.address().rsplit(':').next().unwrap();
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    for version in VERSIONS {
        let mut client = Client::connect(address, version).await;
        let cases = [
            (format!("http://{address}"), 303),
            ("http://evil.example".into(), 403),
            ("null".into(), 403),
        ];
        for (origin, expected) in cases {
            let logout = form("/logout").header("origin", &origin);
            let answer = client.send(logout).await;
            assert_eq!(answer.status, expected, "{version:?} {origin}");
        }
    }
}
