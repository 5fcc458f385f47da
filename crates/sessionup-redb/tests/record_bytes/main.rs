//! Mutated records through the store: the same property as the fuzz target `record` holds.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub
)]

mod property;
mod records;

use corpus::Mutator;
use property::Bench;
use records::records;

const SEED: u64 = 0x5e55_1055;
const RUNS: usize = 2_000;

#[test]
fn any_bytes_are_damage_or_a_record_that_is_kept() {
    let bench = Bench::new();
    let inputs: Vec<_> = records()
        .into_iter()
        .map(|record| bench.written(record))
        .collect();
    let mut mutator = Mutator::new(SEED);
    let mutations: Vec<_> = (0..RUNS).map(|_| mutator.next(&inputs)).collect();
    for (run, input) in inputs.iter().chain(&mutations).enumerate() {
        // With a check value that was made to fit, and with the one that is there.
        for mode in [1, 0] {
            let mut input = input.clone();
            if let Some(first) = input.first_mut() {
                *first = mode;
            }
            let held = std::panic::AssertUnwindSafe(|| bench.hold(&input));
            let outcome = std::panic::catch_unwind(held);
            assert!(outcome.is_ok(), "run {run} of seed {SEED}: {}", hex(&input));
        }
    }
    println!(
        "{} records, {RUNS} mutations of them, seed {SEED}",
        inputs.len()
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
