//! A clock, as one who judges by it looks at it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::watermark::{Judged, Jump, Watermark};
use crate::{Clock, Timestamp};

/// A clock that is looked at over a watermark, and what its owner was told of jumps.
pub(crate) struct Steady {
    clock: Arc<dyn Clock>,
    told: AtomicU64,
}

impl Steady {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let told = AtomicU64::new(0);
        Self { clock, told }
    }

    /// Returns what the clock shows, for what must not stand still.
    pub(crate) fn shown(&self) -> Timestamp {
        self.clock.now()
    }

    /// Says by which time to judge. A jump is told once, whoever saw it first.
    pub(crate) fn look(&self, watermark: &Watermark) -> (Judged, Option<Jump>) {
        let judged = watermark.observe(self.clock.now());
        (judged, watermark.jump_untold(&self.told))
    }
}

impl fmt::Debug for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.clock.fmt(f)
    }
}
