//! Events in the log. What clients can cause at will is written at most so often.

use std::sync::{Mutex, PoisonError};

use tracing::field::display;

use crate::events::{Event, RevokedBy};
use crate::{Refusal, SessionId, Timestamp};

/// Writes events to the log by `tracing`, under the target `sessionup`.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What anybody can cause, with an old cookie or none that ever was one.
    rejections: Throttle,
    /// What may be an attack, and what anybody can send: two cookies of ours, or an id with a secret
    /// that was made up.
    probes: Throttle,
    /// What needs a token, so that no flood hides it.
    suspicions: Throttle,
    failures: Throttle,
    /// What a clock that goes to and fro can cause.
    jumps: Throttle,
}

impl Log {
    /// Writes an event. Sessions are named by their ids; users and addresses are not written.
    pub(crate) fn write(&self, event: &Event, now: Timestamp) {
        match event {
            Event::ClockJumped { from, to } => self.jumps.pass(now, |suppressed| {
                tracing::warn!(target: "sessionup", %from, %to, suppressed, "clock jumped");
            }),
            Event::Created { id, .. } => {
                tracing::info!(target: "sessionup", %id, "session created");
            }
            Event::Evicted { id, .. } => {
                tracing::info!(target: "sessionup", %id, "session evicted");
            }
            Event::Renewed { id } => tracing::info!(target: "sessionup", %id, "session renewed"),
            Event::Revoked { id, by } => {
                tracing::info!(target: "sessionup", %id, by = by.as_str(), "session revoked");
            }
            Event::RevokedEverybody { sessions } => {
                let by = RevokedBy::Admin.as_str();
                tracing::warn!(target: "sessionup", sessions, by, "sessions of all users revoked");
            }
            Event::RevokedUser { sessions, by, .. } => {
                let by = by.as_str();
                tracing::info!(target: "sessionup", sessions, by, "sessions revoked");
            }
            Event::Mismatched { mismatch, id, .. } => self.suspicions.pass(now, |suppressed| {
                let mismatch = mismatch.as_str();
                tracing::warn!(target: "sessionup", %id, mismatch, suppressed, "client changed");
            }),
            Event::Rejected { reason, id, .. } => self.write_rejection(*reason, *id, now),
            Event::StoreFailed { error } => self.failures.pass(now, |suppressed| {
                let cause = std::error::Error::source(error).map(display);
                tracing::error!(target: "sessionup", %error, cause, suppressed, "store failed");
            }),
            Event::Missed { .. } => {}
        }
    }

    fn write_rejection(&self, reason: Refusal, id: Option<SessionId>, now: Timestamp) {
        let mismatch = match reason {
            Refusal::Mismatch(mismatch) => Some(mismatch.as_str()),
            _ => None,
        };
        let (id, why) = (id.map(display), reason.as_str());
        let warn = |suppressed| {
            tracing::warn!(target: "sessionup", id, reason = why, mismatch, suppressed, "no session");
        };
        match reason {
            Refusal::Ambiguous | Refusal::WrongSecret => self.probes.pass(now, warn),
            Refusal::Mismatch(_) | Refusal::Reused => self.suspicions.pass(now, warn),
            _ => self.rejections.pass(now, |suppressed| {
                tracing::debug!(target: "sessionup", id, reason = why, suppressed, "no session");
            }),
        }
    }
}

/// Lets so many lines pass in a second, and counts the others.
#[derive(Debug, Default)]
struct Throttle(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    number: i64,
    passed: u32,
    suppressed: u64,
}

impl Throttle {
    const LINES: u32 = 20;

    /// `write` is told how many lines were suppressed before this one, if any.
    fn pass(&self, now: Timestamp, write: impl FnOnce(Option<u64>)) {
        if let Some(suppressed) = self.admit(now) {
            write((suppressed > 0).then_some(suppressed));
        }
    }

    /// Returns how many were suppressed since the last line, if this one may pass.
    fn admit(&self, now: Timestamp) -> Option<u64> {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.as_millis().div_euclid(1_000);
        // Others may have taken the time a moment earlier; a clock that steps back goes further.
        if number > second.number || number < second.number - 1 {
            second.number = number;
            second.passed = 0;
        }
        if second.passed == Self::LINES {
            second.suppressed += 1;
            return None;
        }
        second.passed += 1;
        Some(std::mem::take(&mut second.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_second_are_bounded_and_the_rest_is_counted() {
        let throttle = Throttle::default();
        let at = |millis| throttle.admit(Timestamp::from_millis(millis));
        let passed = (0..1_000_000).filter(|_| at(1_500).is_some()).count();
        assert_eq!(passed, 20);
        assert_eq!(at(1_999), None);
        assert_eq!(at(2_000), Some(1_000_001 - 20));
        assert_eq!(at(2_000), Some(0));
        assert_eq!(at(1_999), Some(0), "the clock may go back");
    }
}
