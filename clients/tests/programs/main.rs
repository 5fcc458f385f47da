//! Programs that speak HTTP, against the demo as a process.
//!
//! Each needs something outside Rust; `clients/run` runs those tests for which it is there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod curl;
mod python;
#[path = "../support/mod.rs"]
mod support;
