//! Real processes on a real kernel: killed, refused by it, traced.
//!
//! A child performs a script that is drawn from a seed, and tells over a pipe what it begins and what
//! is answered. Its parent draws the same script, so few words are enough, and it knows what may be in
//! the file whenever the child is gone.
//!
//! - [`scenario`] is the script of both, [`wire`] the words between them.
//! - [`child`] is the process that suffers, [`witness`] what its parent makes of its words.
//! - [`look`] opens the file afterwards.
//! - [`kernel`] has system calls fail, [`full`] fills file systems.
//! - [`kill`] ends children at any moment, and at each of their accesses; [`server_kill`] ends the
//!   demo, and [`server`] starts it.
//! - [`soak`] keeps a store in use.
//! - [`sync_trace`] holds the replies of a server to the syncs of its disk.

pub mod child;
pub mod dying;
pub mod flying;
pub mod full;
pub mod kernel;
pub mod kill;
pub mod look;
pub mod place;
pub mod scenario;
pub mod server;
pub mod server_kill;
pub mod soak;
pub mod strace;
pub mod sync_trace;
pub mod wire;
pub mod witness;
