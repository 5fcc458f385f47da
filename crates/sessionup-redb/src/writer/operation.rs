//! What the writer is asked to do, and how each caller gets its own answer.

use futures_channel::oneshot;
use sessionup_core::{SessionId, StoreError};

use crate::doubt::Doubts;
use crate::error::{Failure, Halt, Part};
use crate::shared::Shared;
use crate::tombstones::Revocation;
use crate::writer::counting::Counting;
use crate::writer::tables::Tables;

/// One operation of the store's contract.
pub(crate) trait Operation: Send + 'static {
    type Answer: Send + 'static;

    /// Whether it need not be carried out once its caller has gone away.
    const IS_MOOT_ALONE: bool = false;
    /// Whether all it does is to end sessions: once those are gone, its answer is true.
    const ONLY_ENDS: bool = false;

    /// Whether it adds to what is stored, so that "disk full" is an answer to it.
    fn wants_room(&self) -> bool {
        false
    }

    /// Says whether it has a transaction of its own, so that nobody waits for two kinds of work.
    fn is_alone(&self, _shared: &Shared) -> bool {
        false
    }

    /// Carries it out. If it is refused, it has changed nothing.
    fn apply(&self, tables: &mut Tables<'_>) -> Result<Self::Answer, Halt>;

    /// Puts into its answer how many sessions ended, which was counted afterwards.
    fn counted(answer: Self::Answer, _sessions: u64) -> Self::Answer {
        answer
    }

    /// Its answer while there is no database, if there is one.
    fn without_database(&self, _doubts: &Doubts) -> Option<Self::Answer> {
        None
    }
}

/// What an operation did to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Created,
    Ended,
    Rewritten,
    /// Its use was written down, which everybody knew.
    Used,
}

/// What a transaction did.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) sessions: Vec<(SessionId, Fate)>,
    /// Large deletions.
    pub(crate) revocations: Vec<Revocation>,
    /// How many changes there were, those of indexes alone included.
    pub(crate) changes: u64,
}

impl Effects {
    /// The sessions that are refused while it is unknown whether the transaction happened: those
    /// that it ended, and those whose creators were told that there is none.
    pub(crate) fn in_doubt(&self) -> impl Iterator<Item = SessionId> {
        self.of(|fate| matches!(fate, Fate::Created | Fate::Ended))
    }

    /// The sessions that begin with the transaction.
    pub(crate) fn begun(&self) -> impl Iterator<Item = SessionId> {
        self.of(|fate| fate == Fate::Created)
    }

    /// The sessions of which something else is read after the transaction than before.
    pub(crate) fn seen(&self) -> impl Iterator<Item = SessionId> {
        self.of(|fate| fate != Fate::Used)
    }

    fn of(&self, is: impl Fn(Fate) -> bool) -> impl Iterator<Item = SessionId> {
        let sessions = self.sessions.iter();
        sessions.filter_map(move |(id, fate)| is(*fate).then_some(*id))
    }
}

/// An operation that waits, with its way back to the caller.
///
/// A caller that has gone away does not stop it.
pub(crate) trait Task: Send {
    fn is_alone(&self, shared: &Shared) -> bool;

    fn only_ends(&self) -> bool;

    /// Whether it ended a session that the same transaction had made.
    fn rests_on_new(&self) -> bool;

    fn wants_room(&self) -> bool;

    /// Whether nobody would know the difference if it were not carried out.
    fn is_moot(&self) -> bool;

    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error>;

    /// Answers, now that the transaction is durable or that there was nothing to commit.
    fn succeed(self: Box<Self>, shared: &Shared);

    fn fail(self: Box<Self>, failure: &Failure, doubts: &Doubts);
}

struct Job<O: Operation> {
    operation: O,
    caller: oneshot::Sender<Result<O::Answer, StoreError>>,
    outcome: Option<Result<O::Answer, StoreError>>,
    counting: Option<Counting>,
    part: Part,
    rests_on_new: bool,
}

/// Where a caller finds the answer to its operation.
pub(crate) type AnswerTo<O> = oneshot::Receiver<Result<<O as Operation>::Answer, StoreError>>;

/// Pairs an operation with the end where its answer will be.
pub(crate) fn task<O: Operation>(operation: O) -> (Box<dyn Task>, AnswerTo<O>) {
    let (caller, answer) = oneshot::channel();
    let job = Job {
        operation,
        caller,
        outcome: None,
        counting: None,
        part: Part::default(),
        rests_on_new: false,
    };
    (Box::new(job), answer)
}

impl<O: Operation> Task for Job<O> {
    fn is_alone(&self, shared: &Shared) -> bool {
        self.operation.is_alone(shared)
    }

    fn only_ends(&self) -> bool {
        O::ONLY_ENDS
    }

    fn rests_on_new(&self) -> bool {
        self.rests_on_new
    }

    fn wants_room(&self) -> bool {
        self.operation.wants_room()
    }

    fn is_moot(&self) -> bool {
        O::IS_MOOT_ALONE && self.caller.is_canceled()
    }

    fn apply(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error> {
        let (changes, sessions) = (tables.effects.changes, tables.effects.sessions.len());
        let outcome = self.operation.apply(tables);
        let counting = tables.counting.take();
        let fates = tables.effects.sessions.get(sessions..).unwrap_or_default();
        self.part = Part {
            had_changed: tables.effects.changes != changes,
            had_altered: fates.iter().any(|(_, fate)| *fate != Fate::Created),
        };
        self.rests_on_new = O::ONLY_ENDS && fates.iter().any(|(id, _)| tables.has_begun(*id));
        self.counting = counting;
        self.outcome = Some(match outcome {
            Ok(answer) => Ok(answer),
            Err(Halt::Refused(error)) => Err(error),
            Err(Halt::Broken(error)) => return Err(error),
        });
        Ok(())
    }

    fn succeed(self: Box<Self>, shared: &Shared) {
        let Self {
            caller,
            outcome,
            counting,
            ..
        } = *self;
        match (outcome, counting) {
            (Some(Ok(answer)), Some(counting)) => counting.begin(shared, move |sessions| {
                let _ = caller.send(sessions.map(|sessions| O::counted(answer, sessions)));
            }),
            // The caller may be gone.
            (Some(outcome), _) => drop(caller.send(outcome)),
            (None, _) => {}
        }
    }

    fn fail(self: Box<Self>, failure: &Failure, doubts: &Doubts) {
        let answer = self
            .operation
            .without_database(doubts)
            .ok_or_else(|| failure.told(self.part, self.operation.wants_room()));
        let _ = self.caller.send(answer);
    }
}
