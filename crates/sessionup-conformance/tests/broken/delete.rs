//! What may be wrong with delete and delete_user.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::defect::prelude::*;

defect!(
    /// Looks whether the session is there, and deletes later.
    ChecksThenDeletes {
        delete(self, inner, id, owner) {
            let there = lying(inner, id).await?.is_some_and(|record| {
                owner.is_none_or(|owner| *owner == record.session.user_key)
            });
            yield_now().await;
            if there {
                inner.delete(id, None).await?;
            }
            Ok(there)
        }
    }
);

defect!(
    /// Counts, and deletes later.
    CountsThenDeletes {
        delete_user(self, inner, user, except) {
            let all = inner.list(user, BEFORE_ALL).await?;
            let ending = all.iter().filter(|record| !except.contains(&record.session.id));
            let count = ending.count() as u64;
            yield_now().await;
            told(inner.delete_user(user, except).await?, count)
        }
    }
);

defect!(
    /// Deletes the users whose keys begin alike.
    DeletesByPrefix(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_user(self, inner, user, except) {
            let alike = |key: &UserKey| key.as_str().starts_with(user.as_str());
            let ids = ids(&self.0.list(inner, alike, BEFORE_ALL).await?, except);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Takes a user key for a pattern.
    DeletesLike(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_user(self, inner, user, except) {
            let alike = |key: &UserKey| {
                let (key, pattern) = (key.as_str(), user.as_str());
                let matches = |(k, p): (char, char)| k == p || p == '_';
                key.chars().count() == pattern.chars().count()
                    && key.chars().zip(pattern.chars()).all(matches)
            };
            let ids = ids(&self.0.list(inner, alike, BEFORE_ALL).await?, except);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Leaves expired records, by the latest time that it was told.
    DeletesLiveOnly(AtomicI64) {
        list(self, inner, user, now) {
            self.0.fetch_max(now.as_millis(), Ordering::SeqCst);
            inner.list(user, now).await
        }
        delete(self, inner, id, owner) {
            let now = Timestamp::from_millis(self.0.load(Ordering::SeqCst));
            if inner.fetch(id, now).await?.is_none() {
                return Ok(false);
            }
            inner.delete(id, owner).await
        }
        delete_user(self, inner, user, except) {
            let now = Timestamp::from_millis(self.0.load(Ordering::SeqCst));
            let ids = ids(&inner.list(user, now).await?, except);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Deletes in many steps.
    DeletesOneByOne {
        delete_user(self, inner, user, except) {
            let mut deleted = 0;
            for id in ids(&inner.list(user, BEFORE_ALL).await?, except) {
                deleted += u64::from(inner.delete(id, None).await?);
                yield_now().await;
            }
            of_none(inner, user, deleted).await
        }
    }
);

defect!(
    /// Deletes one page.
    DeletesOnePage {
        delete_user(self, inner, user, except) {
            let mut ids = ids(&inner.list(user, BEFORE_ALL).await?, except);
            ids.truncate(1_000);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Leaves the deadlines of many sessions filed, and counts them with the next prune.
    LeavesDeadlinesOfMany(Mutex<BTreeSet<SessionId>>) {
        delete_user(self, inner, user, except) {
            let ids = ids(&inner.list(user, BEFORE_ALL).await?, except);
            if ids.len() > 1_000 {
                self.0.lock().unwrap().extend(&ids);
            }
            inner.delete_user(user, except).await
        }
        prune(self, inner, now, at_most) {
            let mut pruned = inner.prune(now, at_most).await?;
            let filed = std::mem::take(&mut *self.0.lock().unwrap());
            pruned.deleted += u64::from(!filed.is_empty() && at_most > 0);
            Ok(pruned)
        }
    }
);

defect!(
    /// Deletes ten.
    DeletesPart {
        delete_user(self, inner, user, except) {
            let mut ids = ids(&inner.list(user, BEFORE_ALL).await?, except);
            ids.truncate(10);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Takes a session out of the index, and deletes it later.
    HidesThenDeletes(Mutex<BTreeSet<SessionId>>) {
        list(self, inner, user, now) {
            let mut list = inner.list(user, now).await?;
            let hidden = self.0.lock().unwrap();
            list.retain(|record| !hidden.contains(&record.session.id));
            Ok(list)
        }
        delete(self, inner, id, owner) {
            let found = lying(inner, id).await?;
            if found.is_none_or(|record| owner.is_some_and(|o| *o != record.session.user_key)) {
                return Ok(false);
            }
            self.0.lock().unwrap().insert(id);
            yield_now().await;
            let deleted = inner.delete(id, owner).await;
            self.0.lock().unwrap().remove(&id);
            deleted
        }
    }
);

defect!(
    /// Deletes what was to be kept.
    IgnoresExcept {
        delete_user(self, inner, user, _except) {
            inner.delete_user(user, &[]).await
        }
    }
);

defect!(
    /// Deletes for anybody.
    IgnoresOwner {
        delete(self, inner, id, _owner) {
            inner.delete(id, None).await
        }
    }
);

defect!(
    /// Deletes none where some are to be kept.
    KeepsAllIfExcepting {
        delete_user(self, inner, user, except) {
            if except.is_empty() {
                return inner.delete_user(user, except).await;
            }
            of_none(inner, user, 0).await
        }
    }
);

defect!(
    /// Remembers whom it has deleted, and does not let them in again.
    KeepsTombstones(Mutex<BTreeSet<SessionId>>) {
        create(self, inner, record, options, now) {
            if self.0.lock().unwrap().contains(&record.session.id) {
                return Err(StoreError::DuplicateId);
            }
            inner.create(record, options, now).await
        }
        delete_user(self, inner, user, except) {
            let ids = ids(&inner.list(user, BEFORE_ALL).await?, except);
            self.0.lock().unwrap().extend(&ids);
            delete_each(inner, user, &ids).await
        }
    }
);

defect!(
    /// Deletes for nobody in particular only.
    RefusesOwners {
        delete(self, inner, id, owner) {
            if owner.is_some() {
                return Ok(false);
            }
            inner.delete(id, owner).await
        }
    }
);

defect!(
    /// Says that it deleted, whether or not it did.
    SaysItDeleted {
        delete(self, inner, id, owner) {
            inner.delete(id, owner).await?;
            Ok(true)
        }
    }
);

defect!(
    /// Takes each exception for a session of the user.
    SubtractsExceptions {
        delete_user(self, inner, user, except) {
            let all = inner.list(user, BEFORE_ALL).await?.len();
            let right = inner.delete_user(user, except).await?;
            told(right, all.saturating_sub(except.len()) as u64)
        }
    }
);

defect!(
    /// Deletes sessions of the usual kind alone.
    DeletesOneKind {
        delete(self, inner, id, owner) {
            if lying(inner, id).await?.is_some_and(|record| record.session.kind != Kind::USER) {
                return Ok(false);
            }
            inner.delete(id, owner).await
        }
    }
);

defect!(
    /// Deletes the user's sessions of the usual kind alone.
    DeletesUserOfOneKind {
        delete_user(self, inner, user, except) {
            let mut records = inner.list(user, BEFORE_ALL).await?;
            records.retain(|record| record.session.kind == Kind::USER);
            delete_each(inner, user, &ids(&records, except)).await
        }
    }
);

fn ids(records: &[Arc<Record>], except: &[SessionId]) -> Vec<SessionId> {
    let ids = records.iter().map(|record| record.session.id);
    ids.filter(|id| !except.contains(id)).collect()
}

async fn delete_each(
    inner: &MemoryStore,
    user: &UserKey,
    ids: &[SessionId],
) -> Result<UserDeleted, StoreError> {
    let mut deleted = 0;
    for id in ids {
        deleted += u64::from(inner.delete(*id, None).await?);
    }
    of_none(inner, user, deleted).await
}

/// Tells of a deletion that was made in another way.
async fn of_none(
    inner: &MemoryStore,
    user: &UserKey,
    deleted: u64,
) -> Result<UserDeleted, StoreError> {
    let all = ids(&inner.list(user, BEFORE_ALL).await?, &[]);
    told(inner.delete_user(user, &all).await?, deleted)
}

/// Says another number.
fn told(right: UserDeleted, deleted: u64) -> Result<UserDeleted, StoreError> {
    Ok(UserDeleted::new(deleted, right.previous, right.epoch))
}
