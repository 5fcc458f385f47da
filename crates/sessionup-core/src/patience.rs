//! How long a store is waited for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_timer::Delay;

use crate::store::{StoreError, StoreFuture};

/// A call of a store that is given up after a while. A call that answers at once never meets the
/// clock.
pub(crate) struct Patient<'a, T> {
    call: StoreFuture<'a, T>,
    patience: Duration,
    is_write: bool,
    delay: Option<Delay>,
}

impl<'a, T> Patient<'a, T> {
    /// What is given up has changed nothing.
    pub(crate) fn read(call: StoreFuture<'a, T>, patience: Duration) -> Self {
        Self {
            call,
            patience,
            is_write: false,
            delay: None,
        }
    }

    /// What is given up may happen nevertheless.
    pub(crate) fn write(call: StoreFuture<'a, T>, patience: Duration) -> Self {
        let call = Self::read(call, patience);
        Self {
            is_write: true,
            ..call
        }
    }
}

impl<T> Future for Patient<'_, T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(answer) = self.call.as_mut().poll(context) {
            return Poll::Ready(answer);
        }
        let (patience, is_write) = (self.patience, self.is_write);
        let delay = self.delay.get_or_insert_with(|| Delay::new(patience));
        Pin::new(delay).poll(context).map(|()| {
            let gave_up = GaveUp { patience };
            Err(if is_write {
                StoreError::outcome_unknown(gave_up)
            } else {
                StoreError::unavailable(gave_up)
            })
        })
    }
}

impl<T> fmt::Debug for Patient<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient").finish_non_exhaustive()
    }
}

/// Its `Debug` says the same as its `Display`: errors at the start of a program and in tests are often
/// printed so.
#[derive(thiserror::Error)]
#[error(
    "no answer within {patience:?}: the store is slow or hangs; raise `store_timeout` of the manager \
     if it needs longer"
)]
struct GaveUp {
    patience: Duration,
}

impl fmt::Debug for GaveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const SHORT: Duration = Duration::from_millis(1);

    /// Fails with a name instead of waiting for ever.
    async fn given_up(call: Patient<'_, ()>) -> StoreError {
        let limit = Duration::from_secs(60);
        let answer = tokio::time::timeout(limit, call).await;
        answer.expect("the call is not given up").unwrap_err()
    }

    #[tokio::test]
    async fn call_that_never_answers_is_given_up() {
        let never = || -> StoreFuture<'_, ()> { Box::pin(std::future::pending()) };
        let error = given_up(Patient::read(never(), SHORT)).await;
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let error = given_up(Patient::write(never(), SHORT)).await;
        assert!(
            matches!(error, StoreError::OutcomeUnknown { .. }),
            "{error:?}"
        );
    }

    #[tokio::test]
    async fn call_given_up_says_what_to_raise() {
        let never: StoreFuture<'_, ()> = Box::pin(std::future::pending());
        let error = given_up(Patient::write(never, SHORT)).await;
        let cause = std::error::Error::source(&error).unwrap().to_string();
        for text in [cause, format!("{error:?}")] {
            assert!(text.contains("no answer within 1ms"), "{text}");
            assert!(text.contains("raise `store_timeout`"), "{text}");
        }
    }

    #[tokio::test]
    async fn answer_is_passed_on_and_starts_no_clock_if_it_is_there() {
        let mut call = Patient::read(Box::pin(async { Ok(1) }), LONG);
        assert_eq!((&mut call).await.unwrap(), 1);
        assert!(call.delay.is_none());

        let late = async {
            tokio::task::yield_now().await;
            Err::<(), _>(StoreError::Overloaded)
        };
        let error = Patient::write(Box::pin(late), LONG).await.unwrap_err();
        assert!(matches!(error, StoreError::Overloaded), "{error:?}");
    }
}
