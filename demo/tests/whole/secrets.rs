//! Looking for tokens and passwords everywhere.

use std::sync::{Arc, Mutex};

use evidence::Needles;

use super::support::browser::{COOKIE_NAME, Seen};
use super::support::server::Home;

use super::cast::{ANNS, BOBS, Cast};

#[test]
fn no_secret_is_anywhere_but_in_the_cookie() {
    let new = "a brand new password";
    let seen = Arc::<Mutex<Seen>>::default();
    let home = Home::new();
    let server = home.start();
    let mut cast = Cast::meet_watched(&server, &seen);
    log_in_often(&mut cast);
    make_mistakes(&mut cast);
    change_passwords(&mut cast, new);
    see_every_page(&mut cast);

    server.kill();
    let after_kill = files(&home);
    let server = home.start();
    cast.go_to(&server);
    assert_eq!(cast.logged_in(), [true; 4]);
    log_in_often(&mut cast);
    make_mistakes(&mut cast);
    #[cfg(unix)]
    assert_eq!(server.terminate().code(), Some(0));
    #[cfg(not(unix))]
    server.kill();
    let after_stop = files(&home);

    let seen = seen.lock().unwrap();
    let mut needles = Needles::new();
    for token in &seen.tokens {
        needles.add_token(token);
    }
    for password in [ANNS, BOBS, new, "a wrong password"] {
        needles.add_text("password", password);
    }
    let (stdout, log) = (home.stdout(), home.log());
    assert_these_are_the_right_places(&after_kill, &log, &seen.sent);
    let places = [
        ("files after kill -9", &after_kill),
        ("files after a clean stop", &after_stop),
        ("stdout", &stdout),
        ("log", &log),
        ("responses", &seen.sent),
    ];
    let tokens = seen.tokens.len();
    for (place, bytes) in places {
        println!(
            "looked for {tokens} tokens in {} bytes: {place}",
            bytes.len()
        );
        assert_eq!(needles.found_in(bytes), [""; 0], "{place}");
    }
    assert!(tokens > 20, "{tokens}");
}

/// The bytes of sessions and accounts.
fn files(home: &Home) -> Vec<u8> {
    let files = [home.database(), home.accounts()];
    files.map(|path| std::fs::read(path).unwrap()).concat()
}

fn log_in_often(cast: &mut Cast) {
    for _ in 0..4 {
        cast.ann.log_in("ann", ANNS);
        cast.bobs_phone.log_in("bob", BOBS);
    }
}

/// Sends what no server should choke on, each with a live token in it.
fn make_mistakes(cast: &mut Cast) {
    let token = cast.ann.cookie().unwrap();
    let phone = cast.anns_phone.cookie().unwrap();
    let shorter = &token[..63];
    let other_secret = format!("{}{}", &token[..32], &phone[32..]);
    let cookies = [
        format!("{COOKIE_NAME}={shorter}"),
        format!("{COOKIE_NAME}={token}x"),
        format!("{COOKIE_NAME}={token}; {COOKIE_NAME}={phone}"),
        format!("{COOKIE_NAME}=\"{token}\""),
        format!("{COOKIE_NAME}={other_secret}"),
        format!("id={token}"),
    ];
    let mut stranger = cast.ann.without_cookie();
    for cookie in &cookies {
        let cookie = [("cookie", &**cookie)];
        stranger.send("GET", "/", &cookie, None);
        let answer = stranger.send("GET", "/devices", &cookie, None);
        answer.assert_redirect("/login");
        let answer = stranger.post_with("/logout", &[], &cookie);
        answer.assert_redirect("/");
    }

    let ann = &mut cast.ann;
    assert_eq!(ann.get(&format!("/{token}?token={token}")).status, 404);
    assert_eq!(
        ann.post(&format!("/devices/{token}/revoke"), &[]).status,
        404
    );
    assert_eq!(ann.get("/logout").status, 405);
    let password = [
        ("current_password", "a wrong password"),
        ("new_password", ANNS),
    ];
    assert_eq!(ann.post("/password", &password).status, 422);
    let name = [("name", "ann"), ("password", BOBS)];
    assert_eq!(ann.post("/register", &name).status, 422);
    assert_eq!(ann.try_to_log_in("ann", "a wrong password").status, 422);
    let twice = [("name", "ann"), ("password", ANNS), ("password", BOBS)];
    assert_eq!(ann.post("/login", &twice).status, 422);
    let elsewhere = [("sec-fetch-site", "cross-site"), ("x-token", &*token)];
    assert_eq!(ann.post_with("/logout", &[], &elsewhere).status, 403);
}

fn change_passwords(cast: &mut Cast, new: &str) {
    for (old, new) in [(ANNS, new), (new, ANNS), (ANNS, new), (new, ANNS)] {
        let fields = [("current_password", old), ("new_password", new)];
        let answer = cast.ann.post("/password", &fields);
        answer.assert_redirect("/devices?password-changed");
    }
}

fn see_every_page(cast: &mut Cast) {
    for browser in [&mut cast.ann, &mut cast.bobs_phone] {
        for path in [
            "/",
            "/login",
            "/register",
            "/devices",
            "/password",
            "/style.css",
            "/api/sessions",
            "/api/openapi.json",
        ] {
            assert_eq!(browser.get(path).status, 200, "{path}");
        }
        browser.devices();
    }
}

/// What is known to be there is there, or finding nothing would mean nothing.
fn assert_these_are_the_right_places(files: &[u8], log: &[u8], sent: &[u8]) {
    let contains = |place: &[u8], text: &str| {
        let mut parts = place.windows(text.len());
        assert!(parts.any(|part| part == text.as_bytes()), "{text}");
    };
    contains(files, "$argon2id$");
    contains(files, "Firefox");
    contains(log, "session created");
    contains(log, "session renewed");
    contains(log, "DEBUG");
    contains(sent, "this device");
    contains(sent, "content-security-policy");
}
