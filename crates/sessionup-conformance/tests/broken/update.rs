//! What may be wrong with an update.

use std::time::Duration;

use crate::defect::prelude::*;

defect!(
    /// Answers with the record as it was.
    AnswersTheFormerRecord {
        update(self, inner, id, change, now) {
            let former = inner.fetch(id, now).await?;
            let updated = inner.update(id, change, now).await?;
            Ok(updated.and(former))
        }
    }
);

defect!(
    /// Changes the user's other sessions as well.
    ChangesTheOthersToo {
        update(self, inner, id, change, now) {
            let updated = inner.update(id, change.clone(), now).await?;
            let mut rest = change;
            rest.secret = None;
            if let Some(record) = &updated {
                for other in inner.list(&record.session.user_key, now).await? {
                    inner.update(other.session.id, rest.clone(), now).await?;
                }
            }
            Ok(updated)
        }
    }
);

defect!(
    /// Makes the rest of a change whose meta it refuses.
    ChangesWhatItRefuses {
        update(self, inner, id, change, now) {
            let mut rest = change.clone();
            rest.meta = MetaChange::new();
            match inner.update(id, change, now).await {
                Err(refused) => {
                    inner.update(id, rest, now).await?;
                    Err(refused)
                }
                updated => updated,
            }
        }
    }
);

defect!(
    /// Lets activity move the absolute deadline.
    ExtendsTheDeadline {
        update(self, inner, id, change, now) {
            let mut change = change;
            if let Some(seen) = change.as_touch() {
                change.expires_at = Some(seen.saturating_add(Duration::from_secs(86_400)));
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Answers a touch and does not keep it.
    ForgetsTouches {
        update(self, inner, id, change, now) {
            if change.as_touch().is_none() {
                return inner.update(id, change, now).await;
            }
            let found = inner.fetch(id, now).await?;
            Ok(found.and_then(|record| applied(&change, &record)).map(Arc::new))
        }
    }
);

defect!(
    /// Does not change the client.
    IgnoresClient {
        update(self, inner, id, change, now) {
            let mut change = change;
            change.client = None;
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Renews from any hash.
    IgnoresStaleHash {
        update(self, inner, id, change, now) {
            let mut change = change;
            if let (Some(secret), Some(record)) = (&mut change.secret, lying(inner, id).await?) {
                secret.from = record.secret_hash;
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Makes a session where there is none.
    Inserts {
        update(self, inner, id, change, now) {
            if lying(inner, id).await?.is_none() {
                let user = UserKey::new("ann").unwrap();
                let session = Session::new(id, user, now, Timestamp::MAX);
                overwrite(inner, Record::new(session, SecretHash::from_bytes([0; 32]))).await?;
                return Ok(None);
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Sets entries and removes none.
    KeepsRemovedEntries {
        update(self, inner, id, change, now) {
            let Some(former) = inner.fetch(id, now).await? else {
                return Ok(None);
            };
            let updated = inner.update(id, change, now).await?;
            for (name, value) in former.session.meta.iter() {
                let removed = |record: &Arc<Record>| record.session.meta.value(name).is_none();
                if updated.as_ref().is_some_and(removed) {
                    let kept = MetaChange::new().set(name, value).unwrap();
                    inner.update(id, Change::meta(kept), now).await?;
                }
            }
            Ok(updated)
        }
    }
);

defect!(
    /// Merges values, where only entries are to be merged.
    MergesValues {
        update(self, inner, id, change, now) {
            let Some(former) = inner.fetch(id, now).await? else {
                return Ok(None);
            };
            let updated = inner.update(id, change, now).await?;
            for (name, value) in former.session.meta.iter() {
                let new = updated.as_ref().and_then(|r| r.session.meta.value(name)?.as_object());
                if let (Some(old), Some(new)) = (value.as_object(), new) {
                    let mut both = old.clone();
                    both.extend(new.clone());
                    let both = MetaChange::new().set(name, both).unwrap();
                    inner.update(id, Change::meta(both), now).await?;
                }
            }
            Ok(updated)
        }
    }
);

defect!(
    /// Keeps the moment of use that was told last.
    MovesLastSeenBack {
        update(self, inner, id, change, now) {
            let updated = inner.update(id, change.clone(), now).await?;
            let (Some(record), Some(seen)) = (&updated, change.last_seen_at) else {
                return Ok(updated);
            };
            let mut record = (**record).clone();
            record.session.last_seen_at = seen;
            overwrite(inner, record.clone()).await?;
            Ok(Some(Arc::new(record)))
        }
    }
);

defect!(
    /// Changes what was not pruned yet.
    ReachesExpired {
        update(self, inner, id, change, _now) {
            inner.update(id, change, BEFORE_ALL).await
        }
    }
);

defect!(
    /// Writes back what it has read, come what may.
    ReadsThenUpserts {
        update(self, inner, id, change, now) {
            let Some(read) = inner.fetch(id, now).await? else {
                return Ok(None);
            };
            yield_now().await;
            let Some(changed) = applied(&change, &read) else {
                return inner.update(id, change, now).await;
            };
            overwrite(inner, changed.clone()).await?;
            Ok(Some(Arc::new(changed)))
        }
    }
);

defect!(
    /// Writes back what it has read, unless the session is gone by then.
    ReadsThenWrites {
        update(self, inner, id, change, now) {
            let Some(read) = inner.fetch(id, now).await? else {
                return Ok(None);
            };
            yield_now().await;
            let Some(changed) = applied(&change, &read) else {
                return inner.update(id, change, now).await;
            };
            if !inner.delete(id, None).await? {
                return Ok(None);
            }
            overwrite(inner, changed.clone()).await?;
            Ok(Some(Arc::new(changed)))
        }
    }
);

defect!(
    /// Begins the lifetime anew with a new secret.
    RenewsTheDeadline {
        update(self, inner, id, change, now) {
            let mut change = change;
            if change.secret.is_some() {
                change.expires_at = Some(now.saturating_add(Duration::from_secs(86_400)));
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Keeps only the entries that a change names.
    ReplacesMeta {
        update(self, inner, id, change, now) {
            if !change.meta.is_empty()
                && let Some(record) = inner.fetch(id, now).await?
            {
                let names = record.session.meta.iter().map(|(name, _)| name);
                let removed = names.fold(MetaChange::new(), MetaChange::remove);
                inner.update(id, Change::meta(removed), now).await?;
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Brings back what was deleted.
    Revives(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        update(self, inner, id, change, now) {
            if lying(inner, id).await?.is_none()
                && let Some(former) = self.0.get(id)
            {
                overwrite(inner, former).await?;
                return inner.update(id, change, BEFORE_ALL).await;
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Makes the rest of a change whose hash is stale.
    StaleRenewalChangesTheRest {
        update(self, inner, id, change, now) {
            let mut rest = change.clone();
            rest.secret = None;
            let updated = inner.update(id, change, now).await?;
            if updated.is_none() {
                inner.update(id, rest, now).await?;
            }
            Ok(updated)
        }
    }
);

defect!(
    /// Writes entry by entry.
    WritesOneByOne {
        update(self, inner, id, change, now) {
            let Some(read) = inner.fetch(id, now).await? else {
                return Ok(None);
            };
            let Some(changed) = applied(&change, &read) else {
                return inner.update(id, change, now).await;
            };
            for (name, value) in &changed.session.meta {
                let one = MetaChange::new().set(name, value).unwrap();
                inner.update(id, Change::meta(one), now).await?;
                yield_now().await;
            }
            inner.update(id, change, now).await
        }
    }
);

fn applied(change: &Change, record: &Record) -> Option<Record> {
    change.apply(record).ok().flatten()
}

defect!(
    /// Forgets the former secret with the next change.
    ForgetsTheFormerSecret {
        update(self, inner, id, change, now) {
            let is_named = change.secret.is_some_and(|secret| secret.replaced.is_some());
            let Some(record) = inner.update(id, change, now).await? else {
                return Ok(None);
            };
            if is_named {
                return Ok(Some(record));
            }
            let mut record = (*record).clone();
            record.replaced = None;
            overwrite(inner, record).await?;
            inner.fetch(id, now).await
        }
    }
);

defect!(
    /// Does not note that the user proved who they are.
    IgnoresAuthentication {
        update(self, inner, id, change, now) {
            let mut change = change;
            change.authenticated_at = None;
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Sets entries whatever they were worked out from.
    IgnoresOldMeta {
        update(self, inner, id, change, now) {
            let mut change = change;
            change.meta_was = None;
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Renews whatever is known of the former secret.
    IgnoresFormerSecret {
        update(self, inner, id, change, now) {
            let mut change = change;
            if let Some(secret) = &mut change.secret {
                secret.replaced_was = None;
            }
            inner.update(id, change, now).await
        }
    }
);

defect!(
    /// Makes every session one of the usual kind.
    ForgetsTheKind {
        update(self, inner, id, change, now) {
            let Some(record) = inner.update(id, change, now).await? else {
                return Ok(None);
            };
            let mut record = (*record).clone();
            record.session.kind = Kind::USER;
            overwrite(inner, record).await?;
            inner.fetch(id, now).await
        }
    }
);
