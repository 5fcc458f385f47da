use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The response of [`SameOrigin`](super::SameOrigin).
    #[must_use = "futures do nothing unless polled"]
    pub struct SameOriginFuture<F, C> {
        #[pin]
        stage: Stage<F, C>,
    }
}

pin_project! {
    #[project = StageProject]
    enum Stage<F, C> {
        Passed { #[pin] inner: F },
        Refused { response: Option<Response<C>> },
    }
}

impl<F, C> SameOriginFuture<F, C> {
    pub(super) const fn pass(inner: F) -> Self {
        Self {
            stage: Stage::Passed { inner },
        }
    }

    pub(super) const fn refuse(response: Response<C>) -> Self {
        let response = Some(response);
        Self {
            stage: Stage::Refused { response },
        }
    }
}

impl<F, C, E> Future for SameOriginFuture<F, C>
where
    F: Future<Output = Result<Response<C>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().stage.project() {
            StageProject::Passed { inner } => inner.poll(context),
            StageProject::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response)),
                // Polled after it was ready.
                None => Poll::Pending,
            },
        }
    }
}

impl<F, C> fmt::Debug for SameOriginFuture<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SameOriginFuture").finish_non_exhaustive()
    }
}
