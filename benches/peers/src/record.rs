//! What tower-sessions keeps of a session.

use std::collections::HashMap;

use serde_json::json;
use subject::Entry;
use tower_sessions::session::{Id, Record};

/// Under which name the owner is kept, whose session is then logged in.
pub(crate) const USER: &str = "user";

/// The id of the session of this number: unlike those of ours, it is a secret, and so has no order.
pub(crate) fn id(number: u64) -> Id {
    Id(i128::from_le_bytes(Entry::random_id(number)))
}

pub(crate) fn of(entry: &Entry) -> Record {
    let (name, value) = entry.meta;
    let data = [
        (USER, json!(entry.user)),
        ("ip", json!(entry.ip)),
        ("os", json!(entry.os)),
        ("browser", json!(entry.browser)),
        ("meta", json!({ name: value })),
    ];
    let data = data.map(|(name, value)| (name.to_owned(), value));
    Record {
        id: id(entry.number),
        data: HashMap::from(data),
        expiry_date: entry.expires_at.into(),
    }
}
