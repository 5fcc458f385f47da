//! Uses of sessions that are known and not yet written.
//!
//! An entry stays until the transaction that wrote it is committed. A reader looks here before it
//! begins its read transaction, so it finds each use here or there. What it finds here it lays over
//! what it reads while it holds the entries: in between, another session could have begun under the
//! same id.
//!
//! Whoever holds this lock may go on to take the database's; never the other way round.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sessionup_core::{Record, SessionId, Timestamp};

use crate::sync::{Instant, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

#[derive(Debug)]
pub(crate) struct Touches {
    state: RwLock<State>,
    delay: Duration,
    capacity: usize,
}

#[derive(Debug, Default)]
struct State {
    pending: HashMap<SessionId, Timestamp>,
    /// Sessions whose beginning or end is being decided. Who uses them now stands in line behind.
    fenced: HashSet<SessionId>,
    /// How often fences were lifted.
    lifts: u64,
    due: Option<Instant>,
}

/// What became of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It will be written, at the latest when it is due.
    Kept,
    /// As [`Put::Kept`], and it is the first one: the writer has to be told when it is due.
    First,
    /// There is no room, or what was read of the session may be out of date.
    Refused,
    /// Somebody else has the entries. It can be tried again.
    Busy,
}

impl Put {
    /// Says whether the use is among the entries now.
    pub(crate) fn is_noted(self) -> bool {
        matches!(self, Self::Kept | Self::First)
    }
}

/// A moment before a record is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    lifts: u64,
}

impl Touches {
    /// Most sessions with a use that is not written.
    pub(crate) const CAPACITY: usize = 100_000;
    /// How often a lock is tried that others take for a moment each. A model checker is to choose
    /// between few schedules.
    const TRIES: usize = if cfg!(sessionup_schedules) { 1 } else { 64 };

    pub(crate) fn new(delay: Duration, capacity: usize) -> Self {
        Self {
            state: RwLock::default(),
            delay,
            capacity,
        }
    }

    /// Keeps a use of a session that was found live.
    ///
    /// Where something was decided since `before`, the use must not be answered by what was read.
    /// Waits for nobody.
    pub(crate) fn put(&self, id: SessionId, at: Timestamp, before: Before) -> Put {
        let Some(mut state) = tried(|| self.state.try_write()) else {
            return Put::Busy;
        };
        let was_decided = state.fenced.contains(&id) || state.lifts != before.lifts;
        if was_decided && !sessionup_core::is_seeded!(NoFence) {
            return Put::Refused;
        }
        if let Some(latest) = state.pending.get_mut(&id) {
            *latest = at.max(*latest);
            return Put::Kept;
        }
        if state.pending.len() >= self.capacity {
            return Put::Refused;
        }
        state.pending.insert(id, at);
        if state.due.is_some() {
            return Put::Kept;
        }
        state.due = Instant::now().checked_add(self.delay);
        Put::First
    }

    /// Returns the latest use of one session. Nothing is locked afterwards.
    pub(crate) fn of(&self, id: SessionId) -> Option<Timestamp> {
        self.read().pending.get(&id).copied()
    }

    /// Returns the moment at which the record of a session is going to be looked at.
    pub(crate) fn before(&self) -> Before {
        let lifts = self.read().lifts;
        Before { lifts }
    }

    /// As [`Touches::before`], but waits for nobody.
    pub(crate) fn try_before(&self) -> Option<Before> {
        let lifts = tried(|| self.state.try_read())?.lifts;
        Some(Before { lifts })
    }

    /// Waits until nobody else holds the entries.
    pub(crate) fn wait(&self) {
        drop(self.write());
    }

    /// Holds all entries where they are. For reads whose sessions are not known beforehand.
    pub(crate) fn hold(&self) -> Held<'_> {
        Held(self.read())
    }

    /// When the oldest entry must be written.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.read().due
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read().pending.is_empty()
    }

    /// Returns some entries to write.
    pub(crate) fn some(&self, at_most: usize) -> Vec<(SessionId, Timestamp)> {
        let state = self.read();
        let pending = state.pending.iter().take(at_most);
        pending.map(|(id, at)| (*id, *at)).collect()
    }

    /// Turns further touches of these sessions away until [`Touches::lift`].
    pub(crate) fn fence(&self, ids: &[SessionId]) {
        self.write().fenced.extend(ids);
    }

    pub(crate) fn lift(&self) {
        if !self.read().fenced.is_empty() {
            self.write().lift();
        }
    }

    /// Keeps everybody away, if there is a use of a session under whose id another one begins: between
    /// the commit and [`Touches::settle`] it would be taken for one of that.
    pub(crate) fn freeze(&self, mut begun: impl Iterator<Item = SessionId>) -> Option<Frozen<'_>> {
        let is_used = {
            let state = self.read();
            begun.any(|id| state.pending.contains_key(&id))
        };
        is_used.then(|| Frozen(self.write()))
    }

    /// Forgets entries that are written, unless there was another use since, and all entries of
    /// some other sessions; then lifts all fences.
    pub(crate) fn settle(
        &self,
        frozen: Option<Frozen<'_>>,
        written: &[(SessionId, Timestamp)],
        others: impl IntoIterator<Item = SessionId>,
    ) {
        let mut state = frozen.map_or_else(|| self.write(), |frozen| frozen.0);
        state.forget(written, others);
        if state.pending.is_empty() {
            state.due = None;
        } else if !written.is_empty() {
            state.due = Instant::now().checked_add(self.delay);
        }
        state.lift();
    }

    /// Puts writing off after a failure.
    pub(crate) fn postpone(&self, pause: Duration) {
        let mut state = self.write();
        if !state.pending.is_empty() {
            state.due = Instant::now().checked_add(pause.max(self.delay));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lift(&mut self) {
        if !self.fenced.is_empty() {
            self.fenced.clear();
            self.lifts += 1;
        }
    }

    fn forget(
        &mut self,
        written: &[(SessionId, Timestamp)],
        others: impl IntoIterator<Item = SessionId>,
    ) {
        if self.pending.is_empty() {
            return;
        }
        for (id, at) in written {
            if self.pending.get(id).is_some_and(|latest| latest <= at) {
                self.pending.remove(id);
            }
        }
        for id in others {
            self.pending.remove(&id);
        }
    }
}

/// The entries, which nobody else can look at.
#[derive(Debug)]
pub(crate) struct Frozen<'a>(RwLockWriteGuard<'a, State>);

/// The entries, none of which is forgotten while they are held.
#[derive(Debug)]
pub(crate) struct Held<'a>(RwLockReadGuard<'a, State>);

impl Held<'_> {
    pub(crate) fn len(&self) -> usize {
        self.0.pending.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, Timestamp)> {
        self.0.pending.iter().map(|(id, at)| (*id, *at))
    }

    pub(crate) fn of(&self, id: SessionId) -> Option<Timestamp> {
        self.0.pending.get(&id).copied()
    }
}

/// Takes a lock unless somebody keeps it.
fn tried<T>(take: impl Fn() -> Result<T, TryLockError<T>>) -> Option<T> {
    for _ in 0..Touches::TRIES {
        match take() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
    None
}

/// Makes a record tell of its latest use.
pub(crate) fn lay_over(record: &mut Record, seen: Option<Timestamp>) {
    if let Some(at) = seen {
        record.session.last_seen_at = record.session.last_seen_at.max(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn id(id: u8) -> SessionId {
        SessionId::from_bytes([id; 16])
    }

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Finds a session live and keeps its use.
    fn put(touches: &Touches, id: SessionId, at: Timestamp) -> Put {
        touches.put(id, at, touches.before())
    }

    #[test]
    fn latest_use_counts() {
        let touches = Touches::new(HOUR, 9);
        assert_eq!(put(&touches, id(1), at(5)), Put::First);
        assert_eq!(put(&touches, id(1), at(3)), Put::Kept);
        assert_eq!(put(&touches, id(2), at(1)), Put::Kept);
        assert_eq!(touches.of(id(1)), Some(at(5)));
        assert_eq!(touches.of(id(3)), None);
        assert!(touches.due().is_some());
    }

    #[test]
    fn what_is_written_is_forgotten_but_not_a_later_use() {
        let touches = Touches::new(HOUR, 9);
        put(&touches, id(1), at(5));
        put(&touches, id(2), at(5));
        put(&touches, id(3), at(5));
        let written = [(id(1), at(5)), (id(2), at(5))];
        put(&touches, id(2), at(6));

        touches.settle(None, &written, [id(3)]);

        assert_eq!(touches.of(id(1)), None);
        assert_eq!(touches.of(id(2)), Some(at(6)));
        assert_eq!(touches.of(id(3)), None);
        assert!(touches.due().is_some());
        touches.settle(None, &[(id(2), at(6))], []);
        assert_eq!(touches.due(), None);
        assert_eq!(put(&touches, id(1), at(7)), Put::First);
    }

    #[test]
    fn settle_of_a_part_postpones_the_rest() {
        let touches = Touches::new(HOUR, 9);
        put(&touches, id(1), at(5));
        put(&touches, id(2), at(5));
        let due = touches.due().unwrap();
        while due == Instant::now() + HOUR {
            std::hint::spin_loop();
        }
        touches.settle(None, &[(id(1), at(5))], []);
        assert!(touches.due().unwrap() > due);
    }

    #[test]
    fn room_is_bounded_and_known_sessions_need_none() {
        let touches = Touches::new(HOUR, 1);
        put(&touches, id(1), at(1));
        assert_eq!(put(&touches, id(2), at(1)), Put::Refused);
        assert_eq!(put(&touches, id(1), at(2)), Put::Kept);
    }

    #[test]
    fn fenced_sessions_are_turned_away() {
        let touches = Touches::new(HOUR, 9);
        put(&touches, id(1), at(1));
        touches.fence(&[id(1)]);
        assert_eq!(put(&touches, id(1), at(2)), Put::Refused);
        assert_eq!(touches.of(id(1)), Some(at(1)));
        touches.lift();
        assert_eq!(put(&touches, id(1), at(2)), Put::Kept);
    }

    #[test]
    fn use_that_was_read_before_a_decision_is_turned_away() {
        let touches = Touches::new(HOUR, 9);
        let before = touches.before();
        touches.fence(&[id(2)]);
        touches.lift();
        assert_eq!(touches.put(id(1), at(1), before), Put::Refused);

        let before = touches.before();
        touches.lift();
        assert_eq!(touches.put(id(1), at(1), before), Put::First);
    }
}
