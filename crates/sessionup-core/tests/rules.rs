//! What the manager holds to when random sources, stores and other requests do their worst.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};

use sessionup_core::{
    Change, CreateOptions, Created, Credential, Epoch, Error, ListOptions, Manager, ManualClock,
    MemoryStore, MetaChange, MetaError, OthersDeleted, Peer, Pruned, Random, RandomError, Record,
    RecordPage, SecretHash, Session, SessionId, Sessions, SharedState, Store, StoreError,
    Timestamp, UserDeleted, UserKey,
};

const START: Timestamp = Timestamp::from_millis(1_795_286_345_000);

fn manager(store: &MemoryStore) -> Manager {
    let builder = evidence::watch(Manager::builder(store.clone()));
    builder.clock(ManualClock::at(START)).build().unwrap()
}

fn stranger(manager: &Manager) -> Sessions {
    manager.sessions([], Peer::default())
}

/// A request with the cookie that a response set.
fn next(manager: &Manager, last: &Sessions) -> Sessions {
    let cookie = last.response_cookie().unwrap();
    let pair = cookie.expose().split(';').next().unwrap();
    manager.sessions([pair.as_bytes()], Peer::default())
}

async fn count(store: &MemoryStore) -> u64 {
    store
        .prune(Timestamp::MAX, usize::MAX)
        .await
        .unwrap()
        .deleted
}

/// Delivers the same bytes for so many calls, then others.
#[derive(Debug)]
struct Repeating {
    calls: AtomicU8,
    same: u8,
}

impl Repeating {
    fn for_tokens(tokens: u8) -> Self {
        // A token takes two calls: id and secret.
        Self {
            calls: AtomicU8::new(0),
            same: 2 * tokens,
        }
    }
}

impl Random for Repeating {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        buffer.fill(if call < self.same { 7 } else { call });
        Ok(())
    }
}

#[tokio::test]
async fn taken_id_is_answered_with_another_one() {
    let store = MemoryStore::new();
    let builder =
        evidence::watch(Manager::builder(store.clone())).insecure_random(Repeating::for_tokens(3));
    let manager = builder.build().unwrap();
    let (first, second) = (stranger(&manager), stranger(&manager));
    let ann = first.init("ann").await.unwrap();
    let bob = second.init("bob").await.unwrap();
    assert_ne!(ann.id, bob.id);
    let still = next(&manager, &first).current().await.unwrap().unwrap();
    assert_eq!(still.user_key.as_str(), "ann");
}

#[tokio::test]
async fn stuck_random_source_ends_in_an_error_and_harms_nobody() {
    let store = MemoryStore::new();
    let manager = evidence::watch(Manager::builder(store.clone()))
        .clock(ManualClock::at(START))
        .insecure_random(Repeating::for_tokens(100))
        .build()
        .unwrap();
    let (first, second) = (stranger(&manager), stranger(&manager));
    first.init("ann").await.unwrap();

    let error = second.init("bob").await.unwrap_err();

    assert!(
        matches!(error, Error::Store(StoreError::DuplicateId)),
        "{error:?}"
    );
    assert_eq!(second.response_cookie(), None);
    let still = next(&manager, &first).current().await.unwrap().unwrap();
    assert_eq!(still.user_key.as_str(), "ann");
    assert_eq!(count(&store).await, 1);
}

#[derive(Debug)]
struct Broken;

impl Random for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
        Err(RandomError::new("no entropy"))
    }
}

#[tokio::test]
async fn without_randomness_nothing_is_stored_set_or_ended() {
    let store = MemoryStore::new();
    let good = manager(&store);
    let login = stranger(&good);
    login.init("ann").await.unwrap();
    let broken = good.derive().insecure_random(Broken).build().unwrap();

    let request = next(&broken, &login);
    let error = request.init("bob").await.unwrap_err();
    assert!(matches!(error, Error::Random(_)), "{error:?}");
    let error = request.renew().await.unwrap_err();
    assert!(matches!(error, Error::Random(_)), "{error:?}");

    assert_eq!(request.response_cookie(), None);
    assert!(next(&good, &login).current().await.unwrap().is_some());
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn application_mistakes_are_errors_before_the_store_is_asked() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let request = stranger(&manager);
    for key in ["", "a\0b", &"a".repeat(257)] {
        let error = request.init(key).await.unwrap_err();
        assert!(matches!(error, Error::UserKey(_)), "{error:?}");
        let error = manager.revoke_by_user_key(key).await.unwrap_err();
        assert!(matches!(error, Error::UserKey(_)), "{error:?}");
    }
    let oversized = "x".repeat(20_000);
    let error = request
        .init("ann")
        .meta("note", &oversized)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Meta(MetaError::TooLarge { .. })),
        "{error:?}"
    );

    request.init("ann").await.unwrap();
    let error = request.set_meta("note", &oversized).await.unwrap_err();
    let is_invalid = matches!(error, Error::Store(StoreError::InvalidMeta(_)));
    assert!(is_invalid, "{error:?}");
    assert!(request.current().await.unwrap().unwrap().meta.is_empty());
}

#[tokio::test]
async fn login_over_a_live_session_ends_it_in_the_same_step() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let first = stranger(&manager);
    first.init("mallory").await.unwrap();

    // The victim logs in on a browser in which an attacker left a session of his.
    let second = next(&manager, &first);
    second.init("ann").await.unwrap();

    assert!(next(&manager, &first).current().await.unwrap().is_none());
    let current = next(&manager, &second).current().await.unwrap().unwrap();
    assert_eq!(current.user_key.as_str(), "ann");
    assert_eq!(count(&store).await, 1);
}

#[tokio::test]
async fn renewal_kills_the_old_token_and_keeps_the_rest() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    let before = login.init("ann").meta("permission", "write").await.unwrap();

    let request = next(&manager, &login);
    let after = request.renew().await.unwrap();

    assert_eq!(*after, *before);
    assert!(next(&manager, &login).current().await.unwrap().is_none());
    let renewed = next(&manager, &request).current().await.unwrap().unwrap();
    assert_eq!(*renewed, *before);
}

#[tokio::test]
async fn of_two_renewals_at_once_one_wins_and_the_other_leaves_the_cookie_alone() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    login.init("ann").await.unwrap();
    let (a, b) = (next(&manager, &login), next(&manager, &login));
    a.current().await.unwrap();
    b.current().await.unwrap();

    a.renew().await.unwrap();
    let error = b.renew().await.unwrap_err();

    assert!(matches!(error, Error::NoSession), "{error:?}");
    assert_eq!(b.response_cookie(), None);
    assert!(next(&manager, &a).current().await.unwrap().is_some());
}

/// A request that was let in, then its session is revoked by another one.
#[tokio::test]
async fn request_under_way_cannot_bring_a_revoked_session_back() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    login.init("ann").await.unwrap();
    let under_way = || async {
        let request = next(&manager, &login);
        assert!(request.current().await.unwrap().is_some());
        request
    };
    let (a, b, c, d) = (
        under_way().await,
        under_way().await,
        under_way().await,
        under_way().await,
    );

    next(&manager, &login).revoke().await.unwrap();

    assert!(matches!(a.renew().await, Err(Error::NoSession)));
    assert!(matches!(b.set_meta("a", 1).await, Err(Error::NoSession)));
    assert!(matches!(c.remove_meta("a").await, Err(Error::NoSession)));
    assert!(matches!(d.list().await, Err(Error::NoSession)));
    for request in [a, b, c, d] {
        assert_eq!(request.response_cookie(), None);
    }
    assert_eq!(count(&store).await, 0);
}

/// A request that was let in, then its token is renewed by another one.
#[tokio::test]
async fn request_under_way_cannot_take_over_a_renewed_session() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    login.init("ann").await.unwrap();
    let under_way = next(&manager, &login);
    under_way.current().await.unwrap().unwrap();
    let owner = next(&manager, &login);
    owner.renew().await.unwrap();

    let change = under_way.set_meta("seen", 1).await;
    assert!(matches!(change, Err(Error::NoSession)), "{change:?}");
    let renewal = under_way.renew().await;
    assert!(matches!(renewal, Err(Error::NoSession)), "{renewal:?}");

    assert_eq!(under_way.response_cookie(), None);
    let current = next(&manager, &owner).current().await.unwrap().unwrap();
    assert!(current.meta.is_empty());
}

#[tokio::test]
async fn parallel_requests_do_not_undo_each_others_meta() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    login.init("ann").meta("old", true).await.unwrap();
    let (a, b) = (next(&manager, &login), next(&manager, &login));
    a.current().await.unwrap();
    b.current().await.unwrap();

    a.set_meta("a", 1).await.unwrap();
    b.set_meta("b", [2]).await.unwrap();
    a.change_meta(MetaChange::new().remove("old"))
        .await
        .unwrap();

    let current = next(&manager, &login).current().await.unwrap().unwrap();
    let meta = serde_json::to_value(&current.meta).unwrap();
    assert_eq!(meta, serde_json::json!({"a": 1, "b": [2]}));
    assert_eq!(current.meta.get::<u32>("a").unwrap(), Some(1));
}

/// What the importer will do with a session of the original.
async fn import(store: &MemoryStore, token: &str) {
    let credential = Credential::of_imported(token.as_bytes()).unwrap();
    let session = Session::new(
        credential.id,
        UserKey::new("ann").unwrap(),
        START,
        Timestamp::MAX,
    );
    let record = Record::new(session, credential.secret_hash);
    let created = store.create(record, CreateOptions::default(), START).await;
    created.unwrap();
}

#[tokio::test]
async fn imported_tokens_are_honoured_where_asked_for_and_renewed_into_ours() {
    let store = MemoryStore::new();
    let strict = manager(&store);
    let accepting = strict.derive().accept_imported_tokens().build().unwrap();
    // The second has the form of ours by accident.
    for token in ["r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd", &"A".repeat(64)] {
        import(&store, token).await;
        let cookie = format!("__Host-id={token}");
        let request = |manager: &Manager| manager.sessions([cookie.as_bytes()], Peer::default());

        assert!(request(&strict).current().await.unwrap().is_none());
        let imported = request(&accepting);
        let session = imported.current().await.unwrap().unwrap();
        assert_eq!(session.user_key.as_str(), "ann");

        imported.renew().await.unwrap();
        assert!(request(&accepting).current().await.unwrap().is_none());
        let renewed = next(&strict, &imported).current().await.unwrap().unwrap();
        assert_eq!(renewed.id, session.id);
    }
}

#[tokio::test]
async fn new_sessions_never_get_the_form_of_the_original() {
    let store = MemoryStore::new();
    let accepting = manager(&store).derive().accept_imported_tokens();
    let accepting = accepting.build().unwrap();
    let login = stranger(&accepting);
    login.init("ann").await.unwrap();
    assert!(
        next(&manager(&store), &login)
            .current()
            .await
            .unwrap()
            .is_some()
    );
}

/// A store that keeps none of its promises, as far as a test says.
#[derive(Debug)]
struct Faithless {
    store: MemoryStore,
    lie: Option<Lie>,
    meddle: Option<Meddle>,
}

/// What a fetch returns in place of what it was asked for.
#[derive(Clone, Copy, Debug)]
enum Lie {
    Expired,
    Other(SessionId),
}

/// What happens just before an update.
#[derive(Clone, Copy, Debug)]
enum Meddle {
    Delete,
    Fail,
    Renew,
}

impl Store for Faithless {
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
        self.store.create(record, options, now).await
    }

    async fn fetch(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        match self.lie {
            None => self.store.fetch(id, now).await,
            Some(Lie::Expired) => self.store.fetch(id, START).await,
            Some(Lie::Other(other)) => self.store.fetch(other, now).await,
        }
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
        change: Change,
        now: Timestamp,
    ) -> Result<Option<Arc<Record>>, StoreError> {
        match self.meddle {
            None => {}
            Some(Meddle::Delete) => {
                self.store.delete(id, None).await?;
            }
            Some(Meddle::Fail) => return Err(StoreError::Overloaded),
            Some(Meddle::Renew) => {
                let record = self.store.fetch(id, now).await?.unwrap();
                let other = SecretHash::from_bytes([7; 32]);
                let renewal = Change::renew(record.secret_hash, other);
                self.store.update(id, renewal, now).await?;
            }
        }
        self.store.update(id, change, now).await
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

#[tokio::test]
async fn nobody_is_logged_in_on_a_stores_word() {
    let store = MemoryStore::new();
    let clock = ManualClock::at(START);
    let honest = evidence::watch(Manager::builder(store.clone()))
        .clock(clock.clone())
        .build()
        .unwrap();
    let (ann, bob) = (stranger(&honest), stranger(&honest));
    let ann_id = ann.init("ann").await.unwrap().id;
    bob.init("bob").await.unwrap();
    let lying = |lie| {
        let faithless = Faithless {
            store: store.clone(),
            lie: Some(lie),
            meddle: None,
        };
        let builder = evidence::watch(Manager::builder(faithless)).clock(clock.clone());
        // An update would tell the truth.
        let builder = builder.touch_interval(std::time::Duration::MAX);
        builder.build().unwrap()
    };

    assert!(
        next(&lying(Lie::Other(ann_id)), &bob)
            .current()
            .await
            .unwrap()
            .is_none()
    );

    clock.set(START.saturating_add(std::time::Duration::from_secs(24 * 60 * 60)));
    assert!(
        next(&lying(Lie::Expired), &ann)
            .current()
            .await
            .unwrap()
            .is_none()
    );
}

/// A use that cannot be recorded costs nobody the login; a session that ended or was renewed while
/// its use was recorded is not this request's any more.
#[tokio::test]
async fn recording_a_use_brings_nothing_back_and_takes_nothing_away() {
    let cases = [
        (Meddle::Delete, false),
        (Meddle::Fail, true),
        (Meddle::Renew, false),
    ];
    for (meddle, let_in) in cases {
        let store = MemoryStore::new();
        let clock = ManualClock::at(START);
        let faithless = Faithless {
            store,
            lie: None,
            meddle: Some(meddle),
        };
        let manager = evidence::watch(Manager::builder(faithless)).clock(clock.clone());
        let manager = manager.build().unwrap();
        let login = stranger(&manager);
        login.init("ann").await.unwrap();

        clock.advance(std::time::Duration::from_secs(60));
        let current = next(&manager, &login).current().await.unwrap();

        assert_eq!(current.is_some(), let_in, "{meddle:?}");
    }
}

#[tokio::test]
async fn nothing_is_stored_for_who_does_not_log_in() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let cookies = [
        "",
        "__Host-id=",
        "__Host-id=x",
        &format!("__Host-id={}", "A".repeat(64)),
    ];
    for cookie in cookies {
        let request = manager.sessions([cookie.as_bytes()], Peer::default());
        assert!(request.current().await.unwrap().is_none());
        assert_eq!(request.list().await.unwrap(), []);
        assert_eq!(request.revoke_other().await.unwrap(), 0);
        assert_eq!(request.revoke_all().await.unwrap(), 0);
        assert!(matches!(request.renew().await, Err(Error::NoSession)));
        assert!(matches!(
            request.set_meta("a", 1).await,
            Err(Error::NoSession)
        ));
        assert_eq!(request.response_cookie(), None);
        request.revoke().await.unwrap();
        // There is a cookie to remove only if one was sent.
        assert_eq!(request.response_cookie().is_some(), !cookie.is_empty());
    }
    assert_eq!(count(&store).await, 0);
}

#[test]
fn a_future_that_is_never_polled_does_nothing() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let request = stranger(&manager);
    drop(request.init("ann").into_future());
    drop(request.revoke());
    drop(manager.revoke_by_user_key("ann"));
    assert_eq!(request.response_cookie(), None);

    // The store in memory answers at the first poll, so one poll is the whole login.
    let mut context = Context::from_waker(Waker::noop());
    let mut login = request.init("ann").into_future();
    assert!(matches!(
        login.as_mut().poll(&mut context),
        Poll::Ready(Ok(_))
    ));
    assert!(request.response_cookie().is_some());
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_the_token() {
    let store = MemoryStore::new();
    let manager = manager(&store);
    let login = stranger(&manager);
    let session = login.init("ann").await.unwrap();
    let request = next(&manager, &login);
    request.current().await.unwrap();
    let cookie = login.response_cookie().unwrap();
    let token = cookie.expose()["__Host-id=".len()..][..64].to_owned();

    let printed = format!(
        "{manager:?} {login:#?} {request:?} {session:?} {cookie:?} {:?} {:?} {store:?}",
        request.list().await.unwrap(),
        request.init("bob"),
    );

    // The first 22 characters are the public id.
    assert!(!printed.contains(&token[22..]));
    assert!(printed.contains(&session.id.to_string()));
}

#[test]
fn handles_can_be_sent_and_shared() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Manager>();
    check::<Sessions>();
    check::<sessionup_core::CurrentSession>();
    check::<Error>();
    check::<StoreError>();
    check::<MemoryStore>();
}
