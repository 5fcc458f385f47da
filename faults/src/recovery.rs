//! Loss of power while what an earlier one left is opened and used, and then once more.

use sessionup_core::Timestamp;

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use crate::disk::crash::Moment;
use crate::disk::image::Image;
use crate::disk::life;
use crate::model::Model;
use crate::power_loss::{Beginning, Crashes, Life, script};
use crate::script::Script;

/// Cuts the power, opens what is left, and cuts it again at each moment of that; and once more.
#[derive(Debug)]
pub struct Recovery;

impl Part for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn about(&self) -> &'static str {
        "loss of power while a file is opened after one, two and three times in a row"
    }

    fn unit(&self) -> &'static str {
        "images"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 4_000,
            long: 200_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let mut script = script(rng);
        let count = rng.usize(1..12);
        let steps = life::steps(&mut script, count, rng);
        let first = Life::record(&Beginning::default(), &steps, false, rng.bool())?;
        let mut lives = Lives { script, tally };
        for left in lives.some(&first, 6, rng)? {
            lives.live_on(left, 2, rng).map_err(|violation| {
                // How the first one ended is drawn before, so that the run can be repeated.
                Violation(format!("after a crash before: {violation}"))
            })?;
        }
        Ok(())
    }
}

/// What a crash left, and what is in it.
type Left = (Image, Model);

struct Lives<'a> {
    script: Script,
    tally: &'a mut Tally,
}

impl Lives<'_> {
    fn now(&self) -> Timestamp {
        self.script.now()
    }

    /// Lets a life end by some crashes.
    fn some(&mut self, life: &Life, count: usize, rng: &mut Rng) -> Result<Vec<Left>, Violation> {
        let mut crashes = Crashes::new(life, self.now());
        let moments = crashes.moments();
        let mut left = Vec::new();
        for _ in 0..count {
            let Some(moment) = rng.choice(&moments) else {
                return Ok(left);
            };
            left.push(crashes.look_at(moment, &moment.random(rng), &mut Tally::default())?);
        }
        Ok(left)
    }

    /// Opens what a crash left, does a few things, and crashes at each moment of that, so many times
    /// in a row.
    fn live_on(
        &mut self,
        (image, model): Left,
        times: usize,
        rng: &mut Rng,
    ) -> Result<(), Violation> {
        let beginning = Beginning {
            image: Some(image),
            model,
        };
        // Often nothing is done but to open and to close.
        let count = rng.usize(..3);
        let steps = life::steps(&mut self.script, count, rng);
        let life = Life::record(&beginning, &steps, false, rng.bool())?;
        let mut crashes = Crashes::new(&life, self.now());
        let moments = crashes.moments();
        let mut left = Vec::new();
        for moment in &moments {
            for recipe in recipes(moment, rng) {
                self.tally.count(if times > 1 {
                    "second crashes"
                } else {
                    "third crashes"
                });
                let found = crashes.look_at(moment, &recipe, self.tally)?;
                if rng.u8(..64) == 0 {
                    left.push(found);
                }
            }
        }
        if times > 1 {
            left.truncate(3);
            for left in left {
                let next = self.live_on(left, times - 1, rng);
                next.map_err(|violation| Violation(format!("after another one: {violation}")))?;
            }
        }
        Ok(())
    }
}

fn recipes(moment: &Moment, rng: &mut Rng) -> Vec<crate::disk::crash::Recipe> {
    match moment.is_fullest {
        true => moment.recipes(6, 8, rng),
        false => vec![moment.random(rng)],
    }
}
