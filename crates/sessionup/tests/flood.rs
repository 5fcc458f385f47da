//! A hundred thousand requests of strangers through the real layers over a file: nothing is written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use http::header::COOKIE;
use http::{HeaderValue, Request, Response};
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, StorageBackend, TableDefinition};
use sessionup::{
    Manager, ManualClock, OsRandom, Peer, Random, SessionLayers, Sessions, Store, Timestamp,
};
use sessionup_redb::RedbStore;
use support::{COOKIE_NAME, build, clock, minutes};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

const REQUESTS: usize = 100_000;
const EXPIRED: usize = 500;
const SESSIONS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("sessions/sessions");

/// A disk that counts what changes it.
#[derive(Debug)]
struct Counting {
    inner: InMemoryBackend,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    writes: AtomicU64,
    syncs: AtomicU64,
}

impl Counts {
    fn get(&self) -> (u64, u64) {
        let get = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (get(&self.writes), get(&self.syncs))
    }
}

impl StorageBackend for Counting {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.counts.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.counts.syncs.fetch_add(1, Ordering::SeqCst);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.counts.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.write(offset, data)
    }
}

struct Server {
    database: Arc<Database>,
    counts: Arc<Counts>,
    store: RedbStore,
    clock: ManualClock,
    manager: Manager,
}

impl Server {
    fn start() -> Self {
        let counts = Arc::<Counts>::default();
        let backend = Counting {
            inner: InMemoryBackend::new(),
            counts: Arc::clone(&counts),
        };
        let database = Arc::new(Database::builder().create_with_backend(backend).unwrap());
        let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
        let store = builder.on(Arc::clone(&database)).unwrap();
        let clock = clock();
        let manager = build(store.clone(), &clock, |b| b.idle_timeout(minutes(30)));
        Self {
            database,
            counts,
            store,
            clock,
            manager,
        }
    }

    /// Every record in the table, expired ones included.
    fn records(&self) -> u64 {
        let transaction = self.database.begin_read().unwrap();
        transaction.open_table(SESSIONS).unwrap().len().unwrap()
    }

    async fn log_in_often(&self, times: usize) -> Vec<String> {
        let mut cookies = Vec::new();
        for user in 0..times {
            let sessions = self.manager.sessions([], Peer::default());
            sessions.init(format!("user{user}")).await.unwrap();
            let cookie = sessions.response_cookie().unwrap();
            cookies.push(cookie.expose().split(';').next().unwrap().to_owned());
        }
        cookies
    }
}

/// What strangers send. Every fifth of the requests is of one kind.
fn cookie_of(request: usize, expired: &[String]) -> Option<HeaderValue> {
    let mut random = [0; 48];
    OsRandom::default().fill(&mut random).unwrap();
    let unknown = BASE64URL_NOPAD.encode(&random);
    let field = match request % 5 {
        0 => return None,
        1 => format!("{COOKIE_NAME}={}", &unknown[..request % 64]),
        2 => format!("{COOKIE_NAME}={unknown}"),
        3 => expired[request % expired.len()].clone(),
        _ => format!("{COOKIE_NAME}={unknown}; {COOKIE_NAME}={}", "A".repeat(64)),
    };
    Some(HeaderValue::from_str(&field).unwrap())
}

/// Asks for everything that a handler can ask for and that is nobody's login.
async fn curious(request: Request<String>) -> Result<Response<String>, sessionup::Error> {
    let sessions = request.extensions().get::<Sessions>().unwrap();
    assert!(sessions.current().await?.is_none());
    assert!(sessions.list().await?.is_empty());
    assert_eq!(sessions.revoke_other().await?, 0);
    assert_eq!(sessions.revoke_all().await?, 0);
    sessions.set_meta("visits", 1).await.unwrap_err();
    sessions.renew().await.unwrap_err();
    Ok(Response::new("stranger".into()))
}

async fn refused(_: Request<String>) -> Result<Response<String>, sessionup::Error> {
    panic!("a stranger passed")
}

async fn flood<S, B>(
    mut service: S,
    requests: std::ops::Range<usize>,
    expired: &[String],
    status: u16,
) where
    S: Service<Request<String>, Response = Response<B>, Error = sessionup::Error>,
{
    for request in requests {
        let cookie = cookie_of(request, expired);
        let mut request = Request::new(String::new());
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie);
        }
        let service = service.ready().await.unwrap();
        let response = service.call(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(!response.headers().contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn strangers_cost_no_write_no_sync_and_no_record() {
    let server = Server::start();
    let expired = server.log_in_often(EXPIRED).await;
    server.clock.advance(minutes(30));
    assert_eq!(server.records(), EXPIRED as u64);
    let before = server.counts.get();

    let public = ServiceBuilder::new().layer(server.manager.public());
    let auth = ServiceBuilder::new().layer(server.manager.auth());
    let half = REQUESTS / 2;
    flood(public.service(service_fn(curious)), 0..half, &expired, 200).await;
    flood(
        auth.service(service_fn(refused)),
        half..REQUESTS,
        &expired,
        401,
    )
    .await;

    let after = server.counts.get();
    let (writes, syncs) = (after.0 - before.0, after.1 - before.1);
    let records = server.records() - EXPIRED as u64;
    println!(
        "{REQUESTS} requests: {writes} writes, {syncs} syncs, {records} new records beside {EXPIRED} expired ones"
    );
    assert_eq!((writes, syncs, records), (0, 0, 0));

    let (mut deleted, mut more) = (0, true);
    while more {
        let prune = server.store.prune(Timestamp::MAX, usize::MAX);
        let pruned = prune.await.unwrap();
        (deleted, more) = (deleted + pruned.deleted, pruned.more);
    }
    assert_eq!(deleted, EXPIRED as u64);
    assert_eq!(server.records(), 0);
    assert!(server.counts.get() > after, "the disk counts");
}

/// A logout without a session takes the cookie away and stores nothing.
#[tokio::test]
async fn logout_of_strangers_costs_no_write_either() {
    async fn logout(request: Request<String>) -> Result<Response<String>, sessionup::Error> {
        let sessions = request.extensions().get::<Sessions>().unwrap();
        sessions.revoke().await?;
        Ok(Response::new("bye".into()))
    }
    let server = Server::start();
    let before = server.counts.get();
    let public = ServiceBuilder::new().layer(server.manager.public());
    let mut service = public.service(service_fn(logout));
    let expired = ["__Host-id=".to_owned() + &"A".repeat(64)];
    for request in 0..1_000 {
        let cookie = cookie_of(request, &expired);
        let mut request = Request::new(String::new());
        if let Some(cookie) = &cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let removals = response.headers().get_all("set-cookie").iter().count();
        assert_eq!(removals, usize::from(cookie.is_some()));
    }
    assert_eq!(server.counts.get(), before);
    assert_eq!(server.records(), 0);
}
