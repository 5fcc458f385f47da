//! What may be wrong with delete_all.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::defect::prelude::*;

defect!(
    /// Deletes one page.
    AllOfOnePage(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let records = self.0.list(inner, |_| true, BEFORE_ALL).await?;
            let left = records.into_iter().skip(1_000).collect();
            spare(inner, left).await
        }
    }
);

defect!(
    /// Deletes those of users whose keys are made of letters and digits.
    AllOfPlainUsers(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == ' ';
            let is_odd = |user: &UserKey| !user.as_str().chars().all(is_plain);
            spare(inner, self.0.list(inner, is_odd, BEFORE_ALL).await?).await
        }
    }
);

defect!(
    /// Deletes those of the usual kind.
    AllOfOneKind(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let mut records = self.0.list(inner, |_| true, BEFORE_ALL).await?;
            records.retain(|record| record.session.kind != Kind::USER);
            spare(inner, records).await
        }
    }
);

#[derive(Debug, Default)]
pub(crate) struct LatestTime {
    records: Remembered,
    now: AtomicI64,
}

defect!(
    /// Leaves expired records, by the latest time that it was told.
    AllOfTheLive(LatestTime) {
        create(self, inner, record, options, now) {
            self.0.records.create(inner, record, options, now).await
        }
        list(self, inner, user, now) {
            self.0.now.fetch_max(now.as_millis(), Ordering::SeqCst);
            inner.list(user, now).await
        }
        delete_all(self, inner) {
            let now = Timestamp::from_millis(self.0.now.load(Ordering::SeqCst));
            let mut records = self.0.records.list(inner, |_| true, BEFORE_ALL).await?;
            records.retain(|record| !record.session.is_live(now));
            spare(inner, records).await
        }
    }
);

defect!(
    /// Says that it deleted one where there was none.
    AllSaysAtLeastOne {
        delete_all(self, inner) {
            Ok(inner.delete_all().await?.max(1))
        }
    }
);

defect!(
    /// Remembers whom it has deleted, and does not let them in again.
    AllKeepsTombstones(Mutex<(BTreeSet<SessionId>, BTreeSet<SessionId>)>) {
        create(self, inner, record, options, now) {
            let id = record.session.id;
            if self.0.lock().unwrap().1.contains(&id) {
                return Err(StoreError::DuplicateId);
            }
            let created = inner.create(record, options, now).await?;
            self.0.lock().unwrap().0.insert(id);
            Ok(created)
        }
        delete_all(self, inner) {
            {
                let mut ids = self.0.lock().unwrap();
                let created = std::mem::take(&mut ids.0);
                ids.1.extend(created);
            }
            inner.delete_all().await
        }
    }
);

defect!(
    /// Deletes those of one user after the other.
    AllUserByUser(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let mut deleted = 0;
            for record in self.0.list(inner, |_| true, BEFORE_ALL).await? {
                let user = &record.session.user_key;
                deleted += inner.delete_user(user, &[]).await?.deleted;
                yield_now().await;
            }
            Ok(deleted + inner.delete_all().await?)
        }
    }
);

defect!(
    /// Counts, and deletes later.
    AllCountsThenDeletes(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let count = self.0.list(inner, |_| true, BEFORE_ALL).await?.len() as u64;
            yield_now().await;
            inner.delete_all().await?;
            Ok(count)
        }
    }
);

/// Deletes all as it should be but for some.
async fn spare(inner: &MemoryStore, spared: Vec<Arc<Record>>) -> Result<u64, StoreError> {
    let deleted = inner.delete_all().await?;
    for record in &spared {
        overwrite(inner, (**record).clone()).await?;
    }
    Ok(deleted - spared.len() as u64)
}
