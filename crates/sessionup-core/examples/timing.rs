//! Does the time of a lookup tell how much of a token was right?
//!
//! Two kinds of wrong tokens of a live session, one with 31 of the secret's 32 bytes right and one
//! with a random secret, in random order; Welch's t of their times (the method of dudect). Above
//! 4.5 they can be told apart. A measurement, not a test:
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

    let random = OsRandom::default();
    let mut samples: Vec<(bool, f64)> = Vec::with_capacity(lookups);
    for _ in 0..lookups {
        let mut bytes = [0; 33];
        random.fill(&mut bytes).unwrap();
        let is_close = bytes[32] & 1 == 0;
        let mut guess: [u8; 32] = bytes[..32].try_into().unwrap();
        if is_close {
            guess = secret.try_into().unwrap();
            guess[31] ^= bytes[0] | 1;
        }
        let cookie = cookie_with(id, &guess);
        let begin = Instant::now();
        let sessions = manager.sessions([black_box(cookie.as_bytes())], Peer::default());
        let found = ready(sessions.current()).unwrap();
        let nanos = begin.elapsed().as_nanos() as f64;
        assert!(black_box(found).is_none());
        samples.push((is_close, nanos));
    }

    let mut sorted: Vec<f64> = samples.iter().map(|(_, nanos)| *nanos).collect();
    sorted.sort_by(f64::total_cmp);
    // As dudect does: all of them, and without the longest, which are the machine's doing.
    for percent in [100, 99, 90, 50] {
        let bound = sorted[(sorted.len() - 1) * percent / 100];
        let (mut close, mut far) = (Moments::default(), Moments::default());
        for (is_close, nanos) in samples.iter().filter(|(_, nanos)| *nanos <= bound) {
            let moments = if *is_close { &mut close } else { &mut far };
            moments.add(*nanos);
        }
        let t = (close.mean - far.mean) / (close.error() + far.error()).sqrt();
        println!(
            "fastest {percent} %: 31 bytes right {:.1} ns ({}), random {:.1} ns ({}), t = {t:.2}",
            close.mean, close.count, far.mean, far.count
        );
    }
}
