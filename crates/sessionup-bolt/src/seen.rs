//! Which pages were met.

use crate::{Damage, Rule};

/// A bit for each page of a file: at most 16 MiB.
#[derive(Debug)]
pub(crate) struct Seen {
    bits: Vec<u64>,
    pages: u64,
}

impl Seen {
    /// None of so many pages but the two meta pages.
    pub(crate) fn new(pages: u64) -> Self {
        let words = usize::try_from(pages.div_ceil(64)).unwrap_or(0);
        let mut bits = vec![0; words];
        if let Some(first) = bits.first_mut() {
            *first = 0b11;
        }
        Self { bits, pages }
    }

    /// Notes pages that were not met before.
    pub(crate) fn add(&mut self, first: u64, count: u64, otherwise: Rule) -> Result<(), Damage> {
        let (mut page, end) = (first, first.saturating_add(count));
        while page < end {
            let word = usize::try_from(page / 64)
                .ok()
                .and_then(|word| self.bits.get_mut(word))
                .ok_or(Damage::new(page, Rule::PageNumber))?;
            // As many pages as are in one word.
            let from = page % 64;
            let count = (64 - from).min(end - page);
            let mask = (u64::MAX >> (64 - count)) << from;
            if *word & mask != 0 {
                let met = u64::from((*word & mask).trailing_zeros());
                return Err(Damage::new(page - from + met, otherwise));
            }
            *word |= mask;
            page += count;
        }
        Ok(())
    }

    /// Returns the first page that was never met.
    pub(crate) fn first_missing(&self) -> Option<u64> {
        let word = self.bits.iter().position(|word| *word != u64::MAX)?;
        let bit = self.bits.get(word)?.trailing_ones();
        Some(word as u64 * 64 + u64::from(bit)).filter(|page| *page < self.pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_is_met_once_and_none_is_missed() {
        let mut seen = Seen::new(130);
        assert_eq!(seen.first_missing(), Some(2));
        assert_eq!(seen.add(2, 100, Rule::PageShared), Ok(()));
        assert_eq!(seen.first_missing(), Some(102));
        assert_eq!(
            seen.add(101, 1, Rule::PageShared),
            Err(Damage::new(101, Rule::PageShared))
        );
        assert_eq!(
            seen.add(102, u64::MAX, Rule::PageShared),
            Err(Damage::new(192, Rule::PageNumber))
        );
        let mut seen = Seen::new(130);
        assert_eq!(seen.add(2, 100, Rule::PageShared), Ok(()));
        assert_eq!(
            seen.add(1, 1, Rule::FreelistInUse),
            Err(Damage::new(1, Rule::FreelistInUse))
        );
        assert_eq!(seen.add(102, 28, Rule::PageShared), Ok(()));
        assert_eq!(seen.first_missing(), None);
        assert_eq!(
            seen.add(192, 1, Rule::PageShared),
            Err(Damage::new(192, Rule::PageNumber))
        );
    }
}
