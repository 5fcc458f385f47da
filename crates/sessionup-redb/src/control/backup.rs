//! A copy of a bucket as it is at one moment, while the store goes on.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::Ordering;

use redb::backends::FileBackend;
use redb::{
    Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    Value, WriteTransaction,
};
use sessionup_core::StoreError;

use crate::control::protocol::{Refusal, chain};
use crate::error::Halt;
use crate::file::{Beside, new_file, sync_directory};
use crate::reader;
use crate::shared::Shared;

/// Writes it to a file that is not there yet; says how many bytes it has.
pub(crate) fn write(shared: &Shared, path: &Path) -> Result<u64, Refusal> {
    if !path.is_absolute() {
        return Err(refused(&io::Error::from(ErrorKind::InvalidFilename)));
    }
    // They may be there and are refused; in a copy they would not be.
    if !shared.doubts.is_empty() {
        return Err(StoreError::unavailable("sessions are in doubt").into());
    }
    let snapshot = shared
        .place
        .read(|database| database.begin_read().map_err(Halt::from));
    let snapshot = reader::answer(shared, snapshot)?;
    let beside = Beside::of(path);
    let file = new_file(&beside.0).map_err(|error| refused(&error))?;
    copy_bucket(shared, &snapshot, file).map_err(|error| refused(&error))?;
    let placed = place(&beside.0, path);
    drop(beside);
    placed
        .and_then(|()| sync_directory(path))
        .and_then(|()| fs::metadata(path))
        .map(|file| file.len())
        .map_err(|error| refused(&error))
}

fn copy_bucket(shared: &Shared, from: &ReadTransaction, file: fs::File) -> Result<(), redb::Error> {
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

fn refused(error: &(dyn std::error::Error + 'static)) -> Refusal {
    let beneath = chain(error);
    let reason = if beneath.is_empty() {
        error.to_string()
    } else {
        format!("{error}: {beneath}")
    };
    Refusal::Backup { reason }
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;
