//! Reads a file by docs/format.md alone, and holds its indexes against its records.

use std::collections::BTreeSet;

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
};

use crate::campaign::{Violation, ensure};

type Id = [u8; 16];
const SESSIONS: TableDefinition<'_, &Id, &[u8]> = TableDefinition::new("sessions/sessions");
const BY_USER: TableDefinition<'_, (&[u8], &Id), ()> = TableDefinition::new("sessions/by_user");
const BY_EXPIRY: TableDefinition<'_, (i64, &Id), ()> = TableDefinition::new("sessions/by_expiry");

/// Holds each record to exactly one entry in each index, the right one, and each entry to a record.
///
/// A file in which the tables were not made yet has nothing to hold.
///
/// # Errors
///
/// What cannot be read, and what does not agree.
pub fn check(database: &Database) -> Result<(), Violation> {
    let transaction = database.begin_read().map_err(Violation::new)?;
    let Some(expected) = expected(&transaction)? else {
        return Ok(());
    };
    let mut users = BTreeSet::new();
    for entry in open(&transaction, BY_USER)?
        .iter()
        .map_err(Violation::new)?
    {
        let (key, _) = entry.map_err(Violation::new)?;
        let (user, id) = key.value();
        users.insert((user.to_vec(), *id));
    }
    let mut steps = BTreeSet::new();
    for entry in open(&transaction, BY_EXPIRY)?
        .iter()
        .map_err(Violation::new)?
    {
        let (key, _) = entry.map_err(Violation::new)?;
        let (step, id) = key.value();
        steps.insert((step, *id));
    }
    ensure(users == expected.users, || {
        format!("by_user has {users:?}, records have {:?}", expected.users)
    })?;
    ensure(steps == expected.steps, || {
        format!("by_expiry has {steps:?}, records have {:?}", expected.steps)
    })
}

/// What must be in the indexes.
#[derive(Debug, Default)]
struct Expected {
    users: BTreeSet<(Vec<u8>, Id)>,
    steps: BTreeSet<(i64, Id)>,
}

fn expected(transaction: &ReadTransaction) -> Result<Option<Expected>, Violation> {
    let sessions = match transaction.open_table(SESSIONS) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        other => other.map_err(Violation::new)?,
    };
    let mut expected = Expected::default();
    for entry in sessions.iter().map_err(Violation::new)? {
        let (id, bytes) = entry.map_err(Violation::new)?;
        let id = *id.value();
        let record = read(bytes.value())
            .ok_or_else(|| Violation(format!("record {id:?} is {:?}", bytes.value())))?;
        ensure(record.step <= record.deadline >> 16, || {
            format!("record {id:?} is filed after its deadline: {record:?}")
        })?;
        expected.users.insert((record.user, id));
        expected.steps.insert((record.step, id));
    }
    Ok(Some(expected))
}

#[derive(Debug)]
struct Filed {
    user: Vec<u8>,
    step: i64,
    deadline: i64,
}

/// Reads what indexes are made of.
fn read(bytes: &[u8]) -> Option<Filed> {
    let (&version, rest) = bytes.split_first()?;
    let (head_bytes, rest) = rest.split_first_chunk()?;
    let head_bytes = usize::from(u16::from_le_bytes(*head_bytes));
    let (_check_value, rest) = rest.split_at_checked(8)?;
    let (head, tail) = rest.split_at_checked(head_bytes)?;
    let number = |offset: usize| -> Option<i64> {
        let bytes = head.get(offset..)?.first_chunk()?;
        Some(i64::from_le_bytes(*bytes))
    };
    let (expires_at, last_seen_at, idle) = (number(40)?, number(48)?, number(56)?);
    // Unsigned in the file; those beyond the largest signed number are for ever as well.
    let idles_at = match idle {
        0.. => last_seen_at.saturating_add(idle),
        _ => i64::MAX,
    };
    (version == 1).then_some(Filed {
        user: field(tail, 1)?.to_vec(),
        step: number(64)?,
        deadline: expires_at.min(idles_at),
    })
}

/// Finds a field of the tail.
fn field(mut tail: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (&tag, rest) = tail.split_first()?;
        let (length, rest) = leb128(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        if tag == wanted {
            return Some(content);
        }
        tail = rest;
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(place + 1..)?));
        }
    }
    None
}

fn open<K: redb::Key, V: redb::Value>(
    transaction: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<redb::ReadOnlyTable<K, V>, Violation> {
    transaction.open_table(table).map_err(Violation::new)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use sessionup_core::{Change, Store};
    use sessionup_redb::RedbStore;

    use super::*;
    use crate::perform::perform;
    use crate::process::scenario::Scenario;
    use crate::script::{BEGIN, id};

    fn file() -> Arc<Database> {
        let memory = redb::backends::InMemoryBackend::new();
        let database = Database::builder().create_with_backend(memory).unwrap();
        let database = Arc::new(database);
        check(&database).unwrap();
        let store = RedbStore::new(Arc::clone(&database), "sessions", Duration::ZERO).unwrap();
        futures_executor::block_on(async {
            let mut scenario = Scenario::of(4);
            for _ in 0..60 {
                perform(&store, &scenario.draw()).await.unwrap();
            }
            let change = Change::touch(BEGIN);
            store.update(id(0), change, BEGIN).await.unwrap();
            store.close().await;
        });
        database
    }

    #[test]
    fn what_the_store_writes_agrees() {
        check(&file()).unwrap();
    }

    #[test]
    fn missing_and_surplus_entries_are_told() {
        for table in 0..4 {
            let database = file();
            let transaction = database.begin_write().unwrap();
            match table {
                0 => drop(
                    transaction
                        .open_table(BY_USER)
                        .unwrap()
                        .pop_first()
                        .unwrap()
                        .unwrap(),
                ),
                1 => drop(
                    transaction
                        .open_table(BY_EXPIRY)
                        .unwrap()
                        .pop_last()
                        .unwrap()
                        .unwrap(),
                ),
                2 => drop(
                    transaction
                        .open_table(SESSIONS)
                        .unwrap()
                        .pop_first()
                        .unwrap()
                        .unwrap(),
                ),
                _ => {
                    let mut by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
                    by_expiry.insert((i64::MAX, &[7; 16]), ()).unwrap();
                }
            }
            transaction.commit().unwrap();
            assert!(check(&database).is_err(), "{table}");
        }
    }
}
