//! A copy of a bucket as it is at one moment, while the store goes on.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use redb::backends::FileBackend;
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    Value, WriteTransaction,
};
use sessionup_core::StoreError;

use crate::control::protocol::{Refusal, chain};
use crate::directory::sync_directory;
use crate::error::Halt;
use crate::file::beside;
use crate::identity::Identity;
use crate::reader;
use crate::shared::Shared;

/// A copy that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) identity: Option<Identity>,
}

impl Made {
    /// Removes it, unless another file has taken its place. Says whether it is gone.
    pub(crate) fn discard(&self) -> bool {
        let found = fs::symlink_metadata(&self.path);
        let is_there = found.is_ok_and(|found| Identity::of(&found) == self.identity);
        let is_gone = is_there && fs::remove_file(&self.path).is_ok();
        if is_gone {
            tracing::info!(target: "sessionup_redb", path = %self.path.display(), "backup was removed: who asked for it did not take it");
        }
        is_gone
    }
}

/// Writes it to a file that is not there yet. If that fails, nothing is left of it.
pub(crate) fn write(
    shared: &Shared,
    path: &Path,
    sync: fn(&File) -> io::Result<()>,
) -> Result<Made, Refusal> {
    if !path.is_absolute() {
        return Err(failed("path is not absolute"));
    }
    // They may be there and are refused; in a copy they would not be.
    if !shared.doubts.is_empty() {
        return Err(StoreError::unavailable("sessions are in doubt").into());
    }
    let snapshot = shared
        .place
        .read(|database| database.begin_read().map_err(Halt::from));
    let snapshot = reader::answer(shared, snapshot)?;
    let beside = beside(path).map_err(|error| refused(path, &error))?;
    let file = beside.reopen().map_err(|error| refused(path, &error))?;
    copy_bucket(shared, &snapshot, file).map_err(|error| refused_by_redb(path, error))?;
    let found = beside.as_file().metadata();
    let found = found.map_err(|error| refused(path, &error))?;
    let made = Made {
        path: path.to_owned(),
        bytes: found.len(),
        identity: Identity::of(&found),
    };
    place(beside.path(), path).map_err(|error| refused(path, &error))?;
    drop(beside);
    sync_directory(path, sync).map_err(|error| {
        made.discard();
        refused(path, &error)
    })?;
    Ok(made)
}

fn copy_bucket(shared: &Shared, from: &ReadTransaction, file: File) -> Result<(), redb::Error> {
    let database = Database::builder()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(FileBackend::new(file)?)?;
    let schema = &shared.schema;
    let to = schema.begin_write(&database)?;
    let copying = Copying {
        shared,
        from,
        to: &to,
    };
    copying.copy(schema.about())?;
    copying.copy(schema.sessions())?;
    copying.copy(schema.by_user())?;
    copying.copy(schema.by_expiry())?;
    match from.open_table(schema.tombstones()) {
        Ok(_) => copying.copy(schema.tombstones())?,
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    to.commit()?;
    Ok(database.close()?)
}

struct Copying<'a> {
    shared: &'a Shared,
    from: &'a ReadTransaction,
    to: &'a WriteTransaction,
}

impl Copying<'_> {
    fn copy<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<(), redb::Error> {
        let from = self.from.open_table(definition)?;
        let mut to = self.to.open_table(definition)?;
        for entry in ReadableTable::iter(&from)? {
            // The store is not to wait for this when it closes.
            if self.shared.board.is_closed.load(Ordering::Relaxed) {
                return Err(redb::Error::DatabaseClosed);
            }
            let (key, value) = entry?;
            to.insert(key.value(), value.value())?;
        }
        Ok(())
    }
}

/// Puts a file in its place, unless there is one.
fn place(made: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(made, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // A file system without links.
        Err(_) if fs::symlink_metadata(path).is_err() => fs::rename(made, path),
        Err(_) => Err(ErrorKind::AlreadyExists.into()),
    }
}

fn failed(reason: impl Into<String>) -> Refusal {
    let reason = reason.into();
    Refusal::Backup { reason }
}

/// Says what the process of the store, which is another one than the caller's, could not do.
fn refused(path: &Path, error: &io::Error) -> Refusal {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Refusal::BackupExists,
        ErrorKind::PermissionDenied => Refusal::BackupDenied {
            user: rustix::process::geteuid().as_raw(),
        },
        ErrorKind::NotFound | ErrorKind::NotADirectory => failed(format!(
            "the server's process writes it, and in its view of the file system there is no directory for {path}"
        )),
        _ => failed(format!(
            "the server's process could not write {path}: {error}"
        )),
    }
}

fn refused_by_redb(path: &Path, error: redb::Error) -> Refusal {
    match error {
        redb::Error::Io(error) => refused(path, &error),
        redb::Error::DatabaseClosed => failed("the server is closing"),
        error => {
            let (path, beneath) = (path.display(), chain(&error));
            let beneath = if beneath.is_empty() {
                beneath
            } else {
                format!(": {beneath}")
            };
            failed(format!(
                "the server's process could not write {path}: {error}{beneath}"
            ))
        }
    }
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures_executor::block_on;
    use redb::backends::InMemoryBackend;
    use sessionup_core::{
        CreateOptions, Record, SecretHash, Session, SessionId, Store, Timestamp, UserKey,
    };

    use super::*;
    use crate::store::RedbStore;
    use crate::tombstones::encode;
    use crate::walk;

    #[test]
    fn refusals_say_who_writes_and_where() {
        use ErrorKind as E;
        let of = |kind: ErrorKind| refused(Path::new("/b"), &kind.into());
        assert!(matches!(of(E::AlreadyExists), Refusal::BackupExists));
        let user = rustix::process::geteuid().as_raw();
        let denied = of(E::PermissionDenied);
        assert!(matches!(denied, Refusal::BackupDenied { user: told } if told == user));
        for kind in [E::NotFound, E::NotADirectory, E::StorageFull] {
            let Refusal::Backup { reason } = of(kind) else {
                panic!("{kind:?}");
            };
            assert!(
                reason.contains("server's process") && reason.contains("/b"),
                "{reason}"
            );
        }
    }

    #[test]
    fn copy_of_tombstones_leaves_ended_sessions_ended() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = Arc::new(database.unwrap());
        let open = || RedbStore::new(Arc::clone(&database), "b", Duration::ZERO).unwrap();
        let store = open();
        for (number, key) in [(1, "ann"), (2, "ann"), (3, "bob")] {
            let id = SessionId::from_bytes([number; 16]);
            let user = UserKey::new(key).unwrap();
            let session = Session::new(id, user, Timestamp::MIN, Timestamp::MAX);
            let record = Record::new(session, SecretHash::from_bytes([7; 32]));
            let created = store.create(record, CreateOptions::default(), Timestamp::MIN);
            block_on(created).unwrap();
        }
        // As it is right after a large deletion.
        let transaction = database.begin_write().unwrap();
        let rows = store.shared().schema.tombstones();
        let mut rows = transaction.open_table(rows).unwrap();
        rows.insert(b"ann".as_slice(), encode(b"ann", 1)).unwrap();
        drop(rows);
        transaction.commit().unwrap();
        let snapshot = database.begin_read().unwrap();

        let file = tempfile::tempfile().unwrap();
        let copy = file.try_clone().unwrap();
        copy_bucket(store.shared(), &snapshot, file).unwrap();

        let copy = FileBackend::new(copy).unwrap();
        let copy = Database::builder().create_with_backend(copy).unwrap();
        let schema = &store.shared().schema;
        assert_eq!(walk::count(&copy, schema).unwrap(), 1);
        let left = walk::after(&copy, schema, None, 9).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].0, SessionId::from_bytes([3; 16]));
    }
}
