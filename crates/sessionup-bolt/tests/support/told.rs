//! Sessions as the Go program beside the tests tells them.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sessionup_bolt::GoSession;

/// Tells a session as `told` in `main.go` does.
pub fn told(session: &GoSession) -> Value {
    json!({
        "id_hex": HEXLOWER.encode(session.token.expose()),
        "created_millis": session.created_at.as_millis(),
        "expires_millis": session.expires_at.as_millis(),
        "user_key": session.user_key,
        "ip": session.ip.map(|ip| ip.to_canonical().to_string()).unwrap_or_default(),
        "os": session.os,
        "browser": session.browser,
        "meta": session.meta,
    })
}

/// Reads lines of JSON.
pub fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}
