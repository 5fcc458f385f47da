//! Points in time, and where they come from.
//!
//! Nothing in this crate reads a clock on its own: rules take the time as an argument, and the
//! [`Manager`](crate::Manager) and the [`Cleanup`](crate::Cleanup) ask their [`Clock`] over the
//! [`Watermark`](crate::store::Watermark) of their store.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// A point in time: whole milliseconds since 1970-01-01T00:00:00Z, before it if negative.
///
/// Arithmetic saturates, so no duration that a configuration or a file can hold overflows. Printed
/// and serialised as RFC 3339 in UTC.
///
/// ```
/// use std::time::Duration;
/// use sessionup_core::Timestamp;
///
/// let noon = Timestamp::from_millis(1_767_268_800_000);
/// assert_eq!(noon.to_string(), "2026-01-01T12:00:00Z");
/// assert_eq!(noon.saturating_add(Duration::MAX), Timestamp::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest point in time that can be held.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest point in time that can be held.
    pub const MAX: Self = Self(i64::MAX);

    /// Makes a timestamp of milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Adds a duration, cut to whole milliseconds; stops at [`Timestamp::MAX`].
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(clamped_millis(duration)))
    }

    /// Subtracts a duration, cut to whole milliseconds; stops at [`Timestamp::MIN`].
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(clamped_millis(duration)))
    }

    /// Returns the time that went by since `earlier`, zero if `earlier` is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        let is_later = self.0 > earlier.0;
        Duration::from_millis(if is_later {
            self.0.abs_diff(earlier.0)
        } else {
            0
        })
    }

    /// Converts to the standard library's type; `None` where the platform cannot hold the time.
    #[must_use]
    pub fn to_system_time(self) -> Option<SystemTime> {
        let distance = Duration::from_millis(self.0.unsigned_abs());
        if self.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }

    /// Writes the time as HTTP does (IMF-fixdate, RFC 9110 §5.6.7), cut to the years 0 to 9999.
    #[must_use]
    pub fn to_http_date(self) -> String {
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.to_jiff())
            .unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:01 GMT".into())
    }

    fn to_jiff(self) -> jiff::Timestamp {
        /// 0000-01-01T00:00:00Z and 9999-12-30T22:00:00Z, the bounds of RFC 3339 that every reader takes.
        const YEARS: (i64, i64) = (-62_167_219_200_000, 253_402_207_200_000);
        jiff::Timestamp::from_millisecond(self.0.clamp(YEARS.0, YEARS.1)).unwrap_or_default()
    }
}

fn clamped_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(clamped_millis(after)),
            Err(before) => Self(-clamped_millis(before.duration())),
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Tells what time it is.
///
/// It may step, back or ahead: what becomes of that is said at
/// [`Watermark`](crate::store::Watermark).
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock. It steps when people or time servers set it.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that stands still until it is moved, for tests.
///
/// Clones show the same time. Moved by more than a day at once it has jumped, see
/// [`Watermark`](crate::store::Watermark); tests that mean time that goes by move it in steps.
///
/// ```
/// use std::time::Duration;
/// use sessionup_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_millis(0));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now(), Timestamp::from_millis(1_000));
/// ```
#[cfg(any(test, feature = "test-util"))]
#[derive(Clone, Debug)]
pub struct ManualClock(std::sync::Arc<std::sync::atomic::AtomicI64>);

#[cfg(any(test, feature = "test-util"))]
impl ManualClock {
    /// Makes a clock that shows `time`.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(std::sync::Arc::new(time.as_millis().into()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock, forward or back.
    pub fn set(&self, time: Timestamp) {
        self.0
            .store(time.as_millis(), std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(
            Timestamp::MAX.saturating_add(Duration::from_millis(1)),
            Timestamp::MAX
        );
        assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
        assert_eq!(
            Timestamp::MAX.saturating_since(Timestamp::MIN),
            Duration::from_millis(u64::MAX)
        );
        assert_eq!(
            Timestamp::MIN.saturating_since(Timestamp::MAX),
            Duration::ZERO
        );
    }

    #[test]
    fn a_fraction_of_a_millisecond_is_cut() {
        let time = Timestamp::from_millis(0).saturating_add(Duration::from_micros(1_999));
        assert_eq!(time.as_millis(), 1);
    }

    #[test]
    fn text_is_rfc_3339_and_stays_within_its_years() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_286_345_981, "2026-11-21T18:39:05.981Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-30T22:00:00Z"),
        ];
        for (millis, text) in cases {
            assert_eq!(Timestamp::from_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn http_date_is_imf_fixdate() {
        assert_eq!(
            Timestamp::from_millis(784_111_777_000).to_http_date(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
        assert_eq!(
            Timestamp::MAX.to_http_date(),
            "Thu, 30 Dec 9999 22:00:00 GMT"
        );
    }

    #[test]
    fn system_time_goes_there_and_back() {
        for millis in [0, 1, -1, 1_795_286_345_981, -62_167_219_200_000] {
            let time = Timestamp::from_millis(millis);
            assert_eq!(time.to_system_time().map(Timestamp::from), Some(time));
        }
    }
}
