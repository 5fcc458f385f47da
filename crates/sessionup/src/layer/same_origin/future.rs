use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body_util::Either;
use pin_project_lite::pin_project;

pin_project! {
    /// The response of [`SameOrigin`](super::SameOrigin).
    #[must_use = "futures do nothing unless polled"]
    pub struct SameOriginFuture<F, D> {
        #[pin]
        stage: Stage<F, D>,
    }
}

pin_project! {
    #[project = StageProject]
    enum Stage<F, D> {
        Passed { #[pin] inner: F },
        Refused { response: Option<Response<D>> },
    }
}

impl<F, D> SameOriginFuture<F, D> {
    pub(super) const fn pass(inner: F) -> Self {
        Self {
            stage: Stage::Passed { inner },
        }
    }

    pub(super) const fn refuse(response: Response<D>) -> Self {
        let response = Some(response);
        Self {
            stage: Stage::Refused { response },
        }
    }
}

impl<F, C, D, E> Future for SameOriginFuture<F, D>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = Result<Response<Either<C, D>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProject::Passed { inner } => {
                let response = ready!(inner.poll(context))?;
                Poll::Ready(Ok(response.map(Either::Left)))
            }
            StageProject::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(Either::Right))),
                // Polled after it was ready.
                None => Poll::Pending,
            },
        }
    }
}

impl<F, D> fmt::Debug for SameOriginFuture<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SameOriginFuture").finish_non_exhaustive()
    }
}
