//! A change of the password while others do something at the worst moment.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use sessionup::{Store, StoreError};
use support::browser::{Browser, COOKIE_NAME, FIREFOX, SAFARI, encode};
use support::in_process::InProcess;
use support::interrupted::{Before, Interrupted};
use tokio::sync::oneshot;
use tower::ServiceExt;

const ANNS: &str = "correct horse battery";
const NEW: &str = "a brand new password";
const CHANGE: [(&str, &str); 3] = [
    ("current_password", ANNS),
    ("new_password", NEW),
    ("log_out_others", "yes"),
];

/// Far more than anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// Waits for what must happen.
fn wait<T>(for_it: &Receiver<T>, what: &str) -> T {
    let Ok(it) = for_it.recv_timeout(LIMIT) else {
        panic!("did not happen within {LIMIT:?}: {what}");
    };
    it
}

/// The application over a store that can be interrupted, with Ann and whoever has a second session of
/// hers.
struct Stage {
    store: Interrupted,
    app: InProcess,
    ann: Browser,
    other: Browser,
}

impl Stage {
    fn new() -> Self {
        let store = Interrupted::default();
        let app = InProcess::over(store.clone());
        let mut ann = Browser::new(&app.address, FIREFOX);
        ann.register("ann", ANNS);
        let mut other = Browser::new(&app.address, SAFARI);
        other.log_in("ann", ANNS);
        Self {
            store,
            app,
            ann,
            other,
        }
    }

    /// Has the next operation of this sort stop at a gate. The receiver says that it is there.
    fn gate(&self, before: Before) -> (Receiver<()>, oneshot::Sender<()>) {
        let (arrived, arrival) = channel();
        let (open, gate) = oneshot::channel();
        self.store.once(before, async move {
            arrived.send(()).unwrap();
            gate.await.unwrap();
            Ok(())
        });
        (arrival, open)
    }

    fn password_is(&self, password: &str) -> bool {
        let mut browser = Browser::new(&self.app.address, FIREFOX);
        browser.try_to_log_in("ann", password).status == 303
    }
}

#[test]
fn change_ends_others_after_the_hash_is_set() {
    let mut stage = Stage::new();
    let hash = stage.app.block_on(stage.app.accounts.hash_of("ann"));
    let (accounts, old) = (stage.app.accounts.clone(), hash.unwrap());
    let (seen, was_set) = channel();
    stage.store.once(Before::DeleteOthers, async move {
        let now = accounts.hash_of("ann").await.unwrap();
        seen.send(now.is_some() && now != old).unwrap();
        Ok(())
    });

    let answer = stage.ann.post("/password", &CHANGE);

    answer.assert_redirect("/devices?password-changed");
    assert!(wait(&was_set, "the others end"), "others end first");
    assert!(stage.ann.is_logged_in() && !stage.other.is_logged_in());
}

#[test]
fn change_by_session_ended_meanwhile_ends_all() {
    let mut stage = Stage::new();
    let id = stage.ann.id().parse().unwrap();
    let store = stage.store.inner.clone();
    stage.store.once(Before::DeleteOthers, async move {
        assert!(store.delete(id, None).await?);
        Ok(())
    });

    stage
        .ann
        .post("/password", &CHANGE)
        .assert_redirect("/login");

    assert!(!stage.other.is_logged_in(), "the thief is in");
    assert!(stage.password_is(NEW));
}

#[test]
fn change_broken_off_runs_to_its_end() {
    let mut stage = Stage::new();
    let (arrival, open) = stage.gate(Before::DeleteOthers);
    let request = Request::post("/password")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .header(
            "cookie",
            format!("{COOKIE_NAME}={}", stage.ann.cookie().unwrap()),
        )
        .body(Body::from(encode(&CHANGE)));
    let router = stage.app.app.clone();
    let answer = stage.app.spawn(router.oneshot(request.unwrap()));
    wait(&arrival, "the others end");
    // As when the client hangs up: the handler is dropped.
    answer.abort();
    let dropped = stage.app.block_on(answer);
    assert!(dropped.unwrap_err().is_cancelled());

    let manager = stage.app.manager.clone();
    let events = manager.events();
    open.send(()).expect("the change ended with its request");
    stage.app.block_on(async {
        let told = tokio::time::timeout(LIMIT, events.recv()).await;
        told.expect("the change did not end");
    });

    assert!(!stage.other.is_logged_in());
    assert!(stage.password_is(NEW) && !stage.password_is(ANNS));
}

#[test]
fn change_that_cannot_end_others_changes_nothing() {
    let mut stage = Stage::new();
    stage
        .store
        .once(Before::DeleteOthers, async { Err(StoreError::Overloaded) });

    let answer = stage.ann.post("/password", &CHANGE);

    assert_eq!(answer.status, 503);
    assert!(stage.ann.is_logged_in() && stage.other.is_logged_in());
    assert!(stage.password_is(ANNS) && !stage.password_is(NEW));
}

/// The others, and this session, may have ended: to put the old password back would help a thief.
#[test]
fn change_of_unknown_outcome_keeps_new_password() {
    let mut stage = Stage::new();
    stage.store.once(Before::DeleteOthers, async {
        Err(StoreError::outcome_unknown("the answer was lost"))
    });

    let answer = stage.ann.post("/password", &CHANGE);

    assert_eq!(answer.status, 503);
    assert!(stage.password_is(NEW) && !stage.password_is(ANNS));
}

#[test]
fn change_that_cannot_renew_changes_nothing() {
    let mut stage = Stage::new();
    stage.store.once(Before::Reauthenticate, async {
        Err(StoreError::Overloaded)
    });

    let answer = stage.ann.post("/password", &CHANGE[..2]);

    assert_eq!(answer.status, 503);
    assert!(stage.ann.is_logged_in());
    assert!(stage.password_is(ANNS) && !stage.password_is(NEW));
}

#[test]
fn login_by_old_password_under_way_is_refused() {
    let mut stage = Stage::new();
    let (arrival, open) = stage.gate(Before::Create);
    let address = stage.app.address.clone();
    let login = std::thread::spawn(move || {
        let mut thief = Browser::new(&address, SAFARI);
        let status = thief.try_to_log_in("ann", ANNS).status;
        (status, thief)
    });
    wait(&arrival, "the password of the login is verified");

    let answer = stage.ann.post("/password", &CHANGE);
    answer.assert_redirect("/devices?password-changed");
    open.send(()).unwrap();

    let (status, mut thief) = login.join().unwrap();
    assert_eq!(status, 409);
    assert!(!thief.is_logged_in() && stage.ann.is_logged_in());
}

/// Somebody with Ann's own cookie, whose confirmation by the old password waits at the store.
fn thief_confirms(stage: &Stage) -> (JoinHandle<Browser>, oneshot::Sender<()>) {
    let (arrival, open) = stage.gate(Before::Reauthenticate);
    let (address, stolen) = (stage.app.address.clone(), stage.ann.cookie());
    let thief = std::thread::spawn(move || {
        let mut thief = Browser::new(&address, SAFARI);
        thief.set_cookie(stolen);
        thief.post("/confirm", &[("password", ANNS)]);
        thief
    });
    wait(&arrival, "the password of the thief is verified");
    (thief, open)
}

#[test]
fn confirmation_after_change_keeps_thief_out() {
    let mut stage = Stage::new();
    let (thief, open) = thief_confirms(&stage);

    let answer = stage.ann.post("/password", &CHANGE);
    answer.assert_redirect("/devices?password-changed");
    open.send(()).unwrap();

    assert!(!thief.join().unwrap().is_logged_in(), "the thief is in");
    assert!(stage.ann.is_logged_in() && !stage.other.is_logged_in());
}

#[test]
fn confirmation_during_change_keeps_thief_out() {
    let mut stage = Stage::new();
    let (thief, open) = thief_confirms(&stage);
    let (done, thief_is_done): (Sender<Browser>, _) = channel();
    stage.store.once(Before::DeleteOthers, async move {
        open.send(()).unwrap();
        let thief = tokio::task::spawn_blocking(|| thief.join().unwrap());
        done.send(thief.await.unwrap()).unwrap();
        Ok(())
    });

    stage
        .ann
        .post("/password", &CHANGE)
        .assert_redirect("/login");

    let mut thief = wait(&thief_is_done, "the thief is answered");
    assert!(!thief.is_logged_in(), "the thief is in");
    assert!(!stage.ann.is_logged_in() && !stage.other.is_logged_in());
    stage.ann.log_in("ann", NEW);
}
