//! Reading origins and authorities. Pure.

/// A web origin (RFC 6454): scheme, host and port in one form, so that equal ones are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: String,
    pub(super) authority: Authority,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authority {
    /// In lower case; an IPv6 address in its brackets.
    host: String,
    /// `None` for the one that goes with the scheme.
    port: Option<u16>,
}

impl Origin {
    /// Reads `scheme://host` or `scheme://host:port`. `None` for all else, `null` among it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let mut letters = scheme.bytes();
        let is_scheme = letters.next()?.is_ascii_alphabetic()
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let scheme = is_scheme.then(|| scheme.to_ascii_lowercase())?;
        let authority = Authority::parse(authority)?.without_default_port(&scheme);
        Some(Self { scheme, authority })
    }
}

impl Authority {
    /// Reads `host` or `host:port`. `None` for all else; user names among it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.find(']') {
            Some(end) => text.split_at_checked(end + 1)?,
            None => text.split_at_checked(text.find(':').unwrap_or(text.len()))?,
        };
        let port = match rest.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            None if rest.is_empty() => None,
            _ => return None,
        };
        is_host(host).then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// Leaves out a port that says no more than the scheme.
    pub(super) fn without_default_port(mut self, scheme: &str) -> Self {
        let default = match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        self.port = self.port.filter(|_| self.port != default);
        self
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
        }
    }
}

/// The text is no origin that a browser would send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{origin:?} is no origin: write it as browsers do, like https://app.example.org or \
     http://localhost:3000, without path and international names as xn--"
)]
#[non_exhaustive]
pub struct InvalidOrigin {
    /// What was given.
    pub origin: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_origins() {
        let cases = [
            ("https://example.org", "https://example.org:443"),
            ("http://example.org", "http://example.org:80"),
            ("https://example.org", "HTTPS://EXAMPLE.ORG"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443"),
            ("capacitor://localhost", "capacitor://localhost"),
            (
                "https://a_b.example.org:8443",
                "https://A_B.example.org:8443",
            ),
        ];
        for (one, other) in cases {
            let one = Origin::parse(one).unwrap();
            assert_eq!(Origin::parse(other), Some(one), "{other}");
        }
    }

    #[test]
    fn different_origins() {
        let all = [
            "https://example.org",
            "http://example.org",
            "https://example.org:80",
            "http://example.org:443",
            "https://example.org:8443",
            "https://example.org.",
            "https://www.example.org",
            "https://[::1]",
            "https://[::1]:8443",
            "app://example.org",
            "app://example.org:443",
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert_ne!(Origin::parse(one), Origin::parse(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_is_no_origin() {
        let all = [
            "",
            "null",
            "*",
            "example.org",
            "//example.org",
            "https://",
            "https:example.org",
            "https://example.org/",
            "https://example.org/path",
            "https://example.org?query",
            "https://example.org#fragment",
            "https://*.example.org",
            "https://user@example.org",
            "https://user:password@example.org",
            "https://example.org:",
            "https://example.org:+443",
            "https://example.org:65536",
            "https://example.org:443:443",
            "https://exam ple.org",
            " https://example.org",
            "https://example.org ",
            "https://example.org,https://evil.example",
            "https://b\u{fc}cher.example",
            "https://example.org%2eevil",
            "https://[::1",
            "https://::1]",
            "https://[::1]x",
            "https://[::1]]",
            "https://[not an address]",
            "https://x[::1]",
            "1https://example.org",
            "ht tps://example.org",
            "https://https://example.org",
        ];
        for text in all {
            assert_eq!(Origin::parse(text), None, "{text:?}");
        }
    }
}
