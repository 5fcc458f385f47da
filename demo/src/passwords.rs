//! Passwords: typed, hashed and compared, never shown.

use std::fmt;
use std::num::NonZeroUsize;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{Algorithm, Argon2, Params, Version, password_hash};
use serde::Deserialize;

use crate::hashing::{Asker, Busy, Hashing, Memory, Place, Waiting};

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

/// Most passwords that wait for each thread. The last one waits for about half a second.
const WAITING: Waiting = Waiting {
    anybody: 6,
    users: 2,
};

/// Hashes and verifies with Argon2id, on as many threads as there are cores.
///
/// Each hash takes 19 MiB and some 30 ms of a core, so what strangers can ask for is bounded: no more
/// buffers are made than there are threads, and no more than eight wait for each.
#[derive(Clone, Debug)]
pub struct Passwords {
    hashing: Hashing,
    dummy: PasswordHash,
}

impl Passwords {
    /// Starts the threads, and prepares a hash to compare with where there is no account.
    ///
    /// # Errors
    ///
    /// [`HashingFailed`] if the system gives no thread or no randomness.
    pub fn new() -> Result<Self, HashingFailed> {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let hashing = Hashing::start(cores, WAITING).map_err(HashingFailed::new)?;
        Ok(Self {
            hashing,
            dummy: dummy()?,
        })
    }

    /// Takes a turn at hashing, or says at once that too many wait.
    pub(crate) fn turn(&self, asker: Asker) -> Result<Turn<'_>, Busy> {
        Ok(Turn {
            place: self.hashing.reserve(asker)?,
            dummy: &self.dummy,
        })
    }

    /// Returns how many threads hash.
    #[must_use]
    pub const fn threads(&self) -> NonZeroUsize {
        self.hashing.threads()
    }

    /// Returns how many buffers the threads have made: at most one each.
    #[must_use]
    pub fn buffers(&self) -> usize {
        self.hashing.buffers()
    }
}

/// A turn at hashing: good for one password.
pub(crate) struct Turn<'a> {
    place: Place,
    dummy: &'a PasswordHash,
}

impl Turn<'_> {
    /// Hashes a password.
    pub(crate) async fn hash(self, password: NewPassword) -> Result<PasswordHash, HashingFailed> {
        let work = move |memory: &mut Memory| hash(&password.0, memory);
        self.place.run(work).await
    }

    /// Says whether the password is the one of the hash. Without a hash it is not, and finding that
    /// out takes as long.
    pub(crate) async fn verify(
        self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<bool, HashingFailed> {
        let is_known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.dummy.clone());
        let work = move |memory: &mut Memory| verify(&password, &stored, memory);
        Ok(self.place.run(work).await? && is_known)
    }
}

/// Says how a new password is hashed: how expensively, and with which salt.
fn recipe() -> Result<Phc, HashingFailed> {
    let salt = password_hash::try_generate_salt().map_err(HashingFailed::new)?;
    Ok(Phc {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(&Params::DEFAULT)?,
        salt: Some(Salt::new(&salt).map_err(HashingFailed::new)?),
        hash: None,
    })
}

fn hash(password: &Password, memory: &mut Memory) -> Result<PasswordHash, HashingFailed> {
    let mut phc = recipe()?;
    phc.hash = Some(output(password, &phc, memory)?);
    Ok(PasswordHash(phc.to_string().into()))
}

/// Makes what is as expensive to compare with as a hash, and is the hash of no password.
fn dummy() -> Result<PasswordHash, HashingFailed> {
    let mut phc = recipe()?;
    let output = Output::new(&[0; Params::DEFAULT_OUTPUT_LEN]);
    phc.hash = Some(output.map_err(HashingFailed::new)?);
    Ok(PasswordHash(phc.to_string().into()))
}

fn verify(
    password: &Password,
    stored: &PasswordHash,
    memory: &mut Memory,
) -> Result<bool, HashingFailed> {
    let stored = Phc::new(&stored.0).map_err(HashingFailed::new)?;
    if stored.hash.is_none() {
        return Err(HashingFailed::new(password_hash::Error::EncodingInvalid));
    }
    // None longer was ever set; hashing it all the same keeps the time.
    let is_settable = password.0.len() <= Password::MAX_BYTES;
    // These compare in constant time.
    let is_right = stored.hash == Some(output(password, &stored, memory)?);
    Ok(is_right && is_settable)
}

/// Computes what a password gives by the algorithm, parameters and salt of a hash.
fn output(password: &Password, phc: &Phc, memory: &mut Memory) -> Result<Output, HashingFailed> {
    let algorithm = Algorithm::try_from(phc.algorithm.as_str())?;
    let version = phc.version.map(Version::try_from).transpose();
    let version = version.map_err(HashingFailed::new)?;
    let argon2 = Argon2::new(
        algorithm,
        version.unwrap_or_default(),
        Params::try_from(phc)?,
    );
    let salt = phc.salt.as_deref().unwrap_or_default();
    let length = phc
        .hash
        .as_ref()
        .map_or(Params::DEFAULT_OUTPUT_LEN, Output::len);
    let mut buffer = [0; Output::MAX_LENGTH];
    let out = buffer
        .get_mut(..length)
        .ok_or(password_hash::Error::OutputSize)?;
    argon2
        .hash_password_into_with_memory(password.0.as_bytes(), salt, out, memory.lend())
        .map_err(HashingFailed::new)?;
    Output::new(out).map_err(HashingFailed::new)
}

/// No hash could be made, or a stored one is damaged.
#[derive(Debug, thiserror::Error)]
#[error("password could not be hashed")]
pub struct HashingFailed(#[source] Box<dyn std::error::Error + Send + Sync>);

impl HashingFailed {
    pub(crate) fn new(source: impl std::error::Error + Send + Sync + 'static) -> Self {
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
    use argon2::{PasswordHasher, PasswordVerifier};

    use super::*;

    #[tokio::test]
    async fn only_the_same_password_is_right() {
        let passwords = Passwords::new().unwrap();
        let set = NewPassword::new("correct horse".into()).unwrap();
        let hash = passwords
            .turn(Asker::Stranger)
            .unwrap()
            .hash(set)
            .await
            .unwrap();
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
            let turn = passwords.turn(Asker::Stranger).unwrap();
            let right = turn.verify(password.into(), stored).await.unwrap();
            assert_eq!(right, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn verify_of_damaged_hash_fails() {
        let passwords = Passwords::new().unwrap();
        let salt = "c29tZSBzYWx0";
        let output = "A".repeat(43);
        let more = Params::DEFAULT_M_COST + 4;
        for damaged in [
            "argon2id v=19 m=19456",
            &format!("$argon2id$v=19$m=64,t=1,p=1${salt}"),
            &format!("$argon2id$v=18$m=64,t=1,p=1${salt}${output}"),
            &format!("$argon2x$v=19$m=64,t=1,p=1${salt}${output}"),
            // More memory than the buffers have.
            &format!("$argon2id$v=19$m={more},t=1,p=1${salt}${output}"),
            &format!("$argon2id$v=19$m=4294967295,t=1,p=1${salt}${output}"),
        ] {
            let turn = passwords.turn(Asker::Stranger).unwrap();
            let hash = PasswordHash::from_stored(damaged);
            let result = turn.verify("correct horse".into(), Some(hash)).await;
            assert!(result.is_err(), "{damaged}");
        }
    }

    /// The library's own functions, with memory of their own, are the second opinion.
    #[tokio::test]
    async fn hashes_agree_with_the_library() {
        let passwords = Passwords::new().unwrap();
        let set = NewPassword::new("correct horse".into()).unwrap();
        let ours = passwords
            .turn(Asker::Stranger)
            .unwrap()
            .hash(set)
            .await
            .unwrap();
        let verified = Argon2::default().verify_password(b"correct horse", ours.as_str());
        verified.unwrap();
        let verified = Argon2::default().verify_password(b"correct house", ours.as_str());
        verified.unwrap_err();

        let weaker = Params::new(1_024, 1, 2, Some(16)).unwrap();
        for (algorithm, params) in [
            (Algorithm::Argon2id, Params::DEFAULT),
            (Algorithm::Argon2id, weaker.clone()),
            (Algorithm::Argon2d, weaker),
        ] {
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            let phc: Phc = argon2.hash_password(b"correct horse").unwrap();
            let theirs = PasswordHash::from_stored(&phc.to_string());
            for (password, expected) in [("correct horse", true), ("correct house", false)] {
                let turn = passwords.turn(Asker::Stranger).unwrap();
                let right = turn.verify(password.into(), Some(theirs.clone())).await;
                assert_eq!(right.unwrap(), expected, "{phc}");
            }
        }
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
