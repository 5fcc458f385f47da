//! What is stored while the clock is behind the latest time that it showed.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use sessionup_core::{
    Manager, ManagerBuilder, ManualClock, MemoryStore, MetaChange, OnReuse, Peer, Record, Refusal,
    SessionId, Sessions, SetCookie, Store, Timestamp,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn build(
    store: MemoryStore,
    clock: &ManualClock,
    set: impl FnOnce(ManagerBuilder) -> ManagerBuilder,
) -> Manager {
    set(evidence::watch(Manager::builder(store)).clock(clock.clone()))
        .build()
        .unwrap()
}

async fn login(manager: &Manager) -> SetCookie {
    let sessions = manager.sessions([], Peer::default());
    sessions.init("ann").await.unwrap();
    sessions.response_cookie().unwrap()
}

fn request(manager: &Manager, cookie: &SetCookie) -> Sessions {
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

#[tokio::test]
async fn renewal_with_clock_set_back_is_no_theft() {
    let clock = ManualClock::at(START);
    let manager = build(MemoryStore::new(), &clock, |builder| {
        builder.renewal_grace(10 * SECOND).on_reuse(OnReuse::Revoke)
    });
    let first = login(&manager).await;
    clock.set(START.saturating_sub(MINUTE));
    request(&manager, &first).renew().await.unwrap();

    // Was under way when the token was renewed.
    let late = request(&manager, &first).authenticate().await.unwrap();

    assert_eq!(late.err(), Some(Refusal::Replaced));
}

/// What a request may do to a session.
#[derive(Clone, Copy, Debug)]
enum Action {
    Login,
    Visit,
    VisitWithFormerToken,
    Renew,
    Reauthenticate,
    SetMeta,
    UpdateMeta,
    LoginOver,
    Logout,
}

const ACTIONS: [Action; 9] = [
    Action::Login,
    Action::Visit,
    Action::VisitWithFormerToken,
    Action::Renew,
    Action::Reauthenticate,
    Action::SetMeta,
    Action::UpdateMeta,
    Action::LoginOver,
    Action::Logout,
];

/// One browser, its present cookie and the one before.
struct Browser {
    manager: Manager,
    cookie: Option<SetCookie>,
    former: Option<SetCookie>,
}

impl Browser {
    fn request(&self, cookie: Option<&SetCookie>) -> Sessions {
        match cookie {
            Some(cookie) => request(&self.manager, cookie),
            None => self.manager.sessions([], Peer::default()),
        }
    }

    /// Does it, and returns the id of the session that the request then has.
    async fn act(&mut self, action: Action) -> Option<SessionId> {
        let cookie = match action {
            Action::Login => None,
            Action::VisitWithFormerToken => self.former.as_ref(),
            _ => self.cookie.as_ref(),
        };
        let sessions = self.request(cookie);
        // Errors are those of a session that is not there, or not any more.
        match action {
            Action::Login | Action::LoginOver => drop(sessions.init("ann").await),
            Action::Visit | Action::VisitWithFormerToken => drop(sessions.current().await),
            Action::Renew => drop(sessions.renew().await),
            Action::Reauthenticate => drop(sessions.reauthenticate().await),
            Action::SetMeta => drop(sessions.set_meta("seen", true).await),
            Action::UpdateMeta => {
                let count = |meta: &sessionup_core::Meta| {
                    let count = meta.get::<u32>("count")?.unwrap_or_default();
                    Ok::<_, sessionup_core::Error>(MetaChange::new().set("count", count + 1)?)
                };
                drop(sessions.update_meta_with(count).await);
            }
            Action::Logout => drop(sessions.revoke().await),
        }
        if let Some(cookie) = sessions.response_cookie() {
            self.former = self.cookie.replace(cookie);
        }
        sessions.current().await.unwrap().map(|session| session.id)
    }
}

/// The times that a record holds, by name.
fn times(record: &Record) -> [(&'static str, Option<Timestamp>); 6] {
    let session = &record.session;
    let replaced = record.replaced;
    [
        ("created_at", Some(session.created_at)),
        ("authenticated_at", Some(session.authenticated_at)),
        ("expires_at", Some(session.expires_at)),
        ("last_seen_at", Some(session.last_seen_at)),
        ("replaced.at", replaced.map(|replaced| replaced.at)),
        (
            "replaced.accepted_until",
            replaced.and_then(|replaced| replaced.accepted_until),
        ),
    ]
}

/// Runs actions at moments of a clock, and holds what each one stored to the watermark.
async fn hold(steps: &[(Action, i64)]) {
    let (clock, store) = (ManualClock::at(START), MemoryStore::new());
    let manager = build(store.clone(), &clock, |builder| {
        builder
            .renew_every(10 * MINUTE)
            .renewal_grace(10 * SECOND)
            .touch_interval(MINUTE)
    });
    let mut browser = Browser {
        manager,
        cookie: None,
        former: None,
    };
    let mut known: HashMap<SessionId, Arc<Record>> = HashMap::new();
    for (action, seconds) in steps {
        clock.set(Timestamp::from_millis(START.as_millis() + seconds * 1_000));
        let watermark = store.shared().watermark().marks().settled;
        let Some(id) = browser.act(*action).await else {
            continue;
        };
        let after = store.fetch(id, Timestamp::MIN).await.unwrap().unwrap();
        let before = known.insert(id, Arc::clone(&after));
        let before = before.as_deref().map(times).unwrap_or_default();
        for ((name, time), (_, former)) in times(&after).into_iter().zip(before) {
            assert!(
                time == former || time.is_none_or(|time| time >= watermark),
                "{action:?} stored {name} {time:?}, before the watermark {watermark:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Within a day to and fro, so that no step is a jump of the clock.
    #[test]
    fn actions_with_clock_set_back_store_no_earlier_time(
        mut steps in prop::collection::vec((select(ACTIONS.to_vec()), 0_i64..20 * 60 * 60), 1..40),
    ) {
        // Most actions need a session.
        steps.insert(0, (Action::Login, 0));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(hold(&steps));
    }
}
