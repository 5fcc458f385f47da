//! What users see while the store cannot be asked.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use demo::accounts::Accounts;
use demo::app::{AppState, app};
use demo::passwords::Passwords;
use demo::{database, server};
use sessionup_redb::RedbStore;
use support::browser::{Browser, FIREFOX};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The application within this process, and a hold on its store.
struct InProcess {
    runtime: Runtime,
    store: RedbStore,
    address: String,
    _directory: TempDir,
}

impl InProcess {
    fn start() -> Self {
        evidence::listen();
        let directory = tempfile::tempdir().unwrap();
        let database = database::open(&directory.path().join("demo.redb")).unwrap();
        let interval = Duration::from_secs(60);
        let store = RedbStore::new(Arc::clone(&database), "sessions", interval).unwrap();
        let manager = server::manager(store.clone(), false).unwrap();
        let accounts = Accounts::open(database).unwrap();
        let app = app(AppState::new(accounts, Passwords::new().unwrap(), manager));

        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        runtime.spawn(async { axum::serve(listener, service).await.unwrap() });
        Self {
            runtime,
            store,
            address,
            _directory: directory,
        }
    }

    fn close_store(&self) {
        self.runtime.block_on(self.store.close());
    }
}

#[test]
fn outage_is_not_a_logout() {
    let app = InProcess::start();
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", "correct horse battery");
    app.close_store();

    let password = [("current_password", "x"), ("new_password", "y")];
    let answers = [
        ("home", ann.get("/")),
        ("devices", ann.get("/devices")),
        ("password", ann.get("/password")),
        ("revoke", ann.post("/devices/revoke-all", &[])),
        ("change", ann.post("/password", &password)),
        ("logout", ann.post("/logout", &[])),
        ("login", ann.try_to_log_in("ann", "correct horse battery")),
    ];

    for (case, answer) in answers {
        assert_eq!(answer.status, 503, "{case}");
        assert_eq!(answer.header("retry-after"), Some("1"), "{case}");
        assert_eq!(answer.cookie(), None, "{case}");
        assert!(answer.text().contains("Please try again"), "{case}");
    }
    assert!(ann.cookie().is_some());
}

#[test]
fn programs_are_told_of_an_outage_in_json() {
    let app = InProcess::start();
    let mut ann = Browser::new(&app.address, FIREFOX);
    ann.register("ann", "correct horse battery");
    app.close_store();

    let answer = ann.get_json("/devices");

    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.text(), r#"{"error":"service unavailable"}"#);
}

#[test]
fn pages_that_ask_for_no_session_go_on() {
    let app = InProcess::start();
    app.close_store();
    let mut stranger = Browser::new(&app.address, FIREFOX);

    for path in ["/", "/login", "/register", "/style.css"] {
        assert_eq!(stranger.get(path).status, 200, "{path}");
    }
    stranger.get("/devices").assert_redirect("/login");
}
