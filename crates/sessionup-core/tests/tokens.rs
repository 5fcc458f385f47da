//! Tokens in bulk: evenly spread, never twice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use std::collections::HashSet;

use data_encoding::BASE64URL_NOPAD;
use sessionup_core::{OsRandom, Timestamp, Token};

const NOW: Timestamp = Timestamp::from_millis(1_795_286_345_981);

type Secret = [u8; 32];

fn secret() -> Secret {
    let token = Token::generate(NOW, &OsRandom::default()).unwrap();
    let bytes = BASE64URL_NOPAD.decode(token.expose().as_bytes()).unwrap();
    bytes[16..].try_into().unwrap()
}

/// Above this, χ² with 255 degrees of freedom comes by chance once in 32 million: for all 32
/// places together once in a million runs.
const CHI_SQUARE_BOUND: f64 = 397.0;

fn expect_even(secrets: &[Secret]) {
    let expected = f64::from(u32::try_from(secrets.len()).unwrap()) / 256.0;
    let mut largest = 0.0_f64;
    for place in 0..32 {
        let mut counts = [0_u32; 256];
        for secret in secrets {
            counts[usize::from(secret[place])] += 1;
        }
        let apart = counts.map(|count| (f64::from(count) - expected).powi(2) / expected);
        let chi_square: f64 = apart.iter().sum();
        assert!(chi_square < CHI_SQUARE_BOUND, "place {place}: {chi_square}");
        largest = largest.max(chi_square);
    }
    let distinct: HashSet<_> = secrets.iter().collect();
    assert_eq!(distinct.len(), secrets.len());
    println!(
        "{} tokens, none twice, largest chi-square of a place {largest:.0}",
        secrets.len()
    );
}

#[test]
fn bytes_of_secrets_are_evenly_spread() {
    let secrets: Vec<_> = (0..100_000).map(|_| secret()).collect();
    expect_even(&secrets);
}

#[test]
#[ignore = "takes a while: a million tokens"]
fn bytes_of_a_million_secrets_are_evenly_spread() {
    let secrets: Vec<_> = (0..1_000_000).map(|_| secret()).collect();
    expect_even(&secrets);
}

#[test]
#[should_panic(expected = "place 31")]
fn one_missing_value_is_noticed() {
    let mut secrets: Vec<_> = (0..100_000).map(|_| secret()).collect();
    // The alphabet of nano-id lacked half of its symbols (RUSTSEC-2024-0343); here it is one.
    for secret in secrets.iter_mut().filter(|secret| secret[31] == 7) {
        secret[31] = 8;
    }
    expect_even(&secrets);
}

#[test]
fn threads_at_once_draw_different_tokens() {
    let draw = || (0..1_000).map(|_| secret()).collect::<Vec<_>>();
    let threads: Vec<_> = (0..64).map(|_| std::thread::spawn(draw)).collect();
    let secrets: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let distinct: HashSet<_> = secrets.iter().collect();
    assert_eq!((secrets.len(), distinct.len()), (64_000, 64_000));
}
