//! The program at the top of the README: that it is the example, and that it works.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

// Its `main` serves until it is stopped, and is not called.
#[allow(dead_code, unreachable_pub)]
#[path = "../examples/readme.rs"]
mod program;
mod support;

use std::path::Path;

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{CONTENT_TYPE, COOKIE};
use sessionup::MemoryStore;
use support::{Reply, manager, send};

#[test]
fn first_program_of_readme_is_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("../../README.md")).unwrap();
    let example = std::fs::read_to_string(root.join("examples/readme.rs")).unwrap();
    let (_, block) = readme.split_once("```rust,no_run\n").unwrap();
    let (block, _) = block.split_once("```\n").unwrap();
    assert_eq!(block, example);
}

async fn ask(app: &Router, method: &str, path: &str, cookie: &str, body: &str) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("sec-fetch-site", "same-origin")
        .header(COOKIE, cookie)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn program_of_readme_logs_in_lists_and_logs_out() {
    let app = program::app(&manager(MemoryStore::new()));
    let home = ask(&app, "GET", "/", "", "").await;
    assert_eq!(home.status, 200);
    assert!(home.body.contains("action=\"/login\""), "{}", home.body);
    assert_eq!(ask(&app, "GET", "/devices", "", "").await.status, 401);

    let login = ask(&app, "POST", "/login", "", "name=ann").await;
    assert_eq!(login.header("location"), Some("/devices"));
    let cookie = login.set_cookies()[0].split_once(';').unwrap().0;
    let devices = ask(&app, "GET", "/devices", cookie, "").await.json();
    assert_eq!(devices[0]["current"], true);

    // The second time there is no session any more, and it is as good as the first.
    for _ in 0..2 {
        let logout = ask(&app, "POST", "/logout", cookie, "").await;
        assert_eq!(logout.header("location"), Some("/"));
        assert!(logout.set_cookies()[0].contains("Max-Age=0"));
    }
    assert_eq!(ask(&app, "GET", "/devices", cookie, "").await.status, 401);
}

#[tokio::test]
async fn program_of_readme_refuses_other_sites() {
    let app = program::app(&manager(MemoryStore::new()));
    let request = Request::post("/login")
        .header("sec-fetch-site", "cross-site")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let reply = send(&app, request.body(Body::from("name=ann")).unwrap()).await;
    assert_eq!(reply.status, 403);
}
