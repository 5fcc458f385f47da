//! What a database that was opened says.

use std::collections::BTreeSet;

use redb::{ReadTransaction, ReadableTable, StorageError};
use sessionup_core::{SessionId, UserKey};

use super::{DAMAGED, GENERATION_NAME, Generation, State, decode};
use crate::record::Stored;
use crate::schema::Schema;
use crate::unlisted::Entry;

/// Returns the generation of new records.
pub(super) fn generation(
    transaction: &ReadTransaction,
    schema: &Schema,
    state: &State,
) -> Result<Generation, redb::Error> {
    let about = transaction.open_table(schema.about())?;
    let value = ReadableTable::get(&about, GENERATION_NAME)?.map(|value| value.value());
    let mut generation = match value {
        None => 0,
        Some(value) => match decode(GENERATION_NAME.as_bytes(), value) {
            Some(generation) => generation,
            None => latest(transaction, schema)?,
        },
    };
    for row in state.users.values().chain([&state.everybody]) {
        if *row != DAMAGED {
            generation = generation.max(*row);
        }
    }
    Ok(generation)
}

/// Returns the latest generation of all records.
fn latest(transaction: &ReadTransaction, schema: &Schema) -> Result<Generation, redb::Error> {
    let mut latest = 0;
    for entry in ReadableTable::iter(&transaction.open_table(schema.sessions())?)? {
        let (id, bytes) = entry?;
        if let Ok(stored) = Stored::decode(SessionId::from_bytes(*id.value()), bytes.value()) {
            latest = stored.generation.max(latest);
        }
    }
    Ok(latest)
}

/// Finds the sessions of users with a row that have not ended.
pub(super) fn left(
    transaction: &ReadTransaction,
    schema: &Schema,
    state: &State,
    unlisted: impl Fn(&UserKey) -> Vec<SessionId>,
) -> Result<BTreeSet<Entry>, redb::Error> {
    let mut left = BTreeSet::new();
    if !state.has_rows() {
        return Ok(left);
    }
    let sessions = transaction.open_table(schema.sessions())?;
    let mut look_at = |id: SessionId, bytes: &[u8]| {
        // One that cannot be read is deleted with those that have ended.
        if let Ok(stored) = Stored::decode(id, bytes) {
            let user = stored.record.session.user_key;
            if (1..=stored.generation).contains(&state.bound(&user)) {
                left.insert((user, id));
            }
        }
    };
    if state.everybody > 0 {
        for entry in ReadableTable::iter(&sessions)? {
            let (id, bytes) = entry?;
            look_at(SessionId::from_bytes(*id.value()), bytes.value());
        }
        return Ok(left);
    }
    let by_user = transaction.open_table(schema.by_user())?;
    for user in state.users.keys() {
        let key = user.as_str().as_bytes();
        let range = (key, &[0; 16])..=(key, &[0xff; 16]);
        let listed = ReadableTable::range::<(&[u8], &[u8; 16])>(&by_user, range)?;
        let listed = listed.map(|entry| Ok(SessionId::from_bytes(*entry?.0.value().1)));
        let unlisted = unlisted(user).into_iter().map(Ok::<_, StorageError>);
        for id in listed.chain(unlisted) {
            let id = id?;
            if let Some(bytes) = ReadableTable::get(&sessions, id.as_bytes())? {
                look_at(id, bytes.value());
            }
        }
    }
    Ok(left)
}
