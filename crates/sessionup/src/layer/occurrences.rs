//! Log lines for what clients can cause at will. Needs no clock.

use std::sync::atomic::{AtomicU64, Ordering};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_returns_powers_of_ten_only() {
        let occurrences = Occurrences::default();
        let logged: Vec<_> = (0..12_345).filter_map(|_| occurrences.count()).collect();
        assert_eq!(logged, [1, 10, 100, 1_000, 10_000]);
    }
}
