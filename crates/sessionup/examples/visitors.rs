//! A cart before the login, which goes along with it. docs/visitors.md explains it.
//!
//! Begin with `curl -c jar -X POST http://localhost:3000/cart/pear`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::request::Parts;
use sessionup::{
    ConfigError, HttpError, Kind, Manager, MemoryStore, MetaChange, OsRandom, Random,
    SessionLayers, Sessions,
};

type Cart = Vec<String>;

/// Sessions of visitors have a kind and a cookie of their own, so `auth` lets none of them in.
pub(crate) fn visitors(sessions: &Manager) -> Result<Manager, ConfigError> {
    sessions
        .derive()
        .kind(Kind::GUEST)
        .cookie_name("__Host-visitor")
        .expires_in(Duration::from_secs(30 * 24 * 60 * 60))
        .build()
}

/// The session that has the cart: the user's, or else the visitor's, which begins with the first item.
async fn holder(
    sessions: Sessions,
    visitors: &Manager,
    request: &Parts,
) -> Result<Sessions, HttpError> {
    if sessions.current().await?.is_some() {
        return Ok(sessions);
    }
    let visitor = visitors.handle(request);
    if visitor.current().await?.is_none() {
        visitor.init(visitor_key()?).await?;
    }
    Ok(visitor)
}

async fn add(
    State(visitors): State<Manager>,
    sessions: Sessions,
    Path(item): Path<String>,
    request: Parts,
) -> Result<impl IntoResponse, HttpError> {
    let holder = holder(sessions, &visitors, &request).await?;
    let session = holder
        .update_meta_with(|meta| {
            let mut cart: Cart = meta.get("cart")?.unwrap_or_default();
            cart.push(item.clone());
            Ok::<_, HttpError>(MetaChange::new().set("cart", cart)?)
        })
        .await?;
    let cart: Cart = session.meta.get("cart")?.unwrap_or_default();
    // The handle is a part of the response: it has the visitor's cookie.
    Ok((holder, Json(cart)))
}

async fn login(
    State(visitors): State<Manager>,
    sessions: Sessions,
    Path(name): Path<String>,
    request: Parts,
) -> Result<impl IntoResponse, HttpError> {
    // Check the password here.
    let visitor = visitors.handle(&request);
    let cart: Cart = match visitor.current().await? {
        Some(session) => session.meta.get("cart")?.unwrap_or_default(),
        None => Cart::new(),
    };
    sessions.init(name).meta("cart", &cart).await?;
    visitor.revoke().await?;
    Ok((visitor, Json(cart)))
}

/// A key that no other visitor has.
fn visitor_key() -> Result<String, HttpError> {
    let mut bytes = [0; 16];
    OsRandom::default().fill(&mut bytes)?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

pub(crate) fn app(sessions: &Manager, visitors: Manager) -> Router {
    Router::new()
        .route("/account", get(async || "for users only"))
        .route_layer(sessions.auth())
        .route("/cart/{item}", post(add))
        .route("/login/{name}", post(login))
        .layer(sessions.public())
        .with_state(visitors)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(MemoryStore::new()).build()?;
    let app = app(&sessions, visitors(&sessions)?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
