//! The errors of a cleanup, for whoever wants to read them.

use std::sync::Arc;

use crate::StoreError;
use crate::feed::{Feed, Received};

/// The errors of a [`Cleanup`](crate::Cleanup).
///
/// They may be read and need not be: the latest 64 are kept. Clones take from the same errors, each
/// of which is received once.
#[derive(Clone, Debug)]
pub struct CleanupErrors {
    feed: Arc<Feed<StoreError>>,
}

impl CleanupErrors {
    /// Most errors that wait to be read; older ones give way.
    pub const CAPACITY: usize = 64;

    pub(super) fn open() -> Self {
        let feed = Arc::new(Feed::new(Self::CAPACITY));
        Self { feed }
    }

    /// Makes the errors of a cleanup that does not run: none, ever.
    #[must_use]
    pub fn none() -> Self {
        let errors = Self::open();
        errors.close();
        errors
    }

    /// Waits for the next error; `None` once the cleanup has ended and all errors were received.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, no error is lost.
    pub async fn recv(&self) -> Option<StoreError> {
        loop {
            if let Received::Item(error) = self.feed.recv().await? {
                return Some(error);
            }
        }
    }

    /// Returns the next error if there is one.
    #[must_use]
    pub fn try_recv(&self) -> Option<StoreError> {
        loop {
            if let Received::Item(error) = self.feed.try_recv()? {
                return Some(error);
            }
        }
    }

    pub(super) fn push(&self, error: StoreError) {
        self.feed.push(error);
    }

    pub(super) fn close(&self) {
        self.feed.close();
    }
}
