//! Servers for real clients: the demo as a process, and small applications in this one.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

/// The small application and the stores of the tests of the layers.
#[path = "../../../crates/sessionup/tests/support/mod.rs"]
pub mod app;
pub mod serve;
/// The demo as a process, as its own tests start it.
#[path = "../../../demo/tests/support/server.rs"]
pub mod server;

/// Where the demo is.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_clients-demo");
