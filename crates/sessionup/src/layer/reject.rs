//! How a request that may not pass is answered.

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, request::Parts};
use sessionup_core::{Error, Refusal};

/// Why a layer did not let a request through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// Another site made a browser send it. Only from [`SameOriginLayer`](crate::SameOriginLayer).
    CrossSite,
    /// It has no live session. Why is for logs; telling the client helps only who guesses.
    Unauthenticated(Refusal),
    /// Whether it has a session could not be told.
    Unavailable(Error),
}

impl Rejection {
    /// Returns 401, 403 or 503.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Makes the response of [`DefaultReject`], for what a `reject` of your own leaves to it.
    #[must_use]
    pub fn to_response<B: From<&'static str>>(&self) -> Response<B> {
        match self {
            Self::CrossSite => json_text(self.status(), r#"{"error":"cross-site request"}"#),
            Self::Unauthenticated(_) | Self::Unavailable(_) => json_error(self.status()),
        }
    }
}

/// Answers a request that may not pass.
///
/// Implemented by closures `Fn(&Rejection, &Parts) -> Response<B>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer rejected requests with a `Response<{B}>`",
    note = "pass a closure `|rejection: &Rejection, request: &http::request::Parts| -> Response<_>`",
    note = "with axum, end it with `.into_response()`"
)]
pub trait Reject<B>: Clone + Send + Sync + 'static {
    /// Makes the response.
    fn reject(&self, rejection: &Rejection, request: &Parts) -> Response<B>;
}

impl<B, F> Reject<B> for F
where
    F: Fn(&Rejection, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
{
    fn reject(&self, rejection: &Rejection, request: &Parts) -> Response<B> {
        self(rejection, request)
    }
}

/// Answers with a fixed text in JSON: 401 `{"error":"unauthorized"}` as in the original, 403
/// `{"error":"cross-site request"}`, or 503 `{"error":"service unavailable"}` with `Retry-After: 1`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct DefaultReject;

impl<B: From<&'static str>> Reject<B> for DefaultReject {
    fn reject(&self, rejection: &Rejection, _: &Parts) -> Response<B> {
        rejection.to_response()
    }
}

/// Makes a response that says no more than its status.
pub(crate) fn json_error<B: From<&'static str>>(status: StatusCode) -> Response<B> {
    let text = match status {
        StatusCode::CONFLICT => r#"{"error":"too many sessions"}"#,
        StatusCode::SERVICE_UNAVAILABLE => r#"{"error":"service unavailable"}"#,
        StatusCode::UNAUTHORIZED => r#"{"error":"unauthorized"}"#,
        _ => r#"{"error":"internal server error"}"#,
    };
    json_text(status, text)
}

/// Makes a response of JSON that is written out already.
pub(crate) fn json_text<B: From<&'static str>>(
    status: StatusCode,
    text: &'static str,
) -> Response<B> {
    let mut response = Response::new(B::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
