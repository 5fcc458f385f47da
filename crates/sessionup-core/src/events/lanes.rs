//! A queue of events in which those that anybody can cause take no room from the others.

use std::collections::{HashMap, VecDeque};

use crate::events::{Event, Suspicion};
use crate::feed::{Buffer, Received};

/// Events that wait to be received, in three lanes of their own capacity.
///
/// They are received in the order in which they happened, whichever lane they are in. What is full
/// drops its own oldest event.
#[derive(Debug)]
pub(crate) struct Lanes {
    capacity: usize,
    next: u64,
    missed: u64,
    /// Anybody can cause these without an account, as often as requests are sent.
    common: VecDeque<Numbered>,
    /// Signs of a stolen token. Anybody with an account can cause these for their own session, so
    /// they are bounded for each session too.
    suspicions: VecDeque<Numbered>,
    waiting: HashMap<Suspicion, usize>,
    /// Changes of the store.
    changes: VecDeque<Numbered>,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    event: Event,
}

impl Lanes {
    /// How many suspicions of one kind about one session wait at most.
    const PER_SESSION: usize = 4;

    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            next: 0,
            missed: 0,
            common: VecDeque::new(),
            suspicions: VecDeque::new(),
            waiting: HashMap::new(),
            changes: VecDeque::new(),
        }
    }

    fn push_suspicion(&mut self, suspicion: Suspicion, numbered: Numbered) {
        let waiting = self.waiting.get(&suspicion).copied().unwrap_or_default();
        if waiting >= Self::PER_SESSION {
            self.missed += 1;
            return;
        }
        if let Some(dropped) = push(&mut self.suspicions, numbered, self.capacity) {
            self.missed += 1;
            self.forget(&dropped.event);
        }
        *self.waiting.entry(suspicion).or_default() += 1;
    }

    fn forget(&mut self, event: &Event) {
        let Some(suspicion) = event.suspicion() else {
            return;
        };
        if let Some(waiting) = self.waiting.get_mut(&suspicion) {
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&suspicion);
            }
        }
    }
}

impl Buffer<Event> for Lanes {
    fn push(&mut self, event: Event) {
        self.next += 1;
        let number = self.next;
        if let Some(suspicion) = event.suspicion() {
            return self.push_suspicion(suspicion, Numbered { number, event });
        }
        let lane = match event {
            Event::Missed { .. } | Event::Rejected { .. } | Event::StoreFailed { .. } => {
                &mut self.common
            }
            _ => &mut self.changes,
        };
        if push(lane, Numbered { number, event }, self.capacity).is_some() {
            self.missed += 1;
        }
    }

    fn take(&mut self) -> Option<Received<Event>> {
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            return Some(Received::Missed(missed));
        }
        let lanes = [&mut self.common, &mut self.suspicions, &mut self.changes];
        let numbered = lanes.into_iter().filter_map(|lane| {
            let number = lane.front()?.number;
            Some((number, lane))
        });
        let (_, oldest) = numbered.min_by_key(|(number, _)| *number)?;
        let event = oldest.pop_front()?.event;
        self.forget(&event);
        Some(Received::Item(event))
    }
}

/// Adds an event, and returns the oldest one if there was no room.
fn push(lane: &mut VecDeque<Numbered>, numbered: Numbered, capacity: usize) -> Option<Numbered> {
    let dropped = if lane.len() >= capacity {
        lane.pop_front()
    } else {
        None
    };
    lane.push_back(numbered);
    dropped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mismatch, Refusal, SessionId, UserKey};

    fn id(n: u16) -> SessionId {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&n.to_be_bytes());
        SessionId::from_bytes(bytes)
    }

    fn rejected(reason: Refusal, n: u16) -> Event {
        Event::Rejected {
            reason,
            id: Some(id(n)),
            user_key: None,
            ip: None,
        }
    }

    fn mismatched(n: u16) -> Event {
        Event::Mismatched {
            mismatch: Mismatch::Ip,
            id: id(n),
            user_key: UserKey::new("ann").unwrap(),
            ip: None,
        }
    }

    fn renewed(n: u16) -> Event {
        Event::Renewed {
            id: id(n),
            user_key: UserKey::new("ann").unwrap(),
        }
    }

    /// Takes everything; one word for each event.
    fn taken(lanes: &mut Lanes) -> Vec<String> {
        std::iter::from_fn(|| lanes.take())
            .map(|received| match received {
                Received::Missed(missed) => format!("missed {missed}"),
                Received::Item(Event::Rejected { reason, id, .. }) => {
                    let number = id.unwrap().as_bytes()[1];
                    format!("{} {number}", reason.as_str())
                }
                Received::Item(Event::Mismatched { id, .. }) => {
                    format!("mismatched {}", id.as_bytes()[1])
                }
                Received::Item(Event::Renewed { id, .. }) => {
                    format!("renewed {}", id.as_bytes()[1])
                }
                Received::Item(other) => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn take_from_several_lanes_keeps_the_order() {
        let mut lanes = Lanes::new(8);
        lanes.push(renewed(1));
        lanes.push(rejected(Refusal::Unknown, 2));
        lanes.push(mismatched(3));
        lanes.push(rejected(Refusal::Reused, 4));
        lanes.push(rejected(Refusal::WrongSecret, 5));
        lanes.push(renewed(6));
        let all = [
            "renewed 1",
            "unknown 2",
            "mismatched 3",
            "reused 4",
            "wrong-secret 5",
            "renewed 6",
        ];
        assert_eq!(taken(&mut lanes), all);
        assert!(lanes.waiting.is_empty());
    }

    #[test]
    fn push_of_too_many_drops_from_its_own_lane() {
        let mut lanes = Lanes::new(2);
        lanes.push(rejected(Refusal::Reused, 1));
        lanes.push(renewed(2));
        for n in 3..9 {
            lanes.push(rejected(Refusal::Malformed, n));
        }
        lanes.push(renewed(9));
        lanes.push(renewed(10));
        let all = [
            "missed 5",
            "reused 1",
            "malformed 7",
            "malformed 8",
            "renewed 9",
            "renewed 10",
        ];
        assert_eq!(taken(&mut lanes), all);
    }

    #[test]
    fn push_of_one_sessions_suspicions_keeps_those_of_others() {
        let mut lanes = Lanes::new(8);
        lanes.push(rejected(Refusal::Reused, 1));
        for _ in 0..1_000 {
            lanes.push(rejected(Refusal::Reused, 2));
        }
        // Another kind of suspicion about the same session is news.
        lanes.push(mismatched(2));
        let all = [
            "missed 996",
            "reused 1",
            "reused 2",
            "reused 2",
            "reused 2",
            "reused 2",
            "mismatched 2",
        ];
        assert_eq!(taken(&mut lanes), all);
        assert!(lanes.waiting.is_empty());
        lanes.push(rejected(Refusal::Reused, 2));
        assert_eq!(taken(&mut lanes), ["reused 2"]);
    }

    #[test]
    fn push_of_many_sessions_suspicions_keeps_the_latest() {
        let mut lanes = Lanes::new(3);
        for n in 0..100 {
            lanes.push(rejected(Refusal::Reused, n));
        }
        assert_eq!(lanes.waiting.len(), 3);
        let all = ["missed 97", "reused 97", "reused 98", "reused 99"];
        assert_eq!(taken(&mut lanes), all);
        assert!(lanes.waiting.is_empty());
    }
}
