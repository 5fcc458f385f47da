//! Does the time of a lookup tell how much of a token was right?
//!
//! Wrong tokens of a live session, by kind: 31 of the secret's 32 bytes are right; 31 bytes are
//! those of one of two other secrets, always the same; all bytes are random. Welch's t of their
//! times, two kinds at a time (the method of dudect); above 4.5 two kinds can be told apart.
//!
//! What counts is "right" against "wrong". "Wrong" against "other wrong" is the control: none of
//! its bytes is right, so what it shows is the program's or the machine's doing. Random ones differ
//! from the others by not repeating themselves too, whatever is right of them. A measurement, not a
//! test:
//!
//! ```sh
//! cargo run --release -p sessionup-core --example timing -- 1000000
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a program for the developer's terminal"
)]

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use data_encoding::BASE64URL_NOPAD;
use sessionup_core::{Manager, MemoryStore, OsRandom, Peer, Random};

fn ready<T>(future: impl IntoFuture<Output = T>) -> T {
    let mut future = pin!(future.into_future());
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("the store is in memory"),
    }
}

/// Mean and variance, as the values come.
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let apart = value - self.mean;
        self.mean += apart / self.count;
        self.squares += apart * (value - self.mean);
    }

    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

fn cookie_with(id: &[u8], secret: &[u8; 32]) -> String {
    let token = [id, secret].concat();
    format!("__Host-id={}", BASE64URL_NOPAD.encode(&token))
}

/// What is right of a guess.
const KINDS: [&str; 4] = ["right", "wrong", "other wrong", "random"];
/// Guesses that are made before any of them is measured.
const BATCH: usize = 4_096;

/// Makes a guess: the kind's first 31 bytes, or random ones, and a last one that is wrong. It does
/// the same work for each kind, and long before the guess is measured.
fn guess(prefixes: &[[u8; 32]; 3], id: &[u8]) -> (usize, String) {
    let mut random = [0; 33];
    OsRandom::default().fill(&mut random).unwrap();
    let kind = usize::from(random[32] % 4);
    let fresh: [u8; 32] = random[..32].try_into().unwrap();
    let all = [prefixes[0], prefixes[1], prefixes[2], fresh];
    let mut secret = all[kind];
    secret[31] = prefixes[0][31] ^ (random[31] | 1);
    (kind, cookie_with(id, &secret))
}

fn main() {
    let lookups = std::env::args().nth(1);
    let lookups: usize = lookups.map_or(1_000_000, |text| text.parse().unwrap());
    let manager = Manager::builder(MemoryStore::new()).build().unwrap();
    let login = manager.sessions([], Peer::default());
    ready(login.init("ann")).unwrap();
    let cookie = login.response_cookie().unwrap();
    let token = &cookie.expose()["__Host-id=".len()..][..64];
    let token = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
    let (id, secret) = token.split_at(16);
    let mut prefixes = [secret.try_into().unwrap(), [0; 32], [0; 32]];
    for prefix in &mut prefixes[1..] {
        OsRandom::default().fill(prefix).unwrap();
    }

    let mut samples: Vec<(usize, f64)> = Vec::with_capacity(lookups);
    while samples.len() < lookups {
        let guesses: Vec<_> = (0..BATCH).map(|_| guess(&prefixes, id)).collect();
        for (kind, cookie) in guesses {
            let begin = Instant::now();
            let sessions = manager.sessions([black_box(cookie.as_bytes())], Peer::default());
            let found = ready(sessions.current()).unwrap();
            let nanos = begin.elapsed().as_nanos() as f64;
            assert!(black_box(found).is_none());
            samples.push((kind, nanos));
        }
    }
    report(&samples);
}

fn report(samples: &[(usize, f64)]) {
    let mut sorted: Vec<f64> = samples.iter().map(|(_, nanos)| *nanos).collect();
    sorted.sort_by(f64::total_cmp);
    // As dudect does: all of them, and without the longest, which are the machine's doing.
    for percent in [100, 99, 90, 50] {
        let bound = sorted[(sorted.len() - 1) * percent / 100];
        let mut moments: [Moments; 4] = Default::default();
        for (kind, nanos) in samples.iter().filter(|(_, nanos)| *nanos <= bound) {
            moments[*kind].add(*nanos);
        }
        println!("fastest {percent} %:");
        for (one, other) in [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3)] {
            let (a, b) = (&moments[one], &moments[other]);
            let t = (a.mean - b.mean) / (a.error() + b.error()).sqrt();
            println!(
                "  {} {:.2} ns, {} {:.2} ns: t = {t:.2}",
                KINDS[one], a.mean, KINDS[other], b.mean
            );
        }
    }
}
