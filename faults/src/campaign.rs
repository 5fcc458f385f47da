//! Repeating the runs of a part, counting, and telling how to repeat the one that failed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

mod watch;

use watch::{Clock, LONGEST_SILENCE, Pulse};

/// Where all randomness of a run comes from.
pub type Rng = fastrand::Rng;

/// Draws one of a few.
///
/// # Panics
///
/// Of none.
#[expect(clippy::indexing_slicing, reason = "below the length")]
pub fn one_of<T: Copy, const N: usize>(rng: &mut Rng, all: [T; N]) -> T {
    all[rng.usize(..N)]
}

/// One part of the programme: something that is broken in each run, and what must hold nevertheless.
pub trait Part: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in a line.
    fn about(&self) -> &'static str;

    /// What is counted of it, one of the names in a [`Tally`].
    fn unit(&self) -> &'static str;

    /// How many of those are enough: in the tests of every change, and in the long programme.
    fn enough(&self) -> Enough;

    /// What it needs and this machine has not, and how to get it; then it cannot be run.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Breaks something once or many times, as the seed has it, and looks at what is left.
    ///
    /// # Errors
    ///
    /// What did not hold.
    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation>;
}

/// How much of a part is run when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enough {
    /// With every change: seconds, not minutes, also without optimisation.
    pub short: u64,
    /// In the long programme.
    pub long: u64,
}

/// What did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

impl Violation {
    /// Says what did not hold.
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }
}

/// Ends a run unless something holds.
///
/// # Errors
///
/// The violation, if it does not hold.
pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation(what()))
    }
}

/// What was counted and measured, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    counts: BTreeMap<Cow<'static, str>, u64>,
    figures: BTreeMap<Cow<'static, str>, String>,
    #[serde(skip)]
    pulse: Pulse,
}

impl Tally {
    fn with(pulse: &Pulse) -> Self {
        Self {
            pulse: pulse.clone(),
            ..Self::default()
        }
    }

    /// Counts one.
    pub fn count(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// Counts several.
    pub fn add(&mut self, what: &'static str, how_many: u64) {
        *self.counts.entry(what.into()).or_default() += how_many;
        self.pulse.beat();
    }

    /// Takes note of something that is not added up: the latest is what is told.
    pub fn tell(&mut self, what: &'static str, figure: impl fmt::Display) {
        self.figures.insert(what.into(), figure.to_string());
    }

    /// Returns a count.
    #[must_use]
    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        for (what, how_many) in &other.counts {
            *self.counts.entry(what.clone()).or_default() += how_many;
        }
        let figures = other.figures.clone();
        self.figures.extend(figures);
        self.pulse.beat();
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (what, how_many) in &self.counts {
            write!(f, "{between}{what} {how_many}")?;
            between = ", ";
        }
        for (what, figure) in &self.figures {
            write!(f, "{between}{what} {figure}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// How much of a part is run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// From which each run draws a seed of its own.
    pub seed: u64,
    /// The first run, counted from 0.
    pub first: u64,
    /// When it is enough.
    pub until: Until,
    /// How many runs there are at once.
    pub threads: usize,
}

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// So many runs.
    Runs(u64),
    /// So many of something that is counted.
    Counted(&'static str, u64),
    /// The end of the run that is under way after so long.
    Time(Duration),
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was counted, `runs` among it.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
    /// What did not hold, in the first run that failed.
    pub failure: Option<Failure>,
}

/// A run that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its number.
    pub run: u64,
    /// What did not hold.
    pub violation: Violation,
}

impl Outcome {
    /// Passes, or tells what failed and how to repeat it.
    ///
    /// # Errors
    ///
    /// The text of the failure.
    pub fn passed(&self, part: &dyn Part, seed: u64) -> Result<(), String> {
        let Some(Failure { run, violation }) = &self.failure else {
            return Ok(());
        };
        let name = part.name();
        Err(format!(
            "{name}: run {run} of seed {seed:#x} failed: {violation}\n\
             repeat it: faults/run {name} --seed {seed:#x} --run {run}"
        ))
    }
}

/// Runs a part until it is enough or a run fails. `progress` is told now and then.
pub fn run(part: &dyn Part, plan: Plan, mut progress: impl FnMut(&Tally, Duration)) -> Outcome {
    let state = State::new(part, plan);
    let (done, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        let mut watched = Vec::new();
        for _ in 0..plan.threads.max(1) {
            let (done, state) = (done.clone(), &state);
            let clock = Arc::new(Clock::new(Instant::now()));
            watched.push(Arc::clone(&clock));
            let work = move || {
                state.work(&clock);
                // The other end waits for all.
                let _ = done.send(());
            };
            let thread = std::thread::Builder::new().name(THREAD.to_owned());
            if thread.spawn_scoped(scope, work).is_err() {
                // There are none to be had: those that there are do the work.
                break;
            }
        }
        drop(done);
        loop {
            match outcomes.recv_timeout(Duration::from_secs(1)) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    progress(&state.tally(), state.begun.elapsed());
                    let now = Instant::now();
                    if let Some(run) = watched.iter().find_map(|clock| clock.hangs(now)) {
                        abort(part, plan.seed, run);
                    }
                }
            }
        }
    });
    Outcome {
        tally: state.tally(),
        took: state.begun.elapsed(),
        failure: lock(&state.failure).clone(),
    }
}

/// The name of the threads in which runs are.
const THREAD: &str = "faults-run";

/// Lets panics of runs, and of the stores in them, pass without a word: what a run makes of them is
/// told at its end. All others are told as before.
pub fn hush() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        if name != THREAD && !name.starts_with("sessionup-") {
            before(panic);
        }
    }));
}

/// A thread that hangs cannot be ended, so the program is.
#[expect(clippy::print_stderr, reason = "the last words of the program")]
fn abort(part: &dyn Part, seed: u64, run: u64) -> ! {
    eprintln!(
        "{}: run {run} of seed {seed:#x} hangs: nothing came of it for {LONGEST_SILENCE:?}",
        part.name()
    );
    std::process::exit(3)
}

struct State<'a> {
    part: &'a dyn Part,
    plan: Plan,
    begun: Instant,
    next: AtomicU64,
    is_over: AtomicBool,
    tally: Mutex<Tally>,
    failure: Mutex<Option<Failure>>,
}

impl<'a> State<'a> {
    fn new(part: &'a dyn Part, plan: Plan) -> Self {
        Self {
            part,
            plan,
            begun: Instant::now(),
            next: AtomicU64::new(plan.first),
            is_over: AtomicBool::new(false),
            tally: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    fn work(&self, clock: &Clock) {
        while !self.is_over() {
            let run = self.next.fetch_add(1, Ordering::SeqCst);
            if let Until::Runs(runs) = self.plan.until
                && run >= self.plan.first.saturating_add(runs)
            {
                return;
            }
            clock.begin(run);
            let mut tally = Tally::with(&clock.pulse);
            let outcome = self.once(run, &mut tally);
            clock.end();
            tally.count("runs");
            lock(&self.tally).merge(&tally);
            if let Err(violation) = outcome {
                self.is_over.store(true, Ordering::SeqCst);
                let mut failure = lock(&self.failure);
                if failure.as_ref().is_none_or(|first| run < first.run) {
                    *failure = Some(Failure { run, violation });
                }
            }
        }
    }

    fn once(&self, run: u64, tally: &mut Tally) -> Result<(), Violation> {
        let mut rng = Rng::with_seed(seed_of(self.plan.seed, run));
        let part = AssertUnwindSafe(|| self.part.run(&mut rng, tally));
        std::panic::catch_unwind(part).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Violation(format!("panic: {}", text.unwrap_or("?"))))
        })
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
            || match self.plan.until {
                Until::Runs(_) => false,
                Until::Counted(what, enough) => lock(&self.tally).of(what) >= enough,
                Until::Time(time) => self.begun.elapsed() >= time,
            }
    }

    fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }
}

/// The seed of one run. Neighbours have nothing in common.
fn seed_of(seed: u64, run: u64) -> u64 {
    let mut mixed = seed ^ run.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! part {
        ($name:literal) => {
            fn name(&self) -> &'static str {
                $name
            }
            fn about(&self) -> &'static str {
                "tests the tests"
            }
            fn unit(&self) -> &'static str {
                "dice"
            }
            fn enough(&self) -> Enough {
                Enough { short: 1, long: 1 }
            }
        };
    }

    struct Throws;

    impl Part for Throws {
        part!("throws");

        fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
            tally.add("dice", 2);
            match rng.u8(..) {
                7 => Err(Violation::new("seven")),
                8 => panic!("eight"),
                _ => Ok(()),
            }
        }
    }

    fn plan(until: Until) -> Plan {
        Plan {
            seed: 5,
            first: 0,
            until,
            threads: 2,
        }
    }

    #[test]
    fn failed_run_is_repeated_by_seed_and_number() {
        let outcome = run(&Throws, plan(Until::Runs(10_000)), |_, _| {});
        let failure = outcome.failure.clone().unwrap();
        assert!(outcome.passed(&Throws, 5).is_err());
        let again = Plan {
            first: failure.run,
            ..plan(Until::Runs(1))
        };
        let repeated = run(&Throws, again, |_, _| {});
        assert_eq!(repeated.failure.unwrap().violation, failure.violation);
        assert_eq!(repeated.tally.of("runs"), 1);
    }

    #[test]
    fn panic_is_a_failure() {
        let text = |run: u64| {
            let plan = Plan {
                first: run,
                threads: 1,
                ..plan(Until::Runs(1))
            };
            super::run(&Throws, plan, |_, _| {}).failure
        };
        let panicked = (0..5_000).find_map(|run| text(run).filter(|it| it.violation.0 != "seven"));
        assert_eq!(panicked.unwrap().violation.0, "panic: eight");
    }

    #[test]
    fn ends_when_enough_is_counted() {
        struct Counts;
        impl Part for Counts {
            part!("counts");
            fn run(&self, _: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
                tally.add("dice", 2);
                Ok(())
            }
        }
        let outcome = run(&Counts, plan(Until::Counted("dice", 100)), |_, _| {});
        let dice = outcome.tally.of("dice");
        assert!((100..=104).contains(&dice), "{dice}");
        assert_eq!(outcome.tally.of("runs") * 2, dice);
        outcome.passed(&Counts, 5).unwrap();
    }

    #[test]
    fn run_in_which_nothing_is_counted_hangs() {
        let begun = Instant::now();
        let clock = Clock::new(begun);
        let after = |silences: u32| begun + silences * (LONGEST_SILENCE + Duration::from_secs(1));
        assert_eq!(clock.hangs(after(1)), None, "none has begun");
        clock.begin(7);
        let mut tally = Tally::with(&clock.pulse);
        assert_eq!(clock.hangs(after(2)), None, "it was not looked at before");
        tally.count("dice");
        assert_eq!(clock.hangs(after(3)), None);
        assert_eq!(clock.hangs(after(4)), Some(7));
        tally.merge(&Tally::default());
        assert_eq!(clock.hangs(after(5)), None);
        clock.end();
        assert_eq!(clock.hangs(after(6)), None);
    }

    #[test]
    fn counts_are_added_up_and_figures_are_the_latest() {
        let mut tally = Tally::default();
        for figure in ["1 KiB", "2 KiB"] {
            let mut run = Tally::default();
            run.count("runs");
            run.tell("size", figure);
            tally.merge(&run);
        }
        assert_eq!(tally.to_string(), "runs 2, size 2 KiB");
    }

    #[test]
    fn runs_have_seeds_of_their_own() {
        let mut seeds: Vec<_> = (0..1_000).map(|run| seed_of(1, run)).collect();
        seeds.extend((0..1_000).map(|run| seed_of(2, run)));
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 2_000);
    }
}
