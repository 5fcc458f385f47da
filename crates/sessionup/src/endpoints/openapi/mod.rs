//! The OpenAPI description of the endpoints, generated from what stands at their handlers.

mod schemas;

use sessionup_core::Manager;
use utoipa::OpenApi as _;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, Paths};

use self::schemas::SessionError;
pub(super) use self::schemas::{
    BadPage, BadRequest, BadUserOrPage, ById, CrossSite, Forbidden, ListedSession, MayNotEnd,
    NotFound, OfPage, OfUser, Unauthorized, Unavailable,
};
use super::{AdminEndpoints, UserEndpoints, admin, user};

impl UserEndpoints {
    /// Describes the endpoints as OpenAPI 3.1, as they are when nested at `at`.
    ///
    /// The session's cookie is the security scheme `session`. What is answered to paths and methods
    /// that are not described is 404 and 405. The type is of [`utoipa`](https://docs.rs/utoipa), whose
    /// version is that of this crate's dependency; `to_json` writes it.
    ///
    /// The field `info` is about these endpoints. `merge` keeps the `info` of the description that it
    /// is called on, so begin with your own:
    ///
    /// ```
    /// use sessionup::{Manager, MemoryStore, endpoints::UserEndpoints};
    ///
    /// let sessions = Manager::builder(MemoryStore::new()).build()?;
    /// let described = UserEndpoints::new(&sessions).openapi("/api/sessions");
    /// assert!(described.paths.paths.contains_key("/api/sessions/revoke-other"));
    ///
    /// let mut api = utoipa::openapi::OpenApi::default();
    /// api.info = utoipa::openapi::Info::new("Our shop", "2.0.0");
    /// api.merge(described);
    /// assert_eq!(api.info.title, "Our shop");
    /// # Ok::<(), sessionup::ConfigError>(())
    /// ```
    #[must_use]
    pub fn openapi(&self, at: &str) -> OpenApi {
        describe(UserApi::openapi(), at, self.manager())
    }
}

impl AdminEndpoints {
    /// Describes the endpoints as OpenAPI 3.1, as they are when nested at `at`.
    ///
    /// As [`UserEndpoints::openapi`].
    #[must_use]
    pub fn openapi(&self, at: &str) -> OpenApi {
        describe(AdminApi::openapi(), at, self.manager())
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Sessions", description = "See and revoke your sessions."),
    paths(
        user::list,
        user::revoke,
        user::revoke_other,
        user::revoke_all,
        user::logout
    )
)]
struct UserApi;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Session administration",
        description = "See and revoke anybody's sessions."
    ),
    paths(admin::list, admin::revoke, admin::revoke_all),
    components(schemas(SessionError))
)]
struct AdminApi;

/// Moves a description to where its router is, and names the cookie.
fn describe(mut api: OpenApi, at: &str, manager: &Manager) -> OpenApi {
    let at = at.trim_end_matches('/');
    let mut moved = Paths::new();
    for (path, item) in api.paths.paths {
        let path = match (at, &*path) {
            ("", path) => path.to_owned(),
            (at, "/") => at.to_owned(),
            (at, path) => format!("{at}{path}"),
        };
        moved.paths.insert(path, item);
    }
    api.paths = moved;
    // These would be of this crate, and the API is the application's.
    api.info.contact = None;
    api.info.license = None;
    let cookie = ApiKeyValue::with_description(
        manager.cookie_name(),
        "The cookie that a login sets. Scripts cannot read it; browsers send it along.",
    );
    api.components
        .get_or_insert_with(Components::new)
        .add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    api
}
