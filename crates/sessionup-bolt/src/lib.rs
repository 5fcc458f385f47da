//! Reads and writes the Bolt files of Go's sessionup-boltstore: sessions move over to sessionup, and
//! back.
//!
//! - [`BoltFile`] reads a file, checks it, and goes through its [sessions](BoltFile::sessions).
//! - [`Import`] takes them into any store. A cookie that Go issued keeps its user logged in.
//! - [`Export`] gives back what a Go server can honour, in a file that [`Writer`] makes.
//!
//! # Moving over
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use sessionup_bolt::{BoltFile, Import};
//! use sessionup_core::{Clock, Manager, SystemClock};
//! use sessionup_redb::RedbStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedbStore::open("sessions.redb")?;
//! let file = BoltFile::open("my.db")?;
//! let report = Import::new()
//!     .max_lifetime(Duration::from_secs(30 * 24 * 60 * 60))
//!     .run_blocking(&store, file.sessions("sessions")?, SystemClock::default().now(), |row| {
//!         println!("{row:?}");
//!     })?;
//! println!("{report}");
//!
//! let sessions = Manager::builder(store)
//!     .cookie_name("sessionup")
//!     .accept_imported_tokens()
//!     .build()?;
//! # Ok(())
//! # }
//! ```
//!
//! # What is read
//!
//! Files of bbolt, format 2, with pages of 512 bytes to 16 MiB, in Storm's layout, as
//! sessionup-boltstore v1 writes them. The file is read by positions, never mapped and never written,
//! under the shared lock that Bolt itself takes: while a Go program has it open for writing, it is
//! refused. The newest meta page that is sound counts, as in Bolt.
//!
//! # Hostile files
//!
//! Files are taken for input of a stranger. Every page is held to the [rules](Rule) of the format, in
//! a walk without recursion that meets no page twice. Memory stays within 64 MiB and the largest
//! value: up to 16 MiB to tell pages apart, 4 MiB for pages under way, 6 MiB for their keys, and up to four
//! times a value of at most [8 MiB](BoltFile::MAX_VALUE_BYTES) for the session in it.
//!
//! # Tokens
//!
//! The key of a Go session is what its cookie holds. It is in [`GoToken`], which `Debug` hides; no
//! error, report or row name has anything of it. What rows are called by is their number and the
//! [`SessionId`](sessionup_core::SessionId) that is derived from the token.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing))]

mod check;
/// For the command `sessionup`, which makes files in the same way.
#[doc(hidden)]
pub mod durable;
mod error;
mod export;
mod file;
mod go_time;
mod import;
mod json;
mod layout;
mod meta;
mod page;
mod row;
mod seen;
mod source;
mod storm;
mod walk;
mod write;

pub use check::Checked;
pub use error::{BoltError, Damage, Rule};
pub use export::{Export, ExportReport, Exported, GoTokens};
pub use file::BoltFile;
pub use import::{Import, ImportError, ImportFailure, ImportReport, ImportedRow, Outcome, Refused};
pub use json::JsonError;
pub use row::{BadRow, GoSession, GoToken};
pub use storm::{Row, Sessions};
pub use write::{WriteError, Writer};
