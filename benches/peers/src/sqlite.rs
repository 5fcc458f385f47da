//! tower-sessions' store of rusqlite.

use std::path::Path;

use peers::Backend;
use subject::Error;
use tokio_rusqlite::{Connection, params};
use tower_sessions::ExpiredDeletion;
use tower_sessions::session::Record;
use tower_sessions_rusqlite_store::RusqliteStore;

/// SQLite by one connection, as the store has it, which a thread of its own serves.
///
/// `journal_mode=WAL`, `synchronous=FULL`: what is acknowledged is durable. All else is as it is by
/// default.
#[derive(Debug)]
pub(crate) struct Rusqlite {
    connection: Connection,
    store: RusqliteStore,
}

/// Sets how it writes, and sees that it is set.
fn configure(connection: &tokio_rusqlite::rusqlite::Connection) -> Result<(), Error> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    match (&*journal, synchronous) {
        ("wal", 2) => Ok(()),
        found => Err(format!("SQLite writes otherwise than it was told to: {found:?}").into()),
    }
}

impl Backend for Rusqlite {
    type Store = RusqliteStore;

    async fn open(directory: &Path) -> Result<Self, Error> {
        let connection = Connection::open(directory.join("rusqlite.db")).await?;
        connection
            .call(|connection| configure(connection))
            .await
            .map_err(|error| error.to_string())?;
        let store = RusqliteStore::new(connection.clone());
        store.migrate().await?;
        Ok(Self { connection, store })
    }

    async fn close(self) -> Result<(), Error> {
        Ok(self.connection.close().await?)
    }

    fn store(&self) -> &RusqliteStore {
        &self.store
    }

    /// In one transaction, with what the store writes.
    async fn fill(&self, records: Vec<Record>) -> Result<(), Error> {
        let rows: Result<Vec<_>, Error> = records.iter().map(row).collect();
        let rows = rows?;
        let insert = move |connection: &mut tokio_rusqlite::rusqlite::Connection| {
            let transaction = connection.transaction()?;
            let mut statement = transaction.prepare(
                "insert into tower_sessions (id, data, expiry_date) values (?1, ?2, ?3)",
            )?;
            for (id, data, expiry) in rows {
                statement.execute(params![id, data, expiry])?;
            }
            drop(statement);
            transaction.commit()
        };
        Ok(self.connection.call(insert).await?)
    }

    async fn prune(&self) -> Result<bool, Error> {
        self.store.delete_expired().await?;
        Ok(true)
    }
}

fn row(record: &Record) -> Result<(String, Vec<u8>, i64), Error> {
    let data = rmp_serde::to_vec(record)?;
    let expiry = record.expiry_date.unix_timestamp();
    Ok((record.id.to_string(), data, expiry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Can, drive, fills_as_it_writes};

    #[tokio::test]
    async fn keeps_sessions_in_its_file() {
        let can = Can {
            keep: true,
            prune: true,
        };
        drive::<Rusqlite>(can).await.unwrap();
    }

    #[tokio::test]
    async fn fills_with_rows_as_the_store_writes_them() {
        type Columns = (String, Vec<u8>, i64, String);
        let directory = tempfile::tempdir().unwrap();
        let backend = Rusqlite::open(directory.path()).await.unwrap();
        let written = async || -> Columns {
            let select = "select id, data, expiry_date,
                typeof(id) || typeof(data) || typeof(expiry_date) from tower_sessions";
            let read = backend.connection.call(move |connection| {
                connection.query_row(select, [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
            });
            read.await.unwrap()
        };

        fills_as_it_writes(&backend, written).await.unwrap();
    }
}
