//! Times for people.

use std::time::Duration;

use sessionup_core::Timestamp;

/// Writes a time in UTC to the minute.
pub(crate) fn minute(time: Timestamp) -> String {
    let exact = time.to_string();
    let parts = exact.split_once('T');
    match parts.and_then(|(day, clock)| Some((day, clock.get(..5)?))) {
        Some((day, minute)) => format!("{day} {minute} UTC"),
        None => exact,
    }
}

/// Writes how far a time is from now: `3d ago`, `in 12h`, `now`.
pub(crate) fn from_now(time: Timestamp, now: Timestamp) -> String {
    let (before, after) = (now.saturating_since(time), time.saturating_since(now));
    if before.as_secs() > 0 {
        format!("{} ago", length(before))
    } else if after.as_secs() > 0 {
        format!("in {}", length(after))
    } else {
        "now".into()
    }
}

/// Writes a length of time by its largest unit, rounded down.
pub(crate) fn length(length: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [
        (365 * 24 * 60 * 60, "y"),
        (24 * 60 * 60, "d"),
        (60 * 60, "h"),
        (60, "m"),
    ];
    let seconds = length.as_secs();
    let unit = UNITS.iter().find(|(size, _)| seconds >= *size);
    unit.map_or_else(
        || format!("{seconds}s"),
        |(size, unit)| format!("{}{unit}", seconds / size),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes() {
        let cases = [
            (0, "1970-01-01 00:00 UTC"),
            (1_795_372_745_981, "2026-11-22 18:39 UTC"),
            (-62_167_219_200_000, "0000-01-01 00:00 UTC"),
            (253_402_200_000_000, "9999-12-30 20:00 UTC"),
        ];
        for (millis, expected) in cases {
            assert_eq!(minute(Timestamp::from_millis(millis)), expected);
        }
        // Whatever is written beyond, it is no panic and not empty.
        for time in [Timestamp::MIN, Timestamp::MAX] {
            assert!(minute(time).len() > 10);
        }
    }

    #[test]
    fn distances_from_now() {
        const SECOND: i64 = 1_000;
        const DAY: i64 = 86_400 * SECOND;
        let cases = [
            (0, "now"),
            (999, "now"),
            (-999, "now"),
            (SECOND, "in 1s"),
            (-59 * SECOND, "59s ago"),
            (-60 * SECOND, "1m ago"),
            (3_599 * SECOND, "in 59m"),
            (-3_600 * SECOND, "1h ago"),
            (DAY, "in 1d"),
            (-364 * DAY, "364d ago"),
            (365 * DAY, "in 1y"),
            (-8_000 * 365 * DAY, "8000y ago"),
        ];
        let now = 1_795_372_745_981;
        for (away, expected) in cases {
            let time = Timestamp::from_millis(now + away);
            assert_eq!(
                from_now(time, Timestamp::from_millis(now)),
                expected,
                "{away}"
            );
        }
        from_now(Timestamp::MIN, Timestamp::MAX);
    }
}
