//! Stories of users, told to the program itself over HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod accounts;
mod api;
mod cast;
mod devices;
mod pages;
mod passwords;
mod restarts;
mod secrets;
mod starts;
#[path = "../support/mod.rs"]
mod support;
