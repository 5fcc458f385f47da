//! Drawing operations.

use std::num::NonZeroU32;
use std::time::Duration;

use sessionup_core::{
    Change, LimitPolicy, MetaChange, Record, SecretHash, Session, SessionId, SessionLimit,
    Timestamp, UserKey,
};

use crate::campaign::Rng;
use crate::model::Op;

/// What operations are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// How many ids there are. New sessions take the next one in turn, others are drawn.
    pub ids: u64,
    /// How many users there are, at most [`USERS`].
    pub users: usize,
    /// Whether sessions expire, by deadline and by idle timeout, while the script runs.
    pub expires: bool,
    /// Whether reads are drawn too.
    pub reads: bool,
    /// Out of ten writes, about how many are creates.
    pub creates: u8,
}

/// Users of a script. Some keys begin as others do.
pub const USERS: [&str; 6] = ["a", "ab", "b", "a\u{1}", "\u{10ffff}", "abc"];

/// When all scripts begin: 2026-01-01.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Draws operations, one after the other, at times that do not go back.
#[derive(Debug)]
pub struct Script {
    profile: Profile,
    now: Timestamp,
    created: u64,
}

impl Script {
    /// Begins a script.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            now: BEGIN,
            created: 0,
        }
    }

    /// Returns the time of the script.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.now = self.now.saturating_add(time);
    }

    /// Returns all ids that there can be.
    pub fn ids(&self) -> impl Iterator<Item = SessionId> + use<> {
        (0..self.profile.ids).map(id)
    }

    /// Returns all users that there can be.
    pub fn users(&self) -> impl Iterator<Item = UserKey> + use<> {
        (0..self.profile.users).map(user)
    }

    /// Draws the next operation.
    pub fn next(&mut self, rng: &mut Rng) -> Op {
        self.wait(Duration::from_millis(rng.u64(0..40)));
        let now = self.now;
        if self.profile.reads && rng.u8(..3) == 0 {
            return match rng.bool() {
                true => Op::Fetch {
                    id: self.id(rng),
                    now,
                },
                false => Op::List {
                    user: self.user(rng),
                    now,
                },
            };
        }
        if rng.u8(..10) < self.profile.creates {
            return self.create(rng);
        }
        match rng.u8(..10) {
            0..=3 => Op::Update {
                id: self.id(rng),
                change: Box::new(self.change(rng)),
                now,
            },
            4..=7 => {
                let owner = rng.bool().then(|| self.user(rng));
                Op::Delete {
                    id: self.id(rng),
                    owner,
                }
            }
            8 => {
                let except = (0..rng.usize(..3)).map(|_| self.id(rng)).collect();
                Op::DeleteUser {
                    user: self.user(rng),
                    except,
                }
            }
            _ => Op::PruneAll { now },
        }
    }

    fn create(&mut self, rng: &mut Rng) -> Op {
        // Now and then an id that was there before.
        let number = match rng.u8(..6) {
            0 => rng.u64(0..self.profile.ids),
            _ => self.created % self.profile.ids,
        };
        self.created += 1;
        let record = self.record(number, rng);
        let replaces = (rng.u8(..4) == 0).then(|| self.id(rng));
        let limit = (rng.u8(..4) == 0).then(|| limit(rng));
        Op::Create {
            record: Box::new(record),
            replaces: replaces.filter(|other| *other != id(number)),
            limit,
            now: self.now,
        }
    }

    fn record(&self, number: u64, rng: &mut Rng) -> Record {
        let lifetime = if self.profile.expires {
            rng.u64(1..2_000)
        } else {
            HOUR
        };
        let expires_at = self.now.saturating_add(Duration::from_millis(lifetime));
        let mut session = Session::new(id(number), self.user(rng), self.now, expires_at);
        if self.profile.expires && rng.bool() {
            session.idle_timeout = Some(Duration::from_millis(rng.u64(1..1_000)));
        }
        if rng.u8(..4) == 0 {
            session.client.ip = Some(std::net::Ipv4Addr::from(rng.u32(..)).into());
            session.client.agent.os = "Linux".to_owned();
        }
        Record::new(session, hash(rng.u8(..)))
    }

    fn change(&self, rng: &mut Rng) -> Change {
        match rng.u8(..8) {
            0..=2 => Change::touch(self.now),
            // About every third starts from what the record holds.
            3..=4 => Change::renew(hash(rng.u8(..3)), hash(rng.u8(..3))),
            5..=6 => {
                let name = rng.choice(["a", "b", "c"]).unwrap_or("a");
                let change = match rng.u8(..3) {
                    0 => MetaChange::default().remove(name),
                    _ => entry(name, rng.u16(..)),
                };
                Change::meta(change)
            }
            _ => {
                let lifetime = if self.profile.expires {
                    rng.u64(1..2_000)
                } else {
                    HOUR
                };
                let mut change = Change::default();
                change.expires_at = Some(self.now.saturating_add(Duration::from_millis(lifetime)));
                change
            }
        }
    }

    fn id(&self, rng: &mut Rng) -> SessionId {
        id(rng.u64(0..self.profile.ids))
    }

    fn user(&self, rng: &mut Rng) -> UserKey {
        user(rng.usize(0..self.profile.users))
    }
}

const HOUR: u64 = 3_600_000;

/// Returns the id of a number, of so many milliseconds after 1970. Ids sort as their numbers do.
#[must_use]
pub fn id(number: u64) -> SessionId {
    let number = u128::from(number);
    SessionId::from_bytes((number << 80 | number).to_be_bytes())
}

/// Returns a user of a script.
///
/// # Panics
///
/// Beyond the last of [`USERS`].
#[must_use]
#[expect(clippy::indexing_slicing, reason = "as documented")]
pub fn user(number: usize) -> UserKey {
    key(USERS[number])
}

/// Returns a user by key.
///
/// # Panics
///
/// If no user can have it.
#[must_use]
#[expect(clippy::expect_used, reason = "as documented")]
pub fn key(key: &str) -> UserKey {
    UserKey::new(key).expect("within bounds")
}

/// Returns the hash of a secret; of few, so that renewals meet the one that is there.
#[must_use]
pub fn hash(byte: u8) -> SecretHash {
    SecretHash::from_bytes([byte % 3; 32])
}

fn limit(rng: &mut Rng) -> SessionLimit {
    let max = NonZeroU32::MIN.saturating_add(rng.u32(..3));
    let policy = match rng.u8(..3) {
        0 => LimitPolicy::EvictOldest,
        1 => LimitPolicy::EvictLeastRecentlySeen,
        _ => LimitPolicy::Refuse,
    };
    SessionLimit::new(max, policy)
}

/// Returns a change that sets one entry.
///
/// # Panics
///
/// If the name is too long.
#[must_use]
#[expect(clippy::expect_used, reason = "as documented")]
pub fn entry(name: &str, value: u16) -> MetaChange {
    MetaChange::default()
        .set(name, value)
        .expect("within bounds")
}
