//! One route over HTTP behind tower-sessions' middleware.

use std::net::Ipv4Addr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use subject::Error;
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

/// The `Cookie` field of the session of this number, by the name that the middleware gives it.
pub(crate) fn cookie(number: u64) -> String {
    format!("id={}", crate::record::id(number))
}

/// Serves the route at a free port.
pub(crate) async fn spawn(store: impl SessionStore + Clone) -> Result<u16, Error> {
    let app = Router::new()
        .route("/", get(hello))
        .layer(SessionManagerLayer::new(store));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(port)
}

/// Answers whoever is logged in. The middleware alone turns nobody away, nor does it load a session.
async fn hello(session: Session) -> Result<&'static str, StatusCode> {
    match session.get::<String>(crate::record::USER).await {
        Ok(Some(_)) => Ok("Hello!"),
        Ok(None) => Err(StatusCode::UNAUTHORIZED),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR),
    }
}
