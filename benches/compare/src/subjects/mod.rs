//! What is ours, and the plainest things that could stand in its place.

mod bare;
mod hash_map;
mod ours;

use std::process::ExitCode;

use sessionup_core::{Record, SecretHash, Session, SessionId, Timestamp, UserKey};
use subject::{Entry, Error};

pub(crate) use bare::{Bare, BareAside};
pub(crate) use hash_map::HashMapStore;
pub(crate) use ours::{Cold, Memory, Redb};

/// Runs the subject of this name, if there is one.
pub(crate) fn run(
    name: &str,
    arguments: impl Iterator<Item = String>,
) -> Option<Result<ExitCode, Error>> {
    Some(match name {
        "redb" => subject::main::<Redb>(arguments),
        "redb-cold" => subject::main::<Cold>(arguments),
        "memory" => subject::main::<Memory>(arguments),
        "hash-map" => subject::main::<HashMapStore>(arguments),
        "bare-redb" => subject::main::<Bare>(arguments),
        "bare-redb-aside" => subject::main::<BareAside>(arguments),
        "bare-axum" => subject::main::<crate::serving::BareAxum>(arguments),
        _ => return None,
    })
}

fn id(number: u64) -> SessionId {
    SessionId::from_bytes(Entry::ordered_id(number))
}

/// What is kept of an entry. Its secret is that of its number.
fn record(entry: &Entry) -> Result<Record, Error> {
    let mut session = Session::new(
        id(entry.number),
        UserKey::new(&*entry.user)?,
        Timestamp::from(entry.created_at),
        Timestamp::from(entry.expires_at),
    );
    session.client.ip = Some(entry.ip.into());
    session.client.agent.os = entry.os.to_owned();
    session.client.agent.browser = entry.browser.to_owned();
    session.meta.insert(entry.meta.0, entry.meta.1)?;
    Ok(Record::new(session, secret_hash(entry.number)))
}

fn secret_hash(number: u64) -> SecretHash {
    crate::serving::token(number).credential().secret_hash
}
