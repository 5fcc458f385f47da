//! One moment of the database, together with what its records do not tell.
//!
//! Uses that are not yet written and sessions in doubt are known in memory alone. They are copied at the
//! moment at which a read transaction begins, while the touches are held: the writer forgets neither
//! before that lock is free, so each is found in the copy or in what is read. The reading itself holds
//! no lock that a request wants.
//!
//! The copy is made by ids, and ids are found by reading. So a first transaction finds the ids, and the
//! next one begins together with a copy for these. If it finds another id, that is done again, and after
//! some attempts all uses and doubts are copied: their number is bounded.

use std::collections::{HashMap, HashSet};

use redb::{ReadTransaction, ReadableDatabase};
use sessionup_core::{Record, SessionId, Timestamp, UserKey};

use crate::database::{HeldPlace, ReadFailure};
use crate::doubt::Revocations;
use crate::error::Halt;
use crate::shared::Shared;
use crate::tombstones::Rows;
use crate::touches;
use crate::walk::Whose;

/// How often ids are looked for before all is copied.
const ATTEMPTS: usize = 3;
/// So few uses and doubts are copied as they are. A model checker is to see the other way.
const FEW: usize = if cfg!(sessionup_schedules) { 0 } else { 256 };

/// Which sessions are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    /// `None` for all users.
    pub(crate) user: Option<&'a UserKey>,
    /// Those with a greater id; `None` to begin with the first.
    pub(crate) after: Option<SessionId>,
    /// How many sessions are looked at, at most.
    pub(crate) at_most: usize,
}

/// A moment of the database. The database stays open as long as this is held.
pub(crate) struct Moment<'a> {
    pub(crate) transaction: ReadTransaction,
    _place: HeldPlace<'a>,
    unlisted: Vec<SessionId>,
    seen: HashMap<SessionId, Timestamp>,
    in_doubt: HashSet<SessionId>,
    /// The large deletions that were in doubt.
    pub(crate) revocations: Revocations,
    /// Whether all uses and doubts were copied, and not those of some ids alone.
    is_whole: bool,
}

impl<'a> Moment<'a> {
    /// Reads at one moment. `ids` names the sessions that were read.
    pub(crate) fn read<T>(
        shared: &'a Shared,
        scope: Scope<'_>,
        read: impl Fn(&Self) -> Result<T, Halt>,
        ids: impl Fn(&T) -> HashSet<SessionId>,
    ) -> Result<(Self, T), ReadFailure> {
        let mut known = HashSet::new();
        for _ in 0..ATTEMPTS {
            let moment = Self::begin(shared, scope, Some(&known))?;
            let found = read(&moment)?;
            let ids = ids(&found);
            if moment.is_whole || ids.is_subset(&known) {
                return Ok((moment, found));
            }
            known = ids;
        }
        // Sessions begin faster than they are read.
        let moment = Self::begin(shared, scope, None)?;
        let found = read(&moment)?;
        Ok((moment, found))
    }

    /// Begins a transaction together with a copy of what concerns some ids, or of all if there is
    /// little or no ids are given.
    fn begin(
        shared: &'a Shared,
        scope: Scope<'_>,
        known: Option<&HashSet<SessionId>>,
    ) -> Result<Self, ReadFailure> {
        let touches = shared.touches.hold();
        let place = shared.place.hold()?;
        let database = place.database()?;
        let begun = match scope.user {
            Some(user) => shared
                .unlisted
                .read(database, user, scope.after, scope.at_most),
            None => database.begin_read().map(|begun| (begun, Vec::new())),
        };
        let (transaction, unlisted) = begun.map_err(Halt::from)?;
        let doubts = shared.doubts.hold();
        let revocations = doubts.revocations();
        let is_little = touches.len() + doubts.len() <= FEW;
        let known = known.filter(|_| !is_little);
        let (seen, in_doubt) = match known {
            None => (touches.iter().collect(), doubts.iter().collect()),
            Some(known) => {
                let used = |id: &SessionId| touches.of(*id).map(|at| (*id, at));
                let in_doubt = known.iter().copied().filter(|id| doubts.contains(*id));
                (known.iter().filter_map(used).collect(), in_doubt.collect())
            }
        };
        drop((touches, doubts));
        Ok(Self {
            transaction,
            _place: place,
            unlisted,
            seen,
            in_doubt,
            revocations,
            is_whole: known.is_none(),
        })
    }

    /// Returns a user with those of their sessions that may not be listed at this moment.
    pub(crate) fn whose<'u>(&'u self, user: &'u UserKey) -> Whose<'u> {
        let unlisted = &self.unlisted;
        Whose { user, unlisted }
    }

    /// Returns the tombstones of this moment.
    pub(crate) fn tombstones(&self, shared: &Shared) -> Result<Rows, Halt> {
        let (tombstones, schema) = (&shared.tombstones, &shared.schema);
        Ok(tombstones.rows(&self.transaction, schema, &self.revocations)?)
    }

    pub(crate) fn is_in_doubt(&self, id: SessionId) -> bool {
        self.in_doubt.contains(&id)
    }

    /// Makes a record tell of its latest use.
    pub(crate) fn lay_over(&self, record: &mut Record) {
        let seen = self.seen.get(&record.session.id).copied();
        touches::lay_over(record, seen);
    }
}
