//! "Remember me", a second factor, a changed password, and a stream that ends with its session.
//! docs/recipes.md explains them.
//!
//! Begin with `curl -c jar -X POST 'http://localhost:3000/login?name=ann&remember=on'`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use futures_util::stream::{Stream, StreamExt};
use http::StatusCode;
use http::request::Parts;
use sessionup::{ConfigError, HttpError, Kind, Manager, MemoryStore, SessionLayers, Sessions};

/// Keeps the cookie of such logins when the browser closes, and the session for two weeks.
fn remembering(sessions: &Manager) -> Result<Manager, ConfigError> {
    let two_weeks = Duration::from_secs(14 * 24 * 60 * 60);
    sessions.derive().expires_in(two_weeks).build()
}

#[derive(serde::Deserialize)]
struct Login {
    name: String,
    remember: Option<String>,
}

async fn login(
    State(managers): State<Managers>,
    sessions: Sessions,
    request: Parts,
    Query(login): Query<Login>,
) -> Result<impl IntoResponse, HttpError> {
    // Check the password here.
    let sessions = match login.remember {
        Some(_) => managers.remembering.handle(&request),
        None => sessions,
    };
    sessions.init(login.name).await?;
    // The handle is a part of the response: it has the cookie.
    Ok((sessions, "logged in"))
}

/// A user who has given a password and still owes a second factor. Such a token is worth nothing in
/// the cookie of whole logins.
fn half(sessions: &Manager) -> Result<Manager, ConfigError> {
    sessions
        .derive()
        .kind(Kind::LOGIN_ATTEMPT)
        .cookie_name("__Host-login")
        .lifetime(Duration::from_secs(10 * 60))
        .build()
}

async fn first_step(
    State(managers): State<Managers>,
    Path(name): Path<String>,
    request: Parts,
) -> Result<impl IntoResponse, HttpError> {
    // Check the password here.
    let half = managers.half.handle(&request);
    half.init(name).await?;
    Ok((half, "and now the code"))
}

async fn second_step(
    State(managers): State<Managers>,
    sessions: Sessions,
    Path(code): Path<String>,
    request: Parts,
) -> Result<Response, HttpError> {
    let half = managers.half.handle(&request);
    let Some(attempt) = half.current().await? else {
        return Ok((StatusCode::UNAUTHORIZED, "from the start").into_response());
    };
    if code != "123456" {
        // Count the tries here, by user and by address.
        return Ok((StatusCode::FORBIDDEN, "wrong code").into_response());
    }
    // Only the request that ends the attempt goes on, so a code counts once.
    if !half.revoke_by_id(attempt.id).await? {
        return Ok((StatusCode::UNAUTHORIZED, "from the start").into_response());
    }
    sessions.init(&attempt.user_key).await?;
    Ok((half, "logged in").into_response())
}

async fn change_password(sessions: Sessions) -> Result<String, HttpError> {
    // Check the old password here.
    let change = async move {
        // Store the new password here, before the next line.
        sessions.finish_password_change().await
    };
    // In a task of its own: a client that hangs up does not stop it half way.
    let ended = tokio::spawn(change).await;
    let ended = ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    Ok(format!("other sessions ended: {ended}"))
}

async fn events(
    sessions: Sessions,
    Extension(ticks): Extension<Ticks>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = ticks().map(|tick| Ok(Event::default().data(tick)));
    // The future does not borrow the handle, so it can outlive the handler.
    Sse::new(events.take_until(sessions.revoked())).keep_alive(KeepAlive::default())
}

/// What the stream tells: here a word, and then nothing for ever.
type Ticks = fn() -> futures_util::stream::BoxStream<'static, String>;

fn ticks() -> futures_util::stream::BoxStream<'static, String> {
    let first = futures_util::stream::iter(["hello".to_owned()]);
    first.chain(futures_util::stream::pending()).boxed()
}

#[derive(Clone)]
struct Managers {
    half: Manager,
    remembering: Manager,
}

pub(crate) fn app(sessions: &Manager) -> Result<Router, ConfigError> {
    let managers = Managers {
        half: half(sessions)?,
        remembering: remembering(sessions)?,
    };
    Ok(Router::new()
        .route("/events", get(events))
        .route("/password", post(change_password))
        .route_layer(sessions.auth())
        .route("/login", post(login))
        .route("/login/first/{name}", post(first_step))
        .route("/login/second/{code}", post(second_step))
        .layer(sessions.public())
        .layer(Extension(ticks as Ticks))
        .with_state(managers))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(MemoryStore::new()).build()?;
    let app = app(&sessions)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
