//! The one file in which accounts and sessions live.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError};

/// Opens the database, or makes it so that only the owner of the process can read it.
///
/// # Errors
///
/// [`OpenDatabaseError`] says what to do.
pub fn open(path: &Path) -> Result<Arc<Database>, OpenDatabaseError> {
    let file = open_file(path).map_err(|source| OpenDatabaseError::File {
        path: path.into(),
        source,
    })?;
    let database = FileBackend::new(file)
        .and_then(|backend| Builder::new().create_with_backend(backend))
        .map_err(|error| OpenDatabaseError::of(error, path))?;
    Ok(Arc::new(database))
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Why the database could not be opened, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenDatabaseError {
    /// The file could not be opened or made.
    #[error("cannot open {}, choose another file with --db", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process has it open.
    #[error("{} is in use by another process, stop that one or choose another file with --db", path.display())]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a database, choose another file with --db", path.display())]
    NotADatabase {
        /// Which file.
        path: PathBuf,
    },
    /// The database could not be read.
    #[error("cannot read the database {}, restore a backup or choose another file with --db", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What redb says.
        source: DatabaseError,
    },
}

impl OpenDatabaseError {
    fn of(error: DatabaseError, path: &Path) -> Self {
        let path = path.into();
        match error {
            DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
                Self::InUse { path }
            }
            DatabaseError::Storage(StorageError::Io(error))
                if error.kind() == io::ErrorKind::InvalidData =>
            {
                Self::NotADatabase { path }
            }
            source => Self::Unreadable { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_opening_is_told_that_the_file_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.redb");
        let _first = open(&path).unwrap();

        let error = open(&path).unwrap_err();

        assert!(
            matches!(error, OpenDatabaseError::InUse { .. }),
            "{error:?}"
        );
    }

    #[test]
    fn other_files_are_refused_and_left_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notes.txt");
        for text in ["short", &"a longer note\n".repeat(1_000)] {
            std::fs::write(&path, text).unwrap();

            let error = open(&path).unwrap_err();

            assert!(
                matches!(error, OpenDatabaseError::NotADatabase { .. }),
                "{error:?}"
            );
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn missing_directory_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = open(&directory.path().join("missing/demo.redb")).unwrap_err();
        assert!(matches!(error, OpenDatabaseError::File { .. }), "{error:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.redb");
        let _database = open(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
