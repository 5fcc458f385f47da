//! A bounded queue from whoever reports something to whoever listens, that never holds up the
//! reporter. Needs no runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What was reported and not yet received; the latest so many.
#[derive(Debug)]
pub(crate) struct Feed<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// How many gave way since somebody was told.
    missed: u64,
    waiting: Vec<(u64, Waker)>,
    next_receiver: u64,
    is_closed: bool,
}

/// What a receiver is given.
#[derive(Debug, PartialEq)]
pub(crate) enum Received<T> {
    Item(T),
    /// So many gave way, before the item that comes next.
    Missed(u64),
}

impl<T> Feed<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            missed: 0,
            waiting: Vec::new(),
            next_receiver: 0,
            is_closed: false,
        };
        Self {
            state: Mutex::new(state),
            capacity,
        }
    }

    pub(crate) fn push(&self, item: T) {
        let mut state = self.state();
        if state.items.len() == self.capacity {
            state.items.pop_front();
            state.missed += 1;
        }
        state.items.push_back(item);
        wake(state);
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        wake(state);
    }

    pub(crate) fn try_recv(&self) -> Option<Received<T>> {
        take(&mut self.state())
    }

    /// Waits for the next item; `None` once the feed is closed and empty.
    pub(crate) fn recv(&self) -> Receive<'_, T> {
        let mut state = self.state();
        state.next_receiver += 1;
        Receive {
            feed: self,
            number: state.next_receiver,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T>(state: &mut State<T>) -> Option<Received<T>> {
    match std::mem::take(&mut state.missed) {
        0 => state.items.pop_front().map(Received::Item),
        missed => Some(Received::Missed(missed)),
    }
}

/// Wakes all receivers once the lock is free.
fn wake<T>(mut state: MutexGuard<'_, State<T>>) {
    let waiting = std::mem::take(&mut state.waiting);
    drop(state);
    for (_, waker) in waiting {
        waker.wake();
    }
}

/// Waits for an item. Leaves nothing behind when it is dropped.
#[derive(Debug)]
pub(crate) struct Receive<'a, T> {
    feed: &'a Feed<T>,
    number: u64,
}

impl<T> Receive<'_, T> {
    fn leave(&self, state: &mut State<T>) {
        state.waiting.retain(|(number, _)| *number != self.number);
    }
}

impl<T> Future for Receive<'_, T> {
    type Output = Option<Received<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.feed.state();
        if let Some(received) = take(&mut state) {
            return Poll::Ready(Some(received));
        }
        if state.is_closed {
            return Poll::Ready(None);
        }
        self.leave(&mut state);
        state.waiting.push((self.number, context.waker().clone()));
        Poll::Pending
    }
}

impl<T> Drop for Receive<'_, T> {
    fn drop(&mut self) {
        self.leave(&mut self.feed.state());
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn oldest_gives_way_and_the_receiver_is_told() {
        let feed = Feed::new(2);
        for n in 1..=4 {
            feed.push(n);
        }
        assert_eq!(feed.try_recv(), Some(Received::Missed(2)));
        assert_eq!(feed.try_recv(), Some(Received::Item(3)));
        assert_eq!(feed.try_recv(), Some(Received::Item(4)));
        assert_eq!(feed.try_recv(), None);
    }

    #[test]
    fn receivers_that_went_away_leave_nothing() {
        let feed = Feed::<u8>::new(2);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            let mut receive = pin!(feed.recv());
            assert!(receive.as_mut().poll(&mut context).is_pending());
            assert!(receive.as_mut().poll(&mut context).is_pending());
            assert_eq!(feed.state().waiting.len(), 1);
        }
        assert_eq!(feed.state().waiting.len(), 0);
    }

    #[tokio::test]
    async fn closed_feed_is_emptied_first() {
        let feed = Feed::new(2);
        feed.push(1);
        feed.close();
        assert_eq!(feed.recv().await, Some(Received::Item(1)));
        assert_eq!(feed.recv().await, None);
    }
}
