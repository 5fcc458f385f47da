//! Making names of files durable.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes the name of a file durable, by syncing the directory that it is in.
///
/// File systems that cannot sync a directory (`EINVAL`, `ENOTSUP`, `ENOSYS`) are taken at their word:
/// that is no error, as there is nothing else to do.
///
/// # Errors
///
/// Of the operating system.
pub(crate) fn sync_directory_of(file: &Path) -> io::Result<()> {
    sync_directory(file, File::sync_all)
}

/// As [`sync_directory_of`], with what asks the operating system.
pub(crate) fn sync_directory(file: &Path, sync: fn(&File) -> io::Result<()>) -> io::Result<()> {
    // Elsewhere directories are not files that can be opened.
    if sessionup_core::is_seeded!(DirectoryNotSynced) || !cfg!(unix) {
        return Ok(());
    }
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    match sync(&File::open(parent)?) {
        Err(error) if is_unsupported(&error) => Ok(()),
        synced => synced,
    }
}

/// Says whether a file system answers that it has no such operation.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::InvalidInput | ErrorKind::Unsupported
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn directory_that_cannot_be_synced_is_no_failure() {
        use rustix::io::Errno;
        type Sync = fn(&File) -> io::Result<()>;
        let cases: [(&str, Sync, bool); 6] = [
            ("synced", |_| Ok(()), true),
            ("EINVAL", |_| Err(Errno::INVAL.into()), true),
            ("ENOTSUP", |_| Err(Errno::NOTSUP.into()), true),
            ("ENOSYS", |_| Err(Errno::NOSYS.into()), true),
            ("EIO", |_| Err(Errno::IO.into()), false),
            ("ENOSPC", |_| Err(Errno::NOSPC.into()), false),
        ];
        let directory = tempfile::tempdir().unwrap();
        for (name, sync, succeeds) in cases {
            let synced = sync_directory(&directory.path().join("file"), sync);
            assert_eq!(synced.is_ok(), succeeds, "{name}: {synced:?}");
        }
    }

    #[test]
    fn missing_directory_is_a_failure() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing").join("file");
        let error = sync_directory_of(&missing).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
