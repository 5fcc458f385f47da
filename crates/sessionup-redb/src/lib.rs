//! The embedded durable store of sessionup: sessions in one redb file, with no server to run.
//!
//! ```
//! use sessionup_core::Manager;
//! use sessionup_redb::RedbStore;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("sessions.redb");
//! let sessions = Manager::builder(RedbStore::open(path)?).build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **Durable.** Success is reported after the disk's. All that is waiting is written with one
//!   commit, so many logins at once cost about as much as one.
//! - **One file**, or a few tables in a file that the application has open: [`RedbStore::open`],
//!   [`RedbStore::new`]. One process at a time has a file open; the next one waits a while for it.
//! - **No runtime.** Work is done by threads of the store's own; its futures run anywhere, and
//!   nothing blocks the thread that polls them.
//!
//! While a process has the file open, tools of the same user can look at sessions, end them and make
//! backups through its store, if it was opened with [`control`](RedbStoreBuilder::control): see
//! [`Control`]. While none has it open, copy the file for a backup; [`FileReader`] looks into it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod builder;
mod cache;
mod closed;
mod control;
mod database;
mod directory;
mod doubt;
mod error;
mod file;
mod health;
mod identity;
#[cfg(test)]
#[path = "../tests/support/limit.rs"]
mod limit;
mod listing;
mod marks;
mod moment;
mod overlay;
mod queue;
mod reader;
mod record;
mod reserve;
#[cfg(test)]
#[cfg(sessionup_schedules)]
mod schedules;
mod schema;
#[cfg(sessionup_defects)]
mod seeded;
mod shared;
mod store;
mod sync;
mod tombstones;
mod touches;
mod unlisted;
mod verify;
mod walk;
#[cfg(test)]
#[path = "../tests/support/warnings.rs"]
mod warnings;
mod window;
mod writer;

pub use builder::{Commits, RedbStoreBuilder, open_database};
pub use closed::{Compacted, FileReader, compact_file};
pub use control::{Control, ControlError, FoundSession};
pub use error::OpenError;
pub use health::{Counts, Health, Reason, Status};
pub use reserve::Reserve;
pub use store::RedbStore;
pub use verify::{Finding, Report, verify_database, verify_file};
pub use walk::Found;
