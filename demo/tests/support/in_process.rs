//! The demo within the process of the tests.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use demo::accounts::Accounts;
use demo::app::{AppState, app};
use demo::args::Cookies;
use demo::passwords::Passwords;
use demo::server;
use sessionup::{Clock, Manager, ManualClock, SystemClock};
use sessionup_redb::RedbStore;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The application, and a hold on its store.
pub struct InProcess {
    pub address: String,
    pub manager: Manager,
    pub passwords: Passwords,
    /// Answers without a socket.
    pub app: Router,
    runtime: Runtime,
    store: RedbStore,
    _directory: TempDir,
}

impl InProcess {
    pub fn start() -> Self {
        Self::with(SystemClock::default())
    }

    /// Starts it with a clock that the test sets.
    pub fn at(clock: &ManualClock) -> Self {
        Self::with(clock.clone())
    }

    fn with(clock: impl Clock) -> Self {
        evidence::listen();
        let directory = tempfile::tempdir().unwrap();
        // Without cleanup: it would go by the system's clock.
        let store = RedbStore::builder().cleanup_interval(Duration::ZERO);
        let store = store.open(directory.path().join("demo.redb")).unwrap();
        let manager = server::manager(store.clone(), Cookies::default()).unwrap();
        let manager = manager.derive().clock(clock).build().unwrap();
        let accounts = Accounts::open(directory.path().join("accounts")).unwrap();
        let passwords = Passwords::new().unwrap();
        let app = app(AppState::new(accounts, passwords.clone(), manager.clone()));

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
            passwords,
            app,
            runtime,
            store,
            _directory: directory,
        }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn close_store(&self) {
        self.runtime.block_on(self.store.close());
    }
}
