//! A bounded queue between callers, who never wait for room, and the threads that do the work.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use sessionup_core::{StoreError, is_seeded};

use crate::sync::{Condvar, Instant, Mutex, MutexGuard, PoisonError, wait_until};

/// A bounded queue. Pushing never blocks: what finds no room is refused at once.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
    reserved: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: VecDeque<T>,
    /// How many must be waiting before the thread that takes them is to be woken.
    wanted: usize,
    closed: bool,
    woken: bool,
}

/// Whose room an item takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The room of all.
    Common,
    /// Room that is left when the common one is full: for revocations.
    Reserved,
}

/// What a thread finds in the queue.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// The oldest items; none if the thread was woken or its time is up.
    Items(Vec<T>),
    /// The queue is closed, and nothing is left in it.
    Ended,
}

impl<T> Queue<T> {
    pub(crate) fn new(capacity: NonZeroUsize, reserved: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                wanted: 1,
                closed: false,
                woken: false,
            }),
            changed: Condvar::new(),
            capacity: capacity.get(),
            reserved,
        }
    }

    pub(crate) fn push(&self, item: T, room: Room) -> Result<(), StoreError> {
        self.push_all([item], room)
    }

    /// Pushes all of these in a row, or none if there is no room for all.
    pub(crate) fn push_all(
        &self,
        items: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
        room: Room,
    ) -> Result<(), StoreError> {
        let items = items.into_iter();
        let limit = match room {
            Room::Common => self.capacity,
            Room::Reserved => self.capacity.saturating_add(self.reserved),
        };
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::Closed);
        }
        let left = limit.saturating_sub(state.waiting.len());
        if items.len() > left && !is_seeded!(UnboundedQueue) {
            return Err(StoreError::Overloaded);
        }
        state.waiting.extend(items);
        let is_enough = state.waiting.len() >= state.wanted;
        drop(state);
        if is_enough {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// How much room there is for revocations when the common one is full.
    #[cfg(unix)]
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// Waits until as many more have come as were just answered, or the given time. For a queue with
    /// one taker.
    ///
    /// Those who were answered may come again at once: what is taken without them is half of what
    /// could be.
    pub(crate) fn gather(&self, answered: usize, until: Instant) {
        let mut state = self.state();
        state.wanted = answered + state.waiting.len();
        // Whoever is alone waits for nobody.
        while state.wanted > 1
            && state.waiting.len() < state.wanted
            && !state.closed
            && !state.woken
            && until > Instant::now()
        {
            state = wait_until(&self.changed, &self.state, state, until);
        }
        state.wanted = 1;
    }

    /// Takes what is waiting. Waits for something if there is nothing, until the given time.
    pub(crate) fn take(&self, at_most: usize, until: Option<Instant>) -> Taken<T> {
        let mut state = self.state();
        loop {
            if !state.waiting.is_empty() {
                let count = state.waiting.len().min(at_most);
                return Taken::Items(state.waiting.drain(..count).collect());
            }
            if state.closed {
                return Taken::Ended;
            }
            if std::mem::take(&mut state.woken) {
                return Taken::Items(Vec::new());
            }
            state = match until {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(until) if until <= Instant::now() => return Taken::Items(Vec::new()),
                Some(until) => wait_until(&self.changed, &self.state, state, until),
            };
        }
    }

    /// Lets the thread that waits look around although nothing was pushed.
    pub(crate) fn wake(&self) {
        self.state().woken = true;
        self.changed.notify_all();
    }

    /// Refuses what comes from now on. What is waiting can still be taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::thread;

    fn queue(capacity: usize, reserved: usize) -> Queue<u32> {
        Queue::new(NonZeroUsize::new(capacity).unwrap(), reserved)
    }

    fn items(taken: Taken<u32>) -> Vec<u32> {
        match taken {
            Taken::Items(items) => items,
            Taken::Ended => panic!("ended"),
        }
    }

    #[test]
    fn items_come_out_in_order_and_not_more_than_asked() {
        let queue = queue(8, 0);
        for item in 0..5 {
            queue.push(item, Room::Common).unwrap();
        }
        assert_eq!(items(queue.take(3, None)), [0, 1, 2]);
        assert_eq!(items(queue.take(3, None)), [3, 4]);
    }

    #[test]
    fn full_queue_keeps_reserved_room() {
        let queue = queue(2, 1);
        queue.push(0, Room::Common).unwrap();
        queue.push(1, Room::Common).unwrap();

        let common = queue.push(2, Room::Common);
        assert!(matches!(common, Err(StoreError::Overloaded)), "{common:?}");
        queue.push(3, Room::Reserved).unwrap();
        let reserved = queue.push(4, Room::Reserved);
        assert!(
            matches!(reserved, Err(StoreError::Overloaded)),
            "{reserved:?}"
        );

        assert_eq!(items(queue.take(9, None)), [0, 1, 3]);
        queue.push(5, Room::Common).unwrap();
    }

    #[test]
    fn items_in_a_row_come_all_or_not_at_all() {
        let queue = queue(3, 1);
        queue.push(0, Room::Common).unwrap();
        let too_many = queue.push_all([1, 2, 3], Room::Common);
        assert!(
            matches!(too_many, Err(StoreError::Overloaded)),
            "{too_many:?}"
        );
        queue.push_all([4, 5, 6], Room::Reserved).unwrap();
        queue.push_all([], Room::Common).unwrap();
        assert_eq!(items(queue.take(9, None)), [0, 4, 5, 6]);
    }

    #[test]
    fn closed_queue_refuses_and_is_drained() {
        let queue = queue(2, 0);
        queue.push(0, Room::Common).unwrap();
        queue.close();
        queue.close();

        let late = queue.push(1, Room::Reserved);
        assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
        assert_eq!(items(queue.take(9, None)), [0]);
        assert!(matches!(queue.take(9, None), Taken::Ended));
    }

    #[test]
    fn gathering_ends_by_number_wake_close_and_time() {
        let later = || Instant::now() + std::time::Duration::from_secs(60);
        let queue = queue(1 << 20, 0);
        queue.gather(1, later());
        queue.push(1, Room::Common).unwrap();
        queue.gather(5, Instant::now());
        assert_eq!(items(queue.take(9, None)), [1]);

        thread::scope(|scope| {
            queue.push(1, Room::Common).unwrap();
            let gatherer = scope.spawn(|| queue.gather(2, later()));
            while !gatherer.is_finished() {
                queue.push(2, Room::Common).unwrap();
                thread::yield_now();
            }
            assert!(items(queue.take(usize::MAX, None)).len() >= 3);

            let gatherer = scope.spawn(|| queue.gather(2, later()));
            queue.wake();
            gatherer.join().unwrap();
            assert_eq!(items(queue.take(9, None)), [0; 0]);

            let gatherer = scope.spawn(|| queue.gather(2, later()));
            queue.close();
            gatherer.join().unwrap();
        });
    }

    #[test]
    fn waiting_ends_by_push_wake_close_and_time() {
        let queue = queue(2, 0);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| items(queue.take(1, None)));
            queue.push(7, Room::Common).unwrap();
            assert_eq!(waiter.join().unwrap(), [7]);

            let waiter = scope.spawn(|| items(queue.take(1, None)));
            queue.wake();
            assert_eq!(waiter.join().unwrap(), [0; 0]);

            assert_eq!(items(queue.take(1, Some(Instant::now()))), [0; 0]);

            let waiter = scope.spawn(|| matches!(queue.take(1, None), Taken::Ended));
            queue.close();
            assert!(waiter.join().unwrap());
        });
    }
}
