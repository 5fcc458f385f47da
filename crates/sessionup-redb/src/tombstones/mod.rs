//! Tombstones: sessions that ended in one step and whose records are deleted later, in slices.
//!
//! To delete very many records takes long, and every write would wait for it. So a large deletion
//! writes one row, which ends the sessions, and the writer deletes their records between other work
//! ([`crate::writer::sweep`]).
//!
//! - Each record holds the **generation** that it was made in. A large deletion begins the next one.
//!   Its row says whose sessions of earlier generations have ended. A session that is excepted from
//!   the deletion moves to the new generation in the same transaction.
//! - A reader skips records that have ended by the rows **of its own transaction** ([`Rows`]), so no
//!   moment and no crash shows a part of a deletion.
//! - The transaction that deletes the last of these records removes the row.
//! - The **writer** keeps in memory which sessions of users with a row are left ([`Tombstones`]): it
//!   need not look for them among those that have ended. They are found anew when a file is opened.
//!
//! | table | key | value |
//! |---|---|---|
//! | *b*`/tombstones` | user key, or empty for all users | generation |
//!
//! The entry `generation` in `about` is the generation of new records; absent for 0. Values have the
//! generation in their upper 48 bits and a check value in their lower 16 bits: the lower 16 of XXH3-64
//! of the key and the upper 6 bytes in big-endian. A row that does not pass ends all sessions that it
//! is about.

mod draft;
mod restore;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, TableError};
use sessionup_core::{SessionId, UserKey, is_seeded};
use twox_hash::XxHash3_64;

pub(crate) use self::draft::Draft;
pub(crate) use self::rows::Rows;
use crate::doubt::Revocations;
use crate::schema::Schema;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError};
use crate::unlisted::{Entry, of};

/// A number that grows with each large deletion.
pub(crate) type Generation = u64;

const GENERATION_NAME: &str = "generation";
/// Of a row that is damaged. Larger than any generation.
const DAMAGED: Generation = u64::MAX;

/// Whose sessions a tombstone is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Everybody,
    User(UserKey),
}

impl Target {
    pub(crate) fn user(&self) -> Option<&UserKey> {
        match self {
            Self::Everybody => None,
            Self::User(user) => Some(user),
        }
    }

    pub(crate) fn contains(&self, user: &UserKey) -> bool {
        self.user().is_none_or(|own| own == user)
    }

    fn key(&self) -> &[u8] {
        self.user().map_or(&[], |user| user.as_str().as_bytes())
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        if key.is_empty() {
            return Some(Self::Everybody);
        }
        let user = UserKey::new(std::str::from_utf8(key).ok()?);
        user.ok().map(Self::User)
    }
}

/// A large deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Revocation {
    pub(crate) target: Target,
    /// Sessions of earlier generations end.
    pub(crate) before: Generation,
    /// Sessions of the target that do not end.
    pub(crate) kept: Vec<SessionId>,
}

impl Revocation {
    /// Says whether it ends a session of a user.
    pub(crate) fn ends(&self, user: &UserKey, generation: Generation, id: SessionId) -> bool {
        generation < self.before && self.target.contains(user) && !self.kept.contains(&id)
    }
}

pub(crate) fn encode(key: &[u8], generation: Generation) -> u64 {
    let value = generation << 16;
    let [a, b, c, d, e, f, ..] = value.to_be_bytes();
    let hashed = [key, &[a, b, c, d, e, f]].concat();
    value | (XxHash3_64::oneshot(&hashed) & 0xffff)
}

/// `None` for what is damaged.
fn decode(key: &[u8], value: u64) -> Option<Generation> {
    let generation = value >> 16;
    (encode(key, generation) == value).then_some(generation)
}

/// What the writer knows of tombstones.
#[derive(Debug)]
pub(crate) struct Tombstones {
    state: Mutex<State>,
    /// Raised before the first row is committed and never lowered: whoever begins a read transaction
    /// and finds it lowered then need not look for rows in it.
    may_be_any: AtomicBool,
    /// Most records that a deletion deletes in its own transaction.
    at_once: usize,
}

#[derive(Debug, Default)]
struct State {
    generation: Generation,
    everybody: Generation,
    users: BTreeMap<UserKey, Generation>,
    /// The sessions of users with a row that have not ended.
    left: BTreeSet<Entry>,
    /// How far the records have been deleted.
    swept: Option<(Target, SessionId)>,
}

impl State {
    fn has_rows(&self) -> bool {
        self.everybody > 0 || !self.users.is_empty()
    }

    fn bound(&self, user: &UserKey) -> Generation {
        let own = self.users.get(user).copied().unwrap_or_default();
        own.max(self.everybody)
    }
}

impl Tombstones {
    /// Most records of a deletion in one transaction unless said otherwise.
    pub(crate) const AT_ONCE: usize = 1_000;

    pub(crate) fn new(at_once: usize) -> Self {
        Self {
            state: Mutex::default(),
            may_be_any: AtomicBool::new(false),
            at_once,
        }
    }

    /// Finds the rows of a database that was opened, and which sessions they leave. `unlisted` names
    /// the sessions of a user that need not be in the index of users.
    pub(crate) fn restore(
        &self,
        database: &Database,
        schema: &Schema,
        unlisted: impl Fn(&UserKey) -> Vec<SessionId>,
    ) -> Result<(), redb::Error> {
        let transaction = database.begin_read()?;
        let rows = match is_seeded!(TombstonesForgotten) {
            true => Rows::none(Revocations::default()),
            false => Rows::read(&transaction, schema, Revocations::default())?,
        };
        let mut state = State {
            everybody: rows.everybody,
            ..State::default()
        };
        for (target, before) in rows.all()? {
            match target {
                Some(Target::User(user)) => drop(state.users.insert(user, before)),
                Some(Target::Everybody) => {}
                None => tracing::error!(target: "sessionup_redb", "a tombstone is damaged"),
            }
        }
        state.generation = restore::generation(&transaction, schema, &state)?;
        state.left = restore::left(&transaction, schema, &state, unlisted)?;
        let has_rows = state.has_rows();
        *self.state() = state;
        if has_rows {
            self.may_be_any.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Returns the rows of a read transaction that was begun before, with what was in doubt before
    /// that.
    pub(crate) fn rows(
        &self,
        transaction: &ReadTransaction,
        schema: &Schema,
        in_doubt: &Revocations,
    ) -> Result<Rows, TableError> {
        let in_doubt = in_doubt.clone();
        if self.may_be_any.load(Ordering::SeqCst) {
            Rows::read(transaction, schema, in_doubt)
        } else {
            Ok(Rows::none(in_doubt))
        }
    }

    /// Says whether there are records to be deleted.
    pub(crate) fn has_rows(&self) -> bool {
        self.may_be_any.load(Ordering::SeqCst) && self.state().has_rows()
    }

    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Returns how many sessions of a user with a row are left; `None` for other users.
    pub(crate) fn left(&self, user: &UserKey) -> Option<usize> {
        let state = self.state();
        (state.bound(user) > 0).then(|| of(&state.left, user).count())
    }

    /// Begins to change them with a transaction.
    pub(crate) fn draft(self: &Arc<Self>) -> Draft {
        Draft::begin(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
