//! Deletions of more sessions than one transaction deletes: they end in one step, which no crash and
//! no failure takes apart, and their records are deleted later.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::io::ErrorKind;
use std::num::NonZeroU32;

use futures_executor::block_on;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use sessionup_core::store::{LimitPolicy, SessionLimit};
use sessionup_core::{Change, CreateOptions, SecretHash, Store, StoreError};
use sessionup_redb::{FileReader, RedbStore, RedbStoreBuilder, verify_database};
use support::{
    ABOUT, At, Disk, Fault, SESSIONS, assert_whole, at, begin, create, create_many, id, insist,
    is_there, listed, record, user,
};

const TOMBSTONES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("sessions/tombstones");

/// Deletions of more than two sessions are large.
fn builder() -> RedbStoreBuilder {
    support::builder().deleted_at_once(2)
}

/// How many records and tombstones there are, and the format.
fn lying(disk: &Disk) -> (u64, u64, u64) {
    let database = disk.image().database().unwrap();
    let transaction = database.begin_read().unwrap();
    let records = transaction.open_table(SESSIONS).unwrap().len().unwrap();
    let tombstones = transaction
        .open_table(TOMBSTONES)
        .map_or(0, |table| table.len().unwrap());
    let about = transaction.open_table(ABOUT).unwrap();
    let format = ReadableTable::get(&about, "format").unwrap().unwrap();
    (records, tombstones, format.value())
}

/// Waits until all records are deleted that tombstones have ended.
fn until_swept(disk: &Disk) {
    while lying(disk).1 > 0 {
        std::thread::yield_now();
    }
}

async fn delete_user(store: &RedbStore, key: &str, except: &[u64]) -> u64 {
    let except: Vec<_> = except.iter().map(|number| id(*number)).collect();
    let deleted = store.delete_user(&user(key), &except).await;
    deleted.unwrap().deleted
}

#[tokio::test]
async fn delete_user_of_many_ends_all_but_excepted() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..11, "ann").await;
    create_many(&store, 11..13, "bob").await;
    assert!(is_there(&store, 4).await, "its record is in memory");

    assert_eq!(delete_user(&store, "ann", &[3, 3, 12, 99]).await, 9);

    assert_eq!(listed(&store, "ann").await, [id(3)]);
    assert_eq!(listed(&store, "bob").await, [id(11), id(12)]);
    assert!(!is_there(&store, 4).await);
    let touched = store.update(id(5), Change::touch(at(7)), at(7)).await;
    assert!(touched.unwrap().is_none());
    assert!(!store.delete(id(6), None).await.unwrap());
    assert!(!store.delete(id(6), Some(&user("ann"))).await.unwrap());
    assert_eq!(delete_user(&store, "ann", &[3]).await, 0);
    assert_eq!(store.prune(at(0), 99).await.unwrap().deleted, 0);
    until_swept(&disk);
    assert_eq!(lying(&disk).0, 3);
    assert_whole(&disk.image().database().unwrap());
    assert!(store.verify(None).await.unwrap().is_clean());
    assert_eq!(delete_user(&store, "ann", &[]).await, 1);
}

#[tokio::test]
async fn delete_all_of_many_ends_all() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..8, "ann").await;
    create_many(&store, 8..11, "bob").await;
    assert_eq!(delete_user(&store, "ann", &[1]).await, 6);
    create(&store, 20, "ann").await.unwrap();

    assert_eq!(store.delete_all().await.unwrap(), 5);
    create(&store, 21, "ann").await.unwrap();

    assert_eq!(listed(&store, "ann").await, [id(21)]);
    assert_eq!(listed(&store, "bob").await, []);
    assert!(!is_there(&store, 8).await);
    assert_eq!(store.delete_all().await.unwrap(), 1);
    until_swept(&disk);
    assert_eq!(lying(&disk).0, 0);
    assert!(store.verify(None).await.unwrap().is_clean());
}

#[tokio::test]
async fn delete_others_of_many_keeps_the_changed_one() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..11, "ann").await;
    let (old, new) = ([7; 32], [8; 32]);
    let ann = user("ann");
    let renew = |from, to| Change::renew(SecretHash::from_bytes(from), SecretHash::from_bytes(to));
    let others = |id, change| store.delete_others(&ann, id, change, at(0));

    let deleted = others(id(3), renew(old, new)).await.unwrap();

    assert_eq!(deleted.deleted, 9);
    let kept = deleted.kept.unwrap();
    assert_eq!(kept.secret_hash, SecretHash::from_bytes(new));
    assert_eq!(store.fetch(id(3), at(0)).await.unwrap(), Some(kept));
    assert_eq!(listed(&store, "ann").await, [id(3)]);
    until_swept(&disk);
    assert!(is_there(&store, 3).await);

    create_many(&store, 11..20, "ann").await;
    let deleted = others(id(3), renew(old, new)).await.unwrap();
    assert_eq!(
        (deleted.deleted, deleted.kept),
        (10, None),
        "the secret was another one"
    );
    assert_eq!(listed(&store, "ann").await, []);
}

#[tokio::test]
async fn format_is_raised_while_there_are_tombstones() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..11, "ann").await;
    disk.remember();
    assert_eq!(delete_user(&store, "ann", &[]).await, 10);
    let formats: Vec<_> = disk.remembered().iter().map(lying).collect();
    let with_tombstone = formats.iter().find(|(_, tombstones, _)| *tombstones > 0);
    assert_eq!(with_tombstone, Some(&(10, 1, 4)), "older programs keep off");
    until_swept(&disk);
    store.close().await;
    assert_eq!(lying(&disk), (0, 0, 1));
}

/// Whatever the moment of the crash: all have ended or none, and those that are kept are there.
#[test]
fn crash_after_any_sync_shows_no_part_of_a_deletion() {
    for except in [&[][..], &[3]] {
        let disk = Disk::default();
        let store = disk.store_with(builder());
        block_on(create_in_a_row(&store, 1..300, "ann"));
        disk.remember();
        let deleted = block_on(delete_user(&store, "ann", except));
        assert_eq!(deleted, 299 - except.len() as u64);
        until_swept(&disk);
        let images = disk.remembered();
        let mut outcomes = Vec::new();
        for image in images {
            let partly = lying(&image);
            let store = image.store_with(builder());
            let left = block_on(listed(&store, "ann"));
            let is_done = left == ids(except);
            assert!(is_done || left.len() == 299, "{partly:?}: {}", left.len());
            outcomes.push((is_done, partly.0));
            block_on(create(&store, 500, "ann")).unwrap();
            assert!(block_on(is_there(&store, 500)));
            until_swept(&image);
            assert_eq!(block_on(listed(&store, "ann")).len(), left.len() + 1);
        }
        let is_in_between = |(is_done, records): &(bool, u64)| *is_done && *records > 100;
        assert!(outcomes.iter().any(is_in_between), "{outcomes:?}");
    }
}

fn ids(numbers: &[u64]) -> Vec<sessionup_core::SessionId> {
    numbers.iter().map(|number| id(*number)).collect()
}

/// The commit fails, and nobody knows whether it happened.
#[test]
fn deletion_of_unknown_outcome_refuses_all_but_excepted() {
    let mut unknown = 0;
    for after in 0..12 {
        let disk = Disk::default();
        let store = disk.store_with(builder());
        block_on(async {
            for number in 1..9 {
                create(&store, number, "ann").await.unwrap();
                assert!(is_there(&store, number).await);
            }
            create(&store, 20, "bob").await.unwrap();
        });
        disk.fail(Fault {
            after,
            ..Fault::once(At::Any, ErrorKind::Other)
        });
        let deleted = block_on(store.delete_user(&user("ann"), &[id(3)]));
        let fetch = |number| block_on(insist(async || store.fetch(id(number), at(0)).await));
        assert!(fetch(3).is_some(), "after {after}");
        assert!(fetch(20).is_some(), "after {after}");
        let is_refused = match deleted {
            Ok(deleted) => {
                assert_eq!(deleted.deleted, 7);
                true
            }
            Err(StoreError::OutcomeUnknown { .. }) => {
                unknown += 1;
                true
            }
            Err(_) => false,
        };
        for number in [1, 2, 4, 8] {
            assert_eq!(fetch(number).is_none(), is_refused, "after {after}");
        }
        let list = block_on(insist(async || store.list(&user("ann"), at(0)).await));
        assert_eq!(list.len(), if is_refused { 1 } else { 8 }, "after {after}");
        // Once a write has succeeded, nothing is in doubt.
        while block_on(create(&store, 30, "ann")).is_err() {
            std::thread::yield_now();
        }
        drop(store);
        let store = disk.store_with(builder());
        let left = block_on(listed(&store, "ann")).len();
        assert_eq!(left, if is_refused { 2 } else { 9 }, "after {after}");
    }
    assert!(unknown > 0, "no commit failed");
}

#[tokio::test]
async fn id_of_an_ended_session_is_free() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..9, "ann").await;
    disk.shut_gate();
    let mut deleting = begin(store.delete_all());
    let mut creating = begin(create(&store, 4, "bob"));
    disk.open_gate();
    assert_eq!(deleting.as_mut().await.unwrap(), 8);
    creating.as_mut().await.unwrap();

    assert_eq!(listed(&store, "bob").await, [id(4)]);
    assert_eq!(listed(&store, "ann").await, []);
    until_swept(&disk);
    assert!(is_there(&store, 4).await);
    assert_whole(&disk.image().database().unwrap());
}

#[tokio::test]
async fn ended_sessions_count_not_against_the_limit() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    create_many(&store, 1..9, "ann").await;
    assert_eq!(delete_user(&store, "ann", &[]).await, 8);
    let two = SessionLimit::new(NonZeroU32::new(2).unwrap(), LimitPolicy::Refuse);
    let options = CreateOptions::default().limited(Some(two));
    for number in [11, 12] {
        let created = store.create(record(number, "ann"), options, at(0)).await;
        assert_eq!(created.unwrap().evicted, []);
    }
    let third = store.create(record(13, "ann"), options, at(0)).await;
    assert!(
        matches!(third, Err(StoreError::LimitReached { .. })),
        "{third:?}"
    );
}

/// What the file holds right after the deletion is read by everything that reads files.
#[test]
fn readers_of_files_skip_ended_sessions() {
    let disk = Disk::default();
    let store = disk.store_with(builder());
    block_on(create_in_a_row(&store, 1..9, "ann"));
    block_on(create_in_a_row(&store, 9..11, "bob"));
    disk.remember();
    assert_eq!(block_on(delete_user(&store, "ann", &[3])), 7);
    let images = disk.remembered();
    let image = images.iter().find(|image| lying(image).1 > 0).unwrap();
    assert_eq!(lying(image).0, 10, "nothing is deleted yet");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    image.copy_to(&path);
    let reader = FileReader::open(&path, "sessions", std::time::Duration::ZERO).unwrap();
    assert_eq!(reader.count().unwrap(), 3);
    assert_eq!(reader.of_user(&user("ann")).unwrap().len(), 1);
    let all = reader.after(None, 2).unwrap();
    let found: Vec<_> = all.iter().map(|(id, _)| *id).collect();
    assert_eq!(found, [id(3), id(9)]);
    assert!(reader.find(id(4)).unwrap().is_none());
    assert!(reader.find(id(3)).unwrap().is_some());
    drop(reader);
    let report = verify_database(&image.database().unwrap(), "sessions", None).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.sessions, report.users), (3, 2));

    // The next store goes on with deleting.
    let store = image.store_with(builder());
    assert_eq!(block_on(listed(&store, "ann")), [id(3)]);
    assert_eq!(block_on(delete_user(&store, "ann", &[])), 1);
    until_swept(image);
    assert_eq!(lying(image).0, 2);
}

async fn create_in_a_row(store: &RedbStore, numbers: std::ops::Range<u64>, key: &str) {
    for number in numbers {
        create(store, number, key).await.unwrap();
    }
}
