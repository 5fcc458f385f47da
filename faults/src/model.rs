//! The operations of a store as values, and what must come of them.
//!
//! Written from the contract alone and with rules of its own where the store has them from the core:
//! what it would share with the store, it could not see go wrong.

use std::collections::{BTreeMap, BTreeSet};

use sessionup_core::{
    Change, LimitPolicy, Record, Session, SessionId, SessionLimit, Timestamp, UserKey,
};

/// One operation of a store.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// A login.
    Create {
        /// The new record.
        record: Box<Record>,
        /// The session that ends in the same step.
        replaces: Option<SessionId>,
        /// How many sessions the user may have.
        limit: Option<SessionLimit>,
        /// When.
        now: Timestamp,
    },
    /// A lookup.
    Fetch {
        /// Of which session.
        id: SessionId,
        /// When.
        now: Timestamp,
    },
    /// A list of a user's sessions.
    List {
        /// Whose.
        user: UserKey,
        /// When.
        now: Timestamp,
    },
    /// A change: a use, a renewal, entries of meta, another deadline.
    Update {
        /// Of which session.
        id: SessionId,
        /// What changes.
        change: Box<Change>,
        /// When.
        now: Timestamp,
    },
    /// A revocation.
    Delete {
        /// Of which session.
        id: SessionId,
        /// If it is theirs.
        owner: Option<UserKey>,
    },
    /// A revocation of all of a user's sessions.
    DeleteUser {
        /// Whose.
        user: UserKey,
        /// Except these.
        except: Vec<SessionId>,
    },
    /// A deletion of all that has expired.
    PruneAll {
        /// When.
        now: Timestamp,
    },
}

/// What a store answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To a create.
    Created {
        /// Whether it ended the session that it was to replace.
        replaced: bool,
        /// Whom it evicted.
        evicted: BTreeSet<SessionId>,
    },
    /// The id is taken.
    Duplicate,
    /// The user has as many sessions as allowed.
    LimitReached,
    /// Entries would pass a bound.
    InvalidMeta,
    /// To a fetch and an update.
    Record(Option<Box<Record>>),
    /// To a list.
    Records(Vec<Record>),
    /// To a delete.
    Deleted(bool),
    /// How many records a deletion deleted.
    Count(u64),
}

/// What a store keeps, as far as the contract is concerned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    records: BTreeMap<SessionId, Record>,
}

impl Model {
    /// Makes a model of these records.
    pub fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let keyed = records
            .into_iter()
            .map(|record| (record.session.id, record));
        Self {
            records: keyed.collect(),
        }
    }

    /// Carries an operation out, and answers as a store must.
    pub fn apply(&mut self, op: &Op) -> Answer {
        match op {
            Op::Create {
                record,
                replaces,
                limit,
                now,
            } => self.create(record, *replaces, *limit, *now),
            Op::Fetch { id, now } => {
                Answer::Record(self.live_one(*id, *now).cloned().map(Box::new))
            }
            Op::List { user, now } => {
                let mut records: Vec<_> = self.live_of(user, *now).cloned().collect();
                records.sort_by_key(|record| (record.session.created_at, record.session.id));
                Answer::Records(records)
            }
            Op::Update { id, change, now } => self.update(*id, change, *now),
            Op::Delete { id, owner } => {
                let is_owned = self.records.get(id).is_some_and(|record| {
                    let user = &record.session.user_key;
                    owner.as_ref().is_none_or(|owner| owner == user)
                });
                if is_owned {
                    self.records.remove(id);
                }
                Answer::Deleted(is_owned)
            }
            Op::DeleteUser { user, except } => self
                .delete_where(|session| session.user_key == *user && !except.contains(&session.id)),
            Op::PruneAll { now } => self.delete_where(|session| !is_live(session, *now)),
        }
    }

    /// Returns the records, live or not.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// Returns one record, live or not.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Record> {
        self.records.get(&id)
    }

    /// Takes a record away.
    pub fn remove(&mut self, id: SessionId) {
        self.records.remove(&id);
    }

    /// Returns the live records.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Record> {
        self.records
            .values()
            .filter(move |record| is_live(&record.session, now))
    }

    fn live_of(&self, user: &UserKey, now: Timestamp) -> impl Iterator<Item = &Record> {
        self.live(now)
            .filter(move |record| record.session.user_key == *user)
    }

    fn live_one(&self, id: SessionId, now: Timestamp) -> Option<&Record> {
        let record = self.records.get(&id)?;
        is_live(&record.session, now).then_some(record)
    }

    fn create(
        &mut self,
        record: &Record,
        replaces: Option<SessionId>,
        limit: Option<SessionLimit>,
        now: Timestamp,
    ) -> Answer {
        let session = &record.session;
        if self.records.contains_key(&session.id) {
            return Answer::Duplicate;
        }
        let mut evicted = BTreeSet::new();
        if let Some(limit) = limit {
            let others = self.live_of(&session.user_key, now);
            let others = others.filter(|record| Some(record.session.id) != replaces);
            match surplus(others.map(|record| &record.session).collect(), limit) {
                Some(ids) => evicted.extend(ids),
                None => return Answer::LimitReached,
            }
        }
        for id in &evicted {
            self.records.remove(id);
        }
        let replaced = replaces.is_some_and(|id| self.records.remove(&id).is_some());
        self.records.insert(session.id, record.clone());
        Answer::Created { replaced, evicted }
    }

    fn update(&mut self, id: SessionId, change: &Change, now: Timestamp) -> Answer {
        let Some(record) = self.live_one(id, now) else {
            return Answer::Record(None);
        };
        match change.apply(record) {
            Err(_) => Answer::InvalidMeta,
            Ok(None) => Answer::Record(None),
            Ok(Some(changed)) => {
                self.records.insert(id, changed.clone());
                Answer::Record(Some(Box::new(changed)))
            }
        }
    }

    fn delete_where(&mut self, goes: impl Fn(&Session) -> bool) -> Answer {
        let before = self.records.len();
        self.records.retain(|_, record| !goes(&record.session));
        Answer::Count((before - self.records.len()) as u64)
    }
}

/// Live: before both deadlines.
fn is_live(session: &Session, now: Timestamp) -> bool {
    let unused_for = now
        .as_millis()
        .saturating_sub(session.last_seen_at.as_millis());
    let idles = session.idle_timeout.is_some_and(|idle| {
        let idle = i64::try_from(idle.as_millis()).unwrap_or(i64::MAX);
        unused_for >= idle
    });
    now.as_millis() < session.expires_at.as_millis() && !idles
}

/// Who must go before there is one more; `None` if nobody may.
fn surplus(mut live: Vec<&Session>, limit: SessionLimit) -> Option<Vec<SessionId>> {
    let allowed = limit.max.get() as usize - 1;
    if live.len() <= allowed {
        return Some(Vec::new());
    }
    match limit.policy {
        LimitPolicy::EvictOldest => live.sort_by_key(|s| (s.created_at, s.id)),
        LimitPolicy::EvictLeastRecentlySeen => {
            live.sort_by_key(|s| (s.last_seen_at, s.created_at, s.id));
        }
        _ => return None,
    }
    live.truncate(live.len() - allowed);
    Some(live.iter().map(|session| session.id).collect())
}
