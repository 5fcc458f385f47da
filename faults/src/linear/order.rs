//! One order of all moments, whoever's they are.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers moments.
#[derive(Debug, Default)]
pub struct Order(AtomicU64);

impl Order {
    /// Returns a number larger than all before it.
    pub fn moment(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
