//! What an application may ask of the cookie, hostile values included.

use std::time::Duration;

use sessionup_core::{ManagerBuilder, SameSite};

use crate::bytes::Vars;
use crate::case::Case;

/// Settings of a manager that decide about the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the builder's methods are")]
#[expect(clippy::exhaustive_structs, reason = "tests name every field")]
pub struct Settings {
    pub cookie_name: Option<String>,
    pub path: Option<String>,
    pub domain: Option<String>,
    pub insecure_http: bool,
    pub insecure_script_access: bool,
    pub same_site: SameSite,
    pub partitioned: bool,
    pub expires_in: Option<Duration>,
    pub lifetime: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    pub touch_interval: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cookie_name: None,
            path: None,
            domain: None,
            insecure_http: false,
            insecure_script_access: false,
            same_site: SameSite::Strict,
            partitioned: false,
            expires_in: None,
            lifetime: None,
            idle_timeout: None,
            touch_interval: None,
        }
    }
}

impl Settings {
    /// Reads a line of `config.jsonl`.
    #[must_use]
    pub fn of_case(case: &Case) -> Self {
        case.expect_fields(&[
            "cookie_name",
            "path",
            "domain",
            "insecure_http",
            "insecure_script_access",
            "same_site",
            "partitioned",
            "expires_in",
            "lifetime",
            "idle_timeout",
            "touch_interval",
            "outcome",
        ]);
        let text = |field: &str| {
            let value = case.get(field)?;
            let bytes = case.read(value, &Vars::new());
            Some(String::from_utf8(bytes).expect("settings are text"))
        };
        Self {
            cookie_name: text("cookie_name"),
            path: text("path"),
            domain: text("domain"),
            insecure_http: case.flag("insecure_http"),
            insecure_script_access: case.flag("insecure_script_access"),
            same_site: match case.get("same_site").map(|_| case.text("same_site")) {
                None | Some("Strict") => SameSite::Strict,
                Some("Lax") => SameSite::Lax,
                Some("None") => SameSite::None,
                Some(other) => panic!("{case}: no SameSite {other}"),
            },
            partitioned: case.flag("partitioned"),
            expires_in: case.duration("expires_in"),
            lifetime: case.duration("lifetime"),
            idle_timeout: case.duration("idle_timeout"),
            touch_interval: case.duration("touch_interval"),
        }
    }

    /// Reads what [`Self::to_bytes`] wrote, and something from any other bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let (head, mut rest) = bytes.split_at(bytes.len().min(Self::HEAD_BYTES));
        let mut head = head.iter().copied().chain(std::iter::repeat(0));
        let mut byte = || head.next().unwrap_or_default();
        let (flags, more) = (byte(), byte());
        let mut number = || u64::from_le_bytes(std::array::from_fn(|_| byte()));
        let seconds = number();
        let lengths = [number(), number()];
        let has = |bit: u8| flags & (1 << bit) != 0;
        let mut text = |length: u64| {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let (text, after) = rest.split_at(length.min(rest.len()));
            rest = after;
            String::from_utf8_lossy(text).into_owned()
        };
        let (cookie_name, path) = (text(lengths[0]), text(lengths[1]));
        let domain = text(u64::MAX);
        Self {
            cookie_name: has(0).then_some(cookie_name),
            path: has(1).then_some(path),
            domain: has(2).then_some(domain),
            insecure_http: has(3),
            insecure_script_access: has(4),
            partitioned: has(5),
            expires_in: has(6).then(|| Duration::from_secs(seconds)),
            same_site: match more % 3 {
                0 => SameSite::Strict,
                1 => SameSite::Lax,
                _ => SameSite::None,
            },
            ..Self::default()
        }
    }

    /// Two bytes of flags, and three numbers.
    const HEAD_BYTES: usize = 2 + 3 * 8;

    /// Writes what a fuzzer can begin with. Durations below a second and those that are no part of
    /// the cookie are left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let flags = [
            self.cookie_name.is_some(),
            self.path.is_some(),
            self.domain.is_some(),
            self.insecure_http,
            self.insecure_script_access,
            self.partitioned,
            self.expires_in.is_some(),
        ];
        let flags = flags
            .iter()
            .rev()
            .fold(0, |bits, flag| bits << 1 | u8::from(*flag));
        let same_site = match self.same_site {
            SameSite::Lax => 1,
            SameSite::None => 2,
            _ => 0,
        };
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
        let numbers = [
            self.expires_in.map_or(0, |duration| duration.as_secs()),
            length(&self.cookie_name),
            length(&self.path),
        ];
        let mut bytes = vec![flags, same_site];
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        for text in [&self.cookie_name, &self.path, &self.domain] {
            bytes.extend_from_slice(text.as_deref().unwrap_or_default().as_bytes());
        }
        bytes
    }

    /// Tells a builder of them.
    pub fn apply(&self, mut builder: ManagerBuilder) -> ManagerBuilder {
        let Self {
            cookie_name,
            path,
            domain,
            insecure_http,
            insecure_script_access,
            same_site,
            partitioned,
            expires_in,
            lifetime,
            idle_timeout,
            touch_interval,
        } = self;
        builder = builder.same_site(*same_site);
        if let Some(name) = cookie_name {
            builder = builder.cookie_name(name);
        }
        if let Some(path) = path {
            builder = builder.path(path);
        }
        if let Some(domain) = domain {
            builder = builder.domain(domain);
        }
        if *insecure_http {
            builder = builder.insecure_http();
        }
        if *insecure_script_access {
            builder = builder.insecure_script_access();
        }
        if *partitioned {
            builder = builder.partitioned();
        }
        if let Some(lifetime) = lifetime {
            builder = builder.lifetime(*lifetime);
        }
        if let Some(expires_in) = expires_in {
            builder = builder.expires_in(*expires_in);
        }
        if let Some(idle_timeout) = idle_timeout {
            builder = builder.idle_timeout(*idle_timeout);
        }
        if let Some(touch_interval) = touch_interval {
            builder = builder.touch_interval(*touch_interval);
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_go_there_and_back() {
        for case in crate::cases("config.jsonl", 1) {
            let settings = Settings::of_case(&case);
            let expected = Settings {
                expires_in: settings
                    .expires_in
                    .map(|d| Duration::from_secs(d.as_secs())),
                lifetime: None,
                idle_timeout: None,
                touch_interval: None,
                ..settings.clone()
            };
            assert_eq!(Settings::of_bytes(&settings.to_bytes()), expected, "{case}");
        }
    }
}
