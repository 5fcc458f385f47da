//! Which session a path names.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use sessionup_core::SessionId;

use super::answer::Failure;

/// The session that the parameter `{id}` at the end of a path names.
///
/// The application may nest the router under a path with parameters of its own, also with one that is
/// called `id`: the last one of the name counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedById(pub(super) SessionId);

impl<S: Send + Sync> FromRequestParts<S> for NamedById {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|_| Failure::NotFound)?;
        let id = params.iter().filter(|(name, _)| *name == "id").last();
        let id = id.and_then(|(_, id)| id.parse().ok());
        id.map(Self).ok_or(Failure::NotFound)
    }
}
