//! redb as somebody would use it who needs the same tables and nothing else of ours.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use subject::{Entry, Error, Subject};

use crate::plain::{decode, encode, is_live, millis, now};

type Id = [u8; 16];
const SESSIONS: TableDefinition<'_, Id, &[u8]> = TableDefinition::new("sessions");
const BY_USER: TableDefinition<'_, (&[u8], Id), ()> = TableDefinition::new("by_user");
const BY_EXPIRY: TableDefinition<'_, (i64, Id), ()> = TableDefinition::new("by_expiry");

/// One commit each write, with redb's quick repair as ours have it. Reads on the caller's thread.
pub(crate) struct Bare(Database);

/// The same, with reads off the runtime's threads, as a server has to that must not wait for disks.
pub(crate) struct BareAside(Arc<Bare>);

impl Bare {
    fn begin_write(&self) -> Result<WriteTransaction, Error> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_quick_repair(true);
        Ok(transaction)
    }

    fn insert(transaction: &WriteTransaction, entry: &Entry) -> Result<(), Error> {
        let id = Entry::ordered_id(entry.number);
        let mut sessions = transaction.open_table(SESSIONS)?;
        if sessions.insert(id, encode(entry).as_slice())?.is_some() {
            return Err("the id is taken".into());
        }
        let mut by_user = transaction.open_table(BY_USER)?;
        by_user.insert((entry.user.as_bytes(), id), ())?;
        let mut by_expiry = transaction.open_table(BY_EXPIRY)?;
        by_expiry.insert((millis(entry.expires_at), id), ())?;
        Ok(())
    }

    /// Removes sessions, and says how many there were.
    fn remove(transaction: &WriteTransaction, ids: &[Id]) -> Result<usize, Error> {
        let mut sessions = transaction.open_table(SESSIONS)?;
        let mut by_user = transaction.open_table(BY_USER)?;
        let mut by_expiry = transaction.open_table(BY_EXPIRY)?;
        let mut removed = 0;
        for id in ids {
            let Some(bytes) = sessions.remove(id)? else {
                continue;
            };
            let record = decode(bytes.value()).ok_or("the record is damaged")?;
            by_user.remove((record.user.as_bytes(), *id))?;
            by_expiry.remove((record.expires_at, *id))?;
            removed += 1;
        }
        Ok(removed)
    }

    fn find(&self, number: u64) -> Result<bool, Error> {
        let sessions = self.0.begin_read()?.open_table(SESSIONS)?;
        let Some(bytes) = sessions.get(Entry::ordered_id(number))? else {
            return Ok(false);
        };
        let record = decode(bytes.value()).ok_or("the record is damaged")?;
        Ok(is_live(std::hint::black_box(&record)))
    }

    fn of_user(&self, user: &str) -> Result<usize, Error> {
        let transaction = self.0.begin_read()?;
        let by_user = transaction.open_table(BY_USER)?;
        let sessions = transaction.open_table(SESSIONS)?;
        let mut live = Vec::new();
        let user = user.as_bytes();
        for entry in by_user.range((user, [0; 16])..=(user, [0xff; 16]))? {
            let id = entry?.0.value().1;
            let bytes = sessions
                .get(id)?
                .ok_or("a session is listed and not there")?;
            let record = decode(bytes.value()).ok_or("the record is damaged")?;
            if is_live(&record) {
                live.push(record);
            }
        }
        Ok(std::hint::black_box(live).len())
    }
}

impl Subject for Bare {
    async fn open(directory: &Path) -> Result<Self, Error> {
        let mut builder = Database::builder();
        builder.set_cache_size(512 * 1024 * 1024);
        let database = Self(builder.create(directory.join("bare.redb"))?);
        let transaction = database.begin_write()?;
        transaction.open_table(SESSIONS)?;
        transaction.open_table(BY_USER)?;
        transaction.open_table(BY_EXPIRY)?;
        transaction.commit()?;
        Ok(database)
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&self, entries: Vec<Entry>) -> Result<(), Error> {
        let transaction = self.begin_write()?;
        for entry in &entries {
            Self::insert(&transaction, entry)?;
        }
        Ok(transaction.commit()?)
    }

    async fn create(&self, entry: Entry) -> Result<(), Error> {
        let transaction = self.begin_write()?;
        Self::insert(&transaction, &entry)?;
        Ok(transaction.commit()?)
    }

    async fn fetch(&self, number: u64) -> Result<bool, Error> {
        self.find(number)
    }

    async fn list(&self, user: &str) -> Result<Option<usize>, Error> {
        self.of_user(user).map(Some)
    }

    async fn delete(&self, number: u64) -> Result<(), Error> {
        let transaction = self.begin_write()?;
        if Self::remove(&transaction, &[Entry::ordered_id(number)])? != 1 {
            return Err(format!("session {number} is not there").into());
        }
        Ok(transaction.commit()?)
    }

    async fn delete_user(&self, user: &str) -> Result<bool, Error> {
        let transaction = self.begin_write()?;
        let mut ids = Vec::new();
        let name = user.as_bytes();
        for entry in transaction
            .open_table(BY_USER)?
            .range((name, [0; 16])..=(name, [0xff; 16]))?
        {
            ids.push(entry?.0.value().1);
        }
        Self::remove(&transaction, &ids)?;
        transaction.commit()?;
        Ok(true)
    }

    async fn prune(&self) -> Result<bool, Error> {
        loop {
            let transaction = self.begin_write()?;
            let mut ids = Vec::new();
            for entry in transaction
                .open_table(BY_EXPIRY)?
                .range(..=(now(), [0xff; 16]))?
            {
                ids.push(entry?.0.value().1);
                if ids.len() == 1_000 {
                    break;
                }
            }
            Self::remove(&transaction, &ids)?;
            transaction.commit()?;
            if ids.len() < 1_000 {
                return Ok(true);
            }
            tokio::task::yield_now().await;
        }
    }

    async fn serve(&self, _: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
        Ok(None)
    }
}

impl Subject for BareAside {
    async fn open(directory: &Path) -> Result<Self, Error> {
        Ok(Self(Arc::new(Bare::open(directory).await?)))
    }

    async fn close(self) -> Result<(), Error> {
        Ok(())
    }

    async fn fill(&self, entries: Vec<Entry>) -> Result<(), Error> {
        self.0.fill(entries).await
    }

    async fn create(&self, entry: Entry) -> Result<(), Error> {
        let bare = Arc::clone(&self.0);
        let create = move || {
            let transaction = bare.begin_write()?;
            Bare::insert(&transaction, &entry)?;
            Ok(transaction.commit()?)
        };
        tokio::task::spawn_blocking(create).await?
    }

    async fn fetch(&self, number: u64) -> Result<bool, Error> {
        let bare = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || bare.find(number)).await?
    }

    async fn list(&self, user: &str) -> Result<Option<usize>, Error> {
        let (bare, user) = (Arc::clone(&self.0), user.to_owned());
        tokio::task::spawn_blocking(move || bare.of_user(&user).map(Some)).await?
    }

    async fn delete(&self, number: u64) -> Result<(), Error> {
        self.0.delete(number).await
    }

    async fn delete_user(&self, user: &str) -> Result<bool, Error> {
        self.0.delete_user(user).await
    }

    async fn prune(&self) -> Result<bool, Error> {
        self.0.prune().await
    }

    async fn serve(&self, numbers: &[u64]) -> Result<Option<(u16, Vec<String>)>, Error> {
        self.0.serve(numbers).await
    }
}
