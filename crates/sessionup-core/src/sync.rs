//! Locks and atomics: the standard library's, or those of a model checker that chooses when each
//! thread goes on.
//!
//! For what the threads of a program decide between them: epochs, feeds, and the store in memory.

pub(crate) use std::sync::PoisonError;
#[cfg(not(sessionup_schedules))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};

#[cfg(sessionup_schedules)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, Ordering},
};
