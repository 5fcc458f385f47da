//! Waiting for the end of a session.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_timer::Delay;

use crate::manager::Manager;
use crate::{Session, StoreError};

/// How long nobody looks whether the session is live, if nothing is heard of it.
const PAUSE: Duration = Duration::from_secs(60);

/// How soon a store that was overloaded is asked again, and one whose clock stands still.
const OVERLOAD: Duration = Duration::from_secs(1);

impl Manager {
    /// Returns when a session has ended, or when nobody can say that it is live.
    pub(crate) async fn ended(&self, session: &Session) {
        let watch = self.watch(session);
        let mut looked_at = None;
        loop {
            watch.reset();
            // After the watch began: what ends from here on is heard.
            let now = self.now();
            let left = match self.fetch(session.id, now).await {
                Ok(Some(record)) => record.session.deadline().saturating_since(now),
                // It asks too much of the store, not the session.
                Err(StoreError::Overloaded) => OVERLOAD,
                Ok(None) | Err(_) => return,
            };
            // Where time stands still, the deadline comes no nearer.
            let stands_still = looked_at.replace(now) == Some(now);
            let least = if stands_still {
                OVERLOAD
            } else {
                Duration::from_millis(1)
            };
            let sleep = Delay::new(left.clamp(least, PAUSE));
            either(pin!(watch.rung()), pin!(sleep)).await;
        }
    }
}

/// Waits for one of two.
async fn either<A: Future, B: Future>(mut first: Pin<&mut A>, mut second: Pin<&mut B>) {
    std::future::poll_fn(|context: &mut Context<'_>| {
        let is_done =
            first.as_mut().poll(context).is_ready() || second.as_mut().poll(context).is_ready();
        if is_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}
