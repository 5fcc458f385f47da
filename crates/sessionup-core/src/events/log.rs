//! Events in the log. What clients can cause at will is written at most so often.

use tracing::field::display;

use crate::events::throttle::{Suppressed, Throttle, ThrottleByKey};
use crate::events::{Event, RevokedBy, Suspicion};
use crate::{Refusal, SessionId, Timestamp};

/// Writes events to the log by `tracing`, under the target `sessionup`.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What anybody can cause, with an old cookie or none that ever was one.
    rejections: Throttle,
    /// What may be an attack, and what anybody can send: two cookies of ours, or an id with a secret
    /// that was made up.
    probes: Throttle,
    /// Signs of a stolen token, by session: whoever has an account can cause them for the session of
    /// their own, and must not hide those of others.
    suspicions: ThrottleByKey<Suspicion>,
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
            Event::Mismatched { mismatch, id, .. } => {
                self.write_suspicion(event, now, |Suppressed { same, others }| {
                    tracing::warn!(
                        target: "sessionup",
                        %id,
                        mismatch = mismatch.as_str(),
                        suppressed = same,
                        suppressed_others = others,
                        "client changed"
                    );
                });
            }
            Event::Rejected { reason, id, .. } => self.write_rejection(event, *reason, *id, now),
            Event::StoreFailed { error } => self.failures.pass(now, |suppressed| {
                let cause = std::error::Error::source(error).map(display);
                tracing::error!(target: "sessionup", %error, cause, suppressed, "store failed");
            }),
            Event::Missed { .. } => {}
        }
    }

    fn write_suspicion(&self, event: &Event, now: Timestamp, write: impl FnOnce(Suppressed)) {
        if let Some(suspicion) = event.suspicion() {
            self.suspicions.pass(suspicion, now, write);
        }
    }

    fn write_rejection(
        &self,
        event: &Event,
        reason: Refusal,
        id: Option<SessionId>,
        now: Timestamp,
    ) {
        let mismatch = match reason {
            Refusal::Mismatch(mismatch) => Some(mismatch.as_str()),
            _ => None,
        };
        let (id, why) = (id.map(display), reason.as_str());
        let warn = |Suppressed { same, others }| {
            tracing::warn!(
                target: "sessionup",
                id,
                reason = why,
                mismatch,
                suppressed = same,
                suppressed_others = others,
                "no session"
            );
        };
        match reason {
            Refusal::Ambiguous | Refusal::WrongSecret => self.probes.pass(now, |same| {
                let others = None;
                warn(Suppressed { same, others });
            }),
            Refusal::Mismatch(_) | Refusal::Reused => self.write_suspicion(event, now, warn),
            _ => self.rejections.pass(now, |suppressed| {
                tracing::debug!(target: "sessionup", id, reason = why, suppressed, "no session");
            }),
        }
    }
}
