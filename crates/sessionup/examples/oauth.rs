//! A login through another site (OAuth, OpenID Connect). docs/oauth.md explains it.
//!
//! The provider is a toy that lets everybody in as the same user. A real one is asked by a crate such
//! as `oauth2` or `openidconnect`. Begin at `http://localhost:3000/login`.

use std::net::SocketAddr;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Router, http::HeaderMap};
use http::StatusCode;
use http::header::{COOKIE, SET_COOKIE};
use sessionup::{HttpError, Manager, MemoryStore, OsRandom, Random, SessionLayers, Sessions};

/// The client of a provider, as a crate for OAuth has it.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) authorize: String,
    /// Issuer and subject of the code that it gave out.
    pub(crate) exchange: fn(code: &str, verifier: &str) -> Option<String>,
}

/// Goes with the request to the callback, although another site redirects there.
const ATTEMPT: &str = "__Host-attempt";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

async fn begin(State(provider): State<Provider>) -> Result<Response, HttpError> {
    // The crate for OAuth makes these, and the challenge of the verifier (PKCE).
    let (state, verifier) = (random()?, random()?);
    let attempt = format!("{ATTEMPT}={state}.{verifier}; Max-Age=600; {ATTRIBUTES}");
    let there = format!("{}?state={state}", provider.authorize);
    Ok(([(SET_COOKIE, attempt)], Redirect::to(&there)).into_response())
}

#[derive(serde::Deserialize)]
struct Callback {
    code: String,
    state: String,
}

async fn callback(
    State(provider): State<Provider>,
    sessions: Sessions,
    headers: HeaderMap,
    Query(query): Query<Callback>,
) -> Result<Response, HttpError> {
    // The browser that began is the one that comes back, or it is somebody else's login.
    let begun = attempt(&headers).filter(|(state, _)| *state == query.state);
    let Some((_, verifier)) = begun else {
        return Ok((StatusCode::FORBIDDEN, "Please log in again.").into_response());
    };
    let Some(user) = (provider.exchange)(&query.code, verifier) else {
        return Ok((StatusCode::FORBIDDEN, "Please log in again.").into_response());
    };
    sessions.init(user).await?;
    let over = format!("{ATTEMPT}=; Max-Age=0; {ATTRIBUTES}");
    Ok(([(SET_COOKIE, over)], Html(GO_ON)).into_response())
}

/// A page of this site, so that the request that it makes brings a cookie with `SameSite=Strict`.
const GO_ON: &str = r#"<!doctype html><meta http-equiv="refresh" content="0; url=/home">
    <a href="/home">Go on</a>"#;

/// The state and the verifier of the login that this browser began.
fn attempt(headers: &HeaderMap) -> Option<(&str, &str)> {
    let fields = headers.get_all(COOKIE).iter();
    let texts = fields.filter_map(|field| field.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split("; "));
    let value = pairs.find_map(|pair| pair.strip_prefix(ATTEMPT)?.strip_prefix('='))?;
    value.split_once('.')
}

fn random() -> Result<String, HttpError> {
    let mut bytes = [0; 32];
    OsRandom::default().fill(&mut bytes)?;
    Ok(data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

pub(crate) fn app(sessions: &Manager, provider: Provider) -> Router {
    let home = async |sessions: Sessions| sessions.list().await.map(|list| list.len().to_string());
    Router::new()
        .route(
            "/home",
            get(async move |s: Sessions| home(s).await.map_err(HttpError::from)),
        )
        .route_layer(sessions.auth())
        .route("/login", get(begin))
        .route("/callback", get(callback))
        .layer(sessions.public())
        .with_state(provider)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(MemoryStore::new()).build()?;
    let provider = Provider {
        authorize: "/toy".into(),
        exchange: |code, _| (code == "toy").then(|| "https://toy.example|1".into()),
    };
    let toy = async |Query(query): Query<std::collections::HashMap<String, String>>| {
        let state = query.get("state").map_or("", String::as_str);
        Redirect::to(&format!("/callback?code=toy&state={state}"))
    };
    let app = app(&sessions, provider).route("/toy", get(toy));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
