//! Sessions that may or may not be gone.
//!
//! When a commit fails, nobody knows whether it happened. Until that is settled, the sessions that
//! it would have ended are refused from memory: by their ids, and those of a large deletion
//! ([`crate::tombstones`]) by their user and generation.

use std::collections::HashSet;
use std::sync::Arc;

use sessionup_core::{SessionId, UserKey};

use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::tombstones::{Generation, Revocation};

#[derive(Debug, Default)]
pub(crate) struct Doubts(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    ids: HashSet<SessionId>,
    revocations: Revocations,
}

/// Large deletions that may have happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revocations(Arc<[Revocation]>);

impl Revocations {
    /// Says whether one of them would have ended a session.
    pub(crate) fn contain(&self, user: &UserKey, generation: Generation, id: SessionId) -> bool {
        let mut revocations = self.0.iter();
        revocations.any(|revocation| revocation.ends(user, generation, id))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Revocation> {
        self.0.iter()
    }
}

impl Doubts {
    /// Adds what one transaction would have ended.
    pub(crate) fn add(&self, ids: impl IntoIterator<Item = SessionId>, revocations: &[Revocation]) {
        let mut state = self.write();
        state.ids.extend(ids);
        if !revocations.is_empty() {
            let is_known = |it: &&Revocation| state.revocations.0.contains(it);
            let new = revocations.iter().filter(|it| !is_known(it));
            let all = state.revocations.iter().chain(new).cloned().collect();
            state.revocations = Revocations(all);
        }
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.read().ids.contains(&id)
    }

    /// Returns the large deletions that may have ended a session; `None` if the session itself is in
    /// doubt. To be called before its record is read.
    pub(crate) fn about(&self, id: SessionId) -> Option<Revocations> {
        let state = self.read();
        (!state.ids.contains(&id)).then(|| state.revocations.clone())
    }

    pub(crate) fn revocations(&self) -> Revocations {
        self.read().revocations.clone()
    }

    /// Holds all of them where they are, for reads of several sessions.
    pub(crate) fn hold(&self) -> HeldDoubts<'_> {
        HeldDoubts(self.read())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many sessions and large deletions there are.
    pub(crate) fn len(&self) -> usize {
        let state = self.read();
        state.ids.len() + state.revocations.0.len()
    }

    pub(crate) fn some(&self, at_most: usize) -> Vec<SessionId> {
        self.read().ids.iter().take(at_most).copied().collect()
    }

    /// Forgets sessions that are durably gone, and large deletions that have durably happened.
    pub(crate) fn settle(&self, ids: &[SessionId], revocations: &Revocations) {
        let mut state = self.write();
        for id in ids {
            state.ids.remove(id);
        }
        if !revocations.is_empty() {
            let left = state
                .revocations
                .iter()
                .filter(|it| !revocations.0.contains(it));
            state.revocations = Revocations(left.cloned().collect());
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions in doubt, to which none is added while they are held.
#[derive(Debug)]
pub(crate) struct HeldDoubts<'a>(RwLockReadGuard<'a, State>);

impl HeldDoubts<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.ids.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = SessionId> {
        self.0.ids.iter().copied()
    }

    pub(crate) fn revocations(&self) -> Revocations {
        self.0.revocations.clone()
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.0.ids.contains(&id)
    }
}
