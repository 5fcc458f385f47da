//! What tools do with a file that no process has open to write.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sessionup_core::{SessionId, Store, StoreError};
use sessionup_redb::{FileReader, OpenError, compact_file, verify_file};
use support::{SESSIONS, at, builder, create, create_many, id, record, user};

/// Sessions 0 to 499 of ann and 500 of bob.
async fn filled() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    let store = builder().open(&path).unwrap();
    create_many(&store, 0..500, "ann").await;
    create(&store, 500, "bob").await.unwrap();
    store.close().await;
    (directory, path)
}

fn open(path: &Path) -> Result<FileReader, OpenError> {
    FileReader::open(path, "sessions", Duration::ZERO)
}

/// All ids, in pieces of this size.
fn walked(reader: &FileReader, piece: usize) -> Vec<SessionId> {
    let mut ids: Vec<SessionId> = Vec::new();
    loop {
        let batch = reader.after(ids.last().copied(), piece).unwrap();
        assert!(batch.len() <= piece);
        let next = batch.first().map(|(id, _)| *id);
        assert!(next.is_none() || next > ids.last().copied(), "it goes on");
        if batch.is_empty() {
            return ids;
        }
        ids.extend(batch.iter().map(|(id, _)| *id));
    }
}

#[tokio::test]
async fn every_record_is_met_once_whatever_the_size_of_a_piece() {
    let (_directory, path) = filled().await;
    let before = fs::read(&path).unwrap();
    let reader = open(&path).unwrap();
    let mut expected: Vec<_> = (0..=500).map(id).collect();
    expected.sort();
    for piece in [1, 7, 500, 501, 502] {
        assert_eq!(walked(&reader, piece), expected, "{piece}");
    }
    assert_eq!(reader.count().unwrap(), 501);
    assert!((10_000..before.len() as u64).contains(&reader.bytes().unwrap()));

    let (_, bob) = &reader.find(id(500)).unwrap().unwrap();
    assert_eq!(bob.as_ref().unwrap(), &record(500, "bob"));
    assert!(reader.find(id(501)).unwrap().is_none());
    let of_user = |key| {
        let found = reader.of_user(&user(key)).unwrap();
        found.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(of_user("bob"), [id(500)]);
    assert_eq!(of_user("ann").len(), 500);
    assert_eq!(of_user("an"), []);

    drop(reader);
    assert!(fs::read(&path).unwrap() == before, "the file was changed");
}

#[tokio::test]
async fn records_of_a_user_are_read_in_pieces() {
    let (_directory, path) = filled().await;
    let reader = open(&path).unwrap();
    let mut expected: Vec<_> = (0..500).map(id).collect();
    expected.sort();
    for piece in [1, 7, 499, 500, 501] {
        let mut ids: Vec<SessionId> = Vec::new();
        loop {
            let last = ids.last().copied();
            let batch = reader.of_user_after(&user("ann"), last, piece).unwrap();
            assert!(batch.len() <= piece);
            if batch.is_empty() {
                break;
            }
            ids.extend(batch.into_iter().map(|(id, _)| id));
        }
        assert_eq!(ids, expected, "{piece}");
    }
}

#[tokio::test]
async fn tables_of_others_are_named() {
    let (_directory, path) = filled().await;
    assert!(open(&path).unwrap().other_tables().unwrap().is_empty());
    let notes: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("notes");
    let tags: redb::MultimapTableDefinition<'_, u64, u64> =
        redb::MultimapTableDefinition::new("tags");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(notes).unwrap().insert(1, 1).unwrap();
    transaction
        .open_multimap_table(tags)
        .unwrap()
        .insert(1, 1)
        .unwrap();
    transaction.commit().unwrap();
    drop(database);
    let mut names = open(&path).unwrap().other_tables().unwrap();
    names.sort();
    assert_eq!(names, ["notes", "tags"]);
}

#[tokio::test]
async fn records_that_cannot_be_read_hold_up_no_other() {
    let (_directory, path) = filled().await;
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction
        .open_table(SESSIONS)
        .unwrap()
        .insert(id(3).as_bytes(), b"nonsense".as_slice())
        .unwrap();
    transaction
        .open_table(SESSIONS)
        .unwrap()
        .remove(id(4).as_bytes())
        .unwrap();
    transaction.commit().unwrap();
    drop(database);

    let reader = open(&path).unwrap();
    let is_damaged =
        |found: &Result<_, StoreError>| matches!(found, Err(StoreError::CorruptRecord { .. }));
    assert_eq!(walked(&reader, 64).len(), 500);
    assert!(is_damaged(&reader.find(id(3)).unwrap().unwrap().1));
    let of_ann = reader.of_user(&user("ann")).unwrap();
    let damaged: Vec<_> = of_ann
        .iter()
        .filter(|(_, found)| is_damaged(found))
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(damaged, [id(3), id(4)]);
    assert_eq!(of_ann.len(), 500);
}

#[tokio::test]
async fn nothing_is_made_and_the_wrong_name_told() {
    let (directory, path) = filled().await;
    let missing = directory.path().join("missing.redb");
    let compact = |path: &Path| compact_file(path, "sessions", Duration::ZERO).map(drop);
    for found in [open(&missing).map(drop), compact(&missing)] {
        assert!(
            matches!(found, Err(OpenError::NotADatabase { .. })),
            "{found:?}"
        );
    }
    assert!(!missing.exists());
    let empty = directory.path().join("empty.redb");
    fs::write(&empty, "").unwrap();
    let verified = verify_file(&empty, "sessions", None).map(drop);
    for found in [open(&empty).map(drop), compact(&empty), verified] {
        assert!(
            matches!(&found, Err(OpenError::EmptyFile { path }) if *path == empty),
            "{found:?}"
        );
    }
    assert_eq!(fs::read(&empty).unwrap(), b"");

    let before = fs::read(&path).unwrap();
    let wrong = [
        FileReader::open(&path, "session", Duration::ZERO).map(drop),
        compact_file(&path, "session", Duration::ZERO).map(drop),
    ];
    for found in wrong {
        assert_eq!(
            found.unwrap_err().to_string(),
            "there is no bucket \"session\" in this database, but [\"sessions\"]"
        );
    }
    assert!(fs::read(&path).unwrap() == before, "the file was changed");
}

#[tokio::test]
async fn readers_share_a_file_with_each_other_and_with_no_writer() {
    let (_directory, path) = filled().await;
    let first = open(&path).unwrap();
    let second = open(&path).unwrap();
    let in_use = |found: Result<(), OpenError>| {
        assert!(matches!(found, Err(OpenError::InUse { .. })), "{found:?}");
    };
    in_use(builder().lock_wait(Duration::ZERO).open(&path).map(drop));
    in_use(compact_file(&path, "sessions", Duration::ZERO).map(drop));
    drop(first);
    drop(second);
    let store = builder().open(&path).unwrap();
    in_use(open(&path).map(drop));

    // A reader that waits comes in when the store is closed.
    let waits = {
        let path = path.clone();
        std::thread::spawn(move || FileReader::open(path, "sessions", Duration::from_secs(60)))
    };
    store.close().await;
    assert_eq!(waits.join().unwrap().unwrap().count().unwrap(), 501);
}

#[tokio::test]
async fn compacting_gives_room_back_and_keeps_everything() {
    let (_directory, path) = filled().await;
    let store = builder().open(&path).unwrap();
    store.delete_user(&user("ann"), &[id(7)]).await.unwrap();
    store.close().await;

    let compacted = compact_file(&path, "sessions", Duration::ZERO).unwrap();

    assert!(compacted.after < compacted.before, "{compacted:?}");
    assert_eq!(compacted.after, fs::metadata(&path).unwrap().len());
    let mut left = [id(7), id(500)];
    left.sort();
    assert_eq!(walked(&open(&path).unwrap(), 10), left);
    assert!(verify_file(&path, "sessions", None).unwrap().is_clean());
    let store = builder().open(&path).unwrap();
    assert!(store.fetch(id(7), at(0)).await.unwrap().is_some());
}
