use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body_util::Either;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::layer::request::Visit;
use crate::layer::{Reject, Rejection};

pin_project! {
    /// The response of [`Public`](crate::layer::Public).
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct PublicFuture<F> {
        #[pin]
        inner: F,
        visit: Visit,
    }
}

impl<F> PublicFuture<F> {
    pub(super) const fn new(inner: F, visit: Visit) -> Self {
        Self { inner, visit }
    }
}

impl<F, C, E> Future for PublicFuture<F>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.inner.poll(context))?;
        this.visit.leave(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

type Check = Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>;

pin_project! {
    /// The response of [`Auth`](crate::layer::Auth).
    #[must_use = "futures do nothing unless polled"]
    pub struct AuthFuture<S, B, R>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        stage: Stage<S, B, S::Future>,
        reject: R,
    }
}

pin_project! {
    #[project = StageProject]
    enum Stage<S, B, F> {
        // Whether the request has a session is being asked.
        Checking {
            check: Check,
            waiting: Option<Waiting<S, B>>,
        },
        // It has one; the handler runs.
        Calling {
            #[pin]
            response: PublicFuture<F>,
        },
    }
}

pub(super) struct Waiting<S, B> {
    pub(super) inner: S,
    pub(super) request: Request<B>,
    pub(super) visit: Visit,
}

impl<S, B, R> AuthFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    pub(super) const fn new(check: Check, waiting: Waiting<S, B>, reject: R) -> Self {
        Self {
            stage: Stage::Checking {
                check,
                waiting: Some(waiting),
            },
            reject,
        }
    }
}

impl<S, B, C, R> Future for AuthFuture<S, B, R>
where
    S: Service<Request<B>, Response = Response<C>>,
    R: Reject,
{
    type Output = Result<Response<Either<C, R::Body>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                StageProject::Calling { response } => {
                    let response = ready!(response.poll(context))?;
                    return Poll::Ready(Ok(response.map(Either::Left)));
                }
                StageProject::Checking { check, waiting } => {
                    if waiting.is_none() {
                        // Polled after it was ready.
                        return Poll::Pending;
                    }
                    let checked = ready!(check.as_mut().poll(context));
                    let Some(Waiting {
                        mut inner,
                        request,
                        visit,
                    }) = waiting.take()
                    else {
                        return Poll::Pending;
                    };
                    let Err(rejection) = checked else {
                        let response = PublicFuture::new(inner.call(request), visit);
                        this.stage.set(Stage::Calling { response });
                        continue;
                    };
                    let (parts, _) = request.into_parts();
                    let mut response = this.reject.reject(&rejection, &parts);
                    visit.leave(response.headers_mut());
                    return Poll::Ready(Ok(response.map(Either::Right)));
                }
            }
        }
    }
}

impl<S, B, R> fmt::Debug for AuthFuture<S, B, R>
where
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthFuture").finish_non_exhaustive()
    }
}
