//! Clients that send an application requests at once, through the real layers and the embedded
//! store. A token that was revoked is never let in again, and a live one is never refused, except by
//! 503: whatever was answered, there must be an order of the steps that explains it.

mod app;
mod client;
mod model;

use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use sessionup::{Manager, ManualClock};

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use crate::histories::{Opened, explain};
use crate::script::BEGIN;
use client::{Call, Table};
use model::World;

/// Histories of requests.
#[derive(Clone, Copy, Debug)]
pub struct HttpHistories;

/// How many histories are recorded of one application, and of one whose disk fails.
const HISTORIES: u64 = 8;
const FAILING_HISTORIES: u64 = 2;
/// How long a store may take to come back.
const PATIENCE: Duration = Duration::from_secs(20);

impl Part for HttpHistories {
    fn name(&self) -> &'static str {
        "http-histories"
    }

    fn about(&self) -> &'static str {
        "requests at once, whose answers an order of single steps must explain"
    }

    fn unit(&self) -> &'static str {
        "histories"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 60,
            long: 20_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let fails = rng.u8(..4) == 0;
        let opened = match fails {
            true => Opened::failing(rng)?,
            false => Opened::embedded(rng)?,
        };
        let clock = ManualClock::at(BEGIN);
        let interval = rng.choice([0, 1, 60_000]).unwrap_or_default();
        let manager = Manager::builder(std::sync::Arc::clone(&opened.store))
            .clock(clock.clone())
            .touch_interval(Duration::from_millis(interval))
            // Nothing is given up that only takes long.
            .store_timeout(Duration::from_secs(60))
            .build()
            .map_err(Violation::new)?;
        let app = app::app(&manager);
        let histories = if fails { FAILING_HISTORIES } else { HISTORIES };
        for number in 1..=histories {
            let calls = record(number, &opened, &app, &clock, rng, tally)?;
            tally.add("steps", calls.len() as u64);
            tally.count("histories");
            explain(&World::default(), &calls, tally)?;
        }
        Ok(())
    }
}

/// Has clients send requests at once, and looks at everything when all are done.
fn record(
    number: u64,
    opened: &Opened,
    app: &Router,
    clock: &ManualClock,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<Vec<Call>, Violation> {
    let users = (0..rng.u64(1..=2)).map(|user| format!("{number}-{user}"));
    let table = Table {
        app,
        clock,
        users: users.collect(),
        order: crate::linear::Order::default(),
        known: std::sync::Mutex::default(),
    };
    if let Some(disk) = &opened.disk {
        disk.fail_after(rng.u64(0..300));
    }
    let requests = rng.usize(3..=6);
    let all = thread::scope(|scope| {
        let clients: Vec<_> = (1..=rng.usize(2..=4))
            .map(|client| {
                let mut rng = rng.fork();
                let table = &table;
                scope.spawn(move || {
                    let answers = (0..requests).map(|_| table.any(client, &mut rng));
                    answers.collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let clients = clients.into_iter().map(thread::ScopedJoinHandle::join);
        clients.collect::<Vec<_>>()
    });
    let mut calls = Vec::new();
    for client in all {
        let answers = client.map_err(|_| Violation::new("a client panicked"))??;
        calls.extend(answers.into_iter().flatten());
    }
    if let Some(disk) = &opened.disk
        && !disk.heal()
    {
        tally.count("faults");
    }
    let known = table.known().clone();
    for known in known {
        let begun = Instant::now();
        let seen = loop {
            match table.look(&known)? {
                Some(seen) => break seen,
                None if begun.elapsed() > PATIENCE => {
                    return Err(Violation::new("the store does not come back"));
                }
                None => thread::yield_now(),
            }
        };
        calls.extend(seen);
    }
    Ok(calls)
}
