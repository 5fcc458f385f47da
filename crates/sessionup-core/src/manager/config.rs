//! The settings of a manager: as they are asked for, and as they are once checked.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::agent::AgentParser;
use crate::client::Capture;
use crate::cookie::{CookieConfig, CookieError, CookieOptions};
use crate::{Kind, LimitPolicy, SessionLimit, TrustedProxies};

/// What happens when a request differs from the login in address or agent.
///
/// A sign of a stolen token, not proof: phones change their address all day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnMismatch {
    /// Nothing is compared.
    #[default]
    Ignore,
    /// The request is treated as one without session; the session lives on.
    Refuse,
    /// The request is let through, and an event is logged.
    Report,
    /// The session is revoked.
    Revoke,
}

/// What happens when a token is used that was replaced a while ago.
///
/// The owner has the new one, so somebody else has the old one: or the other way round, if a thief
/// was the first to renew it. Which of the two holds the new one cannot be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnReuse {
    /// The request is treated as one without session, and an event is reported.
    #[default]
    Report,
    /// The session is revoked too: whoever holds the new token has to log in again.
    Revoke,
}

/// Sessions of a user unless said otherwise: more than anybody has devices, and few enough to list.
const DEFAULT_LIMIT: SessionLimit = SessionLimit::new(
    match NonZeroU32::new(100) {
        Some(limit) => limit,
        None => NonZeroU32::MIN,
    },
    LimitPolicy::EvictLeastRecentlySeen,
);

/// What was asked for; becomes a [`Config`] if it is possible.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) cookie: CookieOptions,
    pub(crate) kind: Kind,
    pub(crate) lifetime: Duration,
    pub(crate) persistent: bool,
    pub(crate) idle_timeout: Option<Duration>,
    /// `None`: an interval that suits the idle timeout.
    pub(crate) touch_interval: Option<Duration>,
    pub(crate) renew_every: Option<Duration>,
    pub(crate) renewal_grace: Duration,
    pub(crate) on_reuse: OnReuse,
    pub(crate) store_timeout: Duration,
    pub(crate) capture: Capture,
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    pub(crate) agent_parser: AgentParser,
    pub(crate) on_mismatch: OnMismatch,
    pub(crate) limit: Option<SessionLimit>,
    pub(crate) accept_imported: bool,
    pub(crate) log_users: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cookie: CookieOptions::default(),
            kind: Kind::USER,
            lifetime: Duration::from_secs(24 * 60 * 60),
            persistent: false,
            idle_timeout: None,
            touch_interval: None,
            renew_every: None,
            renewal_grace: Duration::from_secs(10),
            on_reuse: OnReuse::default(),
            store_timeout: Duration::from_secs(2),
            capture: Capture::ALL,
            trusted_proxies: None,
            agent_parser: AgentParser::default(),
            on_mismatch: OnMismatch::default(),
            limit: Some(DEFAULT_LIMIT),
            accept_imported: false,
            log_users: false,
        }
    }
}

/// Settings that go together.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) cookie: CookieConfig,
    pub(crate) kind: Kind,
    pub(crate) lifetime: Duration,
    pub(crate) persistent: bool,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) touch_interval: Duration,
    pub(crate) renew_every: Option<Duration>,
    pub(crate) renewal_grace: Duration,
    pub(crate) on_reuse: OnReuse,
    pub(crate) store_timeout: Duration,
    pub(crate) capture: Capture,
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    pub(crate) agent_parser: AgentParser,
    pub(crate) on_mismatch: OnMismatch,
    pub(crate) limit: Option<SessionLimit>,
    pub(crate) accept_imported: bool,
    pub(crate) log_users: bool,
}

impl Options {
    const DEFAULT_TOUCH_INTERVAL: Duration = Duration::from_secs(60);

    pub(crate) fn build(&self) -> Result<Config, ConfigError> {
        let Self {
            cookie,
            kind,
            lifetime,
            persistent,
            idle_timeout,
            touch_interval,
            renew_every,
            renewal_grace,
            on_reuse,
            store_timeout,
            capture,
            trusted_proxies,
            agent_parser,
            on_mismatch,
            limit,
            accept_imported,
            log_users,
        } = self;

        let whole_millis = |duration: Duration, setting| {
            if duration.as_millis() == 0 {
                return Err(ConfigError::TooShort { setting });
            }
            let nanos = duration.subsec_nanos() % 1_000_000;
            Ok(duration.saturating_sub(Duration::from_nanos(nanos.into())))
        };
        let lifetime = whole_millis(*lifetime, "lifetime")?;
        let idle_timeout = idle_timeout
            .map(|idle| whole_millis(idle, "idle_timeout"))
            .transpose()?;
        if idle_timeout.is_some_and(|idle| idle > lifetime) {
            return Err(ConfigError::IdleBeyondLifetime);
        }
        if let (Some(touch), Some(idle)) = (touch_interval, idle_timeout)
            && *touch >= idle
        {
            return Err(ConfigError::TouchBeyondIdle);
        }
        let renew_every = renew_every
            .map(|every| whole_millis(every, "renew_every"))
            .transpose()?;
        if renew_every.is_some_and(|every| every <= *renewal_grace) {
            return Err(ConfigError::GraceBeyondRenewal);
        }
        if *on_reuse == OnReuse::Revoke && renewal_grace.is_zero() {
            return Err(ConfigError::NoGrace);
        }
        let store_timeout = whole_millis(*store_timeout, "store_timeout")?;
        // A quarter of the idle timeout: a session in use is never ended for want of a touch.
        let suitable = idle_timeout.map_or(Self::DEFAULT_TOUCH_INTERVAL, |idle| {
            Self::DEFAULT_TOUCH_INTERVAL.min(idle / 4)
        });
        if *on_mismatch != OnMismatch::Ignore && !capture.ip && !capture.agent {
            return Err(ConfigError::NothingToValidate);
        }

        Ok(Config {
            cookie: cookie.build()?,
            kind: kind.clone(),
            lifetime,
            persistent: *persistent,
            idle_timeout,
            touch_interval: touch_interval.unwrap_or(suitable),
            renew_every,
            renewal_grace: *renewal_grace,
            on_reuse: *on_reuse,
            store_timeout,
            capture: *capture,
            trusted_proxies: trusted_proxies.clone(),
            agent_parser: agent_parser.clone(),
            on_mismatch: *on_mismatch,
            limit: *limit,
            accept_imported: *accept_imported,
            log_users: *log_users,
        })
    }
}

/// Why settings do not go together. The application's mistake, found when it starts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No browser would take the cookie.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// Another manager over the same store uses another cookie for sessions of the same kind.
    #[error(
        "cookies {cookie_name:?} and {other:?} would hold sessions of kind {kind:?} over one store, \
         and a token of one would be accepted in the other: give this manager a kind of its own by \
         `kind(Kind::new(\"…\")?)`, or the same cookie_name"
    )]
    CookieNames {
        /// The kind.
        kind: String,
        /// The cookie of this manager.
        cookie_name: String,
        /// The cookie of the other one.
        other: String,
    },
    /// Tokens would be renewed while the ones before are still accepted.
    #[error("renew_every is not longer than renewal_grace: lengthen it, or shorten the grace")]
    GraceBeyondRenewal,
    /// Requests that are under way during a renewal would end their session.
    #[error(
        "on_reuse revokes while renewal_grace is zero: requests under way would end the session"
    )]
    NoGrace,
    /// The idle timeout would never be met.
    #[error(
        "idle_timeout is longer than the lifetime: shorten it, or raise lifetime or expires_in"
    )]
    IdleBeyondLifetime,
    /// Validation is on, but neither address nor agent is kept.
    #[error("validate is on while with_ip and with_agent are off: there is nothing to compare")]
    NothingToValidate,
    /// A duration is below a millisecond.
    #[error("{setting} is shorter than a millisecond")]
    TooShort {
        /// Which setting.
        setting: &'static str,
    },
    /// Sessions in use would be ended as idle.
    #[error("touch_interval is not shorter than idle_timeout: sessions in use would end as idle")]
    TouchBeyondIdle,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Options)) -> Result<Config, ConfigError> {
        let mut options = Options::default();
        change(&mut options);
        options.build()
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let seconds = Duration::from_secs;
        let too_short = |setting| ConfigError::TooShort { setting };
        let cases = [
            (
                "no lifetime",
                with(|o| o.lifetime = Duration::ZERO),
                too_short("lifetime"),
            ),
            (
                "below a millisecond",
                with(|o| o.lifetime = Duration::from_micros(999)),
                too_short("lifetime"),
            ),
            (
                "no idle time",
                with(|o| o.idle_timeout = Some(Duration::ZERO)),
                too_short("idle_timeout"),
            ),
            (
                "idle longer than life",
                with(|o| {
                    o.lifetime = seconds(10);
                    o.idle_timeout = Some(seconds(11));
                }),
                ConfigError::IdleBeyondLifetime,
            ),
            (
                "touched too rarely",
                with(|o| {
                    o.idle_timeout = Some(seconds(10));
                    o.touch_interval = Some(seconds(10));
                }),
                ConfigError::TouchBeyondIdle,
            ),
            (
                "no time between renewals",
                with(|o| o.renew_every = Some(Duration::ZERO)),
                too_short("renew_every"),
            ),
            (
                "renewed within the grace",
                with(|o| o.renew_every = Some(o.renewal_grace)),
                ConfigError::GraceBeyondRenewal,
            ),
            (
                "no grace",
                with(|o| {
                    o.on_reuse = OnReuse::Revoke;
                    o.renewal_grace = Duration::ZERO;
                }),
                ConfigError::NoGrace,
            ),
            (
                "no patience",
                with(|o| o.store_timeout = Duration::ZERO),
                too_short("store_timeout"),
            ),
            (
                "nothing to compare",
                with(|o| {
                    o.on_mismatch = OnMismatch::Report;
                    o.capture = Capture::new(false, false);
                }),
                ConfigError::NothingToValidate,
            ),
        ];
        for (name, outcome, expected) in cases {
            assert_eq!(outcome.unwrap_err(), expected, "{name}");
        }
    }

    #[test]
    fn touch_interval_suits_the_idle_timeout() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let interval = |idle| with(|o| o.idle_timeout = idle).unwrap().touch_interval;
        assert_eq!(interval(None), minutes(1));
        assert_eq!(interval(Some(minutes(30))), minutes(1));
        assert_eq!(interval(Some(minutes(2))), Duration::from_secs(30));
    }

    #[test]
    fn any_length_of_life_is_possible() {
        assert_eq!(with(|o| o.lifetime = Duration::MAX).map(drop), Ok(()));
    }
}
