//! An application with a page for users, and its tests. docs/testing.md explains them.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use sessionup::{CurrentSession, Manager, MemoryStore, SessionLayers};

async fn greet(session: CurrentSession) -> String {
    format!("Hello, {}", session.user_key)
}

fn app(sessions: &Manager) -> Router {
    Router::new()
        .route("/", get(greet))
        .route_layer(sessions.auth())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Manager::builder(MemoryStore::new()).build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let service = app(&sessions).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::{Request, StatusCode, header::COOKIE};
    use sessionup::{ManualClock, Peer, Timestamp};
    use tower::ServiceExt;

    use super::*;

    /// Logs in without a form. Returns the value of the `Cookie` field.
    async fn log_in(sessions: &Manager, user: &str) -> String {
        let request = sessions.sessions([], Peer::default());
        request.init(user).await.unwrap();
        let cookie = request.response_cookie().unwrap();
        cookie.expose().split(';').next().unwrap().to_owned()
    }

    async fn get_home(app: &Router, cookie: &str) -> StatusCode {
        let request = Request::get("/").header(COOKIE, cookie);
        let request = request.body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn page_is_for_users_only() {
        let sessions = Manager::builder(MemoryStore::new()).build().unwrap();
        let app = app(&sessions);
        assert_eq!(get_home(&app, "").await, StatusCode::UNAUTHORIZED);
        let cookie = log_in(&sessions, "ann").await;
        assert_eq!(get_home(&app, &cookie).await, StatusCode::OK);
        sessions.revoke_by_user_key("ann").await.unwrap();
        assert_eq!(get_home(&app, &cookie).await, StatusCode::UNAUTHORIZED);
    }

    #[tokio::test]
    async fn login_ends_after_a_day() {
        let clock = ManualClock::at(Timestamp::from_millis(1_790_000_000_000));
        let sessions = Manager::builder(MemoryStore::new())
            .clock(clock.clone())
            .build()
            .unwrap();
        let app = app(&sessions);
        let cookie = log_in(&sessions, "ann").await;
        clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
        assert_eq!(get_home(&app, &cookie).await, StatusCode::OK);
        clock.advance(Duration::from_secs(1));
        assert_eq!(get_home(&app, &cookie).await, StatusCode::UNAUTHORIZED);
    }
}
