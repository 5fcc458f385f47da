//! The background deletion of expired records, for any store.

mod errors;
mod signal;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use errors::CleanupErrors;
use signal::Signal;

use crate::store::{Store, StoreError};
use crate::watermark::{Jump, Steady};
use crate::{Clock, SystemClock, Timestamp};

/// Deletes expired records in the background, again and again, until it is stopped or dropped.
///
/// Expired sessions are refused whether or not a cleanup runs; this one gives back their room. It
/// works from a thread of its own, in bounded batches, so that others get to write in between; once
/// at the start and then each interval. A failing store does not end it: it tries again at the next
/// interval, and the error can be read from [`errors`](Cleanup::errors) or in the log.
///
/// What expired by the clock is deleted, unless the clock jumped ahead: then only what had expired
/// before, until the clock has stayed there for a day, see [`Watermark`](crate::store::Watermark).
/// A clock that was wrong for a while, or a machine that slept for long, so costs no session that is
/// not over.
///
/// ```
/// use std::time::Duration;
/// use sessionup_core::{Cleanup, MemoryStore};
///
/// let store = MemoryStore::new();
/// let cleanup = Cleanup::start(store.clone(), CleanupOptions::every(Duration::from_secs(60)))?;
/// # use sessionup_core::CleanupOptions;
/// cleanup.stop();
/// # Ok::<(), sessionup_core::CleanupStartError>(())
/// ```
#[derive(Debug)]
pub struct Cleanup {
    signal: Arc<Signal>,
    errors: CleanupErrors,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// How a [`Cleanup`] works.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanupOptions {
    /// How long it waits between two rounds, at least a millisecond.
    pub interval: Duration,
    /// Most records it deletes at a time. Defaults to 1,000.
    pub batch: NonZeroUsize,
    /// What tells it the time: the clock of the managers over its store. Defaults to
    /// [`SystemClock`].
    pub clock: Arc<dyn Clock>,
}

impl CleanupOptions {
    const BATCH: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

    /// Asks for a round each `interval`.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self {
            interval,
            batch: Self::BATCH,
            clock: Arc::new(SystemClock),
        }
    }

    /// Takes the time from elsewhere.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Deletes at most so many records at a time.
    #[must_use]
    pub fn batch(mut self, batch: NonZeroUsize) -> Self {
        self.batch = batch;
        self
    }
}

impl Cleanup {
    /// Starts the background thread.
    ///
    /// # Errors
    ///
    /// [`CleanupStartError`] if the interval is below a millisecond, or there is no thread to be had.
    pub fn start(store: impl Store, options: CleanupOptions) -> Result<Self, CleanupStartError> {
        Self::start_looking(store, options, LOOK)
    }

    /// Looks at the clock at least once in `look`.
    fn start_looking(
        store: impl Store,
        options: CleanupOptions,
        look: Duration,
    ) -> Result<Self, CleanupStartError> {
        if options.interval < Duration::from_millis(1) {
            return Err(CleanupStartError::Interval);
        }
        let signal = Arc::new(Signal::default());
        let errors = CleanupErrors::open();
        let round = Round {
            store,
            clock: Steady::new(Arc::clone(&options.clock)),
            options,
            look,
            signal: Arc::clone(&signal),
            errors: errors.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("sessionup-cleanup".into())
            .spawn(move || round.run())
            .map_err(|error| CleanupStartError::Thread(Arc::new(error)))?;
        Ok(Self {
            signal,
            errors,
            thread: std::sync::Mutex::new(Some(thread)),
        })
    }

    /// Returns the errors of the rounds so far and to come. They need not be read.
    #[must_use]
    pub fn errors(&self) -> CleanupErrors {
        self.errors.clone()
    }

    /// Stops the background thread and waits for its end. Twice is harmless.
    ///
    /// A round under way is given up between two batches, and a batch that the store has not begun
    /// is withdrawn.
    pub fn stop(&self) {
        self.signal.stop();
        let thread = self.thread.lock();
        let thread = thread
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic of the store in the thread was reported there.
            drop(thread.join());
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Round<S> {
    store: S,
    clock: Steady,
    options: CleanupOptions,
    look: Duration,
    signal: Arc<Signal>,
    errors: CleanupErrors,
}

impl<S: Store> Round<S> {
    fn run(self) {
        loop {
            match self.prune() {
                Ok(()) => {}
                // Nothing will be deleted any more.
                Err(StoreError::Closed) => break,
                Err(error) => {
                    tracing::warn!(target: "sessionup", %error, "cleanup failed, will try again");
                    self.errors.push(error);
                }
            }
            if self.stopped_before_the_next() {
                break;
            }
        }
    }

    /// Waits for an interval, and says whether it was stopped. Looks at the clock meanwhile: one
    /// that nobody looked at for long would seem to have jumped.
    fn stopped_before_the_next(&self) -> bool {
        for part in parts_of(self.options.interval, self.look) {
            if self.signal.stopped_within(part) {
                return true;
            }
            self.look();
        }
        false
    }

    /// Says what expired by when is to be deleted.
    fn look(&self) -> Timestamp {
        let (judged, jump) = self.clock.look(self.store.watermark());
        if let Some(Jump { from, to }) = jump {
            tracing::warn!(
                target: "sessionup", %from, %to,
                "clock jumped, what expired since is kept for a day"
            );
        }
        judged.prune_up_to
    }

    fn prune(&self) -> Result<(), StoreError> {
        let batch = self.options.batch;
        loop {
            let prune = self.store.prune(self.look(), batch.get());
            let Some(pruned) = self.signal.drive(prune) else {
                return Ok(());
            };
            let pruned = pruned?;
            if pruned.deleted > 0 {
                tracing::debug!(target: "sessionup", sessions = pruned.deleted, "expired sessions deleted");
            }
            if !pruned.more {
                return Ok(());
            }
        }
    }
}

/// How long nobody looks at the clock.
const LOOK: Duration = Duration::from_secs(60 * 60);

fn parts_of(interval: Duration, look: Duration) -> impl Iterator<Item = Duration> {
    let mut left = interval;
    std::iter::from_fn(move || {
        let part = left.min(look);
        left -= part;
        (!part.is_zero()).then_some(part)
    })
}

impl<S> Drop for Round<S> {
    /// Whatever ends the thread, nobody waits for errors that will not come.
    fn drop(&mut self) {
        self.errors.close();
    }
}

/// Why a [`Cleanup`] did not start.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CleanupStartError {
    /// The interval is below a millisecond, which would be a busy loop.
    #[error("cleanup interval is shorter than a millisecond")]
    Interval,
    /// The operating system gave no thread.
    #[error("no thread for the cleanup")]
    Thread(#[source] Arc<std::io::Error>),
}

#[cfg(test)]
mod tests;
