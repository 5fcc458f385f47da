//! Whether a run hangs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A run in which nothing is counted for longer hangs. How long it may take depends on the disk.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(120);

/// Beats whenever something is counted, for whoever looks whether a run hangs. No part of what was
/// counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    pub(super) fn beat(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn beats(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl PartialEq for Pulse {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Pulse {}

/// What a thread is doing, for whoever looks whether it hangs.
pub(super) struct Clock {
    run: AtomicU64,
    /// Not between two runs.
    is_running: AtomicBool,
    pub(super) pulse: Pulse,
    /// How often it had beaten when it was looked at, and when that was found first.
    seen: Mutex<(u64, Instant)>,
}

impl Clock {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            run: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
            pulse: Pulse::default(),
            seen: Mutex::new((0, now)),
        }
    }

    pub(super) fn begin(&self, run: u64) {
        self.run.store(run, Ordering::SeqCst);
        self.pulse.beat();
        self.is_running.store(true, Ordering::SeqCst);
    }

    pub(super) fn end(&self) {
        self.is_running.store(false, Ordering::SeqCst);
    }

    /// Looks at it, as is to be done every now and then; returns the run that hangs.
    pub(super) fn hangs(&self, now: Instant) -> Option<u64> {
        let beats = self.pulse.beats();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if beats != seen.0 || !self.is_running.load(Ordering::SeqCst) {
            *seen = (beats, now);
        }
        let is_silent = now.saturating_duration_since(seen.1) > LONGEST_SILENCE;
        is_silent.then(|| self.run.load(Ordering::SeqCst))
    }
}
