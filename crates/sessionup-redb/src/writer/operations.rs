//! The operations of callers, as they are carried out within a transaction.

use std::collections::HashSet;
use std::sync::Arc;

use sessionup_core::store::Epochs;
use sessionup_core::{
    Change, CreateOptions, Created, OthersDeleted, Record, Session, SessionId, SessionLimit,
    StoreError, Timestamp, UserDeleted, UserKey, is_seeded,
};

use crate::doubt::Doubts;
use crate::error::Halt;
use crate::shared::Shared;
use crate::tombstones::{Revocation, Target};
use crate::writer::counting::{Counting, Means};
use crate::writer::operation::Operation;
use crate::writer::tables::{Found, Tables, report_damage};

#[derive(Debug)]
pub(crate) struct Create {
    pub(crate) record: Record,
    pub(crate) options: CreateOptions,
    pub(crate) now: Timestamp,
    pub(crate) epochs: Arc<Epochs>,
}

impl Operation for Create {
    type Answer = Created;

    fn wants_room(&self) -> bool {
        true
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Created, Halt> {
        if tables.contains(self.record.session.id)? {
            if !is_seeded!(Upsert) {
                return Err(StoreError::DuplicateId.into());
            }
            tables.remove(self.record.session.id, None)?;
        }
        let user = &self.record.session.user_key;
        let allows = |begun| self.epochs.allows(begun, user);
        if !self.options.begun.is_none_or(allows) && !is_seeded!(EpochIgnored) {
            return Err(StoreError::Overtaken.into());
        }
        let evicted = match self.options.limit {
            Some(limit) => self.evicted(limit, tables)?,
            None => Vec::new(),
        };
        // From here on nothing is refused.
        for id in &evicted {
            tables.remove(*id, Some(&self.record.session.user_key))?;
        }
        let replaced = match self.options.replaces {
            Some(id) => tables.remove(id, None)?,
            None => false,
        };
        // A use of this session waits until it is there.
        tables.touches.fence(&[self.record.session.id]);
        #[cfg(sessionup_defects)]
        if replaced && is_seeded!(DeleteBeforeCreate) {
            crate::seeded::insert_later(&self.record);
            return Ok(Created::new(replaced, evicted));
        }
        tables.insert(&self.record)?;
        Ok(Created::new(replaced, evicted))
    }
}

impl Create {
    /// Chooses who must go. Uses that come in meanwhile wait until it is done.
    fn evicted(&self, limit: SessionLimit, tables: &Tables<'_>) -> Result<Vec<SessionId>, Halt> {
        let mut ids = tables.ids_of(&self.record.session.user_key)?;
        ids.retain(|id| Some(*id) != self.options.replaces);
        // Even if all of them were live and of its kind.
        if ids.len() < usize::try_from(limit.max.get()).unwrap_or(usize::MAX) {
            return Ok(Vec::new());
        }
        tables.touches.fence(&ids);
        let mut live = Vec::<Session>::new();
        for id in ids {
            match tables.find(id)? {
                Some(Found::Whole(stored))
                    if stored.record.session.is_live(self.now)
                        && stored.record.session.kind == self.record.session.kind =>
                {
                    live.push(stored.record.session);
                }
                // Nobody is logged in by it, and it keeps nobody from logging in.
                Some(Found::Damaged(error)) => report_damage(id, &error),
                Some(Found::Whole(_)) | None => {}
            }
        }
        Ok(limit.make_room(&live)?)
    }
}

#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) id: SessionId,
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
}

impl Operation for Update {
    type Answer = Option<Arc<Record>>;

    fn wants_room(&self) -> bool {
        self.change.as_touch().is_none()
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<Self::Answer, Halt> {
        // What is answered names the latest use: one that is answered meanwhile would be missing in
        // it, and this change in the answer to that.
        tables.touches.fence(&[self.id]);
        let Some(mut stored) = tables.load(self.id)? else {
            return Ok(None);
        };
        if !stored.record.session.is_live(self.now) && !is_seeded!(ExpiredUpdated) {
            return Ok(None);
        }
        let changed = self.change.apply(&stored.record);
        let Some(changed) = changed.map_err(StoreError::InvalidMeta)? else {
            return Ok(None);
        };
        if changed != stored.record {
            stored.replace(changed.clone());
            tables.rewrite(stored)?;
        }
        Ok(Some(Arc::new(changed)))
    }

    fn without_database(&self, doubts: &Doubts) -> Option<Self::Answer> {
        doubts.contains(self.id).then_some(None)
    }
}

#[derive(Debug)]
pub(crate) struct Delete {
    pub(crate) id: SessionId,
    pub(crate) owner: Option<UserKey>,
}

impl Operation for Delete {
    type Answer = bool;
    const ONLY_ENDS: bool = true;

    fn apply(&self, tables: &mut Tables<'_>) -> Result<bool, Halt> {
        let owner = self.owner.as_ref();
        let Some(owner) = owner.filter(|_| !is_seeded!(OwnerNotCompared)) else {
            return Ok(tables.remove(self.id, None)?);
        };
        let is_owned = match tables.find(self.id)? {
            None => false,
            Some(Found::Whole(stored)) => stored.record.session.user_key == *owner,
            Some(Found::Damaged(_)) => tables.is_listed(owner, self.id)?,
        };
        Ok(is_owned && tables.remove(self.id, Some(owner))?)
    }
}

#[derive(Debug)]
pub(crate) struct DeleteUser {
    pub(crate) user: UserKey,
    pub(crate) except: Vec<SessionId>,
    pub(crate) epochs: Arc<Epochs>,
}

impl DeleteUser {
    /// Ends the sessions by a tombstone: they are too many to be deleted at once.
    fn revoke(&self, tables: &mut Tables<'_>) -> Result<u64, Halt> {
        let mut kept = Vec::new();
        for id in &self.except {
            if let Some(Found::Whole(stored)) = tables.find(*id)?
                && stored.record.session.user_key == self.user
                && !kept.contains(id)
            {
                kept.push(*id);
            }
        }
        let but = kept.len() as u64;
        let deleted = match tables.tombstones.left(&self.user) {
            Some(left) => (left.len() as u64).saturating_sub(but),
            None => {
                tables.counting = Some(Counting {
                    users: vec![self.user.clone()],
                    means: Means::AllBut(but),
                });
                0
            }
        };
        let before = tables.tombstones.generation() + 1;
        tables.revoke(Revocation {
            target: Target::User(self.user.clone()),
            before,
            kept,
        })?;
        Ok(deleted)
    }
}

impl Operation for DeleteUser {
    type Answer = UserDeleted;
    const ONLY_ENDS: bool = true;

    fn is_alone(&self, shared: &Shared) -> bool {
        shared.has_many(&self.user)
    }

    fn counted(answer: UserDeleted, sessions: u64) -> UserDeleted {
        UserDeleted::new(sessions, answer.previous, answer.epoch)
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<UserDeleted, Halt> {
        let except: HashSet<SessionId> = self.except.iter().copied().collect();
        // Also if it comes to nothing: a login that is refused may be tried again.
        let (previous, epoch) = self.epochs.revoke(&self.user);
        if tables.is_alone && tables.has_many(&self.user)? {
            let deleted = self.revoke(tables)?;
            return Ok(UserDeleted::new(deleted, previous, epoch));
        }
        let mut deleted = 0;
        for id in tables.ids_of(&self.user)? {
            if except.contains(&id) {
                continue;
            }
            let is_theirs = match tables.find(id)? {
                None => false,
                Some(Found::Whole(stored)) => stored.record.session.user_key == self.user,
                Some(Found::Damaged(_)) => true,
            };
            if is_theirs {
                tables.remove(id, Some(&self.user))?;
                deleted += 1;
            } else {
                tables.unlist(&self.user, id)?;
            }
        }
        Ok(UserDeleted::new(deleted, previous, epoch))
    }
}

#[derive(Debug)]
pub(crate) struct DeleteOthers {
    pub(crate) user: UserKey,
    pub(crate) id: SessionId,
    pub(crate) change: Change,
    pub(crate) now: Timestamp,
    pub(crate) epochs: Arc<Epochs>,
}

impl Operation for DeleteOthers {
    type Answer = OthersDeleted;

    fn is_alone(&self, shared: &Shared) -> bool {
        shared.has_many(&self.user)
    }

    fn counted(answer: OthersDeleted, sessions: u64) -> OthersDeleted {
        let OthersDeleted {
            previous,
            epoch,
            kept,
            ..
        } = answer;
        OthersDeleted::new(UserDeleted::new(sessions, previous, epoch), kept)
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<OthersDeleted, Halt> {
        tables.touches.fence(&[self.id]);
        let mut kept = None;
        if let Some(Found::Whole(stored)) = tables.find(self.id)?
            && stored.record.session.user_key == self.user
            && stored.record.session.is_live(self.now)
        {
            let changed = self.change.apply(&stored.record);
            let changed = changed.map_err(StoreError::InvalidMeta)?;
            kept = changed.map(|changed| (stored, changed));
        }
        let deleted = DeleteUser {
            user: self.user.clone(),
            except: kept.iter().map(|_| self.id).collect(),
            epochs: Arc::clone(&self.epochs),
        };
        let deleted = deleted.apply(tables)?;
        let Some((mut stored, changed)) = kept else {
            return Ok(OthersDeleted::new(deleted, None));
        };
        // A large deletion has moved it to its own generation.
        stored.generation = stored.generation.max(tables.tombstones.bound(&self.user));
        stored.replace(changed.clone());
        tables.rewrite(*stored)?;
        Ok(OthersDeleted::new(deleted, Some(Arc::new(changed))))
    }
}

#[derive(Debug)]
pub(crate) struct DeleteAll {
    pub(crate) epochs: Arc<Epochs>,
}

impl DeleteAll {
    /// Ends the sessions by a tombstone: they are too many to be deleted at once.
    fn revoke(&self, tables: &mut Tables<'_>, records: u64) -> Result<u64, Halt> {
        let count = tables.tombstones.count(records);
        if count.is_none() {
            let (users, left) = tables.tombstones.users();
            let means = Means::Besides(records + left);
            tables.counting = Some(Counting { users, means });
        }
        let before = tables.tombstones.generation() + 1;
        tables.revoke(Revocation {
            target: Target::Everybody,
            before,
            kept: Vec::new(),
        })?;
        Ok(count.unwrap_or_default())
    }
}

impl Operation for DeleteAll {
    type Answer = u64;
    const ONLY_ENDS: bool = true;

    fn is_alone(&self, _: &Shared) -> bool {
        true
    }

    fn counted(_: u64, sessions: u64) -> u64 {
        sessions
    }

    fn apply(&self, tables: &mut Tables<'_>) -> Result<u64, Halt> {
        self.epochs.revoke_all();
        let records = tables.records()?;
        let is_large = usize::try_from(records).map_or(true, |it| it > tables.tombstones.at_once());
        if tables.is_alone && is_large {
            return self.revoke(tables, records);
        }
        let mut deleted = 0;
        for id in tables.all_ids()? {
            deleted += u64::from(tables.remove(id, None)?);
        }
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use redb::Database;
    use redb::backends::InMemoryBackend;
    use sessionup_core::{LimitPolicy, SecretHash};

    use super::*;
    use crate::schema::Schema;
    use crate::tombstones::Tombstones;
    use crate::touches::{Put, Touches};
    use crate::unlisted::{Pace, Unlisted};
    use crate::writer::operation::{Effects, task};

    const NOW: Timestamp = Timestamp::from_millis(5);

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn user(name: &str) -> UserKey {
        UserKey::new(name).unwrap()
    }

    fn session(number: u8, user: UserKey) -> Session {
        let end = NOW.saturating_add(Duration::from_secs(3_600));
        Session::new(id(number), user, NOW, end)
    }

    fn create(session: Session) -> Create {
        Create {
            record: Record::new(session, SecretHash::from_bytes([7; 32])),
            options: CreateOptions::default(),
            now: NOW,
            epochs: Arc::default(),
        }
    }

    /// Does something within a transaction on an empty bucket.
    fn within(touches: &Touches, work: impl FnOnce(&mut Tables<'_>)) {
        let database = Database::builder()
            .create_with_backend(InMemoryBackend::new())
            .unwrap();
        let schema =
            Schema::new("sessions".to_owned(), crate::builder::Commits::default()).unwrap();
        schema.prepare(&database).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut effects = Effects::default();
        let mut draft = Arc::new(Unlisted::new(Pace::Usual)).draft();
        let mut tombstones = Arc::new(Tombstones::new(9)).draft();
        let tables = Tables::open(
            &transaction,
            &schema,
            touches,
            &mut draft,
            &mut tombstones,
            &mut effects,
        );
        work(&mut tables.unwrap());
    }

    fn touches() -> Touches {
        Touches::new(Duration::from_secs(3_600), 9)
    }

    #[test]
    fn use_while_a_change_is_being_made_stands_in_line_behind_it() {
        let touches = touches();
        let at = Timestamp::from_millis;
        let before = touches.before();
        within(&touches, |tables| {
            let update = Update {
                id: id(1),
                change: Change::touch(at(5)),
                now: at(5),
            };
            assert!(update.apply(tables).is_ok_and(|it| it.is_none()));
        });

        assert_eq!(touches.put(id(1), at(9), before), Put::Refused);
        touches.lift();
        assert_eq!(touches.put(id(1), at(9), touches.before()), Put::First);
    }

    /// Uses of sessions whose records are read wait.
    #[test]
    fn create_below_limit_reads_no_record() {
        let touches = touches();
        within(&touches, |tables| {
            tables
                .insert(&create(session(1, user("ann"))).record)
                .unwrap();
            let limited = |number, max| {
                let mut create = create(session(number, user("ann")));
                let max = NonZeroU32::new(max).unwrap();
                let limit = SessionLimit::new(max, LimitPolicy::EvictOldest);
                create.options = CreateOptions::default().limited(Some(limit));
                create
            };
            let created = limited(2, 2).apply(tables).map_err(drop).unwrap();
            assert!(created.evicted.is_empty());
            let used = touches.put(id(1), NOW, touches.before());
            assert_eq!(used, Put::First, "its record was read");

            let created = limited(3, 2).apply(tables).map_err(drop).unwrap();
            assert_eq!(created.evicted, [id(1)]);
            let used = touches.put(id(1), NOW, touches.before());
            assert_eq!(used, Put::Refused);

            let mut replacing = limited(4, 2);
            replacing.options.replaces = Some(id(2));
            touches.lift();
            let created = replacing.apply(tables).map_err(drop).unwrap();
            assert!(created.replaced && created.evicted.is_empty());
            let used = touches.put(id(3), NOW, touches.before());
            assert!(used.is_noted(), "its record was read");
        });
    }

    #[test]
    fn delete_user_of_new_session_rests_on_new() {
        let ended = |name: &str| DeleteUser {
            user: user(name),
            except: Vec::new(),
            epochs: Arc::default(),
        };
        within(&touches(), |tables| {
            // As if an earlier transaction had made it.
            tables
                .insert(&create(session(1, user("ann"))).record)
                .unwrap();
            tables.begun.clear();
            let (mut of_ann, _answer) = task(ended("ann"));
            of_ann.apply(tables).unwrap();
            assert!(!of_ann.rests_on_new());

            tables
                .insert(&create(session(2, user("bob"))).record)
                .unwrap();
            let (mut of_bob, _answer) = task(ended("bob"));
            of_bob.apply(tables).unwrap();
            assert!(of_bob.rests_on_new());
        });
    }
}
