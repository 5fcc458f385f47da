//! State that a store shares with its managers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Kind;
use crate::events::{Event, Hub};
use crate::watermark::{Marks, Watermark};

/// State that a store shares with all managers over it in this process.
///
/// A store makes one, keeps it as long as its records and returns it from
/// [`Store::shared`](super::Store::shared); a wrapper of a store returns that of the store inside.
/// It holds what is known of the time, the receivers of events, and the cookie names in use.
#[derive(Default)]
pub struct SharedState {
    watermark: Watermark,
    hub: Arc<Hub>,
    cookie_names: Arc<CookieNames>,
}

impl SharedState {
    /// Makes the state of a store that keeps its [`Watermark::marks`] over a restart.
    #[must_use]
    pub fn resuming(marks: Marks) -> Self {
        Self {
            watermark: Watermark::resuming(marks),
            ..Self::default()
        }
    }

    /// Returns what is known of the time.
    #[must_use]
    pub const fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// Passes an event on to the receivers of all managers over the store, and wakes the requests
    /// that wait for the end of a session that it may be about.
    ///
    /// For changes that no manager made, such as those of a command line. [`Event::revoked`],
    /// [`Event::revoked_user`] and [`Event::revoked_everybody`] make such events, by
    /// [`RevokedBy::Operator`](crate::RevokedBy::Operator). Writes nothing to the log.
    pub fn notify(&self, event: &Event) {
        self.hub.publish(event, None);
    }

    pub(crate) const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Takes a cookie name for a kind of sessions, until what it returns is dropped.
    ///
    /// # Errors
    ///
    /// The cookie name that another manager uses for this kind.
    pub(crate) fn take_cookie_name(
        &self,
        kind: &Kind,
        name: &str,
    ) -> Result<CookieNameInUse, String> {
        let mut in_use = self.cookie_names.lock();
        match in_use.entry(kind.clone()) {
            Entry::Occupied(taken) if taken.get().name != name => {
                return Err(taken.get().name.clone());
            }
            Entry::Occupied(mut taken) => taken.get_mut().managers += 1,
            Entry::Vacant(free) => {
                let name = name.to_owned();
                free.insert(Users { name, managers: 1 });
            }
        }
        Ok(CookieNameInUse {
            names: Arc::clone(&self.cookie_names),
            kind: kind.clone(),
        })
    }
}

impl fmt::Debug for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedState")
            .field("watermark", &self.watermark)
            .finish_non_exhaustive()
    }
}

/// The cookie name of each kind of sessions.
#[derive(Debug, Default)]
struct CookieNames(Mutex<HashMap<Kind, Users>>);

#[derive(Debug)]
struct Users {
    name: String,
    managers: usize,
}

impl CookieNames {
    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Users>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A manager's use of a cookie name for a kind of sessions.
#[derive(Debug)]
pub(crate) struct CookieNameInUse {
    names: Arc<CookieNames>,
    kind: Kind,
}

impl Drop for CookieNameInUse {
    fn drop(&mut self) {
        let mut in_use = self.names.lock();
        if let Entry::Occupied(mut taken) = in_use.entry(self.kind.clone()) {
            taken.get_mut().managers -= 1;
            if taken.get().managers == 0 {
                taken.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_cookie_name_of_taken_kind_names_the_other() {
        let shared = SharedState::default();
        let first = shared.take_cookie_name(&Kind::USER, "id").unwrap();
        let second = shared.take_cookie_name(&Kind::USER, "id").unwrap();
        let other_kind = shared.take_cookie_name(&Kind::GUEST, "half").unwrap();

        let taken = || shared.take_cookie_name(&Kind::USER, "half").map(drop);
        assert_eq!(taken(), Err("id".to_owned()));
        drop(first);
        assert_eq!(taken(), Err("id".to_owned()), "the second still uses it");
        drop((second, other_kind));
        assert_eq!(taken(), Ok(()));
    }
}
