//! Where the bytes of a token come from.

use std::fmt;

/// A source of unpredictable bytes.
///
/// A token is worth as much as its source. The only one for production is [`OsRandom`]; the trait
/// exists so that a test can make the source fail or repeat itself.
pub trait Random: fmt::Debug + Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    ///
    /// # Errors
    ///
    /// [`RandomError`] if the source cannot deliver. The caller must then give up: there is no
    /// second-best source for a secret.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator, asked anew for every token.
///
/// No state is kept in the process, so nothing is shared after a fork.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        getrandom::fill(buffer).map_err(|error| RandomError(error.to_string()))
    }
}

/// The random source delivered nothing; no session was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("random source failed: {0}")]
pub struct RandomError(String);

impl RandomError {
    /// Makes an error that says why the source failed.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
