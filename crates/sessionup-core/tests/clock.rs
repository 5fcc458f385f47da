//! Clocks that step, as managers and cleanups over a store live through them.

#![allow(clippy::unwrap_used, missing_docs)]

mod limit;

use std::sync::Arc;
use std::time::Duration;

use limit::within_limit;
use sessionup_core::store::{Marks, Stretch, Watermark};
use sessionup_core::{
    Cleanup, CleanupOptions, Event, Manager, ManagerBuilder, ManualClock, MemoryStore, Peer,
    Refusal, SessionId, Sessions, SetCookie, Store, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

struct Case {
    clock: ManualClock,
    store: MemoryStore,
    manager: Manager,
}

impl Case {
    fn new(set: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        let (clock, store) = (ManualClock::at(START), MemoryStore::new());
        let builder = evidence::watch(Manager::builder(store.clone())).clock(clock.clone());
        Self {
            clock,
            store,
            manager: set(builder).build().unwrap(),
        }
    }

    /// A manager of sessions that live for so long.
    fn living(&self, lifetime: Duration) -> Manager {
        self.manager.derive().lifetime(lifetime).build().unwrap()
    }

    async fn visit(&self, cookie: &SetCookie) -> Result<(), Refusal> {
        let outcome = request(&self.manager, cookie).authenticate().await.unwrap();
        outcome.map(drop)
    }

    async fn lies_there(&self, id: SessionId) -> bool {
        let found = self.store.fetch(id, Timestamp::MIN).await.unwrap();
        found.is_some()
    }

    /// Lets a cleanup do its work, and waits until it has deleted this one.
    async fn clean_up(&self, until_gone: SessionId) {
        let options = CleanupOptions::every(DAY).clock(Arc::new(self.clock.clone()));
        let cleanup = Cleanup::start(self.store.clone(), options).unwrap();
        within_limit("the deletion by the cleanup", async {
            while self.lies_there(until_gone).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
        cleanup.stop();
    }
}

async fn login(manager: &Manager) -> (SessionId, SetCookie) {
    let sessions = manager.sessions([], Peer::default());
    let session = sessions.init("ann").await.unwrap();
    (session.id, sessions.response_cookie().unwrap())
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

#[tokio::test]
async fn what_has_expired_stays_so_when_the_clock_is_set_back() {
    let case = Case::new(|b| b.lifetime(10 * MINUTE));
    let (id, cookie) = login(&case.manager).await;
    case.clock.advance(10 * MINUTE);
    assert_eq!(case.visit(&cookie).await, Err(Refusal::Expired));

    for back in [MINUTE, HOUR, DAY, 2 * DAY, YEARS] {
        case.clock.set(START.saturating_sub(back));
        assert!(case.lies_there(id).await, "no cleanup is at work");
        assert!(case.visit(&cookie).await.is_err(), "{back:?}");
        let listed = case.manager.list_by_user_key("ann").await.unwrap();
        assert!(listed.is_empty(), "{back:?}");
    }
}

#[tokio::test]
async fn login_works_after_the_clock_was_set_back_and_ends_by_the_clock() {
    for back in [HOUR, DAY, YEARS] {
        let case = Case::new(|b| b.lifetime(10 * MINUTE).idle_timeout(5 * MINUTE));
        login(&case.manager).await;
        case.clock.set(START.saturating_sub(back));

        let (_, cookie) = login(&case.manager).await;
        for _ in 0..3 {
            assert_eq!(case.visit(&cookie).await, Ok(()), "{back:?}");
            case.clock.advance(MINUTE);
        }
        case.clock.set(START.saturating_add(5 * MINUTE));
        assert!(case.visit(&cookie).await.is_err(), "{back:?}");
    }
}

#[tokio::test]
async fn clock_that_was_years_ahead_for_a_while_ends_no_session() {
    let case = Case::new(|b| b);
    let (live, cookie) = login(&case.manager).await;
    let (over, _) = login(&case.living(MINUTE)).await;
    case.clock.advance(2 * MINUTE);
    case.visit(&cookie).await.unwrap();

    case.clock.advance(YEARS);
    assert_eq!(case.visit(&cookie).await, Err(Refusal::Expired));
    case.clean_up(over).await;
    assert!(case.lies_there(live).await);

    case.clock.set(START.saturating_add(3 * MINUTE));
    assert_eq!(case.visit(&cookie).await, Ok(()));
}

#[tokio::test]
async fn what_expired_while_a_machine_was_off_is_refused_at_once_and_deleted_a_day_later() {
    let case = Case::new(|b| b.lifetime(DAY));
    let (id, cookie) = login(&case.manager).await;
    let (_, lasting) = login(&case.living(30 * DAY)).await;
    let (over, _) = login(&case.living(MINUTE)).await;
    case.clock.advance(2 * MINUTE);
    case.visit(&lasting).await.unwrap();

    case.clock.advance(3 * DAY);
    assert_eq!(case.visit(&cookie).await, Err(Refusal::Expired));
    assert_eq!(case.visit(&lasting).await, Ok(()));
    case.clean_up(over).await;
    assert!(case.lies_there(id).await);

    for _ in 0..24 {
        case.clock.advance(HOUR);
        assert_eq!(case.visit(&lasting).await, Ok(()));
    }
    case.clean_up(id).await;
    assert_eq!(case.visit(&lasting).await, Ok(()));
}

#[tokio::test]
async fn jumps_are_told_once_whoever_saw_them_first() {
    let case = Case::new(|b| b);
    let events = case.manager.events();
    let (_, cookie) = login(&case.living(DAY)).await;
    assert!(matches!(events.try_recv(), Some(Event::Created { .. })));
    case.clock.advance(DAY);
    case.manager.list_by_user_key("ann").await.unwrap();
    assert!(events.try_recv().is_none(), "a day is no jump");

    let before = START.saturating_add(DAY);
    let after = before.saturating_add(DAY + MINUTE);
    case.clock.set(after);
    // Another one who looks at the clock, as a cleanup does.
    case.store.watermark().observe(after);
    for manager in [&case.manager, &case.living(HOUR)] {
        manager.list_by_user_key("ann").await.unwrap();
    }

    let told = events.try_recv();
    assert!(
        matches!(told, Some(Event::ClockJumped { from, to, .. }) if from == before && to == after),
        "{told:?}"
    );
    assert!(events.try_recv().is_none());
    assert_eq!(case.visit(&cookie).await, Err(Refusal::Expired));
}

#[tokio::test]
async fn nobody_is_fresh_while_it_cannot_be_told() {
    let case = Case::new(|b| b);
    let (_, cookie) = login(&case.manager).await;
    let is_fresh = async || {
        let session = request(&case.manager, &cookie);
        session.require_fresh(5 * MINUTE).await.is_ok()
    };
    assert!(is_fresh().await);
    case.clock.set(START.saturating_sub(MINUTE));
    assert!(is_fresh().await, "a correction is no reason to ask again");
    case.clock.set(START.saturating_sub(5 * MINUTE));
    assert!(!is_fresh().await);
    case.clock.set(START.saturating_add(4 * MINUTE));
    assert!(is_fresh().await);
}

#[test]
fn resuming_after_the_clock_came_back_forgets_its_jump() {
    let years = START.saturating_add(YEARS);
    let apart = Stretch::new(years, years.saturating_add(DAY / 2));
    let watermark = Watermark::resuming(Marks::new(START, Some(apart)));
    watermark.observe(START.saturating_add(MINUTE));
    assert_eq!(watermark.marks().apart, None);
    // Another jump to the same place must stay for a day of its own.
    let judged = watermark.observe(years.saturating_add(DAY));
    assert_eq!(judged.prune_up_to, START.saturating_add(MINUTE));
}
