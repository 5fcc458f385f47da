//! Requests to administer that the guard refused: which of them have a line in the log.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sessionup_core::SessionId;

use crate::layer::occurrences::Occurrences;

/// Counts them by session, so that those of one do not hide those of another.
#[derive(Debug, Default)]
pub(super) struct Refused {
    by_id: Mutex<HashMap<SessionId, Occurrences>>,
    /// Of all sessions that have no count of their own.
    others: Occurrences,
}

impl Refused {
    /// Most sessions with a count of their own.
    const MAX_SESSIONS: usize = 1_024;

    /// Counts one more. Returns how many there are if that is a power of ten.
    pub(super) fn count(&self, id: SessionId) -> Option<u64> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if by_id.len() < Self::MAX_SESSIONS || by_id.contains_key(&id) {
            by_id.entry(id).or_default().count()
        } else {
            self.others.count()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_by_session_is_bounded_and_apart() {
        let refused = Refused::default();
        let id = |n: u128| SessionId::from_bytes(n.to_be_bytes());
        for n in 0..1_024 {
            assert_eq!(refused.count(id(n)), Some(1), "{n}");
        }
        assert_eq!(refused.count(id(0)), None);
        // Too many: they share one count.
        let logged = (1_024..3_024).filter_map(|n| refused.count(id(n)));
        assert_eq!(logged.collect::<Vec<_>>(), [1, 10, 100, 1_000]);
        let logged = (0..8).filter_map(|_| refused.count(id(0)));
        assert_eq!(logged.collect::<Vec<_>>(), [10]);
    }
}
