//! Input and output errors at every access.
//!
//! Which access the fault meets is counted. Where uses of sessions are written at once, by a thread
//! that nobody waits for, a repeated run may meet another one than the first did.

mod run;

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use crate::disk::Disk;
use crate::disk::fault::{Access, Fault, What};
use crate::disk::image::Image;
use crate::disk::life::{self, Step};
use crate::model::Model;
use crate::script::{Profile, Script};
use run::Run;

/// Fails the disk at each access of a scenario in turn.
///
/// A scenario is a few transactions of several operations each, with readings, uses, prunes and
/// reopenings. It is repeated for each access that the fault can hit, and goes on after the fault.
#[derive(Debug)]
pub struct IoErrors;

impl Part for IoErrors {
    fn name(&self) -> &'static str {
        "io-errors"
    }

    fn about(&self) -> &'static str {
        "errors of the disk at each access: once, for good, no room, half a write"
    }

    fn unit(&self) -> &'static str {
        "faults"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 1_500,
            long: 1_000_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let scenario = Scenario::draw(rng)?;
        let accesses = scenario.accesses()?;
        for what in What::ALL {
            let concerned = accesses.iter().filter(|access| what.concerns(**access));
            let concerned = concerned.count() as u64;
            let is_lasting = rng.bool();
            let stride = concerned.div_ceil(MOST).max(1);
            let first = rng.u64(..stride);
            for after in (first..concerned).step_by(usize::try_from(stride).unwrap_or(1)) {
                let fault = Fault::new(what, after, is_lasting);
                let seed = rng.u64(..);
                scenario.with(fault, seed, tally).map_err(|violation| {
                    Violation(format!(
                        "{fault:?} of {concerned} such accesses: {violation}"
                    ))
                })?;
            }
        }
        Ok(())
    }
}

/// Most faults of one kind in one scenario.
const MOST: u64 = 24;

struct Scenario {
    image: Image,
    model: Model,
    steps: Vec<Step>,
    script: Script,
    has_no_cache: bool,
    writes_uses_at_once: bool,
    /// Whether the power goes at the end, and with it what a sync that failed was to cover.
    loses_power: bool,
}

impl Scenario {
    fn draw(rng: &mut Rng) -> Result<Self, Violation> {
        let mut script = Script::new(Profile {
            ids: 16,
            users: 3,
            expires: rng.bool(),
            reads: true,
            creates: 5,
        });
        let before = rng.usize(..20);
        let before = life::steps(&mut script, before, rng);
        let steps = life::steps(&mut script, 4, rng);
        let mut scenario = Self {
            image: life::empty()?,
            model: Model::default(),
            steps: before,
            script,
            has_no_cache: rng.u8(..4) == 0,
            writes_uses_at_once: rng.u8(..4) == 0,
            loses_power: false,
        };
        if rng.u8(..4) > 0 {
            let disk = scenario.disk();
            scenario.model = Run::new(&scenario, disk.clone(), 0).whole(&mut Tally::default())?;
            scenario.image = disk.image();
        }
        scenario.loses_power = rng.u8(..3) == 0;
        scenario.steps = steps;
        Ok(scenario)
    }

    fn disk(&self) -> Disk {
        let disk = Disk::with(self.image.clone());
        if self.has_no_cache {
            disk.without_cache();
        }
        if self.loses_power {
            disk.tell_syncs_apart();
        }
        disk
    }

    /// Returns the accesses of the scenario on a disk that works.
    fn accesses(&self) -> Result<Vec<Access>, Violation> {
        let disk = self.disk();
        disk.count();
        Run::new(self, disk.clone(), 0).whole(&mut Tally::default())?;
        Ok(disk.counted())
    }

    fn with(&self, fault: Fault, seed: u64, tally: &mut Tally) -> Result<(), Violation> {
        let disk = self.disk();
        disk.order(fault);
        let mut run = Run::new(self, disk.clone(), seed);
        run.whole(tally)?;
        // Where uses are written at once, another access may come before.
        tally.add("faults", u64::from(run.was_hit));
        tally.add("errors", run.errors);
        tally.add("openings", disk.opens());
        Ok(())
    }
}
