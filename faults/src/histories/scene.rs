//! Who asks for what in a history.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sessionup_core::{
    Change, LimitPolicy, Record, Session, SessionId, SessionLimit, Timestamp, UserKey,
};

use crate::campaign::Rng;
use crate::model::Op;
use crate::script::{hash, id};

/// The users and ids of one history. No other history has any of them.
#[derive(Debug)]
pub(super) struct Scene {
    number: u64,
    users: u64,
    ids: u64,
    /// Whether there are operations that more than one user has to do with.
    pub(super) crosses: bool,
    /// Whether sessions expire.
    expires: bool,
}

/// The clock of all clients. It never goes back.
pub(super) type Time = AtomicI64;

/// Most users of a history.
const USERS: u64 = 10;

impl Scene {
    /// Draws a scene.
    pub(super) fn draw(number: u64, may_cross: bool, rng: &mut Rng) -> Self {
        let crosses = may_cross && rng.u8(..3) == 0;
        Self {
            number,
            users: rng.u64(1..=3),
            ids: rng.u64(1..=4),
            crosses,
            expires: crosses && rng.bool(),
        }
    }

    pub(super) fn users(&self) -> impl Iterator<Item = u64> {
        0..self.users
    }

    pub(super) fn user(&self, user: u64) -> UserKey {
        crate::script::key(&format!("{}/{user}", self.number))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = SessionId> {
        self.users().flat_map(|user| self.ids_of(user))
    }

    pub(super) fn ids_of(&self, user: u64) -> impl Iterator<Item = SessionId> {
        (0..self.ids).map(move |n| self.id(user, n))
    }

    fn id(&self, user: u64, n: u64) -> SessionId {
        id((self.number * USERS + user) * USERS + n)
    }

    /// Draws an operation, now.
    pub(super) fn op(&self, time: &Time, rng: &mut Rng) -> Op {
        let now = time.fetch_add(rng.i64(0..3), Ordering::SeqCst);
        let now = Timestamp::from_millis(now);
        let user = rng.u64(0..self.users);
        let id = self.id(user, rng.u64(0..self.ids));
        let change = |change| Op::Update {
            id,
            change: Box::new(change),
            now,
        };
        match rng.u8(..100) {
            0..=24 => self.create(user, id, now, rng),
            25..=39 => Op::Fetch { id, now },
            40..=54 => Op::List {
                user: self.user(user),
                now,
            },
            55..=66 => change(Change::touch(now)),
            67..=72 => change(Change::renew(hash(rng.u8(..3)), hash(rng.u8(..3)))),
            73..=77 => change(Change::meta(crate::script::entry("a", rng.u16(..)))),
            78..=89 => Op::Delete {
                id,
                owner: rng.bool().then(|| self.user(rng.u64(0..self.users))),
            },
            90..=94 if self.crosses => Op::PruneAll { now },
            _ => Op::DeleteUser {
                user: self.user(user),
                except: self.ids_of(user).filter(|_| rng.u8(..4) == 0).collect(),
            },
        }
    }

    fn create(&self, user: u64, id: SessionId, now: Timestamp, rng: &mut Rng) -> Op {
        let lifetime = match self.expires {
            true => rng.u64(1..40),
            false => 3_600_000,
        };
        let expires_at = now.saturating_add(Duration::from_millis(lifetime));
        let mut session = Session::new(id, self.user(user), now, expires_at);
        if self.expires && rng.bool() {
            session.idle_timeout = Some(Duration::from_millis(rng.u64(1..20)));
        }
        let whose = match self.crosses {
            true => rng.u64(0..self.users),
            false => user,
        };
        let other = self.id(whose, rng.u64(0..self.ids));
        let replaces = (rng.u8(..3) == 0 && other != id).then_some(other);
        let limit = (rng.u8(..3) == 0).then(|| {
            let max = NonZeroU32::MIN.saturating_add(rng.u32(..2));
            let policies = [
                LimitPolicy::EvictOldest,
                LimitPolicy::EvictLeastRecentlySeen,
                LimitPolicy::Refuse,
            ];
            let policy = rng.choice(policies).unwrap_or(LimitPolicy::Refuse);
            SessionLimit::new(max, policy)
        });
        Op::Create {
            record: Box::new(Record::new(session, hash(rng.u8(..)))),
            replaces,
            limit,
            now,
        }
    }

    /// Says whether an operation has to do with a user, in a history where none crosses.
    pub(super) fn is_of(&self, op: &Op, of: u64) -> bool {
        let is_id = |id: &SessionId| self.ids_of(of).any(|own| own == *id);
        match op {
            Op::Create { record, .. } => is_id(&record.session.id),
            Op::Fetch { id, .. } | Op::Update { id, .. } | Op::Delete { id, .. } => is_id(id),
            Op::List { user, .. } | Op::DeleteUser { user, .. } => *user == self.user(of),
            Op::PruneAll { .. } => true,
        }
    }
}
