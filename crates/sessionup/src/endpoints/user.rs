//! The endpoints of users, for their own sessions.

use std::time::Duration;

use axum::extract::State;
use axum::middleware::map_response;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use sessionup_core::Manager;

use super::answer::{Failure, Revoked, method_not_allowed, no_store, not_found};
use super::path::NamedById;
use super::query::Page;
use crate::{ClearSiteData, SameOriginLayer, SessionLayers, Sessions};

/// Endpoints by which users list and revoke their own sessions and log out.
///
/// What each of them does is in the [module](super). More than that:
///
/// - A logout is answered with 204 also if the session was dead or there was none: what it is for is
///   reached. The cookie is removed if the request had one.
/// - The responses that end the session of the request have [`ClearSiteData`]; see
///   [`keep_site_data`](Self::keep_site_data).
/// - Lists have all entries of a session's meta.
/// - Cancel safety: a request that is broken off has revoked what it was for, all of it or nothing.
///
/// ```
/// use axum::Router;
/// use sessionup::{Manager, MemoryStore, SameOriginLayer, endpoints::UserEndpoints};
///
/// let sessions = Manager::builder(MemoryStore::new()).build()?;
/// let own = UserEndpoints::new(&sessions)
///     .same_origin(SameOriginLayer::new().trust("https://app.example.org")?);
/// let app: Router = Router::new().nest("/api/sessions", own.router());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "endpoints do nothing before their router is mounted"]
pub struct UserEndpoints {
    manager: Manager,
    same_origin: SameOriginLayer,
    fresh_within: Option<Duration>,
    at_end: AtEnd,
}

/// What goes with a response that ends the session of its request.
type AtEnd = Option<ClearSiteData>;

impl UserEndpoints {
    /// Makes the endpoints over the sessions of a manager.
    pub fn new(manager: &Manager) -> Self {
        Self {
            manager: manager.clone(),
            same_origin: SameOriginLayer::new(),
            fresh_within: None,
            at_end: Some(ClearSiteData),
        }
    }

    /// Checks for cross-site requests by a layer that trusts further origins.
    ///
    /// Defaults to one that trusts none.
    pub fn same_origin(mut self, layer: SameOriginLayer) -> Self {
        self.same_origin = layer;
        self
    }

    /// Lets only users who proved who they are less than so long ago end sessions of their choice
    /// (ASVS 5.0 7.5.2). Others are answered with 403, and can log out.
    ///
    /// The application asks them for their password and calls
    /// [`reauthenticate`](sessionup_core::Sessions::reauthenticate). Off by default.
    pub const fn fresh_within(mut self, within: Duration) -> Self {
        self.fresh_within = Some(within);
        self
    }

    /// Leaves [`ClearSiteData`] out of the responses that end the session of the request.
    ///
    /// For an application that shares its registrable domain with others, whose cookies would go
    /// too, or that keeps things in the browser that outlast a login, or whose users wait too long for
    /// Chromium to search its cache.
    pub const fn keep_site_data(mut self) -> Self {
        self.at_end = None;
        self
    }

    /// Makes the router, to be nested under a path of the application's choice.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/", get(list).route_layer(self.manager.auth()))
            .route("/{id}", self.ending(delete(revoke)))
            .route("/revoke-other", self.ending(post(revoke_other)))
            .route("/revoke-all", self.ending(post(revoke_all)))
            .route("/logout", post(logout))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(self.same_origin)
            .layer(self.manager.public())
            .layer(map_response(no_store))
            .with_state(self.at_end)
    }

    /// Lets users alone end sessions of their choice, and where it is asked for, those who were there
    /// just now.
    fn ending(&self, method: MethodRouter<AtEnd>) -> MethodRouter<AtEnd> {
        let auth = self.manager.auth();
        method.route_layer(match self.fresh_within {
            Some(within) => auth.fresh_within(within),
            None => auth,
        })
    }

    #[cfg(feature = "openapi")]
    pub(super) const fn manager(&self) -> &Manager {
        &self.manager
    }
}

/// List your sessions
///
/// A page of your live sessions in the order of their ids, which is that of their creation. The one
/// of this request is marked as current. If more follow, the field `Link` leads to the next page.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/",
    operation_id = "listSessions",
    tag = "sessions",
    security(("session" = [])),
    params(super::openapi::OfPage),
    responses(
        (
            status = 200,
            description = "Your live sessions",
            body = [super::openapi::ListedSession],
            headers(("Link", description = "Leads to the next page, `rel=\"next\"`; absent if there is none"))
        ),
        super::openapi::BadPage,
        super::openapi::Unauthorized,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn list(sessions: Sessions, page: Page) -> Result<impl IntoResponse, Failure> {
    let listed = sessions.list_page(page.after, page.limit).await?;
    Ok((page.link(None, listed.next), Json(listed.sessions)))
}

/// Revoke one of your sessions
///
/// Revoking the session of this request is a logout.
#[cfg_attr(feature = "openapi", utoipa::path(
    delete,
    path = "/{id}",
    operation_id = "revokeSession",
    tag = "sessions",
    security(("session" = [])),
    params(super::openapi::ById),
    responses(
        (
            status = 204,
            description = "It is revoked",
            headers(("Clear-Site-Data", description = "What the browser forgets, if it was this one"))
        ),
        super::openapi::Unauthorized,
        super::openapi::MayNotEnd,
        super::openapi::NotFound,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn revoke(
    State(at_end): State<AtEnd>,
    sessions: Sessions,
    NamedById(id): NamedById,
) -> Result<impl IntoResponse, Failure> {
    let current = sessions.current().await?;
    if !sessions.revoke_by_id(id).await? {
        return Err(Failure::NotFound);
    }
    let is_own = current.is_some_and(|session| session.id == id);
    Ok((at_end.filter(|_| is_own), StatusCode::NO_CONTENT))
}

/// Revoke your other sessions
///
/// All but the one of this request, in one step.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/revoke-other",
    operation_id = "revokeOtherSessions",
    tag = "sessions",
    security(("session" = [])),
    responses(
        (status = 200, description = "They are revoked", body = Revoked),
        super::openapi::Unauthorized,
        super::openapi::MayNotEnd,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn revoke_other(sessions: Sessions) -> Result<Json<Revoked>, Failure> {
    let revoked = sessions.revoke_other().await?;
    Ok(Json(Revoked { revoked }))
}

/// Revoke all your sessions
///
/// The one of this request too, in one step.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/revoke-all",
    operation_id = "revokeAllSessions",
    tag = "sessions",
    security(("session" = [])),
    responses(
        (
            status = 200,
            description = "They are revoked",
            body = Revoked,
            headers(("Clear-Site-Data", description = "What the browser forgets"))
        ),
        super::openapi::Unauthorized,
        super::openapi::MayNotEnd,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn revoke_all(
    State(at_end): State<AtEnd>,
    sessions: Sessions,
) -> Result<impl IntoResponse, Failure> {
    let revoked = sessions.revoke_all().await?;
    Ok((at_end, Json(Revoked { revoked })))
}

/// Log out
///
/// Revokes the session of this request. Without one there is nothing to do, and that is no error.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/logout",
    operation_id = "logout",
    tag = "sessions",
    security((), ("session" = [])),
    responses(
        (
            status = 204,
            description = "Nobody is logged in any more",
            headers(("Clear-Site-Data", description = "What the browser forgets"))
        ),
        super::openapi::CrossSite,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn logout(
    State(at_end): State<AtEnd>,
    sessions: Sessions,
) -> Result<impl IntoResponse, Failure> {
    sessions.revoke().await?;
    Ok((at_end, StatusCode::NO_CONTENT))
}
