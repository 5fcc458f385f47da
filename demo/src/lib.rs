//! "Your devices": a small web application that shows sessionup at work.
//!
//! Accounts with passwords, and pages on which users see where they are logged in and log out any of
//! those places. Accounts and sessions live in one redb file, which the application opens itself and
//! shares with the session store.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod accounts;
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
