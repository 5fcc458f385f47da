//! Requests, and actions within a request, that get in each other's way.

#![allow(clippy::unwrap_used, missing_docs)]

mod limit;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use limit::within_limit;
use sessionup_core::{
    Change, CreateOptions, Created, Epoch, Error, Event, ListOptions, Manager, MemoryStore, Meta,
    MetaChange, OthersDeleted, Peer, Pruned, Record, RecordPage, SessionId, Sessions, SetCookie,
    SharedState, Store, StoreError, Timestamp, UserDeleted, UserKey,
};
use tokio::sync::Barrier;

fn manager() -> Manager {
    evidence::watch(Manager::builder(MemoryStore::new()))
        .build()
        .unwrap()
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

fn is_overtaken(outcome: &Result<sessionup_core::CurrentSession, Error>) -> bool {
    matches!(outcome, Err(Error::Store(StoreError::Overtaken)))
}

#[tokio::test]
async fn login_does_not_slip_past_a_revocation() {
    let manager = manager();
    let cookie = login(&manager).await;
    // It has checked the password, and then the user changes it elsewhere.
    let slow = stranger(&manager);
    request(&manager, &cookie).revoke_other().await.unwrap();

    let outcome = slow.init("ann").await;

    assert!(is_overtaken(&outcome), "{outcome:?}");
    assert_eq!(slow.response_cookie(), None);
    slow.init("bob").await.unwrap();
    stranger(&manager).init("ann").await.unwrap();
}

#[tokio::test]
async fn every_way_to_revoke_all_overtakes() {
    let manager = manager();
    for way in 0..7 {
        let cookie = login(&manager).await;
        let slow = stranger(&manager);
        let user = request(&manager, &cookie);
        match way {
            0 => user.revoke_other().await.unwrap(),
            1 => user.revoke_all().await.unwrap(),
            2 => user.revoke_by_user_key("ann").await.unwrap(),
            3 => user.finish_password_change().await.unwrap(),
            4 => user.revoke_everybody().await.unwrap(),
            5 => manager.revoke_everybody().await.unwrap(),
            _ => manager.revoke_by_user_key("ann").await.unwrap(),
        };
        let outcome = slow.init("ann").await;
        assert!(is_overtaken(&outcome), "{way}: {outcome:?}");
    }
}

#[tokio::test]
async fn request_that_revokes_may_log_in_afterwards() {
    let manager = manager();
    let cookie = login(&manager).await;
    let user = request(&manager, &cookie);
    user.revoke_all().await.unwrap();
    user.init("ann").await.unwrap();

    let reset = stranger(&manager);
    reset.revoke_by_user_key("ann").await.unwrap();
    reset.init("ann").await.unwrap();
}

#[tokio::test]
async fn login_in_several_requests_counts_from_the_first() {
    let manager = manager();
    let begun = stranger(&manager).epoch();
    manager.revoke_by_user_key("ann").await.unwrap();

    let second = stranger(&manager);
    let outcome = second.init("ann").begun(begun).await;

    assert!(is_overtaken(&outcome), "{outcome:?}");
    second.init("ann").begun(second.epoch()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_count_is_lost() {
    const REQUESTS: u32 = 16;
    const EACH: u32 = 25;
    let manager = manager();
    let cookie = login(&manager).await;
    let count = |meta: &Meta| {
        let visits = meta.get::<u32>("visits")?.unwrap_or_default();
        Ok::<_, Error>(MetaChange::new().set("visits", visits + 1)?)
    };
    let tasks: Vec<_> = (0..REQUESTS)
        .map(|_| {
            let sessions = request(&manager, &cookie);
            tokio::spawn(async move {
                for _ in 0..EACH {
                    sessions.update_meta_with(count).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let session = request(&manager, &cookie).current().await.unwrap().unwrap();
    assert_eq!(
        session.meta.get::<u32>("visits").unwrap(),
        Some(REQUESTS * EACH)
    );
}

#[tokio::test]
async fn error_of_the_application_changes_nothing() {
    #[derive(Debug)]
    enum Mine {
        No,
        Theirs,
    }
    impl From<Error> for Mine {
        fn from(_: Error) -> Self {
            Self::Theirs
        }
    }
    impl From<StoreError> for Mine {
        fn from(_: StoreError) -> Self {
            Self::Theirs
        }
    }
    let manager = manager();
    let cookie = login(&manager).await;
    let sessions = request(&manager, &cookie);
    let outcome = sessions.update_meta_with(|_| Err(Mine::No)).await;
    assert!(matches!(outcome, Err(Mine::No)));
    let outcome = stranger(&manager).update_meta_with(|_| Err(Mine::No)).await;
    assert!(matches!(outcome, Err(Mine::Theirs)), "no session");
}

#[tokio::test]
async fn logout_that_was_slower_than_a_login_leaves_the_login() {
    let manager = manager();
    let cookie = login(&manager).await;
    let sessions = request(&manager, &cookie);
    let before = sessions.current().await.unwrap().unwrap();
    let clone = sessions.clone();
    let bob = clone.init("bob").await.unwrap();

    // By the id of the session that the request began with.
    sessions.revoke_by_id(before.id).await.unwrap();

    let current = sessions.current().await.unwrap().unwrap();
    assert_eq!(current.id, bob.id);
    let cookie = sessions.response_cookie().unwrap();
    let session = request(&manager, &cookie).current().await.unwrap();
    assert_eq!(session.unwrap().id, bob.id);
}

/// A store that answers some questions never, and others when the test says so.
#[derive(Debug)]
struct Slow {
    store: MemoryStore,
    update: Option<Arc<Barrier>>,
    hangs: bool,
}

impl Slow {
    async fn hang(&self) -> Result<(), StoreError> {
        if self.hangs {
            pending::<Infallible>().await;
        }
        Ok(())
    }
}

impl Store for Slow {
    fn epoch(&self) -> Epoch {
        self.store.epoch()
    }

    fn shared(&self) -> &SharedState {
        self.store.shared()
    }

    async fn create(
        &self,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.hang().await?;
        self.store.create(record, options, now).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.hang().await?;
        self.store.fetch(id, now).await
    }

    async fn list_page(
        &self,
        user: &UserKey,
        options: ListOptions,
        now: Timestamp,
    ) -> Result<RecordPage, StoreError> {
        self.hang().await?;
        self.store.list_page(user, options, now).await
    }

    async fn update(
        &self,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        self.hang().await?;
        let updated = self.store.update(id, change, now).await;
        if let Some(barrier) = &self.update {
            barrier.wait().await;
            barrier.wait().await;
        }
        updated
    }

    async fn delete(&self, id: SessionId, owner: Option<&UserKey>) -> Result<bool, StoreError> {
        self.hang().await?;
        self.store.delete(id, owner).await
    }

    async fn delete_user(
        &self,
        user: &UserKey,
        except: &[SessionId],
    ) -> Result<UserDeleted, StoreError> {
        self.hang().await?;
        self.store.delete_user(user, except).await
    }

    async fn delete_others(
        &self,
        user: &UserKey,
        id: SessionId,
        change: Change,
        now: Timestamp,
    ) -> Result<OthersDeleted, StoreError> {
        self.hang().await?;
        self.store.delete_others(user, id, change, now).await
    }

    async fn delete_all(&self) -> Result<u64, StoreError> {
        self.hang().await?;
        self.store.delete_all().await
    }

    async fn prune(&self, now: Timestamp, at_most: usize) -> Result<Pruned, StoreError> {
        self.store.prune(now, at_most).await
    }
}

#[tokio::test]
async fn store_that_hangs_is_given_up() {
    let store = MemoryStore::new();
    let good = evidence::watch(Manager::builder(store.clone()))
        .build()
        .unwrap();
    let cookie = login(&good).await;
    let slow = Slow {
        store,
        update: None,
        hangs: true,
    };
    let patience = Duration::from_millis(1);
    let hung = evidence::watch(Manager::builder(slow))
        .store_timeout(patience)
        .build()
        .unwrap();
    let events = hung.events();

    let reading = request(&hung, &cookie);
    let read = within_limit("the error of a read", reading.current()).await;
    let read = read.unwrap_err();
    let unavailable = |error: &Error| matches!(error, Error::Store(StoreError::Unavailable { .. }));
    assert!(unavailable(&read), "{read:?}");
    let told = events.try_recv();
    assert!(matches!(told, Some(Event::StoreFailed { .. })), "{told:?}");
    let list = within_limit("the error of a list", hung.list_by_user_key("ann"));
    let list = list.await.unwrap_err();
    assert!(unavailable(&list), "{list:?}");

    let login = stranger(&hung);
    let doubtful = [
        within_limit("the error of a login", login.init("ann").into_future())
            .await
            .unwrap_err(),
        within_limit("the error of a revocation", hung.revoke_by_user_key("ann"))
            .await
            .unwrap_err(),
        within_limit("the error of a revocation of all", hung.revoke_everybody())
            .await
            .unwrap_err(),
    ];
    for error in doubtful {
        let is_unknown = matches!(error, Error::Store(StoreError::OutcomeUnknown { .. }));
        assert!(is_unknown, "{error:?}");
    }
    assert_eq!(login.response_cookie(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn change_of_meta_that_was_slower_than_a_login_leaves_the_login() {
    let barrier = Arc::new(Barrier::new(2));
    let store = Slow {
        store: MemoryStore::new(),
        update: Some(Arc::clone(&barrier)),
        hangs: false,
    };
    let manager = evidence::watch(Manager::builder(store)).build().unwrap();
    let cookie = login(&manager).await;
    let sessions = request(&manager, &cookie);
    sessions.current().await.unwrap().unwrap();
    let clone = sessions.clone();
    let change = tokio::spawn(async move { clone.set_meta("a", 1).await });
    within_limit("the change of meta in the store", barrier.wait()).await;
    let bob = sessions.init("bob").await.unwrap();
    within_limit("the answer of the store", barrier.wait()).await;
    let changed = within_limit("the end of the change of meta", change).await;
    changed.unwrap().unwrap();

    let current = sessions.current().await.unwrap().unwrap();
    assert_eq!(current.id, bob.id);
}
