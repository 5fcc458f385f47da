//! An extractor for the user behind the session, and a login page that leads back.
//! docs/from-tower-sessions.md explains them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http::request::Parts;
use sessionup::{CurrentSession, Manager, MemoryStore, Rejection, SessionLayers};

/// What the application knows of a user, by the key that `init` was given.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) is_admin: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Users(pub(crate) Arc<BTreeMap<String, User>>);

impl<S: Send + Sync> FromRequestParts<S> for User
where
    Users: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let session = <CurrentSession as FromRequestParts<S>>::from_request_parts(parts, state);
        let session = session.await.map_err(IntoResponse::into_response)?;
        let users = Users::from_ref(state);
        let user = users.0.get(session.user_key.as_str()).cloned();
        // The account is gone: end its sessions when you delete it, and refuse what is left.
        user.ok_or_else(|| http::StatusCode::UNAUTHORIZED.into_response())
    }
}

/// Only for administrators, whatever the session says.
struct Admin(User);

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Users: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let user = User::from_request_parts(parts, state).await?;
        match user.is_admin {
            true => Ok(Self(user)),
            false => Err(http::StatusCode::FORBIDDEN.into_response()),
        }
    }
}

/// Sends whoever has no session to the login page, and says where they wanted to go.
fn to_login(rejection: &Rejection, request: &Parts) -> Response {
    match rejection {
        Rejection::Unauthenticated(_) => {
            // The login page must go on only to what begins with `/` and then neither `/` nor `\`.
            let next = request.uri.path();
            Redirect::to(&format!("/login?next={next}")).into_response()
        }
        _ => rejection.to_response(),
    }
}

pub(crate) fn app(sessions: &Manager, users: Users) -> Router {
    Router::new()
        .route("/", get(async |user: User| user.name))
        .route("/admin", get(async |Admin(user): Admin| user.name))
        .route_layer(sessions.auth().reject(to_login))
        .with_state(users)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(MemoryStore::new()).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let app = app(&sessions, Users::default());
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}
