//! What a client is told of a failed action.

use http::{Response, StatusCode};
use sessionup_core::{Error, StoreError};

use crate::layer::{
    INTERNAL, NOT_FRESH, OVERTAKEN, TOO_MANY, UNAUTHORIZED, UNAVAILABLE, json_error,
};

/// An [`Error`] on its way to the client: a status and a fixed text, nothing of the cause.
///
/// Handlers return it by `?`. Applications with an error type of their own convert from [`Error`]
/// and may ask [`HttpError::status`].
///
/// | Error | Status |
/// |---|---|
/// | no session | 401 |
/// | user proved who they are too long ago | 403 |
/// | limit of sessions reached, and the policy is to refuse | 409 |
/// | all sessions of the user were revoked during the login | 409 |
/// | user key or meta out of bounds: a mistake of the application | 500 |
/// | random source or store failed | 503 with `Retry-After` |
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct HttpError(Error);

impl HttpError {
    /// Returns the status for the client.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        Self::status_of(&self.0)
    }

    /// Returns the status that an error has for the client.
    #[must_use]
    pub const fn status_of(error: &Error) -> StatusCode {
        answer(error).0
    }

    /// Returns the error for logs.
    #[must_use]
    pub const fn get_ref(&self) -> &Error {
        &self.0
    }

    /// Makes the response, as JSON of one field `error`.
    #[must_use]
    pub fn to_response<B: From<&'static str>>(&self) -> Response<B> {
        let (status, text) = answer(&self.0);
        json_error(status, text)
    }
}

const fn answer(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::NoSession => (StatusCode::UNAUTHORIZED, UNAUTHORIZED),
        Error::NotFresh => (StatusCode::FORBIDDEN, NOT_FRESH),
        Error::Store(StoreError::LimitReached { .. }) => (StatusCode::CONFLICT, TOO_MANY),
        Error::Store(StoreError::Overtaken) => (StatusCode::CONFLICT, OVERTAKEN),
        Error::Meta(_) | Error::Store(StoreError::InvalidMeta(_)) | Error::UserKey(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL)
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE),
    }
}

impl<E: Into<Error>> From<E> for HttpError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for HttpError {
    fn into_response(self) -> axum::response::Response {
        self.to_response()
    }
}

#[cfg(test)]
mod tests {
    use sessionup_core::{InvalidUserKey, MetaError, RandomError};

    use super::*;

    #[test]
    fn statuses_and_texts() {
        let limit = std::num::NonZeroU32::MIN;
        let secret = || StoreError::unavailable("/var/lib/secret: input/output error");
        let cases: [(Error, u16, &str, bool); 10] = [
            (
                Error::NotFresh,
                403,
                r#"{"error":"authentication is too old"}"#,
                false,
            ),
            (
                StoreError::Overtaken.into(),
                409,
                r#"{"error":"all sessions were just revoked, log in again"}"#,
                false,
            ),
            (Error::NoSession, 401, r#"{"error":"unauthorized"}"#, false),
            (
                StoreError::LimitReached { limit }.into(),
                409,
                r#"{"error":"too many sessions"}"#,
                false,
            ),
            (
                InvalidUserKey::Empty.into(),
                500,
                r#"{"error":"internal server error"}"#,
                false,
            ),
            (
                MetaError::TooMany { entries: 65 }.into(),
                500,
                r#"{"error":"internal server error"}"#,
                false,
            ),
            (
                StoreError::InvalidMeta(MetaError::TooMany { entries: 65 }).into(),
                500,
                r#"{"error":"internal server error"}"#,
                false,
            ),
            (
                secret().into(),
                503,
                r#"{"error":"service unavailable"}"#,
                true,
            ),
            (
                StoreError::Overloaded.into(),
                503,
                r#"{"error":"service unavailable"}"#,
                true,
            ),
            (
                RandomError::new("no entropy").into(),
                503,
                r#"{"error":"service unavailable"}"#,
                true,
            ),
        ];
        for (error, status, body, retry) in cases {
            let name = format!("{error:?}");
            let response: Response<String> = HttpError::from(error).to_response();
            assert_eq!(response.status(), status, "{name}");
            assert_eq!(response.body(), body, "{name}");
            let headers = response.headers();
            assert_eq!(headers.contains_key("retry-after"), retry, "{name}");
        }
    }
}
