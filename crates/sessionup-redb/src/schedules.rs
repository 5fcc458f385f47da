//! The small parts that threads meet in, under every schedule there is.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use sessionup_core::{Record, SecretHash, Session, SessionId, StoreError, Timestamp, UserKey};
use shuttle::future::block_on;
use shuttle::scheduler::DfsScheduler;
use shuttle::thread::{spawn, yield_now};
use shuttle::{Config, Runner};

use crate::cache::Cache;
use crate::queue::{Queue, Room, Taken};
use crate::shared::Latch;
use crate::touches::{Put, Touches};

/// Runs a scenario under every schedule.
fn all(scenario: impl Fn() + Send + Sync + 'static) {
    let runs = Runner::new(DfsScheduler::new(None, false), Config::new()).run(scenario);
    println!("all {runs} schedules");
    assert!(runs > 9, "there was nothing to choose");
}

fn queue(capacity: usize, reserved: usize) -> Arc<Queue<u32>> {
    let capacity = NonZeroUsize::new(capacity).unwrap();
    Arc::new(Queue::new(capacity, reserved))
}

/// Takes until the queue has ended.
fn drain(queue: &Queue<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    while let Taken::Items(items) = queue.take(1, None) {
        all.extend(items);
    }
    all
}

#[test]
fn what_is_pushed_before_the_end_is_taken_once() {
    all(|| {
        let queue = queue(9, 0);
        let pushing = {
            let queue = Arc::clone(&queue);
            spawn(move || queue.push(1, Room::Common))
        };
        let taking = {
            let queue = Arc::clone(&queue);
            spawn(move || drain(&queue))
        };
        queue.close();
        let expected = match pushing.join().unwrap() {
            Ok(()) => vec![1],
            Err(StoreError::Closed) => vec![],
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(taking.join().unwrap(), expected);
    });
}

#[test]
fn each_of_two_takers_goes_on() {
    all(|| {
        let queue = queue(9, 0);
        let take = |queue: &Queue<u32>| match queue.take(1, None) {
            Taken::Items(items) => items,
            Taken::Ended => panic!("ended"),
        };
        let taking = {
            let queue = Arc::clone(&queue);
            spawn(move || take(&queue))
        };
        queue.push(1, Room::Common).unwrap();
        queue.push(2, Room::Common).unwrap();
        let mut taken = [take(&queue), taking.join().unwrap()].concat();
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
    });
}

#[test]
fn who_is_woken_looks_around() {
    all(|| {
        let queue = queue(1, 0);
        let waking = {
            let queue = Arc::clone(&queue);
            spawn(move || queue.wake())
        };
        let pushing = {
            let queue = Arc::clone(&queue);
            spawn(move || queue.push(1, Room::Common).unwrap())
        };
        let mut taken = Vec::new();
        for _ in 0..2 {
            match queue.take(9, None) {
                Taken::Items(items) => taken.push(items),
                Taken::Ended => panic!("ended"),
            }
        }
        taken.sort_unstable();
        assert_eq!(taken, [vec![], vec![1]]);
        waking.join().unwrap();
        pushing.join().unwrap();
    });
}

#[test]
fn no_more_wait_than_there_is_room_for() {
    all(|| {
        let queue = queue(1, 1);
        let push = |room| {
            let queue = Arc::clone(&queue);
            spawn(move || queue.push(0, room).is_ok())
        };
        let (common, reserved) = (push(Room::Common), push(Room::Reserved));
        let second = queue.push(0, Room::Common).is_ok();
        let first = common.join().unwrap();
        assert!(reserved.join().unwrap(), "revocation was refused");
        assert!(!(first && second), "two found room for one");
        queue.close();
        let expected = 1 + usize::from(first) + usize::from(second);
        assert_eq!(drain(&queue).len(), expected);
    });
}

#[test]
fn all_who_wait_for_a_latch_go_on() {
    all(|| {
        let latch = Arc::new(Latch::default());
        let waiting = [1, 2].map(|_| {
            let latch = Arc::clone(&latch);
            spawn(move || block_on(latch.wait()))
        });
        latch.open();
        block_on(latch.wait());
        for waiting in waiting {
            waiting.join().unwrap();
        }
    });
}

#[test]
fn use_that_was_read_before_its_session_ended_leaves_nothing() {
    all(|| {
        let hour = std::time::Duration::from_secs(3_600);
        let touches = Arc::new(Touches::new(hour, 9));
        let (id, at) = (SessionId::from_bytes([1; 16]), Timestamp::from_millis(5));
        // Raised and looked at where no schedule changes.
        let ended = Arc::new(AtomicBool::new(false));
        let using = {
            let (touches, ended) = (Arc::clone(&touches), Arc::clone(&ended));
            spawn(move || {
                let before = touches.before();
                let was_ended = ended.load(Ordering::SeqCst);
                (was_ended, touches.put(id, at, before))
            })
        };
        touches.fence(&[id]);
        ended.store(true, Ordering::SeqCst);
        touches.settle(None, &[], [id]);
        let (was_ended, put) = using.join().unwrap();
        assert_eq!(touches.of(id).is_some(), was_ended && put.is_noted());
    });
}

/// One session, told apart by when it was last seen: in its table, in memory, and its uses.
struct Bench {
    cache: Cache,
    /// Looked at and changed where no schedule changes.
    table: AtomicI64,
    touches: Touches,
}

const ID: SessionId = SessionId::from_bytes([1; 16]);

impl Bench {
    fn new() -> Arc<Self> {
        let hour = std::time::Duration::from_secs(3_600);
        Arc::new(Self {
            cache: Cache::new(1 << 16),
            table: AtomicI64::new(1),
            touches: Touches::new(hour, 9),
        })
    }

    /// As readers look.
    fn look(&self) -> i64 {
        if let Some(record) = self.cache.get(ID) {
            return record.session.last_seen_at.as_millis();
        }
        let seat = self.cache.seat(ID);
        let used = self.touches.of(ID).map_or(0, Timestamp::as_millis);
        let seen = used.max(self.table.load(Ordering::SeqCst));
        let user = UserKey::new("ann").unwrap();
        let mut session = Session::new(ID, user, Timestamp::from_millis(0), Timestamp::MAX);
        session.last_seen_at = Timestamp::from_millis(seen);
        let record = Arc::new(Record::new(session, SecretHash::from_bytes([7; 32])));
        self.cache.put(seat, &record);
        seen
    }

    /// As lists look, which know of no memory.
    fn look_past_memory(&self) -> i64 {
        let held = self.touches.of(ID).map_or(0, Timestamp::as_millis);
        held.max(self.table.load(Ordering::SeqCst))
    }
}

#[test]
fn memory_is_never_behind_the_tables() {
    all(|| {
        let bench = Bench::new();
        let changing = {
            let bench = Arc::clone(&bench);
            spawn(move || {
                bench.cache.fence(&[ID]);
                yield_now();
                bench.table.store(2, Ordering::SeqCst);
                bench.cache.lift(&[ID]);
            })
        };
        // What this puts in memory must not outlive the change.
        bench.look();
        let first = bench.table.load(Ordering::SeqCst);
        let then = bench.look();
        assert!(first <= then, "{then} after {first}");
        changing.join().unwrap();
        assert_eq!(bench.look(), 2);
    });
}

#[test]
fn memory_is_never_behind_a_use() {
    all(|| {
        let bench = Bench::new();
        let using = {
            let bench = Arc::clone(&bench);
            spawn(move || {
                let (at, before) = (Timestamp::from_millis(5), bench.touches.before());
                let use_it = || {
                    let note = || bench.touches.put(ID, at, before);
                    bench.cache.used(ID, at, note)
                };
                let mut put = use_it();
                while put == Put::Busy {
                    bench.touches.wait();
                    put = use_it();
                }
                assert_eq!(put, Put::First);
            })
        };
        // What this puts in memory must not outlive the change.
        bench.look();
        let first = bench.look_past_memory();
        let then = bench.look();
        assert!(first <= then, "{then} after {first}");
        using.join().unwrap();
        assert_eq!(bench.look(), 5);
    });
}
