//! One store on its way through a sequence, with what is known of it.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use futures_util::future::join_all;
use sessionup_core::{Store, Timestamp, UserKey};

use crate::campaign::{Violation, ensure};
use crate::ledger::Ledger;
use crate::model::{Answer, Model, Op};
use crate::perform::{observe_at_once, perform};
use crate::script::{self, USERS};
use crate::sequences::deaths::Deaths;
use crate::sequences::step::PROFILE;

/// A store and what is known of it.
#[derive(Debug)]
pub(super) struct Lane<S> {
    /// The store.
    pub(super) store: S,
    ledger: Ledger,
    deaths: Deaths,
}

impl<S: Store> Lane<S> {
    /// Begins with an empty store.
    pub(super) fn new(store: S) -> Self {
        Self {
            store,
            ledger: Ledger::default(),
            deaths: Deaths::default(),
        }
    }

    /// Returns what it may hold.
    pub(super) fn worlds(&self) -> &[Model] {
        self.ledger.worlds()
    }

    /// Has an operation carried out.
    ///
    /// # Errors
    ///
    /// A wrong answer, and none.
    pub(super) async fn ask(&mut self, op: &Op) -> Result<(), Violation> {
        let answer = answer_of(&self.store, op).await?;
        self.answered(op, &answer)
    }

    /// Has operations carried out at once. None may have to do with another one.
    ///
    /// # Errors
    ///
    /// A wrong answer, and none.
    pub(super) async fn ask_together(&mut self, ops: &[Op]) -> Result<(), Violation> {
        let answers = join_all(ops.iter().map(|op| answer_of(&self.store, op))).await;
        for (op, answer) in ops.iter().zip(answers) {
            self.answered(op, &answer?)?;
        }
        Ok(())
    }

    /// Polls an operation once and drops it, then looks what became of it.
    ///
    /// # Errors
    ///
    /// If it is neither what was before nor what comes of it.
    pub(super) async fn abandon(&mut self, op: &Op, now: Timestamp) -> Result<(), Violation> {
        let polled = {
            let future = pin!(answer_of(&self.store, op));
            future.poll(&mut Context::from_waker(Waker::noop()))
        };
        match polled {
            Poll::Ready(answer) => self.answered(op, &answer?),
            Poll::Pending => {
                self.ledger.may_have_happened(op);
                self.deaths.may_have_happened(op);
                // Stands in line behind it.
                let nothing = Op::Delete {
                    id: script::id(u64::MAX),
                    owner: None,
                };
                self.ask(&nothing).await?;
                self.look(now).await
            }
        }
    }

    /// Prunes in batches, until nothing is left to prune.
    ///
    /// # Errors
    ///
    /// If a batch is too large, or all of them together are not what had expired.
    pub(super) async fn prune(&mut self, at_most: usize, now: Timestamp) -> Result<(), Violation> {
        let mut deleted = 0;
        loop {
            let pruned = self.store.prune(now, at_most).await;
            let pruned = pruned.map_err(|error| Violation(format!("prune: {error:?}")))?;
            ensure(pruned.deleted <= at_most as u64, || {
                format!("prune of at most {at_most} deleted {}", pruned.deleted)
            })?;
            deleted += pruned.deleted;
            if !pruned.more {
                return self.answered(&Op::PruneAll { now }, &Answer::Count(deleted));
            }
        }
    }

    /// Looks at everything.
    ///
    /// # Errors
    ///
    /// If something is missing, back, or not as it must be.
    pub(super) async fn look(&mut self, now: Timestamp) -> Result<(), Violation> {
        let found = self.found(now).await?;
        for record in found.records() {
            self.deaths.seen(record)?;
        }
        self.ledger.found_exactly(&found, now)
    }

    /// Looks at everything, also at what has expired: asks as if it were long ago.
    ///
    /// # Errors
    ///
    /// If something is missing, back, or not as it must be.
    pub(super) async fn look_behind(&mut self) -> Result<(), Violation> {
        let found = self.found(Timestamp::MIN).await?;
        self.ledger.found_exactly(&found, Timestamp::MIN)
    }

    async fn found(&self, now: Timestamp) -> Result<Model, Violation> {
        let ids = (0..PROFILE.ids).map(script::id);
        observe_at_once(&self.store, ids, users(), now).await
    }

    /// Deletes everything, and begins anew. What is left in spite of that is found in the tables.
    ///
    /// # Errors
    ///
    /// If something else is deleted than what must be there.
    pub(super) async fn clear(&mut self) -> Result<(), Violation> {
        let all = users().map(|user| Op::DeleteUser {
            user,
            except: Vec::new(),
        });
        self.ask_together(&all.collect::<Vec<_>>()).await?;
        (self.ledger, self.deaths) = Default::default();
        Ok(())
    }

    fn answered(&mut self, op: &Op, answer: &Answer) -> Result<(), Violation> {
        self.deaths.answered(op, answer)?;
        self.ledger.answered(op, answer)
    }
}

fn users() -> impl Iterator<Item = UserKey> {
    (0..USERS.len().min(PROFILE.users)).map(script::user)
}

async fn answer_of(store: &impl Store, op: &Op) -> Result<Answer, Violation> {
    let failed = |failed| Violation(format!("{op:?}: {failed:?}"));
    perform(store, op).await.map_err(failed)
}
