//! Opening: each error by name, what is made, and what is left as it is.

#![allow(clippy::unwrap_used)]

mod support;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, MultimapTableDefinition, TableDefinition};
use sessionup_core::{Store, StoreError};
use sessionup_redb::{OpenError, RedbStore, RedbStoreBuilder, open_database};
use support::warnings::warnings_of;
use support::{ABOUT, Disk, Fault, at, builder, create, id, is_there};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// Does not wait for a file in use.
fn impatient() -> RedbStoreBuilder {
    builder().lock_wait(Duration::ZERO)
}

#[test]
fn settings_are_checked_before_anything_is_made() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let long = "b".repeat(129);
    for bucket in ["", "a\0b", "a\nb", &long] {
        let opened = builder().bucket(bucket).open(&path);
        assert!(
            matches!(&opened, Err(OpenError::InvalidBucket { bucket: named }) if named == bucket),
            "{opened:?}"
        );
    }
    let short = Duration::from_micros(999);
    let opened = builder().cleanup_interval(short).open(&path);
    assert!(
        matches!(opened, Err(OpenError::InvalidInterval { interval }) if interval == short),
        "{opened:?}"
    );
    assert!(!path.exists());
}

#[test]
fn file_that_is_no_database_is_left_as_it_is() {
    let directory = directory();
    let contents: [&[u8]; 4] = [b"x", b"SQLite format 3\0", &[0; 100_000], &[b'r'; 5_000]];
    for content in contents {
        let path = directory.path().join("sessions.redb");
        fs::write(&path, content).unwrap();

        let opened = builder().open(&path);

        assert!(
            matches!(&opened, Err(OpenError::NotADatabase { path: named }) if *named == path),
            "{opened:?}"
        );
        assert!(fs::read(&path).unwrap() == content, "the file was changed");
    }
}

#[test]
fn directory_is_not_a_database() {
    let directory = directory();
    let opened = builder().open(directory.path());
    assert!(
        matches!(opened, Err(OpenError::NotADatabase { .. })),
        "{opened:?}"
    );
}

#[cfg(unix)]
#[test]
fn pipe_is_not_a_database_and_nobody_waits_for_it() {
    let directory = directory();
    let path = directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let opened = builder().open(&path);
    assert!(
        matches!(opened, Err(OpenError::NotADatabase { .. })),
        "{opened:?}"
    );
}

#[test]
fn missing_directory_is_named() {
    let directory = directory();
    let path = directory.path().join("missing").join("sessions.redb");
    let opened = builder().open(&path);
    assert!(
        matches!(&opened, Err(OpenError::DirectoryMissing { path: named }) if *named == path),
        "{opened:?}"
    );

    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let opened = builder().open(file.join("sessions.redb"));
    assert!(
        matches!(opened, Err(OpenError::DirectoryMissing { .. })),
        "{opened:?}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Modes mean nothing to root, so root tries where the kernel lets nobody make a file.
    let probe = directory.path().join("probe");
    let path = match fs::write(&probe, "") {
        Ok(()) => PathBuf::from("/sys/sessions.redb"),
        Err(_) => directory.path().join("sessions.redb"),
    };

    let opened = builder().open(&path);

    assert!(
        matches!(
            opened,
            Err(OpenError::PermissionDenied { .. } | OpenError::ReadOnly { .. })
        ),
        "{opened:?}"
    );
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn file_that_cannot_be_written_is_an_error() {
    // Says that it is an empty regular file.
    let opened = builder().open("/proc/version");
    assert!(
        matches!(
            opened,
            Err(OpenError::PermissionDenied { .. }
                | OpenError::Io { .. }
                | OpenError::NotADatabase { .. })
        ),
        "{opened:?}"
    );
}

#[cfg(unix)]
#[test]
fn new_file_is_private_from_its_first_moment() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    let path = directory.path().join("sessions.redb");
    // The mask of this process would hide a mode that is too wide, so the file is made by a shell
    // whose mask is empty.
    let status = Command::new("sh")
        .args([
            "-c",
            "umask 0; exec \"$0\" --exact \"$1\" --include-ignored",
            &this_program(),
        ])
        .arg("child_makes_a_store")
        .env(PATH, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();

    assert!(status.success());
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in [&path, &reserve_of(&path)] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file:?}");
    }
}

fn reserve_of(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".reserve");
    name.into()
}

const PATH: &str = "SESSIONUP_TEST_PATH";

fn this_program() -> String {
    let program = std::env::current_exe().unwrap();
    program.to_str().unwrap().to_owned()
}

#[test]
#[ignore = "run by others as a process of its own"]
fn child_makes_a_store() {
    let path = std::env::var_os(PATH).unwrap();
    drop(builder().open(path).unwrap());
}

/// Opens a store, says so, and keeps it until its input ends.
#[test]
#[ignore = "run by others as a process of its own"]
fn child_keeps_a_store() {
    let path = PathBuf::from(std::env::var_os(PATH).unwrap());
    let _store = builder().open(&path).unwrap();
    fs::write(path.with_extension("opened"), "").unwrap();
    std::io::read_to_string(std::io::stdin()).unwrap();
}

fn keeping(path: &Path) -> std::process::Child {
    let child = Command::new(this_program())
        .args(["--exact", "child_keeps_a_store", "--include-ignored"])
        .env(PATH, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !path.with_extension("opened").exists() {
        std::thread::yield_now();
    }
    child
}

/// Another container has the same process numbers, and makes its file in the same volume.
#[cfg(unix)]
#[test]
fn create_leaves_temporary_file_of_others() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let status = Command::new("sh")
        .args([
            "-c",
            r#": > "$SESSIONUP_TEST_PATH.new-$$-0"; exec "$0" --exact "$1" --include-ignored"#,
            &this_program(),
        ])
        .arg("child_makes_a_store")
        .env(PATH, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();

    assert!(status.success());
    let names = fs::read_dir(directory.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let others: Vec<_> = names
        .filter(|name| name.starts_with("sessions.redb.new-"))
        .collect();
    assert_eq!(others.len(), 1, "{others:?}");
}

/// As daemons do: the store is opened by a relative path, and then the working directory changes. A file
/// that cannot grow any more is a full disk.
#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by others as a process of its own"]
fn child_changes_its_directory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let store = builder().control(true).open("sessions.redb").unwrap();
    runtime.block_on(support::create_many(&store, 0..100, "ann"));
    std::env::set_current_dir("/").unwrap();
    let limit_to = |bytes| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        let current = bytes;
        setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    limit_to(Some(4_096));
    let refused = runtime.block_on(create(&store, 200, "ann"));
    refused.unwrap_err();
    limit_to(getrlimit(Resource::Fsize).maximum);

    let begun = std::time::Instant::now();
    while runtime.block_on(create(&store, 200, "ann")).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it stays closed");
        std::thread::yield_now();
    }
    assert!(store.health().counts.reopenings > 0);
    runtime.block_on(store.close());
    println!("> done");
}

#[cfg(target_os = "linux")]
#[test]
fn reopen_after_directory_change_succeeds() {
    let directory = directory();
    // A signal comes with the error, unless it is ignored.
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#, &this_program()])
        .args([
            "--exact",
            "child_changes_its_directory",
            "--include-ignored",
        ])
        .arg("--nocapture")
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("> done"), "{output:?}");
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(files.len(), 2, "a database and its reserve: {files:?}");
}

#[test]
fn file_of_another_process_is_in_use() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let mut child = keeping(&path);

    let opened = impatient().open(&path);
    assert!(
        matches!(&opened, Err(OpenError::InUse { path: named, .. }) if *named == path),
        "{opened:?}"
    );

    // A killed process leaves no lock.
    child.kill().unwrap();
    child.wait().unwrap();
    impatient().open(&path).unwrap();
}

#[test]
fn next_process_takes_over() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let mut child = keeping(&path);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| builder().lock_wait(Duration::MAX).open(&path));
        drop(child.stdin.take());
        opening.join().unwrap().unwrap();
    });
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn file_of_this_process_is_in_use_until_its_store_is_closed_or_dropped() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let first = impatient().open(&path).unwrap();
    let handle = first.clone();
    create(&first, 1, "ann").await.unwrap();

    let second = impatient().open(&path);
    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
    drop(first);
    let second = impatient().open(&path);
    assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");

    drop(handle);
    let second = impatient().open(&path).unwrap();
    assert!(is_there(&second, 1).await);

    second.close().await;
    let third = impatient().open(&path).unwrap();
    assert!(is_there(&third, 1).await);
    let closed = second.fetch(id(1), at(0)).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}

#[tokio::test]
async fn empty_file_becomes_a_database() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    fs::write(&path, "").unwrap();
    let store = builder().open(&path).unwrap();
    create(&store, 1, "ann").await.unwrap();
}

#[cfg(unix)]
#[test]
fn open_of_file_readable_by_others_warns() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    let path = directory.path().join("sessions.redb");
    drop(builder().open(&path).unwrap());
    let cases = [
        (0o600, false),
        (0o640, true),
        (0o604, true),
        (0o644, true),
        (0o700, false),
    ];
    for (mode, warns) in cases {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let own = warnings_of(|| drop(builder().open(&path).unwrap())).1;
        let database = Arc::new(Database::open(&path).unwrap());
        let beside = builder().control_beside(&path);
        let shared = warnings_of(|| drop(beside.on(database).unwrap())).1;
        for warnings in [own, shared] {
            let expected = format!("mode=\"{mode:o}\"");
            let found = warnings.iter().any(|line| line.contains(&expected));
            assert_eq!(found, warns, "{mode:o}: {warnings:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn open_database_makes_private_file_and_waits() {
    use std::os::unix::fs::PermissionsExt;

    let directory = directory();
    let path = directory.path().join("my.redb");
    let database = open_database(&path, Duration::ZERO).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = open_database(&path, Duration::from_millis(1)).map(drop);
    assert!(
        matches!(&second, Err(OpenError::InUse { path: named, .. }) if *named == path),
        "{second:?}"
    );
    drop(builder().on(Arc::new(database)).unwrap());
    open_database(&path, Duration::ZERO).unwrap();
}

#[test]
fn many_at_once_make_one_file() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    std::thread::scope(|scope| {
        let opening: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| impatient().open(&path)))
            .collect();
        for opened in opening {
            match opened.join().unwrap() {
                Ok(_) | Err(OpenError::InUse { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(files.len(), 2, "a database and its reserve: {files:?}");
}

fn database() -> (tempfile::TempDir, Arc<Database>) {
    let directory = directory();
    let database = Database::create(directory.path().join("my.redb")).unwrap();
    (directory, Arc::new(database))
}

#[test]
fn newer_format_is_refused() {
    let (_directory, database) = database();
    drop(builder().on(Arc::clone(&database)).unwrap());
    let transaction = database.begin_write().unwrap();
    let mut about = transaction.open_table(ABOUT).unwrap();
    assert_eq!(about.insert("format", 5).unwrap().unwrap().value(), 1);
    drop(about);
    transaction.commit().unwrap();

    let opened = builder().on(database);

    let expected = Err::<(), _>((5, 4));
    let found = opened.map(drop).map_err(|error| match error {
        OpenError::NewerFormat { found, supported } => (found, supported),
        error => panic!("{error}"),
    });
    assert_eq!(found, expected);
}

#[test]
fn table_of_somebody_else_is_refused() {
    for name in ["sessions", "by_user", "by_expiry", "about"] {
        let (_directory, database) = database();
        let table = format!("sessions/{name}");
        let transaction = database.begin_write().unwrap();
        let theirs = TableDefinition::<u32, u32>::new(&table);
        transaction
            .open_table(theirs)
            .unwrap()
            .insert(1, 1)
            .unwrap();
        transaction.commit().unwrap();

        let opened = builder().on(database);
        assert!(
            matches!(&opened, Err(OpenError::ForeignTable { table: named }) if *named == table),
            "{opened:?}"
        );
    }
}

#[test]
fn table_of_the_same_types_is_not_ours_for_that() {
    let (_directory, database) = database();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(ABOUT)
        .unwrap()
        .insert("visits", 7)
        .unwrap();
    transaction.commit().unwrap();
    let opened = builder().on(database);
    assert!(
        matches!(opened, Err(OpenError::ForeignTable { .. })),
        "{opened:?}"
    );

    let (_directory, database) = self::database();
    let transaction = database.begin_write().unwrap();
    let theirs = MultimapTableDefinition::<&str, u64>::new("sessions/about");
    transaction.open_multimap_table(theirs).unwrap();
    transaction.commit().unwrap();
    let opened = builder().on(database);
    assert!(
        matches!(opened, Err(OpenError::ForeignTable { .. })),
        "{opened:?}"
    );
}

#[test]
fn missing_table_is_damage() {
    let (_directory, database) = database();
    drop(builder().on(Arc::clone(&database)).unwrap());
    let transaction = database.begin_write().unwrap();
    transaction.delete_table(support::BY_USER).unwrap();
    transaction.commit().unwrap();
    let opened = builder().on(database);
    assert!(
        matches!(opened, Err(OpenError::Damaged { .. })),
        "{opened:?}"
    );
}

#[tokio::test]
async fn bucket_has_one_store_and_a_database_many_buckets() {
    let (_directory, database) = database();
    let long = builder()
        .bucket("a/sessions")
        .on(Arc::clone(&database))
        .unwrap();
    let short = RedbStore::new(Arc::clone(&database), "a", Duration::ZERO).unwrap();

    let again = RedbStore::new(Arc::clone(&database), "a", Duration::ZERO);
    assert!(
        matches!(&again, Err(OpenError::BucketInUse { bucket }) if bucket == "a"),
        "{again:?}"
    );
    create(&short, 1, "ann").await.unwrap();
    assert!(!is_there(&long, 1).await);
    create(&long, 1, "ann").await.unwrap();
    assert!(short.delete(id(1), None).await.unwrap());
    assert!(is_there(&long, 1).await);

    short.close().await;
    let again = RedbStore::new(Arc::clone(&database), "a", Duration::ZERO).unwrap();
    drop((again, short, long));
    Arc::try_unwrap(database).expect("nobody else has it");
}

#[test]
fn damaged_file_is_an_error() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    drop(builder().open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    let mut headless = whole.clone();
    headless[9..512].fill(0xff);
    let cut = whole[..whole.len() / 2].to_vec();
    for (name, content) in [("header overwritten", headless), ("cut", cut)] {
        fs::write(&path, &content).unwrap();
        let opened = builder().open(&path);
        assert!(
            matches!(
                opened,
                Err(OpenError::Damaged { .. } | OpenError::OldFormat { .. })
            ),
            "{name}: {opened:?}"
        );
    }
}

#[test]
fn failing_opener_and_failing_disk_are_errors() {
    let opened = builder().open_with(|| Err(std::io::Error::other("no").into()));
    assert!(
        matches!(opened, Err(OpenError::Opener { .. })),
        "{opened:?}"
    );

    let disk = Disk::default();
    let database = Arc::new(disk.database().unwrap());
    disk.fail(Fault::always(
        support::At::Write,
        std::io::ErrorKind::TimedOut,
    ));
    let opened = builder().on(database);
    assert!(matches!(opened, Err(OpenError::Io { .. })), "{opened:?}");
}

#[test]
fn errors_do_not_repeat_their_source() {
    let source = Arc::new(std::io::Error::other("the source"));
    let errors = [
        OpenError::Control {
            path: "a".into(),
            source: Arc::clone(&source) as _,
        },
        OpenError::Damaged {
            source: Arc::clone(&source) as _,
        },
        OpenError::Io {
            source: Arc::clone(&source) as _,
        },
        OpenError::Opener {
            source: Arc::clone(&source) as _,
        },
        OpenError::Thread {
            source: Arc::clone(&source) as _,
        },
        OpenError::PermissionDenied {
            path: "a".into(),
            source,
        },
    ];
    for error in errors {
        assert!(!error.to_string().contains("the source"), "{error}");
        assert_eq!(error.source().unwrap().to_string(), "the source");
    }
}

/// What it panics at, it reads when it opens the file in one build and for the first table in another.
#[tokio::test]
async fn redb_that_panics_at_damage_is_an_error() {
    let directory = directory();
    let path = directory.path().join("sessions.redb");
    let store = builder().open(&path).unwrap();
    create(&store, 1, "ann").await.unwrap();
    store.close().await;
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let name = b"sessions/by_expiry";
    let mut damaged = 0;
    for page in bytes.chunks_mut(4_096).skip(1) {
        if page.windows(name.len()).any(|bytes| bytes == name) {
            page.fill(0);
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    fs::write(&path, bytes).unwrap();

    let there = path.clone();
    let opened = [
        builder().open(&path),
        builder().open_with(move || Database::open(&there)),
    ];

    for opened in opened {
        assert!(
            matches!(opened, Err(OpenError::Damaged { .. })),
            "{opened:?}"
        );
    }
}
