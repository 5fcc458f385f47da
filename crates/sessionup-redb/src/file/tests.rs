use std::sync::atomic::{AtomicBool, Ordering};

use redb::BackendError;

use super::*;
use crate::builder::RedbStoreBuilder;
use crate::health::{Reason, Status};
use crate::store::RedbStore;

#[test]
fn failures_of_a_path_by_what_to_do_about_them() {
    use ErrorKind as E;
    let cases = [
        (
            E::NotFound,
            "directory of session file a/b.redb does not exist, create it first",
        ),
        (
            E::NotADirectory,
            "directory of session file a/b.redb does not exist, create it first",
        ),
        (
            E::PermissionDenied,
            "no permission to open session file a/b.redb for reading and writing",
        ),
        (
            E::ReadOnlyFilesystem,
            "session file a/b.redb is on a read-only file system, choose another path",
        ),
        (
            E::IsADirectory,
            "a/b.redb is not a redb database, choose another path",
        ),
        (E::TimedOut, "session database could not be read or written"),
    ];
    for (kind, expected) in cases {
        let error = OpenError::of_path("a/b.redb".into(), kind.into());
        assert_eq!(error.to_string(), expected, "{kind:?}");
    }
}

/// What some file systems answer.
fn without_locks() -> System {
    System {
        take_lock: |_, _, _| Err(BackendError::Unsupported),
        ..System::NATIVE
    }
}

fn syncing(sync_directory: fn(&File) -> io::Result<()>) -> System {
    System {
        sync_directory,
        ..System::NATIVE
    }
}

fn on(system: System) -> RedbStoreBuilder {
    crate::limit::watch();
    let mut builder = RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .lock_wait(Duration::ZERO);
    builder.system = system;
    builder
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn new_with_relative_path_makes_it_absolute() {
    let file = DatabaseFile::new("a/b.redb".into(), Duration::ZERO, 0).unwrap();
    assert!(file.path().is_absolute());
    assert!(file.path().ends_with("a/b.redb"));
    let named = file.in_use();
    assert!(matches!(named, OpenError::InUse { path, .. } if path == Path::new("a/b.redb")));
}

#[test]
fn open_without_locks_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let opened = on(without_locks()).open(&path);
    assert!(
        matches!(&opened, Err(OpenError::LocksUnsupported { path: named }) if *named == path),
        "{opened:?}"
    );
    assert_eq!(names(directory.path()), [""; 0]);

    drop(on(System::NATIVE).open(&path).unwrap());
    let before = fs::read(&path).unwrap();
    let opened = on(without_locks()).open(&path);
    assert!(
        matches!(opened, Err(OpenError::LocksUnsupported { .. })),
        "{opened:?}"
    );
    let mut file = DatabaseFile::new(path.clone(), Duration::ZERO, 0).unwrap();
    file.system = without_locks();
    let read = file.patiently(|| file.open_unchanged()).map(drop);
    assert!(
        matches!(read, Err(OpenError::LocksUnsupported { .. })),
        "{read:?}"
    );
    assert!(fs::read(&path).unwrap() == before, "the file was changed");
}

#[test]
fn allowed_open_without_locks_shows_in_health() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let allowed = || on(without_locks()).allow_missing_locks(true);
    let store = allowed().open(&path).unwrap();
    let health = store.health();
    assert_eq!(health.status, Status::Degraded);
    assert_eq!(health.reasons, [Reason::LocksMissing]);
    drop(store);

    let store = on(System::NATIVE).allow_missing_locks(true).open(&path);
    assert_eq!(store.unwrap().health().status, Status::Ok);
}

/// Without locks, a server that listens is all that shows that the file is open.
#[cfg(unix)]
#[test]
fn open_without_locks_beside_server_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let allowed = || on(without_locks()).allow_missing_locks(true);
    let _server = allowed().control(true).open(&path).unwrap();
    let second = allowed().open(&path);
    assert!(
        matches!(second, Err(OpenError::ServerListens { .. })),
        "{second:?}"
    );
}

#[cfg(unix)]
#[test]
fn create_without_directory_sync_support_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let unsupported = syncing(|_| Err(ErrorKind::InvalidInput.into()));
    let opened = on(unsupported).open(directory.path().join("s.redb"));
    assert_eq!(opened.unwrap().health().status, Status::Ok);
}

#[cfg(unix)]
#[test]
fn create_with_failed_directory_sync_leaves_nothing() {
    static IS_REACHED: AtomicBool = AtomicBool::new(false);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let failing = syncing(|_| {
        IS_REACHED.store(true, Ordering::Relaxed);
        Err(ErrorKind::TimedOut.into())
    });
    let opened = on(failing).open(&path);
    assert!(matches!(opened, Err(OpenError::Io { .. })), "{opened:?}");
    assert!(IS_REACHED.load(Ordering::Relaxed));
    assert_eq!(names(directory.path()), [""; 0]);
    on(System::NATIVE).open(&path).unwrap();
}

#[test]
fn take_back_leaves_opened_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let store = on(System::NATIVE).open(&path).unwrap();
    let file = DatabaseFile::new(path.clone(), Duration::ZERO, 0).unwrap();
    file.take_back();
    assert!(path.exists());
    drop(store);
    file.take_back();
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn reopen_of_replaced_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let aside = directory.path().join("aside.redb");
    let file = DatabaseFile::new(path.clone(), Duration::ZERO, 0).unwrap();
    let opened = file.open(|_| Ok(())).unwrap();
    let identity = opened.identity;
    drop(opened);
    let reopen = || file.reopen(identity).map(drop);
    reopen().unwrap();

    fs::rename(&path, &aside).unwrap();
    for _ in ["deleted", "replaced"] {
        let reopened = reopen();
        assert!(
            matches!(&reopened, Err(OpenError::Displaced { path: named }) if *named == path),
            "{reopened:?}"
        );
        fs::copy(&aside, &path).unwrap();
    }
    fs::rename(&aside, &path).unwrap();
    reopen().unwrap();
    fs::write(&path, "").unwrap();
    let reopened = reopen();
    assert!(
        matches!(reopened, Err(OpenError::Damaged { .. })),
        "{reopened:?}"
    );
}

#[test]
fn beside_makes_unique_files_and_removes_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let made: Vec<_> = (0..3).map(|_| beside(&path).unwrap()).collect();
    assert_eq!(names(directory.path()).len(), 3);
    for name in names(directory.path()) {
        assert!(name.starts_with("s.redb.new-"), "{name}");
    }
    drop(made);
    assert_eq!(names(directory.path()), [""; 0]);
}
