//! A bounded queue from whoever reports something to whoever listens, that never holds up the
//! reporter. Needs no runtime.

use std::collections::VecDeque;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// What was reported and not yet received, as much of it as the buffer keeps.
#[derive(Debug)]
pub(crate) struct Feed<T, B = Latest<T>> {
    state: Mutex<State<B>>,
    items: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct State<B> {
    buffer: B,
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

/// A bounded queue.
pub(crate) trait Buffer<T> {
    /// Adds an item. If there is no room, an item is dropped and counted, this one or another.
    fn push(&mut self, item: T);

    /// Takes the count of dropped items if there are any, or the oldest item.
    fn take(&mut self) -> Option<Received<T>>;
}

/// Keeps the latest items.
#[derive(Debug)]
pub(crate) struct Latest<T> {
    items: VecDeque<T>,
    capacity: usize,
    /// How many were dropped since somebody was told.
    missed: u64,
}

impl<T> Buffer<T> for Latest<T> {
    fn push(&mut self, item: T) {
        if self.items.len() == self.capacity {
            self.items.pop_front();
            self.missed += 1;
        }
        self.items.push_back(item);
    }

    fn take(&mut self) -> Option<Received<T>> {
        match std::mem::take(&mut self.missed) {
            0 => self.items.pop_front().map(Received::Item),
            missed => Some(Received::Missed(missed)),
        }
    }
}

impl<T> Feed<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self::over(Latest {
            items: VecDeque::new(),
            capacity,
            missed: 0,
        })
    }
}

impl<T, B: Buffer<T>> Feed<T, B> {
    pub(crate) fn over(buffer: B) -> Self {
        let state = State {
            buffer,
            waiting: Vec::new(),
            next_receiver: 0,
            is_closed: false,
        };
        Self {
            state: Mutex::new(state),
            items: PhantomData,
        }
    }

    pub(crate) fn push(&self, item: T) {
        let mut state = self.state();
        state.buffer.push(item);
        wake(state);
    }

    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        wake(state);
    }

    pub(crate) fn try_recv(&self) -> Option<Received<T>> {
        self.state().buffer.take()
    }

    /// Waits for the next item; `None` once the feed is closed and empty.
    pub(crate) fn recv(&self) -> Receive<'_, T, B> {
        let mut state = self.state();
        state.next_receiver += 1;
        Receive {
            feed: self,
            number: state.next_receiver,
        }
    }
}

impl<T, B> Feed<T, B> {
    fn state(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes all receivers once the lock is free.
fn wake<B>(mut state: MutexGuard<'_, State<B>>) {
    let waiting = std::mem::take(&mut state.waiting);
    drop(state);
    for (_, waker) in waiting {
        waker.wake();
    }
}

/// Waits for an item. Leaves nothing behind when it is dropped.
#[derive(Debug)]
pub(crate) struct Receive<'a, T, B = Latest<T>> {
    feed: &'a Feed<T, B>,
    number: u64,
}

impl<T, B> Receive<'_, T, B> {
    fn leave(&self, state: &mut State<B>) {
        state.waiting.retain(|(number, _)| *number != self.number);
    }
}

impl<T, B: Buffer<T>> Future for Receive<'_, T, B> {
    type Output = Option<Received<T>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.feed.state();
        if let Some(received) = state.buffer.take() {
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

impl<T, B> Drop for Receive<'_, T, B> {
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

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Bell(std::sync::atomic::AtomicUsize);

    impl std::task::Wake for Bell {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    #[test]
    fn push_and_close_wake_every_receiver() {
        type Act = fn(&Feed<u8>);
        let acts: [(&str, Act); 2] = [
            ("push", |feed| feed.push(1)),
            ("close", |feed| feed.close()),
        ];
        for (name, act) in acts {
            let feed = Feed::new(2);
            let bells: [_; 3] = std::array::from_fn(|_| std::sync::Arc::new(Bell::default()));
            let mut receivers: [_; 3] = std::array::from_fn(|_| feed.recv());
            for (receiver, bell) in receivers.iter_mut().zip(&bells) {
                let waker = Waker::from(std::sync::Arc::clone(bell));
                let mut context = Context::from_waker(&waker);
                let polled = Pin::new(receiver).poll(&mut context);
                assert!(polled.is_pending(), "{name}");
            }
            act(&feed);
            for bell in &bells {
                let woken = bell.0.load(std::sync::atomic::Ordering::SeqCst);
                assert_eq!(woken, 1, "{name}");
            }
        }
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
