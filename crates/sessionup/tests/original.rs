//! The behaviours of Go's sessionup and of its Bolt store, one by one, over both stores.
//!
//! Where ours differs on purpose, the test says so; the reasons stand in docs/design.md.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::time::Duration;

use axum::Router;
use http::Request;
use sessionup::{
    Manager, ManagerBuilder, ManualClock, MemoryStore, OnMismatch, SameSite, SessionId,
};
use sessionup_redb::RedbStore;
use support::{Browser, COOKIE_NAME, SAFARI, app, minutes};

/// A store, and what must live as long as it does.
struct World {
    builder: ManagerBuilder,
    clock: ManualClock,
    _directory: Option<tempfile::TempDir>,
}

impl World {
    fn memory() -> Self {
        Self::over(evidence::watch(Manager::builder(MemoryStore::new())), None)
    }

    fn redb() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = RedbStore::builder()
            .cleanup_interval(Duration::ZERO)
            .open(directory.path().join("sessions.redb"));
        Self::over(
            evidence::watch(Manager::builder(store.unwrap())),
            Some(directory),
        )
    }

    fn over(builder: ManagerBuilder, directory: Option<tempfile::TempDir>) -> Self {
        let clock = support::clock();
        Self {
            builder: builder.clock(clock.clone()),
            clock,
            _directory: directory,
        }
    }

    fn manager(&self) -> Manager {
        self.builder.clone().build().unwrap()
    }

    fn app(&self) -> Router {
        app(&self.manager())
    }

    fn with(&self, change: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Router {
        app(&change(self.builder.clone()).build().unwrap())
    }
}

macro_rules! over_both_stores {
    ($($behaviour:ident)*) => {
        mod in_memory {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    super::$behaviour(super::World::memory()).await;
                }
            )*
        }

        mod file {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $behaviour() {
                    super::$behaviour(super::World::redb()).await;
                }
            )*
        }
    };
}

over_both_stores! {
    cookie_options
    defaults
    default_reject
    clone_keeps_the_settings_it_does_not_change
    init_temporary
    init_permanent
    init_without_meta
    init_with_meta
    new_session_without_ip
    new_session_without_agent
    new_session_with_unreadable_agent
    new_session_with_everything
    public_and_auth_without_cookie
    public_and_auth_with_unknown_id
    public_and_auth_with_expired_session
    public_and_auth_with_another_ip
    public_and_auth_with_a_session
    revoke_without_session_does_nothing
    revoke_ends_the_session_and_removes_the_cookie
    revoke_by_id_of_nothing_does_nothing
    revoke_by_id_unchecked_ends_anybodys
    revoke_by_id_without_session_does_nothing
    revoke_by_id_of_ones_own
    revoke_by_id_of_another_user_is_refused
    revoke_by_id_of_the_current_session
    revoke_other_without_session_does_nothing
    revoke_other_keeps_the_current_session
    revoke_all_without_session_does_nothing
    revoke_all_ends_every_session
    revoke_by_user_key_ends_every_session_of_the_user
    fetch_all_without_session_is_empty
    fetch_all_marks_the_current_session
    fetch_all_leaves_expired_sessions_out
    every_session_survives_many_logins_of_others
}

/// What the Bolt store does beyond the manager's behaviours.
mod bolt_store {
    use std::sync::Arc;

    use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableHandle};
    use sessionup_redb::OpenError;

    use super::*;

    /// A database of the application's, with one session that has expired.
    async fn with_expired_session(bucket: &str) -> (Arc<Database>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::create(directory.path().join("my.redb")).unwrap();
        let database = Arc::new(database);
        let store = RedbStore::new(Arc::clone(&database), bucket, Duration::ZERO).unwrap();
        // By the clock of the operating system, as the cleanups below.
        let manager = evidence::watch(Manager::builder(store.clone()));
        let manager = manager.lifetime(Duration::from_millis(1)).build().unwrap();
        manager
            .sessions([], sessionup::Peer::default())
            .init("ann")
            .await
            .unwrap();
        store.close().await;
        (database, directory)
    }

    fn records(database: &Database, bucket: &str) -> u64 {
        let transaction = database.begin_read().unwrap();
        let mut tables = transaction.list_tables().unwrap();
        let name = format!("{bucket}/sessions");
        let table = tables.find(|table| table.name() == name).unwrap();
        transaction
            .open_untyped_table(table)
            .unwrap()
            .len()
            .unwrap()
    }

    #[test]
    fn new_refuses_an_empty_bucket_and_a_senseless_interval() {
        let directory = tempfile::tempdir().unwrap();
        let database = Arc::new(Database::create(directory.path().join("my.redb")).unwrap());
        let open = |bucket, interval| RedbStore::new(Arc::clone(&database), bucket, interval);
        let empty = open("", Duration::from_secs(1));
        assert!(
            matches!(empty, Err(OpenError::InvalidBucket { .. })),
            "{empty:?}"
        );
        let senseless = open("sessions", Duration::from_nanos(1));
        assert!(
            matches!(senseless, Err(OpenError::InvalidInterval { .. })),
            "{senseless:?}"
        );
        open("sessions", Duration::ZERO).unwrap();
    }

    #[tokio::test]
    async fn zero_interval_deletes_nothing() {
        let (database, _directory) = with_expired_session("sessions").await;
        let store = RedbStore::new(Arc::clone(&database), "sessions", Duration::ZERO).unwrap();
        store.close().await;
        assert_eq!(records(&database, "sessions"), 1);
    }

    #[tokio::test]
    async fn cleanup_deletes_what_has_expired() {
        let (database, _directory) = with_expired_session("sessions").await;
        let interval = Duration::from_millis(1);
        let store = RedbStore::new(Arc::clone(&database), "sessions", interval).unwrap();
        while records(&database, "sessions") > 0 {
            tokio::task::yield_now().await;
        }
        assert!(store.cleanup_errors().try_recv().is_none());
    }

    /// Ours: a closed store refuses work, where the original goes on without cleanup.
    #[tokio::test]
    async fn close_leaves_the_database_open_and_twice_is_harmless() {
        let (database, _directory) = with_expired_session("sessions").await;
        let interval = Duration::from_secs(60);
        let store = RedbStore::new(Arc::clone(&database), "sessions", interval).unwrap();
        let errors = store.cleanup_errors();
        store.close().await;
        store.close().await;
        assert!(errors.recv().await.is_none());

        let manager = evidence::watch(Manager::builder(store)).build().unwrap();
        let login = manager.sessions([], sessionup::Peer::default());
        let refused = login.init("ann").await.unwrap_err();
        assert_eq!(refused.to_string(), "session store is closed, open it anew");
        let own = redb::TableDefinition::<&str, &str>::new("own");
        let transaction = database.begin_write().unwrap();
        transaction
            .open_table(own)
            .unwrap()
            .insert("key", "value")
            .unwrap();
        transaction.commit().unwrap();
    }
}

async fn cookie_options(world: World) {
    let app = world.with(|b| {
        b.cookie_name("sid")
            .domain("example.org")
            .path("/app")
            .insecure_http()
            .insecure_script_access()
            .same_site(SameSite::Lax)
            .expires_in(minutes(60))
    });
    let mut browser = Browser::new(&app);
    browser.cookie_name = "sid".into();
    let reply = browser.post("/login/ann").await;
    let token = browser.cookie.unwrap();
    let expected = format!(
        "sid={token}; Path=/app; Domain=example.org; SameSite=Lax; Max-Age=3600; \
         Expires=Sat, 21 Nov 2026 19:39:05 GMT"
    );
    assert_eq!(reply.set_cookies(), [expected]);
}

/// Ours: the name's prefix. The original calls the cookie `sessionup`.
async fn defaults(world: World) {
    let mut browser = Browser::new(&world.app());
    let reply = browser.post("/login/ann").await;
    let token = browser.cookie.unwrap();
    let expected = format!("{COOKIE_NAME}={token}; Path=/; Secure; HttpOnly; SameSite=Strict");
    assert_eq!(reply.set_cookies(), [expected]);
}

async fn default_reject(world: World) {
    let reply = Browser::new(&world.app()).get("/private").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json(), serde_json::json!({"error": "unauthorized"}));
}

async fn clone_keeps_the_settings_it_does_not_change(world: World) {
    let first = world.builder.clone().cookie_name("sid").build().unwrap();
    let second = first.derive().expires_in(minutes(60)).build().unwrap();
    assert_eq!(second.cookie_name(), "sid");

    // Both stand on one store: a login by one is good for the other.
    let mut browser = Browser::new(&app(&second));
    browser.cookie_name = "sid".into();
    let reply = browser.post("/login/ann").await;
    assert!(reply.set_cookies()[0].contains("Max-Age=3600"));
    let mut other = Browser::new(&app(&first));
    (other.cookie_name, other.cookie) = (browser.cookie_name, browser.cookie);
    assert_eq!(other.get("/private").await.body, "ann");
    let reply = other.post("/login/ann").await;
    assert!(!reply.set_cookies()[0].contains("Max-Age"));
}

async fn init_temporary(world: World) {
    let mut browser = Browser::new(&world.app());
    let reply = browser.post("/login/ann").await;
    let cookie = reply.set_cookies()[0];
    assert!(!cookie.contains("Expires") && !cookie.contains("Max-Age"));
    let list = browser.get("/devices").await.json();
    assert_eq!(list[0]["created_at"], "2026-11-21T18:39:05Z");
    assert_eq!(list[0]["expires_at"], "2026-11-22T18:39:05Z");
}

async fn init_permanent(world: World) {
    let mut browser = Browser::new(&world.with(|b| b.expires_in(minutes(60))));
    let reply = browser.post("/login/ann").await;
    assert!(reply.set_cookies()[0].ends_with("; Expires=Sat, 21 Nov 2026 19:39:05 GMT"));
    let list = browser.get("/devices").await.json();
    assert_eq!(list[0]["expires_at"], "2026-11-21T19:39:05Z");
}

async fn init_without_meta(world: World) {
    let manager = world.manager();
    let sessions = manager.sessions([], sessionup::Peer::default());
    let session = sessions.init("ann").await.unwrap();
    assert!(session.meta.is_empty());
    let list = serde_json::to_value(sessions.list().await.unwrap()).unwrap();
    assert_eq!(list[0].get("meta"), None);
}

async fn init_with_meta(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.login("ann").await;
    let list = browser.get("/devices").await.json();
    assert_eq!(list[0]["meta"], serde_json::json!({"permission": "write"}));
}

async fn new_session_without_ip(world: World) {
    let mut browser = Browser::new(&world.with(|b| b.with_ip(false)));
    browser.login("ann").await;
    assert_eq!(browser.get("/devices").await.json()[0]["ip"], "");
}

async fn new_session_without_agent(world: World) {
    let mut browser = Browser::new(&world.with(|b| b.with_agent(false)));
    browser.login("ann").await;
    let agent = &browser.get("/devices").await.json()[0]["agent"];
    assert_eq!(*agent, serde_json::json!({"os": "", "browser": ""}));
}

async fn new_session_with_unreadable_agent(world: World) {
    let mut browser = Browser::new(&world.app()).agent("\u{fe}<>(((((");
    browser.login("ann").await;
    let agent = &browser.get("/devices").await.json()[0]["agent"];
    assert_eq!(*agent, serde_json::json!({"os": "", "browser": ""}));
}

async fn new_session_with_everything(world: World) {
    let mut browser = Browser::new(&world.app());
    let id = browser.login("ann").await;
    let expected = serde_json::json!([{
        "current": true,
        "created_at": "2026-11-21T18:39:05Z",
        "expires_at": "2026-11-22T18:39:05Z",
        "last_seen_at": "2026-11-21T18:39:05Z",
        "id": id,
        "ip": "192.0.2.1",
        "agent": {"os": "Linux", "browser": "Firefox", "version": 140, "kind": "desktop"},
        "meta": {"permission": "write"},
    }]);
    assert_eq!(browser.get("/devices").await.json(), expected);
}

async fn public_and_auth_without_cookie(world: World) {
    let mut browser = Browser::new(&world.app());
    assert_eq!(browser.get("/").await.body, "nobody");
    assert_eq!(browser.get("/private").await.status, 401);
}

async fn public_and_auth_with_unknown_id(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.cookie = Some("A".repeat(64));
    assert_eq!(browser.get("/").await.body, "nobody");
    assert_eq!(browser.get("/private").await.status, 401);
}

async fn public_and_auth_with_expired_session(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.login("ann").await;
    world.clock.advance(minutes(24 * 60));
    assert_eq!(browser.get("/").await.body, "nobody");
    assert_eq!(browser.get("/private").await.status, 401);
}

async fn public_and_auth_with_another_ip(world: World) {
    let mut browser = Browser::new(&world.with(|b| b.validate(OnMismatch::Refuse)));
    browser.login("ann").await;
    browser.ip = "192.0.2.2".parse().ok();
    assert_eq!(browser.get("/").await.body, "nobody");
    assert_eq!(browser.get("/private").await.status, 401);
    browser.ip = "::ffff:192.0.2.1".parse().ok();
    assert_eq!(browser.get("/private").await.status, 200);
}

async fn public_and_auth_with_a_session(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.login("ann").await;
    assert_eq!(browser.get("/").await.body, "ann");
    assert_eq!(browser.get("/private").await.body, "ann");
}

/// Ours: a cookie that is dead goes too, since the user asked to be logged out.
async fn revoke_without_session_does_nothing(world: World) {
    let mut browser = Browser::new(&world.app());
    assert_eq!(browser.post("/logout").await.status, 200);
    browser.cookie = Some("A".repeat(64));
    assert_eq!(browser.post("/logout").await.status, 200);
    assert_eq!(browser.cookie, None);
}

async fn revoke_ends_the_session_and_removes_the_cookie(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.login("ann").await;
    let token = browser.cookie.clone();

    let reply = browser.post("/logout").await;

    assert_eq!(
        reply.set_cookies(),
        [
            "__Host-id=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0; \
          Expires=Thu, 01 Jan 1970 00:00:01 GMT"
        ]
    );
    assert_eq!(browser.cookie, None);
    browser.cookie = token;
    assert_eq!(browser.get("/private").await.status, 401);
    assert_eq!(browser.post("/logout").await.status, 200);
}

async fn revoke_by_id_of_nothing_does_nothing(world: World) {
    let mut browser = Browser::new(&world.app());
    browser.login("ann").await;
    let reply = browser.post(&format!("/revoke/{}", unknown())).await;
    assert_eq!(reply.body, "false");
    assert_eq!(browser.get("/private").await.status, 200);
    let revoked = world.manager().revoke_by_id_unchecked(unknown()).await;
    assert!(!revoked.unwrap());
}

async fn revoke_by_id_unchecked_ends_anybodys(world: World) {
    let mut browser = Browser::new(&world.app());
    let id = browser.login("ann").await;
    let manager = world.manager();
    let revoked = manager.revoke_by_id_unchecked(id.parse().unwrap()).await;
    assert!(revoked.unwrap());
    assert_eq!(browser.get("/private").await.status, 401);
}

async fn revoke_by_id_without_session_does_nothing(world: World) {
    let app = world.app();
    let (mut ann, mut stranger) = (Browser::new(&app), Browser::new(&app));
    let id = ann.login("ann").await;
    let reply = stranger.post(&format!("/revoke/{id}")).await;
    assert_eq!(reply.body, "false");
    assert_eq!(ann.get("/private").await.status, 200);
}

async fn revoke_by_id_of_ones_own(world: World) {
    let app = world.app();
    let (mut desk, mut phone) = (Browser::new(&app), Browser::new(&app).agent(SAFARI));
    desk.login("ann").await;
    let id = phone.login("ann").await;
    let reply = desk.post(&format!("/revoke/{id}")).await;
    assert_eq!(reply.body, "true");
    assert!(reply.set_cookies().is_empty());
    assert_eq!(phone.get("/private").await.status, 401);
    assert_eq!(desk.get("/private").await.status, 200);
}

/// Ours: the same answer as for an id that does not exist. The original has an error that tells.
async fn revoke_by_id_of_another_user_is_refused(world: World) {
    let app = world.app();
    let (mut ann, mut bob) = (Browser::new(&app), Browser::new(&app));
    ann.login("ann").await;
    let id = bob.login("bob").await;
    let foreign = ann.post(&format!("/revoke/{id}")).await;
    let missing = ann.post(&format!("/revoke/{}", unknown())).await;
    assert_eq!(
        (foreign.status, &foreign.body),
        (missing.status, &missing.body)
    );
    assert_eq!(foreign.body, "false");
    assert_eq!(bob.get("/private").await.status, 200);
}

async fn revoke_by_id_of_the_current_session(world: World) {
    let mut browser = Browser::new(&world.app());
    let id = browser.login("ann").await;
    let reply = browser.post(&format!("/revoke/{id}")).await;
    assert_eq!(reply.body, "true");
    assert_eq!(browser.cookie, None);
}

async fn revoke_other_without_session_does_nothing(world: World) {
    let reply = Browser::new(&world.app()).post("/revoke-other").await;
    assert_eq!(reply.body, "0");
    assert!(reply.set_cookies().is_empty());
}

async fn revoke_other_keeps_the_current_session(world: World) {
    let app = world.app();
    let mut devices = vec![Browser::new(&app); 3];
    for device in &mut devices {
        device.login("ann").await;
    }
    let mut bob = Browser::new(&app);
    bob.login("bob").await;

    let reply = devices[1].post("/revoke-other").await;

    assert_eq!(reply.body, "2");
    assert!(reply.set_cookies().is_empty());
    for (n, status) in [(0, 401), (1, 200), (2, 401)] {
        assert_eq!(devices[n].get("/private").await.status, status, "{n}");
    }
    assert_eq!(bob.get("/private").await.status, 200);
}

async fn revoke_all_without_session_does_nothing(world: World) {
    let reply = Browser::new(&world.app()).post("/revoke-all").await;
    assert_eq!(reply.body, "0");
    assert!(reply.set_cookies().is_empty());
}

async fn revoke_all_ends_every_session(world: World) {
    let app = world.app();
    let mut devices = vec![Browser::new(&app); 3];
    for device in &mut devices {
        device.login("ann").await;
    }
    let mut bob = Browser::new(&app);
    bob.login("bob").await;

    assert_eq!(devices[1].post("/revoke-all").await.body, "3");

    assert_eq!(devices[1].cookie, None);
    for device in &mut devices {
        assert_eq!(device.get("/private").await.status, 401);
    }
    assert_eq!(bob.get("/private").await.status, 200);
}

async fn revoke_by_user_key_ends_every_session_of_the_user(world: World) {
    let app = world.app();
    let (mut ann, mut bob) = (Browser::new(&app), Browser::new(&app));
    ann.login("ann").await;
    bob.login("bob").await;

    assert_eq!(ann.post("/admin/revoke/bob").await.body, "1");
    assert_eq!(bob.get("/private").await.status, 401);
    assert_eq!(ann.get("/private").await.status, 200);
    assert_eq!(
        world.manager().revoke_by_user_key("nobody").await.unwrap(),
        0
    );

    assert_eq!(ann.post("/admin/revoke/ann").await.body, "1");
    assert_eq!(ann.cookie, None);
}

async fn fetch_all_without_session_is_empty(world: World) {
    let reply = Browser::new(&world.app()).get("/open-devices").await;
    assert_eq!(reply.json(), serde_json::json!([]));
}

async fn fetch_all_marks_the_current_session(world: World) {
    let app = world.app();
    let mut devices = vec![Browser::new(&app); 3];
    let mut ids = Vec::new();
    for device in &mut devices {
        world.clock.advance(minutes(1));
        ids.push(device.login("ann").await);
    }
    Browser::new(&app).login("bob").await;

    let list = devices[1].get("/devices").await.json();

    let listed: Vec<_> = list.as_array().unwrap().iter().collect();
    let listed_ids: Vec<_> = listed.iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(listed_ids, ids);
    let current: Vec<_> = listed.iter().map(|s| s["current"] == true).collect();
    assert_eq!(current, [false, true, false]);
    assert_eq!(
        world.manager().list_by_user_key("ann").await.unwrap().len(),
        3
    );
}

async fn fetch_all_leaves_expired_sessions_out(world: World) {
    let app = world.with(|b| b.lifetime(minutes(60)));
    let (mut early, mut late) = (Browser::new(&app), Browser::new(&app));
    early.login("ann").await;
    world.clock.advance(minutes(30));
    late.login("ann").await;
    world.clock.advance(minutes(30));
    let list = late.get("/devices").await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
}

async fn every_session_survives_many_logins_of_others(world: World) {
    let app = world.app();
    let mut ann = Browser::new(&app);
    ann.login("ann").await;
    for n in 0..30 {
        Browser::new(&app).login(&format!("user{n}")).await;
    }
    let reply = ann.send(Request::get("/private")).await;
    assert_eq!(reply.body, "ann");
}

fn unknown() -> SessionId {
    SessionId::from_bytes([0xff; 16])
}
