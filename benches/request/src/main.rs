//! Requests to one route, in process: `request bare 1000` or `request auth 1000`.
//!
//! `benches/instructions` counts what this program executes. So a run does the same each time: the
//! clock stands still, tokens are always the same, no socket is read, and nobody logs in or is
//! cleaned away meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE, HOST, USER_AGENT};
use axum::http::{Request, StatusCode};
use axum::routing::get;
use sessionup::{Clock, Manager, Peer, Random, RandomError, SessionLayers, Timestamp};
use sessionup_redb::RedbStore;
use tower::Service;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a browser has of others, before ours.
const FOREIGN: &str =
    "theme=dark; _ga=GA1.1.1719862537.1764062400; consent=analytics%3Dno%26ads%3Dno";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 7], 51_234);

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let variant = arguments.next().unwrap_or_default();
    let count: u32 = arguments.next().unwrap_or_default().parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(ask(&variant, count))
}

/// Asks so many times, with the cookie of a session.
async fn ask(variant: &str, count: u32) -> Result<(), Error> {
    let directory = tempfile::tempdir()?;
    let store = RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .open(directory.path().join("sessions.redb"))?;
    let sessions = Manager::builder(store.clone())
        .clock(Still)
        .insecure_random(Same)
        .build()?;
    let cookie = log_in(&sessions).await?;
    let route = Router::new().route("/", get(|| async { "Hello!" }));
    let (app, stranger) = match variant {
        "bare" => (route, StatusCode::OK),
        "auth" => (route.route_layer(sessions.auth()), StatusCode::UNAUTHORIZED),
        _ => return Err("it is `bare` or `auth`, and how many requests".into()),
    };
    // As `axum::serve` does once, so that no request has to.
    let mut app = app.with_state(());
    expect(stranger, call(&mut app, FOREIGN).await?)?;
    let cookie = format!("{FOREIGN}; {cookie}");
    for _ in 0..count {
        expect(StatusCode::OK, call(&mut app, &cookie).await?)?;
    }
    store.close().await;
    Ok(())
}

/// Returns name and value of the cookie of a new session.
async fn log_in(sessions: &Manager) -> Result<String, Error> {
    let agent = Some(FIREFOX.as_bytes());
    let login = sessions.sessions([], Peer::new(Some(CLIENT.0.into()), agent));
    login.init("ann").meta("permission", "write").await?;
    let cookie = login.response_cookie().ok_or("the login set no cookie")?;
    let pair = cookie.expose().split(';').next();
    Ok(pair.unwrap_or_default().to_owned())
}

async fn call(app: &mut Router, cookie: &str) -> Result<StatusCode, Error> {
    let request = Request::builder()
        .uri("/")
        .header(HOST, "sessions.example")
        .header(USER_AGENT, FIREFOX)
        .header(ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
        .header(ACCEPT_LANGUAGE, "en-US,en;q=0.5")
        .header(COOKIE, cookie)
        .extension(ConnectInfo(SocketAddr::from(CLIENT)))
        .body(Body::empty())?;
    Ok(app.call(request).await?.status())
}

fn expect(expected: StatusCode, status: StatusCode) -> Result<(), Error> {
    match status == expected {
        true => Ok(()),
        false => Err(format!("{status} in place of {expected}").into()),
    }
}

/// A clock that stands still: no use of the session is ever due to be recorded.
#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_268_800_000)
    }
}

/// A source of the same bytes always.
#[derive(Debug)]
struct Same;

impl Random for Same {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        for (byte, next) in buffer.iter_mut().zip((0..=u8::MAX).cycle()) {
            *byte = next;
        }
        Ok(())
    }
}
