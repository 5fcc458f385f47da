//! The application's name for the owner of a session.

use std::fmt;

/// The application's name for the owner of sessions: a user id, an e-mail address and so on.
///
/// From 1 to 256 bytes of UTF-8 without NUL, compared byte for byte: `é` and `e` + accent are two
/// users, and so are `Ann` and `ann`.
///
/// ```
/// use sessionup_core::UserKey;
///
/// let ann = UserKey::new("ann@example.org")?;
/// assert_eq!(ann.as_str(), "ann@example.org");
/// assert!(UserKey::new("").is_err());
/// # Ok::<(), sessionup_core::InvalidUserKey>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserKey(Box<str>);

impl UserKey {
    /// Most bytes of a key.
    pub const MAX_BYTES: usize = 256;

    /// Checks a key.
    ///
    /// # Errors
    ///
    /// [`InvalidUserKey`] if it is empty, longer than [`UserKey::MAX_BYTES`] or contains NUL.
    pub fn new(key: impl Into<Box<str>>) -> Result<Self, InvalidUserKey> {
        let key = key.into();
        if key.is_empty() {
            Err(InvalidUserKey::Empty)
        } else if key.len() > Self::MAX_BYTES {
            Err(InvalidUserKey::TooLong { bytes: key.len() })
        } else if key.contains('\0') {
            Err(InvalidUserKey::Nul)
        } else {
            Ok(Self(key))
        }
    }

    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({:?})", &self.0)
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What names a user: text, which is checked, and integers.
///
/// Implement it for the application's own id type to pass that to
/// [`Sessions::init`](crate::Sessions::init) as it is.
///
/// ```
/// use sessionup_core::{IntoUserKey, InvalidUserKey, UserKey};
///
/// struct AccountId(u32);
///
/// impl IntoUserKey for AccountId {
///     fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
///         self.0.into_user_key()
///     }
/// }
///
/// assert_eq!(AccountId(42).into_user_key()?.as_str(), "42");
/// # Ok::<(), InvalidUserKey>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a user",
    label = "expected a user key",
    note = "pass text, an integer or a `UserKey`, or implement `IntoUserKey` for `{Self}`"
)]
pub trait IntoUserKey {
    /// Checks and converts.
    ///
    /// # Errors
    ///
    /// [`InvalidUserKey`] if it is out of bounds.
    fn into_user_key(self) -> Result<UserKey, InvalidUserKey>;
}

impl IntoUserKey for UserKey {
    fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
        Ok(self)
    }
}

impl IntoUserKey for &UserKey {
    fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
        Ok(self.clone())
    }
}

impl IntoUserKey for &String {
    fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
        self.as_str().into_user_key()
    }
}

macro_rules! text_names_a_user {
    ($($text:ty),*) => {$(
        impl IntoUserKey for $text {
            fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
                UserKey::new(self)
            }
        }
    )*};
}

text_names_a_user!(&str, String, Box<str>);

macro_rules! integer_names_a_user {
    ($($integer:ty),*) => {$(
        impl IntoUserKey for $integer {
            fn into_user_key(self) -> Result<UserKey, InvalidUserKey> {
                UserKey::new(self.to_string())
            }
        }
    )*};
}

integer_names_a_user!(i32, i64, i128, u32, u64, u128, usize);

/// Why a text is no [`UserKey`]. The application's mistake, not the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUserKey {
    /// It has no characters.
    #[error("user key is empty, give the id or name of a user")]
    Empty,
    /// It contains the NUL character, which not every store can hold.
    #[error("user key contains NUL, which is not allowed")]
    Nul,
    /// It has more than [`UserKey::MAX_BYTES`] bytes.
    #[error("user key has {bytes} bytes, at most {max} are allowed", max = UserKey::MAX_BYTES)]
    TooLong {
        /// How many it has.
        bytes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let cases: [(&str, String, Result<(), InvalidUserKey>); 7] = [
            ("empty", String::new(), Err(InvalidUserKey::Empty)),
            ("one byte", "a".into(), Ok(())),
            ("longest", "a".repeat(256), Ok(())),
            (
                "one too many",
                "a".repeat(257),
                Err(InvalidUserKey::TooLong { bytes: 257 }),
            ),
            (
                "counted in bytes",
                "\u{e9}".repeat(129),
                Err(InvalidUserKey::TooLong { bytes: 258 }),
            ),
            ("NUL", "a\0b".into(), Err(InvalidUserKey::Nul)),
            ("markup and quotes", "%_'\";:{}*\u{202e}".into(), Ok(())),
        ];
        for (name, key, expected) in cases {
            assert_eq!(UserKey::new(key).map(drop), expected, "{name}");
        }
    }

    #[test]
    fn keys_are_compared_byte_for_byte() {
        assert_ne!(UserKey::new("\u{e9}"), UserKey::new("e\u{301}"));
        assert_ne!(UserKey::new("Ann"), UserKey::new("ann"));
    }
}
