//! The parts of the programme.

use crate::campaign::Part;

/// Returns all parts, in the order in which they are run.
#[must_use]
pub fn all() -> Vec<Box<dyn Part>> {
    vec![]
}
