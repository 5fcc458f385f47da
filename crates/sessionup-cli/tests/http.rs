//! The demo on a file that the program imported accepts cookies that Go issued.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use demo::accounts::Accounts;
use demo::app::{AppState, app};
use demo::args::Args;
use demo::passwords::Passwords;
use demo::server;
use serde_json::Value;
use sessionup_core::{Credential, ManualClock};
use sessionup_redb::RedbStore;
use support::Place;
use support::go::{EARLY, of_sidecar, sidecar};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The demo with the cookie of the Go program, at the time when its sessions were live.
struct Demo {
    address: String,
    runtime: Runtime,
    store: RedbStore,
}

impl Demo {
    fn start(place: &Place, clock: &ManualClock) -> Self {
        evidence::listen();
        let store = RedbStore::builder().cleanup_interval(Duration::ZERO);
        let store = store.open(place.path("s.redb")).unwrap();
        let line = ["demo", "--from-go"];
        let cookies = Args::try_parse_from(line).unwrap().cookies;
        let manager = server::manager(store.clone(), cookies).unwrap();
        let manager = manager.derive().clock(clock.clone()).build().unwrap();
        let accounts = Accounts::open(place.path("accounts")).unwrap();
        let state = AppState::new(accounts, Passwords::new().unwrap(), manager);
        let service = app(state).into_make_service_with_connect_info::<SocketAddr>();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async { axum::serve(listener, service).await.unwrap() });
        Self {
            address,
            runtime,
            store,
        }
    }

    /// Asks for the list of devices; `None` if nobody is logged in.
    fn devices(&self, token: &str) -> Option<Value> {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .build(),
        );
        let request = agent
            .get(format!("{}/devices", self.address))
            .header("accept", "application/json")
            .header("cookie", format!("theme=dark; sessionup={token}"));
        let mut response = request.call().unwrap();
        match response.status().as_u16() {
            200 => {
                Some(serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap())
            }
            401 => None,
            other => panic!("{other}"),
        }
    }

    /// Gives the file free.
    fn stop(self) {
        self.runtime.block_on(self.store.close());
        drop(self.store);
        self.runtime.shutdown_timeout(Duration::from_secs(60));
    }
}

#[test]
fn cookies_that_go_issued_log_in_until_they_are_revoked() {
    let place = Place::new();
    place.go_fixture("small");
    // Those of the fixture have ended by the clock of the machine.
    place.done("import bolt small.db --include-expired --yes");
    let clock = ManualClock::at(EARLY);
    let demo = Demo::start(&place, &clock);
    let mut let_in = Vec::new();
    for ((_, token), given) in sidecar("small") {
        let go = of_sidecar(token.clone(), &given);
        let token = String::from_utf8(token).unwrap();
        let devices = demo.devices(&token);
        assert_eq!(
            devices.is_some(),
            go.expires_at > EARLY,
            "{}",
            given["note"]
        );
        let Some(devices) = devices else { continue };
        let is_current = |device: &&Value| device["current"] == true;
        let current = devices.as_array().unwrap().iter().find(is_current).unwrap();
        let id = Credential::of_imported(token.as_bytes()).unwrap().id;
        assert_eq!(current["id"], id.to_string());
        assert_eq!(current["created_at"], go.created_at.to_string());
        assert_eq!(current["agent"]["browser"], go.browser);
        let_in.push((token, id));
    }
    assert!(let_in.len() > 30, "{}", let_in.len());
    assert!(demo.devices(&"x".repeat(40)).is_none());
    demo.stop();

    let (token, id) = &let_in[0];
    place.done(&format!("revoke {id} --yes"));
    let demo = Demo::start(&place, &clock);
    assert!(demo.devices(token).is_none(), "it is revoked");
    assert!(demo.devices(&let_in[1].0).is_some());
    demo.stop();
}
