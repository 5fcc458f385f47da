//! The same operations, one after the other, asked of every store: all must answer as the model, and
//! hold what it holds.

mod deaths;
mod lane;
mod shrink;
mod stage;
mod step;

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use stage::{Setup, Stage, Uses};
use step::{Step, draw};

/// Sequences of operations, with restarts, prunes and dropped futures among them.
#[derive(Clone, Copy, Debug)]
pub struct Sequences;

/// How many sequences one set of stores goes through. Opening stores starts threads.
const SEQUENCES: usize = 32;

impl Part for Sequences {
    fn name(&self) -> &'static str {
        "sequences"
    }

    fn about(&self) -> &'static str {
        "the same random operations on every store and the model, which must agree"
    }

    fn unit(&self) -> &'static str {
        "sequences"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 1_000,
            long: 1_000_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let setup = Setup::draw(rng);
        let mut stage = Stage::open(setup)?;
        let mut played = Vec::new();
        for _ in 0..SEQUENCES {
            let steps = draw(rng);
            let outcome = stage.play(&steps, tally);
            let outcome = outcome.and_then(|()| stage.check_kept(Uses::Delayed));
            if let Err(violation) = outcome {
                drop(stage);
                return Err(explained(&violation, setup, played, steps));
            }
            tally.count("sequences");
            played.extend(steps);
        }
        Ok(())
    }
}

/// Adds the shortest script that fails.
fn explained(
    violation: &Violation,
    setup: Setup,
    mut before: Vec<Step>,
    last: Vec<Step>,
) -> Violation {
    // What was before it matters to defects that outlast a sequence alone.
    let script = if failure(setup, &last).is_some() {
        last
    } else {
        before.extend(last);
        before
    };
    if failure(setup, &script).is_none() {
        return Violation(format!(
            "{violation}\nwith {setup:?}; it does not fail each time, so it is not shrunk"
        ));
    }
    let script = shrink::shrink(script, 2_000, |steps| failure(setup, steps).is_some());
    let Violation(what) = failure(setup, &script).unwrap_or_else(|| violation.clone());
    let steps: Vec<_> = script.iter().map(|step| format!("{step:?}")).collect();
    let steps = steps.join("\n  ");
    Violation(format!(
        "{what}\nthe shortest script, with {setup:?}:\n  {steps}"
    ))
}

/// Plays a script on fresh stores, more than once: not all that can fail does each time.
fn failure(setup: Setup, steps: &[Step]) -> Option<Violation> {
    let play = |_| {
        let played = Stage::open(setup).and_then(|mut stage| {
            stage.play(steps, &mut Tally::default())?;
            stage.check_kept(Uses::Delayed)
        });
        played.err()
    };
    (0..2).find_map(play)
}
