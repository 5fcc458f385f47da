//! Who is to be told what.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::events::{Event, Events, Lanes};
use crate::feed::{Feed, Receive, Received};
use crate::{SessionId, StoreError, UserKey};

/// Passes events on to receivers, and wakes those who wait for the end of a session.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    receivers: Mutex<Vec<Weak<Feed<Event, Lanes>>>>,
    watched: Mutex<Watched>,
}

/// Bells of those who watch, by session and by user.
#[derive(Debug, Default)]
struct Watched {
    by_id: HashMap<SessionId, Bells>,
    by_user: HashMap<UserKey, Bells>,
    next: u64,
}

/// Bells by the number of the watch.
type Bells = HashMap<u64, Bell>;
type Bell = Arc<Feed<()>>;

/// Whose sessions a write may have ended whose outcome is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Concern<'a> {
    Session(SessionId),
    User(&'a UserKey),
    Everybody,
}

impl Hub {
    pub(crate) fn subscribe(&self) -> Events {
        let events = Events::open();
        lock(&self.receivers).push(Arc::downgrade(&events.feed));
        events
    }

    /// Passes an event on, and wakes those whose session it may have ended. Waits for nobody but for
    /// the lock on a short list. Nobody is woken under a lock.
    ///
    /// One watcher may know already, and is not woken.
    pub(crate) fn publish(&self, event: &Event, knows: Option<&Watch>) {
        self.ring(concern_of(event).as_slice(), knows);
        self.pass_on(event);
    }

    /// Passes on that a write failed, and wakes those whose session it may have ended all the same.
    pub(crate) fn publish_failure(&self, event: &Event, concerns: &[Concern<'_>]) {
        self.ring(concerns, None);
        self.pass_on(event);
    }

    fn pass_on(&self, event: &Event) {
        let mut receivers = Vec::new();
        lock(&self.receivers).retain(|receiver| {
            let feed = receiver.upgrade();
            let is_there = feed.is_some();
            receivers.extend(feed);
            is_there
        });
        for receiver in receivers {
            receiver.push(event.clone());
        }
    }

    /// Wakes whoever watches one of these sessions. They look for themselves, so it does not matter
    /// if some are woken for nothing.
    fn ring(&self, concerns: &[Concern<'_>], knows: Option<&Watch>) {
        for bell in self.bells_of(concerns) {
            if !knows.is_some_and(|watch| Arc::ptr_eq(&watch.bell, &bell)) {
                bell.push(());
            }
        }
    }

    fn bells_of(&self, concerns: &[Concern<'_>]) -> Vec<Bell> {
        let watched = lock(&self.watched);
        let mut bells = Vec::new();
        for concern in concerns {
            match concern {
                Concern::Session(id) => {
                    let of_session = watched.by_id.get(id).into_iter();
                    bells.extend(of_session.flat_map(HashMap::values).cloned());
                }
                Concern::User(user_key) => {
                    let of_user = watched.by_user.get(user_key).into_iter();
                    bells.extend(of_user.flat_map(HashMap::values).cloned());
                }
                Concern::Everybody => {
                    let all = watched.by_id.values();
                    bells.extend(all.flat_map(HashMap::values).cloned());
                }
            }
        }
        bells
    }

    /// Begins to watch a session. Whoever does so looks afterwards whether it is still live.
    pub(crate) fn watch(self: &Arc<Self>, id: SessionId, user_key: UserKey) -> Watch {
        let bell = Arc::new(Feed::new(1));
        let mut watched = lock(&self.watched);
        watched.next += 1;
        let number = watched.next;
        let of_session = watched.by_id.entry(id).or_default();
        of_session.insert(number, Arc::clone(&bell));
        let of_user = watched.by_user.entry(user_key.clone()).or_default();
        of_user.insert(number, Arc::clone(&bell));
        Watch {
            hub: Arc::clone(self),
            id,
            user_key,
            number,
            bell,
        }
    }
}

/// Says whose sessions an event may be the end of, or the renewal.
fn concern_of(event: &Event) -> Option<Concern<'_>> {
    match event {
        Event::Evicted { id, .. } | Event::Renewed { id, .. } | Event::Revoked { id, .. } => {
            Some(Concern::Session(*id))
        }
        Event::RevokedUser { user_key, .. } => Some(Concern::User(user_key)),
        // Whose it was is not known here.
        Event::StoreFailed {
            error: StoreError::OutcomeUnknown { .. },
        }
        | Event::RevokedEverybody { .. } => Some(Concern::Everybody),
        Event::ClockJumped { .. }
        | Event::Created { .. }
        | Event::Mismatched { .. }
        | Event::Missed { .. }
        | Event::Rejected { .. }
        | Event::StoreFailed { .. } => None,
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        for receiver in lock(&self.receivers).iter() {
            if let Some(feed) = receiver.upgrade() {
                feed.close();
            }
        }
    }
}

/// Somebody's interest in the end of a session.
#[derive(Debug)]
pub(crate) struct Watch {
    hub: Arc<Hub>,
    id: SessionId,
    user_key: UserKey,
    number: u64,
    bell: Bell,
}

impl Watch {
    /// Says whether the session may have ended or have been renewed.
    pub(crate) fn has_rung(&self) -> bool {
        self.bell.try_recv().is_some()
    }

    /// Waits until the session may have ended.
    pub(crate) fn rung(&self) -> Receive<'_, ()> {
        self.bell.recv()
    }

    /// Forgets what rang before.
    pub(crate) fn reset(&self) {
        while let Some(Received::Item(()) | Received::Missed(_)) = self.bell.try_recv() {}
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = lock(&self.hub.watched);
        leave(&mut watched.by_id, &self.id, self.number);
        leave(&mut watched.by_user, &self.user_key, self.number);
    }
}

fn leave<K: Hash + Eq>(watched: &mut HashMap<K, Bells>, key: &K, number: u64) {
    if let Some(bells) = watched.get_mut(key) {
        bells.remove(&number);
        if bells.is_empty() {
            watched.remove(key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::RevokedBy;

    fn id(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn user(name: &str) -> UserKey {
        UserKey::new(name).unwrap()
    }

    fn renewed(n: u8) -> Event {
        Event::Renewed {
            id: id(n),
            user_key: user("ann"),
        }
    }

    #[test]
    fn those_whose_session_may_have_ended_are_woken() {
        let by = RevokedBy::User;
        let cases = [
            ("its end", Event::revoked(id(1), by), [true, false, false]),
            (
                "eviction",
                Event::Evicted {
                    id: id(2),
                    user_key: user("ann"),
                },
                [false, true, false],
            ),
            (
                "end of all the user's",
                Event::revoked_user(user("ann"), 1, by),
                [true, true, false],
            ),
            (
                "end of everybody's",
                Event::revoked_everybody(3, RevokedBy::Operator),
                [true, true, true],
            ),
            (
                "unknown outcome",
                Event::StoreFailed {
                    error: StoreError::outcome_unknown("torn"),
                },
                [true, true, true],
            ),
            ("renewal", renewed(1), [true, false, false]),
            (
                "another failure",
                Event::StoreFailed {
                    error: StoreError::Overloaded,
                },
                [false; 3],
            ),
        ];
        for (name, event, expected) in cases {
            let hub = Arc::new(Hub::default());
            let watches =
                [(1, "ann"), (2, "ann"), (3, "bob")].map(|(n, name)| hub.watch(id(n), user(name)));
            hub.publish(&event, None);
            let woken = watches
                .each_ref()
                .map(|watch| watch.bell.try_recv().is_some());
            assert_eq!(woken, expected, "{name}");
        }
    }

    #[test]
    fn publish_failure_wakes_those_it_concerns_alone() {
        let ann = user("ann");
        let cases: [(&str, &[Concern<'_>], [bool; 3]); 5] = [
            ("nobody", &[], [false; 3]),
            ("session", &[Concern::Session(id(2))], [false, true, false]),
            ("user", &[Concern::User(&ann)], [true, true, false]),
            (
                "user, and a session of another",
                &[Concern::Session(id(3)), Concern::User(&ann)],
                [true; 3],
            ),
            ("everybody", &[Concern::Everybody], [true; 3]),
        ];
        for (name, concerns, expected) in cases {
            let hub = Arc::new(Hub::default());
            let events = hub.subscribe();
            let watches =
                [(1, "ann"), (2, "ann"), (3, "bob")].map(|(n, name)| hub.watch(id(n), user(name)));
            let error = StoreError::outcome_unknown("torn");
            hub.publish_failure(&Event::StoreFailed { error }, concerns);
            let woken = watches.each_ref().map(Watch::has_rung);
            assert_eq!(woken, expected, "{name}");
            let told = events.try_recv();
            assert!(matches!(told, Some(Event::StoreFailed { .. })), "{name}");
        }
    }

    #[test]
    fn nothing_is_left_of_those_who_went_away() {
        let hub = Arc::new(Hub::default());
        let (first, second) = (hub.watch(id(1), user("ann")), hub.watch(id(1), user("ann")));
        drop(first);
        assert_eq!(lock(&hub.watched).by_id.len(), 1);
        assert_eq!(lock(&hub.watched).by_user.len(), 1);
        drop(second);
        assert!(lock(&hub.watched).by_id.is_empty());
        assert!(lock(&hub.watched).by_user.is_empty());

        drop(hub.subscribe());
        hub.publish(&renewed(1), None);
        assert!(lock(&hub.receivers).is_empty());
    }

    #[tokio::test]
    async fn receivers_learn_of_the_end() {
        let hub = Hub::default();
        let events = hub.subscribe();
        hub.publish(&renewed(1), None);
        drop(hub);
        assert!(matches!(events.recv().await, Some(Event::Renewed { .. })));
        assert!(events.recv().await.is_none());
    }
}
