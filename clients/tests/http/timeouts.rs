//! A login that is broken off in the middle: by a timeout, and by a client that goes away.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::post;
use http::StatusCode;
use sessionup::{HttpError, Manager, MemoryStore, SessionLayers, Sessions, Store};
use sessionup_redb::RedbStore;
use tower_http::timeout::TimeoutLayer;

use super::client::varies_by_cookie;
use super::gate::{Gate, Side};
use super::support::app::{Browser, app, manager};

#[derive(Clone, Copy, Debug)]
enum Place {
    Inside,
    Outside,
}

/// The application with a timeout on this side of the session's layer.
fn with_timeout(manager: &Manager, place: Place) -> Router {
    async fn endless(sessions: Sessions, Path(user): Path<String>) -> Result<(), HttpError> {
        sessions.init(user).await?;
        pending().await
    }
    let timeout =
        TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(5));
    let app = app(manager).route("/endless/{user}", post(endless));
    match place {
        Place::Inside => app.layer(timeout).layer(manager.public()),
        Place::Outside => app.layer(manager.public()).layer(timeout),
    }
}

const PLACES: [Place; 2] = [Place::Inside, Place::Outside];

/// How many devices the user sees.
async fn devices(browser: &mut Browser) -> usize {
    let list = browser.get("/open-devices").await.json();
    list.as_array().unwrap().len()
}

/// Either the new session is there and the old one gone, or the other way round.
async fn check_consistency(mut ann: Browser, side: Side) {
    match side {
        Side::Before => {
            assert_eq!(ann.user().await, "ann");
            assert_eq!(devices(&mut ann).await, 1);
        }
        // It was made, and nobody has its token. The old one ended in the same step.
        Side::After => assert_eq!(ann.user().await, "nobody"),
    }
    ann.login("ann").await;
    assert_eq!(ann.user().await, "ann");
    let expected = match side {
        Side::Before => 1,
        Side::After => 2,
    };
    assert_eq!(devices(&mut ann).await, expected);
    ann.post("/revoke-other").await;
    assert_eq!(devices(&mut ann).await, 1);
}

#[tokio::test(start_paused = true)]
async fn timeout_in_the_middle_of_a_login_leaves_one_session() {
    for place in PLACES {
        for side in [Side::Before, Side::After] {
            let gate = Gate::new(MemoryStore::new(), side);
            let manager = manager(gate.clone());
            let mut ann = Browser::new(&with_timeout(&manager, place));
            ann.login("ann").await;
            let old = ann.cookie.clone();

            gate.set_open(false);
            let reply = ann.post("/login/ann").await;
            gate.set_open(true);

            assert_eq!(reply.status, 408, "{place:?} {side:?}");
            assert_eq!(reply.set_cookies(), [""; 0], "{place:?} {side:?}");
            let varies = match place {
                Place::Inside => 1,
                Place::Outside => 0,
            };
            assert_eq!(varies_by_cookie(&reply.headers), varies);
            assert_eq!(ann.cookie, old);
            check_consistency(ann, side).await;
        }
    }
}

/// The session is there, and the handler is still busy when the time is over. A timeout inside the
/// session's layer answers through it, so that the cookie goes out; one outside does not.
#[tokio::test(start_paused = true)]
async fn timeout_after_a_login_sends_the_cookie_if_it_can() {
    for place in PLACES {
        let manager = manager(MemoryStore::new());
        let mut ann = Browser::new(&with_timeout(&manager, place));

        let reply = ann.post("/endless/ann").await;

        assert_eq!(reply.status, 408, "{place:?}");
        let (cookies, user) = match place {
            Place::Inside => (1, "ann"),
            Place::Outside => (0, "nobody"),
        };
        assert_eq!(reply.set_cookies().len(), cookies, "{place:?}");
        assert_eq!(ann.user().await, user, "{place:?}");
    }
}

async fn go_away_in_the_middle_of_a_login(store: impl Store + Clone) {
    for side in [Side::Before, Side::After] {
        let gate = Gate::new(store.clone(), side);
        let mut ann = Browser::new(&app(&manager(gate.clone())));
        ann.login("ann").await;
        gate.set_open(false);
        let mut leaving = ann.clone();
        tokio::select! {
            _ = leaving.post("/login/ann") => panic!("the gate is closed"),
            () = gate.reached() => {}
        }
        gate.set_open(true);

        check_consistency(ann.clone(), side).await;
        ann.post("/admin/revoke/ann").await;
    }
}

#[tokio::test]
async fn client_that_goes_away_leaves_one_session_in_memory() {
    go_away_in_the_middle_of_a_login(MemoryStore::new()).await;
}

#[tokio::test]
async fn client_that_goes_away_leaves_one_session_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    // The clock of these tests stands still, and a cleanup goes by the system's.
    let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let store = builder
        .open(directory.path().join("sessions.redb"))
        .unwrap();
    go_away_in_the_middle_of_a_login(store).await;
}
