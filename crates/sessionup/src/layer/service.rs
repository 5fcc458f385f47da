use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Either;
use tower_service::Service;

use crate::Sessions;
use crate::layer::future::Waiting;
use crate::layer::request::{Site, Visit};
use crate::layer::{AuthFuture, PublicFuture, Reject, Rejection};

/// The service of [`PublicLayer`](crate::PublicLayer).
#[derive(Clone, Debug)]
pub struct Public<S> {
    inner: S,
    site: Arc<Site>,
}

impl<S> Public<S> {
    pub(super) const fn new(inner: S, site: Arc<Site>) -> Self {
        Self { inner, site }
    }
}

impl<S, B, C> Service<Request<B>> for Public<S>
where
    S: Service<Request<B>, Response = Response<C>>,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = PublicFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let visit = Visit::enter(&self.site, &mut request);
        PublicFuture::new(self.inner.call(request), visit)
    }
}

/// The service of [`AuthLayer`](crate::AuthLayer).
#[derive(Clone)]
pub struct Auth<S, R> {
    inner: S,
    site: Arc<Site>,
    fresh_within: Option<Duration>,
    reject: R,
}

impl<S, R> Auth<S, R> {
    pub(super) const fn new(
        inner: S,
        site: Arc<Site>,
        fresh_within: Option<Duration>,
        reject: R,
    ) -> Self {
        Self {
            inner,
            site,
            fresh_within,
            reject,
        }
    }
}

impl<S, R, B, C> Service<Request<B>> for Auth<S, R>
where
    S: Service<Request<B>, Response = Response<C>> + Clone,
    R: Reject,
{
    type Response = Response<Either<C, R::Body>>;
    type Error = S::Error;
    type Future = AuthFuture<S, B, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let visit = Visit::enter(&self.site, &mut request);
        // The one that was polled to readiness is the one to call.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        let check = check(visit.sessions.clone(), self.fresh_within);
        let waiting = Waiting {
            inner,
            request,
            visit,
        };
        AuthFuture::new(Box::pin(check), waiting, self.reject.clone())
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Auth<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("inner", &self.inner)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

/// Says whether a request may pass.
async fn check(sessions: Sessions, fresh_within: Option<Duration>) -> Result<(), Rejection> {
    let session = match sessions.authenticate().await {
        Ok(Ok(session)) => session,
        Ok(Err(refusal)) => return Err(Rejection::Unauthenticated(refusal)),
        Err(error) => return Err(Rejection::Unavailable(error)),
    };
    match fresh_within {
        Some(within) if !sessions.manager().is_fresh(&session, within) => Err(Rejection::NotFresh),
        Some(_) | None => Ok(()),
    }
}
