//! Writing the cookie: one form for setting and for removing it.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::cookie::CookieConfig;
use crate::{Timestamp, Token};

/// The value of a `Set-Cookie` field. Hidden by `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SetCookie(Zeroizing<String>);

impl SetCookie {
    /// Returns the field's value: visible ASCII that begins with the cookie's name.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetCookie(..)")
    }
}

/// Browsers keep no cookie for longer (RFC 6265bis §5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl CookieConfig {
    /// Sets the cookie, until the browser closes or for as long as `keep_until` says.
    pub(crate) fn set(
        &self,
        token: &Token,
        keep_until: Option<Timestamp>,
        now: Timestamp,
    ) -> SetCookie {
        let lifetime = keep_until.map(|until| {
            let age = until.saturating_since(now).min(MAX_AGE);
            (age.as_secs(), now.saturating_add(age))
        });
        self.write(&token.expose(), lifetime)
    }

    /// Removes the cookie. Browsers do so only if everything that names it is as it was when it was
    /// set, hence the one `write`.
    pub(crate) fn remove(&self) -> SetCookie {
        self.write("", Some((0, Timestamp::from_millis(1_000))))
    }

    fn write(&self, value: &str, lifetime: Option<(u64, Timestamp)>) -> SetCookie {
        let Self { name, attributes } = self;
        let lifetime = match lifetime {
            Some((age, end)) => format!("; Max-Age={age}; Expires={}", end.to_http_date()),
            None => String::new(),
        };
        let bytes = name.len() + 1 + value.len() + attributes.len() + lifetime.len();
        let mut text = Zeroizing::new(String::with_capacity(bytes));
        for part in [name, "=", value, attributes, &lifetime] {
            text.push_str(part);
        }
        SetCookie(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsRandom;
    use crate::cookie::CookieOptions;

    const NOW: Timestamp = Timestamp::from_millis(784_111_777_500);

    fn config() -> CookieConfig {
        CookieOptions::default().build().unwrap()
    }

    fn token() -> Token {
        Token::generate(NOW, &OsRandom).unwrap()
    }

    #[test]
    fn until_the_browser_closes() {
        let token = token();
        let expected = format!(
            "__Host-id={}; Path=/; Secure; HttpOnly; SameSite=Strict",
            token.expose().as_str()
        );
        assert_eq!(config().set(&token, None, NOW).expose(), expected);
    }

    #[test]
    fn until_a_time() {
        let until = NOW.saturating_add(Duration::from_secs(3_600));
        let token = token();
        let expected = format!(
            "__Host-id={}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=3600; \
             Expires=Sun, 06 Nov 1994 09:49:37 GMT",
            token.expose().as_str()
        );
        assert_eq!(config().set(&token, Some(until), NOW).expose(), expected);
    }

    #[test]
    fn age_is_between_zero_and_400_days() {
        let cases = [
            (Timestamp::MAX, "Max-Age=34560000;"),
            (NOW, "Max-Age=0;"),
            (Timestamp::MIN, "Max-Age=0;"),
        ];
        for (until, age) in cases {
            let cookie = config().set(&token(), Some(until), NOW);
            assert!(cookie.expose().contains(age), "{age}");
        }
    }

    #[test]
    fn removal_repeats_everything_that_names_the_cookie() {
        assert_eq!(
            config().remove().expose(),
            "__Host-id=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0; \
             Expires=Thu, 01 Jan 1970 00:00:01 GMT"
        );
    }

    #[test]
    fn debug_hides_the_value() {
        let cookie = config().set(&token(), None, NOW);
        assert_eq!(format!("{cookie:?}"), "SetCookie(..)");
    }
}
