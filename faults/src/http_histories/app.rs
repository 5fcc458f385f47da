//! A small application: a route for each action.

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use sessionup::{HttpError, Manager, SessionId, SessionLayers, Sessions};

/// Makes the router.
pub(super) fn app(manager: &Manager) -> Router {
    Router::new()
        .route("/me", get(me))
        .route("/devices", get(devices))
        .route("/renew", post(renew))
        .route("/revoke/{id}", post(revoke))
        .route("/revoke-others", post(revoke_others))
        .route("/revoke-all", post(revoke_all))
        .route_layer(manager.auth())
        .route("/login/{user}", post(login))
        .route("/logout", post(logout))
        .layer(manager.public())
}

async fn login(sessions: Sessions, Path(user): Path<String>) -> Result<String, HttpError> {
    Ok(sessions.init(user).await?.id.to_string())
}

async fn logout(sessions: Sessions) -> Result<(), HttpError> {
    Ok(sessions.revoke().await?)
}

async fn me(sessions: Sessions) -> Result<String, HttpError> {
    let session = sessions.current().await?;
    let session = session.ok_or(sessionup::Error::NoSession)?;
    Ok(format!("{} {}", session.id, session.user_key))
}

async fn devices(sessions: Sessions) -> Result<String, HttpError> {
    let ids = sessions.list().await?;
    let ids: Vec<_> = ids.iter().map(|listed| listed.id.to_string()).collect();
    Ok(ids.join(" "))
}

async fn renew(sessions: Sessions) -> Result<(), HttpError> {
    Ok(sessions.renew().await.map(drop)?)
}

async fn revoke(sessions: Sessions, Path(id): Path<SessionId>) -> Result<String, HttpError> {
    Ok(sessions.revoke_by_id(id).await?.to_string())
}

async fn revoke_others(sessions: Sessions) -> Result<String, HttpError> {
    Ok(sessions.revoke_other().await?.to_string())
}

async fn revoke_all(sessions: Sessions) -> Result<String, HttpError> {
    Ok(sessions.revoke_all().await?.to_string())
}
