//! Bounds on how many lines are written to the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Timestamp;

/// Lets so many lines pass in a second, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    number: i64,
    passed: u32,
    suppressed: u64,
}

impl Throttle {
    pub(super) const LINES: u32 = 20;

    /// `write` is told how many lines were suppressed before this one, if any.
    pub(super) fn pass(&self, now: Timestamp, write: impl FnOnce(Option<u64>)) {
        let admitted = lock(&self.0).admit(now);
        if let Some(suppressed) = admitted {
            write(count(suppressed));
        }
    }
}

impl Second {
    /// Returns how many were suppressed since the last line, if this one may pass.
    fn admit(&mut self, now: Timestamp) -> Option<u64> {
        let number = now.as_millis().div_euclid(1_000);
        // Others may have taken the time a moment earlier; a clock that steps back goes further.
        if number > self.number || number < self.number - 1 {
            self.number = number;
            self.passed = 0;
        }
        if self.passed == Throttle::LINES {
            self.suppressed += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// Lets one line pass for each key in a minute, and counts the others.
///
/// Remembers so many keys. While there are more within a minute, the lines of the others share a
/// bound by the second.
#[derive(Debug)]
pub(super) struct ThrottleByKey<K>(Mutex<ByKey<K>>);

#[derive(Debug)]
struct ByKey<K> {
    lines: HashMap<K, Line>,
    /// For keys that there is no room for.
    others: Second,
    /// Suppressed lines of keys that were forgotten.
    forgotten: u64,
    swept_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Line {
    at: Timestamp,
    suppressed: u64,
}

/// How many lines were suppressed before one that passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suppressed {
    /// Of the same key.
    pub(super) same: Option<u64>,
    /// Of keys that are not remembered.
    pub(super) others: Option<u64>,
}

impl<K> Default for ThrottleByKey<K> {
    fn default() -> Self {
        Self(Mutex::new(ByKey {
            lines: HashMap::new(),
            others: Second::default(),
            forgotten: 0,
            swept_at: None,
        }))
    }
}

impl<K: Copy + Eq + Hash> ThrottleByKey<K> {
    /// `write` is told how many lines were suppressed before this one.
    pub(super) fn pass(&self, key: K, now: Timestamp, write: impl FnOnce(Suppressed)) {
        let admitted = lock(&self.0).admit(key, now);
        if let Some(suppressed) = admitted {
            write(suppressed);
        }
    }
}

impl<K: Copy + Eq + Hash> ByKey<K> {
    /// How many keys are remembered.
    const KEYS: usize = 1_024;
    /// How often keys are swept while there is no room.
    const SWEEP: Duration = Duration::from_secs(1);

    fn admit(&mut self, key: K, now: Timestamp) -> Option<Suppressed> {
        if let Some(line) = self.lines.get_mut(&key) {
            if !line.is_over(now) {
                line.suppressed += 1;
                return None;
            }
            line.at = now;
            let same = count(std::mem::take(&mut line.suppressed));
            return Some(self.with_others(same));
        }
        if self.lines.len() >= Self::KEYS {
            self.sweep(now);
        }
        if self.lines.len() >= Self::KEYS {
            self.forgotten += self.others.admit(now)?;
        } else {
            let (at, suppressed) = (now, 0);
            self.lines.insert(key, Line { at, suppressed });
        }
        Some(self.with_others(None))
    }

    fn with_others(&mut self, same: Option<u64>) -> Suppressed {
        let unwritten = std::mem::take(&mut self.others.suppressed);
        let others = count(std::mem::take(&mut self.forgotten) + unwritten);
        Suppressed { same, others }
    }

    /// Forgets the keys whose minute is over.
    fn sweep(&mut self, now: Timestamp) {
        let swept = self.swept_at;
        if swept.is_some_and(|at| apart(at, now) < Self::SWEEP) {
            return;
        }
        self.swept_at = Some(now);
        let forgotten = &mut self.forgotten;
        self.lines.retain(|_, line| {
            let is_over = line.is_over(now);
            if is_over {
                *forgotten += line.suppressed;
            }
            !is_over
        });
    }
}

impl Line {
    const PAUSE: Duration = Duration::from_secs(60);

    /// Says whether another line may follow. A clock that went back silences nothing for long.
    fn is_over(&self, now: Timestamp) -> bool {
        apart(self.at, now) >= Self::PAUSE
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.saturating_since(other).max(other.saturating_since(one))
}

fn count(suppressed: u64) -> Option<u64> {
    (suppressed > 0).then_some(suppressed)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn lines_of_a_second_are_bounded_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let at = |millis| lock(&throttle.0).admit(at(millis));
        let passed = (0..1_000_000).filter(|_| at(1_500).is_some()).count();
        assert_eq!(passed, 20);
        assert_eq!(at(1_999), None);
        assert_eq!(at(2_000), Some(1_000_001 - 20));
        assert_eq!(at(2_000), Some(0));
        assert_eq!(at(1_999), Some(0), "the clock may go back");
    }

    /// Suppressed lines of the same key and of others, if a line passes.
    fn admit(by_key: &mut ByKey<u32>, key: u32, millis: i64) -> Option<(u64, u64)> {
        let Suppressed { same, others } = by_key.admit(key, at(millis))?;
        Some((same.unwrap_or_default(), others.unwrap_or_default()))
    }

    fn by_key() -> ByKey<u32> {
        ThrottleByKey::default().0.into_inner().unwrap()
    }

    #[test]
    fn admit_of_a_flooding_key_lets_others_pass() {
        let mut by_key = by_key();
        assert_eq!(admit(&mut by_key, 1, 0), Some((0, 0)));
        for millis in 0..59_999 {
            assert_eq!(admit(&mut by_key, 1, millis), None, "{millis}");
        }
        assert_eq!(admit(&mut by_key, 2, 59_999), Some((0, 0)));
        assert_eq!(admit(&mut by_key, 1, 60_000), Some((59_999, 0)));
        assert_eq!(admit(&mut by_key, 1, 60_001), None);
    }

    #[test]
    fn admit_after_the_clock_went_back_passes() {
        let mut by_key = by_key();
        let day = 24 * 60 * 60 * 1_000;
        assert_eq!(admit(&mut by_key, 1, day), Some((0, 0)));
        assert_eq!(admit(&mut by_key, 1, day - 1), None);
        assert_eq!(admit(&mut by_key, 1, 0), Some((1, 0)));
    }

    #[test]
    fn admit_of_many_keys_is_bounded_and_counted() {
        let mut by_key = by_key();
        let keys = u32::try_from(ByKey::<u32>::KEYS).unwrap();
        let flood = |by_key: &mut ByKey<u32>, millis| {
            let admitted = (0..100_000).filter_map(|key| admit(by_key, key, millis));
            admitted.fold((0, 0, 0), |(lines, same, others), (s, o)| {
                (lines + 1, same + s, others + o)
            })
        };
        // All keys that are remembered, and those of a second beyond.
        let all = u64::from(keys + Throttle::LINES);
        assert_eq!(flood(&mut by_key, 0), (all, 0, 0));
        assert_eq!(by_key.lines.len(), ByKey::<u32>::KEYS);

        // Within the minute those that are remembered are silent, the others are not.
        let (lines, _, others) = flood(&mut by_key, 1_000);
        assert_eq!((lines, others), (20, 100_000 - all));

        // After it the remembered ones say what they left out.
        let (lines, same, others) = flood(&mut by_key, 61_000);
        assert_eq!((lines, same), (all, u64::from(keys)));
        assert_eq!(others, 100_000 - u64::from(keys) - 20);
    }

    #[test]
    fn admit_of_new_key_forgets_keys_after_a_minute() {
        let mut by_key = by_key();
        let keys = u32::try_from(ByKey::<u32>::KEYS).unwrap();
        for key in 0..keys {
            assert_eq!(admit(&mut by_key, key, 0), Some((0, 0)));
            assert_eq!(admit(&mut by_key, key, 1), None);
        }
        assert_eq!(
            admit(&mut by_key, keys, 60_000),
            Some((0, u64::from(keys))),
            "what the forgotten ones left out is counted"
        );
        assert_eq!(by_key.lines.len(), 1);
    }
}
