//! The fault programme: proof by experiment that no login is lost and no revoked session comes back.
//!
//! Each part of it breaks something, again and again, and holds what the store answers and keeps
//! against a [`Model`](model::Model) of what it promised. A run draws everything from one seed, so
//! that it can be repeated.
//!
//! - [`campaign`] repeats the runs of a part, counts, and tells how to repeat one that failed.
//! - [`model`] has the operations of a store as values, and what must come of them.
//! - [`script`] draws operations, [`perform`] has a store carry them out.
//! - [`parts`] lists the parts, with how much of each is run when.
//! - [`traps`] has the seeded defects by which the programme itself is tested.
//! - [`bytes`] is a disk in memory, for parts that break something else.
//! - [`sequences`] has the same operations carried out by every store.
//! - [`histories`] has them carried out at once, and [`linear`] looks for an order that explains
//!   the answers.
//! - [`process`] has the parts that take a process and a kernel of their own.
//! - [`measure`] tells what commits and openings cost.
//! - [`http_histories`] has requests sent at once through the real layers.
//! - [`ledger`] knows from answers what a store may hold, and holds it against what is there.
//! - [`disk`] is a disk in memory that fails, forgets and remembers as it is told.
//! - [`kept`] reads what lies in a file by the documented format, and with none of the store's code.

#![expect(
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    reason = "nothing depends on it"
)]

pub mod bytes;
pub mod campaign;
pub mod damage;
pub mod disk;
pub mod histories;
pub mod http_histories;
pub mod io_errors;
pub mod kept;
pub mod ledger;
pub mod linear;
pub mod measure;
pub mod model;
pub mod parts;
pub mod perform;
pub mod power_loss;
pub mod process;
pub mod recovery;
pub mod script;
pub mod sequences;
pub mod sync_order;
pub mod traps;
