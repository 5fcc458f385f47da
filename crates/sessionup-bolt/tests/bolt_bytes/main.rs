//! Damaged files by the thousand: the same property as the fuzz target `bolt` holds.
//!
//! `SESSIONUP_BOLT_MUTATIONS` says how many.

#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub
)]

#[path = "../support/forge.rs"]
mod forge;
#[path = "../support/found.rs"]
mod found;
mod property;
#[path = "../support/mod.rs"]
mod support;

use corpus::Mutator;
use property::{Mode, hold};

const SEED: u64 = 0xB017_F11E;

#[test]
fn what_fuzzing_found_is_an_error_or_sessions_that_are_kept() {
    let found = found::inputs();
    assert!(found.len() > 1_000, "{}", found.len());
    found.iter().for_each(|input| hold(input));
}

#[test]
fn any_bytes_are_an_error_or_sessions_that_are_kept() {
    let runs = std::env::var("SESSIONUP_BOLT_MUTATIONS");
    let runs = runs.map_or(4_000, |runs| runs.parse().expect("a number"));
    let mut seeds = property::seeds();
    seeds.extend(
        ["empty.db", "small.db"].map(|name| [&[1], support::fixture(name).as_slice()].concat()),
    );
    seeds.iter().for_each(|seed| hold(seed));

    let mut fields = Fields(SEED);
    let mut mutator = Mutator::new(SEED);
    for run in 0..runs {
        // Fields of the format by turns with bytes anywhere.
        let input = if run % 4 == 0 {
            mutator.next(&seeds)
        } else {
            fields.next(&seeds)
        };
        let outcome = std::panic::catch_unwind(|| hold(&input));
        if outcome.is_err() {
            let kept = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bolt-failed-input");
            std::fs::write(&kept, &input).unwrap();
            panic!("run {run} of seed {SEED}, see {}", kept.display());
        }
    }
    println!(
        "{} seeds, {runs} mutations of them, seed {SEED}",
        seeds.len()
    );
}

/// Makes inputs that are damaged where the format has its fields.
struct Fields(u64);

impl Fields {
    fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        if input[0] == Mode::Record as u8 {
            return input;
        }
        let page_size = u32::from_le_bytes(*input[25..].first_chunk().unwrap()) as usize;
        for _ in 0..=self.below(4) {
            let pages = (input.len() - 1) / page_size;
            if pages == 0 {
                break;
            }
            let page = 1 + self.below(pages) * page_size;
            match self.below(12) {
                // A file that ends early.
                0 => input.truncate(page + self.below(page_size)),
                // A page in the place of another, under its own number or the other's.
                1 => {
                    let from = 1 + self.below(pages) * page_size;
                    let keep = 8 * self.below(2);
                    input.copy_within(from + keep..from + page_size, page + keep);
                }
                // A field of the header, of a meta page, or of one of the first elements.
                2..=8 => {
                    let width = [2, 4, 8][self.below(3)];
                    let at = page + width * self.below(96 / width);
                    let number = self.number_of(pages);
                    if let Some(field) = input.get_mut(at..at + width) {
                        field.copy_from_slice(&number.to_le_bytes()[..width]);
                    }
                }
                // Any byte.
                _ => {
                    let at = page + self.below(page_size);
                    if let Some(byte) = input.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        input
    }

    /// A number that means something, or nearly.
    fn number_of(&mut self, pages: usize) -> u64 {
        let edges = [
            0,
            1,
            2,
            4,
            16,
            0xFF,
            0xFFFF,
            1 << 31,
            u64::from(u32::MAX),
            u64::MAX,
            32_768,
        ];
        let base = match self.below(3) {
            0 => edges[self.below(edges.len())],
            1 => self.below(pages + 2) as u64,
            _ => self.below(5_000) as u64,
        };
        base.wrapping_add(self.below(3) as u64).wrapping_sub(1)
    }

    fn below(&mut self, end: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}
