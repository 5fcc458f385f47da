//! What may be wrong with a limit.

use std::cmp::Reverse;

use sessionup_core::LimitPolicy;

use crate::defect::prelude::*;

defect!(
    /// Looks for room, and writes later.
    ChecksLimitThenInserts {
        create(self, inner, record, options, now) {
            let surplus = surplus(inner, &record, options, now).await?;
            yield_now().await;
            insert(inner, record, options, now, surplus).await
        }
    }
);

defect!(
    /// Counts the users whose keys begin alike.
    CountsByPrefix(Remembered) {
        create(self, inner, record, options, now) {
            let Some(limit) = options.limit else {
                return self.0.create(inner, record, options, now).await;
            };
            let user = record.session.user_key.clone();
            let alike = |key: &UserKey| key.as_str().starts_with(user.as_str());
            let live = self.0.list(inner, alike, now).await?;
            let others = live.iter().map(|record| &record.session);
            let others = others.filter(|session| Some(session.id) != options.replaces);
            insert(inner, record, options, now, limit.make_room(others)?).await
        }
    }
);

defect!(
    /// Counts expired records.
    CountsExpired {
        create(self, inner, record, options, _now) {
            inner.create(record, options, BEFORE_ALL).await
        }
    }
);

defect!(
    /// Counts the session that is replaced.
    CountsReplaced {
        create(self, inner, record, options, now) {
            let created = inner.create(record, options.replacing(None), now).await?;
            let replaced = match options.replaces {
                Some(replaced) => inner.delete(replaced, None).await?,
                None => false,
            };
            Ok(Created::new(replaced, created.evicted))
        }
    }
);

defect!(
    /// Evicts before it looks whether the id is free.
    EvictsForDuplicates {
        create(self, inner, record, options, now) {
            let surplus = surplus(inner, &record, options, now).await?;
            for id in &surplus {
                inner.delete(*id, None).await?;
            }
            insert(inner, record, options, now, surplus).await
        }
    }
);

defect!(
    /// Evicts one where several are too many.
    EvictsOne {
        create(self, inner, record, options, now) {
            let mut surplus = surplus(inner, &record, options, now).await?;
            surplus.truncate(1);
            insert(inner, record, options, now, surplus).await
        }
    }
);

defect!(
    /// Does not say whom it evicted.
    EvictsSilently {
        create(self, inner, record, options, now) {
            let created = inner.create(record, options, now).await?;
            Ok(Created::new(created.replaced, Vec::new()))
        }
    }
);

defect!(
    /// Evicts from the wrong end.
    EvictsTheNewest {
        create(self, inner, record, options, now) {
            let count = surplus(inner, &record, options, now).await?.len();
            let live = inner.list(&record.session.user_key, now).await?;
            let newest = live.iter().rev().map(|record| record.session.id);
            insert(inner, record, options, now, newest.take(count).collect()).await
        }
    }
);

defect!(
    /// Takes no notice of uses.
    EvictsTheOldestAlways {
        create(self, inner, record, options, now) {
            let mut options = options;
            if let Some(limit) = &mut options.limit
                && limit.policy == LimitPolicy::EvictLeastRecentlySeen
            {
                limit.policy = LimitPolicy::EvictOldest;
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Evicts from the wrong end of those that are alike.
    EvictsTiesInReverse {
        create(self, inner, record, options, now) {
            let count = surplus(inner, &record, options, now).await?.len();
            let live = inner.list(&record.session.user_key, now).await?;
            let mut live: Vec<_> = live.iter().map(|record| &record.session).collect();
            live.retain(|session| Some(session.id) != options.replaces);
            live.sort_by_key(|session| Reverse((session.created_at, session.id)));
            match options.limit.map(|limit| limit.policy) {
                Some(LimitPolicy::EvictOldest) => live.sort_by_key(|s| s.created_at),
                _ => live.sort_by_key(|s| s.last_seen_at),
            }
            let evicted = live.iter().map(|session| session.id).take(count).collect();
            insert(inner, record, options, now, evicted).await
        }
    }
);

defect!(
    /// Knows no limit.
    IgnoresLimit {
        create(self, inner, record, options, now) {
            inner.create(record, options.limited(None), now).await
        }
    }
);

defect!(
    /// Stops one short of the limit.
    LeavesNoRoom {
        create(self, inner, record, options, now) {
            let lower = |limit: SessionLimit| {
                let max = std::num::NonZeroU32::new(limit.max.get() - 1).unwrap_or(limit.max);
                SessionLimit::new(max, limit.policy)
            };
            inner.create(record, options.limited(options.limit.map(lower)), now).await
        }
    }
);

defect!(
    /// Counts sessions of every kind.
    CountsEveryKind {
        create(self, inner, record, options, now) {
            let Some(limit) = options.limit else {
                return inner.create(record, options, now).await;
            };
            let live = inner.list(&record.session.user_key, now).await?;
            let others = live.iter().map(|record| &record.session);
            let others = others.filter(|session| Some(session.id) != options.replaces);
            insert(inner, record, options, now, limit.make_room(others)?).await
        }
    }
);

defect!(
    /// Takes it that the replaced session makes room, whatever its kind.
    TakesReplacedForRoom {
        create(self, inner, record, options, now) {
            let mut options = options;
            if let (Some(limit), Some(replaced)) = (&mut options.limit, options.replaces)
                && let Some(replaced) = inner.fetch(replaced, now).await?
                && replaced.session.kind != record.session.kind
            {
                limit.max = limit.max.saturating_add(1);
            }
            inner.create(record, options, now).await
        }
    }
);

/// Whom the limit would evict.
async fn surplus(
    inner: &MemoryStore,
    record: &Record,
    options: CreateOptions,
    now: Timestamp,
) -> Result<Vec<SessionId>, StoreError> {
    let Some(limit) = options.limit else {
        return Ok(Vec::new());
    };
    let live = inner.list(&record.session.user_key, now).await?;
    let others = live
        .iter()
        .map(|record| &record.session)
        .filter(|session| Some(session.id) != options.replaces)
        .filter(|session| session.kind == record.session.kind);
    limit.make_room(others)
}

/// Creates without a limit, then evicts.
async fn insert(
    inner: &MemoryStore,
    record: Record,
    options: CreateOptions,
    now: Timestamp,
    evicted: Vec<SessionId>,
) -> Result<Created, StoreError> {
    let created = inner.create(record, options.limited(None), now).await?;
    for id in &evicted {
        inner.delete(*id, None).await?;
    }
    Ok(Created::new(created.replaced, evicted))
}
