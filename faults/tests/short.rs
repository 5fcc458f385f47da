//! A little of each part: once from a seed that is always the same, once from a fresh one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use faults::campaign::{self, Part, Plan, Until};
use faults::parts;

/// `damage` opens some hundred files of which redb ends the process on one in about 200,000, see
/// docs/durability.md: with a fresh seed it is not for a test.
const MAY_END_THE_PROCESS: &str = "damage";

fn run(seed: u64, parts: impl Iterator<Item = Box<dyn Part>>) {
    static HUSHED: std::sync::Once = std::sync::Once::new();
    HUSHED.call_once(campaign::hush);
    assert!(parts::all().len() > 16, "parts are missing");
    for part in parts {
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
    run(0x5e55_1045, parts::all().into_iter());
}

#[test]
fn never_the_same() {
    let parts = parts::all().into_iter();
    let parts = parts.filter(|part| part.name() != MAY_END_THE_PROCESS);
    run(fastrand::u64(..), parts);
}
