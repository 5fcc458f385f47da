//! A store as an object.

use std::hash::{DefaultHasher, Hash, Hasher};

use sessionup_core::Record;

use crate::linear::Object;
use crate::model::{Answer, Model, Op};

impl Object for Model {
    type Op = Op;
    type Answer = Answer;

    fn after(&self, op: &Op, answer: Option<&Answer>) -> Vec<Self> {
        let mut next = self.clone();
        let right = next.apply(op);
        match answer {
            Some(answer) if *answer != right => Vec::new(),
            Some(_) | None => vec![next],
        }
    }

    fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for record in self.records() {
            hash(record, &mut hasher);
        }
        hasher.finish()
    }

    fn is_read(op: &Op) -> bool {
        matches!(op, Op::Fetch { .. } | Op::List { .. })
    }
}

/// All of a record that the operations change, and what tells two of one id apart.
fn hash(record: &Record, hasher: &mut DefaultHasher) {
    let session = &record.session;
    session.id.as_bytes().hash(hasher);
    session.user_key.as_str().hash(hasher);
    record.secret_hash.as_bytes().hash(hasher);
    let times = [
        session.created_at,
        session.authenticated_at,
        session.expires_at,
        session.last_seen_at,
    ];
    times.map(|time| time.as_millis()).hash(hasher);
    session.idle_timeout.hash(hasher);
    for (name, value) in session.meta.iter() {
        (name, value.to_string()).hash(hasher);
    }
    session.meta.len().hash(hasher);
}
