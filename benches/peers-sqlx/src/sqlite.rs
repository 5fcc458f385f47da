//! tower-sessions' store of sqlx, for SQLite.

use std::path::Path;
use std::time::Duration;

use peers::{Backend, Ported};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{QueryBuilder, Sqlite};
use subject::Error;
use tower_sessions::ExpiredDeletion;
use tower_sessions::session::Record;
use tower_sessions_sqlx_store::SqliteStore;

/// SQLite by a pool of connections, each of which a thread of its own serves.
///
/// `journal_mode=WAL`, `synchronous=FULL`: what is acknowledged is durable. `busy_timeout` of a
/// minute, and not of five seconds, so that no caller fails where many write. All else is as it is by
/// default, of the pool too: ten connections, for one of which a caller waits half a minute at most.
#[derive(Debug)]
pub(crate) struct Sqlx {
    pool: SqlitePool,
    store: Ported<SqliteStore>,
}

const BUSY: Duration = Duration::from_secs(60);
/// Rows that are inserted by one statement. SQLite takes 32,766 values, three a row.
const ROWS: usize = 5_000;

impl Backend for Sqlx {
    type Store = Ported<SqliteStore>;

    async fn open(directory: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(directory.join("sqlx.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY);
        let pool = SqlitePool::connect_with(options).await?;
        let journal: String = pragma(&pool, "journal_mode").await?;
        let synchronous: i64 = pragma(&pool, "synchronous").await?;
        if (&*journal, synchronous) != ("wal", 2) {
            return Err("SQLite writes otherwise than it was told to".into());
        }
        let store = SqliteStore::new(pool.clone());
        store.migrate().await?;
        let store = Ported::new(store);
        Ok(Self { pool, store })
    }

    async fn close(self) -> Result<(), Error> {
        self.pool.close().await;
        Ok(())
    }

    fn store(&self) -> &Self::Store {
        &self.store
    }

    /// In one transaction, with what the store writes.
    async fn fill(&self, records: Vec<Record>) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for records in records.chunks(ROWS) {
            let rows: Result<Vec<_>, Error> = records.iter().map(row).collect();
            let into = "insert into tower_sessions (id, data, expiry_date) ";
            let mut insert = QueryBuilder::<Sqlite>::new(into);
            insert.push_values(rows?, |mut values, (id, data, expiry)| {
                values.push_bind(id).push_bind(data).push_bind(expiry);
            });
            insert.build().execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn prune(&self) -> Result<bool, Error> {
        self.store.delete_expired().await?;
        Ok(true)
    }
}

/// How a connection is set.
async fn pragma<T>(pool: &SqlitePool, name: &str) -> Result<T, Error>
where
    (T,): for<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
{
    let found: (T,) = sqlx::query_as(&format!("pragma {name}"))
        .fetch_one(pool)
        .await?;
    Ok(found.0)
}

fn row(record: &Record) -> Result<(String, Vec<u8>, time::OffsetDateTime), Error> {
    let data = rmp_serde::to_vec(record)?;
    Ok((record.id.to_string(), data, record.expiry_date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Can, drive, fills_as_it_writes};

    // As many threads as a server would have, since a pool's connections are met by several.
    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_sessions_in_its_file() {
        let can = Can {
            keep: true,
            prune: true,
        };
        drive::<Sqlx>(can).await.unwrap();
    }

    #[tokio::test]
    async fn fills_with_rows_as_the_store_writes_them() {
        type Columns = (String, Vec<u8>, String, String);
        let directory = tempfile::tempdir().unwrap();
        let backend = Sqlx::open(directory.path()).await.unwrap();
        let written = async || -> Columns {
            let select = "select id, data, expiry_date,
                typeof(id) || typeof(data) || typeof(expiry_date) from tower_sessions";
            let read = sqlx::query_as(select).fetch_one(&backend.pool);
            read.await.unwrap()
        };

        fills_as_it_writes(&backend, written).await.unwrap();
    }
}
