//! Events in the log. What clients can cause at will is written at most so often.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::field::{DebugValue, debug, display};

use crate::events::throttle::{Suppressed, Throttle, ThrottleByKey};
use crate::events::{Event, Repeatable};
use crate::{Kind, Refusal, StoreError, Timestamp, UserKey};

/// Writes events to the log by `tracing`, under the target `sessionup`.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// What anybody can cause, with an old cookie or none that ever was one.
    rejections: Throttle,
    /// What may be an attack, and what anybody can send: two cookies of ours, or an id with a secret
    /// that was made up.
    probes: Throttle,
    /// Signs of a stolen token, and reads of damaged records, by session: whoever has an account can
    /// cause them for the session of their own, and must not hide those of others.
    repeated: ThrottleByKey<Repeatable>,
    /// What a flood of requests can cause by itself.
    overloads: Throttle,
    failures: Throttle,
    /// What a clock that goes to and fro can cause.
    jumps: Throttle,
    missing_address: AtomicBool,
}

impl Log {
    /// Writes an event. Sessions are named by their ids; users and addresses are written only if
    /// `names_users`.
    pub(crate) fn write(&self, event: &Event, now: Timestamp, names_users: bool) {
        let address = |ip: &Option<IpAddr>| ip.filter(|_| names_users).map(display);
        match event {
            Event::ClockJumped { from, to } => self.jumps.pass(now, |suppressed| {
                tracing::warn!(target: "sessionup", %from, %to, suppressed, "clock jumped");
            }),
            Event::Created {
                id,
                user_key,
                kind,
                ip,
            } => {
                let kind = (*kind != Kind::USER).then_some(kind.as_str());
                let (user, ip) = (quoted(user_key, names_users), address(ip));
                tracing::info!(target: "sessionup", %id, kind, user, ip, "session created");
            }
            Event::Evicted { id, user_key } => {
                let user = quoted(user_key, names_users);
                tracing::info!(target: "sessionup", %id, user, "session evicted");
            }
            Event::Renewed { id, user_key } => {
                let user = quoted(user_key, names_users);
                tracing::info!(target: "sessionup", %id, user, "session renewed");
            }
            Event::Revoked {
                id,
                user_key,
                by,
                actor,
            } => {
                let (by, actor) = (by.as_str(), actor.map(display));
                let user = user_key.as_ref().and_then(|user| quoted(user, names_users));
                tracing::info!(target: "sessionup", %id, by, actor, user, "session revoked");
            }
            Event::RevokedEverybody {
                sessions,
                by,
                actor,
            } => {
                let (by, actor) = (by.as_str(), actor.map(display));
                tracing::warn!(
                    target: "sessionup",
                    sessions,
                    by,
                    actor,
                    "sessions of all users revoked"
                );
            }
            Event::RevokedUser {
                user_key,
                sessions,
                by,
                actor,
            } => {
                let (by, actor) = (by.as_str(), actor.map(display));
                let user = quoted(user_key, names_users);
                tracing::info!(target: "sessionup", sessions, by, actor, user, "sessions revoked");
            }
            Event::Mismatched {
                mismatch,
                id,
                user_key,
                ip,
            } => {
                self.write_repeatable(event, now, |Suppressed { same, others }| {
                    tracing::warn!(
                        target: "sessionup",
                        %id,
                        mismatch = mismatch.as_str(),
                        user = quoted(user_key, names_users),
                        ip = address(ip),
                        suppressed = same,
                        suppressed_others = others,
                        "client changed"
                    );
                });
            }
            Event::Rejected {
                reason,
                id,
                user_key,
                ip,
            } => {
                let user = user_key.as_ref().and_then(|user| quoted(user, names_users));
                let ip = address(ip);
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
                        user,
                        ip,
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
                    Refusal::Mismatch(_) | Refusal::Reused => {
                        self.write_repeatable(event, now, warn);
                    }
                    _ => self.rejections.pass(now, |suppressed| {
                        tracing::debug!(
                            target: "sessionup",
                            id,
                            reason = why,
                            user,
                            ip,
                            suppressed,
                            "no session"
                        );
                    }),
                }
            }
            Event::StoreFailed { error } => {
                let cause = std::error::Error::source(error).map(display);
                let write = |Suppressed { same, others }| {
                    tracing::error!(
                        target: "sessionup",
                        %error,
                        cause,
                        suppressed = same,
                        suppressed_others = others,
                        "store failed"
                    );
                };
                let throttle = match error {
                    StoreError::CorruptRecord { .. } => {
                        return self.write_repeatable(event, now, write);
                    }
                    StoreError::Overloaded => &self.overloads,
                    _ => &self.failures,
                };
                throttle.pass(now, |same| {
                    let others = None;
                    write(Suppressed { same, others });
                });
            }
            Event::Missed { .. } => {}
        }
    }

    fn write_repeatable(&self, event: &Event, now: Timestamp, write: impl FnOnce(Suppressed)) {
        if let Some(repeatable) = event.repeatable() {
            self.repeated.pass(repeatable, now, write);
        }
    }

    /// Says once that a login has no address although addresses are kept.
    pub(crate) fn warn_of_missing_address(&self, behind_proxies: bool) {
        if self.missing_address.swap(true, Ordering::Relaxed) {
            return;
        }
        let hint = if behind_proxies {
            "the trusted proxies sent no header with one: check `trusted_proxies` and what the \
             proxies write"
        } else {
            "the server does not tell the peer's address: serve axum by \
             `into_make_service_with_connect_info::<SocketAddr>()`, insert `PeerAddr` into requests \
             of other servers, or call `with_ip(false)`"
        };
        tracing::warn!(target: "sessionup", hint, "login has no client address");
    }
}

/// Puts a user's key in quotes. What does not print is escaped, so that it can neither begin a line
/// nor colour one.
fn quoted(user_key: &UserKey, names_users: bool) -> Option<DebugValue<&str>> {
    names_users.then(|| debug(user_key.as_str()))
}
