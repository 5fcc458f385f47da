//! Sessions that may or may not be gone.
//!
//! When a commit fails, nobody knows whether it happened. Until that is settled, the sessions that
//! it would have ended are refused from memory.

use std::collections::HashSet;

use sessionup_core::SessionId;

use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Default)]
pub(crate) struct Doubts(RwLock<HashSet<SessionId>>);

impl Doubts {
    pub(crate) fn add(&self, ids: impl IntoIterator<Item = SessionId>) {
        self.write().extend(ids);
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.read().contains(&id)
    }

    /// Holds all of them where they are, for reads of several sessions.
    pub(crate) fn hold(&self) -> HeldDoubts<'_> {
        HeldDoubts(self.read())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.read().len()
    }

    pub(crate) fn some(&self, at_most: usize) -> Vec<SessionId> {
        self.read().iter().take(at_most).copied().collect()
    }

    /// Forgets sessions that are durably gone.
    pub(crate) fn settle(&self, ids: &[SessionId]) {
        let mut doubts = self.write();
        for id in ids {
            doubts.remove(id);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashSet<SessionId>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashSet<SessionId>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions in doubt, to which none is added while they are held.
#[derive(Debug)]
pub(crate) struct HeldDoubts<'a>(RwLockReadGuard<'a, HashSet<SessionId>>);

impl HeldDoubts<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SessionId> {
        self.0.iter().copied()
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.0.contains(&id)
    }
}
