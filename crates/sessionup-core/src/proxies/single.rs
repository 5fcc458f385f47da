//! A header that holds one address and nothing else.

use std::fmt;
use std::net::IpAddr;

use super::{TrustedProxies, TrustedProxiesError, node};

/// The name of a header that holds one address. Made by
/// [`ForwardingHeader::single`](super::ForwardingHeader::single).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SingleHeader(Box<str>);

impl SingleHeader {
    const MAX_NAME_BYTES: usize = 64;

    pub(super) fn new(given: &str) -> Result<Self, TrustedProxiesError> {
        let name = given.to_ascii_lowercase();
        if name == "forwarded" || name == "x-forwarded-for" {
            return Err(TrustedProxiesError::ListHeader { name });
        }
        if name.is_empty() || name.len() > Self::MAX_NAME_BYTES || !name.bytes().all(is_in_token) {
            return Err(TrustedProxiesError::NoHeaderName {
                name: given.chars().take(Self::MAX_NAME_BYTES).collect(),
            });
        }
        Ok(Self(name.into()))
    }

    /// Returns the name in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SingleHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Says whether a byte may be in the name of a header (RFC 9110 §5.6.2).
fn is_in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Reads the one address of the one line.
pub(super) fn read<'a>(lines: &mut impl Iterator<Item = &'a [u8]>) -> Option<IpAddr> {
    let line = lines.next()?;
    if lines.next().is_some() || line.len() > TrustedProxies::MAX_BYTES {
        return None;
    }
    node::parse(line)
}
