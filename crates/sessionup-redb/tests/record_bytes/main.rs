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
const RUNS: usize = 3_000;

#[test]
fn any_bytes_are_damage_or_a_record_that_is_kept() {
    let bench = Bench::new();
    let inputs: Vec<_> = records()
        .into_iter()
        .map(|record| bench.written(record))
        .collect();
    for input in &inputs {
        bench.hold(input);
    }
    let mut mutator = Mutator::new(SEED);
    for run in 0..RUNS {
        let input = mutator.next(&inputs);
        let shown = hex(&input);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.hold(&input)));
        assert!(outcome.is_ok(), "run {run} of seed {SEED}: {shown}");
    }
    println!(
        "{} records, {RUNS} mutations of them, seed {SEED}",
        inputs.len()
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
