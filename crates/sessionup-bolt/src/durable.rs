//! Puts a finished file under its name so that it survives a crash.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// The calls to the operating system that make a file durable. Tests replace them.
pub trait Disk {
    /// Waits until the content of a file is on the disk.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn sync_file(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Gives a file its name, unless there is one of that name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadyExists`], and those of the operating system.
    fn place(&self, made: TempPath, path: &Path) -> io::Result<()> {
        made.persist_noclobber(path).map_err(|failed| failed.error)
    }

    /// Waits until the names of files in a directory are on the disk.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        if cfg!(unix) {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

/// The operating system itself.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SystemDisk;

impl SystemDisk {
    /// Returns the operating system.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Default for SystemDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk for SystemDisk {}

/// Makes a file beside the place where it will be put, readable by its owner alone.
///
/// # Errors
///
/// [`ErrorKind::NotFound`] if there is no such directory, and those of the operating system.
pub fn make_beside(path: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(prefix)
        .tempfile_in(directory(path))
}

/// Syncs a file, puts it under its name, and syncs the directory.
///
/// Writes over nothing. If it fails, nothing is left.
///
/// # Errors
///
/// [`ErrorKind::AlreadyExists`], and those of the operating system.
pub fn put(disk: &impl Disk, made: NamedTempFile, path: &Path) -> io::Result<()> {
    disk.sync_file(made.as_file())?;
    disk.place(made.into_temp_path(), path)?;
    sync_directory_of(disk, path).inspect_err(|_| {
        // It was put there just now, by this function.
        let _ = fs::remove_file(path);
    })
}

/// Waits until the name of a file is on the disk. A file system that cannot sync directories is no
/// failure: it makes no such promise, and there is nothing else to do.
///
/// # Errors
///
/// Those of the operating system.
pub fn sync_directory_of(disk: &impl Disk, path: &Path) -> io::Result<()> {
    match disk.sync_directory(directory(path)) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Returns the directory of a file.
#[must_use]
pub fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A disk that notes what is asked of it, and fails at one step.
    #[derive(Default)]
    pub(crate) struct Notes {
        pub(crate) calls: RefCell<Vec<&'static str>>,
        pub(crate) fails: Option<(&'static str, ErrorKind)>,
    }

    impl Notes {
        pub(crate) fn failing(step: &'static str, kind: ErrorKind) -> Self {
            Self {
                fails: Some((step, kind)),
                ..Self::default()
            }
        }

        fn note(&self, step: &'static str) -> io::Result<()> {
            self.calls.borrow_mut().push(step);
            match self.fails {
                Some((fails, kind)) if fails == step => Err(kind.into()),
                _ => Ok(()),
            }
        }
    }

    impl Disk for Notes {
        fn sync_file(&self, file: &File) -> io::Result<()> {
            self.note("sync file")?;
            SystemDisk.sync_file(file)
        }

        fn place(&self, made: TempPath, path: &Path) -> io::Result<()> {
            self.note("place")?;
            SystemDisk.place(made, path)
        }

        fn sync_directory(&self, directory: &Path) -> io::Result<()> {
            self.note("sync directory")?;
            SystemDisk.sync_directory(directory)
        }
    }

    pub(crate) const STEPS: [&str; 3] = ["sync file", "place", "sync directory"];

    #[test]
    fn put_file_syncs_before_and_after_placing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let disk = Notes::default();
        put(&disk, make_beside(&path, ".made-").unwrap(), &path).unwrap();
        assert_eq!(*disk.calls.borrow(), STEPS);
        assert!(path.exists());
    }

    #[test]
    fn put_file_with_failing_step_leaves_nothing() {
        for step in STEPS {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file");
            let disk = Notes::failing(step, ErrorKind::StorageFull);
            let error = put(&disk, make_beside(&path, ".made-").unwrap(), &path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StorageFull, "{step}");
            let left = fs::read_dir(directory.path()).unwrap().count();
            assert_eq!(left, 0, "{step}");
        }
    }

    #[test]
    fn put_file_in_unsyncable_directory_succeeds() {
        for kind in [ErrorKind::InvalidInput, ErrorKind::Unsupported] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("file");
            let disk = Notes::failing("sync directory", kind);
            put(&disk, make_beside(&path, ".made-").unwrap(), &path).unwrap();
            assert!(path.exists(), "{kind:?}");
        }
    }

    #[test]
    fn put_file_over_another_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "mine").unwrap();
        let made = make_beside(&path, ".made-").unwrap();
        let error = put(&SystemDisk, made, &path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
