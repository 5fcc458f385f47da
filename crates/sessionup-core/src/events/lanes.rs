//! A queue of events in which those that anybody can cause take no room from the others.

use std::collections::{HashMap, VecDeque};

use crate::events::{Event, Repeatable};
use crate::feed::{Buffer, Received};

/// Events that wait to be received, in lanes of their own capacity.
///
/// They are received in the order in which they happened, whichever lane they are in. A lane that is
/// full drops its own oldest event.
#[derive(Debug)]
pub(crate) struct Lanes {
    capacity: usize,
    next: u64,
    missed: u64,
    /// Anybody can cause these without an account, as often as requests are sent.
    common: VecDeque<Numbered>,
    failures: VecDeque<Numbered>,
    /// Signs of a stolen token.
    suspicions: VecDeque<Numbered>,
    /// Changes of the store.
    changes: VecDeque<Numbered>,
    /// How many wait of those that are bounded for each session too.
    repeated: HashMap<Repeatable, usize>,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    event: Event,
}

impl Lanes {
    /// How many events that repeat the same about one session wait at most.
    const PER_SESSION: usize = 4;

    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            next: 0,
            missed: 0,
            common: VecDeque::new(),
            failures: VecDeque::new(),
            suspicions: VecDeque::new(),
            changes: VecDeque::new(),
            repeated: HashMap::new(),
        }
    }

    fn lane_of(&mut self, event: &Event) -> &mut VecDeque<Numbered> {
        match event {
            Event::StoreFailed { .. } => &mut self.failures,
            _ if event.repeatable().is_some() => &mut self.suspicions,
            Event::Missed { .. } | Event::Rejected { .. } => &mut self.common,
            _ => &mut self.changes,
        }
    }

    fn forget(&mut self, event: &Event) {
        let Some(repeatable) = event.repeatable() else {
            return;
        };
        if let Some(waiting) = self.repeated.get_mut(&repeatable) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.repeated.remove(&repeatable);
            }
        }
    }
}

impl Buffer<Event> for Lanes {
    fn push(&mut self, event: Event) {
        if let Some(repeatable) = event.repeatable() {
            let waiting = self.repeated.entry(repeatable).or_default();
            if *waiting >= Self::PER_SESSION {
                self.missed += 1;
                return;
            }
            *waiting += 1;
        }
        self.next += 1;
        let (number, capacity) = (self.next, self.capacity);
        let lane = self.lane_of(&event);
        let dropped = if lane.len() >= capacity {
            lane.pop_front()
        } else {
            None
        };
        lane.push_back(Numbered { number, event });
        if let Some(dropped) = dropped {
            self.missed += 1;
            self.forget(&dropped.event);
        }
    }

    fn take(&mut self) -> Option<Received<Event>> {
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            return Some(Received::Missed(missed));
        }
        let lanes = [
            &mut self.common,
            &mut self.failures,
            &mut self.suspicions,
            &mut self.changes,
        ];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mismatch, Refusal, SessionId, StoreError, UserKey};

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
                Received::Item(Event::StoreFailed { error }) => match error {
                    StoreError::CorruptRecord { id, .. } => {
                        format!("damaged {}", id.as_bytes()[1])
                    }
                    _ => "failed".into(),
                },
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
        assert!(lanes.repeated.is_empty());
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
        assert!(lanes.repeated.is_empty());
        lanes.push(rejected(Refusal::Reused, 2));
        assert_eq!(taken(&mut lanes), ["reused 2"]);
    }

    fn failed(error: StoreError) -> Event {
        Event::StoreFailed { error }
    }

    #[test]
    fn push_of_junk_keeps_failures_of_the_store() {
        let mut lanes = Lanes::new(5);
        lanes.push(failed(StoreError::outcome_unknown("torn")));
        for n in 0..100 {
            lanes.push(rejected(Refusal::Malformed, n));
        }
        // Requests with the cookie of a session whose record is damaged.
        for _ in 0..100 {
            lanes.push(failed(StoreError::corrupt(id(1), "damaged")));
        }
        let all = taken(&mut lanes);
        assert_eq!(all[..2], ["missed 191", "failed"]);
        assert_eq!(
            all[7..],
            ["damaged 1", "damaged 1", "damaged 1", "damaged 1"]
        );
        assert!(lanes.repeated.is_empty());
    }

    #[test]
    fn push_of_many_sessions_suspicions_keeps_the_latest() {
        let mut lanes = Lanes::new(3);
        for n in 0..100 {
            lanes.push(rejected(Refusal::Reused, n));
        }
        assert_eq!(lanes.repeated.len(), 3);
        let all = ["missed 97", "reused 97", "reused 98", "reused 99"];
        assert_eq!(taken(&mut lanes), all);
        assert!(lanes.repeated.is_empty());
    }
}
