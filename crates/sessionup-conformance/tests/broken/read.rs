//! What may be wrong with fetch and list.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::defect::prelude::*;

const MILLISECOND: Duration = Duration::from_millis(1);

defect!(
    /// Takes a session for live at its deadline.
    FetchesAtTheDeadline {
        fetch(self, inner, id, now) {
            inner.fetch(id, now.saturating_sub(MILLISECOND)).await
        }
    }
);

defect!(
    /// Finds what was not pruned yet.
    FetchesExpired {
        fetch(self, inner, id, _now) {
            lying(inner, id).await
        }
    }
);

defect!(
    /// Looks at the absolute deadline only.
    ForgetsIdleTimeout {
        fetch(self, inner, id, now) {
            let found = lying(inner, id).await?;
            Ok(found.filter(|record| now < record.session.expires_at))
        }
    }
);

defect!(
    /// Lists one page.
    ListsAtMostHundred {
        list(self, inner, user, now) {
            let mut list = inner.list(user, now).await?;
            list.truncate(100);
            Ok(list)
        }
    }
);

defect!(
    /// Lists the users whose keys begin alike.
    ListsByPrefix(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        list(self, inner, user, now) {
            let alike = |key: &UserKey| key.as_str().starts_with(user.as_str());
            self.0.list(inner, alike, now).await
        }
    }
);

defect!(
    /// Keeps deleted sessions in its index.
    ListsDeleted(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        list(self, _inner, user, now) {
            let live = |record: &Record| {
                record.session.user_key == *user && record.session.is_live(now)
            };
            Ok(self.0.filter(live).into_iter().map(Arc::new).collect())
        }
    }
);

defect!(
    /// Lists what was not pruned yet.
    ListsExpired {
        list(self, inner, user, _now) {
            inner.list(user, BEFORE_ALL).await
        }
    }
);

defect!(
    /// Lists the users whose keys differ in case only.
    ListsInAnyCase(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        list(self, inner, user, now) {
            let alike = |key: &UserKey| key.as_str().eq_ignore_ascii_case(user.as_str());
            self.0.list(inner, alike, now).await
        }
    }
);

defect!(
    /// Lists sessions as they were created.
    ListsStale(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        list(self, inner, user, now) {
            let list = inner.list(user, now).await?;
            let stale = |record: &Arc<Record>| self.0.get(record.session.id).map(Arc::new);
            Ok(list.iter().filter_map(stale).collect())
        }
    }
);

defect!(
    /// Stops listing at the first session that has expired.
    ListsUpToTheExpired {
        list(self, inner, user, now) {
            let mut list = inner.list(user, BEFORE_ALL).await?;
            let live = list.iter().take_while(|record| record.session.is_live(now));
            list.truncate(live.count());
            Ok(list)
        }
    }
);

defect!(
    /// Orders a page by creation.
    PagesByCreation {
        list_page(self, inner, user, options, now) {
            let records = inner.list(user, now).await?;
            Ok(page_of(records, &options))
        }
    }
);

defect!(
    /// Puts what was used last first.
    PagesByLastUse {
        list_page(self, inner, user, options, now) {
            let mut page = inner.list_page(user, options, now).await?;
            page.records.sort_by_key(|record| Reverse(record.session.last_seen_at));
            Ok(page)
        }
    }
);

defect!(
    /// Lists sessions of every kind, whichever was asked for.
    PagesIgnoreKind {
        list_page(self, inner, user, options, now) {
            inner.list_page(user, options.kind(None), now).await
        }
    }
);

defect!(
    /// Takes the cursor for the first one that was not returned yet.
    PagesLoseTheFirst {
        list_page(self, inner, user, options, now) {
            let is_later = options.after.is_some();
            let mut page = inner.list_page(user, options, now).await?;
            if is_later && !page.records.is_empty() {
                page.records.remove(0);
            }
            Ok(page)
        }
    }
);

defect!(
    /// Looks for the session of the cursor, and begins with the first one if it is not there.
    PagesNeedTheirCursor {
        list_page(self, inner, user, options, now) {
            let all = inner.list(user, now).await?;
            let is_there = |after| all.iter().any(|record| record.session.id == after);
            let after = options.after.filter(|after| is_there(*after));
            inner.list_page(user, options.after(after), now).await
        }
    }
);

defect!(
    /// Adds up times that are beyond all time.
    WrapsAround {
        fetch(self, inner, id, now) {
            let found = inner.fetch(id, now).await?;
            Ok(found.filter(|record| {
                let session = &record.session;
                let idle = session.idle_timeout.unwrap_or_default().as_millis();
                let idle = i64::try_from(idle).unwrap_or(i64::MAX);
                let deadline = session.last_seen_at.as_millis().wrapping_add(idle);
                session.idle_timeout.is_none() || now.as_millis() < deadline
            }))
        }
    }
);

defect!(
    /// Begins a page with the id that comes after the cursor, also after the highest.
    PagesWrapAround {
        list_page(self, inner, user, options, now) {
            let after = options.after.map(|id| u128::from_be_bytes(*id.as_bytes()));
            let is_last = after.is_some_and(|after| after.checked_add(1).is_none());
            let after = options.after.filter(|_| !is_last);
            inner.list_page(user, options.after(after), now).await
        }
    }
);

defect!(
    /// Takes limits of 63 bits.
    PagesHaveSignedLimits {
        list_page(self, inner, user, options, now) {
            i64::try_from(options.limit.get()).map_err(StoreError::unavailable)?;
            inner.list_page(user, options, now).await
        }
    }
);

defect!(
    /// Takes a cursor for the number of sessions before it.
    PagesByPosition(Mutex<BTreeMap<SessionId, usize>>) {
        list_page(self, inner, user, options, now) {
            let position = options.after.and_then(|id| self.0.lock().unwrap().get(&id).copied());
            let Some(position) = position else {
                let page = inner.list_page(user, options, now).await?;
                let count = page.records.len();
                self.0.lock().unwrap().extend(page.next.map(|next| (next, count)));
                return Ok(page);
            };
            let mut records = inner.list(user, now).await?;
            records.sort_by_key(|record| record.session.id);
            let records = records.into_iter().skip(position).collect();
            let page = page_of(records, &options.after(None));
            let count = position + page.records.len();
            self.0.lock().unwrap().extend(page.next.map(|next| (next, count)));
            Ok(page)
        }
    }
);
