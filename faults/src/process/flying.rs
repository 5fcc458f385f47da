//! Operations under way together.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

/// An operation that was begun: it has its place in the store's queue.
pub enum Flying<'a, T> {
    /// It has no answer yet.
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
    /// It was answered at once.
    Landed(T),
}

impl<T> std::fmt::Debug for Flying<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Flying")
    }
}

impl<'a, T: Send> Flying<'a, T> {
    /// Begins an operation.
    pub async fn launch(operation: impl Future<Output = T> + Send + 'a) -> Self {
        let mut future: Pin<Box<dyn Future<Output = T> + Send + 'a>> = Box::pin(operation);
        let first = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context)));
        match first.await {
            Poll::Ready(answer) => Self::Landed(answer),
            Poll::Pending => Self::Waiting(future),
        }
    }

    /// Waits for its answer.
    pub async fn land(self) -> T {
        match self {
            Self::Landed(answer) => answer,
            Self::Waiting(future) => future.await,
        }
    }
}
