//! Evidence about the whole workspace, for its tests alone; never part of what is published.
//!
//! - [`watch`], [`listen`], [`note_issued`] and [`note_written`] are called by tests of all crates.
//!   They do nothing unless the variable [`DIRECTORY`] names a directory, as `.ci/leaks` does. Then
//!   each test process writes there what is logged, at level TRACE with all spans, what panics say,
//!   and which tokens were issued.
//! - [`Needles`] finds these tokens, in whatever notation.
//! - `tests/documents` holds what docs/ say of tests to the tests that are there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "for tests, where a failure is to be loud"
)]

mod needles;
mod recording;

pub use needles::{Needles, percent, tokens_by_form};
pub use recording::{DIRECTORY, Ledger, listen, note_issued, note_planted, note_written, watch};
