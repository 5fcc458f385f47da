//! Logs users in and shows them where they are logged in.

use std::net::SocketAddr;

use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use sessionup::{HttpError, ListedSession, Manager, SameOriginLayer, SessionLayers, Sessions};
use sessionup_redb::RedbStore;

const HOME: &str = r#"<form method="post" action="/login"><input name="name"><button>Log in</button></form>
    <form method="post" action="/logout"><button>Log out</button></form>"#;

#[derive(serde::Deserialize)]
struct Login {
    name: String,
}

async fn login(sessions: Sessions, Form(form): Form<Login>) -> Result<Redirect, HttpError> {
    // Check the password here. The cookie goes out with the response.
    sessions.init(form.name).await?;
    Ok(Redirect::to("/devices"))
}

async fn devices(sessions: Sessions) -> Result<Json<Vec<ListedSession>>, HttpError> {
    Ok(Json(sessions.list().await?))
}

async fn logout(sessions: Sessions) -> Result<Redirect, HttpError> {
    sessions.revoke().await?;
    Ok(Redirect::to("/"))
}

/// The routes, and who may use them.
pub fn app(sessions: &Manager) -> Router {
    Router::new()
        .route("/devices", get(devices))
        .route_layer(sessions.auth()) // without a live session: 401, the handler does not run
        .route("/", get(Html(HOME)))
        .route("/login", post(login))
        .route("/logout", post(logout)) // also when the session has ended already
        .layer(SameOriginLayer::new()) // refuses forms of other sites
        .layer(sessions.public()) // a session if there is one
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(RedbStore::open("sessions.redb")?).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    // Sessions keep the address that they came from.
    let service = app(&sessions).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}
