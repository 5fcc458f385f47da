//! The demo as a process, and browsers without a window that talk to it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "shared by test binaries that each use a part of it"
)]

pub mod browser;
pub mod in_process;
pub mod interrupted;
pub mod server;

/// Where the demo is.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_demo");
