//! An audit log from `events()`: who did what to whose session, a line of JSON each.
//!
//! The log by `tracing` names sessions by their ids, for users and addresses are personal data.
//! Events have both. Keep what you write of them as long as you must, and no longer.
//!
//! ```sh
//! cargo run -p sessionup-core --example audit
//! ```

#![allow(
    clippy::print_stdout,
    reason = "a program for the developer's terminal"
)]

use std::error::Error;

use serde_json::{Value, json};
use sessionup_core::{Event, Events, Manager, MemoryStore, Peer};

/// Turns an event into a line of the audit log, if it belongs there.
fn line_of(event: Event) -> Option<Value> {
    let id = |id: Option<sessionup_core::SessionId>| id.map(|id| id.to_string());
    Some(match event {
        Event::Created {
            id,
            user_key,
            kind,
            ip,
            ..
        } => json!({
            "event": "login", "session": id, "user": user_key.as_str(), "kind": kind, "ip": ip,
        }),
        Event::Evicted { id, user_key, .. } => json!({
            "event": "evicted", "session": id, "user": user_key.as_str(),
        }),
        Event::Revoked {
            id: session,
            user_key,
            by,
            actor,
            ..
        } => json!({
            "event": "revoked", "session": session, "user": user_key.map(|user| user.to_string()),
            "by": by.as_str(), "actor": id(actor),
        }),
        Event::RevokedUser {
            user_key,
            sessions,
            by,
            actor,
            ..
        } => json!({
            "event": "revoked-user", "user": user_key.as_str(), "sessions": sessions,
            "by": by.as_str(), "actor": id(actor),
        }),
        Event::RevokedEverybody {
            sessions,
            by,
            actor,
            ..
        } => json!({
            "event": "revoked-everybody", "sessions": sessions, "by": by.as_str(),
            "actor": id(actor),
        }),
        Event::Rejected {
            reason,
            id: session,
            user_key,
            ip,
            ..
        } => json!({
            "event": "rejected", "reason": reason.as_str(), "session": id(session),
            "user": user_key.map(|user| user.to_string()), "ip": ip,
        }),
        Event::Mismatched {
            mismatch,
            id,
            user_key,
            ip,
            ..
        } => json!({
            "event": "client-changed", "what": mismatch.as_str(), "session": id,
            "user": user_key.as_str(), "ip": ip,
        }),
        // Say so, for an auditor must know that lines are missing.
        Event::Missed { events, .. } => json!({ "event": "missed", "events": events }),
        _ => return None,
    })
}

/// Writes lines until the store and its managers are gone. Give it a task of its own.
pub(crate) async fn write(events: Events, mut line: impl FnMut(Value)) {
    while let Some(event) = events.recv().await {
        if let Some(value) = line_of(event) {
            line(value);
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let manager = Manager::builder(MemoryStore::new()).build()?;
    // Before the first request: events from before the call are not received.
    let events = manager.events();
    let audit = tokio::spawn(write(events, |line| println!("{line}")));

    let peer = Peer::new("192.0.2.1".parse().ok(), None);
    let browser = manager.sessions([], peer);
    browser.init("ann").await?;
    let other = manager.sessions([], peer).init("ann").await?.id;
    browser.revoke_by_id(other).await?;
    let junk = manager.sessions([b"__Host-id=junk".as_slice()], peer);
    junk.current().await?;
    manager.revoke_by_user_key("ann").await?;

    drop((browser, junk, manager));
    audit.await?;
    Ok(())
}
