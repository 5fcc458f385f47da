//! What is opened, what is not, and what is left as it was.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs::File;

use sessionup_bolt::{BoltError, BoltFile, Import};
use sessionup_core::MemoryStore;
use support::{EARLY, fixture};

#[test]
fn a_file_that_is_read_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.db");
    let bytes = fixture("small.db");
    std::fs::write(&path, &bytes).unwrap();
    // Nobody may write it.
    let mut mode = std::fs::metadata(&path).unwrap().permissions();
    mode.set_readonly(true);
    std::fs::set_permissions(&path, mode).unwrap();
    let before = std::fs::metadata(&path).unwrap();

    let file = BoltFile::open(&path).unwrap();
    file.check().unwrap();
    let rows = file.sessions("sessions").unwrap();
    Import::new()
        .run_blocking(&MemoryStore::new(), rows, EARLY, |_| {})
        .unwrap();
    drop(file);

    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing beside it"
    );
}

#[test]
fn a_file_under_an_exclusive_lock_is_refused_and_a_shared_one_is_shared() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.db");
    std::fs::write(&path, fixture("small.db")).unwrap();

    let writer = File::open(&path).unwrap();
    writer.lock().unwrap();
    let error = BoltFile::open(&path).unwrap_err();
    assert!(matches!(error, BoltError::Busy { .. }));
    assert!(
        error.to_string().contains("stop the Go program first"),
        "{error}"
    );

    writer.unlock().unwrap();
    writer.lock_shared().unwrap();
    let reader = BoltFile::open(&path).unwrap();
    let another = BoltFile::open(&path).unwrap();
    writer.unlock().unwrap();
    drop(another);
    assert!(
        writer.try_lock().is_err(),
        "the lock lasts as long as the reader"
    );
    drop(reader);
    writer.try_lock().unwrap();
}

#[test]
fn what_is_no_bolt_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let error = BoltFile::open(directory.path()).unwrap_err();
    assert!(matches!(error, BoltError::NotAFile { .. }), "{error}");
    let missing = BoltFile::open(directory.path().join("missing")).unwrap_err();
    assert!(matches!(missing, BoltError::Io(_)), "{missing}");
    for bytes in [&b""[..], b"x", &[0; 8_192], &[0xff; 8_192]] {
        let error = BoltFile::from_bytes(bytes.to_vec()).unwrap_err();
        assert!(matches!(error, BoltError::NotBolt { .. }), "{error}");
    }
}

/// A pipe would hold up whoever opens it.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo, which every Unix has").success());
    let error = BoltFile::open(&path).unwrap_err();
    assert!(matches!(error, BoltError::NotAFile { .. }), "{error}");
}

/// Its holder is shortened by somebody who asks for no lock.
#[test]
fn a_file_that_is_cut_while_it_is_read_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my.db");
    std::fs::write(&path, fixture("small.db")).unwrap();
    let file = BoltFile::open(&path).unwrap();
    let other = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    other.set_len(8_192).unwrap();
    assert!(matches!(file.check(), Err(BoltError::Io(_))));
}
