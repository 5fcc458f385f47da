//! The properties that the fuzzers hold, over the files and over mutations of them.
//!
//! `CORPUS_SEED` and `CORPUS_RUNS` take another seed and other counts than these.

#![allow(clippy::expect_used, clippy::print_stdout)]

use corpus::{Mutator, properties, seeds};

const SEED: u64 = 0x5e55_1055;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// Says which input it was when a property panics.
struct OnPanic<'a> {
    property: &'a str,
    input: &'a [u8],
    run: u64,
}

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self {
                property,
                input,
                run,
            } = self;
            let hex = data_encoding::HEXLOWER.encode(input);
            println!("{property}: run {run}, input in hex: {hex}");
        }
    }
}

fn hold(property: &str, runs: u64) {
    let (_, check) = properties::ALL
        .iter()
        .find(|(name, _)| *name == property)
        .expect(property);
    let seed = setting("CORPUS_SEED", SEED);
    let runs = setting("CORPUS_RUNS", runs);
    let inputs = seeds(property);
    let mut mutator = Mutator::new(seed);
    for run in 0..inputs.len() as u64 + runs {
        let input = match inputs.get(usize::try_from(run).expect("few")) {
            Some(input) => input.clone(),
            None => mutator.next(&inputs),
        };
        let input = OnPanic {
            property,
            input: &input,
            run,
        };
        check(input.input);
    }
    println!(
        "{property}: {} cases, {runs} mutations, CORPUS_SEED={seed}",
        inputs.len()
    );
}

#[test]
fn config() {
    hold("config", 4_000);
}

#[test]
fn cookie_header() {
    hold("cookie_header", 5_000);
}

#[test]
fn forwarding() {
    hold("forwarding", 5_000);
}

#[test]
fn token() {
    hold("token", 5_000);
}

#[test]
fn user_agent() {
    hold("user_agent", 5_000);
}

#[test]
fn mutations_are_the_same_for_the_same_seed_and_differ_among_themselves() {
    let inputs = seeds("token");
    let many = |seed: u64| {
        let mut mutator = Mutator::new(seed);
        (0..1_000)
            .map(|_| mutator.next(&inputs))
            .collect::<Vec<_>>()
    };
    assert_eq!(many(1), many(1));
    assert_ne!(many(1), many(2));
    let distinct: std::collections::BTreeSet<_> = many(1).into_iter().collect();
    assert!(distinct.len() > 900, "{}", distinct.len());
}
