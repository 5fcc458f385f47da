//! What becomes of a clock that steps: what has ended stays ended, and nothing is deleted in haste.

mod marks;
mod steady;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use marks::Jump;
pub use marks::{Judged, Marks, Stretch};
pub(crate) use steady::Steady;

use crate::Timestamp;

/// What a store's managers and its cleanup know of the time, together.
///
/// Clocks step: a time server corrects them, a machine without a battery begins in 1970, a machine
/// that slept wakes up days later. So whoever looks at a clock takes note of it here, and is told by
/// which time to judge:
///
/// - **A clock that is set back by up to a day**: time stands still until the clock is there again.
///   What has expired stays so, and nothing lives longer than its deadline by the clock.
/// - **A clock that jumps ahead by more than a day** is followed at once: what has expired by it is
///   refused. What is deleted is what had expired before the jump; the rest waits until the clock
///   has stayed for a day, counted by its own times. If it comes back before that, everything is as
///   it was.
/// - **A clock that jumps back by more than a day** is not followed before it has stayed for a day:
///   until then time stands still, so that what has expired stays so. Then it is: otherwise nothing
///   would end any more once a clock was corrected that had been years ahead. A clock that is less
///   than two days back may reach the time at which it stood still instead.
///
/// Ahead by less than a day is what clocks do. The first time that is ever seen is believed.
///
/// One watermark is shared by all that look at a clock for one store, and they must look at the same
/// one. Looking is cheap and waits for nobody as long as the clock goes forward.
///
/// ```
/// use std::time::Duration;
/// use sessionup_core::Timestamp;
/// use sessionup_core::store::Watermark;
///
/// let noon = Timestamp::from_millis(1_767_268_800_000);
/// let (hour, years) = (Duration::from_secs(3_600), Duration::from_secs(300_000_000));
/// let watermark = Watermark::default();
/// watermark.observe(noon);
///
/// assert_eq!(watermark.observe(noon.saturating_sub(hour)).now, noon);
///
/// let ahead = watermark.observe(noon.saturating_add(years));
/// assert_eq!(ahead.now, noon.saturating_add(years));
/// assert_eq!(ahead.prune_up_to, noon);
/// ```
#[derive(Default)]
pub struct Watermark {
    /// Apart from the rest, so that nobody is held up while the clock simply goes on.
    settled: Settled,
    /// Whether there is a stretch apart.
    is_apart: AtomicBool,
    jumps: AtomicU64,
    rare: Mutex<Rare>,
}

/// [`Marks::settled`] in milliseconds.
struct Settled(AtomicI64);

impl Default for Settled {
    fn default() -> Self {
        Self(AtomicI64::new(Timestamp::MIN.as_millis()))
    }
}

impl Settled {
    fn get(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(SeqCst))
    }

    /// Changes it, unless somebody else did; says whether it is as wanted.
    fn change(&self, from: Timestamp, to: Timestamp) -> bool {
        let (from, to) = (from.as_millis(), to.as_millis());
        from == to || self.0.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }
}

/// What is looked at only when a clock does not simply go on.
#[derive(Default)]
struct Rare {
    apart: Option<Stretch>,
    jump: Option<Jump>,
}

impl Watermark {
    /// How far a clock may step without being taken for one that jumped, and how long it must stay
    /// where it jumped to until that is believed: 24 hours.
    pub const GRACE: Duration = marks::GRACE;

    /// Goes on from what was known before a restart.
    #[must_use]
    pub fn resuming(marks: Marks) -> Self {
        let Marks { settled, apart } = marks;
        Self {
            settled: Settled(AtomicI64::new(settled.as_millis())),
            is_apart: AtomicBool::new(apart.is_some()),
            jumps: AtomicU64::new(0),
            rare: Mutex::new(Rare { apart, jump: None }),
        }
    }

    /// Takes note of what a clock shows, and says by which time to judge.
    pub fn observe(&self, clock: Timestamp) -> Judged {
        while !self.is_apart.load(SeqCst) {
            let settled = self.settled.get();
            if settled == Timestamp::MIN || !marks::is_near(clock, settled) {
                break;
            }
            let now = settled.max(clock);
            if self.settled.change(settled, now) {
                return Marks::new(now, None).judged();
            }
        }
        self.observe_rare(clock)
    }

    fn observe_rare(&self, clock: Timestamp) -> Judged {
        let mut rare = self.rare();
        loop {
            let settled = self.settled.get();
            let mut marks = Marks::new(settled, rare.apart);
            let jump = marks.observe(clock);
            // Those who are not held up may have moved it meanwhile.
            if !self.settled.change(settled, marks.settled) {
                continue;
            }
            rare.apart = marks.apart;
            self.is_apart.store(marks.apart.is_some(), SeqCst);
            if jump.is_some() {
                rare.jump = jump;
                self.jumps.fetch_add(1, SeqCst);
            }
            return marks.judged();
        }
    }

    /// Returns what is known, to be kept over a restart.
    #[must_use]
    pub fn marks(&self) -> Marks {
        let rare = self.rare();
        Marks::new(self.settled.get(), rare.apart)
    }

    /// Returns the latest jump if somebody has not been told of it, and notes that they are.
    fn jump_untold(&self, told: &AtomicU64) -> Option<Jump> {
        let jumps = self.jumps.load(SeqCst);
        if told.load(SeqCst) == jumps || told.swap(jumps, SeqCst) == jumps {
            return None;
        }
        self.rare().jump
    }

    fn rare(&self) -> MutexGuard<'_, Rare> {
        self.rare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.marks().fmt(f)
    }
}

#[cfg(test)]
mod tests;
