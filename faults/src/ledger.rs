//! What a store may hold, as its answers have it.
//!
//! An operation whose outcome is unknown has happened or has not, so there may be several worlds; an
//! answer, and what is found after a fault, leaves those that fit. If none is left, something was
//! lost or came back.

mod batch;

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;

use sessionup_core::{Record, SessionId, Timestamp};

use crate::campaign::Violation;
use crate::model::{Answer, Model, Op};

/// The worlds that fit all answers so far.
#[derive(Clone, Debug)]
pub struct Ledger {
    worlds: Vec<Model>,
    /// What was done of late, for the text of a violation.
    history: VecDeque<Event>,
}

/// How much of what was done is told with a violation.
const HISTORY: usize = 30;

/// Something that was done, and what was learned of it. Made a text only where it is needed: that
/// takes longer than all else.
#[derive(Clone, Debug)]
struct Event(Option<Op>, Learned);

#[derive(Clone, Debug)]
enum Learned {
    Answer(Answer),
    Other(Cow<'static, str>),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(op, learned) = self;
        if let Some(op) = op {
            write!(f, "{op:?} -> ")?;
        }
        match learned {
            Learned::Answer(answer) => write!(f, "{answer:?}"),
            Learned::Other(text) => f.write_str(text),
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::of(Model::default())
    }
}

impl Ledger {
    /// Begins with a store that holds this.
    #[must_use]
    pub fn of(model: Model) -> Self {
        Self {
            worlds: vec![model],
            history: VecDeque::new(),
        }
    }

    /// Takes what was found for what there is: what was lost by right, such as uses in memory, is
    /// lost for good.
    pub fn is(&mut self, model: Model) {
        self.worlds = vec![model];
        self.note(None, "this was found");
    }

    /// Returns the worlds.
    #[must_use]
    pub fn worlds(&self) -> &[Model] {
        &self.worlds
    }

    /// Takes note of an answer.
    ///
    /// # Errors
    ///
    /// If it fits no world.
    pub fn answered(&mut self, op: &Op, answer: &Answer) -> Result<(), Violation> {
        self.answered_as(op, answer, |expected| expected == answer)?;
        self.learned(Some(op), Learned::Answer(answer.clone()));
        Ok(())
    }

    /// Takes note of an answer that is known as text alone, as `Debug` has it.
    ///
    /// # Errors
    ///
    /// If it fits no world.
    pub fn told(&mut self, op: &Op, answer: &str) -> Result<(), Violation> {
        let is_it = |expected: &Answer| format!("{expected:?}") == answer;
        self.answered_as(op, &format_args!("{answer}"), is_it)?;
        self.note(Some(op), answer.to_owned());
        Ok(())
    }

    fn answered_as(
        &mut self,
        op: &Op,
        answer: &dyn fmt::Debug,
        is_it: impl Fn(&Answer) -> bool,
    ) -> Result<(), Violation> {
        let mut expected = Vec::new();
        self.worlds.retain_mut(|world| {
            let right = world.apply(op);
            let fits = is_it(&right);
            if !fits {
                expected.push(right);
            }
            fits
        });
        if self.worlds.is_empty() {
            return Err(self.violation(format_args!(
                "{op:?} was answered with {answer:?}, expected {expected:?}"
            )));
        }
        Ok(())
    }

    /// Takes note that an operation may have happened, and that the process is gone: whatever the
    /// store remembered of it in memory is gone too.
    pub fn may_have_happened(&mut self, op: &Op) {
        self.note(Some(op), "may have happened");
        let happened: Vec<_> = self.worlds.iter().map(|world| after(world, op)).collect();
        self.add(happened);
    }

    /// Takes note that operations were under way when the process went: the store carries them out
    /// in their order, so that the first ones may have happened, or all, or none.
    pub fn first_may_have_happened<'a>(&mut self, ops: impl IntoIterator<Item = &'a Op>) {
        let mut worlds = self.worlds.clone();
        for op in ops {
            self.note(Some(op), "was under way");
            for world in &mut worlds {
                world.apply(op);
            }
            self.add(worlds.clone());
        }
    }

    /// Takes note that a store which lives on answered that an operation may have happened.
    ///
    /// Sessions that it would have ended are refused from then on and ended at last, and so is the
    /// one that it would have made. A change of a record may have happened.
    pub fn is_in_doubt(&mut self, op: &Op) {
        self.note(Some(op), "outcome unknown");
        if matches!(op, Op::Update { .. }) {
            let happened: Vec<_> = self.worlds.iter().map(|world| after(world, op)).collect();
            self.add(happened);
        } else {
            for world in &mut self.worlds {
                *world = settled(world, op);
            }
        }
    }

    /// As [`Ledger::is_in_doubt`], and then the process ended before or after the store had settled
    /// it: it may have happened, or not, or have been settled.
    pub fn was_in_doubt(&mut self, op: &Op) {
        let settled: Vec<_> = self.worlds.iter().map(|world| settled(world, op)).collect();
        self.may_have_happened(op);
        self.add(settled);
    }

    /// Takes note of what is found, and forgets the worlds that it does not fit. When a session was
    /// last used may be from before its latest use: that alone may be lost.
    ///
    /// # Errors
    ///
    /// If it fits none.
    pub fn found(&mut self, found: &Model, now: Timestamp) -> Result<(), Violation> {
        self.keep(found, |world| fits(world, found, now))
    }

    /// As [`Ledger::found`], where no use may be lost either.
    ///
    /// # Errors
    ///
    /// If it fits none.
    pub fn found_exactly(&mut self, found: &Model, now: Timestamp) -> Result<(), Violation> {
        self.keep(found, |world| world.live(now).eq(found.live(now)))
    }

    fn keep(&mut self, found: &Model, fits: impl Fn(&Model) -> bool) -> Result<(), Violation> {
        if !self.worlds.iter().any(&fits) {
            let worlds = &self.worlds;
            return Err(self.violation(format_args!(
                "found {found:#?}\nwhere one of {} worlds was expected: {worlds:#?}",
                worlds.len()
            )));
        }
        self.worlds.retain(fits);
        Ok(())
    }

    /// As [`Ledger::found`], of all that is kept, live or not: what is live is kept, and nothing is
    /// kept that was ended.
    ///
    /// # Errors
    ///
    /// If it fits none.
    pub fn kept(&mut self, kept: &Model, now: Timestamp) -> Result<(), Violation> {
        let holds = |world: &Model| holds(world, kept, now);
        if !self.worlds.iter().any(holds) {
            let worlds = &self.worlds;
            return Err(self.violation(format_args!(
                "kept is {kept:#?}\nwhere one of {} worlds was expected: {worlds:#?}",
                worlds.len()
            )));
        }
        self.worlds.retain(holds);
        Ok(())
    }

    /// Says that something does not fit what was done.
    pub fn violation(&self, what: impl fmt::Display) -> Violation {
        let history: Vec<_> = self.history.iter().map(ToString::to_string).collect();
        let history = history.join("\n  ");
        Violation(format!("{what}\nafter, latest last:\n  {history}"))
    }

    fn note(&mut self, op: Option<&Op>, what: impl Into<Cow<'static, str>>) {
        self.learned(op, Learned::Other(what.into()));
    }

    fn learned(&mut self, op: Option<&Op>, learned: Learned) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Event(op.cloned(), learned));
    }

    fn add(&mut self, worlds: Vec<Model>) {
        for world in worlds {
            if !self.worlds.contains(&world) {
                self.worlds.push(world);
            }
        }
    }
}

fn after(world: &Model, op: &Op) -> Model {
    let mut world = world.clone();
    world.apply(op);
    world
}

/// The world after a store has settled an operation that was in doubt.
fn settled(world: &Model, op: &Op) -> Model {
    let mut settled = after(world, op);
    if let Op::Create { record, .. } = op
        && world.get(record.session.id).is_none()
    {
        settled.remove(record.session.id);
    }
    settled
}

fn fits(world: &Model, found: &Model, now: Timestamp) -> bool {
    let mut found = found.live(now);
    let all = world.live(now).all(|expected| {
        found
            .next()
            .is_some_and(|found| is_same_but_for_use(expected, found))
    });
    all && found.next().is_none()
}

/// Says whether all live records of a world are kept, and nothing is that is not of it.
#[must_use]
pub fn holds(world: &Model, kept: &Model, now: Timestamp) -> bool {
    let is_of = |record: &Record, other: Option<&Record>, is_expected: bool| {
        other.is_some_and(|other| match is_expected {
            true => is_same_but_for_use(record, other),
            false => is_same_but_for_use(other, record),
        })
    };
    world
        .live(now)
        .all(|expected| is_of(expected, kept.get(expected.session.id), true))
        && kept
            .records()
            .all(|found| is_of(found, world.get(found.session.id), false))
}

/// Says whether a record is what is expected, used at the latest when that was.
fn is_same_but_for_use(expected: &Record, found: &Record) -> bool {
    let (used, latest) = (found.session.last_seen_at, expected.session.last_seen_at);
    let mut found = found.clone();
    found.session.last_seen_at = latest;
    found == *expected && used <= latest
}

/// Returns the ids that tell two sets of live records apart, for the text of a violation.
#[must_use]
pub fn difference(expected: &Model, found: &Model, now: Timestamp) -> Vec<SessionId> {
    let missing = expected.live(now).filter(|record| {
        !found
            .live(now)
            .any(|other| is_same_but_for_use(record, other))
    });
    let surplus = found.live(now).filter(|record| {
        !expected
            .live(now)
            .any(|other| is_same_but_for_use(other, record))
    });
    let mut ids: Vec<_> = missing
        .chain(surplus)
        .map(|record| record.session.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Rng;
    use crate::perform::{observe, perform};
    use crate::script::{BEGIN, Profile, Script, id};
    use sessionup_core::MemoryStore;

    const PROFILE: Profile = Profile {
        ids: 12,
        users: 3,
        expires: true,
        reads: true,
        creates: 5,
    };

    fn delete(number: u64) -> Op {
        Op::Delete {
            id: id(number),
            owner: None,
        }
    }

    /// A ledger after two logins, and these.
    fn two() -> (Ledger, Model) {
        let mut rng = Rng::with_seed(1);
        let profile = Profile {
            expires: false,
            creates: 10,
            reads: false,
            ..PROFILE
        };
        let mut script = Script::new(profile);
        let mut model = Model::default();
        while model.live(BEGIN).count() < 2 {
            model.apply(&script.next(&mut rng));
        }
        (Ledger::of(model.clone()), model)
    }

    fn first(model: &Model) -> SessionId {
        model.records().next().unwrap().session.id
    }

    #[test]
    fn what_was_lost_and_what_came_back_fits_no_world() {
        let (mut ledger, model) = two();
        let mut less = model.clone();
        less.remove(first(&model));
        assert!(ledger.clone().found(&less, BEGIN).is_err(), "lost");

        let revoke = Op::Delete {
            id: first(&model),
            owner: None,
        };
        ledger.answered(&revoke, &Answer::Deleted(true)).unwrap();
        assert!(ledger.clone().found(&model, BEGIN).is_err(), "back");
        ledger.found(&less, BEGIN).unwrap();
    }

    #[test]
    fn wrong_answer_fits_no_world() {
        let (mut ledger, _) = two();
        assert!(
            ledger
                .answered(&delete(99), &Answer::Deleted(true))
                .is_err()
        );
    }

    #[test]
    fn what_may_have_happened_is_one_or_the_other() {
        let (mut ledger, model) = two();
        let revoke = Op::DeleteUser {
            user: model.records().next().unwrap().session.user_key.clone(),
            except: Vec::new(),
        };
        ledger.may_have_happened(&revoke);
        let gone = after(&model, &revoke);
        ledger.clone().found(&model, BEGIN).unwrap();
        ledger.found(&gone, BEGIN).unwrap();
        assert!(ledger.found(&model, BEGIN).is_err(), "gone and back");
    }

    #[test]
    fn store_that_lives_refuses_what_is_in_doubt() {
        let (mut ledger, model) = two();
        let revoke = Op::Delete {
            id: first(&model),
            owner: None,
        };
        ledger.is_in_doubt(&revoke);
        assert!(ledger.found(&model, BEGIN).is_err());

        let (mut ledger, model) = two();
        ledger.was_in_doubt(&revoke);
        ledger.found(&model, BEGIN).unwrap();
    }

    #[test]
    fn login_in_doubt_is_ended_and_so_is_what_it_replaced() {
        let (mut ledger, model) = two();
        let mut record = model.records().next().unwrap().clone();
        record.session.id = id(77);
        let login = Op::Create {
            record: Box::new(record.clone()),
            replaces: Some(first(&model)),
            limit: None,
            now: BEGIN,
        };
        let happened = after(&model, &login);
        let mut neither = happened.clone();
        neither.remove(id(77));

        let mut crashed = ledger.clone();
        crashed.was_in_doubt(&login);
        for world in [&model, &happened, &neither] {
            crashed.clone().found(world, BEGIN).unwrap();
        }
        ledger.is_in_doubt(&login);
        ledger.clone().found(&neither, BEGIN).unwrap();
        assert!(ledger.found(&happened, BEGIN).is_err());
    }

    #[test]
    fn of_what_was_under_way_the_first_may_have_happened_and_not_the_last_alone() {
        let (mut ledger, model) = two();
        let ids: Vec<_> = model.records().map(|record| record.session.id).collect();
        let revoke = |id| Op::Delete { id, owner: None };
        let [first, second] = [revoke(ids[0]), revoke(ids[1])];
        ledger.first_may_have_happened([&first, &second]);
        for world in [
            model.clone(),
            after(&model, &first),
            after(&after(&model, &first), &second),
        ] {
            ledger.clone().found(&world, BEGIN).unwrap();
        }
        let second_alone = after(&model, &second);
        assert!(ledger.clone().found(&second_alone, BEGIN).is_err());

        ledger.is(model.clone());
        ledger.clone().found(&model, BEGIN).unwrap();
        assert!(ledger.found(&after(&model, &first), BEGIN).is_err());
    }

    #[test]
    fn answer_as_text_is_the_answer() {
        let (ledger, model) = two();
        let revoke = Op::Delete {
            id: first(&model),
            owner: None,
        };
        ledger.clone().told(&revoke, "Deleted(true)").unwrap();
        assert!(ledger.clone().told(&revoke, "Deleted(false)").is_err());
    }

    #[test]
    fn lost_use_is_no_loss_and_a_use_that_was_not_is_one() {
        let (ledger, model) = two();
        let used = |by: i64| {
            let moved = model.records().cloned().map(|mut record| {
                let at = record.session.last_seen_at.as_millis() + by;
                record.session.last_seen_at = Timestamp::from_millis(at);
                record
            });
            Model::of(moved)
        };
        ledger.clone().found(&used(-1), BEGIN).unwrap();
        assert!(ledger.clone().found_exactly(&used(-1), BEGIN).is_err());
        ledger.clone().found_exactly(&used(0), BEGIN).unwrap();
        assert!(ledger.clone().found(&used(1), BEGIN).is_err());
    }

    #[test]
    fn what_is_kept_may_be_expired_but_not_ended() {
        let (ledger, model) = two();
        let late = BEGIN.saturating_add(std::time::Duration::from_secs(1_000_000));
        let mut less = model.clone();
        less.remove(first(&model));
        for kept in [&model, &less] {
            ledger.clone().kept(kept, late).unwrap();
        }
        assert!(ledger.clone().kept(&less, BEGIN).is_err(), "lost");
        assert!(Ledger::of(less).kept(&model, late).is_err(), "back");
    }

    /// The model and the reference store were written apart.
    #[test]
    fn model_agrees_with_the_reference_store() {
        for seed in 0..200 {
            let mut rng = Rng::with_seed(seed);
            let (mut script, store) = (Script::new(PROFILE), MemoryStore::new());
            let mut ledger = Ledger::default();
            futures_executor::block_on(async {
                for _ in 0..60 {
                    let op = script.next(&mut rng);
                    let answer = perform(&store, &op).await.unwrap();
                    ledger.answered(&op, &answer).unwrap();
                }
                let found = observe(&store, script.ids(), script.users(), script.now());
                ledger.found(&found.await.unwrap(), script.now()).unwrap();
            });
        }
    }
}
