//! The contract of [`Store`](sessionup_core::Store) as tests that any store's author can run.
//!
//! Whoever implements the trait promises each sentence of its contract. Here is one test for each
//! of them: the list of tests reads as the contract, and a failing test names the broken promise.
//!
//! # Test your store
//!
//! Put this into a file below `tests/`:
//!
//! ```
//! use sessionup_conformance::Fixture;
//! use sessionup_core::MemoryStore;
//!
//! sessionup_conformance::suite!(async || Fixture::with_clone(MemoryStore::new()));
//! ```
//!
//! The expression makes an empty store. It is evaluated anew for each clause, within the runtime in
//! which the clause runs. What the store needs for as long as it lives, a temporary directory, say,
//! goes along with [`Fixture::keeping`]. A store that implements [`Clone`] is given to
//! [`Fixture::with_clone`], so that its clones are tested too.
//!
//! To run clauses by hand, take them from [`CLAUSES`]:
//!
//! ```
//! use sessionup_conformance::{CLAUSES, Fixture};
//! use sessionup_core::MemoryStore;
//!
//! for clause in CLAUSES.iter().filter(|clause| clause.family == "fetch") {
//!     clause.run(async || Fixture::new(MemoryStore::new()));
//! }
//! ```
//!
//! # When clauses fail
//!
//! One defect often fails a dozen of them. Mend the first in the order of [`CLAUSES`] first; the
//! later ones rest on the earlier ones. A message names what was asked, what the store answered and
//! what the contract wants. A clause whose store gives no answer fails after ten minutes.
//!
//! # What a store under test must take
//!
//! Up to 256 operations at once: one that answers
//! [`Overloaded`](sessionup_core::StoreError::Overloaded) sooner is to be given a longer queue for
//! the test. Nothing else may use its records, and nothing may prune them meanwhile.
//!
//! # What is not tested
//!
//! That success survives a crash, and that damage is reported: both take a hold of what lies below
//! the store. That a wrapper of a store returns the shared state of the store inside: no clause knows
//! what is inside. The clauses in [`clauses`] are all that is tested. None of them sleeps, reads a clock
//! or depends on how fast something is.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a clause fails by panicking, as every test does"
)]

#[macro_use]
mod answer;
mod ask;
mod clause;
pub mod clauses;
mod fixture;
mod races;
mod sample;
mod suite;
mod variety;

pub use clause::Clause;
pub use fixture::Fixture;
pub use suite::CLAUSES;
#[doc(hidden)]
pub use suite::run_named;
