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

const MOMENT: Duration = Duration::from_millis(1);

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
            let stands_still = looked_at.replace(now) == Some(now);
            let sleep = Delay::new(pause(left, stands_still));
            either(pin!(watch.rung()), pin!(sleep)).await;
        }
    }
}

/// How long to wait for a deadline that is so far away. Where time stands still, it comes no nearer.
fn pause(left: Duration, stands_still: bool) -> Duration {
    let least = if stands_still { OVERLOAD } else { MOMENT };
    left.clamp(least, PAUSE)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_asks_again_and_again_whether_time_goes_on() {
        let millis = Duration::from_millis;
        let cases = [
            ("over in this moment", Duration::ZERO, false, MOMENT),
            ("soon over", millis(5), false, millis(5)),
            ("soon over, but not nearer", millis(5), true, OVERLOAD),
            ("over in a while", millis(5_000), true, millis(5_000)),
            ("over in an hour", 60 * PAUSE, false, PAUSE),
            ("never over", Duration::MAX, true, PAUSE),
        ];
        for (name, left, stands_still, expected) in cases {
            assert_eq!(pause(left, stands_still), expected, "{name}");
        }
    }
}
