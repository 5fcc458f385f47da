//! Looking at a store's sessions and ending them from another process, while the store is open.
//!
//! The store listens on a socket beside its database. Whoever connects asks one thing, which the
//! store does by its own operations, answers and hangs up. So there is still one process that has the
//! file open, and what is revoked from outside takes the way of all revocations.
//!
//! `socket` is what the operating system has for it, `protocol` what is said, `client` who asks;
//! `server` takes connections and knows nothing of stores, `desk` knows nothing of connections.

#[cfg(unix)]
pub(crate) mod backup;
mod client;
#[cfg(unix)]
pub(crate) mod desk;
mod error;
#[cfg_attr(not(unix), expect(dead_code, reason = "who answers is not there"))]
mod protocol;
#[cfg(unix)]
mod records;
#[cfg(unix)]
pub(crate) mod server;
mod socket;

pub use client::Control;
pub use error::ControlError;
pub use protocol::FoundSession;
pub(crate) use socket::beside as socket_beside;
pub(crate) use socket::listens_beside;
#[cfg(not(unix))]
pub(crate) use socket::unsupported;
