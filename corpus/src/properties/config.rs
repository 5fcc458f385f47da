//! Building a manager, and the cookie that comes of it.

use cookie::Cookie;
use sessionup_core::{
    ConfigError, CookieError, Manager, ManualClock, MemoryStore, Peer, SameSite, Timestamp,
};

use crate::Settings;
use crate::properties::ready;

/// Browsers keep no cookie for longer (RFC 6265bis §5.5).
const MAX_AGE: u64 = 400 * 24 * 60 * 60;

/// Reads bytes as settings and holds [`check`] against them.
pub fn config(input: &[u8]) {
    let _: Result<(), ConfigError> = check(&Settings::of_bytes(input));
}

/// Builds a manager or refuses to, as browsers would; and what it sends is exactly the cookie that
/// was asked for, read by another's code. Returns why it was refused.
///
/// # Errors
///
/// What the builder says.
pub fn check(settings: &Settings) -> Result<(), ConfigError> {
    let now = Timestamp::from_millis(1_795_286_345_000);
    let builder = Manager::builder(MemoryStore::new()).clock(ManualClock::at(now));
    let built = settings.apply(builder).build();
    let is_refused = matches!(built, Err(ConfigError::Cookie(_)));
    // Of two mistakes either may be told.
    if built.is_ok() || is_refused {
        assert_eq!(
            built.is_ok(),
            is_possible(settings),
            "{settings:?} {built:?}"
        );
    }
    let manager = built?;
    let sessions = manager.sessions([], Peer::default());
    ready(sessions.init("ann")).expect("a login");
    let cookie = sessions.response_cookie().expect("its cookie");
    let value = expect_cookie(cookie.expose(), settings, max_age(settings));
    assert_eq!(value.len(), 64, "{settings:?}");

    ready(sessions.revoke()).expect("a logout");
    let cookie = sessions.response_cookie().expect("its removal");
    let value = expect_cookie(cookie.expose(), settings, Some(0));
    assert_eq!(value, "", "{settings:?}");
    Ok(())
}

fn max_age(settings: &Settings) -> Option<u64> {
    Some(settings.expires_in?.as_secs().min(MAX_AGE))
}

/// Reads a `Set-Cookie`, holds each attribute against what was asked for and returns the value.
fn expect_cookie(line: &str, settings: &Settings, age: Option<u64>) -> String {
    assert!(
        line.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{line:?}"
    );
    let cookie = Cookie::parse(line).expect("a cookie");
    let default = if settings.insecure_http {
        "id"
    } else {
        "__Host-id"
    };
    let name = settings.cookie_name.as_deref().unwrap_or(default);
    assert_eq!(cookie.name(), name, "{line:?}");
    assert_eq!(
        cookie.path(),
        Some(settings.path.as_deref().unwrap_or("/")),
        "{line:?}"
    );
    assert_eq!(cookie.domain(), settings.domain.as_deref(), "{line:?}");
    let has = |flag: bool| flag.then_some(true);
    assert_eq!(cookie.secure(), has(!settings.insecure_http), "{line:?}");
    assert_eq!(
        cookie.http_only(),
        has(!settings.insecure_script_access),
        "{line:?}"
    );
    assert_eq!(cookie.partitioned(), has(settings.partitioned), "{line:?}");
    let same_site = cookie.same_site().expect("always set").to_string();
    assert_eq!(same_site, settings.same_site.to_string(), "{line:?}");
    let found = cookie.max_age().map(|age| age.whole_seconds());
    assert_eq!(found, age.map(u64::cast_signed), "{line:?}");
    assert_eq!(cookie.expires().is_some(), age.is_some(), "{line:?}");

    let attributes = [
        true, // Path
        settings.domain.is_some(),
        !settings.insecure_http,
        !settings.insecure_script_access,
        true, // SameSite
        settings.partitioned,
        age.is_some(), // Max-Age
        age.is_some(), // Expires
    ];
    let attributes = attributes.iter().filter(|is_there| **is_there).count();
    assert_eq!(line.matches(';').count(), attributes, "{line:?}");
    cookie.value().to_owned()
}

/// Whether browsers take such a cookie (RFC 6265bis §4.1.1, §5.6, its successor for the prefixes
/// with `Http-`, CHIPS), and whether it is what we promise: a host name, a path of visible ASCII.
fn is_possible(settings: &Settings) -> bool {
    let name = settings.cookie_name.as_deref().unwrap_or("id");
    let path = settings.path.as_deref().unwrap_or("/");
    let secure = !settings.insecure_http;
    let http_only = !settings.insecure_script_access;

    let is_token = !name.is_empty()
        && name.len() + 64 <= 4096
        && name
            .bytes()
            .all(|byte| (0x21..0x7f).contains(&byte) && !b"\"(),/:;<=>?@[\\]{}".contains(&byte));
    let is_path = path.starts_with('/')
        && path.len() <= 1024
        && path
            .bytes()
            .all(|byte| (0x21..0x7f).contains(&byte) && byte != b';');
    let is_host = settings.domain.as_deref().is_none_or(is_host_name);

    let lower = name.to_ascii_lowercase();
    let prefixed = |prefix: &str| settings.cookie_name.is_some() && lower.starts_with(prefix);
    // Without a name of its own the cookie is `__Host-id` where it may be Secure.
    let is_host_only = prefixed("__host-") || (settings.cookie_name.is_none() && secure);
    let is_script_proof = prefixed("__http-") || prefixed("__host-http-");
    let needs_secure = is_host_only
        || is_script_proof
        || prefixed("__secure-")
        || settings.partitioned
        || settings.same_site == SameSite::None;
    is_token
        && is_path
        && is_host
        && (secure || !needs_secure)
        && (http_only || !is_script_proof)
        && !(is_host_only && (path != "/" || settings.domain.is_some()))
}

/// Letters, digits and hyphens between dots (RFC 1123 §2.1), and no address.
fn is_host_name(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let last = labels.last().copied().unwrap_or_default();
    let is_letter_or_digit = |c: char| c.is_ascii_alphanumeric();
    name.len() <= 253
        && last.contains(|c: char| !c.is_ascii_digit())
        && labels.iter().all(|label| {
            label.starts_with(is_letter_or_digit)
                && label.ends_with(is_letter_or_digit)
                && label.len() < 64
                && label.chars().all(|c| is_letter_or_digit(c) || c == '-')
        })
}

/// What a case of `config.jsonl` says of an error.
#[must_use]
pub const fn outcome(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Cookie(CookieError::Domain { .. }) => "domain",
        ConfigError::Cookie(CookieError::Insecure(_)) => "insecure",
        ConfigError::Cookie(CookieError::Name { .. }) => "name",
        ConfigError::Cookie(CookieError::Path { .. }) => "path",
        ConfigError::Cookie(CookieError::Prefix { .. }) => "prefix",
        ConfigError::IdleBeyondLifetime => "idle-beyond-lifetime",
        ConfigError::TooShort { .. } => "too-short",
        ConfigError::TouchBeyondIdle => "touch-beyond-idle",
        _ => "other",
    }
}
