//! Who is to be told what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::events::{Event, Events};
use crate::feed::{Feed, Receive, Received};
use crate::{SessionId, StoreError, UserKey};

/// Passes events on to receivers, and wakes those who wait for the end of a session.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    receivers: Mutex<Vec<Weak<Feed<Event>>>>,
    watched: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    by_id: HashMap<SessionId, HashMap<u64, Watcher>>,
    next: u64,
}

#[derive(Debug)]
struct Watcher {
    user_key: UserKey,
    bell: Arc<Feed<()>>,
}

impl Hub {
    pub(crate) fn subscribe(&self) -> Events {
        let events = Events::open();
        lock(&self.receivers).push(Arc::downgrade(&events.feed));
        events
    }

    /// Waits for nobody but for the lock on a short list. Nobody is woken under a lock.
    ///
    /// One watcher may know already, and is not woken.
    pub(crate) fn publish(&self, event: &Event, knows: Option<&Watch>) {
        for bell in self.bells_for(event) {
            if !knows.is_some_and(|watch| Arc::ptr_eq(&watch.bell, &bell)) {
                bell.push(());
            }
        }
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

    /// Finds whoever watches a session that may have ended. They look for themselves, so it does not
    /// matter if some are woken for nothing.
    fn bells_for(&self, event: &Event) -> Vec<Arc<Feed<()>>> {
        let watched = lock(&self.watched);
        if watched.by_id.is_empty() {
            return Vec::new();
        }
        let bells = |is_meant: &dyn Fn(&Watcher) -> bool| -> Vec<_> {
            let watchers = watched.by_id.values().flat_map(HashMap::values);
            let meant = watchers.filter(|watcher| is_meant(watcher));
            meant.map(|watcher| Arc::clone(&watcher.bell)).collect()
        };
        match event {
            Event::Evicted { id, .. } | Event::Renewed { id } | Event::Revoked { id, .. } => {
                let watchers = watched.by_id.get(id).into_iter().flat_map(HashMap::values);
                watchers.map(|watcher| Arc::clone(&watcher.bell)).collect()
            }
            Event::RevokedUser { user_key, .. } => bells(&|watcher| watcher.user_key == *user_key),
            // What became of a revocation is unknown.
            Event::StoreFailed {
                error: StoreError::OutcomeUnknown { .. },
            }
            | Event::RevokedEverybody { .. } => bells(&|_| true),
            Event::ClockJumped { .. }
            | Event::Created { .. }
            | Event::Mismatched { .. }
            | Event::Missed { .. }
            | Event::Rejected { .. }
            | Event::StoreFailed { .. } => Vec::new(),
        }
    }

    /// Begins to watch a session. Whoever does so looks afterwards whether it is still live.
    pub(crate) fn watch(self: &Arc<Self>, id: SessionId, user_key: UserKey) -> Watch {
        let bell = Arc::new(Feed::new(1));
        let mut watched = lock(&self.watched);
        watched.next += 1;
        let number = watched.next;
        let watcher = Watcher {
            user_key,
            bell: Arc::clone(&bell),
        };
        let watchers = watched.by_id.entry(id).or_default();
        watchers.insert(number, watcher);
        Watch {
            hub: Arc::clone(self),
            id,
            number,
            bell,
        }
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
    number: u64,
    bell: Arc<Feed<()>>,
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
        if let Some(watchers) = watched.by_id.get_mut(&self.id) {
            watchers.remove(&self.number);
            if watchers.is_empty() {
                watched.by_id.remove(&self.id);
            }
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

    #[test]
    fn those_whose_session_may_have_ended_are_woken() {
        let by = RevokedBy::User;
        let cases = [
            (
                "its end",
                Event::Revoked { id: id(1), by },
                [true, false, false],
            ),
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
                Event::RevokedUser {
                    user_key: user("ann"),
                    sessions: 1,
                    by,
                },
                [true, true, false],
            ),
            (
                "end of everybody's",
                Event::RevokedEverybody { sessions: 3 },
                [true, true, true],
            ),
            (
                "unknown outcome",
                Event::StoreFailed {
                    error: StoreError::outcome_unknown("torn"),
                },
                [true, true, true],
            ),
            (
                "renewal",
                Event::Renewed { id: id(1) },
                [true, false, false],
            ),
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
    fn nothing_is_left_of_those_who_went_away() {
        let hub = Arc::new(Hub::default());
        let (first, second) = (hub.watch(id(1), user("ann")), hub.watch(id(1), user("ann")));
        drop(first);
        assert_eq!(lock(&hub.watched).by_id.len(), 1);
        drop(second);
        assert!(lock(&hub.watched).by_id.is_empty());

        drop(hub.subscribe());
        hub.publish(&Event::Renewed { id: id(1) }, None);
        assert!(lock(&hub.receivers).is_empty());
    }

    #[tokio::test]
    async fn receivers_learn_of_the_end() {
        let hub = Hub::default();
        let events = hub.subscribe();
        hub.publish(&Event::Renewed { id: id(1) }, None);
        drop(hub);
        assert!(matches!(events.recv().await, Some(Event::Renewed { .. })));
        assert!(events.recv().await.is_none());
    }
}
