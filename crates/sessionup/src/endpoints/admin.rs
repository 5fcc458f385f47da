//! The endpoints of administrators, for anybody's sessions.

use std::future::Future;

use axum::extract::State;
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use sessionup_core::{Manager, SessionPage};

use super::answer::{Failure, Revoked, method_not_allowed, no_store, not_found};
use super::guard::{Guard, Verdict, check};
use super::path::NamedById;
use super::query::{Named, Page};
use crate::{CurrentSession, SameOriginLayer, SessionLayers, Sessions};

/// Endpoints by which administrators list and revoke anybody's sessions (ASVS 5.0 7.4.5).
///
/// What each of them does is in the [module](super). None can be reached without the guard that
/// [`new`](Self::new) demands, not even a path that leads nowhere.
///
/// - Users are named by the query parameter `user_key`, percent-encoded as form fields are. Without it,
///   or with more than one, the answer is 400, and nothing is done. A key that nobody can have, of more
///   than 256 bytes, has no sessions.
/// - Keys stand in addresses, and so in the logs of servers and proxies: better an account's number
///   than an e-mail address.
/// - In lists no session is marked as current.
/// - Revoking the administrator's own session removes the cookie.
/// - The log says which session was let in. Lines and events of what it revoked name it as `actor`.
#[derive(Clone, Debug)]
#[must_use = "endpoints do nothing before their router is mounted"]
pub struct AdminEndpoints {
    manager: Manager,
    same_origin: SameOriginLayer,
    guard: Guard,
}

impl AdminEndpoints {
    /// Makes the endpoints over the sessions of a manager, guarded.
    ///
    /// Every request is answered with 401 if it has no live session. Then `guard` is asked whether
    /// the user of this session is an administrator *now*: `true` lets the request in, `false` is
    /// 403, an error is 503 and goes to the log. It is asked for each request; keep it quick.
    ///
    /// ```
    /// use axum::Router;
    /// use sessionup::{CurrentSession, Manager, MemoryStore, endpoints::AdminEndpoints};
    ///
    /// # #[derive(Clone)] struct Roles;
    /// # impl Roles { async fn is_admin(&self, user: &str) -> Result<bool, std::io::Error> { Ok(user == "root") } }
    /// # let roles = Roles;
    /// let sessions = Manager::builder(MemoryStore::new()).build()?;
    /// let admin = AdminEndpoints::new(&sessions, move |session: CurrentSession| {
    ///     let roles = roles.clone();
    ///     async move { roles.is_admin(session.user_key.as_str()).await }
    /// });
    /// let app: Router = Router::new().nest("/admin/sessions", admin.router());
    /// # Ok::<(), sessionup::ConfigError>(())
    /// ```
    pub fn new<G, F>(manager: &Manager, guard: G) -> Self
    where
        G: Fn(CurrentSession) -> F + Send + Sync + 'static,
        F: Future<Output: Verdict> + Send + 'static,
    {
        Self {
            manager: manager.clone(),
            same_origin: SameOriginLayer::new(),
            guard: Guard::new(guard),
        }
    }

    /// Checks for cross-site requests by a layer that trusts further origins.
    ///
    /// Defaults to one that trusts none.
    pub fn same_origin(mut self, layer: SameOriginLayer) -> Self {
        self.same_origin = layer;
        self
    }

    /// Makes the router, to be nested under a path of the application's choice.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        Router::new()
            .route("/", get(list))
            .route("/{id}", delete(revoke))
            .route("/revoke-all", post(revoke_all))
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn_with_state(self.guard, check))
            .layer(self.same_origin)
            .layer(self.manager.public())
            .layer(map_response(no_store))
            .with_state(self.manager)
    }

    #[cfg(feature = "openapi")]
    pub(super) const fn manager(&self) -> &Manager {
        &self.manager
    }
}

/// List a user's sessions
///
/// A page of the live ones in the order of their ids, which is that of their creation. None is marked
/// as current. If more follow, the field `Link` leads to the next page.
#[cfg_attr(feature = "openapi", utoipa::path(
    get,
    path = "/",
    operation_id = "adminListSessions",
    tag = "session administration",
    security(("session" = [])),
    params(super::openapi::OfUser, super::openapi::OfPage),
    responses(
        (
            status = 200,
            description = "The user's live sessions",
            body = [super::openapi::ListedSession],
            headers(("Link", description = "Leads to the next page, `rel=\"next\"`; absent if there is none"))
        ),
        super::openapi::BadUserOrPage,
        super::openapi::Unauthorized,
        super::openapi::Forbidden,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn list(
    State(manager): State<Manager>,
    Named(user): Named,
    page: Page,
) -> Result<impl IntoResponse, Failure> {
    let listed = match &user {
        Some(user) => {
            let user = user.clone();
            manager
                .list_page_by_user_key(user, page.after, page.limit)
                .await?
        }
        None => SessionPage::default(),
    };
    let link = page.link(user.as_ref(), listed.next);
    Ok((link, Json(listed.sessions)))
}

/// Revoke anybody's session
#[cfg_attr(feature = "openapi", utoipa::path(
    delete,
    path = "/{id}",
    operation_id = "adminRevokeSession",
    tag = "session administration",
    security(("session" = [])),
    params(super::openapi::ById),
    responses(
        (status = 204, description = "It is revoked"),
        super::openapi::Unauthorized,
        super::openapi::Forbidden,
        super::openapi::NotFound,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn revoke(
    sessions: Sessions,
    NamedById(id): NamedById,
) -> Result<StatusCode, Failure> {
    if sessions.revoke_by_id_unchecked(id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::NotFound)
    }
}

/// Revoke all of a user's sessions
///
/// In one step.
#[cfg_attr(feature = "openapi", utoipa::path(
    post,
    path = "/revoke-all",
    operation_id = "adminRevokeAllSessions",
    tag = "session administration",
    security(("session" = [])),
    params(super::openapi::OfUser),
    responses(
        (status = 200, description = "They are revoked", body = Revoked),
        super::openapi::BadRequest,
        super::openapi::Unauthorized,
        super::openapi::Forbidden,
        super::openapi::Unavailable,
    ),
))]
pub(super) async fn revoke_all(
    sessions: Sessions,
    Named(user): Named,
) -> Result<Json<Revoked>, Failure> {
    let revoked = match user {
        Some(user) => sessions.revoke_by_user_key(user).await?,
        None => 0,
    };
    Ok(Json(Revoked { revoked }))
}
