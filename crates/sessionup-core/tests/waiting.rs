//! Who is woken when a session may have ended, and who is not.

#![allow(clippy::unwrap_used, missing_docs)]

mod intercept;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use intercept::Intercept;
use sessionup_core::{
    Error, Manager, ManualClock, Peer, SessionId, Sessions, SetCookie, StoreError, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);

fn build(store: &Intercept) -> Manager {
    evidence::watch(Manager::builder(store.clone()))
        .clock(ManualClock::at(START))
        .build()
        .unwrap()
}

async fn login(manager: &Manager, user: &str) -> (SessionId, SetCookie) {
    let sessions = manager.sessions([], Peer::default());
    let id = sessions.init(user).await.unwrap().id;
    (id, sessions.response_cookie().unwrap())
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Somebody who waits for the end of a session.
struct Waiting {
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Arc<Bell>,
}

impl Waiting {
    fn new(manager: &Manager, cookie: &SetCookie) -> Self {
        let revoked = Box::pin(request(manager, cookie).revoked());
        let bell = Arc::default();
        let mut waiting = Self { revoked, bell };
        assert!(!waiting.has_ended());
        waiting
    }

    fn has_ended(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.bell));
        let polled = self.revoked.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_ready()
    }

    fn was_woken(&self) -> bool {
        self.bell.0.load(Ordering::SeqCst)
    }
}

fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory answers at once"),
    }
}

#[tokio::test]
async fn end_between_look_and_wait_is_noticed() {
    let store = Intercept::default();
    let manager = build(&store);
    let (id, cookie) = login(&manager, "ann").await;
    let sessions = request(&manager, &cookie);
    sessions.current().await.unwrap().unwrap();
    let mut revoked = Box::pin(sessions.revoked());

    // The session was live when it was looked at, and ends before the wait begins.
    store.after_next_fetch(move || {
        assert!(now(manager.revoke_by_id_unchecked(id)).unwrap());
    });

    let polled = revoked
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(()), "it waits for what has been");
}

#[tokio::test]
async fn unknown_outcome_wakes_those_it_may_concern() {
    type Act = fn(&Manager, &SetCookie) -> Result<(), Error>;
    let acts: [(&str, Act, [bool; 3]); 7] = [
        (
            "logout",
            |manager, cookie| now(request(manager, cookie).revoke()),
            [true, false, false],
        ),
        (
            "change of meta",
            |manager, cookie| now(request(manager, cookie).set_meta("seen", true)),
            [true, false, false],
        ),
        (
            "all of a user",
            |manager, _| now(manager.revoke_by_user_key("ann")).map(drop),
            [true, true, false],
        ),
        (
            "change of a password",
            |manager, cookie| now(request(manager, cookie).finish_password_change()).map(drop),
            [true, true, false],
        ),
        (
            "login",
            |manager, _| {
                let login = manager.sessions([], Peer::default());
                now(login.init("ann").into_future()).map(drop)
            },
            [true, true, false],
        ),
        (
            "login of another user over the session",
            |manager, cookie| now(request(manager, cookie).init("bob").into_future()).map(drop),
            [true, false, true],
        ),
        (
            "everybody",
            |manager, _| now(manager.revoke_everybody()).map(drop),
            [true, true, true],
        ),
    ];
    for (name, act, expected) in acts {
        let store = Intercept::default();
        let manager = build(&store);
        let (_, first) = login(&manager, "ann").await;
        let (_, second) = login(&manager, "ann").await;
        let (_, bobs) = login(&manager, "bob").await;
        let waiting = [&first, &second, &bobs].map(|cookie| Waiting::new(&manager, cookie));

        store.lose_answers();
        let error = act(&manager, &first).unwrap_err();

        let is_unknown = matches!(error, Error::Store(StoreError::OutcomeUnknown { .. }));
        assert!(is_unknown, "{name}: {error:?}");
        let woken = waiting.each_ref().map(Waiting::was_woken);
        assert_eq!(woken, expected, "{name}");
    }
}

#[tokio::test]
async fn unknown_outcome_of_an_end_is_found_out() {
    let store = Intercept::default();
    let manager = build(&store);
    let (_, cookie) = login(&manager, "ann").await;
    let mut waiting = Waiting::new(&manager, &cookie);
    store.lose_answers();

    now(manager.revoke_by_user_key("ann")).unwrap_err();

    assert!(waiting.was_woken());
    assert!(waiting.has_ended());
}
