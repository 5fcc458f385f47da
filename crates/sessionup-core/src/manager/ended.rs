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
        self.ended_by(session, Delay::new).await;
    }

    /// As [`Manager::ended`], with what waits for a while.
    async fn ended_by<S: Future>(&self, session: &Session, sleep: impl Fn(Duration) -> S) {
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
            let slept = sleep(pause(left, stands_still));
            either(pin!(watch.rung()), pin!(slept)).await;
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
    use std::future::ready;
    use std::sync::Mutex;

    use super::*;
    use crate::{ManualClock, MemoryStore, Peer, Timestamp};

    #[tokio::test]
    async fn ended_while_time_stands_still_pauses_for_longer() {
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let manager = Manager::builder(MemoryStore::new())
            .clock(clock.clone())
            .lifetime(Duration::from_millis(5))
            .build()
            .unwrap();
        let login = manager.sessions([], Peer::default());
        let session = login.init("ann").await.unwrap();
        let pauses = Mutex::new(Vec::new());

        let ended = manager.ended_by(&session, |pause| {
            let mut pauses = pauses.lock().unwrap();
            pauses.push(pause);
            assert!(pauses.len() < 5, "{pauses:?}");
            if pauses.len() == 4 {
                clock.advance(Duration::from_millis(5));
            }
            ready(())
        });
        ended.await;

        let first = Duration::from_millis(5);
        assert_eq!(
            *pauses.lock().unwrap(),
            [first, OVERLOAD, OVERLOAD, OVERLOAD]
        );
    }

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
