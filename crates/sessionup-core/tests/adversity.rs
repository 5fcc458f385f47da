//! Findings of a review: each of these fails until what it names is mended.

#![allow(clippy::unwrap_used, missing_docs)]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use sessionup_core::{
    Change, CreateOptions, Created, Epoch, Error, Event, ListOptions, Manager, ManagerBuilder,
    ManualClock, MemoryStore, OnReuse, OthersDeleted, Peer, Pruned, Record, RecordPage, Refusal,
    SessionId, Sessions, SetCookie, SharedState, Store, StoreError, Timestamp, UserDeleted,
    UserKey,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn build(
    store: impl Store,
    clock: &ManualClock,
    set: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
) -> Manager {
    set(evidence::watch(Manager::builder(store)).clock(clock.clone()))
        .build()
        .unwrap()
}

fn by_time(builder: ManagerBuilder) -> ManagerBuilder {
    builder.renew_every(10 * MINUTE).renewal_grace(10 * SECOND)
}

fn stranger(manager: &Manager) -> Sessions {
    manager.sessions([], Peer::default())
}

async fn login(manager: &Manager) -> SetCookie {
    let sessions = stranger(manager);
    sessions.init("ann").await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

async fn visit(manager: &Manager, cookie: &SetCookie) -> (Result<(), Refusal>, Option<SetCookie>) {
    let request = request(manager, cookie);
    let outcome = request.authenticate().await.unwrap();
    (outcome.map(drop), request.response_cookie())
}

#[tokio::test]
async fn dead_token_stays_dead_when_the_clock_steps_back() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |b| b);
    let stolen = login(&manager).await;
    clock.advance(MINUTE);
    let owner = request(&manager, &stolen);
    owner.reauthenticate().await.unwrap();
    let new = owner.response_cookie().unwrap();
    assert_eq!(visit(&manager, &stolen).await.0, Err(Refusal::Replaced));

    clock.set(
        START
            .saturating_add(MINUTE)
            .saturating_sub(Duration::from_millis(1)),
    );

    let thief = request(&manager, &stolen);
    let is_in = thief.current().await.unwrap().is_some();
    let renewed = thief.renew().await.is_ok();
    let owner_is_in = visit(&manager, &new).await.0.is_ok();
    assert_eq!((is_in, renewed, owner_is_in), (false, false, true));
}

#[tokio::test]
async fn owner_who_is_put_out_by_a_replaced_token_is_a_sign_of_theft() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, by_time);
    let events = manager.events();
    let first = login(&manager).await;
    clock.advance(10 * MINUTE);
    // The owner is given the new token, and goes to lunch.
    let second = visit(&manager, &first).await.1.unwrap();
    clock.advance(10 * MINUTE);
    // The thief has a copy of the one before, and turns it into a live one.
    let third = visit(&manager, &first).await.1.unwrap();
    while events.try_recv().is_some() {}

    let outcome = visit(&manager, &second).await.0;

    let told = events.try_recv();
    assert!(visit(&manager, &third).await.0.is_ok(), "the thief goes on");
    let names_session = matches!(&told, Some(Event::Rejected { id: Some(_), .. }));
    assert!(names_session, "{outcome:?} {told:?}");
}

#[tokio::test]
async fn token_that_is_two_renewals_old_is_told_from_an_unknown_one() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, by_time);
    let stolen = login(&manager).await;
    let mut cookie = stolen.clone();
    for _ in 0..2 {
        clock.advance(10 * MINUTE);
        cookie = visit(&manager, &cookie).await.1.unwrap();
        visit(&manager, &cookie).await.0.unwrap();
    }
    clock.advance(MINUTE);
    assert_eq!(visit(&manager, &stolen).await.0, Err(Refusal::WrongSecret));
}

#[tokio::test]
async fn handle_whose_session_was_revoked_can_no_longer_act() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |b| b);
    let stolen = login(&manager).await;
    // Held for long, by a stream of the thief's.
    let thief = request(&manager, &stolen);
    thief.current().await.unwrap().unwrap();
    manager.revoke_by_user_key("ann").await.unwrap();
    clock.advance(60 * MINUTE);
    let owner = login(&manager).await;

    let seen = thief.list().await.map_or(0, |list| list.len());
    let ended = thief.revoke_other().await.unwrap_or_default();
    let owner_is_in = visit(&manager, &owner).await.0.is_ok();
    assert_eq!((seen, ended, owner_is_in), (0, 0, true));
}

#[tokio::test]
async fn own_revocation_does_not_hide_one_that_came_before_it() {
    let manager = evidence::watch(Manager::builder(MemoryStore::new()))
        .build()
        .unwrap();
    // Has checked the old password.
    let slow = stranger(&manager);
    // The password is changed, and all sessions are revoked for it.
    manager.revoke_by_user_key("ann").await.unwrap();
    // "Log me in and all others out".
    slow.revoke_by_user_key("ann").await.unwrap();
    let outcome = slow.init("ann").await;
    assert!(
        matches!(outcome, Err(Error::Store(StoreError::Overtaken))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn revocation_of_another_user_does_not_hide_one_of_this() {
    let manager = evidence::watch(Manager::builder(MemoryStore::new()))
        .build()
        .unwrap();
    let slow = stranger(&manager);
    manager.revoke_by_user_key("ann").await.unwrap();
    slow.revoke_by_user_key("bob").await.unwrap();
    let outcome = slow.init("ann").await;
    assert!(
        matches!(outcome, Err(Error::Store(StoreError::Overtaken))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn slow_upload_is_no_theft() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |b| {
        by_time(b).on_reuse(OnReuse::Revoke)
    });
    let first = login(&manager).await;
    clock.advance(10 * MINUTE);
    // The body takes long to come; the handler asks who is there afterwards.
    let upload = request(&manager, &first);
    let second = visit(&manager, &first).await.1.unwrap();
    visit(&manager, &second).await.0.unwrap();
    clock.advance(11 * SECOND);
    let _ = upload.authenticate().await.unwrap();
    assert_eq!(visit(&manager, &second).await.0, Ok(()));
}

#[tokio::test]
async fn session_in_use_outlives_a_change_of_the_idle_timeout() {
    let (clock, store) = (ManualClock::at(START), MemoryStore::new());
    let before = build(store.clone(), &clock, |b| b.idle_timeout(MINUTE));
    let cookie = login(&before).await;
    // Restarted with a more generous setting.
    let after = build(store, &clock, |b| b.idle_timeout(60 * MINUTE));
    for second in 0..120 {
        clock.advance(SECOND);
        assert_eq!(visit(&after, &cookie).await.0, Ok(()), "{second}");
    }
}

#[tokio::test]
async fn renewal_keeps_a_cookie_that_outlasts_the_browser() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, by_time);
    let days = Duration::from_secs(14 * 24 * 60 * 60);
    let remembering = manager.derive().expires_in(days).build().unwrap();
    let cookie = login(&remembering).await;
    assert!(cookie.expose().contains("Max-Age"));
    clock.advance(10 * MINUTE);
    let renewed = visit(&manager, &cookie).await.1.unwrap();
    assert!(
        renewed.expose().contains("Max-Age"),
        "remembered login lost"
    );
}

#[tokio::test]
async fn proving_oneself_again_does_not_shorten_a_session() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |b| b);
    let days = Duration::from_secs(14 * 24 * 60 * 60);
    let remembering = manager.derive().expires_in(days).build().unwrap();
    let sessions = stranger(&remembering);
    let before = sessions.init("ann").await.unwrap().expires_at;
    let cookie = sessions.response_cookie().unwrap();
    let request = request(&manager, &cookie);
    let after = request.reauthenticate().await.unwrap().expires_at;
    assert!(after >= before, "{after} {before}");
}

#[tokio::test]
async fn late_response_of_a_renewal_does_not_take_a_newer_login_away() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, by_time);
    let first = login(&manager).await;
    clock.advance(10 * MINUTE);
    let slow = request(&manager, &first);
    slow.current().await.unwrap().unwrap();
    // The user logs in anew meanwhile, and has the cookie.
    let again = request(&manager, &first);
    again.init("ann").await.unwrap();
    let mut jar = again.response_cookie().unwrap();
    // Then the slow request is answered.
    jar = slow.response_cookie().unwrap_or(jar);
    assert_eq!(visit(&manager, &jar).await.0, Ok(()));
}

#[tokio::test]
async fn freshness_does_not_last_longer_when_the_clock_steps_back() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |b| b);
    let cookie = login(&manager).await;
    clock.set(START.saturating_sub(60 * MINUTE));
    clock.advance(50 * MINUTE);
    let outcome = request(&manager, &cookie).require_fresh(5 * MINUTE).await;
    assert!(outcome.is_err(), "50 minutes went by");
}

type Act = Arc<Mutex<Option<Box<dyn FnOnce(&MemoryStore, SessionId) + Send>>>>;

#[derive(Clone, Default)]
struct Odd {
    store: MemoryStore,
    before_update: Act,
    after_update: Act,
    corrupt: Arc<AtomicBool>,
    fails: Arc<AtomicBool>,
    fetches: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Odd")
    }
}

impl Store for Odd {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.store.shared()
    }
    async fn create(
        &self,
        r: Record,
        o: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.store.create(r, o, now).await
    }
    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        if self.fails.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Overloaded);
        }
        if self.corrupt.load(Ordering::SeqCst) {
            return Err(StoreError::corrupt(id, "damaged"));
        }
        self.store.fetch(id, now).await
    }
    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.store.list_page(user, options, now).await
    }
    async fn update(
        &self,
        id: SessionId,
        c: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        let act = self.before_update.lock().unwrap().take();
        if let Some(act) = act {
            act(&self.store, id);
        }
        let updated = self.store.update(id, c, now).await;
        let act = self.after_update.lock().unwrap().take();
        if let Some(act) = act {
            act(&self.store, id);
        }
        updated
    }
    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.store.delete(id, owner).await
    }
    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.store.delete_user(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.store.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.store.delete_all().await
    }
    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.store.prune(now, at_most).await
    }
}

fn now_or_never<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("pending"),
    }
}

#[tokio::test]
async fn session_that_ends_while_its_token_is_renewed_is_refused() {
    for confirm in [false, true] {
        let (clock, store) = (ManualClock::at(START), Odd::default());
        let manager = build(store.clone(), &clock, by_time);
        let mut cookie = login(&manager).await;
        clock.advance(10 * MINUTE);
        if confirm {
            cookie = visit(&manager, &cookie).await.1.unwrap();
        }
        *store.before_update.lock().unwrap() = Some(Box::new(|store, id| {
            now_or_never(store.delete(id, None)).unwrap();
        }));
        assert!(visit(&manager, &cookie).await.0.is_err(), "{confirm}");
    }
}

#[tokio::test]
async fn clone_that_asks_at_once_does_not_lose_the_renewed_token() {
    let (clock, store) = (ManualClock::at(START), Odd::default());
    let manager = build(store.clone(), &clock, by_time);
    let cookie = login(&manager).await;
    clock.advance(10 * MINUTE);
    let sessions = request(&manager, &cookie);
    let clone = sessions.clone();
    *store.after_update.lock().unwrap() = Some(Box::new(move |_, _| {
        now_or_never(clone.current()).unwrap().unwrap();
    }));
    sessions.current().await.unwrap().unwrap();
    assert!(
        sessions.response_cookie().is_some(),
        "nobody has the new token"
    );
}

#[tokio::test]
async fn damaged_record_keeps_nobody_from_logging_in() {
    let (clock, store) = (ManualClock::at(START), Odd::default());
    let manager = build(store.clone(), &clock, |b| b);
    let cookie = login(&manager).await;
    store.corrupt.store(true, Ordering::SeqCst);
    let outcome = request(&manager, &cookie).init("ann").await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn failed_read_of_one_request_makes_nobody_else_ask() {
    let (clock, store) = (ManualClock::at(START), Odd::default());
    let manager = build(store.clone(), &clock, |b| b);
    let cookie = login(&manager).await;
    let mut context = Context::from_waker(Waker::noop());
    let mut waiting: Vec<_> = (0..1_000)
        .map(|_| {
            let sessions = request(&manager, &cookie);
            Box::pin(async move { sessions.revoked().await })
        })
        .collect();
    for waiting in &mut waiting {
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    store.fetches.store(0, Ordering::SeqCst);
    store.fails.store(true, Ordering::SeqCst);
    request(&manager, &cookie).current().await.unwrap_err();
    for waiting in &mut waiting {
        let _ = waiting.as_mut().poll(&mut context);
    }
    assert_eq!(store.fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn waker_that_drops_the_waiting_one_does_not_lock_up() {
    type Slot = Arc<Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>>;
    struct Drops(Slot);
    impl Wake for Drops {
        fn wake(self: Arc<Self>) {
            let waiting = self.0.lock().unwrap().take();
            drop(waiting);
        }
    }
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let clock = ManualClock::at(START);
        let manager = build(MemoryStore::new(), &clock, |b| b);
        let cookie = now_or_never(login(&manager));
        let slot = Slot::default();
        let waker = Waker::from(Arc::new(Drops(Arc::clone(&slot))));
        let mut waiting: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin({
            let sessions = request(&manager, &cookie);
            async move { sessions.revoked().await }
        });
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        *slot.lock().unwrap() = Some(waiting);
        now_or_never(request(&manager, &cookie).revoke()).unwrap();
        done.send(()).unwrap();
    });
    is_done
        .recv_timeout(Duration::from_secs(60))
        .expect("deadlock");
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::INFO
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Visit(String);
        impl tracing::field::Visit for Visit {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut visit = Visit(event.metadata().level().to_string() + " ");
        event.record(&mut visit);
        self.0.lock().unwrap().push(visit.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn flood_of_junk_does_not_hide_a_theft() {
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let clock = ManualClock::at(START);
        let manager = build(MemoryStore::new(), &clock, by_time);
        let first = now_or_never(login(&manager));
        let owner = request(&manager, &first);
        now_or_never(owner.renew()).unwrap();
        clock.advance(MINUTE);
        for _ in 0..20 {
            let junk = manager.sessions([&b"__Host-id=junk"[..]], Peer::default());
            now_or_never(junk.current()).unwrap();
        }
        let outcome = now_or_never(visit(&manager, &first)).0;
        assert_eq!(outcome, Err(Refusal::Reused));
    });
    let lines = lines.0.lock().unwrap().clone();
    assert!(
        lines.iter().any(|line| line.contains("reused")),
        "{lines:#?}"
    );
}
