//! Runs a scenario under many schedules: at random, by priorities that change now and then, and
//! some twice, to see that a schedule that fails can be had again.
//!
//! `SESSIONUP_SCHEDULES` is how many there are at random and by priorities, 100 of each unless said
//! otherwise. `SESSIONUP_SCHEDULE` is what a test that failed says, to run those schedules alone.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{
    PctScheduler, RandomScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::thread::JoinHandle;
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// How often the priorities of one schedule change, at most.
const CHANGES: usize = 3;
/// How many schedules have one seed.
const BATCH: usize = 50;
/// From so many schedules on, what is expected to be noted must have been.
const ENOUGH: usize = 100;

std::thread_local! {
    static RUNS: Cell<usize> = const { Cell::new(0) };
    static NOTES: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// Counts a way that a scenario went.
pub(crate) fn note(way: &'static str) {
    NOTES.with_borrow_mut(|notes| *notes.entry(way).or_default() += 1);
}

/// Runs a scenario under many schedules. Each of these ways must have been noted in some of them.
///
/// # Panics
///
/// If a schedule fails, after it said how to see it again.
pub(crate) fn explore(ways: &[&str], scenario: impl Fn() + Copy + Send + Sync + 'static) {
    if let Ok(again) = std::env::var("SESSIONUP_SCHEDULE") {
        let (kind, seed) = again
            .split_once(':')
            .expect("SESSIONUP_SCHEDULE is kind:seed");
        run(Kind::of(kind), seed.parse().unwrap(), BATCH, scenario);
        return;
    }
    let count = std::env::var("SESSIONUP_SCHEDULES");
    let count = count.map_or(100, |count| count.parse().unwrap());
    let begun = Instant::now();
    for kind in [Kind::Random, Kind::Priorities] {
        run_many(kind, count, scenario);
    }
    run_many(Kind::Twice, count.div_ceil(20), scenario);
    let notes = NOTES.with_borrow(Clone::clone);
    let took = begun.elapsed();
    say(&format!(
        "{} schedules in {took:.1?}, {notes:?}",
        RUNS.get()
    ));
    if count >= ENOUGH {
        for way in ways {
            assert!(notes.contains_key(way), "no schedule where {way}");
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Random,
    Priorities,
    Twice,
}

impl Kind {
    fn of(name: &str) -> Self {
        let mut all = [Self::Random, Self::Priorities, Self::Twice].into_iter();
        let found = all.find(|kind| format!("{kind:?}") == name);
        found.expect("SESSIONUP_SCHEDULE begins with Random, Priorities or Twice")
    }
}

fn run_many(kind: Kind, mut count: usize, scenario: impl Fn() + Copy + Send + Sync + 'static) {
    while count > 0 {
        let some = count.min(BATCH);
        run(
            kind,
            RandomState::new().build_hasher().finish(),
            some,
            scenario,
        );
        count -= some;
    }
}

fn run(kind: Kind, seed: u64, count: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let random = RandomScheduler::new_from_seed(seed, count);
    let scheduler: Box<dyn Scheduler + Send> = match kind {
        Kind::Random => Box::new(random),
        Kind::Priorities => Box::new(PctScheduler::new_from_seed(seed, CHANGES, count)),
        Kind::Twice => Box::new(UncontrolledNondeterminismCheckScheduler::new(random)),
    };
    let mut config = Config::new();
    // Writing to a database takes more than the usual stack.
    config.stack_size = 0x4_0000;
    config.silence_warnings = true;
    // Who goes round and round for ever is found.
    config.max_steps = MaxSteps::FailAfter(100_000);
    // Panics that are caught would be persisted as well.
    config.failure_persistence = FailurePersistence::None;
    let runner = Runner::new(scheduler, config);
    let counted = move || {
        RUNS.set(RUNS.get() + 1);
        scenario();
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| runner.run(counted))) {
        let runs = RUNS.get();
        say(&format!(
            "schedule {runs} failed; to see it again: SESSIONUP_SCHEDULE={kind:?}:{seed}"
        ));
        resume_unwind(panic);
    }
}

/// Says something of the test that runs, past the capture of its output: that holds each panic which
/// was ordered and caught.
fn say(what: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    writeln!(std::io::stdout(), "{test}: {what}").unwrap();
}

/// Runs a future on a thread of its own.
pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    shuttle::thread::spawn(move || shuttle::future::block_on(future))
}

/// Chooses one of some values, as part of the schedule.
pub(crate) fn one_of<T: Copy, const N: usize>(values: [T; N]) -> T {
    values[thread_rng().gen_range(0..N)]
}

/// Chooses a number below a bound, as part of the schedule.
pub(crate) fn choose(below: u64) -> u64 {
    thread_rng().gen_range(0..below)
}
