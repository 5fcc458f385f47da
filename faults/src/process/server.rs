//! Servers to break, and clients of theirs.

use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::{get, post};
use sessionup::{CurrentSession, HttpError, Manager, SessionLayers, Sessions};
use sessionup_redb::RedbStore;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use ureq::http::{Request, Response};

use crate::campaign::Violation;
use crate::process::place::cannot;

/// What a child serves.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// The file of the sessions.
    #[arg(long)]
    db: PathBuf,
}

/// Serves logins without passwords, so that it is the sessions that take the time, until it is told
/// to stop. Prints its address once it listens.
///
/// # Errors
///
/// If it cannot serve.
pub fn serve(task: &Task) -> Result<(), Box<dyn std::error::Error>> {
    let store = RedbStore::open(&task.db)?;
    let manager = Manager::builder(store.clone()).build()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}\n", listener.local_addr()?);
        let told = Arc::new(Notify::new());
        let stopping = Arc::clone(&told);
        let stop = post(async move || {
            told.notify_one();
            StatusCode::NO_CONTENT
        });
        let app = app(&manager).route("/stop", stop);
        io::stdout().write_all(address.as_bytes())?;
        axum::serve(listener, app)
            .with_graceful_shutdown(async move { stopping.notified().await })
            .await?;
        store.close().await;
        Ok(())
    })
}

fn app(manager: &Manager) -> Router {
    let private = Router::new()
        .route("/me", get(async |_: CurrentSession| StatusCode::NO_CONTENT))
        .route_layer(manager.auth());
    Router::new()
        .route("/login", post(log_in))
        .route("/logout", post(log_out))
        .merge(private)
        .layer(manager.public())
        .route("/mark", get(async || StatusCode::NO_CONTENT))
}

async fn log_in(sessions: Sessions, Query(user): Query<User>) -> Result<StatusCode, HttpError> {
    sessions.init(&user.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn log_out(sessions: Sessions) -> Result<StatusCode, HttpError> {
    sessions.revoke().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, serde::Deserialize)]
struct User {
    user: String,
}

/// A server in a process of its own; killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: String,
}

impl Server {
    /// Starts one, and waits until it listens.
    ///
    /// # Errors
    ///
    /// If it does not come to that.
    pub fn start(command: &mut Command) -> Result<Self, Violation> {
        let started = command
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|error| cannot("start a server", &error))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(|error| cannot("read from a server", &error))?;
        }
        let address = line.trim_end().replace("localhost", "127.0.0.1");
        if address.is_empty() {
            let ended = process.wait_with_output();
            let ended = ended.map_err(|error| cannot("wait for a server", &error))?;
            let errors = String::from_utf8_lossy(&ended.stderr);
            return Err(Violation(format!("a server does not start: {errors}")));
        }
        Ok(Self { process, address })
    }

    /// As by `kill -9`.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for.
    pub fn kill(mut self) -> Result<(), Violation> {
        // It may be gone already.
        let _ = self.process.kill();
        self.wait()
    }

    /// Waits until it ends.
    ///
    /// # Errors
    ///
    /// If it cannot be waited for.
    pub fn wait(&mut self) -> Result<(), Violation> {
        let ended = self.process.wait();
        ended
            .map(drop)
            .map_err(|error| cannot("wait for a server", &error))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that keeps its connection, and no cookies.
#[derive(Clone, Debug)]
pub struct Client {
    agent: ureq::Agent,
    address: String,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// The value of the session's cookie, if it was set.
    pub token: Option<String>,
}

/// What the cookie is called.
const COOKIE: &str = "__Host-id";

impl Client {
    /// Makes a client of a server.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Self {
            agent: agent.into(),
            address: address.to_owned(),
        }
    }

    /// Asks for a page.
    ///
    /// # Errors
    ///
    /// If there is no reply.
    pub fn get(&self, path: &str, token: Option<&str>) -> Result<Reply, ureq::Error> {
        let request = self.request("GET", path, token).body(())?;
        Self::hear(self.agent.run(request)?)
    }

    /// Sends a form, as a browser does from a page of the same site.
    ///
    /// # Errors
    ///
    /// If there is no reply.
    pub fn post(&self, path: &str, token: Option<&str>, form: &str) -> Result<Reply, ureq::Error> {
        let request = self
            .request("POST", path, token)
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        // Also an empty form has a length, which goes along with the fields. Of a body that comes after
        // its answer a server may not know what to make, and closes the connection.
        Self::hear(self.agent.run(request.body(form)?)?)
    }

    fn request(&self, method: &str, path: &str, token: Option<&str>) -> http::request::Builder {
        let uri = format!("{}{path}", self.address);
        let request = Request::builder().method(method).uri(uri);
        match token {
            Some(token) => request.header("cookie", format!("{COOKIE}={token}")),
            None => request,
        }
    }

    fn hear(mut response: Response<ureq::Body>) -> Result<Reply, ureq::Error> {
        // The connection is free again once the body was read.
        response.body_mut().read_to_vec()?;
        Ok(Reply {
            status: response.status().as_u16(),
            token: token(&response),
        })
    }
}

fn token<B>(response: &Response<B>) -> Option<String> {
    let field = response.headers().get("set-cookie")?.to_str().ok()?;
    let (name, rest) = field.split_once('=')?;
    let (value, _) = rest.split_once(';')?;
    (name == COOKIE && !value.is_empty()).then(|| value.to_owned())
}
