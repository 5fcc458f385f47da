//! What a transaction changes of tombstones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use redb::{Table, WriteTransaction};
use sessionup_core::{SessionId, UserKey};

use super::{GENERATION_NAME, Generation, Revocation, State, Target, Tombstones, encode, of};
use crate::record::Stored;
use crate::schema::Schema;
use crate::sync::atomic::Ordering;
use crate::unlisted::Entry;

/// What a transaction changes of them.
#[derive(Debug)]
pub(crate) struct Draft {
    tombstones: Arc<Tombstones>,
    had_rows: bool,
    has_rows: bool,
    generation: Generation,
    change: Change,
}

#[derive(Debug, Default)]
struct Change {
    /// Rows that are written, and those that are removed: 0.
    everybody: Option<Generation>,
    users: BTreeMap<UserKey, Generation>,
    /// Whether all that were left have ended.
    clears_left: bool,
    added: BTreeSet<Entry>,
    gone: BTreeSet<Entry>,
    swept: Option<Option<(Target, SessionId)>>,
}

impl Draft {
    pub(super) fn begin(tombstones: &Arc<Tombstones>) -> Self {
        let state = tombstones.state();
        Self {
            tombstones: Arc::clone(tombstones),
            has_rows: state.has_rows(),
            had_rows: state.has_rows(),
            generation: state.generation,
            change: Change::default(),
        }
    }

    pub(crate) fn at_once(&self) -> usize {
        self.tombstones.at_once
    }

    /// Returns the generation of records that are made.
    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn has_rows(&self) -> bool {
        self.has_rows
    }

    pub(crate) fn changes_format(&self) -> bool {
        self.has_rows != self.had_rows
    }

    /// Returns the generation before which sessions of a user have ended.
    pub(crate) fn bound(&self, user: &UserKey) -> Generation {
        if !self.has_rows && !self.had_rows {
            return 0;
        }
        let state = self.tombstones.state();
        let own = self.change.users.get(user).or(state.users.get(user));
        let everybody = self.change.everybody.unwrap_or(state.everybody);
        own.copied().unwrap_or_default().max(everybody)
    }

    pub(crate) fn has_ended(&self, stored: &Stored) -> bool {
        self.has_rows && stored.generation < self.bound(&stored.record.session.user_key)
    }

    /// Returns the sessions of a user that are left; `None` if the user has no row.
    pub(crate) fn left(&self, user: &UserKey) -> Option<Vec<SessionId>> {
        if !self.has_rows || self.bound(user) == 0 {
            return None;
        }
        let mut left: Vec<_> = of(&self.change.added, user).collect();
        if !self.change.clears_left {
            let state = self.tombstones.state();
            let before = of(&state.left, user);
            left.extend(before.filter(|id| !self.change.gone.contains(&(user.clone(), *id))));
        }
        left.sort_unstable();
        left.dedup();
        Some(left)
    }

    /// Counts all sessions that have not ended, of so many records; `None` if that takes longer.
    pub(crate) fn count(&self, records: u64) -> Option<u64> {
        let state = self.tombstones.state();
        if !state.has_rows() {
            return Some(records);
        }
        (state.everybody > 0).then_some(state.left.len() as u64)
    }

    /// Returns the users with a row, and how many sessions they have left together.
    pub(crate) fn users(&self) -> (Vec<UserKey>, u64) {
        let state = self.tombstones.state();
        (
            state.users.keys().cloned().collect(),
            state.left.len() as u64,
        )
    }

    /// Adds a session that is made.
    pub(crate) fn add(&mut self, user: &UserKey, id: SessionId) {
        if self.has_rows && self.bound(user) > 0 {
            let entry = (user.clone(), id);
            self.change.gone.remove(&entry);
            self.change.added.insert(entry);
        }
    }

    /// Removes a session that ended.
    pub(crate) fn remove(&mut self, user: &UserKey, id: SessionId) {
        if self.has_rows && self.bound(user) > 0 {
            let entry = (user.clone(), id);
            self.change.added.remove(&entry);
            self.change.gone.insert(entry);
        }
    }

    /// Removes a session of whoever it was.
    pub(crate) fn remove_id(&mut self, id: SessionId) {
        if !self.has_rows {
            return;
        }
        self.change.added.retain(|(_, added)| *added != id);
        let state = self.tombstones.state();
        let gone = state.left.iter().filter(|(_, gone)| *gone == id);
        self.change.gone.extend(gone.cloned());
    }

    /// Ends sessions in one step.
    pub(crate) fn revoke(&mut self, revocation: &Revocation) {
        let Revocation {
            target,
            before,
            kept,
        } = revocation;
        self.generation = self.generation.max(*before);
        match target {
            Target::Everybody => {
                let state = self.tombstones.state();
                self.change.everybody = Some(state.everybody.max(*before));
                let with_row: Vec<_> = state.users.keys().cloned().collect();
                drop(state);
                for row in self.change.users.values_mut() {
                    *row = 0;
                }
                let removed = with_row.into_iter().map(|user| (user, 0));
                self.change.users.extend(removed);
                self.change.added.clear();
                self.change.clears_left = true;
            }
            Target::User(user) => {
                for id in self.left(user).unwrap_or_default() {
                    self.remove(user, id);
                }
                let row = self.change.users.entry(user.clone()).or_default();
                *row = (*row).max(*before);
                self.has_rows = true;
                for id in kept {
                    self.add(user, *id);
                }
            }
        }
        self.has_rows = true;
        self.change.swept = Some(None);
    }

    /// Chooses whose records are to be deleted, and after which id.
    pub(crate) fn next(&self) -> Option<(Target, Option<SessionId>)> {
        let state = self.tombstones.state();
        let user = state.users.keys().next().cloned().map(Target::User);
        let target = user.or((state.everybody > 0).then_some(Target::Everybody))?;
        let swept = state.swept.as_ref().filter(|(swept, _)| *swept == target);
        Some((target, swept.map(|(_, id)| *id)))
    }

    /// Notes how far the records have been deleted.
    pub(crate) fn advance(&mut self, target: &Target, last: Option<SessionId>) {
        self.change.swept = Some(last.map(|last| (target.clone(), last)));
    }

    /// Removes a row: all that it was about is deleted.
    pub(crate) fn remove_row(&mut self, target: &Target) {
        let state = self.tombstones.state();
        match target {
            Target::Everybody => {
                self.change.everybody = Some(0);
                self.has_rows = !state.users.is_empty();
            }
            Target::User(user) => {
                self.change.users.insert(user.clone(), 0);
                self.has_rows = state.everybody > 0 || state.users.len() > 1;
            }
        }
        drop(state);
        self.change.swept = Some(None);
    }

    /// Writes what the file is to say after the transaction.
    pub(crate) fn write(
        &self,
        transaction: &WriteTransaction,
        schema: &Schema,
    ) -> Result<(), redb::Error> {
        let Change {
            everybody, users, ..
        } = &self.change;
        if everybody.is_none() && users.is_empty() {
            return Ok(());
        }
        let mut rows = transaction.open_table(schema.tombstones())?;
        let users = users
            .iter()
            .map(|(user, row)| (Target::User(user.clone()), *row));
        let everybody = everybody.map(|row| (Target::Everybody, row));
        for (target, row) in users.chain(everybody) {
            let key = target.key();
            match row {
                0 => drop(rows.remove(key)?),
                row => drop(rows.insert(key, encode(key, row))?),
            }
        }
        drop(rows);
        let mut about: Table<'_, &str, u64> = transaction.open_table(schema.about())?;
        about.insert(
            GENERATION_NAME,
            encode(GENERATION_NAME.as_bytes(), self.generation),
        )?;
        Ok(())
    }

    /// Lets readers look for rows. To be called before the transaction commits.
    pub(crate) fn show(&self) {
        if self.has_rows {
            self.tombstones.may_be_any.store(true, Ordering::SeqCst);
        }
    }

    /// The transaction is durable, or has changed nothing.
    pub(crate) fn keep(self) {
        let Change {
            everybody,
            users,
            clears_left,
            added,
            gone,
            swept,
        } = self.change;
        let mut state = self.tombstones.state();
        state.generation = self.generation;
        if clears_left {
            state.left.clear();
        }
        for entry in gone {
            state.left.remove(&entry);
        }
        state.left.extend(added);
        if let Some(swept) = swept {
            state.swept = swept;
        }
        let ends_row = everybody == Some(0) || users.values().any(|row| *row == 0);
        if let Some(everybody) = everybody {
            state.everybody = everybody;
        }
        for (user, row) in users {
            match row {
                0 => state.users.remove(&user),
                row => state.users.insert(user, row),
            };
        }
        if ends_row && state.everybody == 0 {
            let State { users, left, .. } = &mut *state;
            left.retain(|(user, _)| users.contains_key(user));
        }
    }
}
