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

defect!(
    /// Asks for logins of the usual kind alone.
    OvertakesOneKind {
        create(self, inner, record, options, now) {
            let is_asked = record.session.kind == Kind::USER;
            let begun = options.begun.filter(|_| is_asked);
            inner.create(record, options.begun(begun), now).await
        }
    }
);

defect!(
    /// Overtakes no login when the others are deleted.
    OthersOvertakeNothing {
        delete_others(self, inner, user, id, change, now) {
            delete_others_quietly(inner, user, id, change, now).await
        }
    }
);

defect!(
    /// Overtakes logins only if there was another one to delete.
    OthersOvertakeIfDeleted {
        delete_others(self, inner, user, id, change, now) {
            let all = inner.list(user, BEFORE_ALL).await?;
            if all.iter().all(|record| record.session.id == id) {
                return delete_others_quietly(inner, user, id, change, now).await;
            }
            inner.delete_others(user, id, change, now).await
        }
    }
);

defect!(
    /// Takes the latest revocation of anybody for that of the user.
    OthersTellOfAnybody {
        delete_others(self, inner, user, id, change, now) {
            let previous = inner.epoch();
            let mut right = inner.delete_others(user, id, change, now).await?;
            right.previous = previous;
            Ok(right)
        }
    }
);

defect!(
    /// Does not know of the revocation before.
    OthersForgetTheOneBefore {
        delete_others(self, inner, user, id, change, now) {
            let mut right = inner.delete_others(user, id, change, now).await?;
            right.previous = Epoch::new(right.epoch.instance(), 0);
            Ok(right)
        }
    }
);

defect!(
    /// Overtakes no login when all are deleted.
    AllOvertakesNothing(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let mut deleted = 0;
            for record in self.0.list(inner, |_| true, BEFORE_ALL).await? {
                deleted += u64::from(inner.delete(record.session.id, None).await?);
            }
            Ok(deleted)
        }
    }
);

defect!(
    /// Overtakes the logins of users who had sessions.
    AllOvertakesUsersWithSessions(Remembered) {
        create(self, inner, record, options, now) {
            self.0.create(inner, record, options, now).await
        }
        delete_all(self, inner) {
            let mut deleted = 0;
            for record in self.0.list(inner, |_| true, BEFORE_ALL).await? {
                let user = &record.session.user_key;
                deleted += inner.delete_user(user, &[]).await?.deleted;
            }
            Ok(deleted)
        }
    }
);

defect!(
    /// Tells of deletions of the same user alone.
    AllIsNotToldOf(Mutex<BTreeMap<String, u64>>) {
        delete_user(self, inner, user, except) {
            let right = inner.delete_user(user, except).await?;
            let count = right.epoch.count();
            let before = self.0.lock().unwrap().insert(user.as_str().into(), count);
            let previous = Epoch::new(right.epoch.instance(), before.unwrap_or(0));
            Ok(UserDeleted::new(right.deleted, previous, right.epoch))
        }
    }
);

/// Deletes the others in many steps and overtakes no login.
async fn delete_others_quietly(
    inner: &MemoryStore,
    user: &UserKey,
    id: SessionId,
    change: Change,
    now: Timestamp,
) -> Result<OthersDeleted, StoreError> {
    let found = inner.fetch(id, now).await?;
    let kept = match found.filter(|record| record.session.user_key == *user) {
        Some(_) => inner.update(id, change, now).await?,
        None => None,
    };
    let mut deleted = 0;
    for record in inner.list(user, BEFORE_ALL).await? {
        if kept.is_none() || record.session.id != id {
            deleted += u64::from(inner.delete(record.session.id, None).await?);
        }
    }
    let deleted = UserDeleted::new(deleted, inner.epoch(), inner.epoch());
    Ok(OthersDeleted::new(deleted, kept))
}

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
