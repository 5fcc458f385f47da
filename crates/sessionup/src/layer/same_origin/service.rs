use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body_util::Either;
use tower_service::Service;

use super::SameOriginFuture;
use super::policy::Policy;
use super::refused::Refused;
use crate::layer::{Reject, Rejection};

/// The service of [`SameOriginLayer`](crate::SameOriginLayer).
#[derive(Clone)]
pub struct SameOrigin<S, R> {
    inner: S,
    policy: Arc<Policy>,
    refused: Arc<Refused>,
    reject: R,
}

impl<S, R> SameOrigin<S, R> {
    pub(super) const fn new(
        inner: S,
        policy: Arc<Policy>,
        refused: Arc<Refused>,
        reject: R,
    ) -> Self {
        Self {
            inner,
            policy,
            refused,
            reject,
        }
    }
}

impl<S, R, B, C> Service<Request<B>> for SameOrigin<S, R>
where
    S: Service<Request<B>, Response = Response<C>>,
    R: Reject,
{
    type Response = Response<Either<C, R::Body>>;
    type Error = S::Error;
    type Future = SameOriginFuture<S::Future, R::Body>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let verdict = self
            .policy
            .verify(request.method(), request.uri(), request.headers());
        let Err(cross_site) = verdict else {
            return SameOriginFuture::pass(self.inner.call(request));
        };
        self.refused.log(cross_site);
        let (parts, _) = request.into_parts();
        SameOriginFuture::refuse(self.reject.reject(&Rejection::CrossSite, &parts))
    }
}

impl<S: fmt::Debug, R> fmt::Debug for SameOrigin<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SameOrigin")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
