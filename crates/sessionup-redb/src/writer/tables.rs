//! The tables within a write transaction, always changed together.

use std::collections::HashSet;
use std::ops::Bound;

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};
use sessionup_core::store::StoreError;
use sessionup_core::{Record, SessionId, Timestamp, UserKey};

use crate::error::Halt;
use crate::record::{self, RecordError, Stored};
use crate::schema::{IdKey, Schema, step};
use crate::tombstones::{self, Revocation, Target};
use crate::touches::{self, Touches};
use crate::unlisted::{Draft, Entry};
use crate::writer::counting::Counting;
use crate::writer::operation::{Effects, Fate};

pub(crate) struct Tables<'t> {
    sessions: Table<'t, IdKey, &'static [u8]>,
    by_user: Table<'t, (&'static [u8], IdKey), ()>,
    by_expiry: Table<'t, (i64, IdKey), ()>,
    unlisted: &'t mut Draft,
    pub(crate) touches: &'t Touches,
    pub(crate) effects: &'t mut Effects,
    /// The sessions that begin with this transaction.
    pub(super) begun: HashSet<SessionId>,
    pub(crate) tombstones: &'t mut tombstones::Draft,
    /// Whether one operation has the transaction for itself.
    pub(crate) is_alone: bool,
    /// What is to be counted once the operation that is carried out has happened.
    pub(crate) counting: Option<Counting>,
}

/// What lies under an id.
pub(crate) enum Found {
    Whole(Box<Stored>),
    Damaged(RecordError),
}

impl<'t> Tables<'t> {
    pub(crate) fn open(
        transaction: &'t WriteTransaction,
        schema: &'t Schema,
        touches: &'t Touches,
        unlisted: &'t mut Draft,
        tombstones: &'t mut tombstones::Draft,
        effects: &'t mut Effects,
    ) -> Result<Self, redb::Error> {
        Ok(Self {
            sessions: transaction.open_table(schema.sessions())?,
            by_user: transaction.open_table(schema.by_user())?,
            by_expiry: transaction.open_table(schema.by_expiry())?,
            unlisted,
            touches,
            effects,
            begun: HashSet::new(),
            tombstones,
            is_alone: false,
            counting: None,
        })
    }

    pub(crate) fn contains(&self, id: SessionId) -> Result<bool, redb::StorageError> {
        if self.tombstones.has_rows() {
            return Ok(self.read(id)?.is_some());
        }
        Ok(self.sessions.get(id.as_bytes())?.is_some())
    }

    /// Says whether a session of this id begins with this transaction, ended since or not.
    pub(crate) fn has_begun(&self, id: SessionId) -> bool {
        self.begun.contains(&id)
    }

    /// Returns what lies under an id, uses that are not yet written included.
    pub(crate) fn find(&self, id: SessionId) -> Result<Option<Found>, redb::StorageError> {
        let mut found = self.read(id)?;
        // A use of a session that begins here can only be one of an earlier one of its id.
        if let Some(Found::Whole(stored)) = &mut found
            && !self.begun.contains(&id)
        {
            touches::lay_over(&mut stored.record, self.touches.of(id));
        }
        Ok(found)
    }

    /// Returns what lies under an id, unless a tombstone has ended it.
    pub(crate) fn read(&self, id: SessionId) -> Result<Option<Found>, redb::StorageError> {
        let has_ended = |found: &Found| match found {
            Found::Whole(stored) => self.tombstones.has_ended(stored),
            Found::Damaged(_) => false,
        };
        Ok(self.lying(id)?.filter(|found| !has_ended(found)))
    }

    /// Says whether a record lies under an id that a tombstone has ended.
    pub(crate) fn has_ended(&self, id: SessionId) -> Result<bool, redb::StorageError> {
        Ok(self.tombstones.has_rows() && self.lying(id)?.is_some() && self.read(id)?.is_none())
    }

    /// Returns whatever lies under an id.
    fn lying(&self, id: SessionId) -> Result<Option<Found>, redb::StorageError> {
        let Some(bytes) = self.sessions.get(id.as_bytes())? else {
            return Ok(None);
        };
        Ok(Some(match Stored::decode(id, bytes.value()) {
            Ok(stored) => Found::Whole(Box::new(stored)),
            Err(error) => Found::Damaged(error),
        }))
    }

    /// Returns the record of an id, which must be readable.
    pub(crate) fn load(&self, id: SessionId) -> Result<Option<Stored>, Halt> {
        match self.find(id)? {
            None => Ok(None),
            Some(Found::Whole(stored)) => Ok(Some(*stored)),
            Some(Found::Damaged(error)) => Err(StoreError::corrupt(id, error).into()),
        }
    }

    /// Returns the ids of all records.
    pub(crate) fn all_ids(&self) -> Result<Vec<SessionId>, redb::StorageError> {
        let ids = self.sessions.iter()?;
        ids.map(|entry| Ok(SessionId::from_bytes(*entry?.0.value())))
            .collect()
    }

    /// Returns the ids of exactly this user.
    pub(crate) fn ids_of(&self, user: &UserKey) -> Result<Vec<SessionId>, redb::StorageError> {
        if let Some(left) = self.tombstones.left(user) {
            return Ok(left);
        }
        let mut ids = self.unlisted.of(user);
        let user = user.as_str().as_bytes();
        for entry in self.by_user.range((user, &[0; 16])..=(user, &[0xff; 16]))? {
            ids.push(SessionId::from_bytes(*entry?.0.value().1));
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Says whether a user has more sessions than are deleted in one transaction.
    pub(crate) fn has_many(&self, user: &UserKey) -> Result<bool, redb::StorageError> {
        let at_once = self.tombstones.at_once();
        if let Some(left) = self.tombstones.left(user) {
            return Ok(left.len() > at_once);
        }
        let target = Target::User(user.clone());
        let ids = self.ids_after(&target, None, at_once.saturating_add(1))?;
        Ok(ids.len() > at_once)
    }

    /// Returns how many records there are, those included that tombstones have ended.
    pub(crate) fn records(&self) -> Result<u64, redb::StorageError> {
        self.sessions.len()
    }

    /// Returns the next ids of a user or of all, also of records that tombstones have ended.
    pub(crate) fn ids_after(
        &self,
        target: &Target,
        last: Option<SessionId>,
        at_most: usize,
    ) -> Result<Vec<SessionId>, redb::StorageError> {
        let mut ids = Vec::new();
        let from = last.as_ref().map(SessionId::as_bytes);
        let Some(user) = target.user() else {
            let from = from.map_or(Bound::Unbounded, Bound::Excluded);
            let range = (from, Bound::Unbounded);
            for entry in self.sessions.range::<&[u8; 16]>(range)?.take(at_most) {
                ids.push(SessionId::from_bytes(*entry?.0.value()));
            }
            return Ok(ids);
        };
        let key = user.as_str().as_bytes();
        let from = from.map_or(Bound::Included((key, &[0; 16])), |id| {
            Bound::Excluded((key, id))
        });
        let range = (from, Bound::Included((key, &[0xff; 16])));
        for entry in self
            .by_user
            .range::<(&[u8], &[u8; 16])>(range)?
            .take(at_most)
        {
            ids.push(SessionId::from_bytes(*entry?.0.value().1));
        }
        ids.extend(self.unlisted.of_after(user, last, at_most));
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(at_most);
        Ok(ids)
    }

    /// Enters some of those who wait in the user index, for a transaction that makes so many
    /// sessions; before it makes them.
    pub(crate) fn enter_some(&mut self, creates: usize) -> Result<(), redb::StorageError> {
        let due = self.unlisted.due(self.sessions.len()?, creates);
        self.enter(&due)
    }

    /// Enters all who wait in the user index.
    pub(crate) fn enter_all(&mut self) -> Result<(), redb::StorageError> {
        let all = self.unlisted.all();
        self.enter(&all)
    }

    fn enter(&mut self, entries: &[Entry]) -> Result<(), redb::StorageError> {
        for (user, id) in entries {
            let key = (user.as_str().as_bytes(), id.as_bytes());
            self.by_user.insert(key, ())?;
        }
        Ok(())
    }

    pub(crate) fn is_listed(
        &self,
        user: &UserKey,
        id: SessionId,
    ) -> Result<bool, redb::StorageError> {
        let key = (user.as_str().as_bytes(), id.as_bytes());
        Ok(self.unlisted.contains(&(user.clone(), id)) || self.by_user.get(key)?.is_some())
    }

    /// Returns entries of the expiry index in order: those after `after` and up to a step.
    pub(crate) fn filed(
        &self,
        after: Option<(i64, SessionId)>,
        up_to: i64,
        at_most: usize,
    ) -> Result<Vec<(i64, SessionId)>, redb::StorageError> {
        let mut entries = Vec::new();
        let (first, skip) = match &after {
            Some((step, id)) => ((*step, id.as_bytes()), true),
            None => ((i64::MIN, &[0; 16]), false),
        };
        if first.0 > up_to {
            return Ok(entries);
        }
        for entry in self.by_expiry.range(first..=(up_to, &[0xff; 16]))? {
            let (key, _) = entry?;
            let (step, id) = key.value();
            let entry = (step, SessionId::from_bytes(*id));
            if skip && Some(entry) == after {
                continue;
            }
            entries.push(entry);
            if entries.len() >= at_most {
                break;
            }
        }
        Ok(entries)
    }

    /// Adds a record under an id that is free.
    pub(crate) fn insert(&mut self, record: &Record) -> Result<(), redb::StorageError> {
        let session = &record.session;
        let id = session.id.as_bytes();
        let filed = step(session.deadline());
        if self.has_ended(session.id)? {
            self.sweep(session.id, None)?;
        }
        let bytes = record::encode_new(record, filed, self.tombstones.generation());
        self.sessions.insert(id, bytes.as_slice())?;
        #[cfg(sessionup_defects)]
        if sessionup_core::is_seeded!(IndexLater) {
            crate::seeded::list_later(session);
            self.by_expiry.insert((filed, id), ())?;
            self.note(session.id, Fate::Created);
            return Ok(());
        }
        if !self.unlisted.add((session.user_key.clone(), session.id)) {
            self.by_user
                .insert((session.user_key.as_str().as_bytes(), id), ())?;
        }
        self.by_expiry.insert((filed, id), ())?;
        self.tombstones.add(&session.user_key, session.id);
        self.begun.insert(session.id);
        self.note(session.id, Fate::Created);
        Ok(())
    }

    /// Writes a record that was changed. Files it anew if it would be found too late.
    pub(crate) fn rewrite(&mut self, mut stored: Stored) -> Result<(), redb::StorageError> {
        let step = step(stored.record.session.deadline());
        if step < stored.filed {
            self.refile(&mut stored, step)?;
        }
        self.put(&stored, Fate::Rewritten)
    }

    /// Files a record under the step of its deadline.
    pub(crate) fn file_anew(&mut self, mut stored: Stored) -> Result<(), redb::StorageError> {
        let step = step(stored.record.session.deadline());
        self.refile(&mut stored, step)?;
        self.put(&stored, Fate::Rewritten)
    }

    fn refile(&mut self, stored: &mut Stored, step: i64) -> Result<(), redb::StorageError> {
        let id = stored.record.session.id.as_bytes();
        self.by_expiry.remove((stored.filed, id))?;
        self.by_expiry.insert((step, id), ())?;
        stored.filed = step;
        Ok(())
    }

    fn put(&mut self, stored: &Stored, fate: Fate) -> Result<(), redb::StorageError> {
        let id = stored.record.session.id;
        self.sessions
            .insert(id.as_bytes(), stored.encode().as_slice())?;
        self.note(id, fate);
        Ok(())
    }

    /// Removes whatever lies under an id, with its entries; says whether there was anything.
    ///
    /// A record that cannot be read does not name its user. If the caller does not know either, all
    /// of the index is searched. Its entry in the expiry index is left for prune to find.
    pub(crate) fn remove(
        &mut self,
        id: SessionId,
        user: Option<&UserKey>,
    ) -> Result<bool, redb::StorageError> {
        let Some(found) = self.find(id)? else {
            return Ok(false);
        };
        match &found {
            Found::Whole(stored) => {
                let user = &stored.record.session.user_key;
                self.tombstones.remove(user, id);
            }
            Found::Damaged(_) => self.tombstones.remove_id(id),
        }
        self.erase(id, &found, user)?;
        self.note(id, Fate::Ended);
        Ok(true)
    }

    /// Removes a record that a tombstone has ended, or that cannot be read, with its entries. `user`
    /// is whose entry led to it.
    pub(crate) fn sweep(
        &mut self,
        id: SessionId,
        user: Option<&UserKey>,
    ) -> Result<(), redb::StorageError> {
        let found = self.lying(id)?;
        match (found, user) {
            (Some(Found::Whole(stored)), Some(user)) if stored.record.session.user_key != *user => {
                self.unlist(user, id)
            }
            (Some(Found::Whole(stored)), _) if !self.tombstones.has_ended(&stored) => Ok(()),
            (Some(found), user) => {
                self.erase(id, &found, user)?;
                self.effects.changes += 1;
                Ok(())
            }
            (None, Some(user)) => self.unlist(user, id),
            (None, None) => Ok(()),
        }
    }

    /// Ends sessions by a tombstone.
    pub(crate) fn revoke(&mut self, revocation: Revocation) -> Result<(), redb::StorageError> {
        for id in &revocation.kept {
            if let Some(Found::Whole(mut stored)) = self.lying(*id)?
                && stored.generation < revocation.before
            {
                stored.generation = revocation.before;
                self.put(&stored, Fate::Rewritten)?;
            }
        }
        self.tombstones.revoke(&revocation);
        self.effects.revocations.push(revocation);
        self.effects.changes += 1;
        Ok(())
    }

    /// Removes a tombstone whose records are deleted.
    pub(crate) fn remove_tombstone(&mut self, target: &Target) {
        self.tombstones.remove_row(target);
        self.effects.changes += 1;
    }

    /// Removes what lies under an id, with its entries.
    fn erase(
        &mut self,
        id: SessionId,
        found: &Found,
        user: Option<&UserKey>,
    ) -> Result<(), redb::StorageError> {
        let key = id.as_bytes();
        match found {
            Found::Whole(stored) => {
                self.take_off(&stored.record.session.user_key, id)?;
                self.by_expiry.remove((stored.filed, key))?;
            }
            Found::Damaged(error) => {
                report_damage(id, error);
                match user {
                    Some(user) => self.take_off(user, id)?,
                    None => {
                        self.unlisted.remove_id(id);
                        self.by_user.retain(|(_, listed), ()| listed != key)?;
                    }
                }
            }
        }
        self.sessions.remove(key)?;
        Ok(())
    }

    #[cfg(sessionup_defects)]
    pub(crate) fn list(&mut self, user: &UserKey, id: SessionId) -> Result<(), redb::StorageError> {
        self.by_user
            .insert((user.as_str().as_bytes(), id.as_bytes()), ())?;
        Ok(())
    }

    /// Removes an entry of the user index that leads nowhere.
    pub(crate) fn unlist(
        &mut self,
        user: &UserKey,
        id: SessionId,
    ) -> Result<(), redb::StorageError> {
        self.take_off(user, id)?;
        self.effects.changes += 1;
        Ok(())
    }

    fn take_off(&mut self, user: &UserKey, id: SessionId) -> Result<(), redb::StorageError> {
        self.unlisted.remove((user.clone(), id));
        self.by_user
            .remove((user.as_str().as_bytes(), id.as_bytes()))?;
        Ok(())
    }

    /// Removes an entry of the expiry index that leads nowhere.
    pub(crate) fn unfile(&mut self, step: i64, id: SessionId) -> Result<(), redb::StorageError> {
        self.by_expiry.remove((step, id.as_bytes()))?;
        self.effects.changes += 1;
        Ok(())
    }

    /// Writes down a use. Of a session that is gone, nothing is made.
    pub(crate) fn write_touch(
        &mut self,
        id: SessionId,
        at: Timestamp,
    ) -> Result<(), redb::StorageError> {
        let Some(bytes) = self.sessions.get(id.as_bytes())? else {
            return Ok(());
        };
        let stored = Stored::decode(id, bytes.value());
        drop(bytes);
        match stored {
            Ok(stored) if self.tombstones.has_ended(&stored) => Ok(()),
            Ok(mut stored) if stored.record.session.last_seen_at < at => {
                stored.record.session.last_seen_at = at;
                // The entry in the expiry index is now too early, which prune will find.
                self.put(&stored, Fate::Used)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn note(&mut self, id: SessionId, fate: Fate) {
        self.effects.sessions.push((id, fate));
        self.effects.changes += 1;
    }
}

pub(crate) fn report_damage(id: SessionId, error: &RecordError) {
    tracing::error!(target: "sessionup_redb", %id, %error, "record of a session is damaged");
}
