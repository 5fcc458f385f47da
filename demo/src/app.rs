//! Which path leads to which page, and what every response has.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{HttpBody, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use sessionup::{Manager, SameOriginLayer, SessionLayers};
use tokio::sync::watch;

use crate::accounts::{AccountName, Accounts};
use crate::api;
use crate::pages::error::{self, PageError};
use crate::pages::{assets, confirm, devices, home, live, login, password, register};
use crate::passwords::Passwords;
use crate::tries::Tries;

/// Most bytes of a form.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// How long after giving the password a user may log out devices.
pub const FRESH_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What the pages work with.
#[derive(Clone, Debug)]
pub struct AppState {
    pub(crate) accounts: Accounts,
    pub(crate) passwords: Passwords,
    pub(crate) manager: Manager,
    pub(crate) tries: Arc<Mutex<Tries>>,
    /// From when on tries are dated.
    pub(crate) started: Instant,
    admin: Option<AccountName>,
    stop: Option<watch::Receiver<bool>>,
}

impl AppState {
    /// Puts the parts together.
    #[must_use]
    pub fn new(accounts: Accounts, passwords: Passwords, manager: Manager) -> Self {
        Self {
            accounts,
            passwords,
            manager,
            tries: Arc::default(),
            started: Instant::now(),
            admin: None,
            stop: None,
        }
    }

    /// Lets an account administrate sessions by the API. Whoever registers a name that is not taken
    /// would be the administrator, so it must be there already.
    #[must_use]
    pub fn administrated_by(mut self, admin: AccountName) -> Self {
        self.admin = Some(admin);
        self
    }

    /// Ends what would never end by itself when the server is to stop.
    #[must_use]
    pub fn stopped_by(mut self, stop: watch::Receiver<bool>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Waits until the server is to stop.
    pub(crate) async fn stopping(self) {
        if let Some(mut stop) = self.stop
            && stop.wait_for(|stop| *stop).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Puts the application together. Serve it with `into_make_service_with_connect_info`, so that
/// devices are listed with their address.
pub fn app(state: AppState) -> Router {
    let auth = state.manager.auth().reject(error::reject);
    let ending = Router::new()
        .route("/devices/revoke-all", post(devices::revoke_all))
        .route("/devices/revoke-other", post(devices::revoke_other))
        .route("/devices/{id}/revoke", post(devices::revoke))
        .route_layer(auth.clone().fresh_within(FRESH_WITHIN));
    let private = Router::new()
        .route("/confirm", get(confirm::form).post(confirm::submit))
        .route("/devices", get(devices::list))
        .route("/devices/live", get(live::events))
        .route("/password", get(password::form).post(password::change))
        .route_layer(auth);
    let public = Router::new()
        .route("/", get(home::show))
        .route("/login", get(login::form).post(login::submit))
        .route("/logout", post(login::logout))
        .route("/register", get(register::form).post(register::submit));
    let pages = private.merge(ending).merge(public);
    let pages = pages.layer(state.manager.public());

    Router::new()
        .merge(pages)
        .route("/icon.svg", get(assets::icon))
        .route("/live.js", get(live::script))
        .route("/style.css", get(assets::style))
        .fallback(async || PageError::NotFound)
        .method_not_allowed_fallback(async || PageError::MethodNotAllowed)
        .layer(SameOriginLayer::new().reject(error::reject))
        .layer(from_fn(read_form))
        .merge(api::router(&state.manager, state.admin.as_ref()))
        .layer(from_fn(finish))
        .with_state(state)
}

/// Reads a form to its end before it is answered. An answer that comes earlier, such as that to a
/// cross-site request, closes the connection, and a client that still sends may never read it.
async fn read_form(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return PageError::TooLong.into_response();
    }
    match to_bytes(body, MAX_BODY_BYTES).await {
        Ok(form) => next.run(Request::from_parts(parts, form.into())).await,
        // Or it was broken off, and then nobody reads the answer.
        Err(_) => PageError::TooLong.into_response(),
    }
}

/// Sees to the headers that every response has, and to a line in the log.
async fn finish(request: Request, next: Next) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
                 img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            HeaderValue::from_static("same-origin"),
        ),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        // Browsers take it over HTTPS alone.
        (
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        ),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let method = request.method().clone();
    // Not the path itself: whatever clients put there would be in the log.
    let route = request.extensions().get::<MatchedPath>().cloned();

    let mut response = next.run(request).await;

    let route = route.as_ref().map(MatchedPath::as_str);
    tracing::debug!(%method, route, status = response.status().as_u16(), "answered");
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    // Pages show account data; what may be kept says so itself.
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
