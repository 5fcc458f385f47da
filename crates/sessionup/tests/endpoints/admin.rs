//! The endpoints of administrators.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sessionup::endpoints::AdminEndpoints;
use sessionup::{CurrentSession, SameOriginLayer, UserKey};

use super::rows::{FORBIDDEN, METHOD, NOT_FOUND, UNAUTHORIZED, UNAVAILABLE};
use super::stage::{ADMIN, Stage, administration, ask, follow};
use super::support::MARKER;

const ANYTHING: [(&str, &str); 9] = [
    ("GET", "/admin/sessions?user_key=ann"),
    ("GET", "/admin/sessions"),
    ("HEAD", "/admin/sessions?user_key=ann"),
    ("POST", "/admin/sessions/revoke-all?user_key=ann"),
    ("GET", "/admin/sessions/revoke-all?user_key=ann"),
    ("DELETE", "/admin/sessions/{current}"),
    ("DELETE", "/admin/sessions/x"),
    ("OPTIONS", "/admin/sessions"),
    ("GET", "/admin/sessions/a/b"),
];

#[tokio::test]
async fn nothing_is_reached_without_the_guards_yes() {
    let cases: [(&str, Result<bool, &str>, u16, &str); 2] = [
        ("no", Ok(false), 403, FORBIDDEN),
        ("cannot tell", Err(MARKER), 503, UNAVAILABLE),
    ];
    for (name, verdict, status, body) in cases {
        let mut stage = Stage::with(|manager, app| {
            let guard = move |_| async move { verdict };
            app.nest(ADMIN, AdminEndpoints::new(manager, guard).router())
        })
        .await;
        for (method, path) in ANYTHING {
            let path = stage.path(path);
            let reply = ask(&mut stage.root, method, &path).await;
            assert_eq!(reply.status, status, "{name}: {method} {path}");
            let body = if method == "HEAD" { "" } else { body };
            assert_eq!(reply.body, body, "{name}: {method} {path}");
            assert!(!format!("{:?}", reply.headers).contains(MARKER));
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
        assert_eq!(stage.logged_in().await, [true; 4], "{name}");
    }
}

#[tokio::test]
async fn guard_is_asked_of_every_request_with_a_session_and_of_no_other() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let mut stage = Stage::with(|manager, app| {
        let guard = move |session: CurrentSession| {
            count.fetch_add(1, Ordering::SeqCst);
            async move { session.user_key.as_str() == "root" }
        };
        app.nest(ADMIN, AdminEndpoints::new(manager, guard).router())
    })
    .await;
    for (method, path) in ANYTHING {
        for browser in [&mut stage.stranger, &mut stage.dead] {
            let reply = ask(browser, method, path).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            let body = if method == "HEAD" { "" } else { UNAUTHORIZED };
            assert_eq!(reply.body, body, "{method} {path}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    for expected in 1..3 {
        let reply = stage.root.get("/admin/sessions?user_key=ann").await;
        assert_eq!(reply.status, 200);
        assert_eq!(asked.load(Ordering::SeqCst), expected);
    }
    assert_eq!(stage.ann.get("/admin/sessions").await.status, 403);
}

#[tokio::test]
async fn administrators_see_and_revoke_those_they_name() {
    let mut stage = Stage::new().await;
    let list = stage.root.get("/admin/sessions?user_key=ann").await.json();
    let ids: Vec<_> = list.as_array().unwrap().iter().map(|s| &s["id"]).collect();
    assert_eq!(ids, [&stage.path("{current}"), &stage.path("{other}")]);
    let own = stage.root.get("/admin/sessions?user_key=root").await.json();
    assert_eq!(own[0]["current"], false);

    let path = stage.path("/admin/sessions/{other}");
    assert_eq!(ask(&mut stage.root, "DELETE", &path).await.status, 204);
    assert_eq!(stage.logged_in().await, [true, false, true, true]);
    assert_eq!(ask(&mut stage.root, "DELETE", &path).await.status, 404);

    let reply = stage
        .root
        .post("/admin/sessions/revoke-all?user_key=bob")
        .await;
    assert_eq!(reply.body, r#"{"revoked":1}"#);
    assert!(reply.set_cookies().is_empty());
    assert_eq!(stage.logged_in().await, [true, false, false, true]);
}

#[tokio::test]
async fn admin_revoke_under_path_with_own_id_ends_session() {
    let mut stage = Stage::with(|manager, app| {
        app.nest("/tenants/{id}/sessions", administration(manager).router())
    })
    .await;
    let path = stage.path("/tenants/7/sessions/{bobs}");
    let reply = ask(&mut stage.root, "DELETE", &path).await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(stage.logged_in().await, [true, true, false, true]);
}

#[tokio::test]
async fn revoking_ones_own_removes_the_cookie() {
    for (method, path) in [
        ("DELETE", "/admin/sessions/{roots}"),
        ("POST", "/admin/sessions/revoke-all?user_key=root"),
    ] {
        let mut stage = Stage::new().await;
        let path = stage.path(path);
        let reply = ask(&mut stage.root, method, &path).await;
        assert!(reply.status.is_success(), "{path}");
        assert_eq!(reply.set_cookies().len(), 1, "{path}");
        assert_eq!(stage.root.cookie, None, "{path}");
        assert_eq!(stage.logged_in().await, [true, true, true, false], "{path}");
    }
}

#[tokio::test]
async fn admin_list_in_pages_keeps_the_user() {
    let key = "a/\u{e9} &=?#%+\"<>";
    let mut stage = Stage::new().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let sessions = stage.manager.sessions([], sessionup::Peer::default());
        all.push(sessions.init(key).await.unwrap().id.to_string());
    }
    all.sort();
    let query: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let query = format!("?limit=1&user_key={query}");
    let (ids, pages) = follow(&mut stage.root, ADMIN, &query).await;
    assert_eq!(ids, all);
    assert!(pages >= 3, "{pages}");
}

#[tokio::test]
async fn users_are_named_by_any_text() {
    let longest = "k".repeat(UserKey::MAX_BYTES);
    for key in [
        "/",
        ".",
        "..",
        "a/../b",
        "ann+spam@example.org",
        "100 %",
        "a&b=c",
        "\u{e9}",
        "\u{202e}",
        "?#;",
        "a\r\nb",
        &longest,
    ] {
        let mut stage = Stage::new().await;
        let sessions = stage.manager.sessions([], sessionup::Peer::default());
        let id = sessions.init(key).await.unwrap().id;
        let query: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();

        let path = format!("/admin/sessions?user_key={query}");
        let list = stage.root.get(&path).await.json();
        assert_eq!(list.as_array().unwrap().len(), 1, "{key:?}");
        assert_eq!(list[0]["id"], id.to_string(), "{key:?}");

        let path = format!("/admin/sessions/revoke-all?user_key={query}");
        let reply = stage.root.post(&path).await;
        assert_eq!(reply.body, r#"{"revoked":1}"#, "{key:?}");
        assert_eq!(stage.logged_in().await, [true; 4], "{key:?}");
    }
}

#[tokio::test]
async fn administrators_are_told_of_wrong_methods_and_paths() {
    let mut stage = Stage::new().await;
    let reply = stage.root.get("/admin/sessions/revoke-all").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (405, METHOD));
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = stage.root.get("/admin/sessions/a/b").await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (404, NOT_FOUND));
}

#[tokio::test]
async fn pages_of_a_trusted_origin_may_revoke() {
    let origin = "https://admin.example.org";
    let mut stage = Stage::with(|manager, app| {
        let layer = SameOriginLayer::new().trust(origin).unwrap();
        app.nest(ADMIN, administration(manager).same_origin(layer).router())
    })
    .await;
    for (origin, status) in [("https://evil.example", 403), (origin, 200)] {
        let request = http::Request::post("/admin/sessions/revoke-all?user_key=bob")
            .header("sec-fetch-site", "same-site")
            .header("origin", origin);
        assert_eq!(stage.root.send(request).await.status, status, "{origin}");
    }
}
