//! The order of revocations, so that a login under way cannot slip past one.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use crate::UserKey;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// A moment in the order of a store's revocations.
///
/// A login takes one before the password is checked and names it when the session is created: if
/// all sessions of the user were revoked in between, the login is refused, since the password it
/// checked may be the one that the revocation was about. Times of a clock would not do, for clocks
/// step back.
///
/// Means something to the store that made it alone, and not for longer than the store is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    instance: u64,
    count: u64,
}

impl Epoch {
    /// Puts an epoch together; for authors of stores.
    ///
    /// `instance` tells one opening of a store from another, `count` one revocation from another.
    #[must_use]
    pub const fn new(instance: u64, count: u64) -> Self {
        Self { instance, count }
    }

    /// Says whether it is the other moment or a later one; of two openings nothing can be said.
    #[must_use]
    pub const fn is_from(self, other: Self) -> bool {
        self.instance == other.instance && self.count >= other.count
    }

    /// Returns which opening of a store made it.
    #[must_use]
    pub const fn instance(self) -> u64 {
        self.instance
    }

    /// Returns how many revocations came before it.
    #[must_use]
    pub const fn count(self) -> u64 {
        self.count
    }
}

/// Whose sessions were all revoked, and when: for stores that live in one process.
///
/// Remembers 65,536 users. When there are more, all logins that began before that moment are
/// refused; so are those that began before the store was opened. Nothing of it needs the disk: a
/// login that is under way ends with the process it is under way in.
#[derive(Debug)]
pub struct Epochs {
    instance: u64,
    /// Apart from the rest, so that a request that begins waits for nobody.
    count: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Logins that began before it are refused, whoever's they are.
    floor: u64,
    revoked: HashMap<UserKey, u64>,
}

impl Epochs {
    const USERS: usize = 65_536;

    /// Begins to remember.
    #[must_use]
    pub fn new() -> Self {
        Self {
            instance: RandomState::new().build_hasher().finish(),
            count: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Returns the present moment.
    #[must_use]
    pub fn now(&self) -> Epoch {
        Epoch::new(self.instance, self.count.load(Ordering::SeqCst))
    }

    /// Notes that all sessions of a user end, but for those that are excepted. Returns the moment
    /// before which logins of the user were refused until now, and the one from now on.
    pub fn revoke(&self, user: &UserKey) -> (Epoch, Epoch) {
        let mut state = self.state();
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let revoked = state.revoked.get(user).copied().unwrap_or_default();
        let previous = revoked.max(state.floor);
        if state.revoked.len() >= Self::USERS && !state.revoked.contains_key(user) {
            state.floor = count;
            state.revoked.clear();
        }
        state.revoked.insert(user.clone(), count);
        let at = |count| Epoch::new(self.instance, count);
        (at(previous), at(count))
    }

    /// Notes that the sessions of all users end. Returns the moment from which on logins are not
    /// refused.
    pub fn revoke_all(&self) -> Epoch {
        let mut state = self.state();
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        state.floor = count;
        state.revoked.clear();
        Epoch::new(self.instance, count)
    }

    /// Says whether a login that began then may still make a session.
    #[must_use]
    pub fn allows(&self, begun: Epoch, user: &UserKey) -> bool {
        let state = self.state();
        let revoked = state.revoked.get(user).copied().unwrap_or_default();
        begun.is_from(Epoch::new(self.instance, revoked.max(state.floor)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserKey {
        UserKey::new(name).unwrap()
    }

    #[test]
    fn login_that_began_before_a_revocation_is_refused() {
        let epochs = Epochs::new();
        let before = epochs.now();
        epochs.revoke(&user("ann"));
        let after = epochs.now();
        assert!(!epochs.allows(before, &user("ann")));
        assert!(epochs.allows(after, &user("ann")));
        assert!(epochs.allows(before, &user("bob")));
        epochs.revoke(&user("ann"));
        assert!(!epochs.allows(after, &user("ann")));
    }

    #[test]
    fn revocation_tells_of_the_one_before() {
        let epochs = Epochs::new();
        let opened = epochs.now();
        let (previous, first) = epochs.revoke(&user("ann"));
        assert_eq!(previous, opened);
        assert_eq!(first, epochs.now());
        epochs.revoke(&user("bob"));
        let (previous, second) = epochs.revoke(&user("ann"));
        assert_eq!(previous, first);
        assert_eq!(second, epochs.now());
    }

    #[test]
    fn revoke_all_with_logins_under_way_refuses_them() {
        let epochs = Epochs::new();
        epochs.revoke(&user("ann"));
        let before = epochs.now();
        let after = epochs.revoke_all();
        assert_eq!(after, epochs.now());
        for name in ["ann", "bob"] {
            assert!(!epochs.allows(before, &user(name)), "{name}");
            assert!(epochs.allows(after, &user(name)), "{name}");
        }
        let (previous, _) = epochs.revoke(&user("ann"));
        assert_eq!(previous, after);
    }

    #[test]
    fn login_that_began_before_the_store_was_opened_is_refused() {
        let (former, present) = (Epochs::new(), Epochs::new());
        assert!(!present.allows(former.now(), &user("ann")));
    }

    #[test]
    fn what_cannot_be_remembered_is_refused() {
        let epochs = Epochs::new();
        let before = epochs.now();
        epochs.revoke(&user("ann"));
        for n in 1..Epochs::USERS {
            epochs.revoke(&user(&n.to_string()));
        }
        assert!(epochs.allows(before, &user("bob")));

        epochs.revoke(&user("one too many"));

        for name in ["ann", "bob", "one too many"] {
            assert!(!epochs.allows(before, &user(name)), "{name}");
            assert!(epochs.allows(epochs.now(), &user(name)), "{name}");
        }
        assert!(epochs.state().revoked.len() <= Epochs::USERS);
    }
}
