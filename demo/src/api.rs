//! The API: sessionup's ready endpoints and their description.

use axum::routing::get;
use axum::{Json, Router};
use sessionup::endpoints::{AdminEndpoints, UserEndpoints};
use sessionup::{CurrentSession, Manager};

use crate::accounts::AccountName;
use crate::app::{AppState, FRESH_WITHIN};

const OWN: &str = "/api/sessions";
const ADMIN: &str = "/api/admin/sessions";

/// Makes the routes under `/api`. Those for administrators are there only if somebody is one.
pub(crate) fn router(manager: &Manager, admin: Option<&AccountName>) -> Router<AppState> {
    let own = UserEndpoints::new(manager).fresh_within(FRESH_WITHIN);
    let mut description = own.openapi(OWN);
    let mut router = Router::new().nest(OWN, own.router());
    if let Some(admin) = admin {
        let admin = administration(manager, admin.clone());
        description.merge(admin.openapi(ADMIN));
        router = router.nest(ADMIN, admin.router());
    }
    description.info.title = "Your devices".into();
    router.route(
        "/api/openapi.json",
        get(async move || Json(description.clone())),
    )
}

/// Lets the administrator in, and nobody who finds their screen open.
fn administration(manager: &Manager, admin: AccountName) -> AdminEndpoints {
    let rules = manager.clone();
    AdminEndpoints::new(manager, move |session: CurrentSession| {
        let is_admin = session.user_key.as_str() == admin.as_str();
        std::future::ready(is_admin && rules.is_fresh(&session, FRESH_WITHIN))
    })
}
