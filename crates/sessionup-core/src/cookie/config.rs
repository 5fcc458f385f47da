//! What the cookie looks like, checked once so that no request can meet an impossible one.

use std::fmt;

use crate::Token;

/// When a browser sends the cookie with requests that another site caused (RFC 6265bis §5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// With top-level navigation by link, not with posts or subrequests.
    Lax,
    /// With everything. Needs `Secure`, and a defence of your own against cross-site requests.
    None,
    /// With nothing that another site caused.
    Strict,
}

impl fmt::Display for SameSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lax => "Lax",
            Self::None => "None",
            Self::Strict => "Strict",
        })
    }
}

/// What was asked for; becomes a [`CookieConfig`] if it is possible.
#[derive(Clone, Debug)]
pub(crate) struct CookieOptions {
    /// `None`: a name that suits the rest.
    pub(crate) name: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) path: String,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) partitioned: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: None,
            domain: None,
            path: "/".into(),
            secure: true,
            http_only: true,
            same_site: SameSite::Strict,
            partitioned: false,
        }
    }
}

/// A cookie that browsers accept.
#[derive(Clone, Debug)]
pub(crate) struct CookieConfig {
    pub(crate) name: String,
    /// Everything after the value that is the same for setting and removing.
    pub(crate) attributes: String,
}

impl CookieOptions {
    const DEFAULT_NAME: &'static str = "__Host-id";
    const DEFAULT_INSECURE_NAME: &'static str = "id";
    /// Browsers ignore a longer attribute (RFC 6265bis §5.6).
    const MAX_ATTRIBUTE_BYTES: usize = 1024;
    /// Browsers ignore a cookie whose name and value are longer (RFC 6265bis §5.6).
    const MAX_COOKIE_BYTES: usize = 4096;

    pub(crate) fn build(&self) -> Result<CookieConfig, CookieError> {
        let Self {
            name,
            domain,
            path,
            secure,
            http_only,
            same_site,
            partitioned,
        } = self;
        let name = match name {
            Some(name) => name.as_str(),
            None if *secure => Self::DEFAULT_NAME,
            None => Self::DEFAULT_INSECURE_NAME,
        };
        check_name(name)?;
        check_path(path)?;
        if let Some(domain) = domain {
            check_domain(domain)?;
        }
        self.check_prefix(name)?;
        if *same_site == SameSite::None && !secure {
            return Err(CookieError::Insecure("SameSite=None"));
        }
        if *partitioned && !secure {
            return Err(CookieError::Insecure("Partitioned"));
        }

        let mut attributes = format!("; Path={path}");
        if let Some(domain) = domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        if *secure {
            attributes.push_str("; Secure");
        }
        if *http_only {
            attributes.push_str("; HttpOnly");
        }
        attributes.push_str("; SameSite=");
        attributes.push_str(&same_site.to_string());
        if *partitioned {
            attributes.push_str("; Partitioned");
        }
        Ok(CookieConfig {
            name: name.to_owned(),
            attributes,
        })
    }

    /// Holds the name's prefix against the attributes, as browsers do: without regard to case.
    fn check_prefix(&self, name: &str) -> Result<(), CookieError> {
        let has = |prefix: &str| {
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        let demand = |is_met: bool, prefix, demand| {
            if is_met {
                Ok(())
            } else {
                Err(CookieError::Prefix { prefix, demand })
            }
        };
        // `__Host-Http-` begins with `__Host-`, so both sets of demands apply to it.
        if has("__Host-") {
            demand(self.secure, "__Host-", "Secure")?;
            demand(self.path == "/", "__Host-", "Path=/")?;
            demand(self.domain.is_none(), "__Host-", "no Domain")?;
        }
        if has("__Host-Http-") {
            demand(self.http_only, "__Host-Http-", "HttpOnly")?;
        }
        if has("__Secure-") {
            demand(self.secure, "__Secure-", "Secure")?;
        }
        if has("__Http-") {
            demand(self.secure, "__Http-", "Secure")?;
            demand(self.http_only, "__Http-", "HttpOnly")?;
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), CookieError> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let is_possible = !name.is_empty()
        && name.len() <= CookieOptions::MAX_COOKIE_BYTES - Token::TEXT_BYTES
        && name.bytes().all(is_token);
    if is_possible {
        Ok(())
    } else {
        Err(CookieError::Name { name: name.into() })
    }
}

fn check_path(path: &str) -> Result<(), CookieError> {
    let is_possible = path.starts_with('/')
        && path.len() <= CookieOptions::MAX_ATTRIBUTE_BYTES
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b';');
    if is_possible {
        Ok(())
    } else {
        Err(CookieError::Path { path: path.into() })
    }
}

fn check_domain(domain: &str) -> Result<(), CookieError> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // A last label of digits alone is an address, which cannot have subdomains.
    let is_address = domain
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if domain.len() <= 253 && domain.split('.').all(is_label) && !is_address {
        Ok(())
    } else {
        Err(CookieError::Domain {
            domain: domain.into(),
        })
    }
}

/// Why a cookie is impossible: browsers would refuse it, or it would not be one cookie.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The domain is not a host name.
    #[error(
        "cookie domain {domain:?} is not a host name: write it without leading dot, port or scheme, international names as xn--"
    )]
    Domain {
        /// What was given.
        domain: String,
    },
    /// An attribute needs `Secure`, which `insecure_http` takes away.
    #[error(
        "cookie with {0} must be Secure: leave out insecure_http, or choose another SameSite and no Partitioned"
    )]
    Insecure(&'static str),
    /// The name is not a token of RFC 9110, or too long.
    #[error(
        "cookie name {name:?} is not made of letters, digits and !#$%&'*+-.^_`|~ alone, or is too long"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// The path does not begin with `/`, or has characters that end the attribute.
    #[error(
        "cookie path {path:?} must begin with '/' and have neither ';', spaces nor control characters"
    )]
    Path {
        /// What was given.
        path: String,
    },
    /// The name begins with a prefix whose demands are not met, so browsers would drop the cookie.
    #[error(
        "cookie name with prefix {prefix} demands {demand}: change that setting, or choose a cookie_name without the prefix"
    )]
    Prefix {
        /// Which prefix.
        prefix: &'static str,
        /// What it demands.
        demand: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut CookieOptions)) -> Result<CookieConfig, CookieError> {
        let mut options = CookieOptions::default();
        change(&mut options);
        options.build()
    }

    #[test]
    fn default_is_the_strictest_cookie() {
        let cookie = with(|_| ()).unwrap();
        assert_eq!(cookie.name, "__Host-id");
        assert_eq!(
            cookie.attributes,
            "; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn without_secure_the_default_name_has_no_prefix() {
        let cookie = with(|o| o.secure = false).unwrap();
        assert_eq!(cookie.name, "id");
        assert_eq!(cookie.attributes, "; Path=/; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn every_attribute_is_written() {
        let cookie = with(|o| {
            o.name = Some("sid".into());
            o.domain = Some("example.org".into());
            o.path = "/app".into();
            o.http_only = false;
            o.same_site = SameSite::None;
            o.partitioned = true;
        });
        assert_eq!(
            cookie.unwrap().attributes,
            "; Path=/app; Domain=example.org; Secure; SameSite=None; Partitioned"
        );
    }

    /// Every combination of what the prefixes look at, against the rules of the draft written anew.
    #[test]
    fn prefix_rules_hold_for_every_combination() {
        let names = [
            "id",
            "__Host-id",
            "__host-ID",
            "__HOST-id",
            "__Secure-id",
            "__secure-id",
            "__Http-id",
            "__Host-Http-id",
            "__host-http-id",
            "x__Host-id",
        ];
        let mut accepted = 0;
        for name in names {
            for bits in 0..64_u8 {
                let bit = |n: u8| bits & (1 << n) != 0;
                let (secure, http_only, domain, path) = (bit(0), bit(1), bit(2), bit(3));
                let (none, partitioned) = (bit(4), bit(5));
                let outcome = with(|o| {
                    o.name = Some(name.into());
                    o.secure = secure;
                    o.http_only = http_only;
                    o.domain = domain.then(|| "example.org".into());
                    o.path = if path { "/app" } else { "/" }.into();
                    o.same_site = if none { SameSite::None } else { SameSite::Lax };
                    o.partitioned = partitioned;
                });

                let lower = name.to_ascii_lowercase();
                let host = lower.starts_with("__host-");
                let script_proof =
                    lower.starts_with("__http-") || lower.starts_with("__host-http-");
                let needs_secure =
                    host || script_proof || lower.starts_with("__secure-") || none || partitioned;
                let possible = (secure || !needs_secure)
                    && (http_only || !script_proof)
                    && !(host && (domain || path));
                assert_eq!(outcome.is_ok(), possible, "{name} {bits:06b} {outcome:?}");
                accepted += u32::from(possible);
            }
        }
        assert!(accepted > 0);
    }

    #[test]
    fn no_byte_in_an_option_adds_an_attribute() {
        for byte in 0..=255_u8 {
            let text = format!("a{}b", char::from(byte));
            for cookie in [
                with(|o| o.name = Some(text.clone())),
                with(|o| {
                    o.name = Some("id".into());
                    o.path = format!("/{text}");
                }),
                with(|o| {
                    o.name = Some("id".into());
                    o.domain = Some(format!("{text}.example.org"));
                }),
            ] {
                let Ok(cookie) = cookie else { continue };
                let line = format!("{}=v{}", cookie.name, cookie.attributes);
                assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b)), "{line:?}");
                let attributes: Vec<_> = line.split(';').skip(1).map(str::trim).collect();
                let known = ["Path=", "Domain=", "Secure", "HttpOnly", "SameSite="];
                for attribute in &attributes {
                    assert!(known.iter().any(|k| attribute.starts_with(k)), "{line:?}");
                }
                assert!(attributes.len() <= known.len(), "{line:?}");
                assert_eq!(line.find('='), Some(cookie.name.len()), "{line:?}");
            }
        }
    }

    #[test]
    fn impossible_values_are_refused() {
        let names = ["", " ", "a b", "a=b", "a;b", "\"a\"", "\u{e9}", "a\r\nb"];
        for name in names {
            assert!(with(|o| o.name = Some(name.into())).is_err(), "{name:?}");
        }
        with(|o| o.name = Some("n".repeat(4032))).unwrap();
        with(|o| o.name = Some("n".repeat(4033))).unwrap_err();

        let paths = ["", "app", "/a;HttpOnly", "/a b", "/\u{e9}", "/a\n"];
        for path in paths {
            let outcome = with(|o| {
                o.name = Some("id".into());
                o.path = path.into();
            });
            assert!(matches!(outcome, Err(CookieError::Path { .. })), "{path:?}");
        }

        let domains = [
            "",
            ".",
            ".example.org",
            "example.org.",
            "a..b",
            "192.0.2.1",
            "[::1]",
            "ex ample.org",
            "https://example.org",
            "example.org:80",
            "b\u{fc}cher.example",
            "-a.org",
            "a-.org",
        ];
        for domain in domains {
            let outcome = with(|o| {
                o.name = Some("id".into());
                o.domain = Some(domain.into());
            });
            assert!(
                matches!(outcome, Err(CookieError::Domain { .. })),
                "{domain:?}"
            );
        }
    }
}
