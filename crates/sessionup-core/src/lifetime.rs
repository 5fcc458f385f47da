//! The one place that compares times: when a session ends.

use std::time::Duration;

use crate::Timestamp;

/// Returns the moment from which a session is no longer live: the earlier of its two deadlines.
///
/// `expires_at` is the absolute one; the idle one is `last_seen_at` plus the idle timeout.
#[must_use]
pub fn deadline(
    expires_at: Timestamp,
    last_seen_at: Timestamp,
    idle_timeout: Option<Duration>,
) -> Timestamp {
    match idle_timeout {
        Some(idle) => expires_at.min(last_seen_at.saturating_add(idle)),
        None => expires_at,
    }
}

/// Says whether a session is live: strictly before its deadline.
#[must_use]
pub fn is_live(deadline: Timestamp, now: Timestamp) -> bool {
    if crate::is_seeded!(BoundaryIncluded) {
        return now <= deadline;
    }
    now < deadline
}

/// Says whether a request moves `last_seen_at`: not more often than once per interval.
#[must_use]
pub fn touch_is_due(last_seen_at: Timestamp, now: Timestamp, interval: Duration) -> bool {
    now > last_seen_at && now.saturating_since(last_seen_at) >= interval
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn deadline_is_the_earlier_of_both() {
        let idle = |millis| Some(Duration::from_millis(millis));
        let cases = [
            ("absolute only", 100, 0, None, 100),
            ("idle first", 100, 0, idle(50), 50),
            ("absolute first", 100, 90, idle(50), 100),
            ("both at once", 100, 50, idle(50), 100),
            (
                "idle timeout beyond all time",
                100,
                50,
                Some(Duration::MAX),
                100,
            ),
        ];
        for (name, expires, seen, idle, expected) in cases {
            assert_eq!(
                deadline(at(expires), at(seen), idle),
                at(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn live_until_one_millisecond_before_the_deadline() {
        assert!(is_live(at(100), at(99)));
        assert!(!is_live(at(100), at(100)));
        assert!(!is_live(at(100), at(101)));
    }

    #[test]
    fn touches_are_throttled() {
        let interval = Duration::from_millis(60);
        let cases = [
            ("same moment", 0, 0, false),
            ("too soon", 0, 59, false),
            ("due", 0, 60, true),
            ("clock went back", 100, 0, false),
        ];
        for (name, seen, now, expected) in cases {
            assert_eq!(
                touch_is_due(at(seen), at(now), interval),
                expected,
                "{name}"
            );
        }
        assert!(
            !touch_is_due(at(5), at(5), Duration::ZERO),
            "nothing to move"
        );
    }
}
