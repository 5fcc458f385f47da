//! What may be wrong with delete_others.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::defect::prelude::*;

defect!(
    /// Answers with the kept session as it was.
    OthersAnswerTheFormerRecord {
        delete_others(self, inner, user, id, change, now) {
            let former = inner.fetch(id, now).await?;
            let mut right = inner.delete_others(user, id, change, now).await?;
            right.kept = right.kept.and(former);
            Ok(right)
        }
    }
);

defect!(
    /// Keeps the session and does not change it.
    OthersIgnoreTheChange {
        delete_others(self, inner, user, id, change, now) {
            let former = inner.fetch(id, now).await?;
            let right = inner.delete_others(user, id, change, now).await?;
            if let (Some(former), Some(_)) = (former, &right.kept) {
                overwrite(inner, (*former).clone()).await?;
            }
            Ok(right)
        }
    }
);

defect!(
    /// Keeps the moment of use that the change names.
    OthersMoveLastSeenBack {
        delete_others(self, inner, user, id, change, now) {
            let seen = change.last_seen_at;
            let mut right = inner.delete_others(user, id, change, now).await?;
            if let (Some(kept), Some(seen)) = (&right.kept, seen) {
                let mut record = (**kept).clone();
                record.session.last_seen_at = seen;
                overwrite(inner, record.clone()).await?;
                right.kept = Some(Arc::new(record));
            }
            Ok(right)
        }
    }
);

defect!(
    /// Deletes one page of the others.
    OthersOfOnePage {
        delete_others(self, inner, user, id, change, now) {
            let others = others(inner, user, id).await?;
            let left: Vec<_> = others.into_iter().skip(1_000).collect();
            spare(inner, user, id, change, now, left).await
        }
    }
);

defect!(
    /// Counts the kept session with the deleted ones.
    OthersCountTheKept {
        delete_others(self, inner, user, id, change, now) {
            let mut right = inner.delete_others(user, id, change, now).await?;
            right.deleted += u64::from(right.kept.is_some());
            Ok(right)
        }
    }
);

defect!(
    /// Leaves the deadline that the kept session had in its index.
    OthersLeaveTheFormerDeadline(Mutex<Vec<(Timestamp, SessionId)>>) {
        delete_others(self, inner, user, id, change, now) {
            if let Some(former) = inner.fetch(id, now).await? {
                self.0.lock().unwrap().push((former.session.deadline(), id));
            }
            inner.delete_others(user, id, change, now).await
        }
        prune(self, inner, now, at_most) {
            let mut pruned = inner.prune(now, at_most).await?;
            let filed = self.0.lock().unwrap().clone();
            for (deadline, id) in filed {
                if deadline <= now {
                    pruned.deleted += u64::from(inner.delete(id, None).await?);
                }
            }
            Ok(pruned)
        }
    }
);

defect!(
    /// Changes the kept session once and never again.
    OthersFreezeTheKept(Mutex<BTreeSet<SessionId>>) {
        delete_others(self, inner, user, id, change, now) {
            self.0.lock().unwrap().insert(id);
            inner.delete_others(user, id, change, now).await
        }
        update(self, inner, id, change, now) {
            if self.0.lock().unwrap().contains(&id) {
                return Ok(None);
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Deletes nothing if the session to keep is not there.
    OthersSpareAllIfAbsent {
        delete_others(self, inner, user, id, change, now) {
            if lying(inner, id).await?.is_none() {
                let all = others(inner, user, id).await?;
                return spare(inner, user, id, change, now, all).await;
            }
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Keeps a session that has expired but still lies there.
    OthersKeepExpired {
        delete_others(self, inner, user, id, change, _now) {
            inner.delete_others(user, id, change, BEFORE_ALL).await
        }
    }
);

defect!(
    /// Keeps the session for whoever names it.
    OthersKeepForeign {
        delete_others(self, inner, user, id, change, now) {
            let foreign = inner.fetch(id, now).await?;
            let foreign = foreign.filter(|record| record.session.user_key != *user);
            let mut right = inner.delete_others(user, id, change.clone(), now).await?;
            if foreign.is_some() {
                right.kept = inner.update(id, change, now).await?;
            }
            Ok(right)
        }
    }
);

defect!(
    /// Deletes the named session if it cannot be kept, whoever's it is.
    OthersDeleteForeign {
        delete_others(self, inner, user, id, change, now) {
            let right = inner.delete_others(user, id, change, now).await?;
            if right.kept.is_none() {
                inner.delete(id, None).await?;
            }
            Ok(right)
        }
    }
);

defect!(
    /// Changes the session whatever the change starts from.
    OthersIgnoreWhatItWas {
        delete_others(self, inner, user, id, change, now) {
            let mut change = change;
            change.meta_was = None;
            if let (Some(secret), Some(record)) = (&mut change.secret, lying(inner, id).await?) {
                secret.from = record.secret_hash;
                secret.replaced_was = None;
            }
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Leaves a session as it is that is no longer as the change starts from.
    OthersKeepTheChangedAsItIs {
        delete_others(self, inner, user, id, change, now) {
            let found = inner.fetch(id, now).await?;
            let own = found.filter(|record| record.session.user_key == *user);
            if own.is_some_and(|record| matches!(change.apply(&record), Ok(None))) {
                return inner.delete_others(user, id, Change::default(), now).await;
            }
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Deletes the others before it looks at the entries.
    OthersDeleteThoughRefused {
        delete_others(self, inner, user, id, change, now) {
            let answer = inner.delete_others(user, id, change, now).await;
            if answer.is_err() {
                for other in others(inner, user, id).await? {
                    inner.delete(other, None).await?;
                }
            }
            answer
        }
    }
);

defect!(
    /// Overtakes logins before it looks at the entries.
    OthersOvertakeThoughRefused {
        delete_others(self, inner, user, id, change, now) {
            let answer = inner.delete_others(user, id, change, now).await;
            if answer.is_err() {
                let mut all = others(inner, user, id).await?;
                all.push(id);
                inner.delete_user(user, &all).await?;
            }
            answer
        }
    }
);

defect!(
    /// Measures entries before it removes any.
    OthersRemoveEntriesLast {
        delete_others(self, inner, user, id, change, now) {
            if let Some(record) = inner.fetch(id, now).await?
                && !change.meta.is_empty()
            {
                let mut meta = record.session.meta.clone();
                meta.insert("one more", 1).map_err(StoreError::InvalidMeta)?;
            }
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Leaves expired records.
    OthersLeaveExpired {
        delete_others(self, inner, user, id, change, now) {
            let mut expired = others(inner, user, id).await?;
            let live = inner.list(user, now).await?;
            expired.retain(|id| live.iter().all(|record| record.session.id != *id));
            spare(inner, user, id, change, now, expired).await
        }
    }
);

defect!(
    /// Deletes the others of the same kind.
    OthersOfOneKind {
        delete_others(self, inner, user, id, change, now) {
            let kind = inner.fetch(id, now).await?.map(|record| record.session.kind.clone());
            let all = inner.list(user, BEFORE_ALL).await?;
            let spared = all.iter().map(|record| &record.session);
            let spared = spared.filter(|session| kind.as_ref().is_some_and(|k| *k != session.kind));
            let spared = spared.map(|session| session.id).collect();
            spare(inner, user, id, change, now, spared).await
        }
    }
);

defect!(
    /// Keeps sessions of the usual kind alone.
    OthersKeepUsersOnly {
        delete_others(self, inner, user, id, change, now) {
            let right = inner.delete_others(user, id, change, now).await?;
            if right.kept.as_ref().is_some_and(|record| record.session.kind != Kind::USER) {
                inner.delete(id, None).await?;
                return Ok(OthersDeleted::new(
                    UserDeleted::new(right.deleted + 1, right.previous, right.epoch),
                    None,
                ));
            }
            Ok(right)
        }
    }
);

defect!(
    /// Deletes those of the users whose keys begin alike.
    OthersByPrefix(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_others(self, inner, user, id, change, now) {
            let alike = |key: &UserKey| key.as_str().starts_with(user.as_str());
            let found = self.0.list(inner, alike, BEFORE_ALL).await?;
            let mut right = inner.delete_others(user, id, change, now).await?;
            for record in found.iter().filter(|record| record.session.user_key != *user) {
                right.deleted += u64::from(inner.delete(record.session.id, None).await?);
            }
            Ok(right)
        }
    }
);

defect!(
    /// Remembers the others, and does not let them in again.
    OthersKeepTombstones(Mutex<BTreeSet<SessionId>>) {
        create(self, inner, record, options, now) {
            if self.0.lock().unwrap().contains(&record.session.id) {
                return Err(StoreError::DuplicateId);
            }
            inner.create(record, options, now).await
        }
        delete_others(self, inner, user, id, change, now) {
            let others = others(inner, user, id).await?;
            self.0.lock().unwrap().extend(others);
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Deletes the others, and changes the kept one later.
    OthersDeleteThenChange {
        delete_others(self, inner, user, id, change, now) {
            if !applies(inner, user, id, &change, now).await? {
                return inner.delete_others(user, id, change, now).await;
            }
            let deleted = inner.delete_user(user, &[id]).await?;
            yield_now().await;
            let kept = inner.update(id, change, now).await?;
            Ok(OthersDeleted::new(deleted, kept))
        }
    }
);

defect!(
    /// Changes the kept one, and deletes the others later.
    OthersChangeThenDelete {
        delete_others(self, inner, user, id, change, now) {
            if !applies(inner, user, id, &change, now).await? {
                return inner.delete_others(user, id, change, now).await;
            }
            let kept = inner.update(id, change, now).await?;
            yield_now().await;
            let deleted = inner.delete_user(user, &[id]).await?;
            Ok(OthersDeleted::new(deleted, kept))
        }
    }
);

defect!(
    /// Writes back the kept session as it was when it was read.
    OthersReadThenWrite {
        delete_others(self, inner, user, id, change, now) {
            let read = inner.fetch(id, now).await?;
            if !applies(inner, user, id, &change, now).await? {
                return inner.delete_others(user, id, change, now).await;
            }
            yield_now().await;
            let deleted = inner.delete_user(user, &[id]).await?;
            let kept = read.and_then(|read| change.apply(&read).ok().flatten());
            if let Some(kept) = &kept {
                overwrite(inner, kept.clone()).await?;
            }
            Ok(OthersDeleted::new(deleted, kept.map(Arc::new)))
        }
    }
);

defect!(
    /// Counts, and deletes later.
    OthersCountThenDelete {
        delete_others(self, inner, user, id, change, now) {
            let count = others(inner, user, id).await?.len() as u64;
            yield_now().await;
            let mut right = inner.delete_others(user, id, change, now).await?;
            right.deleted = count;
            Ok(right)
        }
    }
);

/// The other records of the user, live or expired.
async fn others(
    inner: &MemoryStore,
    user: &UserKey,
    id: SessionId,
) -> Result<Vec<SessionId>, StoreError> {
    let all = inner.list(user, BEFORE_ALL).await?;
    let ids = all.iter().map(|record| record.session.id);
    Ok(ids.filter(|other| *other != id).collect())
}

async fn applies(
    inner: &MemoryStore,
    user: &UserKey,
    id: SessionId,
    change: &Change,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let found = inner.fetch(id, now).await?;
    let own = found.filter(|record| record.session.user_key == *user);
    Ok(own.is_some_and(|record| matches!(change.apply(&record), Ok(Some(_)))))
}

/// Deletes the others as it should be but for some.
async fn spare(
    inner: &MemoryStore,
    user: &UserKey,
    id: SessionId,
    change: Change,
    now: Timestamp,
    spared: Vec<SessionId>,
) -> Result<OthersDeleted, StoreError> {
    let mut records = Vec::new();
    for spared in spared {
        records.extend(lying(inner, spared).await?);
    }
    let mut right = inner.delete_others(user, id, change, now).await?;
    for record in records {
        if lying(inner, record.session.id).await?.is_none() {
            overwrite(inner, (*record).clone()).await?;
            right.deleted -= 1;
        }
    }
    Ok(right)
}
