//! Cookie tossing: a sibling domain plants a cookie of our name.

use axum::Router;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use sessionup::{ManagerBuilder, MemoryStore};

use super::chromium::Chromium;
use super::support::app::{app, build, clock};
use super::support::serve::Served;

/// An application, and the token of Mallory, who has an account there and rules a sibling domain.
struct Stage {
    served: Served,
    mallory: Chromium,
    token: String,
}

impl Stage {
    fn new(host: &str, configure: impl FnOnce(ManagerBuilder) -> ManagerBuilder) -> Self {
        let served = Served::new(app(&build(MemoryStore::new(), &clock(), configure)));
        let mallory = browser();
        mallory.open(&format!("{}/static", served.url(host)));
        assert_eq!(mallory.fetch("POST", "/login/mallory").0, 200);
        let token = mallory.cookie()["value"].as_str().unwrap().to_owned();
        Self {
            served,
            mallory,
            token,
        }
    }

    /// A page of the sibling that sets the cookie of this name for the whole domain.
    fn trap(&self, name: &str, attributes: &str) -> Served {
        async fn page(State(line): State<String>) -> impl IntoResponse {
            ([(SET_COOKIE, line)], "a harmless page")
        }
        let line = format!("{name}={}; Path=/; {attributes}", self.token);
        Served::new(Router::new().route("/", get(page)).with_state(line))
    }
}

/// Finds the hosts of these tests on loopback.
fn browser() -> Chromium {
    Chromium::with(&["--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1"])
}

fn names_and_domains(browser: &Chromium) -> Vec<Value> {
    let jar = browser.jar();
    jar.iter()
        .map(|cookie| json!([cookie["name"], cookie["domain"]]))
        .collect()
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn with_the_prefix_a_sibling_cannot_plant_anything() {
    let stage = Stage::new("app.localhost", |builder| builder);
    let trap = stage.trap("__Host-id", "Secure; Domain=app.localhost");
    let app = stage.served.url("app.localhost");
    let ann = browser();
    ann.open(&format!("{app}/static"));
    ann.fetch("POST", "/login/ann");

    ann.open(&trap.url("evil.app.localhost"));

    ann.open(&format!("{app}/static"));
    assert_eq!(
        names_and_domains(&ann),
        [json!(["__Host-id", "app.localhost"])]
    );
    assert_eq!(ann.fetch("GET", "/private"), (200, "ann".into()));
}

#[test]
#[ignore = "needs chromium and chromedriver"]
fn without_the_prefix_two_values_are_refused_and_nobody_becomes_the_attacker() {
    let stage = Stage::new("app.test", ManagerBuilder::insecure_http);
    let trap = stage.trap("id", "Domain=app.test");
    let app = stage.served.url("app.test");
    let ann = browser();
    ann.open(&format!("{app}/static"));
    ann.fetch("POST", "/login/ann");

    ann.open(&trap.url("evil.app.test"));

    ann.open(&format!("{app}/static"));
    let mut jar = names_and_domains(&ann);
    jar.sort_by_key(Value::to_string);
    assert_eq!(jar, [json!(["id", ".app.test"]), json!(["id", "app.test"])]);
    assert_eq!(ann.fetch("GET", "/private").0, 401);
    assert_eq!(ann.fetch("GET", "/"), (200, "nobody".into()));
    assert_eq!(
        stage.mallory.fetch("GET", "/private"),
        (200, "mallory".into())
    );
}

/// What SECURITY.md warns of: a stranger who has no cookie of ours takes the planted one. Logging in
/// ends the planted session, and the planted cookie locks the user out.
#[test]
#[ignore = "needs chromium and chromedriver"]
fn without_the_prefix_a_stranger_takes_the_planted_session_until_they_log_in() {
    let stage = Stage::new("app.test", ManagerBuilder::insecure_http);
    let trap = stage.trap("id", "Domain=app.test");
    let app = stage.served.url("app.test");
    let ann = browser();
    ann.open(&trap.url("evil.app.test"));
    ann.open(&format!("{app}/static"));
    assert_eq!(ann.fetch("GET", "/private"), (200, "mallory".into()));

    assert_eq!(ann.fetch("POST", "/login/ann").0, 200);

    assert_eq!(stage.mallory.fetch("GET", "/private").0, 401);
    assert_eq!(ann.fetch("GET", "/private").0, 401);
}
