//! Our tables in SQLite.

use std::path::{Path, PathBuf};

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior, params,
};
use subject::Error;

use crate::engine::{Engine, Id, Reader, Tables};

/// SQLite by a connection that writes.
///
/// `journal_mode=WAL`, `synchronous=FULL`: what is acknowledged is durable. Pages in memory as in our
/// own store, and a longer log than usual, with which it creates up to half as many again. All else
/// is as it is by default.
pub(crate) struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

/// SQLite by a connection that reads.
pub(crate) struct SqliteReader(Connection);

const TABLES: &str = "
    create table if not exists sessions (
        id blob primary key,
        record blob not null
    ) without rowid;
    create table if not exists by_user (
        user text not null,
        id blob not null,
        primary key (user, id)
    ) without rowid;
    create table if not exists by_expiry (
        step integer not null,
        id blob not null,
        primary key (step, id)
    ) without rowid;
";

/// KiB of pages in memory of the connection that writes.
const WRITES_WITH: i64 = 256 * 1024;
/// KiB of pages in memory of each connection that reads.
const READS_WITH: i64 = 64 * 1024;
/// Pages of the log after which they are copied into the tables: 64 MiB.
const LOG: i64 = 16_000;

fn connect(path: &Path, kib: i64) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", -kib)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG)?;
    let journal: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    match (&*journal, synchronous) {
        ("wal", 2) => Ok(connection),
        found => Err(format!("SQLite writes otherwise than it was told to: {found:?}").into()),
    }
}

impl Engine for Sqlite {
    type Reader = SqliteReader;

    fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("sqlite.db");
        let connection = connect(&path, WRITES_WITH)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection, path })
    }

    fn reader(&self) -> Result<SqliteReader, Error> {
        Ok(SqliteReader(connect(&self.path, READS_WITH)?))
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Tables) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let begin = TransactionBehavior::Immediate;
        let mut tables = InTransaction(self.connection.transaction_with_behavior(begin)?);
        let done = work(&mut tables)?;
        tables.0.commit()?;
        Ok(done)
    }
}

struct InTransaction<'a>(Transaction<'a>);

impl InTransaction<'_> {
    fn statement(&self, text: &str) -> Result<CachedStatement<'_>, Error> {
        Ok(self.0.prepare_cached(text)?)
    }
}

impl Tables for InTransaction<'_> {
    fn insert(&mut self, id: &Id, record: &[u8]) -> Result<bool, Error> {
        let text = "insert into sessions (id, record) values (?1, ?2) on conflict do nothing";
        Ok(self.statement(text)?.execute(params![id, record])? == 1)
    }

    fn take(&mut self, id: &Id) -> Result<Option<Vec<u8>>, Error> {
        let text = "delete from sessions where id = ?1 returning record";
        let taken = self.statement(text)?.query_row([id], |row| row.get(0));
        Ok(taken.optional()?)
    }

    fn list(&mut self, user: &str, id: &Id) -> Result<(), Error> {
        let text = "insert into by_user (user, id) values (?1, ?2)";
        self.statement(text)?.execute(params![user, id])?;
        Ok(())
    }

    fn unlist(&mut self, user: &str, id: &Id) -> Result<(), Error> {
        let text = "delete from by_user where user = ?1 and id = ?2";
        self.statement(text)?.execute(params![user, id])?;
        Ok(())
    }

    fn file(&mut self, step: i64, id: &Id) -> Result<(), Error> {
        let text = "insert into by_expiry (step, id) values (?1, ?2)";
        self.statement(text)?.execute(params![step, id])?;
        Ok(())
    }

    fn unfile(&mut self, step: i64, id: &Id) -> Result<(), Error> {
        let text = "delete from by_expiry where step = ?1 and id = ?2";
        self.statement(text)?.execute(params![step, id])?;
        Ok(())
    }

    fn of_user(&mut self, user: &str) -> Result<Vec<Id>, Error> {
        let mut statement = self.statement("select id from by_user where user = ?1")?;
        let ids = statement.query_map([user], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn filed_before(&mut self, step: i64, at_most: usize) -> Result<Vec<Id>, Error> {
        let text = "select id from by_expiry where step < ?1 order by step, id limit ?2";
        let mut statement = self.statement(text)?;
        let at_most = i64::try_from(at_most)?;
        let ids = statement.query_map([step, at_most], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }
}

impl Reader for SqliteReader {
    fn fetch<T>(
        &mut self,
        id: &Id,
        decode: impl FnOnce(&[u8]) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let text = "select record from sessions where id = ?1";
        let mut statement = self.0.prepare_cached(text)?;
        let mut rows = statement.query([id])?;
        let row = rows.next()?;
        row.map(|row| decode(row.get_ref(0)?.as_blob()?))
            .transpose()
    }

    fn list<T>(
        &mut self,
        user: &str,
        mut decode: impl FnMut(&[u8]) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let text = "select record from by_user join sessions using (id) where user = ?1 \
            order by by_user.id";
        let mut statement = self.0.prepare_cached(text)?;
        let mut rows = statement.query([user])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(decode(row.get_ref(0)?.as_blob()?)?);
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::drive;

    #[tokio::test]
    async fn keeps_sessions_in_its_file() {
        drive::<Sqlite>().await.unwrap();
    }
}
