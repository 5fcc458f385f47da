//! What may be wrong with logins under way when all of a user's sessions are deleted.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::defect::prelude::*;

defect!(
    /// Asks nobody whether a login was overtaken.
    IgnoresBegun {
        create(self, inner, record, options, now) {
            inner.create(record, options.begun(None), now).await
        }
    }
);

defect!(
    /// Ends the replaced session before it asks.
    EndsTheReplacedFirst {
        create(self, inner, record, options, now) {
            if let Some(id) = options.replaces {
                inner.delete(id, None).await?;
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Knows of revocations that deleted something alone.
    CountsDeletionsOnly(Counted) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_user(self, inner, user, except) {
            let deleted = inner.delete_user(user, except).await?;
            if deleted.deleted > 0 {
                self.0.revoke(inner, user);
            }
            Ok(deleted)
        }
    }
);

defect!(
    /// Takes the end of one session for the end of all.
    CountsEveryDeletion(Counted) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete(self, inner, id, owner) {
            if let Some(record) = lying(inner, id).await? {
                self.0.revoke(inner, &record.session.user_key);
            }
            inner.delete(id, owner).await
        }
        delete_user(self, inner, user, except) {
            self.0.revoke(inner, user);
            inner.delete_user(user, except).await
        }
    }
);

defect!(
    /// Refuses the logins of everybody.
    OvertakesEverybody {
        create(self, inner, record, options, now) {
            if options.begun.is_some_and(|begun| begun != inner.epoch()) {
                return Err(StoreError::Overtaken);
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Refuses logins for ever after.
    NeverForgets {
        create(self, inner, record, options, now) {
            if options.begun.is_some() && inner.epoch().count() > 0 {
                return Err(StoreError::Overtaken);
            }
            inner.create(record, options, now).await
        }
    }
);

defect!(
    /// Trusts the moments of other stores.
    TakesAnyMoment {
        create(self, inner, record, options, now) {
            let own = |begun: Epoch| Epoch::new(inner.epoch().instance(), begun.count());
            let begun = options.begun.map(own);
            inner.create(record, options.begun(begun), now).await
        }
    }
);

defect!(
    /// Asks whether a login was overtaken, and makes it later.
    AsksThenCreates {
        create(self, inner, record, options, now) {
            let mut probe = record.clone();
            probe.session.id = SessionId::from_bytes([0xee; 16]);
            inner.create(probe, options.replacing(None), now).await?;
            inner.delete(SessionId::from_bytes([0xee; 16]), None).await?;
            yield_now().await;
            inner.create(record, options.begun(None), now).await
        }
    }
);

defect!(
    /// Takes the latest revocation of anybody for that of the user.
    TellsOfOthers {
        delete_user(self, inner, user, except) {
            let previous = inner.epoch();
            let right = inner.delete_user(user, except).await?;
            Ok(UserDeleted::new(right.deleted, previous, right.epoch))
        }
    }
);

defect!(
    /// Does not know of the revocation before.
    ForgetsTheOneBefore {
        delete_user(self, inner, user, except) {
            let right = inner.delete_user(user, except).await?;
            let opened = Epoch::new(right.epoch.instance(), 0);
            Ok(UserDeleted::new(right.deleted, opened, right.epoch))
        }
    }
);

/// A record of revocations of its own, kept by moments of the store.
#[derive(Debug, Default)]
pub(crate) struct Counted(Mutex<BTreeMap<String, u64>>);

impl Counted {
    fn revoke(&self, inner: &MemoryStore, user: &UserKey) {
        let count = inner.epoch().count();
        self.0.lock().unwrap().insert(user.as_str().into(), count);
    }

    async fn create(
        &self,
        inner: &MemoryStore,
        record: Record,
        options: CreateOptions,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let user = record.session.user_key.as_str();
        let revoked = self.0.lock().unwrap().get(user).copied();
        let is_before = |begun: Epoch| revoked.is_some_and(|count| begun.count() <= count);
        if options.begun.is_some_and(is_before) {
            return Err(StoreError::Overtaken);
        }
        inner.create(record, options.begun(None), now).await
    }
}
