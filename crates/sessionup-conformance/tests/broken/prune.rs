//! What may be wrong with a prune.

use std::sync::Mutex;
use std::time::Duration;

use crate::defect::prelude::*;

defect!(
    /// Takes bounds of 63 bits.
    BoundsAreSigned {
        prune(self, inner, now, at_most) {
            i64::try_from(at_most).map_err(StoreError::unavailable)?;
            inner.prune(now, at_most).await
        }
    }
);

defect!(
    /// Never says that more remain.
    ForgetsMore {
        prune(self, inner, now, at_most) {
            let pruned = inner.prune(now, at_most).await?;
            Ok(Pruned::new(pruned.deleted, false))
        }
    }
);

defect!(
    /// Knows the deadline that a session was made with, and no other.
    GoesByTheFirstDeadline(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        prune(self, inner, now, at_most) {
            let mut pruned = Pruned::default();
            for record in self.0.filter(|record| !record.session.is_live(now)) {
                if pruned.deleted == at_most as u64 {
                    pruned.more |= lying(inner, record.session.id).await?.is_some();
                } else {
                    let deleted = inner.delete(record.session.id, None).await?;
                    pruned.deleted += u64::from(deleted);
                }
            }
            Ok(pruned)
        }
    }
);

defect!(
    /// Deletes all that has expired at once.
    IgnoresBound {
        prune(self, inner, now, _at_most) {
            inner.prune(now, usize::MAX).await
        }
    }
);

defect!(
    /// Files a deadline and never takes it out again, nor looks at whose it is.
    LeavesDeadlinesFiled(Mutex<Vec<(Timestamp, SessionId)>>) {
        create(self, inner, record, options, now) {
            let filed = (record.session.deadline(), record.session.id);
            let created = inner.create(record, options, now).await?;
            self.0.lock().unwrap().push(filed);
            Ok(created)
        }
        prune(self, inner, now, at_most) {
            let filed = self.0.lock().unwrap().clone();
            let mut deleted = 0;
            for (_, id) in filed.iter().filter(|(deadline, _)| *deadline <= now) {
                if deleted == at_most as u64 {
                    return Ok(Pruned::new(deleted, true));
                }
                deleted += u64::from(inner.delete(*id, None).await?);
            }
            Ok(Pruned::new(deleted, false))
        }
    }
);

defect!(
    /// Always says that more remain.
    NeverEnds {
        prune(self, inner, now, at_most) {
            let pruned = inner.prune(now, at_most).await?;
            Ok(Pruned::new(pruned.deleted, true))
        }
    }
);

defect!(
    /// Deletes one millisecond before the deadline.
    PrunesEarly {
        prune(self, inner, now, at_most) {
            inner.prune(now.saturating_add(Duration::from_millis(1)), at_most).await
        }
    }
);

defect!(
    /// Deletes one millisecond after the deadline.
    PrunesLate {
        prune(self, inner, now, at_most) {
            inner.prune(now.saturating_sub(Duration::from_millis(1)), at_most).await
        }
    }
);

defect!(
    /// Deletes all that has expired, and says that it stopped at the bound.
    PrunesMoreThanItSays {
        prune(self, inner, now, at_most) {
            let pruned = inner.prune(now, usize::MAX).await?;
            let bound = at_most as u64;
            Ok(Pruned::new(pruned.deleted.min(bound), pruned.deleted > bound))
        }
    }
);

defect!(
    /// Looks at the bound after the first deletion.
    PrunesOneOfNone {
        prune(self, inner, now, at_most) {
            let pruned = inner.prune(now, at_most.max(1)).await?;
            Ok(Pruned::new(pruned.deleted.min(at_most as u64), pruned.more))
        }
    }
);

defect!(
    /// Deletes what expires within a day.
    PrunesTheLive {
        prune(self, inner, now, at_most) {
            inner.prune(now.saturating_add(Duration::from_secs(86_400)), at_most).await
        }
    }
);

defect!(
    /// Looks for what has expired, counts it, and deletes it later.
    ScansThenDeletes(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        prune(self, inner, now, at_most) {
            let mut expired = Vec::new();
            for record in self.0.list(inner, |_| true, BEFORE_ALL).await? {
                if !record.session.is_live(now) {
                    expired.push(record.session.id);
                }
            }
            yield_now().await;
            for id in expired.iter().take(at_most) {
                inner.delete(*id, None).await?;
            }
            let count = expired.len();
            Ok(Pruned::new(count.min(at_most) as u64, count > at_most))
        }
    }
);

defect!(
    /// Looks at so many that may have expired, and at none beyond if they have not.
    StopsAtTheTouched(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        prune(self, inner, now, at_most) {
            let mut filed = self.0.filter(|record| !record.session.is_live(now));
            filed.sort_by_key(|record| record.session.deadline());
            let mut pruned = Pruned::default();
            for record in filed.iter().take(at_most) {
                let id = record.session.id;
                if inner.fetch(id, now).await?.is_none() {
                    pruned.deleted += u64::from(inner.delete(id, None).await?);
                }
            }
            pruned.more = pruned.deleted > 0;
            Ok(pruned)
        }
    }
);

defect!(
    /// Deletes sessions of the usual kind alone.
    PrunesOneKind(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        prune(self, inner, now, at_most) {
            let mut others = self.0.list(inner, |_| true, BEFORE_ALL).await?;
            others.retain(|record| record.session.kind != Kind::USER);
            for record in &others {
                inner.delete(record.session.id, None).await?;
            }
            let pruned = inner.prune(now, at_most).await?;
            for record in others {
                overwrite(inner, (*record).clone()).await?;
            }
            Ok(pruned)
        }
    }
);
