//! Sessions that are changed.

use std::num::NonZeroUsize;

use futures_executor::block_on;
use futures_util::future::join_all;
use sessionup_core::{SessionId, Store, StoreExt, Timestamp, UserKey};
use sessionup_redb::RedbStore;

use super::server::Server;
use crate::failure::Failure;

/// Sessions that can be changed. What is answered is on the disk.
#[derive(Debug)]
pub(crate) enum Changes {
    Store(RedbStore),
    Server(Server),
}

impl Changes {
    /// Ends sessions; says how many were there. If it fails, some of them have ended.
    pub(crate) fn end(&self, ids: &[SessionId]) -> Result<u64, Failure> {
        // For one commit to take many, and a request not to be too long.
        const AT_ONCE: usize = 256;
        let mut ended = 0;
        for ids in ids.chunks(AT_ONCE) {
            match self {
                Self::Server(server) => ended += server.delete_many(ids)?,
                Self::Store(store) => {
                    let ending = ids.iter().map(|id| store.delete(*id, None));
                    for was_there in block_on(join_all(ending)) {
                        ended += u64::from(was_there?);
                    }
                }
            }
        }
        Ok(ended)
    }

    /// Ends the sessions of a user but some, and refuses logins of the user that are under way; says how
    /// many ended.
    pub(crate) fn end_user(&self, user: &UserKey, except: &[SessionId]) -> Result<u64, Failure> {
        Ok(match self {
            Self::Store(store) => block_on(store.delete_user(user, except))?.deleted,
            Self::Server(server) => server.delete_user(user, except)?,
        })
    }

    /// Ends the sessions of all users in one step, and refuses all logins that are under way; says how
    /// many ended.
    pub(crate) fn end_all(&self) -> Result<u64, Failure> {
        Ok(match self {
            Self::Store(store) => block_on(store.delete_all())?,
            Self::Server(server) => server.delete_all()?,
        })
    }

    /// Says by which time may be deleted what has ended: `now`, or when the clock has jumped since the
    /// sessions were last used, the time before that. A server sees to that itself.
    pub(crate) fn safe_to_prune(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Store(store) => store.watermark().observe(now).prune_up_to,
            Self::Server(_) => now,
        }
    }

    /// Deletes what has ended; says how many. A server goes by its own clock.
    pub(crate) fn prune(&self, now: Timestamp) -> Result<u64, Failure> {
        const BATCH: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
        match self {
            Self::Store(store) => Ok(block_on(store.prune_all(now, BATCH))?),
            Self::Server(server) => {
                let mut deleted = 0;
                loop {
                    let pruned = server.prune(BATCH.get())?;
                    deleted += pruned.deleted;
                    if !pruned.more {
                        return Ok(deleted);
                    }
                }
            }
        }
    }

    /// Returns when the file is free, if it was opened here.
    pub(crate) fn close(self) {
        match self {
            Self::Store(store) => block_on(store.close()),
            Self::Server(_) => {}
        }
    }
}
