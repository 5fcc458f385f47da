//! Log lines for what clients can cause at will. Needs no clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use sessionup_core::SessionId;

/// Counts occurrences, of which the 1st, 10th, 100th and so on have a line in the log: at most
/// twenty lines, however many there are.
#[derive(Debug, Default)]
pub(crate) struct Occurrences(AtomicU64);

impl Occurrences {
    /// Counts one more. Returns how many there are if that is a power of ten.
    pub(crate) fn count(&self) -> Option<u64> {
        let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let power = 10_u64.checked_pow(number.checked_ilog10()?)?;
        (number == power).then_some(number)
    }
}

/// Counts occurrences by session, so that those of one do not hide those of another.
#[derive(Debug, Default)]
pub(crate) struct OccurrencesBySession {
    by_id: Mutex<HashMap<SessionId, Occurrences>>,
    /// Of all sessions that have no count of their own.
    others: Occurrences,
}

impl OccurrencesBySession {
    /// Most sessions with a count of their own.
    const MAX_SESSIONS: usize = 1_024;

    /// Counts one more. Returns how many there are if that is a power of ten.
    pub(crate) fn count(&self, id: SessionId) -> Option<u64> {
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
        let occurrences = OccurrencesBySession::default();
        let id = |n: u128| SessionId::from_bytes(n.to_be_bytes());
        for n in 0..1_024 {
            assert_eq!(occurrences.count(id(n)), Some(1), "{n}");
        }
        assert_eq!(occurrences.count(id(0)), None);
        // Too many: they share one count.
        let logged = (1_024..3_024).filter_map(|n| occurrences.count(id(n)));
        assert_eq!(logged.collect::<Vec<_>>(), [1, 10, 100, 1_000]);
        let logged = (0..8).filter_map(|_| occurrences.count(id(0)));
        assert_eq!(logged.collect::<Vec<_>>(), [10]);
    }

    #[test]
    fn count_returns_powers_of_ten_only() {
        let occurrences = Occurrences::default();
        let logged: Vec<_> = (0..12_345).filter_map(|_| occurrences.count()).collect();
        assert_eq!(logged, [1, 10, 100, 1_000, 10_000]);
    }
}
