//! What a store is asked, and what it answers.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::client::Client;
use crate::store::Epoch;
use crate::store::StoreError;
use crate::{
    Meta, MetaChange, MetaError, Record, Replaced, SecretHash, Session, SessionId, Timestamp,
};

/// How a record is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOptions {
    /// A session that ends in the same step, whoever's it is; none if it is not there.
    pub replaces: Option<SessionId>,
    /// How many live sessions of its kind the user may have, the new one included.
    pub limit: Option<SessionLimit>,
    /// When the login began; `None` if it does not matter what was revoked since.
    pub begun: Option<Epoch>,
}

impl CreateOptions {
    /// Ends a session in the same step.
    #[must_use]
    pub fn replacing(mut self, id: Option<SessionId>) -> Self {
        self.replaces = id;
        self
    }

    /// Limits the user's live sessions.
    #[must_use]
    pub fn limited(mut self, limit: Option<SessionLimit>) -> Self {
        self.limit = limit;
        self
    }

    /// Refuses the session if all of the user's were revoked after that moment.
    #[must_use]
    pub fn begun(mut self, epoch: Option<Epoch>) -> Self {
        self.begun = epoch;
        self
    }
}

/// How many live sessions of one kind a user may have, and what gives way when there would be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionLimit {
    /// Most live sessions of one user and kind.
    pub max: NonZeroU32,
    /// What happens to the session that would be one too many.
    pub policy: LimitPolicy,
}

/// What happens when a user would have more sessions than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitPolicy {
    /// End the session that was unused for longest.
    EvictLeastRecentlySeen,
    /// End the session that was made first.
    EvictOldest,
    /// Refuse the new session.
    Refuse,
}

impl SessionLimit {
    /// Allows `max` live sessions.
    #[must_use]
    pub const fn new(max: NonZeroU32, policy: LimitPolicy) -> Self {
        Self { max, policy }
    }

    /// Chooses which of a user's live sessions must go before another is made.
    ///
    /// `live` holds all of the new one's kind but the one that is replaced. Ties go by creation,
    /// then by id.
    ///
    /// # Errors
    ///
    /// [`StoreError::LimitReached`] if the policy is to refuse.
    pub fn make_room<'a>(
        &self,
        live: impl IntoIterator<Item = &'a Session>,
    ) -> Result<Vec<SessionId>, StoreError> {
        let mut live: Vec<_> = live.into_iter().collect();
        let keep = usize::try_from(self.max.get() - 1).unwrap_or(usize::MAX);
        let surplus = live.len().saturating_sub(keep);
        if surplus == 0 {
            return Ok(Vec::new());
        }
        match self.policy {
            LimitPolicy::Refuse => return Err(StoreError::LimitReached { limit: self.max }),
            LimitPolicy::EvictOldest => live.sort_by_key(|s| (s.created_at, s.id)),
            LimitPolicy::EvictLeastRecentlySeen => {
                live.sort_by_key(|s| (s.last_seen_at, s.created_at, s.id));
            }
        }
        Ok(live.iter().take(surplus).map(|s| s.id).collect())
    }
}

/// What came of a create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Created {
    /// Whether a record was there to be replaced, live or expired.
    pub replaced: bool,
    /// The sessions that gave way to the limit, in no order.
    pub evicted: Vec<SessionId>,
}

impl Created {
    /// Tells what came of a create.
    #[must_use]
    pub fn new(replaced: bool, evicted: Vec<SessionId>) -> Self {
        Self { replaced, evicted }
    }
}

/// What to change on a live record. What is not named stays.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// When the user last proved who they are.
    pub authenticated_at: Option<Timestamp>,
    /// The client from now on.
    pub client: Option<Client>,
    /// The absolute deadline from now on.
    pub expires_at: Option<Timestamp>,
    /// The moment of the latest use. It only ever moves forward.
    pub last_seen_at: Option<Timestamp>,
    /// Entries to set and to remove.
    pub meta: MetaChange,
    /// The change is made only while these are the record's entries: for whoever worked the new
    /// ones out from the old ones.
    pub meta_was: Option<Meta>,
    /// A new secret in place of an old one.
    pub secret: Option<SecretChange>,
}

/// A new secret in place of an old one.
///
/// The change is made only while the record still holds the old one, so of two renewals at once the
/// second finds that its token is dead instead of bringing it back to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecretChange {
    /// What the record must hold now.
    pub from: SecretHash,
    /// What it holds afterwards.
    pub to: SecretHash,
    /// What is known of a former secret from now on; `None` leaves it as it is.
    pub replaced: Option<Replaced>,
    /// What must be known of a former secret now; `None` for whatever it is.
    pub replaced_was: Option<Replaced>,
}

impl SecretChange {
    /// Makes a change of secret that leaves what is known of a former one.
    #[must_use]
    pub const fn new(from: SecretHash, to: SecretHash) -> Self {
        Self {
            from,
            to,
            replaced: None,
            replaced_was: None,
        }
    }

    /// Says what is known of a former secret from now on.
    #[must_use]
    pub const fn replacing(mut self, replaced: Replaced) -> Self {
        self.replaced = Some(replaced);
        self
    }
}

impl Change {
    /// Makes a change that records a use.
    #[must_use]
    pub fn touch(at: Timestamp) -> Self {
        Self {
            last_seen_at: Some(at),
            ..Self::default()
        }
    }

    /// Makes a change of entries.
    #[must_use]
    pub fn meta(meta: MetaChange) -> Self {
        Self {
            meta,
            ..Self::default()
        }
    }

    /// Makes a change of secret.
    #[must_use]
    pub fn renew(from: SecretHash, to: SecretHash) -> Self {
        Self {
            secret: Some(SecretChange::new(from, to)),
            ..Self::default()
        }
    }

    /// Returns the moment of use if the change records nothing else.
    ///
    /// Such a change may be written late or be lost: it can only shorten a session's life.
    #[must_use]
    pub fn as_touch(&self) -> Option<Timestamp> {
        match self {
            Self {
                authenticated_at: None,
                client: None,
                expires_at: None,
                last_seen_at,
                meta,
                meta_was: None,
                secret: None,
            } if meta.is_empty() => *last_seen_at,
            _ => None,
        }
    }

    /// Carries the change out on a copy of a record. `None` if secret or meta are no longer those
    /// that the change starts from.
    ///
    /// # Errors
    ///
    /// [`MetaError`] if the entries would pass a bound.
    pub fn apply(&self, record: &Record) -> Result<Option<Record>, MetaError> {
        let Self {
            authenticated_at,
            client,
            expires_at,
            last_seen_at,
            meta,
            meta_was,
            secret,
        } = self;

        if meta_was
            .as_ref()
            .is_some_and(|meta| *meta != record.session.meta)
        {
            return Ok(None);
        }
        let mut changed = record.clone();
        if let Some(SecretChange {
            from,
            to,
            replaced,
            replaced_was,
        }) = secret
        {
            let is_as_it_was = replaced_was.is_none() || *replaced_was == record.replaced;
            if record.secret_hash != *from || !is_as_it_was {
                return Ok(None);
            }
            changed.secret_hash = *to;
            changed.replaced = replaced.or(record.replaced);
        }
        let session = &mut changed.session;
        session.meta.merge(meta)?;
        if let Some(at) = authenticated_at {
            session.authenticated_at = *at;
        }
        if let Some(client) = client {
            session.client = client.clone();
        }
        if let Some(at) = expires_at {
            session.expires_at = *at;
        }
        if let Some(at) = last_seen_at {
            session.last_seen_at = session.last_seen_at.max(*at);
        }
        Ok(Some(changed))
    }
}

/// What came of a deletion of a user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserDeleted {
    /// How many records were deleted.
    pub deleted: u64,
    /// The moment before which logins of this user were refused until now: that of the deletion
    /// before this one, as far as the store remembers.
    pub previous: Epoch,
    /// The moment of this deletion. Logins of this user that began earlier are refused from now on.
    pub epoch: Epoch,
}

impl UserDeleted {
    /// Tells what came of a deletion.
    #[must_use]
    pub const fn new(deleted: u64, previous: Epoch, epoch: Epoch) -> Self {
        Self {
            deleted,
            previous,
            epoch,
        }
    }
}

/// What came of a deletion of all sessions of a user but one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OthersDeleted {
    /// How many records were deleted, the one that could not be kept included.
    pub deleted: u64,
    /// [`UserDeleted::previous`].
    pub previous: Epoch,
    /// [`UserDeleted::epoch`].
    pub epoch: Epoch,
    /// The session that was kept, as it is afterwards; `None` if it could not be kept.
    pub kept: Option<Arc<Record>>,
}

impl OthersDeleted {
    /// Tells what came of a deletion.
    #[must_use]
    pub const fn new(deleted: UserDeleted, kept: Option<Arc<Record>>) -> Self {
        let UserDeleted {
            deleted,
            previous,
            epoch,
        } = deleted;
        Self {
            deleted,
            previous,
            epoch,
            kept,
        }
    }
}

/// What came of a prune.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// How many records were deleted.
    pub deleted: u64,
    /// Whether the bound was met before the end: expired records may remain.
    pub more: bool,
}

impl Pruned {
    /// Tells what came of a prune.
    #[must_use]
    pub const fn new(deleted: u64, more: bool) -> Self {
        Self { deleted, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserKey;

    fn session(id: u8, created: i64, seen: i64) -> Session {
        let mut session = Session::new(
            SessionId::from_bytes([id; 16]),
            UserKey::new("ann").unwrap(),
            Timestamp::from_millis(created),
            Timestamp::MAX,
        );
        session.last_seen_at = Timestamp::from_millis(seen);
        session
    }

    #[test]
    fn room_is_made_as_the_policy_says() {
        use LimitPolicy::{EvictLeastRecentlySeen, EvictOldest, Refuse};
        // Made 1, 2, 3; last used in the order 2, 3, 1.
        let live = [session(1, 10, 90), session(2, 20, 20), session(3, 30, 30)];
        let cases = [
            ("room left", 4, EvictOldest, Some(vec![])),
            ("one too many, oldest", 3, EvictOldest, Some(vec![1])),
            ("limit was lowered", 1, EvictOldest, Some(vec![1, 2, 3])),
            (
                "least recently seen",
                3,
                EvictLeastRecentlySeen,
                Some(vec![2]),
            ),
            ("two of them", 2, EvictLeastRecentlySeen, Some(vec![2, 3])),
            ("refuse with room", 4, Refuse, Some(vec![])),
            ("refuse", 3, Refuse, None),
        ];
        for (name, max, policy, expected) in cases {
            let limit = SessionLimit::new(NonZeroU32::new(max).unwrap(), policy);
            let evicted = limit.make_room(&live).ok();
            let ids = |ids: Vec<u8>| -> Vec<_> {
                ids.into_iter()
                    .map(|id| SessionId::from_bytes([id; 16]))
                    .collect()
            };
            assert_eq!(evicted, expected.map(ids), "{name}");
        }
    }

    fn record() -> Record {
        Record::new(session(1, 10, 50), SecretHash::from_bytes([1; 32]))
    }

    #[test]
    fn change_leaves_what_it_does_not_name() {
        let record = record();
        assert_eq!(Change::default().apply(&record).unwrap(), Some(record));
    }

    #[test]
    fn last_seen_never_moves_back() {
        let earlier = Change::touch(Timestamp::from_millis(49));
        let changed = earlier.apply(&record()).unwrap().unwrap();
        assert_eq!(changed.session.last_seen_at, Timestamp::from_millis(50));
    }

    #[test]
    fn secret_is_changed_only_from_the_one_it_replaces() {
        let (old, new) = (
            SecretHash::from_bytes([1; 32]),
            SecretHash::from_bytes([2; 32]),
        );
        let renewed = Change::renew(old, new).apply(&record()).unwrap().unwrap();
        assert_eq!(renewed.secret_hash, new);
        assert_eq!(Change::renew(old, new).apply(&renewed).unwrap(), None);
    }

    #[test]
    fn only_a_touch_is_a_touch() {
        let at = Timestamp::from_millis(1);
        assert_eq!(Change::touch(at).as_touch(), Some(at));
        assert_eq!(Change::default().as_touch(), None);
        type Add = fn(&mut Change);
        let more: [(&str, Add); 6] = [
            ("authenticated", |c| {
                c.authenticated_at = Some(Timestamp::MIN)
            }),
            ("client", |c| c.client = Some(Client::default())),
            ("deadline", |c| c.expires_at = Some(Timestamp::MAX)),
            ("meta", |c| c.meta = MetaChange::new().remove("a")),
            ("meta was", |c| c.meta_was = Some(Meta::new())),
            ("secret", |c| {
                let hash = SecretHash::from_bytes([1; 32]);
                c.secret = Some(SecretChange::new(hash, hash));
            }),
        ];
        for (name, add) in more {
            let mut more = Change::touch(at);
            add(&mut more);
            assert_eq!(more.as_touch(), None, "{name}");
        }
    }

    #[test]
    fn former_secret_stays_known_until_another_one_is() {
        let hash = |n| SecretHash::from_bytes([n; 32]);
        let replaced = Replaced::new(hash(1), Timestamp::from_millis(7));
        let renew = |from, to| SecretChange::new(hash(from), hash(to));
        let apply = |record: &Record, secret| {
            let change = Change {
                secret: Some(secret),
                ..Change::default()
            };
            change.apply(record).unwrap().unwrap()
        };

        let renewed = apply(&record(), renew(1, 2).replacing(replaced));
        assert_eq!(renewed.replaced, Some(replaced));
        assert_eq!(apply(&renewed, renew(2, 2)).replaced, Some(replaced));
        let touched = Change::touch(Timestamp::MAX).apply(&renewed);
        assert_eq!(touched.unwrap().unwrap().replaced, Some(replaced));
    }

    #[test]
    fn meta_that_was_worked_out_from_old_entries_is_not_set() {
        let meta = |n: u8| MetaChange::new().set("n", n).unwrap();
        let old = Change::meta(meta(1)).apply(&record()).unwrap().unwrap();
        let mut change = Change::meta(meta(2));
        change.meta_was = Some(old.session.meta.clone());

        let new = change.apply(&old).unwrap().unwrap();

        assert_eq!(new.session.meta.get::<u8>("n").unwrap(), Some(2));
        assert_eq!(change.apply(&new).unwrap(), None);
        assert_eq!(change.apply(&record()).unwrap(), None);
    }
}
