//! Loss of power at every moment.
//!
//! A life of a store is recorded first, and all images are made from the record: so their choice does
//! not depend on how threads take turns. Where uses of sessions are written at once, by a thread that
//! nobody waits for, two records of one seed may differ in the order of events.

use std::collections::BTreeMap;

use futures_executor::block_on;
use sessionup_core::{Record, Session, Timestamp};
use sessionup_redb::RedbStore;

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::disk::Disk;
use crate::disk::crash::{Moment, Recipe, moments};
use crate::disk::image::Image;
use crate::disk::life::{self, Step};
use crate::disk::together::carry_out;
use crate::disk::trace::Trace;
use crate::kept::kept;
use crate::ledger::{Ledger, holds};
use crate::model::{Answer, Model, Op};
use crate::perform::observe;
use crate::script::{Profile, Script, hash, id, user};

/// Cuts the power at each moment of a store's life, and looks at everything that may be left.
#[derive(Debug)]
pub struct PowerLoss;

impl Part for PowerLoss {
    fn name(&self) -> &'static str {
        "power-loss"
    }

    fn about(&self) -> &'static str {
        "loss of power at each moment: any of the writes that were not synced, also torn"
    }

    fn unit(&self) -> &'static str {
        "images"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 6_000,
            long: 1_000_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let mut script = script(rng);
        let mut beginning = Beginning::default();
        if rng.u8(..4) > 0 {
            // Pages that are free, and a file that has its size.
            let steps = rng.usize(1..30);
            let steps = life::steps(&mut script, steps, rng);
            let life = Life::record(&beginning, &steps, false, true)?;
            beginning = life.end()?;
        }
        let count = rng.usize(2..6);
        let steps = life::steps(&mut script, count, rng);
        let life = Life::record(&beginning, &steps, rng.u8(..4) == 0, rng.bool())?;
        let mut crashes = Crashes::new(&life, script.now());
        for moment in crashes.moments() {
            for recipe in few_or_all(&moment, rng) {
                crashes.look_at(&moment, &recipe, tally)?;
            }
        }
        Ok(())
    }
}

/// All selections once for each sync; at other moments, beginnings are the news.
fn few_or_all(moment: &Moment, rng: &mut Rng) -> Vec<Recipe> {
    if moment.is_fullest {
        moment.recipes(12, 24, rng)
    } else {
        moment.recipes(0, 1, rng).split_off(moment.pending.len())
    }
}

/// A script for lives that end by a crash.
pub(crate) fn script(rng: &mut Rng) -> Script {
    Script::new(Profile {
        ids: 24,
        users: 3,
        expires: rng.bool(),
        reads: false,
        creates: 5,
    })
}

/// What a life begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beginning {
    /// `None` for a file in which there is nothing.
    pub(crate) image: Option<Image>,
    pub(crate) model: Model,
}

/// What happened in a life of a store on a disk that worked.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) image: Image,
    pub(crate) model: Model,
    pub(crate) ops: Vec<(Op, Answer)>,
    pub(crate) trace: Trace,
    /// The file at the end.
    pub(crate) left: Image,
}

impl Life {
    pub(crate) fn record(
        beginning: &Beginning,
        steps: &[Step],
        writes_uses_at_once: bool,
        ends_well: bool,
    ) -> Result<Self, Violation> {
        let image = beginning.image.clone().map_or_else(life::empty, Ok)?;
        let disk = Disk::with(image.clone());
        disk.record();
        let open = || life::open(&disk, writes_uses_at_once).map_err(Violation::new);
        let mut store = open()?;
        let mut ledger = Ledger::of(beginning.model.clone());
        let mut ops = Vec::new();
        for step in steps {
            match step {
                Step::Reopen => {
                    close(&store);
                    store = open()?;
                }
                Step::Together(asked) => {
                    let outcomes = carry_out(&store, asked, &disk, ops.len());
                    for (op, outcome) in asked.iter().zip(outcomes) {
                        let answer = outcome.map_err(|failed| {
                            ledger
                                .violation(format_args!("{op:?} failed on a good disk: {failed:?}"))
                        })?;
                        ledger.answered(op, &answer)?;
                        ops.push((op.clone(), answer));
                    }
                }
            }
        }
        if ends_well {
            close(&store);
        }
        let trace = disk.recorded();
        let left = disk.image();
        Ok(Self {
            image,
            model: beginning.model.clone(),
            ops,
            trace,
            left,
        })
    }

    /// Returns what the next life begins with, where this one ended well.
    pub(crate) fn end(&self) -> Result<Beginning, Violation> {
        let kept = life::read(&self.left)?.unwrap_or_default();
        let mut model = self.model.clone();
        for (op, _) in &self.ops {
            model.apply(op);
        }
        // What a store that closes well writes is everything.
        ensure(kept == model, || {
            format!("after closing {kept:#?} is kept and not {model:#?}")
        })?;
        Ok(Beginning {
            image: Some(self.left.clone()),
            model,
        })
    }
}

fn close(store: &RedbStore) {
    block_on(store.close());
}

/// The crashes of a life.
pub(crate) struct Crashes<'a> {
    life: &'a Life,
    now: Timestamp,
    worlds: BTreeMap<usize, Vec<Model>>,
    seen: u64,
    /// Of so many images one is given to a store, and the others are read.
    pub(crate) stores: u64,
}

impl<'a> Crashes<'a> {
    pub(crate) fn new(life: &'a Life, now: Timestamp) -> Self {
        Self {
            life,
            now,
            worlds: BTreeMap::new(),
            seen: 0,
            stores: 16,
        }
    }

    pub(crate) fn moments(&self) -> Vec<Moment> {
        moments(&self.life.image, &self.life.trace)
    }

    /// Opens what a crash leaves, and holds it against what was answered before. Returns what is in it.
    pub(crate) fn look_at(
        &mut self,
        moment: &Moment,
        recipe: &Recipe,
        tally: &mut Tally,
    ) -> Result<(Image, Model), Violation> {
        let image = moment.image(recipe);
        let outcome = self.check(moment, image.clone(), tally);
        let kept = outcome.map_err(|violation| self.tell(moment, recipe, &violation))?;
        Ok((image, kept))
    }

    fn check(
        &mut self,
        moment: &Moment,
        image: Image,
        tally: &mut Tally,
    ) -> Result<Model, Violation> {
        tally.count("images");
        self.seen += 1;
        let disk = Disk::with(image);
        let database = disk
            .database()
            .map_err(|error| Violation(format!("file does not open: {error:?}")))?;
        let found = kept(&database, "sessions")?;
        let has_tables = found.is_some();
        let found = found.unwrap_or_default();
        let now = self.now;
        let worlds = self.worlds(moment);
        ensure(worlds.iter().any(|world| holds(world, &found, now)), || {
            format!(
                "kept is {found:#?}\nwhere one of {} was expected: {worlds:#?}",
                worlds.len()
            )
        })?;
        if self.seen.is_multiple_of(4) {
            commits(&database)?;
            tally.count("commits after");
        }
        if !self.seen.is_multiple_of(self.stores) {
            disk.kill(database);
            return Ok(found);
        }
        disk.kill(database);
        tally.count("stores after");
        tally.add(
            "stores after that made their tables",
            u64::from(!has_tables),
        );
        serves(&disk, &found, now)?;
        Ok(found)
    }

    /// What may be kept at a moment: what was answered has happened. Of what is under way, which is
    /// done in order, the first operations may have.
    fn worlds(&mut self, moment: &Moment) -> &[Model] {
        let life = self.life;
        let key = moment.at;
        self.worlds.entry(key).or_insert_with(|| {
            let mut world = life.model.clone();
            let mut worlds = Vec::new();
            let last = moment.answered.iter().rposition(|answered| *answered);
            let certain = last.map_or(0, |last| last + 1);
            for (number, (op, _)) in life.ops.iter().take(moment.begun).enumerate() {
                if number >= certain {
                    worlds.push(world.clone());
                }
                world.apply(op);
            }
            worlds.push(world);
            worlds.dedup();
            worlds
        })
    }

    fn tell(&self, moment: &Moment, recipe: &Recipe, violation: &Violation) -> Violation {
        use std::fmt::Write as _;
        let mut text = format!(
            "power lost before event {} of {}, left {recipe}: {violation}\nasked, latest last:",
            moment.at,
            self.life.trace.0.len()
        );
        let asked = self.life.ops.iter().zip(&moment.answered);
        for (number, ((op, answer), was_answered)) in asked.enumerate() {
            let answer = if *was_answered {
                format!("{answer:?}")
            } else {
                "no answer yet".to_owned()
            };
            // To write to a string cannot fail.
            let _ = write!(text, "\n  {number}: {op:?} -> {answer}");
        }
        Violation(text)
    }
}

/// What was found can be written to.
fn commits(database: &redb::Database) -> Result<(), Violation> {
    let failed = |error: redb::Error| Violation(format!("no commit after the crash: {error:?}"));
    let write = || -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        let table = redb::TableDefinition::<u64, &[u8]>::new("scratch");
        transaction
            .open_table(table)?
            .insert(1, [1_u8; 9_000].as_slice())?;
        transaction.commit()?;
        Ok(())
    };
    write().map_err(failed)
}

/// A store opens it, reads what is there, lets somebody in and out, and closes.
fn serves(disk: &Disk, found: &Model, now: Timestamp) -> Result<(), Violation> {
    let store = life::open(disk, false)
        .map_err(|error| Violation(format!("store does not open: {error:?}")))?;
    let ids = found.records().map(|record| record.session.id);
    let mut users: Vec<_> = found
        .records()
        .map(|record| record.session.user_key.clone())
        .collect();
    users.sort_unstable();
    users.dedup();
    let seen = block_on(observe(&store, ids, users, now))?;
    let mut ledger = Ledger::of(found.clone());
    ledger.found(&seen, now)?;
    let expires = now.saturating_add(std::time::Duration::from_secs(3_600));
    let record = Record::new(Session::new(id(1_000_000), user(0), now, expires), hash(0));
    let login = Op::Create {
        record: Box::new(record),
        replaces: None,
        limit: None,
        now,
    };
    let logout = Op::Delete {
        id: id(1_000_000),
        owner: Some(user(0)),
    };
    for op in [login, logout] {
        for outcome in carry_out(&store, std::slice::from_ref(&op), disk, 0) {
            let answer = outcome.map_err(|failed| Violation(format!("{op:?}: {failed:?}")))?;
            ledger.answered(&op, &answer)?;
        }
    }
    close(&store);
    let kept = life::read(&disk.image())?.unwrap_or_default();
    ledger.kept(&kept, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::trace::Event;

    /// A life whose answers come as soon as they are asked for.
    fn hasty() -> (Life, Timestamp) {
        let mut rng = Rng::with_seed(11);
        let mut script = script(&mut rng);
        let steps = life::steps(&mut script, 6, &mut rng);
        let mut life = Life::record(&Beginning::default(), &steps, false, true).unwrap();
        let events = std::mem::take(&mut life.trace.0);
        life.trace.0 = events
            .into_iter()
            .flat_map(|event| match event {
                Event::Begun(number) => vec![event, Event::Answered(number)],
                Event::Answered(_) => vec![],
                event => vec![event],
            })
            .collect();
        (life, script.now())
    }

    #[test]
    fn answer_before_the_sync_is_found() {
        let (life, now) = hasty();
        let mut crashes = Crashes::new(&life, now);
        let mut rng = Rng::with_seed(0);
        let found = crashes.moments().iter().any(|moment| {
            let recipe = moment.random(&mut rng);
            crashes
                .look_at(moment, &recipe, &mut Tally::default())
                .is_err()
        });
        assert!(found);
        assert!(crate::sync_order::look_at(&life, &mut Tally::default()).is_err());
    }

    /// Why a store makes the file beside its place.
    #[test]
    fn database_that_is_made_in_its_place_may_be_left_unopenable() {
        let disk = Disk::default();
        disk.record();
        drop(disk.database().unwrap());
        let mut rng = Rng::with_seed(0);
        let opens = moments(&Image::default(), &disk.recorded())
            .iter()
            .flat_map(|moment| {
                let recipes = moment.recipes(4, 0, &mut rng);
                recipes
                    .into_iter()
                    .map(|recipe| moment.image(&recipe))
                    .collect::<Vec<_>>()
            })
            .map(|image| life::read(&image).is_ok())
            .collect::<Vec<_>>();
        assert!(opens.contains(&true) && opens.contains(&false), "{opens:?}");
    }

    #[test]
    fn what_was_not_begun_cannot_be_there() {
        let mut rng = Rng::with_seed(12);
        let mut script = script(&mut rng);
        let steps = life::steps(&mut script, 6, &mut rng);
        let mut life = Life::record(&Beginning::default(), &steps, false, true).unwrap();
        life.trace
            .0
            .retain(|event| !matches!(event, Event::Begun(_) | Event::Answered(_)));
        let mut crashes = Crashes::new(&life, script.now());
        let end = crashes.moments().pop().unwrap();
        let recipe = end.random(&mut rng);
        let found = crashes.look_at(&end, &recipe, &mut Tally::default());
        assert!(found.unwrap_err().0.contains("kept is"));
    }
}
