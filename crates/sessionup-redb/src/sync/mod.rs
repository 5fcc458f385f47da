//! Locks, threads and the time to wait until: the standard library's, or those of a model checker
//! that chooses when each thread goes on.
//!
//! All that can make a thread of the store wait comes from here.

#[cfg(sessionup_schedules)]
mod schedules;

pub(crate) use std::sync::{PoisonError, TryLockError};
#[cfg(not(sessionup_schedules))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
    time::Instant,
};

#[cfg(sessionup_schedules)]
pub(crate) use schedules::{Instant, wait_until};
#[cfg(sessionup_schedules)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic},
    thread,
};

/// Waits to be notified, at most until a time. May return without either.
#[cfg(not(sessionup_schedules))]
pub(crate) fn wait_until<'a, T>(
    condvar: &Condvar,
    _: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    until: Instant,
) -> MutexGuard<'a, T> {
    let left = until.saturating_duration_since(Instant::now());
    let waited = condvar.wait_timeout(guard, left);
    waited.unwrap_or_else(PoisonError::into_inner).0
}
