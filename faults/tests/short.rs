//! A little of each part: once from a seed that is always the same, once from a fresh one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use faults::campaign::{self, Plan, Until};
use faults::parts;

fn run(seed: u64) {
    static HUSHED: std::sync::Once = std::sync::Once::new();
    HUSHED.call_once(campaign::hush);
    assert!(parts::all().len() > 16, "parts are missing");
    for part in parts::all() {
        let part = part.as_ref();
        if let Some(missing) = part.missing() {
            println!("{}: NOT RUN: {missing}", part.name());
            continue;
        }
        let plan = Plan {
            seed,
            first: 0,
            until: Until::Counted(part.unit(), part.enough().short),
            threads: 2,
        };
        let outcome = campaign::run(part, plan, |_, _| {});
        println!("{}: seed {seed:#x}: {}", part.name(), outcome.tally);
        if let Err(failure) = outcome.passed(part, seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn always_the_same() {
    run(0x5e55_1045);
}

#[test]
fn never_the_same() {
    run(fastrand::u64(..));
}
