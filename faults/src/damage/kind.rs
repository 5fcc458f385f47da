//! Kinds of damage.

use std::fmt;

use crate::campaign::{Rng, one_of};
use crate::disk::image::{Image, PAGE};

/// Something that happened to a file while nobody had it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// Bits that are the other way round, by their place in the file.
    Flipped(Vec<u64>),
    /// Two pages in each other's place.
    Swapped(usize, usize),
    /// The first page is also in the place of the second one.
    Doubled(usize, usize),
    /// Pages of zeros, the first of them and how many.
    Zeroed(usize, usize),
    /// Random bytes in a page, by a seed.
    Garbled(usize, u64),
    /// A page as it was, by the number of the older file.
    Stale(usize, usize),
    /// The file ends there.
    Cut(u64),
    /// So many random bytes at its end, by a seed.
    Longer(usize, u64),
}

/// Bytes of the header: flags, layout, and both commit slots with their roots and checksums.
const HEADER: u64 = 320;

impl Damage {
    pub(super) fn draw(image: &Image, older: usize, rng: &mut Rng) -> Self {
        let pages = image.pages().max(1);
        // The bits of the header are few and all matter; the pages in use come first.
        let page = |rng: &mut Rng| match rng.bool() {
            true => rng.usize(..pages),
            false => rng.usize(..pages.min(64)),
        };
        match rng.u8(..16) {
            0..=3 => Self::Flipped(vec![rng.u64(..HEADER * 8)]),
            4..=6 => {
                let count = one_of(rng, [1, 1, 2, 8]);
                let bits = (0..count).map(|_| (page(rng) * PAGE + rng.usize(..PAGE)) as u64 * 8);
                let bits: Vec<_> = bits.collect();
                Self::Flipped(bits.into_iter().map(|bit| bit + rng.u64(..8)).collect())
            }
            7 => Self::Swapped(page(rng), page(rng)),
            8 => Self::Doubled(page(rng), page(rng)),
            9 => Self::Zeroed(page(rng), one_of(rng, [1, 1, 2, 16])),
            10 => Self::Garbled(page(rng), rng.u64(..)),
            11..=12 if older > 0 => Self::Stale(page(rng), rng.usize(..older)),
            13 => Self::Cut((rng.usize(..=pages) * PAGE) as u64),
            14 => Self::Cut(rng.u64(..=image.len())),
            _ => Self::Longer(one_of(rng, [1, 512, PAGE, 9 * PAGE + 7]), rng.u64(..)),
        }
    }

    /// Says whether what is left of the content is as it was.
    pub(super) fn is_of_length(&self) -> bool {
        matches!(self, Self::Cut(_) | Self::Longer(..))
    }

    pub(super) fn done_to(&self, image: &Image, older: &[Image]) -> Image {
        let mut damaged = image.clone();
        let at = |page: usize| (page * PAGE) as u64;
        // A page that is not there is not made.
        let mut put = |page: usize, bytes: &[u8]| {
            if page < image.pages() {
                damaged.write(at(page), bytes);
            }
        };
        match self {
            Self::Flipped(bits) => {
                for bit in bits {
                    let mut byte = [0];
                    if damaged.read(bit / 8, &mut byte).is_ok() {
                        damaged.write(bit / 8, &[byte[0] ^ (1 << (bit % 8))]);
                    }
                }
            }
            Self::Swapped(one, other) => {
                put(*one, &image.page(*other));
                put(*other, &image.page(*one));
            }
            Self::Doubled(from, to) => put(*to, &image.page(*from)),
            Self::Zeroed(first, count) => {
                (*first..first + count).for_each(|page| put(page, &[0; PAGE]));
            }
            Self::Garbled(page, seed) => {
                let mut bytes = [0; PAGE];
                Rng::with_seed(*seed).fill(&mut bytes);
                put(*page, &bytes);
            }
            Self::Stale(page, which) => {
                if let Some(older) = older.get(*which) {
                    put(*page, &older.page(*page));
                }
            }
            Self::Cut(len) => damaged.set_len(*len),
            Self::Longer(count, seed) => {
                let mut bytes = vec![0; *count];
                Rng::with_seed(*seed).fill(&mut bytes);
                damaged.write(image.len(), &bytes);
            }
        }
        damaged
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_where_it_is_said_to_be() {
        let pages = [1, 2, 3, 4].map(|byte| [byte; PAGE]);
        let image = Image::of(&pages.concat());
        let first = |damage: &Damage| {
            let damaged = damage.done_to(&image, &[Image::of(&[9; 4 * PAGE])]);
            let pages: Vec<_> = (0..damaged.pages())
                .map(|page| damaged.page(page)[0])
                .collect();
            pages
        };
        let cases = [
            (Damage::Flipped(vec![4_096 * 8 + 3]), vec![1, 2 ^ 8, 3, 4]),
            (Damage::Swapped(1, 2), vec![1, 3, 2, 4]),
            (Damage::Doubled(0, 3), vec![1, 2, 3, 1]),
            (Damage::Zeroed(2, 9), vec![1, 2, 0, 0]),
            (Damage::Stale(1, 0), vec![1, 9, 3, 4]),
            (Damage::Cut(4_096), vec![1]),
        ];
        for (damage, expected) in cases {
            assert_eq!(first(&damage), expected, "{damage}");
        }
        let longer = Damage::Longer(7, 1).done_to(&image, &[]);
        assert_eq!(longer.len(), image.len() + 7);
        assert_ne!(
            Damage::Garbled(2, 1).done_to(&image, &[]).page(2),
            image.page(2)
        );
    }
}
