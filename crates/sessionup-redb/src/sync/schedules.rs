//! Time as a choice of the model checker: it stands still, but for one who waits until a time.

use std::cell::Cell;
use std::ops::{Add, Sub};
use std::time::Duration;

use shuttle::rand::RngCore;
use shuttle::sync::{Condvar, Mutex, MutexGuard};

use crate::sync::{PoisonError, thread};

std::thread_local! {
    /// A test's executions are all on one thread and follow each other.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(NOW.get())
    }

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub(crate) fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Lets others go on, then returns: notified or not, and one time in four at the end of the wait.
pub(crate) fn wait_until<'a, T>(
    _: &Condvar,
    mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    until: Instant,
) -> MutexGuard<'a, T> {
    drop(guard);
    thread::yield_now();
    if shuttle::rand::thread_rng().next_u64().is_multiple_of(4) {
        NOW.set(NOW.get().max(until.0));
    }
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
