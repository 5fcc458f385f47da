//! The endpoints of users.

use axum::Router;
use axum::routing::get;
use http::Request;
use serde_json::json;
use sessionup::{ClearSiteData, SameOriginLayer, SessionLayers};

use super::rows::{METHOD, NOT_FOUND};
use super::stage::{OWN, Stage, ask, follow, users};
use super::support::{Browser, COOKIE_NAME, send};

#[tokio::test]
async fn list_has_ones_own_sessions_and_marks_the_current_one() {
    let mut stage = Stage::new().await;

    let list = stage.ann.get("/sessions?user_key=bob").await.json();

    let device = |current: bool, id: &str, time: &str, agent: serde_json::Value| {
        json!({
            "current": current,
            "created_at": format!("2026-11-21T{time}Z"),
            "expires_at": format!("2026-11-22T{time}Z"),
            "last_seen_at": format!("2026-11-21T{time}Z"),
            "id": stage.path(id),
            "ip": "192.0.2.1",
            "agent": agent,
            "meta": {"permission": "write"},
        })
    };
    let firefox = json!({"os": "Linux", "browser": "Firefox", "version": 140, "kind": "desktop"});
    let safari = json!({"os": "iOS", "browser": "Safari", "version": 26, "kind": "mobile"});
    let expected = json!([
        device(true, "{current}", "18:39:05", firefox),
        device(false, "{other}", "18:39:06", safari),
    ]);
    assert_eq!(list, expected);
}

#[tokio::test]
async fn list_in_pages_has_each_session_once() {
    let mut stage = Stage::new().await;
    let all = [stage.path("{current}"), stage.path("{other}")];
    let (ids, pages) = follow(&mut stage.ann, OWN, "?limit=1").await;
    assert_eq!(ids, all);
    assert!(pages >= 2, "{pages}");
    let (ids, pages) = follow(&mut stage.ann, OWN, "").await;
    assert_eq!((ids, pages), (all.to_vec(), 1));
}

#[tokio::test]
async fn page_behind_revoked_session_begins_with_next() {
    let mut stage = Stage::new().await;
    let first = stage.ann.get("/sessions?limit=1").await;
    let link = first.header("link").unwrap();
    let expected = stage.path("<?after={current}&limit=1>; rel=\"next\"");
    assert_eq!(link, expected);
    assert_eq!(stage.ann.post("/sessions/logout").await.status, 204);

    let path = stage.path("/sessions?after={current}&limit=1");
    let (ids, _) = follow(&mut stage.phone, &path, "").await;
    assert_eq!(ids, [stage.path("{other}")]);
}

#[tokio::test]
async fn list_without_limit_has_100_sessions() {
    let mut stage = Stage::with(|manager, app| {
        let manager = manager.derive().no_limit().build().unwrap();
        app.nest(OWN, users(&manager).router())
    })
    .await;
    let manager = stage.manager.derive().no_limit().build().unwrap();
    for _ in 0..100 {
        let sessions = manager.sessions([], sessionup::Peer::default());
        sessions.init("ann").await.unwrap();
    }
    let list = stage.ann.get(OWN).await;
    assert_eq!(list.json().as_array().unwrap().len(), 100);
    let (ids, pages) = follow(&mut stage.ann, OWN, "").await;
    assert_eq!((ids.len(), pages), (102, 2));
}

#[tokio::test]
async fn what_is_revoked_is_gone_and_nothing_else() {
    let cases = [
        ("DELETE", "/sessions/{other}", [true, false, true, true]),
        ("DELETE", "/sessions/{current}", [false, true, true, true]),
        ("POST", "/sessions/revoke-other", [true, false, true, true]),
        ("POST", "/sessions/revoke-all", [false, false, true, true]),
        ("POST", "/sessions/logout", [false, true, true, true]),
    ];
    for (method, path, logged_in) in cases {
        let mut stage = Stage::new().await;
        let tokens = (stage.ann.cookie.clone(), stage.phone.cookie.clone());

        let path = stage.path(path);
        let reply = ask(&mut stage.ann, method, &path).await;

        assert!(reply.status.is_success(), "{path}");
        let ends = !logged_in[0];
        assert_eq!(stage.ann.cookie.is_none(), ends, "{path}");
        let removals = usize::from(ends);
        assert_eq!(reply.set_cookies().len(), removals, "{path}");
        let forgets = ends.then_some(ClearSiteData::VALUE);
        assert_eq!(reply.header("clear-site-data"), forgets, "{path}");
        // Whoever kept the token has nothing of it.
        (stage.ann.cookie, stage.phone.cookie) = tokens;
        assert_eq!(stage.logged_in().await, logged_in, "{path}");
    }
}

#[tokio::test]
async fn revoking_twice_finds_nothing_the_second_time() {
    let mut stage = Stage::new().await;
    let other = stage.path("/sessions/{other}");
    assert_eq!(ask(&mut stage.ann, "DELETE", &other).await.status, 204);
    assert_eq!(ask(&mut stage.ann, "DELETE", &other).await.status, 404);
    let reply = stage.ann.post("/sessions/revoke-other").await;
    assert_eq!(reply.body, r#"{"revoked":0}"#);
}

#[tokio::test]
async fn logout_removes_a_dead_cookie_and_none_that_is_not_there() {
    let mut stage = Stage::new().await;
    let reply = stage.dead.post("/sessions/logout").await;
    assert_eq!(reply.status, 204);
    let removal = format!("{COOKIE_NAME}=; Path=/; ");
    assert!(reply.set_cookies()[0].starts_with(&removal));
    assert_eq!(reply.header("clear-site-data"), Some(ClearSiteData::VALUE));

    let reply = stage.stranger.post("/sessions/logout").await;
    assert_eq!(reply.status, 204);
    assert!(reply.set_cookies().is_empty());
    assert_eq!(reply.header("clear-site-data"), Some(ClearSiteData::VALUE));
}

#[tokio::test]
async fn site_data_can_be_kept() {
    for (method, path) in [
        ("POST", "/sessions/logout"),
        ("POST", "/sessions/revoke-all"),
        ("DELETE", "/sessions/{current}"),
    ] {
        let mut stage =
            Stage::with(|manager, app| app.nest(OWN, users(manager).keep_site_data().router()))
                .await;
        let path = stage.path(path);
        let reply = ask(&mut stage.ann, method, &path).await;
        assert!(reply.status.is_success(), "{path}");
        assert_eq!(reply.header("clear-site-data"), None, "{path}");
        assert_eq!(stage.ann.cookie, None, "{path}");
    }
}

#[tokio::test]
async fn methods_that_a_route_does_not_know_do_nothing() {
    let cases = [
        ("/sessions", "GET,HEAD"),
        ("/sessions/{other}", "DELETE"),
        ("/sessions/revoke-other", "POST"),
        ("/sessions/revoke-all", "POST"),
        ("/sessions/logout", "POST"),
    ];
    let methods = [
        "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "MOVE",
    ];
    let mut stage = Stage::new().await;
    for (path, allow) in cases {
        let path = stage.path(path);
        let others = methods.iter().filter(|method| !allow.contains(*method));
        for method in others {
            for browser in [&mut stage.ann, &mut stage.stranger] {
                let reply = ask(browser, method, &path).await;
                assert_eq!(reply.status, 405, "{method} {path}");
                let body = if *method == "HEAD" { "" } else { METHOD };
                assert_eq!(reply.body, body, "{method} {path}");
                assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
                assert_eq!(reply.header("cache-control"), Some("no-store"));
                assert!(reply.set_cookies().is_empty(), "{method} {path}");
            }
        }
    }
    assert_eq!(stage.logged_in().await, [true; 4]);
}

#[tokio::test]
async fn head_has_the_headers_of_the_list() {
    let mut stage = Stage::new().await;
    let list = stage.ann.get(OWN).await;
    let reply = ask(&mut stage.ann, "HEAD", OWN).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (200, ""));
    assert_eq!(reply.headers, {
        let mut headers = list.headers;
        headers.insert("content-length", list.body.len().into());
        headers
    });
    let reply = ask(&mut stage.stranger, "HEAD", OWN).await;
    assert_eq!((reply.status.as_u16(), &*reply.body), (401, ""));
}

#[tokio::test]
async fn unknown_paths_below_are_answered_and_the_others_left_alone() {
    let mut stage = Stage::with(|manager, app| {
        app.nest(OWN, users(manager).router())
            .fallback(async || "the application's own")
    })
    .await;
    for path in ["/sessions/a/b", "/sessions/revoke-other/x"] {
        for browser in [&mut stage.ann, &mut stage.stranger] {
            let reply = browser.get(path).await;
            assert_eq!((reply.status.as_u16(), &*reply.body), (404, NOT_FOUND));
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        }
    }
    for path in ["/session", "/sessions/"] {
        let reply = stage.ann.get(path).await;
        assert_eq!(reply.body, "the application's own", "{path}");
    }
}

#[tokio::test]
async fn layers_further_out_share_the_handle() {
    let mut stage = Stage::with(|manager, app| {
        let nested = Router::new()
            .nest("/users/{user}/sessions", users(manager).router())
            .layer(manager.auth())
            .layer(manager.public());
        app.merge(nested)
    })
    .await;
    let calls = stage.store.calls();
    let path = stage.path("/users/ann/sessions/{other}");
    let reply = ask(&mut stage.ann, "DELETE", &path).await;
    assert_eq!(reply.status, 204);
    // One to find the session, one to prove it anew, one to revoke the other.
    assert_eq!(stage.store.calls(), calls + 3);

    let reply = stage.ann.post("/users/ann/sessions/logout").await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.set_cookies().len(), 1);
    let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["Cookie"]);
}

#[tokio::test]
async fn revoke_under_path_with_own_id_ends_session() {
    let mut stage =
        Stage::with(|manager, app| app.nest("/tenants/{id}/sessions", users(manager).router()))
            .await;
    let list = stage.ann.get("/tenants/7/sessions").await;
    assert_eq!(list.json().as_array().unwrap().len(), 2);

    let path = stage.path("/tenants/7/sessions/{other}");
    let reply = ask(&mut stage.ann, "DELETE", &path).await;
    assert_eq!(reply.status, 204, "{}", reply.body);
    assert_eq!(stage.logged_in().await, [true, false, true, true]);

    // The application's own parameter names no session.
    let path = stage.path("/tenants/{current}/sessions/x");
    assert_eq!(ask(&mut stage.ann, "DELETE", &path).await.status, 404);
    assert_eq!(stage.logged_in().await, [true, false, true, true]);
}

#[tokio::test]
async fn pages_of_a_trusted_origin_may_revoke() {
    let origin = "https://app.example.org";
    let mut stage = Stage::with(|manager, app| {
        let layer = SameOriginLayer::new().trust(origin).unwrap();
        app.nest(OWN, users(manager).same_origin(layer).router())
    })
    .await;
    for (origin, status) in [("https://evil.example", 403), (origin, 200)] {
        let request = Request::post("/sessions/revoke-other")
            .header("sec-fetch-site", "same-site")
            .header("origin", origin);
        assert_eq!(stage.ann.send(request).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn applications_with_a_state_can_mount_them() {
    let stage = Stage::new().await;
    let app: Router = Router::new()
        .route(
            "/",
            get(async |state: axum::extract::State<u8>| state.to_string()),
        )
        .nest(OWN, users(&stage.manager).router())
        .with_state(7);
    let mut ann = Browser::new(&app);
    ann.cookie = stage.ann.cookie.clone();
    assert_eq!(ann.get(OWN).await.status, 200);
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    assert_eq!(send(&app, request).await.body, "7");
}

#[tokio::test]
async fn sessions_are_ended_by_those_alone_who_were_there_just_now() {
    // The phone logged in a second after the other device.
    let second = std::time::Duration::from_secs(1);
    let with = |manager: &sessionup::Manager, app: Router| {
        app.nest(OWN, users(manager).fresh_within(second).router())
    };
    let mut stage = Stage::with(with).await;
    let ending = [
        ("DELETE", "/sessions/{other}"),
        ("DELETE", "/sessions/{current}"),
        ("POST", "/sessions/revoke-other"),
        ("POST", "/sessions/revoke-all"),
    ];
    for (method, path) in ending {
        let path = stage.path(path);
        let reply = ask(&mut stage.ann, method, &path).await;
        assert_eq!(reply.status, 403, "{path}");
        assert_eq!(reply.body, r#"{"error":"authentication is too old"}"#);
    }
    assert_eq!(stage.logged_in().await, [true; 4]);
    assert_eq!(stage.ann.get("/sessions").await.status, 200);

    let reply = stage.phone.post("/sessions/revoke-other").await;
    assert_eq!(reply.body, r#"{"revoked":1}"#);
    assert_eq!(stage.phone.post("/sessions/logout").await.status, 204);
}
