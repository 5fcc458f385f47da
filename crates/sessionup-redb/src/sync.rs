//! Locks and threads: the standard library's, or those of a model checker that chooses when each of
//! them goes on.
//!
//! All that can make a thread of the store wait for another one comes from here.

#[cfg(not(sessionup_schedules))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread,
};

#[cfg(sessionup_schedules)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread,
};
