//! Records to begin with.

use std::time::Duration;

use corpus::{Vars, cases};
use sessionup_core::{
    Agent, Client, Meta, Record, SecretHash, Session, SessionId, Timestamp, UserKey,
};

/// Every record that the corpus can make: each user key and each meta that is accepted.
pub fn records() -> Vec<Record> {
    let mut records = Vec::new();
    let accepted = |file: &str| {
        let cases = cases(file, 1);
        cases
            .into_iter()
            .filter(|case| case.text("outcome") == "accepted")
    };
    for case in accepted("user_key.jsonl") {
        let key = String::from_utf8(case.bytes("key", &Vars::new())).unwrap();
        records.push(record(&key, Meta::new()));
    }
    for case in accepted("meta.jsonl") {
        let mut meta = Meta::new();
        meta.merge(&corpus::meta(&case).unwrap()).unwrap();
        records.push(record("ann", meta));
    }
    records
}

fn record(user: &str, meta: Meta) -> Record {
    let user = UserKey::new(user).unwrap();
    let [created, end] = [0, 1_000_000].map(Timestamp::from_millis);
    let mut session = Session::new(SessionId::from_bytes([0; 16]), user, created, end);
    session.idle_timeout = Some(Duration::from_secs(60));
    let mut agent = Agent::new("Linux", "Firefox");
    agent.version = Some(140);
    session.client = Client::new("2001:db8::1".parse().ok(), agent);
    session.meta = meta;
    Record::new(session, SecretHash::from_bytes([7; 32]))
}
