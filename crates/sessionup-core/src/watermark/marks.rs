//! The policy, without a clock and without threads.

use std::time::Duration;

use crate::Timestamp;

/// What is known of the time: what a [`Watermark`](crate::store::Watermark) holds, for stores that
/// keep it over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marks {
    /// The latest time that has proved itself; [`Timestamp::MIN`] if none has yet.
    pub settled: Timestamp,
    /// Where the clock is instead, if it is far from there.
    pub apart: Option<Stretch>,
}

/// The times that a clock has shown since it jumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stretch {
    /// The first of them.
    pub since: Timestamp,
    /// The latest of them.
    pub latest: Timestamp,
}

impl Stretch {
    /// Puts a stretch together.
    #[must_use]
    pub const fn new(since: Timestamp, latest: Timestamp) -> Self {
        Self { since, latest }
    }
}

/// What follows from a look at a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Judged {
    /// The time to judge by, and to record.
    pub now: Timestamp,
    /// What expired by this time may be deleted. Never after [`now`](Self::now).
    pub prune_up_to: Timestamp,
}

/// A clock went from one time to another, far from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// How far a clock moves without having jumped, and how long it has to stay where it jumped to.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Marks {
    fn default() -> Self {
        Self::new(Timestamp::MIN, None)
    }
}

impl Marks {
    /// Puts marks together.
    #[must_use]
    pub const fn new(settled: Timestamp, apart: Option<Stretch>) -> Self {
        Self { settled, apart }
    }

    /// Takes note of what a clock shows, and says whether it jumped.
    pub(super) fn observe(&mut self, clock: Timestamp) -> Option<Jump> {
        let from = self.apart.map_or(self.settled, |stretch| stretch.latest);
        let is_first = self.settled == Timestamp::MIN;
        let jump = (!is_first && !is_near(clock, from)).then_some(Jump { from, to: clock });
        self.apart = match self.apart {
            _ if is_first || is_near(clock, self.settled) => {
                self.settled = self.settled.max(clock);
                None
            }
            Some(stretch) if jump.is_none() => {
                let latest = stretch.latest.max(clock);
                if latest.saturating_since(stretch.since) < GRACE {
                    Some(Stretch { latest, ..stretch })
                } else {
                    self.settled = latest;
                    None
                }
            }
            _ => Some(Stretch::new(clock, clock)),
        };
        jump
    }

    /// Says what follows from what was noted.
    pub(super) fn judged(&self) -> Judged {
        let latest = self.apart.map(|stretch| stretch.latest);
        Judged {
            now: self.settled.max(latest.unwrap_or(self.settled)),
            prune_up_to: self.settled,
        }
    }
}

pub(super) fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.saturating_since(other).max(other.saturating_since(one)) <= GRACE
}
