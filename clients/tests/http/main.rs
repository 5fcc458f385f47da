//! HTTP/2 from real clients, shared caches, and other layers around the session's.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod cache;
mod client;
mod crumbs;
mod gate;
mod kinds;
mod layers;
mod over_http2;
mod resets;
mod shared_cache;
#[path = "../support/mod.rs"]
mod support;
mod timeouts;
