//! Sessions that have a record and may not yet be entered in `by_user`.
//!
//! Ids follow time and user keys do not: entered one by one, each session changes a page of
//! `by_user` of its own. So they wait here and are entered many at a time in the order of the
//! users, next to each other. After a crash they are found anew: the file says within which ids
//! ([`crate::window`]) there may be some.
//!
//! - Each record has its entry in `by_user`, or here, or in both. One here may have no record, or
//!   one of another user: it is on its way, or was.
//! - The **writer** adds what its transaction makes before it commits, and takes away after it what
//!   the transaction ended or entered.
//! - A **reader** begins its read transaction while it holds the entries ([`Unlisted::read`]), so
//!   what it reads has none that it has not seen here.
//!
//! Whoever holds the touches or the database's place may go on to take this lock. Who holds this
//! one takes no other of ours.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use sessionup_core::{SessionId, UserKey, is_seeded};

use crate::record::user_key;
use crate::schema::Schema;
use crate::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::tombstones;
use crate::window::{Scope, Window, time};
use crate::writer::tables::report_damage;

/// A session of a user.
pub(crate) type Entry = (UserKey, SessionId);

#[derive(Debug)]
pub(crate) struct Unlisted {
    state: RwLock<State>,
    pace: Pace,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeSet<Entry>,
    progress: Progress,
}

/// How far entering has come. In a cycle, all that was there when it began is entered.
#[derive(Clone, Debug, Default)]
struct Progress {
    scope: Scope,
    /// The last one that was entered in this cycle.
    last: Option<Entry>,
    /// The earliest time of an id that was added in this cycle.
    floor: Option<u64>,
    /// Whether an id was out of scope since something was entered.
    strayed: bool,
}

/// How many wait, and how many are entered at once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// By how many sessions are stored.
    Usual,
    /// More than so many do not wait.
    Few(usize),
}

/// Most entries that a transaction enters besides what is asked of it.
const MOST: usize = 2_048;

impl Pace {
    /// How many are to be entered with a transaction that makes some sessions.
    fn due(self, waiting: usize, strayed: bool, stored: u64, creates: usize) -> usize {
        let (capacity, slack, least) = match self {
            Self::Usual => {
                let capacity = (stored / 16).clamp(1_024, 65_536);
                (usize::try_from(capacity).unwrap_or(usize::MAX), 64, 128)
            }
            Self::Few(capacity) => (capacity, 1, 1),
        };
        let is_due = strayed || waiting >= capacity + slack;
        if !is_due || creates == 0 {
            return 0;
        }
        creates.saturating_mul(2).clamp(least, MOST)
    }
}

impl Unlisted {
    /// Most entries for which a store that closes does not leave the work to the next one.
    pub(crate) const FEW: usize = 4_096;

    pub(crate) fn new(pace: Pace) -> Self {
        Self {
            state: RwLock::default(),
            pace,
        }
    }

    /// Finds what is not entered in a database that was opened. A record that cannot be read is
    /// reported and left out: it does not name its user.
    pub(crate) fn restore(&self, database: &Database, schema: &Schema) -> Result<(), redb::Error> {
        let transaction = database.begin_read()?;
        let scope = Scope::read(&transaction, schema)?;
        let sessions = transaction.open_table(schema.sessions())?;
        let mut entries = BTreeSet::new();
        let sought = match is_seeded!(UnlistedForgotten) {
            true => Scope::Nothing,
            false => scope,
        };
        sought.each(&sessions, |id, bytes| match user_key(id, bytes) {
            Ok(user) => drop(entries.insert((user, id))),
            Err(error) => report_damage(id, &error),
        })?;
        let progress = Progress {
            scope,
            ..Progress::default()
        };
        *self.write() = State { entries, progress };
        Ok(())
    }

    /// Begins to read from a database; returns also some sessions of a user that need not be listed
    /// in what is read, in the order of their ids: those behind an id.
    pub(crate) fn read(
        &self,
        database: &Database,
        user: &UserKey,
        after: Option<SessionId>,
        at_most: usize,
    ) -> Result<(ReadTransaction, Vec<SessionId>), redb::TransactionError> {
        let state = self.hold();
        let ids = after_of(&state.entries, user, after);
        let ids = ids.take(at_most).collect();
        Ok((database.begin_read()?, ids))
    }

    /// Returns the sessions of a user that need not be listed, in the order of their ids.
    pub(crate) fn ids_of(&self, user: &UserKey) -> Vec<SessionId> {
        of(&self.hold().entries, user).collect()
    }

    /// How many wait, and whether the file says that there may be any.
    pub(crate) fn waiting(&self) -> (usize, bool) {
        let state = self.hold();
        (state.entries.len(), state.progress.scope != Scope::Nothing)
    }

    /// Begins to change what waits, with a transaction.
    pub(crate) fn draft(self: &Arc<Self>) -> Draft {
        let progress = self.hold().progress.clone();
        Draft {
            unlisted: Arc::clone(self),
            scope: progress.scope,
            progress,
            added: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    fn hold(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions of a user among entries, in the order of their ids.
pub(crate) fn of(entries: &BTreeSet<Entry>, user: &UserKey) -> impl Iterator<Item = SessionId> {
    after_of(entries, user, None)
}

/// As [`of`], those behind an id.
fn after_of(
    entries: &BTreeSet<Entry>,
    user: &UserKey,
    after: Option<SessionId>,
) -> impl Iterator<Item = SessionId> {
    let from = match after {
        Some(after) => Bound::Excluded((user.clone(), after)),
        None => Bound::Included((user.clone(), SessionId::from_bytes([0; 16]))),
    };
    let from = entries.range((from, Bound::Unbounded));
    from.take_while(move |(of, _)| of == user)
        .map(|(_, id)| *id)
}

impl Progress {
    /// All that was there when the cycle began is entered: only what was added since is left.
    fn begin_cycle(&mut self) {
        self.last = None;
        if let (Scope::Within(window), Some(floor)) = (&mut self.scope, self.floor.take()) {
            window.move_up(floor);
        }
    }
}

/// What a transaction changes of what waits.
#[derive(Debug)]
pub(crate) struct Draft {
    unlisted: Arc<Unlisted>,
    /// What the file says before it.
    scope: Scope,
    progress: Progress,
    added: BTreeSet<Entry>,
    /// What was there before, and ended or was entered.
    gone: BTreeSet<Entry>,
}

impl Draft {
    /// Adds a session; says whether it waits. Otherwise it is to be entered at once.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let id = entry.1;
        let is_within = |scope: Scope| scope != Scope::Anything && scope.contains(id);
        if !is_within(self.progress.scope) && self.is_empty() {
            self.progress = Progress {
                scope: Scope::Within(Window::around(id)),
                ..Progress::default()
            };
        }
        if !is_within(self.progress.scope) {
            self.progress.strayed = true;
            return false;
        }
        let floor = self.progress.floor.get_or_insert(time(id));
        *floor = time(id).min(*floor);
        if !self.gone.remove(&entry) {
            self.added.insert(entry);
        }
        true
    }

    /// Removes a session that ended.
    pub(crate) fn remove(&mut self, entry: Entry) {
        if !self.added.remove(&entry) && self.unlisted.hold().entries.contains(&entry) {
            self.gone.insert(entry);
        }
    }

    /// Removes a session of whoever it was.
    pub(crate) fn remove_id(&mut self, id: SessionId) {
        self.added.retain(|(_, added)| *added != id);
        let state = self.unlisted.hold();
        let gone = state.entries.iter().filter(|(_, gone)| *gone == id);
        self.gone.extend(gone.cloned());
    }

    /// The next sessions of a user that wait, in the order of their ids.
    pub(crate) fn of_after(
        &self,
        user: &UserKey,
        after: Option<SessionId>,
        at_most: usize,
    ) -> Vec<SessionId> {
        let state = self.unlisted.hold();
        let next = |entries: &BTreeSet<Entry>| -> Vec<_> {
            let own = after_of(entries, user, after);
            let next = own.filter(|id| !self.gone.contains(&(user.clone(), *id)));
            next.take(at_most).collect()
        };
        let mut ids = [next(&state.entries), next(&self.added)].concat();
        ids.sort_unstable();
        ids.truncate(at_most);
        ids
    }

    /// The sessions of a user that wait.
    pub(crate) fn of(&self, user: &UserKey) -> Vec<SessionId> {
        let state = self.unlisted.hold();
        let before = of(&state.entries, user);
        let before = before.filter(|id| !self.gone.contains(&(user.clone(), *id)));
        before.chain(of(&self.added, user)).collect()
    }

    pub(crate) fn contains(&self, entry: &Entry) -> bool {
        let was_there = || self.unlisted.hold().entries.contains(entry);
        self.added.contains(entry) || (!self.gone.contains(entry) && was_there())
    }

    /// Chooses what is entered with a transaction that makes some sessions. To be called before
    /// they are added.
    pub(crate) fn due(&mut self, stored: u64, creates: usize) -> Vec<Entry> {
        let waiting = self.unlisted.hold().entries.len();
        let strayed = self.progress.strayed;
        match self.unlisted.pace.due(waiting, strayed, stored, creates) {
            0 => Vec::new(),
            due => self.next(due),
        }
    }

    /// Takes all, after which nothing waits.
    pub(crate) fn all(&mut self) -> Vec<Entry> {
        let all: Vec<_> = self.unlisted.hold().entries.iter().cloned().collect();
        self.gone.extend(all.iter().cloned());
        self.progress = Progress::default();
        all
    }

    /// Takes the next ones in order, and from the first one on after the last one.
    fn next(&mut self, at_most: usize) -> Vec<Entry> {
        let entries = &self.unlisted.hold().entries;
        let last = self.progress.last.clone();
        if is_seeded!(EnteredEarly) {
            self.progress.begin_cycle();
        }
        let from = last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let next = entries.range((from, Bound::Unbounded)).take(at_most);
        let mut taken: Vec<_> = next.cloned().collect();
        if taken.len() < at_most {
            self.progress.begin_cycle();
            if let Some(last) = last {
                let left = at_most - taken.len();
                let first = entries.range(..=last).take(left).cloned();
                let first: Vec<_> = first.collect();
                self.progress.last = first.last().cloned();
                taken.extend(first);
            }
        } else {
            self.progress.last = taken.last().cloned();
        }
        self.progress.strayed = false;
        self.gone.extend(taken.iter().cloned());
        taken
    }

    /// Writes what the file is to say after the transaction.
    pub(crate) fn write(
        &self,
        transaction: &WriteTransaction,
        schema: &Schema,
        tombstones: &tombstones::Draft,
    ) -> Result<(), redb::Error> {
        if self.progress.scope == self.scope && !tombstones.changes_format() {
            return Ok(());
        }
        self.progress
            .scope
            .write(transaction, schema, tombstones.has_rows())
    }

    /// Shows readers what the transaction adds. To be called before it commits.
    pub(crate) fn show(&mut self) {
        if self.added.is_empty() {
            return;
        }
        let mut state = self.unlisted.write();
        // What was there already stays, whatever comes of the transaction.
        self.added
            .retain(|entry| state.entries.insert(entry.clone()));
    }

    /// The transaction is durable.
    pub(crate) fn keep(self) {
        let mut state = self.unlisted.write();
        for entry in &self.gone {
            state.entries.remove(entry);
        }
        state.progress = self.progress;
    }

    /// Nothing came of the transaction.
    pub(crate) fn take_back(self) {
        let mut state = self.unlisted.write();
        for entry in &self.added {
            state.entries.remove(entry);
        }
    }

    fn is_empty(&self) -> bool {
        let before = self.unlisted.hold().entries.len();
        self.added.is_empty() && before == self.gone.len()
    }
}

#[cfg(test)]
mod tests;
