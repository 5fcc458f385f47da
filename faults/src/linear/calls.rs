//! A set of calls.

use crate::linear::LONGEST;

/// Some of the calls of a history, by their number, below [`LONGEST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Calls([u64; WORDS]);

const WORDS: usize = LONGEST / 64;

impl Calls {
    /// These and one more.
    pub(super) fn and(mut self, number: usize) -> Self {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
        self
    }

    pub(super) fn have(self, number: usize) -> bool {
        let word = self.0.get(number / 64);
        word.is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(super) fn have_all_of(self, others: Self) -> bool {
        let mut words = self.0.iter().zip(others.0);
        words.all(|(these, others)| these & others == others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart() {
        let numbers = [0, 1, 63, 64, 130, LONGEST - 1];
        for (at, number) in numbers.iter().enumerate() {
            let before = numbers.iter().take(at);
            let before = before.fold(Calls::default(), |all, number| all.and(*number));
            assert!(!before.have(*number), "{number}");
            let with = before.and(*number);
            assert!(with.have(*number), "{number}");
            assert!(
                with.have_all_of(before) && !before.have_all_of(with),
                "{number}"
            );
        }
    }
}
