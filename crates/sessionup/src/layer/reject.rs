//! How a request that may not pass is answered.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode, request::Parts};
use http_body_util::Full;
use sessionup_core::{Error, Refusal};

/// Why a layer did not let a request through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// Another site made a browser send it. Only from [`SameOriginLayer`](crate::SameOriginLayer).
    CrossSite,
    /// Its user proved who they are too long ago, see
    /// [`AuthLayer::fresh_within`](crate::AuthLayer::fresh_within).
    NotFresh,
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
            Self::CrossSite | Self::NotFresh => StatusCode::FORBIDDEN,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Makes the response of [`DefaultReject`], for what a `reject` of your own leaves to it.
    #[must_use]
    pub fn to_response<B: From<&'static str>>(&self) -> Response<B> {
        let text = match self {
            Self::CrossSite => CROSS_SITE,
            Self::NotFresh => NOT_FRESH,
            Self::Unauthenticated(_) => UNAUTHORIZED,
            Self::Unavailable(_) => UNAVAILABLE,
        };
        json_error(self.status(), text)
    }
}

/// Answers a request that may not pass.
///
/// Implemented by closures `Fn(&Rejection, &Parts) -> Response<B>`. The body `B` need not be that of
/// the inner service: the layers send [`Either`](crate::layer::Either) of the two.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer rejected requests with a response",
    note = "pass a closure `|rejection: &Rejection, request: &http::request::Parts| -> Response<_>`",
    note = "with axum, end it with `.into_response()`"
)]
pub trait Reject: Clone + Send + Sync + 'static {
    /// Body of the responses to rejected requests.
    type Body;

    /// Makes the response.
    fn reject(&self, rejection: &Rejection, request: &Parts) -> Response<Self::Body>;
}

impl<B, F> Reject for F
where
    F: Fn(&Rejection, &Parts) -> Response<B> + Clone + Send + Sync + 'static,
{
    type Body = B;

    fn reject(&self, rejection: &Rejection, request: &Parts) -> Response<B> {
        self(rejection, request)
    }
}

/// Answers with a fixed text in JSON: 401 `{"error":"unauthorized"}` as in the original, 403
/// `{"error":"cross-site request"}` or `{"error":"authentication is too old"}`, or 503
/// `{"error":"service unavailable"}` with `Retry-After: 1`.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to configure")]
pub struct DefaultReject;

impl Reject for DefaultReject {
    type Body = Full<Bytes>;

    fn reject(&self, rejection: &Rejection, _: &Parts) -> Response<Full<Bytes>> {
        rejection.to_response()
    }
}

pub(crate) const CROSS_SITE: &str = r#"{"error":"cross-site request"}"#;
pub(crate) const INTERNAL: &str = r#"{"error":"internal server error"}"#;
pub(crate) const NOT_FRESH: &str = r#"{"error":"authentication is too old"}"#;
pub(crate) const OVERTAKEN: &str = r#"{"error":"all sessions were just revoked, log in again"}"#;
pub(crate) const TOO_MANY: &str = r#"{"error":"too many sessions"}"#;
pub(crate) const UNAUTHORIZED: &str = r#"{"error":"unauthorized"}"#;
pub(crate) const UNAVAILABLE: &str = r#"{"error":"service unavailable"}"#;

/// Makes a response of JSON that is written out already.
pub(crate) fn json_error<B: From<&'static str>>(
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
