//! Waiting for an interval or for a future, until told to stop.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
pub(super) struct Signal {
    flags: Mutex<Flags>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Flags {
    stopped: bool,
    woken: bool,
}

impl Signal {
    pub(super) fn stop(&self) {
        self.flags().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for so long, or less if stopped; says whether it was.
    pub(super) fn stopped_within(&self, wait: Duration) -> bool {
        // Beyond what the clock can hold: for ever.
        let end = Instant::now().checked_add(wait);
        let mut flags = self.flags();
        while !flags.stopped {
            flags = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.changed.wait_timeout(flags, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.wait(flags),
            };
        }
        true
    }

    /// Drives a future to its end. `None` if stopped before: the future is dropped.
    pub(super) fn drive<F: Future>(self: &Arc<Self>, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        loop {
            if self.flags().stopped {
                return None;
            }
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            let mut flags = self.flags();
            while !flags.stopped && !flags.woken {
                flags = self.wait(flags);
            }
            flags.woken = false;
        }
    }

    fn flags(&self) -> MutexGuard<'_, Flags> {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, flags: MutexGuard<'a, Flags>) -> MutexGuard<'a, Flags> {
        let waited = self.changed.wait(flags);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.flags().woken = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn drive_of_a_future_woken_while_polled_polls_again() {
        let (done, is_done) = mpsc::channel();
        std::thread::spawn(move || {
            let mut polls = 0;
            let future = std::future::poll_fn(|context| {
                polls += 1;
                if polls == 2 {
                    return Poll::Ready(polls);
                }
                context.waker().wake_by_ref();
                Poll::Pending
            });
            done.send(Arc::new(Signal::default()).drive(future))
        });
        let driven = is_done.recv_timeout(Duration::from_secs(60));
        assert_eq!(driven, Ok(Some(2)), "the wake-up was lost");
    }
}
