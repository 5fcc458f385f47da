//! Records for a tool, some at a time.
//!
//! As [`crate::listing`] does, a read transaction begins together with a copy of what records do not
//! tell: uses that are not yet written and sessions in doubt. The records are read afterwards, without
//! a lock that a request wants.

use std::collections::{HashMap, HashSet};

use redb::{ReadTransaction, ReadableDatabase};
use sessionup_core::{SessionId, StoreError, Timestamp, UserKey};

use crate::control::protocol::{PIECE, PIECE_BYTES};
use crate::database::{HeldPlace, ReadFailure};
use crate::doubt::Revocations;
use crate::error::Halt;
use crate::listing::{ATTEMPTS, FEW};
use crate::reader::answer;
use crate::shared::Shared;
use crate::touches;
use crate::walk::{self, Found, Limit, Piece, Whose};

/// Which records are read.
#[derive(Clone, Copy)]
pub(crate) struct Query<'a> {
    /// `None` for all users.
    pub(crate) user: Option<&'a UserKey>,
    pub(crate) at_most: usize,
}

impl Query<'_> {
    /// Reads some records in the order of their ids, from the first one after an id. None is the end.
    pub(crate) fn read(
        self,
        shared: &Shared,
        mut last: Option<SessionId>,
    ) -> Result<Vec<Found>, StoreError> {
        // More than one round if all of a round's have ended or are in doubt: none would be the end.
        loop {
            let (found, end) = answer(shared, self.round(shared, last))?;
            if !found.is_empty() || end == last {
                return Ok(found);
            }
            last = end;
        }
    }

    /// Reads once. Returns also the last id that was looked at.
    fn round(
        self,
        shared: &Shared,
        last: Option<SessionId>,
    ) -> Result<(Vec<Found>, Option<SessionId>), ReadFailure> {
        let mut known = HashSet::new();
        for _ in 0..ATTEMPTS {
            let moment = Moment::begin(shared, self, last, Some(&known))?;
            let piece = moment.piece(shared, self, last)?;
            let is_known = |(id, _): &Found| known.contains(id);
            if moment.is_whole || piece.found.iter().all(is_known) {
                return Ok(moment.complete(piece));
            }
            known = piece.found.iter().map(|(id, _)| *id).collect();
        }
        // Sessions begin faster than they are read. The number of uses is bounded.
        let moment = Moment::begin(shared, self, last, None)?;
        let piece = moment.piece(shared, self, last)?;
        Ok(moment.complete(piece))
    }

    fn limit(self) -> Limit {
        Limit {
            // At least one: none is the end.
            records: self.at_most.clamp(1, PIECE),
            bytes: PIECE_BYTES,
            looks: PIECE,
        }
    }
}

/// A moment of the database, and what was known besides at that moment.
struct Moment<'a> {
    _place: HeldPlace<'a>,
    transaction: ReadTransaction,
    unlisted: Vec<SessionId>,
    seen: HashMap<SessionId, Timestamp>,
    in_doubt: HashSet<SessionId>,
    revocations: Revocations,
    /// Whether all uses and doubts were copied, and not those of some ids alone.
    is_whole: bool,
}

impl<'a> Moment<'a> {
    /// Begins a transaction together with a copy of what concerns some ids, or of all if there is
    /// little or no ids are given.
    fn begin(
        shared: &'a Shared,
        query: Query<'_>,
        last: Option<SessionId>,
        known: Option<&HashSet<SessionId>>,
    ) -> Result<Self, ReadFailure> {
        let touches = shared.touches.hold();
        let place = shared.place.hold()?;
        let database = place.database()?;
        let begun = match query.user {
            // No more than this is looked at.
            Some(user) => shared.unlisted.read(database, user, last, PIECE),
            None => database.begin_read().map(|begun| (begun, Vec::new())),
        };
        let (transaction, unlisted) = begun.map_err(Halt::from)?;
        let doubts = shared.doubts.hold();
        let revocations = doubts.revocations();
        let few = touches.len() + doubts.len() <= FEW;
        let known = known.filter(|_| !few);
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
            _place: place,
            transaction,
            unlisted,
            seen,
            in_doubt,
            revocations,
            is_whole: known.is_none(),
        })
    }

    fn piece(
        &self,
        shared: &Shared,
        query: Query<'_>,
        last: Option<SessionId>,
    ) -> Result<Piece, Halt> {
        let unlisted = &self.unlisted;
        let whose = query.user.map(|user| Whose { user, unlisted });
        let in_doubt = self.revocations.clone();
        let schema = &shared.schema;
        let limit = query.limit();
        walk::piece(&self.transaction, schema, whose, last, limit, in_doubt).map_err(Halt::Broken)
    }

    /// Leaves out what is in doubt and lays uses over the rest.
    fn complete(&self, piece: Piece) -> (Vec<Found>, Option<SessionId>) {
        let mut found = piece.found;
        found.retain(|(id, _)| !self.in_doubt.contains(id));
        for (id, record) in &mut found {
            if let Ok(record) = record {
                touches::lay_over(record, self.seen.get(id).copied());
            }
        }
        (found, piece.last)
    }
}
