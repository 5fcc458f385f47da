//! "Your devices": a small web application that shows sessionup at work.
//!
//! Accounts with passwords, and pages on which users see where they are logged in and log out any of
//! those places. Sessions live in the file of their store, and accounts in a redb file beside it.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod accounts;
mod address;
mod api;
pub mod app;
pub mod args;
pub mod database;
mod hashing;
mod pages;
pub mod passwords;
pub mod server;
mod shutdown;
mod tries;
mod verify;
