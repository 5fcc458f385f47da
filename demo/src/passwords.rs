//! Passwords: typed, hashed and compared, never shown.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// What somebody typed as a password. Hidden by `Debug`.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Most bytes of a password.
    pub const MAX_BYTES: usize = 1024;
}

impl From<&str> for Password {
    fn from(password: &str) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// A password that may be set.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// Fewest bytes of a new password (NIST SP 800-63B).
    pub const MIN_BYTES: usize = 8;

    /// Checks the length.
    ///
    /// # Errors
    ///
    /// [`InvalidPassword`] if it is out of bounds.
    pub fn new(password: Password) -> Result<Self, InvalidPassword> {
        match password.0.len() {
            ..Self::MIN_BYTES => Err(InvalidPassword::TooShort),
            Self::MIN_BYTES..=Password::MAX_BYTES => Ok(Self(password)),
            _ => Err(InvalidPassword::TooLong),
        }
    }
}

/// Why a password may not be set, in words for the one who typed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPassword {
    /// More than [`Password::MAX_BYTES`].
    #[error("This password is too long.")]
    TooLong,
    /// Less than [`NewPassword::MIN_BYTES`].
    #[error("This password is too short: take at least 8 characters.")]
    TooShort,
}

/// The hash of a password, as a PHC string. Hidden by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

impl PasswordHash {
    /// Takes a PHC string as it was stored.
    #[must_use]
    pub fn from_stored(phc: &str) -> Self {
        Self(phc.into())
    }

    /// Returns the PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Hashes and verifies with Argon2id, off the runtime's threads.
///
/// Each takes 19 MiB, so no more run at once than there are cores; the others wait.
#[derive(Clone, Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    dummy: PasswordHash,
}

impl Passwords {
    /// Prepares a hash to compare with where there is no account.
    ///
    /// # Errors
    ///
    /// [`HashingFailed`] if the system gives no randomness.
    pub fn new() -> Result<Self, HashingFailed> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Ok(Self {
            permits: Arc::new(Semaphore::new(cores)),
            dummy: hash(&Password::default())?,
        })
    }

    /// Hashes a password.
    ///
    /// # Errors
    ///
    /// [`HashingFailed`].
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, HashingFailed> {
        self.run(move || hash(&password.0)).await
    }

    /// Says whether the password is the one of the hash. Without a hash it is not, and finding that
    /// out takes as long.
    ///
    /// # Errors
    ///
    /// [`HashingFailed`].
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HashingFailed> {
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        let is_right = self.run(move || verify(&password, &stored)).await?;
        Ok(is_right && is_known)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingFailed> + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.acquire_owned().await.map_err(HashingFailed::new)?;
        // The work holds the permit, for it goes on when the request is gone.
        let work = spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        work.await.map_err(HashingFailed::new)?
    }
}

fn hash(password: &Password) -> Result<PasswordHash, HashingFailed> {
    let hash: Phc = Argon2::default().hash_password(password.0.as_bytes())?;
    Ok(PasswordHash(hash.to_string().into()))
}

fn verify(password: &Password, stored: &PasswordHash) -> Result<bool, HashingFailed> {
    let stored = Phc::new(&stored.0).map_err(HashingFailed::new)?;
    // None longer was ever set; hashing it all the same keeps the time.
    let is_settable = password.0.len() <= Password::MAX_BYTES;
    match Argon2::default().verify_password(password.0.as_bytes(), &stored) {
        Ok(()) => Ok(is_settable),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// No hash could be made, or a stored one is damaged.
#[derive(Debug, thiserror::Error)]
#[error("password could not be hashed")]
pub struct HashingFailed(#[source] Box<dyn std::error::Error + Send + Sync>);

impl HashingFailed {
    fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(source))
    }
}

impl From<password_hash::Error> for HashingFailed {
    fn from(error: password_hash::Error) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let passwords = Passwords::new().unwrap();
        let set = NewPassword::new("correct horse".into()).unwrap();
        let hash = passwords.hash(set).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$"));

        let cases = [
            ("right", "correct horse", Some(hash.clone()), true),
            ("other", "correct house", Some(hash.clone()), false),
            ("with a space", "correct horse ", Some(hash.clone()), false),
            ("empty", "", Some(hash), false),
            ("no account", "correct horse", None, false),
            ("no account, no password", "", None, false),
        ];
        for (name, password, stored, expected) in cases {
            let right = passwords.verify(password.into(), stored).await.unwrap();
            assert_eq!(right, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn damaged_hash_is_no_wrong_password() {
        let passwords = Passwords::new().unwrap();
        let damaged = PasswordHash::from_stored("argon2id v=19 m=19456");
        let result = passwords.verify("correct horse".into(), Some(damaged));
        result.await.unwrap_err();
    }

    #[test]
    fn bounds_of_a_new_password() {
        let cases = [
            (0, Err(InvalidPassword::TooShort)),
            (7, Err(InvalidPassword::TooShort)),
            (8, Ok(())),
            (1024, Ok(())),
            (1025, Err(InvalidPassword::TooLong)),
        ];
        for (bytes, expected) in cases {
            let password = Password("x".repeat(bytes));
            let result = NewPassword::new(password).map(drop);
            assert_eq!(result, expected, "{bytes}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let password = Password::from("correct horse");
        assert_eq!(format!("{password:?}"), "Password(..)");
        let hash = PasswordHash::from_stored("$argon2id$");
        assert_eq!(format!("{hash:?}"), "PasswordHash(..)");
    }
}
