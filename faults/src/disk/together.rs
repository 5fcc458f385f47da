//! Having a store carry operations out in one transaction, in a known order.
//!
//! The writer of the store takes all that waits. So it is held where it answers the operation before,
//! which is woken on its thread, until all others stand in line.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use sessionup_core::{SessionId, Store};

use super::Disk;
use super::trace::Event;
use crate::model::{Answer, Op};
use crate::perform::{Failed, perform};

/// What became of an operation.
pub type Outcome = Result<Answer, Failed>;

/// Has a store carry operations out: several at once in one transaction, in this order. Notes in the
/// trace of a disk when each was asked for and when its answer was on its way; the first has this
/// number.
///
/// Reads, uses of sessions and prunes are not to be among several: they do not stand in this line.
pub fn carry_out(store: &impl Store, ops: &[Op], disk: &Disk, number: usize) -> Vec<Outcome> {
    let gate = Arc::new(Gate::default());
    let held = (ops.len() > 1).then(|| hold(store, &gate));
    let mut line: Vec<_> = ops
        .iter()
        .zip(number..)
        .map(|(op, number)| {
            disk.note(Event::Begun(number));
            let bell = Arc::new(Bell {
                thread: thread::current(),
                disk: disk.clone(),
                number,
                wakes_with_answer: is_one_step(op),
                is_noted: AtomicBool::new(false),
            });
            let mut waiting = Waiting {
                future: Box::pin(perform(store, op)),
                bell,
                outcome: None,
            };
            waiting.poll();
            waiting
        })
        .collect();
    gate.open();
    while line.iter().any(|waiting| waiting.outcome.is_none()) {
        thread::park();
        line.iter_mut().for_each(Waiting::poll);
    }
    drop(held);
    line.into_iter()
        .filter_map(|waiting| waiting.outcome)
        .collect()
}

/// Says whether an operation stands in the writer's line, once.
#[must_use]
pub fn is_one_step(op: &Op) -> bool {
    match op {
        Op::Create { .. } | Op::Delete { .. } | Op::DeleteUser { .. } => true,
        Op::Update { change, .. } => change.as_touch().is_none(),
        Op::Fetch { .. } | Op::List { .. } | Op::PruneAll { .. } => false,
    }
}

/// Says whether an operation has its transaction in common with others in the line. Deletions of many
/// sessions have one of their own.
#[must_use]
pub fn shares_a_transaction(op: &Op) -> bool {
    is_one_step(op) && !matches!(op, Op::DeleteUser { .. })
}

struct Waiting<'a> {
    future: Pin<Box<dyn Future<Output = Outcome> + 'a>>,
    bell: Arc<Bell>,
    outcome: Option<Outcome>,
}

impl Waiting<'_> {
    fn poll(&mut self) {
        if self.outcome.is_some() {
            return;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        if let Poll::Ready(outcome) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.outcome = Some(outcome);
            self.bell.note();
        }
    }
}

/// Notes an answer on the thread that gives it.
struct Bell {
    thread: Thread,
    disk: Disk,
    number: usize,
    /// Whether who is woken has their answer.
    wakes_with_answer: bool,
    is_noted: AtomicBool,
}

impl Bell {
    fn note(&self) {
        if !self.is_noted.swap(true, Ordering::SeqCst) {
            self.disk.note(Event::Answered(self.number));
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if self.wakes_with_answer {
            self.note();
        }
        self.thread.unpark();
    }
}

/// Holds the writer where it answers an operation that does nothing, until the gate is opened.
fn hold<'a>(store: &'a impl Store, gate: &Arc<Gate>) -> Pin<Box<dyn Future<Output = bool> + 'a>> {
    loop {
        let mut nothing: Pin<Box<dyn Future<Output = bool> + 'a>> = Box::pin(async move {
            let nobody = SessionId::from_bytes([0xff; 16]);
            store.delete(nobody, None).await.is_ok()
        });
        let waker = Waker::from(Arc::clone(gate));
        match nothing.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                gate.wait_for_writer();
                return nothing;
            }
            // Answered faster than it could be held.
            Poll::Ready(true) => {}
            Poll::Ready(false) => return nothing,
        }
    }
}

#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
    moved: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum GateState {
    #[default]
    Shut,
    Waited,
    Open,
}

impl Gate {
    fn open(&self) {
        self.put(GateState::Open);
    }

    fn wait_for_writer(&self) {
        self.wait(|state| state != GateState::Shut);
    }

    fn put(&self, state: GateState) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.moved.notify_all();
    }

    fn wait(&self, until: impl Fn(GateState) -> bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !until(*state) {
            let woken = self.moved.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Wake for Gate {
    fn wake(self: Arc<Self>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *state == GateState::Shut {
            *state = GateState::Waited;
        }
        drop(state);
        self.moved.notify_all();
        self.wait(|state| state == GateState::Open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::life;
    use crate::script::{BEGIN, hash, id, user};
    use sessionup_core::{Record, Session};

    fn login(number: u64) -> Op {
        let expires = BEGIN.saturating_add(std::time::Duration::from_secs(60));
        let session = Session::new(id(number), user(0), BEGIN, expires);
        Op::Create {
            record: Box::new(Record::new(session, hash(0))),
            replaces: None,
            limit: None,
            now: BEGIN,
        }
    }

    fn logout(number: u64) -> Op {
        Op::Delete {
            id: id(number),
            owner: None,
        }
    }

    #[test]
    fn several_are_one_transaction_in_order_and_answered_after_it() {
        for _ in 0..50 {
            let disk = Disk::with(life::empty().unwrap());
            let store = life::open(&disk, false).unwrap();
            carry_out(&store, &[login(9)], &disk, 0);
            disk.record();
            let ops = [login(1), logout(1), logout(1), login(1)];
            let answers: Vec<_> = carry_out(&store, &ops, &disk, 7)
                .into_iter()
                .map(Result::unwrap)
                .collect();
            let events = disk.recorded().0;

            assert_eq!(
                answers[1..3],
                [Answer::Deleted(true), Answer::Deleted(false)]
            );
            let place = |wanted: fn(&Event) -> bool| {
                let places = events.iter().enumerate().filter(|(_, event)| wanted(event));
                places.map(|(place, _)| place).collect::<Vec<_>>()
            };
            let synced = place(|event| matches!(event, Event::Synced));
            let answered = place(|event| matches!(event, Event::Answered(7..=10)));
            let begun = place(|event| matches!(event, Event::Begun(7..=10)));
            assert!(matches!(synced.len(), 2..=3), "{synced:?}");
            assert_eq!([begun.len(), answered.len()], [4, 4]);
            assert!(begun.last() < synced.first() && synced.last() < answered.first());
        }
    }
}
