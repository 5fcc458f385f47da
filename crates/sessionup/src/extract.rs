//! Extractors for axum, and how they refuse.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use sessionup_core::Error;

use crate::{CurrentSession, HttpError, Sessions};

impl<S: Sync> FromRequestParts<S> for Sessions {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingLayer> {
        parts.extensions.get().cloned().ok_or(MissingLayer)
    }
}

impl<S: Sync> FromRequestParts<S> for CurrentSession {
    type Rejection = CurrentSessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Self, CurrentSessionRejection> {
        let session =
            <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        session.ok_or(CurrentSessionRejection::NoSession)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for CurrentSession {
    type Rejection = CurrentSessionRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, CurrentSessionRejection> {
        let sessions = <Sessions as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        let session = sessions.current().await?;
        Ok(session.map(Self::from))
    }
}

/// The route is outside the layers, so it knows of no sessions. The application's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "route without session layer: add `.layer(manager.public())` or `.route_layer(manager.auth())` after it"
)]
#[non_exhaustive]
pub struct MissingLayer;

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!(target: "sessionup", "{self}");
        crate::layer::json_error(StatusCode::INTERNAL_SERVER_ERROR, crate::layer::INTERNAL)
    }
}

/// Why a handler was not given a [`CurrentSession`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CurrentSessionRejection {
    /// The route is outside the layers: 500.
    #[error(transparent)]
    MissingLayer(#[from] MissingLayer),
    /// The request has no session: 401.
    #[error("request has no session")]
    NoSession,
    /// Whether it has one could not be told: 503.
    #[error("session could not be loaded")]
    Unavailable(#[from] Error),
}

impl IntoResponse for CurrentSessionRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer(rejection) => rejection.into_response(),
            Self::NoSession => HttpError::from(Error::NoSession).into_response(),
            Self::Unavailable(error) => HttpError::from(error).into_response(),
        }
    }
}
