//! What pages and headers say, and to whom.

use super::support::browser::{Browser, CURL, FIREFOX, agent, encode};
use super::support::server::Home;
use ureq::http::Request;

use super::cast::{ANNS, BOBS, Cast};

#[test]
fn other_sites_can_do_nothing_in_a_users_name() {
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet(&server);
    let phone = cast.anns_phone.id();
    let revoke = format!("/devices/{phone}/revoke");

    let password = [("current_password", ANNS), ("new_password", BOBS)];
    let name = [("name", "mallory"), ("password", BOBS)];
    let posts: [(&str, &[(&str, &str)]); 7] = [
        ("/login", &[("name", "bob"), ("password", BOBS)]),
        ("/logout", &[]),
        ("/register", &name),
        ("/password", &password),
        ("/devices/revoke-all", &[]),
        ("/devices/revoke-other", &[]),
        (&revoke, &[]),
    ];
    let origins = [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("origin", "http://evil.example")],
        [("origin", "null")],
    ];
    for (path, fields) in posts {
        for origin in &origins {
            let answer = cast.ann.post_with(path, fields, origin);
            assert_eq!(answer.status, 403, "{path} {origin:?}");
            assert_eq!(answer.cookie(), None, "{path} {origin:?}");
        }
    }

    assert_eq!(cast.logged_in(), [true; 4]);
    let mut browser = Browser::new(server.address(), CURL);
    assert_eq!(browser.try_to_log_in("mallory", BOBS).status, 422);
    browser.log_in("ann", ANNS);
}

#[test]
fn own_forms_and_programs_are_let_in() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);

    let login = [("name", "ann"), ("password", ANNS)];
    let origin = server.address();
    let cases: [&[(&str, &str)]; 3] = [
        &[("sec-fetch-site", "same-origin"), ("origin", origin)],
        &[("origin", origin)],
        &[],
    ];
    for headers in cases {
        ann.post_with("/login", &login, headers)
            .assert_redirect("/devices?logged-in");
    }
}

#[test]
fn without_session_pages_lead_to_the_login_form() {
    let home = Home::new();
    let server = home.start();
    let mut stranger = Browser::new(server.address(), FIREFOX);

    assert!(!stranger.is_logged_in());
    stranger.get("/password").assert_redirect("/login");
    for path in ["/devices/revoke-all", "/devices/revoke-other", "/password"] {
        stranger.post(path, &[]).assert_redirect("/login");
    }
    let page = stranger.get("/").text();
    assert!(
        page.contains(r#"href="/login""#) && page.contains(r#"href="/register""#),
        "{page}"
    );
    assert_eq!(stranger.cookie(), None);
}

#[test]
fn login_whose_cookie_is_not_kept_is_explained() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    let plain = ann.get("/login").text();
    assert!(!plain.contains("did not keep"), "{plain}");
    let form = [("name", "ann"), ("password", ANNS)];
    for (path, case) in [("/register", "registration"), ("/login", "login")] {
        let kept = ann.post(path, &form);
        kept.assert_redirect("/devices?logged-in");
        let page = ann.get("/devices?logged-in").text();
        assert!(page.contains("You are logged in."), "{case}: {page}");

        // As a browser does that has no use for the cookie.
        ann.set_cookie(None);
        let lost = ann.get(kept.header("location").unwrap());
        lost.assert_redirect("/login?cookie-not-kept");
        let page = ann.get(lost.header("location").unwrap()).text();
        for part in ["did not keep the cookie", "HTTPS", "Safari"] {
            assert!(page.contains(part), "{case}: {page}");
        }
        let here = format!(r#"<a href="{}/login">"#, server.address());
        assert!(page.contains(&here), "{case}: {page}");
    }

    // Who has a cookie, though a dead one, has a browser that keeps it.
    ann.log_in("ann", ANNS);
    let dead = ann.cookie();
    ann.post("/logout", &[]).assert_redirect("/");
    ann.set_cookie(dead);
    ann.get("/devices?logged-in").assert_redirect("/login");
}

#[test]
fn home_page_says_who_is_logged_in() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);

    let page = ann.get("/").text();

    assert!(page.contains("logged in as"), "{page}");
    assert!(page.contains("<bdi>ann</bdi>"), "{page}");
}

#[test]
fn every_page_behind_the_login_lets_users_log_out() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    let logout = r#"<form method="post" action="/logout">"#;
    assert!(!ann.get("/").text().contains(logout));
    ann.register("ann", ANNS);

    for path in ["/", "/devices", "/password"] {
        let page = ann.get(path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text().contains(logout), "{path}: {}", page.text());
    }
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);

    let policy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
        img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    let too_long = [("name", &*"n".repeat(17_000))];
    // Or the client may still be sending when the connection is closed.
    let asks_first = [("expect", "100-continue")];
    let cases = [
        ("page", 200, ann.get("/devices")),
        ("list", 200, ann.get_json("/devices")),
        ("form", 200, ann.get("/login")),
        ("style", 200, ann.get("/style.css")),
        ("icon", 200, ann.get("/icon.svg")),
        ("form again", 422, ann.try_to_log_in("ann", BOBS)),
        ("no page", 404, ann.get("/nowhere")),
        ("no way to ask", 405, ann.get("/devices/revoke-all")),
        (
            "no form",
            415,
            ann.send("POST", "/login", &[], Some("{}".into())),
        ),
        (
            "too long",
            413,
            ann.post_with("/login", &too_long, &asks_first),
        ),
        (
            "from elsewhere",
            403,
            ann.post_with("/logout", &[], &[("origin", "null")]),
        ),
        ("redirect", 303, ann.post("/logout", &[])),
    ];
    for (case, status, answer) in cases {
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(
            answer.header("content-security-policy"),
            Some(policy),
            "{case}"
        );
        assert_eq!(
            answer.header("referrer-policy"),
            Some("same-origin"),
            "{case}"
        );
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{case}"
        );
        assert_eq!(
            answer.header("cross-origin-opener-policy"),
            Some("same-origin"),
            "{case}"
        );
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=31536000"),
            "{case}"
        );
        let (kept, media) = match case {
            "icon" => ("public, max-age=3600", Some("image/svg+xml")),
            "style" => ("public, max-age=3600", Some("text/css; charset=utf-8")),
            "list" => ("no-store", Some("application/json")),
            "redirect" => ("no-store", None),
            _ => ("no-store", Some("text/html; charset=utf-8")),
        };
        assert_eq!(answer.header("cache-control"), Some(kept), "{case}");
        assert_eq!(answer.header("content-type"), media, "{case}");
    }
}

#[test]
fn no_page_needs_more_than_its_policy_allows() {
    let home = Home::new();
    let server = home.start();
    let mut ann = Browser::new(server.address(), FIREFOX);
    ann.register("ann", ANNS);

    for path in [
        "/",
        "/login",
        "/register",
        "/confirm",
        "/devices",
        "/password",
        "/nowhere",
    ] {
        let page = ann.get(path).text();
        let page = page.replace("<script src=\"/live.js\" defer></script>", "");
        for foreign in [
            "<script",
            "<style",
            "<img",
            " style=",
            " onclick=",
            "http:",
            "https:",
        ] {
            assert!(!page.contains(foreign), "{path}: {foreign}");
        }
    }
}

#[test]
fn plain_http_is_possible_and_warned_of() {
    let home = Home::new();
    let server = home.start_with(&["--insecure-http"]);

    let form = encode(&[("name", "ann"), ("password", ANNS)]);
    let request = Request::post(format!("{}/register", server.address()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let response = agent().run(request.unwrap()).unwrap();

    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("id="));
    assert!(!cookie.contains("Secure"));
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; "));
    drop(server);
    let log = String::from_utf8(home.log()).unwrap();
    assert!(log.contains("WARN"), "{log}");
    assert!(log.contains("plain HTTP"), "{log}");
}
