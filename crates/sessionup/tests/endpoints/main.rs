//! What the ready endpoints answer, to whom, and what they do.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod admin;
mod described;
mod rows;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod user;
