//! What the endpoints answer.

use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use sessionup_core::Error;

use crate::HttpError;
use crate::layer::{UNAVAILABLE, json_error};

/// How many sessions were revoked.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub(super) struct Revoked {
    /// How many sessions were live and are not any more.
    pub(super) revoked: u64,
}

/// Why an endpoint did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    BadRequest,
    Forbidden,
    MethodNotAllowed,
    NotFound,
    Sessions(HttpError),
    Unavailable,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Sessions(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, r#"{"error":"bad request"}"#),
            Self::Forbidden => (StatusCode::FORBIDDEN, r#"{"error":"forbidden"}"#),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                r#"{"error":"method not allowed"}"#,
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, r#"{"error":"not found"}"#),
            Self::Sessions(error) => return error.into_response(),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
        };
        json_error(status, text)
    }
}

/// Answers a path that leads nowhere.
pub(super) async fn not_found() -> Failure {
    Failure::NotFound
}

/// Answers a method that the path does not know. The router adds `Allow`.
pub(super) async fn method_not_allowed() -> Failure {
    Failure::MethodNotAllowed
}

/// Keeps what is one user's out of every cache.
pub(super) async fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
