//! How long sessions live, and what a request may differ in.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::num::NonZeroU32;

use sessionup::{LimitPolicy, MemoryStore, OnMismatch, SessionLimit};
use support::{Browser, FIREFOX, SAFARI, Switch, app, build, clock, minutes};

#[tokio::test]
async fn absolute_lifetime_is_a_day_whatever_happens() {
    let clock = clock();
    let mut browser = Browser::new(&app(&build(MemoryStore::new(), &clock, |b| b)));
    browser.login("ann").await;
    for _ in 0..23 {
        clock.advance(minutes(60));
        assert_eq!(browser.get("/private").await.status, 200);
    }
    clock.advance(minutes(60) - std::time::Duration::from_millis(1));
    assert_eq!(browser.get("/private").await.status, 200);
    clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(browser.get("/private").await.status, 401);
}

#[tokio::test]
async fn renewal_does_not_lengthen_the_life() {
    let clock = clock();
    let mut browser = Browser::new(&app(&build(MemoryStore::new(), &clock, |b| {
        b.lifetime(minutes(60))
    })));
    browser.login("ann").await;
    clock.advance(minutes(59));
    assert_eq!(browser.post("/renew").await.status, 200);
    clock.advance(minutes(1));
    assert_eq!(browser.get("/private").await.status, 401);
}

#[tokio::test]
async fn idle_session_ends_and_a_used_one_does_not() {
    let clock = clock();
    let app = app(&build(MemoryStore::new(), &clock, |b| {
        b.idle_timeout(minutes(30)).lifetime(minutes(100))
    }));
    let (mut used, mut idle) = (Browser::new(&app), Browser::new(&app));
    used.login("ann").await;
    idle.login("ann").await;
    for _ in 0..2 {
        clock.advance(minutes(20));
        assert_eq!(used.get("/private").await.status, 200);
    }
    assert_eq!(idle.get("/private").await.status, 401);
    let list = used.get("/devices").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["last_seen_at"], "2026-11-21T19:19:05Z");

    // No activity moves the absolute deadline.
    for _ in 0..2 {
        clock.advance(minutes(25));
        assert_eq!(used.get("/private").await.status, 200);
    }
    clock.advance(minutes(10));
    assert_eq!(used.get("/private").await.status, 401);
}

#[tokio::test]
async fn use_is_recorded_at_most_once_per_interval() {
    let clock = clock();
    let store = Switch::default();
    let app = app(&build(store.clone(), &clock, |b| {
        b.touch_interval(minutes(5))
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    for _ in 0..100 {
        browser.get("/private").await;
    }
    assert_eq!(store.updates(), 0);
    clock.advance(minutes(5));
    for _ in 0..100 {
        browser.get("/private").await;
    }
    assert_eq!(store.updates(), 1);
}

#[tokio::test]
async fn clock_that_goes_back_moves_nothing_back() {
    let clock = clock();
    let mut browser = Browser::new(&app(&build(MemoryStore::new(), &clock, |b| b)));
    browser.login("ann").await;
    clock.set(support::start().saturating_sub(minutes(10)));
    let list = browser.get("/devices").await.json();
    assert_eq!(list[0]["last_seen_at"], "2026-11-21T18:39:05Z");
}

#[tokio::test]
async fn clock_that_goes_back_brings_nothing_back() {
    let clock = clock();
    let mut browser = Browser::new(&app(&build(MemoryStore::new(), &clock, |b| {
        b.lifetime(minutes(10))
    })));
    browser.login("ann").await;
    let dead = browser.cookie.clone();
    clock.advance(minutes(10));
    assert_eq!(browser.get("/private").await.status, 401);

    clock.set(support::start().saturating_sub(minutes(60)));
    assert_eq!(browser.get("/private").await.status, 401);

    // Whoever logs in now is logged in for as long as ever.
    browser.login("ann").await;
    assert_eq!(browser.get("/private").await.status, 200);
    let devices = browser.get("/devices").await.json();
    assert_eq!(devices.as_array().unwrap().len(), 1);
    assert_eq!(devices[0]["last_seen_at"], "2026-11-21T18:49:05Z");
    let mut other = browser.clone();
    other.cookie = dead;
    assert_eq!(other.get("/private").await.status, 401);
    clock.set(support::start().saturating_add(minutes(19)));
    assert_eq!(browser.get("/private").await.status, 200);
    clock.advance(minutes(1));
    assert_eq!(browser.get("/private").await.status, 401);
}

#[tokio::test]
async fn mismatch_is_answered_as_configured() {
    let cases = [
        (OnMismatch::Ignore, 200, 200),
        (OnMismatch::Report, 200, 200),
        (OnMismatch::Refuse, 401, 200),
        (OnMismatch::Revoke, 401, 401),
    ];
    for (policy, elsewhere, back_home) in cases {
        let app = app(&build(MemoryStore::new(), &clock(), |b| b.validate(policy)));
        let mut browser = Browser::new(&app);
        browser.login("ann").await;
        let home = browser.ip;
        assert_eq!(browser.get("/private").await.status, 200, "{policy:?}");

        browser.ip = "198.51.100.7".parse().ok();
        assert_eq!(
            browser.get("/private").await.status,
            elsewhere,
            "{policy:?} ip"
        );
        browser.ip = home;
        assert_eq!(
            browser.get("/private").await.status,
            back_home,
            "{policy:?} ip"
        );

        let mut browser = Browser::new(&app);
        browser.login("ann").await;
        browser.agent = SAFARI.into();
        assert_eq!(
            browser.get("/private").await.status,
            elsewhere,
            "{policy:?} agent"
        );
        browser.agent = FIREFOX.into();
        assert_eq!(
            browser.get("/private").await.status,
            back_home,
            "{policy:?} agent"
        );
    }
}

#[tokio::test]
async fn address_that_cannot_be_told_is_a_mismatch_on_either_side() {
    let app = app(&build(MemoryStore::new(), &clock(), |b| {
        b.validate(OnMismatch::Refuse)
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    browser.ip = None;
    assert_eq!(browser.get("/private").await.status, 401);

    browser.login("ann").await;
    assert_eq!(browser.get("/private").await.status, 401);
}

#[tokio::test]
async fn what_is_not_captured_is_neither_kept_nor_compared() {
    let app = app(&build(MemoryStore::new(), &clock(), |b| {
        b.with_ip(false).validate(OnMismatch::Refuse)
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    browser.ip = None;
    assert_eq!(browser.get("/devices").await.json()[0]["ip"], "");

    let app = support::app(&build(MemoryStore::new(), &clock(), |b| {
        b.with_agent(false)
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    let agent = &browser.get("/devices").await.json()[0]["agent"];
    assert_eq!(*agent, serde_json::json!({"os": "", "browser": ""}));
}

#[tokio::test]
async fn login_over_a_refused_session_ends_it_too() {
    let store = Switch::default();
    let app = app(&build(store.clone(), &clock(), |b| {
        b.validate(OnMismatch::Refuse)
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    browser.agent = SAFARI.into();
    browser.login("ann").await;
    assert_eq!(store.records().await, 1);
}

#[tokio::test]
async fn logout_ends_a_refused_session_too() {
    let store = Switch::default();
    let app = app(&build(store.clone(), &clock(), |b| {
        b.validate(OnMismatch::Refuse)
    }));
    let mut browser = Browser::new(&app);
    browser.login("ann").await;
    browser.agent = SAFARI.into();
    assert_eq!(browser.post("/logout").await.status, 200);
    assert_eq!(browser.cookie, None);
    assert_eq!(store.records().await, 0);
}

#[tokio::test]
async fn limit_evicts_or_refuses() {
    let three = NonZeroU32::new(3).unwrap();
    let clock = clock();
    for (policy, left) in [
        (LimitPolicy::EvictOldest, [false, true, true, true]),
        (
            LimitPolicy::EvictLeastRecentlySeen,
            [true, false, true, true],
        ),
        (LimitPolicy::Refuse, [true, true, true, false]),
    ] {
        let app = app(&build(MemoryStore::new(), &clock, |b| {
            b.limit(SessionLimit::new(three, policy))
        }));
        let mut browsers = vec![Browser::new(&app); 4];
        for browser in &mut browsers[..3] {
            clock.advance(minutes(1));
            browser.login("ann").await;
        }
        clock.advance(minutes(1));
        // The first to log in is the last to be seen.
        browsers[0].get("/private").await;

        let reply = browsers[3].post("/login/ann").await;

        let refused = policy == LimitPolicy::Refuse;
        assert_eq!(reply.status, if refused { 409 } else { 200 }, "{policy:?}");
        for (n, (browser, alive)) in browsers.iter_mut().zip(left).enumerate() {
            let status = if alive { 200 } else { 401 };
            assert_eq!(
                browser.get("/private").await.status,
                status,
                "{policy:?} {n}"
            );
        }
        // A login over a session of one's own needs no room.
        assert_eq!(
            browsers[2].post("/login/ann").await.status,
            200,
            "{policy:?}"
        );
    }
}

#[tokio::test]
async fn everybodys_sessions_end_in_the_embedded_store_too() {
    let directory = tempfile::tempdir().unwrap();
    let builder = sessionup_redb::RedbStore::builder().cleanup_interval(std::time::Duration::ZERO);
    let store = builder
        .open(directory.path().join("sessions.redb"))
        .unwrap();
    let manager = build(store, &clock(), |b| b);
    let forever = manager.derive().lifetime(std::time::Duration::MAX);
    let (app, forever) = (app(&manager), app(&forever.build().unwrap()));
    let mut browsers = [
        Browser::new(&app),
        Browser::new(&app),
        Browser::new(&forever),
    ];
    for (browser, user) in browsers.iter_mut().zip(["ann", "bob", "eve"]) {
        browser.login(user).await;
    }

    assert_eq!(manager.revoke_everybody().await.unwrap(), 3);

    for browser in &mut browsers {
        assert_eq!(browser.get("/private").await.status, 401);
    }
}
