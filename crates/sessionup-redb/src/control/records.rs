//! Records for a tool, some at a time.

use sessionup_core::{SessionId, StoreError, UserKey};

use crate::control::protocol::{PIECE, PIECE_BYTES};
use crate::database::ReadFailure;
use crate::error::Halt;
use crate::moment::{Moment, Scope};
use crate::reader::answer;
use crate::shared::Shared;
use crate::walk::{self, Found, Limit, Piece};

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
        let scope = Scope {
            user: self.user,
            after: last,
            at_most: PIECE,
        };
        let find = |moment: &Moment<'_>| self.piece(shared, moment, last);
        let named = |piece: &Piece| piece.found.iter().map(|(id, _)| *id).collect();
        let (
            moment,
            Piece {
                mut found, last, ..
            },
        ) = Moment::read(shared, scope, find, named)?;
        found.retain(|(id, _)| !moment.is_in_doubt(*id));
        for record in found
            .iter_mut()
            .filter_map(|(_, record)| record.as_mut().ok())
        {
            moment.lay_over(record);
        }
        Ok((found, last))
    }

    fn piece(
        self,
        shared: &Shared,
        moment: &Moment<'_>,
        last: Option<SessionId>,
    ) -> Result<Piece, Halt> {
        let limit = Limit {
            // At least one: none is the end.
            records: self.at_most.clamp(1, PIECE),
            bytes: PIECE_BYTES,
            looks: PIECE,
        };
        let whose = self.user.map(|user| moment.whose(user));
        let (transaction, in_doubt) = (&moment.transaction, moment.revocations.clone());
        walk::piece(transaction, &shared.schema, whose, last, limit, in_doubt).map_err(Halt::Broken)
    }
}
