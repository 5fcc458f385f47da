//! The demo within the process of the tests.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use demo::accounts::{AccountName, Accounts};
use demo::app::{AppState, app};
use demo::args::Cookies;
use demo::passwords::Passwords;
use demo::server;
use sessionup::{Clock, Manager, ManualClock, Store, SystemClock};
use sessionup_redb::RedbStore;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// The application, and a hold on its parts.
pub struct InProcess {
    pub address: String,
    pub manager: Manager,
    pub accounts: Accounts,
    pub passwords: Passwords,
    /// Answers without a socket.
    pub app: Router,
    runtime: Runtime,
    store: Option<RedbStore>,
    _directory: TempDir,
}

impl InProcess {
    pub fn start() -> Self {
        Self::durable(SystemClock::default(), None)
    }

    /// Starts it with a clock that the test sets.
    pub fn at(clock: &ManualClock) -> Self {
        Self::durable(clock.clone(), None)
    }

    /// As [`InProcess::at`], with an administrator.
    pub fn administrated(clock: &ManualClock, admin: &str) -> Self {
        Self::durable(clock.clone(), Some(admin))
    }

    /// Starts it over another store.
    pub fn over(store: impl Store) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::with(directory, store, SystemClock::default(), None)
    }

    fn durable(clock: impl Clock, admin: Option<&str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // Without cleanup: it would go by the system's clock.
        let store = RedbStore::builder().cleanup_interval(Duration::ZERO);
        let store = store.open(directory.path().join("demo.redb")).unwrap();
        let started = Self::with(directory, store.clone(), clock, admin);
        Self {
            store: Some(store),
            ..started
        }
    }

    fn with(directory: TempDir, store: impl Store, clock: impl Clock, admin: Option<&str>) -> Self {
        evidence::listen();
        let manager = server::manager(store, Cookies::default()).unwrap();
        // Tests that hold up the store must not run into its time limit.
        let manager = manager.derive().store_timeout(Duration::from_secs(60));
        let manager = manager.clock(clock).build().unwrap();
        let accounts = Accounts::open(directory.path().join("accounts")).unwrap();
        let passwords = Passwords::new().unwrap();
        let mut state = AppState::new(accounts.clone(), passwords.clone(), manager.clone());
        if let Some(admin) = admin {
            state = state.administrated_by(AccountName::new(admin).unwrap());
        }
        let app = app(state);

        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = app
            .clone()
            .into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async { axum::serve(listener, service).await.unwrap() });
        Self {
            address,
            manager,
            accounts,
            passwords,
            app,
            runtime,
            store: None,
            _directory: directory,
        }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }

    pub fn close_store(&self) {
        self.block_on(self.store.as_ref().unwrap().close());
    }
}
