//! Clients that ask a store for this and that at once. Whatever each of them was answered, there must
//! be an order in which a store that does one thing at a time would have answered the same.

mod record;
mod scene;
mod stores;

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use crate::linear::{Call, Object, Verdict, check, shortest};
use crate::model::Model;
use crate::script::BEGIN;
use record::record;
use scene::Scene;
pub use stores::{Factory, Opened};

/// Histories of a store.
pub struct Histories {
    name: &'static str,
    about: &'static str,
    enough: Enough,
    open: Factory,
}

/// How many histories are recorded of one store. Opening it starts threads.
const HISTORIES: u64 = 16;
/// As many of one whose disk fails: each time, it waits longer before it opens its database again.
const FAILING_HISTORIES: u64 = 2;
/// Through how many states an explanation is looked for.
const STATES: usize = 2_000_000;

impl Histories {
    /// Makes a part of the stores that a factory opens.
    #[must_use]
    pub fn over(name: &'static str, about: &'static str, enough: Enough, open: Factory) -> Self {
        Self {
            name,
            about,
            enough,
            open,
        }
    }

    /// Of the embedded store.
    #[must_use]
    pub fn embedded() -> Self {
        let enough = Enough {
            short: 500,
            long: 100_000,
        };
        let about = "operations at once, whose answers an order of single steps must explain";
        Self::over("histories", about, enough, Box::new(Opened::embedded))
    }

    /// Of the embedded store, while its disk fails.
    #[must_use]
    pub fn failing() -> Self {
        let enough = Enough {
            short: 200,
            long: 20_000,
        };
        let about = "the same while the disk fails and the store opens its database anew";
        Self::over(
            "histories-of-faults",
            about,
            enough,
            Box::new(Opened::failing),
        )
    }

    fn one(
        &self,
        opened: &Opened,
        scene: &Scene,
        time: &AtomicI64,
        rng: &mut Rng,
        tally: &mut Tally,
    ) -> Result<(), Violation> {
        let calls = record(opened, scene, time, rng, tally)?;
        tally.add("operations", calls.len() as u64);
        tally.count("histories");
        if scene.crosses {
            return explain(&Model::default(), &calls, tally);
        }
        // Operations on different users have nothing to do with one another.
        scene.users().try_for_each(|user| {
            let calls = calls.iter().filter(|call| scene.is_of(&call.op, user));
            explain(
                &Model::default(),
                &calls.cloned().collect::<Vec<_>>(),
                tally,
            )
        })
    }
}

impl fmt::Debug for Histories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histories")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Part for Histories {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn unit(&self) -> &'static str {
        "histories"
    }

    fn enough(&self) -> Enough {
        self.enough
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let opened = (self.open)(rng)?;
        let time = AtomicI64::new(BEGIN.as_millis());
        let histories = match opened.disk {
            Some(_) => FAILING_HISTORIES,
            None => HISTORIES,
        };
        for number in 1..=histories {
            // Who expired in an earlier history is pruned, so that none of it is counted in this one.
            record::forget(&opened, time.fetch_add(1_000, Ordering::SeqCst) + 1_000)?;
            let scene = Scene::draw(number, opened.disk.is_none(), rng);
            self.one(&opened, &scene, &time, rng, tally)?;
        }
        Ok(())
    }
}

/// Looks for an order that explains calls.
///
/// # Errors
///
/// The shortest part that has none, or that there are too many orders to try.
pub fn explain<O: Object>(
    start: &O,
    calls: &[Call<O>],
    tally: &mut Tally,
) -> Result<(), Violation> {
    match check(start, calls, STATES) {
        Verdict::Explained => Ok(()),
        // What has no answer may have happened at any time, which are many orders.
        Verdict::Undecided if calls.iter().any(|call| call.returned.is_none()) => {
            tally.count("undecided, with calls that have no answer");
            Ok(())
        }
        Verdict::Undecided => Err(Violation(format!(
            "no order was found or ruled out in {STATES} states for {} calls",
            calls.len()
        ))),
        Verdict::Unexplained => {
            let calls = shortest(start, calls, STATES / 10);
            let calls: Vec<_> = calls.iter().map(tell).collect();
            let calls = calls.join("\n  ");
            Err(Violation(format!(
                "no order of single steps explains these calls, each with its client and the \
                 moments of call and answer:\n  {calls}"
            )))
        }
    }
}

fn tell<O: Object>(call: &Call<O>) -> String {
    let Call {
        client,
        op,
        answer,
        called,
        returned,
        after,
    } = call;
    let returned = returned.map_or("?".to_owned(), |it| it.to_string());
    let answer = answer
        .as_ref()
        .map_or("?".to_owned(), |it| format!("{it:?}"));
    let after = after.map_or(String::new(), |it| format!(" after {it}"));
    format!("{client}: {called}..{returned}{after} {op:?} -> {answer}")
}
