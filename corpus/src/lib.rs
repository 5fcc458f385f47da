//! Attack inputs as data, and what must hold for any input.
//!
//! - [`cases`] reads a file of this directory in which each line is a case; README.md has the form.
//! - [`properties`] says of any bytes what must come of them. Tests run it over the files and over
//!   [mutations](Mutator) of them, fuzzers over what they find.
//! - [`seeds`] makes inputs for a property from the files.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a case fails by panicking, as every test does"
)]

mod bytes;
mod case;
mod meta;
mod mutate;
pub mod properties;
mod seeds;
mod settings;

pub use bytes::Vars;
pub use case::{Case, cases};
pub use meta::meta;
pub use mutate::Mutator;
pub use seeds::{sample_vars, seeds};
pub use settings::Settings;

/// The name that cookies have in the files.
pub const COOKIE_NAME: &str = "__Host-id";
