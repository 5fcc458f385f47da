//! Passwords that are tried often, or by very many at once.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use sessionup::StoreError;
use support::browser::{COOKIE_NAME, encode};
use support::in_process::InProcess;
use support::interrupted::{Before, Interrupted};
use tower::ServiceExt;

const ANNS: &str = "correct horse battery";
const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Posts a form from an address, with a cookie if there is one.
async fn post(
    app: &Router,
    from: Ipv4Addr,
    path: &str,
    fields: &[(&str, &str)],
    cookie: &str,
) -> Response<Body> {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header("cookie", cookie)
        .extension(ConnectInfo(SocketAddr::from((from, 50_000))))
        .body(Body::from(encode(fields)));
    app.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn log_in(app: &Router, from: Ipv4Addr, name: &str, password: &str) -> Response<Body> {
    let fields = [("name", name), ("password", password)];
    post(app, from, "/login", &fields, "").await
}

/// Returns the cookie that a response sets.
fn cookie(response: &Response<Body>) -> String {
    assert_eq!(response.status(), 303);
    let field = response.headers()["set-cookie"].to_str().unwrap();
    let (cookie, _) = field.split_once(';').unwrap();
    let token = cookie.strip_prefix(COOKIE_NAME).unwrap();
    evidence::note_issued(token.trim_start_matches('='));
    cookie.into()
}

async fn register_ann(app: &Router) -> String {
    let fields = [("name", "ann"), ("password", ANNS)];
    cookie(&post(app, HOME, "/register", &fields, "").await)
}

/// Guesses at an account from many networks, until nobody may any more.
async fn guess_until_refused(app: &Router) {
    for number in 0..10 {
        let from = Ipv4Addr::new(203, 0, 113, number);
        assert_eq!(log_in(app, from, "ann", "a guess").await.status(), 422);
    }
    let refused = log_in(app, ELSEWHERE, "ann", "a guess").await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=301).contains(&wait), "{wait}");
}

#[test]
fn account_tried_too_often_is_closed_to_strangers_alone() {
    let stage = InProcess::start();
    let app = &stage.app;
    stage.block_on(async {
        let ann = register_ann(app).await;
        guess_until_refused(app).await;

        let right = log_in(app, ELSEWHERE, "ann", ANNS).await;
        assert_eq!(right.status(), 429, "the right password is not looked at");
        assert!(!right.headers().contains_key("set-cookie"));
        let other_account = log_in(app, ELSEWHERE, "bob", "a guess").await;
        assert_eq!(other_account.status(), 422);

        // Where her browser is logged in, wherever it is now.
        let confirmation = [("password", ANNS)];
        let confirmed = post(app, ELSEWHERE, "/confirm", &confirmation, &ann).await;
        let ann = cookie(&confirmed);
        let change = [("current_password", ANNS), ("new_password", ANNS)];
        let changed = post(app, ELSEWHERE, "/password", &change, &ann).await;
        let ann = cookie(&changed);
        let fields = [("name", "ann"), ("password", ANNS)];
        let again = post(app, ELSEWHERE, "/login", &fields, &ann).await;
        cookie(&again);
    });
}

#[test]
fn account_tried_too_often_is_open_at_home() {
    let stage = InProcess::start();
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        guess_until_refused(app).await;

        cookie(&log_in(app, HOME, "ann", ANNS).await);
        // A stranger in that network has no more tries there than elsewhere.
        for _ in 0..10 {
            assert_eq!(log_in(app, HOME, "ann", "a guess").await.status(), 422);
        }
        assert_eq!(log_in(app, HOME, "ann", "a guess").await.status(), 429);
    });
}

#[test]
fn session_of_another_account_gives_no_tries() {
    let stage = InProcess::start();
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        let fields = [("name", "mallory"), ("password", ANNS)];
        let mallory = cookie(&post(app, ELSEWHERE, "/register", &fields, "").await);
        guess_until_refused(app).await;

        let fields = [("name", "ann"), ("password", "a guess")];
        let guess = post(app, ELSEWHERE, "/login", &fields, &mallory).await;
        assert_eq!(guess.status(), 429);
    });
}

#[test]
fn network_that_tries_too_often_is_refused() {
    let stage = InProcess::start();
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        for number in 0..30 {
            let name = format!("user {number}");
            let guess = log_in(app, ELSEWHERE, &name, "a guess").await;
            assert_eq!(guess.status(), 422, "{number}");
        }
        let guess = log_in(app, ELSEWHERE, "another", "a guess").await;
        assert_eq!(guess.status(), 429);
        let fields = [("name", "another"), ("password", ANNS)];
        let registration = post(app, ELSEWHERE, "/register", &fields, "").await;
        assert_eq!(registration.status(), 429);
        cookie(&log_in(app, HOME, "ann", ANNS).await);
    });
}

#[test]
fn login_from_exhausted_network_asks_no_store() {
    let store = Interrupted::default();
    let stage = InProcess::over(store.clone());
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        for number in 0..30 {
            log_in(app, ELSEWHERE, &format!("user {number}"), "a guess").await;
        }
        store.once(Before::List, async { Err(StoreError::Overloaded) });
        for name in ["ann", "bob"] {
            let guess = log_in(app, ELSEWHERE, name, "a guess").await;
            assert_eq!(guess.status(), 429, "{name}");
        }
    });
}

/// Guesses that are refused for their account cost their network tries, and in the end no read.
#[test]
fn refused_tries_on_one_account_exhaust_the_network() {
    let store = Interrupted::default();
    let stage = InProcess::over(store.clone());
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        for _ in 0..30 {
            log_in(app, ELSEWHERE, "ann", "a guess").await;
        }
        store.once(Before::List, async { Err(StoreError::Overloaded) });
        for name in ["ann", "bob"] {
            let guess = log_in(app, ELSEWHERE, name, "a guess").await;
            assert_eq!(guess.status(), 429, "{name}");
        }
    });
}

#[test]
fn right_passwords_use_up_no_tries() {
    let stage = InProcess::start();
    let app = &stage.app;
    stage.block_on(async {
        register_ann(app).await;
        for _ in 0..40 {
            cookie(&log_in(app, HOME, "ann", ANNS).await);
        }
    });
}

#[test]
fn thousand_logins_at_once_are_all_answered() {
    let stage = InProcess::start();
    let app = &stage.app;
    let answered = stage.block_on(async {
        register_ann(app).await;
        let logins: Vec<_> = (0..1_000_u16)
            .map(|number| {
                let app = app.clone();
                let [high, low] = number.to_be_bytes();
                let from = Ipv4Addr::new(203, 0, high, low);
                let name = format!("user {number}");
                tokio::spawn(async move { log_in(&app, from, &name, "a guess").await })
            })
            .collect();
        let mut answered = BTreeMap::<u16, u32>::new();
        for login in logins {
            let answer = login.await.unwrap();
            let status = answer.status().as_u16();
            if status == 503 {
                assert_eq!(answer.headers()["retry-after"], "1");
            }
            *answered.entry(status).or_default() += 1;
        }
        cookie(&log_in(app, HOME, "ann", ANNS).await);
        answered
    });
    assert_eq!(answered.values().sum::<u32>(), 1_000);
    assert!(
        answered.keys().all(|status| [422, 503].contains(status)),
        "{answered:?}"
    );
    assert!(answered.contains_key(&422), "{answered:?}");
    let passwords = &stage.passwords;
    assert!(passwords.buffers() <= passwords.threads().get());
}
