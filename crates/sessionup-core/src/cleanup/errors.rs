//! A bounded log of errors that never holds up the one who writes it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::StoreError;

/// The errors of a [`Cleanup`](crate::Cleanup).
///
/// They may be read and need not be: the latest 64 are kept. Clones take from the same errors, each
/// of which is received once.
#[derive(Clone, Debug)]
pub struct CleanupErrors {
    log: Arc<ErrorLog>,
}

impl CleanupErrors {
    /// Most errors that wait to be read; older ones give way.
    pub const CAPACITY: usize = 64;

    pub(super) fn new(log: Arc<ErrorLog>) -> Self {
        Self { log }
    }

    /// Waits for the next error; `None` once the cleanup has ended and all errors were received.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no error is lost.
    pub async fn recv(&self) -> Option<StoreError> {
        poll_fn(|context| {
            let mut state = self.log.state();
            if let Some(error) = state.errors.pop_front() {
                return Poll::Ready(Some(error));
            }
            if state.closed {
                return Poll::Ready(None);
            }
            let waker = context.waker();
            if !state.readers.iter().any(|reader| reader.will_wake(waker)) {
                state.readers.push(waker.clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Returns the next error if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<StoreError> {
        self.log.state().errors.pop_front()
    }

    /// Makes the errors of a cleanup that does not run: none, ever.
    #[must_use]
    pub fn none() -> Self {
        let log = ErrorLog::default();
        log.close();
        Self::new(Arc::new(log))
    }
}

#[derive(Debug, Default)]
pub(super) struct ErrorLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    errors: VecDeque<StoreError>,
    readers: Vec<Waker>,
    closed: bool,
}

impl ErrorLog {
    pub(super) fn push(&self, error: StoreError) {
        let mut state = self.state();
        if state.errors.len() == CleanupErrors::CAPACITY {
            state.errors.pop_front();
        }
        state.errors.push_back(error);
        wake(state);
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        wake(state);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes all readers once the lock is free.
fn wake(mut state: MutexGuard<'_, State>) {
    let readers = std::mem::take(&mut state.readers);
    drop(state);
    for reader in readers {
        reader.wake();
    }
}
