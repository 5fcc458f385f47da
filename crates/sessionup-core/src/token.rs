//! The secret in the client's cookie, and what is kept of it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{Kind, Random, RandomError, SessionId, Timestamp};

/// The secret in the client's cookie: sixteen bytes of [`SessionId`] and 32 random ones.
///
/// As text it is exactly 64 characters of base64url without padding (RFC 4648 §5). It is never
/// stored, logged, listed or printed: [`Debug`](fmt::Debug) hides it, it cannot be serialised, and
/// its memory is wiped when it is dropped. What a store is given is [`Token::credential`].
///
/// ```compile_fail
/// # use sessionup_core::Token;
/// fn to_json<T: serde::Serialize>(_: T) {}
/// fn leak(token: Token) { to_json(token) } // a token has no serialised form
/// ```
pub struct Token {
    id: SessionId,
    secret: [u8; Self::SECRET_BYTES],
}

impl Token {
    /// Length of a token as text.
    pub const TEXT_BYTES: usize = 64;
    const SECRET_BYTES: usize = 32;

    /// Makes a token for a new session.
    ///
    /// # Errors
    ///
    /// [`RandomError`] if the source fails; nothing takes its place.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Result<Self, RandomError> {
        let mut id = [0; 10];
        random.fill(&mut id)?;
        Self::renewed(SessionId::at(now, &id), random)
    }

    /// Makes a token with a new secret for a session that exists.
    ///
    /// # Errors
    ///
    /// [`RandomError`] if the source fails.
    pub fn renewed(id: SessionId, random: &dyn Random) -> Result<Self, RandomError> {
        let mut secret = [0; Self::SECRET_BYTES];
        random.fill(&mut secret)?;
        Ok(Self { id, secret })
    }

    /// Reads the text of a cookie. `None` unless it is 64 characters of base64url.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_BYTES {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 48]);
        let written = BASE64URL_NOPAD
            .decode_mut(text, bytes.as_mut_slice())
            .ok()?;
        if written != bytes.len() {
            return None;
        }
        let (id, secret) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            id: SessionId::from_bytes(*id),
            secret: secret.try_into().ok()?,
        })
    }

    /// Returns the text for the cookie. It leaves the process in one `Set-Cookie` and nowhere else.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 48]);
        let (id, secret) = bytes.split_at_mut(16);
        id.copy_from_slice(self.id.as_bytes());
        secret.copy_from_slice(&self.secret);
        Zeroizing::new(BASE64URL_NOPAD.encode(bytes.as_slice()))
    }

    /// Returns what a store is given of the token: the id, and a hash of the secret.
    ///
    /// The hash is that of a session of this kind and proves no session of another kind.
    #[must_use]
    pub fn credential(&self, kind: &Kind) -> Credential {
        let hash = if *kind == Kind::USER {
            digest(Domain::Secret, &[&self.secret])
        } else {
            let kind = kind.as_str().as_bytes();
            digest(Domain::SecretOfKind, &[kind, b"\0", &self.secret])
        };
        Credential {
            id: self.id,
            secret_hash: SecretHash(hash),
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A hash of a token's secret, as stores keep it. Compared in constant time, hidden by `Debug`.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// Makes a hash of the bytes a store kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes for a store to keep.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq::constant_time_eq_32(&self.0, &other.0)
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// What is derived from a cookie to find a session and to prove it: an id and a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Credential {
    /// Where the session is found.
    pub id: SessionId,
    /// What the session must hold.
    pub secret_hash: SecretHash,
}

impl Credential {
    /// Lengths that an imported token may have, in bytes. A shorter one could be guessed.
    pub const IMPORTED_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;

    /// Derives the credential of a token that Go's sessionup issued.
    ///
    /// Its tokens have no form of their own (40 alphanumerics unless the application said
    /// otherwise), so id and hash are both taken from SHA-256 of the whole, in two domains. `None`
    /// if the length is outside [`Credential::IMPORTED_BYTES`].
    ///
    /// ```
    /// use sessionup_core::Credential;
    ///
    /// assert!(Credential::of_imported(b"r4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd0mr4nd").is_some());
    /// assert!(Credential::of_imported(b"short").is_none());
    /// ```
    #[must_use]
    pub fn of_imported(token: &[u8]) -> Option<Self> {
        if !Self::IMPORTED_BYTES.contains(&token.len()) {
            return None;
        }
        let id = digest(Domain::ImportedId, &[token]);
        Some(Self {
            id: SessionId::from_bytes(*id.first_chunk()?),
            secret_hash: SecretHash(digest(Domain::ImportedSecret, &[token])),
        })
    }
}

/// What a hash is for. A hash made for one purpose is worthless for another.
#[derive(Clone, Copy)]
enum Domain {
    ImportedId,
    ImportedSecret,
    Secret,
    SecretOfKind,
}

impl Domain {
    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::ImportedId => b"sessionup/1/imported-id\0",
            Self::ImportedSecret => b"sessionup/1/imported-secret\0",
            Self::Secret => b"sessionup/1/secret\0",
            Self::SecretOfKind => b"sessionup/1/secret-of-kind\0",
        }
    }
}

fn digest(domain: Domain, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(domain.prefix());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::OsRandom;

    #[derive(Debug)]
    struct Broken;

    impl Random for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError::new("no entropy"))
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_795_286_345_981);

    fn token() -> Token {
        Token::generate(NOW, &OsRandom).unwrap()
    }

    #[test]
    fn text_is_64_characters_and_reads_back() {
        let token = token();
        let text = token.expose();
        assert_eq!(text.len(), Token::TEXT_BYTES);
        assert_eq!(
            Token::parse(text.as_bytes())
                .unwrap()
                .credential(&Kind::USER),
            token.credential(&Kind::USER)
        );
    }

    #[test]
    fn only_64_base64url_characters_are_a_token() {
        let text = token().expose().to_string();
        let with = |at: usize, c: &str| format!("{}{c}{}", &text[..at], &text[at + 1..]);
        let bad = [
            String::new(),
            text[..63].into(),
            format!("{text}A"),
            format!("{text}="),
            with(63, "="),
            with(10, "+"),
            with(10, "/"),
            with(10, "\0"),
            with(10, " "),
            with(10, "%"),
            "'".repeat(64),
            "../../".repeat(11)[..64].into(),
            "\u{e9}".repeat(32),
            "A".repeat(4096),
        ];
        for text in bad {
            assert!(Token::parse(text.as_bytes()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn failing_source_makes_no_token() {
        let error = Token::generate(NOW, &Broken).unwrap_err();
        assert_eq!(error.to_string(), "random source failed: no entropy");
    }

    #[test]
    fn tokens_differ_and_every_symbol_occurs_at_every_place_of_the_secret() {
        let texts: Vec<_> = (0..20_000).map(|_| token().expose()).collect();
        let distinct: HashSet<_> = texts.iter().map(|text| text.as_str()).collect();
        assert_eq!(distinct.len(), texts.len());
        for place in 22..64 {
            let symbols: HashSet<_> = texts.iter().map(|t| t.as_bytes()[place]).collect();
            assert_eq!(symbols.len(), 64, "place {place}");
        }
    }

    #[test]
    fn debug_hides_the_secret() {
        let token = token();
        let shown = format!("{token:?} {token:#?} {:?}", token.credential(&Kind::USER));
        assert!(!shown.contains(&token.expose()[22..]));
        let hex =
            data_encoding::HEXLOWER.encode(token.credential(&Kind::USER).secret_hash.as_bytes());
        assert!(!shown.contains(&hex));
    }

    #[test]
    fn hash_and_id_are_not_tokens() {
        let credential = token().credential(&Kind::USER);
        let hash = BASE64URL_NOPAD.encode(credential.secret_hash.as_bytes());
        assert!(Token::parse(hash.as_bytes()).is_none());
        assert!(Token::parse(credential.id.to_string().as_bytes()).is_none());

        let mut forged = credential.id.as_bytes().to_vec();
        forged.extend_from_slice(credential.secret_hash.as_bytes());
        let forged = Token::parse(BASE64URL_NOPAD.encode(&forged).as_bytes()).unwrap();
        assert_ne!(
            forged.credential(&Kind::USER).secret_hash,
            credential.secret_hash
        );
    }

    #[test]
    fn renewed_token_keeps_the_id_and_changes_the_secret() {
        let old = token().credential(&Kind::USER);
        let new = Token::renewed(old.id, &OsRandom)
            .unwrap()
            .credential(&Kind::USER);
        assert_eq!(new.id, old.id);
        assert_ne!(new.secret_hash, old.secret_hash);
    }

    #[test]
    fn credential_of_each_kind_has_its_own_hash() {
        let token = token();
        let kinds = [
            Kind::USER,
            Kind::GUEST,
            Kind::LOGIN_ATTEMPT,
            Kind::new("a").unwrap(),
            Kind::new("aa").unwrap(),
        ];
        let hashes: HashSet<_> = kinds
            .iter()
            .map(|kind| *token.credential(kind).secret_hash.as_bytes())
            .collect();
        assert_eq!(hashes.len(), kinds.len());
    }

    /// Sessions that were stored before there were kinds stay valid.
    #[test]
    fn credential_of_users_keeps_its_bytes() {
        let token = Token::parse("A".repeat(64).as_bytes()).unwrap();
        let expected: [u8; 32] =
            Sha256::digest([b"sessionup/1/secret\0".as_slice(), &[0; 32]].concat()).into();
        let credential = token.credential(&Kind::USER);
        assert_eq!(credential.secret_hash.as_bytes(), &expected);
    }

    #[test]
    fn imported_token_has_bounds_and_its_own_domains() {
        let lengths = [(15, false), (16, true), (4096, true), (4097, false)];
        for (length, accepted) in lengths {
            let token = vec![b'a'; length];
            assert_eq!(
                Credential::of_imported(&token).is_some(),
                accepted,
                "{length}"
            );
        }

        let credential = Credential::of_imported(&[b'a'; 40]).unwrap();
        assert_ne!(
            credential.id.as_bytes(),
            credential
                .secret_hash
                .as_bytes()
                .first_chunk::<16>()
                .unwrap()
        );
    }
}
