//! Counting what a large deletion ended, on a thread that reads.
//!
//! Its records are still there right after its commit: what the writer begins to read then has all of
//! them.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};
use sessionup_core::store::StoreError;
use sessionup_core::{SessionId, UserKey};

use crate::error::Halt;
use crate::queue::Room;
use crate::reader;
use crate::shared::Shared;
use crate::sync::{Mutex, PoisonError};

/// Whose sessions are to be counted, and what their number says.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    pub(crate) users: Vec<UserKey>,
    pub(crate) means: Means,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Means {
    /// All of them ended but so many.
    AllBut(u64),
    /// So many records ended besides.
    Besides(u64),
}

/// What is read of the sessions of a user.
struct Sessions {
    user: UserKey,
    transaction: ReadTransaction,
    unlisted: Vec<SessionId>,
}

impl Counting {
    /// Counts what is there now, and passes on how many sessions ended. The writer calls this right
    /// after the commit, and need not wait.
    pub(super) fn begin(
        self,
        shared: &Shared,
        then: impl FnOnce(Result<u64, StoreError>) + Send + 'static,
    ) {
        let means = self.means;
        let sessions: Result<Vec<_>, StoreError> = self
            .users
            .into_iter()
            .map(|user| Sessions::of(shared, user))
            .collect();
        let sessions = match sessions {
            Ok(sessions) => sessions,
            Err(error) => return then(Err(StoreError::outcome_unknown(error))),
        };
        let count = move |shared: &Shared| then(count(shared, &sessions, means));
        // Whoever finds the queue full or closed counts here.
        let work = Arc::new(Mutex::new(Some(count)));
        let queued = Arc::clone(&work);
        let pushed = shared.reads.push(
            Box::new(move |shared| {
                if let Some(work) = take(&queued) {
                    work(shared);
                }
            }),
            Room::Reserved,
        );
        if pushed.is_err()
            && let Some(work) = take(&work)
        {
            work(shared);
        }
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Sessions {
    fn of(shared: &Shared, user: UserKey) -> Result<Self, StoreError> {
        let read = shared.place.read(|database| {
            let read = shared.unlisted.read(database, &user, None, usize::MAX);
            read.map_err(Halt::from)
        });
        let (transaction, unlisted) = reader::answer(shared, read)?;
        Ok(Self {
            user,
            transaction,
            unlisted,
        })
    }

    fn count(&self, shared: &Shared) -> Result<u64, redb::Error> {
        let by_user = self.transaction.open_table(shared.schema.by_user())?;
        let sessions = self.transaction.open_table(shared.schema.sessions())?;
        let user = self.user.as_str().as_bytes();
        let range = (user, &[0; 16])..=(user, &[0xff; 16]);
        let mut count = 0;
        for entry in ReadableTable::range::<(&[u8], &[u8; 16])>(&by_user, range)? {
            entry?;
            count += 1;
        }
        for id in &self.unlisted {
            let is_listed = ReadableTable::get(&by_user, (user, id.as_bytes()))?.is_some();
            let is_there = ReadableTable::get(&sessions, id.as_bytes())?.is_some();
            count += u64::from(is_there && !is_listed);
        }
        Ok(count)
    }
}

fn count(shared: &Shared, sessions: &[Sessions], means: Means) -> Result<u64, StoreError> {
    let mut all = 0;
    for sessions in sessions {
        // The deletion happened whether or not it can be counted.
        all += sessions
            .count(shared)
            .map_err(StoreError::outcome_unknown)?;
    }
    Ok(match means {
        Means::AllBut(kept) => all.saturating_sub(kept),
        Means::Besides(records) => records.saturating_sub(all),
    })
}
