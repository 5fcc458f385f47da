//! The purpose of a session: a token is worth something to managers of its kind alone.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

/// The purpose of a session, such as a whole login or a login under way.
///
/// A [`Manager`](crate::Manager) serves the sessions of one kind. A session of another kind does not
/// exist for it, and neither does its token: the kind is in the record, and the hash of the token's
/// secret is bound to it. So a token that was issued for half a login proves nothing when a client
/// sends it in the cookie of whole ones.
///
/// From 1 to 32 lower-case letters, digits and hyphens.
///
/// ```
/// use sessionup_core::{Kind, Manager, MemoryStore};
///
/// let store = MemoryStore::new();
/// let users = Manager::builder(store.clone()).build()?;
/// let operators = Manager::builder(store)
///     .kind(Kind::new("operator")?)
///     .cookie_name("__Host-operator")
///     .build()?;
/// # let _ = (users, operators);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(Cow<'static, str>);

impl Kind {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 32;

    /// A user who is logged in. The kind of a session unless another one was chosen.
    pub const USER: Self = Self(Cow::Borrowed("user"));
    /// A visitor who is not logged in.
    pub const GUEST: Self = Self(Cow::Borrowed("guest"));
    /// A login under way: its user has given one proof and still owes another.
    pub const LOGIN_ATTEMPT: Self = Self(Cow::Borrowed("login-attempt"));

    /// Checks the name of a kind.
    ///
    /// # Errors
    ///
    /// [`InvalidKind`] if it is not 1 to 32 characters of `a` to `z`, `0` to `9` and `-`.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidKind> {
        let name = name.into();
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=Self::MAX_BYTES).contains(&name.len()) && name.bytes().all(is_allowed) {
            Ok(Self(Cow::Owned(name)))
        } else {
            Err(InvalidKind)
        }
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self::USER
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({:?})", self.as_str())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Kind {
    type Err = InvalidKind;

    fn from_str(name: &str) -> Result<Self, InvalidKind> {
        Self::new(name)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A name that no kind can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kind of a session must be 1 to 32 characters of a-z, 0-9 and hyphen")]
#[non_exhaustive]
pub struct InvalidKind;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_with_any_name_holds_the_bounds() {
        let cases = [
            ("user", true),
            ("a", true),
            ("2fa", true),
            (&"a".repeat(32), true),
            ("", false),
            (&"a".repeat(33), false),
            ("User", false),
            ("a b", false),
            ("a_b", false),
            ("a\0", false),
            ("é", false),
        ];
        for (name, is_valid) in cases {
            assert_eq!(Kind::new(name).is_ok(), is_valid, "{name:?}");
        }
    }

    #[test]
    fn new_with_name_of_constant_equals_it() {
        for kind in [Kind::USER, Kind::GUEST, Kind::LOGIN_ATTEMPT] {
            assert_eq!(Kind::new(kind.as_str()), Ok(kind));
        }
        assert_eq!(Kind::default(), Kind::USER);
    }
}
