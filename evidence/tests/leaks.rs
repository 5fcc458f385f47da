//! Looks for every token that the tests issued in all that the tests wrote; run by `.ci/leaks`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, thread};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use evidence::{
    DIRECTORY, Ledger, Needles, listen, note_planted, note_written, percent, tokens_by_form,
};
use sessionup_core::{OsRandom, Timestamp, Token};

/// Fewer tokens than this, and the tests were not run or did not note what they issued.
const AT_LEAST: usize = 5_000;
/// How many places [`plant`] writes a token to.
const PLANTED: usize = 9;

fn directory() -> PathBuf {
    env::var_os(DIRECTORY)
        .expect("the directory; .ci/leaks sets it")
        .into()
}

fn token() -> String {
    let now = Timestamp::from_millis(1_795_286_345_000);
    Token::generate(now, &OsRandom::default())
        .unwrap()
        .expose()
        .to_string()
}

fn planted() -> String {
    let token = token();
    note_planted(&token);
    token
}

#[derive(Debug)]
struct Told(&'static str, Option<Box<Self>>, String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.2)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

/// Writes tokens where the search must find them, or finding none elsewhere would mean nothing.
#[test]
#[ignore = "run by .ci/leaks"]
fn plant() {
    listen();
    let bytes = |token: &str| BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();

    tracing::trace!(token = planted(), "an event's field");
    tracing::trace!(token = ?bytes(&planted()), "an event's field in decimal");
    tracing::trace!(
        "an event's message: {}",
        HEXLOWER.encode(&bytes(&planted()))
    );
    tracing::trace_span!("a span's field", token = BASE64.encode(&bytes(&planted())))
        .in_scope(|| {});

    let cause = Told("cause", None, percent(&planted()));
    let error = Told("error", Some(Box::new(cause)), String::new());
    let error: &(dyn Error + 'static) = &error;
    tracing::error!(error, "a chain of errors");

    let token = planted();
    thread::spawn(move || panic!("a panic's message: {token}"))
        .join()
        .unwrap_err();
    let token = planted();
    thread::spawn(move || {
        let error = Told("an error that panics", None, token);
        panic!("{error:?}");
    })
    .join()
    .unwrap_err();

    note_written(format!("a response: {}", planted()).as_bytes());
    println!("standard output: {}", planted());
    // Known to nobody's ledger.
    println!("by form alone: {}", token_of_nobody());
}

/// A token that is the same in every run.
fn token_of_nobody() -> String {
    let mut bytes = [7; 48];
    bytes[..9].copy_from_slice(&[1, 0xA2, 0, 0, 0, 0, 0x70, 0, 0x80]);
    BASE64URL_NOPAD.encode(&bytes)
}

struct Place {
    path: PathBuf,
    bytes: Vec<u8>,
}

fn places(directory: &Path) -> Vec<Place> {
    let paths = fs::read_dir(directory).unwrap();
    let mut places: Vec<_> = paths
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_none_or(|ending| ending != Ledger::ENDING)
        })
        .map(|path| Place {
            bytes: fs::read(&path).unwrap(),
            path,
        })
        .collect();
    places.sort_by(|a, b| a.path.cmp(&b.path));
    places
}

#[test]
#[ignore = "run by .ci/leaks"]
fn search() {
    let directory = directory();
    let ledger = Ledger::read(&directory);
    let mut needles = Needles::new();
    for secret in &ledger.issued {
        needles.add_secret("issued", secret);
    }
    for (number, secret) in ledger.planted.iter().enumerate() {
        needles.add_secret(&format!("planted {number}"), secret);
    }

    let places = places(&directory);
    let (mut planted, mut leaks, mut by_form) = (vec![false; ledger.planted.len()], vec![], false);
    for place in &places {
        for name in needles.found_in(&place.bytes) {
            match number_of(name) {
                Some(number) => planted[number] = true,
                None => leaks.push(format!("{name} token in {}", place.path.display())),
            }
        }
        for token in tokens_by_form(&place.bytes) {
            by_form |= token == token_of_nobody();
            let is_planted = token == token_of_nobody()
                || needles
                    .found_in(token.as_bytes())
                    .iter()
                    .any(|name| number_of(name).is_some());
            if !is_planted {
                leaks.push(format!(
                    "what looks like a token in {}",
                    place.path.display()
                ));
            }
        }
    }

    let bytes: usize = places.iter().map(|place| place.bytes.len()).sum();
    println!(
        "{} tokens issued, {} of {PLANTED} planted ones found, {} leaks, in {} files and {bytes} bytes",
        ledger.issued.len(),
        planted.iter().filter(|found| **found).count(),
        leaks.len(),
        places.len(),
    );
    leaks.sort_unstable();
    leaks.dedup();
    assert_eq!(leaks, [""; 0]);
    assert_eq!(planted, [true; PLANTED], "planted tokens found");
    assert!(by_form, "the token that nobody noted was not found");
    assert!(
        ledger.issued.len() >= AT_LEAST,
        "too few tokens were issued"
    );
}

/// Which of the planted ones it is.
fn number_of(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("planted ")?;
    rest.split(',').next()?.split(' ').next()?.parse().ok()
}
