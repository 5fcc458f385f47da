//! The check of a bucket: what it finds, and that it changes nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use redb::backends::InMemoryBackend;
use redb::{Database, WriteTransaction};
use sessionup_core::{Change, SessionId, Store, StoreError};
use sessionup_redb::{Finding, OpenError, RedbStore, Report, verify_database, verify_file};
use support::{
    ABOUT, BY_EXPIRY, BY_USER, Disk, Fault, SESSIONS, at, builder, create, create_many, id, user,
};

fn database() -> Arc<Database> {
    let backend = InMemoryBackend::new();
    Arc::new(Database::builder().create_with_backend(backend).unwrap())
}

/// Sessions 1 to 3 of ann and 4 of bob, filed under step 15.
async fn store_on(database: &Arc<Database>) -> RedbStore {
    let store = builder().on(Arc::clone(database)).unwrap();
    create_many(&store, 1..4, "ann").await;
    create(&store, 4, "bob").await.unwrap();
    // With all entered in the index of users.
    store.close().await;
    builder().on(Arc::clone(database)).unwrap()
}

const STEP: i64 = 1_000_000 >> 16;

fn edit(database: &Database, edit: impl FnOnce(&WriteTransaction)) {
    let transaction = database.begin_write().unwrap();
    edit(&transaction);
    transaction.commit().unwrap();
}

fn list(transaction: &WriteTransaction, user: &str, id: SessionId) {
    let mut by_user = transaction.open_table(BY_USER).unwrap();
    by_user
        .insert((user.as_bytes(), id.as_bytes()), ())
        .unwrap();
}

fn unlist(transaction: &WriteTransaction, user: &str, id: SessionId) {
    let mut by_user = transaction.open_table(BY_USER).unwrap();
    let removed = by_user.remove((user.as_bytes(), id.as_bytes())).unwrap();
    assert!(removed.is_some());
}

fn file(transaction: &WriteTransaction, step: i64, id: SessionId) {
    let mut by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
    by_expiry.insert((step, id.as_bytes()), ()).unwrap();
}

fn unfile(transaction: &WriteTransaction, step: i64, id: SessionId) {
    let mut by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
    let removed = by_expiry.remove((step, id.as_bytes())).unwrap();
    assert!(removed.is_some());
}

fn about(transaction: &WriteTransaction) -> redb::Table<'_, &'static str, u64> {
    transaction.open_table(ABOUT).unwrap()
}

fn overwrite(transaction: &WriteTransaction, id: SessionId, bytes: &[u8]) {
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    sessions.insert(id.as_bytes(), bytes).unwrap();
}

fn bytes_of(transaction: &WriteTransaction, id: SessionId) -> Vec<u8> {
    let sessions = transaction.open_table(SESSIONS).unwrap();
    let bytes = redb::ReadableTable::get(&sessions, id.as_bytes());
    bytes.unwrap().unwrap().value().to_vec()
}

#[tokio::test]
async fn whole_bucket_is_counted_and_clean() {
    let database = database();
    let store = store_on(&database).await;
    store
        .update(id(1), Change::touch(at(5)), at(5))
        .await
        .unwrap();

    let mut expected = Report::default();
    expected.sessions = 4;
    expected.users = 2;
    assert_eq!(store.verify(None).await.unwrap(), expected);
    assert_eq!(store.verify(Some(at(999_999))).await.unwrap(), expected);
    assert_eq!(
        verify_database(&*database, "sessions", None).unwrap(),
        expected
    );
    expected.expired = 4;
    assert_eq!(store.verify(Some(at(1_000_000))).await.unwrap(), expected);
    assert!(expected.is_clean());
    assert_eq!(
        expected.to_string(),
        "4 sessions of 2 users, nothing is wrong"
    );
}

#[tokio::test]
async fn each_kind_of_damage_is_found() {
    type Damage = fn(&WriteTransaction);
    let cases: [(&str, Damage, Vec<Finding>); 12] = [
        (
            "altered record",
            |transaction| {
                let mut bytes = bytes_of(transaction, id(1));
                *bytes.last_mut().unwrap() ^= 1;
                overwrite(transaction, id(1), &bytes);
            },
            vec![damaged(1)],
        ),
        (
            "record of another id",
            |transaction| overwrite(transaction, id(1), &bytes_of(transaction, id(2))),
            vec![damaged(1)],
        ),
        (
            "record twice, under an id of its own the second time",
            |transaction| overwrite(transaction, id(9), &bytes_of(transaction, id(2))),
            vec![damaged(9)],
        ),
        (
            "no entry of the user",
            |transaction| unlist(transaction, "ann", id(1)),
            vec![Finding::NotListed { id: id(1) }],
        ),
        (
            "entry of a user without record",
            |transaction| list(transaction, "ann", id(9)),
            vec![Finding::ListedWithoutRecord { id: id(9) }],
        ),
        (
            "entry of another user, whose key begins as the right one",
            |transaction| list(transaction, "annn", id(1)),
            vec![Finding::ListedForAnother { id: id(1) }],
        ),
        (
            "no entry under the step",
            |transaction| unfile(transaction, STEP, id(1)),
            vec![Finding::NotFiled {
                id: id(1),
                step: STEP,
            }],
        ),
        (
            "entry under a step without record",
            |transaction| file(transaction, 3, id(9)),
            vec![Finding::FiledWithoutRecord { id: id(9), step: 3 }],
        ),
        (
            "entry under another step too",
            |transaction| file(transaction, STEP + 1, id(1)),
            vec![Finding::FiledElsewhere {
                id: id(1),
                step: STEP + 1,
            }],
        ),
        (
            "record gone",
            |transaction| {
                let mut sessions = transaction.open_table(SESSIONS).unwrap();
                sessions.remove(id(1).as_bytes()).unwrap();
            },
            vec![
                Finding::ListedWithoutRecord { id: id(1) },
                Finding::FiledWithoutRecord {
                    id: id(1),
                    step: STEP,
                },
            ],
        ),
        (
            "mark of the unlisted gone",
            |transaction| drop(about(transaction).insert("format", 2).unwrap()),
            vec![Finding::DamagedMark],
        ),
        (
            "mark of the unlisted altered, and one is missing",
            |transaction| {
                about(transaction).insert("format", 2).unwrap();
                about(transaction).insert("unlisted_from", 7).unwrap();
                unlist(transaction, "ann", id(1));
            },
            vec![Finding::DamagedMark],
        ),
    ];
    for (name, damage, expected) in cases {
        let database = database();
        let store = store_on(&database).await;
        edit(&database, damage);
        let report = store.verify(None).await.unwrap();
        assert_eq!(report.findings(), expected, "{name}");
        assert_eq!(report.wrong, expected.len() as u64, "{name}");
        assert!(!report.is_clean(), "{name}");
        for finding in expected {
            let text = finding.to_string();
            let names_it = text.starts_with("session ");
            assert!(names_it || finding == Finding::DamagedMark, "{text}");
            assert!(!text.contains("ann"), "{text} names a user");
        }
    }
}

fn damaged(number: u64) -> Finding {
    Finding::DamagedRecord {
        id: id(number),
        reason: "check value does not match: the record was altered or lies under another id"
            .to_owned(),
    }
}

/// A deadline that is moved back without filing the record anew: the record is built by the store
/// for a later deadline and its head altered, with a check value that fits.
#[tokio::test]
async fn record_that_is_filed_too_late_is_found() {
    let database = database();
    let store = store_on(&database).await;
    edit(&database, |transaction| {
        let mut bytes = bytes_of(transaction, id(1));
        // The deadline lies in the head, which begins at 11, at 40.
        bytes[51..59].copy_from_slice(&70_000_i64.to_le_bytes());
        let place = [id(1).as_bytes().as_slice(), &bytes[..3]].concat();
        let seed = twox_hash::XxHash3_64::oneshot(&place);
        let check = twox_hash::XxHash3_64::oneshot_with_seed(seed, &bytes[11..]);
        bytes[3..11].copy_from_slice(&check.to_le_bytes());
        overwrite(transaction, id(1), &bytes);
    });
    let report = store.verify(Some(at(70_000))).await.unwrap();
    let expected = Finding::FiledTooLate {
        id: id(1),
        step: STEP,
        due: 1,
    };
    assert_eq!(report.findings(), [expected]);
    assert_eq!(report.expired, 1);
}

#[tokio::test]
async fn findings_are_bounded_and_all_are_counted() {
    let database = database();
    let store = store_on(&database).await;
    let many = Report::MAX_FINDINGS as u64 + 5;
    edit(&database, |transaction| {
        for number in 0..many {
            list(transaction, "cid", id(1_000 + number));
        }
    });
    let report = store.verify(None).await.unwrap();
    assert_eq!(report.wrong, many);
    assert_eq!(report.findings().len(), Report::MAX_FINDINGS);
    assert_eq!(
        report.to_string(),
        "4 sessions of 3 users, 1005 things are wrong"
    );
}

#[test]
fn what_is_no_bucket_is_an_error() {
    let database = database();
    let missing = verify_database(&*database, "sessions", None);
    assert!(
        matches!(missing, Err(OpenError::Damaged { .. })),
        "{missing:?}"
    );
    drop(builder().on(Arc::clone(&database)).unwrap());
    edit(&database, |transaction| {
        let mut about = transaction.open_table(ABOUT).unwrap();
        about.insert("format", 5).unwrap();
    });
    let newer = verify_database(&*database, "sessions", None);
    assert!(
        matches!(newer, Err(OpenError::NewerFormat { .. })),
        "{newer:?}"
    );
    let name = verify_database(&*database, "", None);
    assert!(
        matches!(name, Err(OpenError::InvalidBucket { .. })),
        "{name:?}"
    );
}

#[tokio::test]
async fn store_that_cannot_read_says_so() {
    let disk = Disk::default();
    disk.without_cache();
    let store = disk.store();
    create_many(&store, 0..100, "ann").await;
    disk.fail(Fault {
        after: 10,
        ..Fault::once(support::At::Read, std::io::ErrorKind::TimedOut)
    });
    let report = store.verify(None).await;
    assert!(
        matches!(report, Err(StoreError::Unavailable { .. })),
        "{report:?}"
    );
    support::until_available(&store).await;
    assert!(store.verify(None).await.unwrap().is_clean());
    assert_eq!(disk.opens(), 2);
    store.close().await;
    let closed = store.verify(None).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}

#[tokio::test]
async fn closed_file_is_checked_and_not_one_byte_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    let verify = || verify_file(&path, "sessions", Some(at(1_000_000)));
    let missing = verify();
    assert!(
        matches!(missing, Err(OpenError::NotADatabase { .. })),
        "{missing:?}"
    );
    fs::write(&path, "").unwrap();
    let empty = verify();
    assert!(
        matches!(empty, Err(OpenError::EmptyFile { .. })),
        "{empty:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), b"");

    let store = builder().open(&path).unwrap();
    create_many(&store, 0..500, "ann").await;
    let in_use = verify();
    assert!(matches!(in_use, Err(OpenError::InUse { .. })), "{in_use:?}");
    // What is there if the power goes now.
    let crashed = directory.path().join("crashed.redb");
    fs::copy(&path, &crashed).unwrap();
    store.close().await;

    for path in [&path, &crashed] {
        let before = fs::read(path).unwrap();
        let report = verify_file(path, "sessions", Some(at(1_000_000))).unwrap();
        assert!(report.is_clean(), "{path:?} {:?}", report.findings());
        assert_eq!((report.sessions, report.expired), (500, 500));
        assert!(fs::read(path).unwrap() == before, "{path:?} was changed");
    }
    drop(builder().open(&crashed).unwrap());
    assert!(verify_file(&crashed, "sessions", None).unwrap().is_clean());
}

#[tokio::test]
async fn check_of_a_store_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let store = builder()
        .lock_wait(Duration::ZERO)
        .open(directory.path().join("sessions.redb"))
        .unwrap();
    create_many(&store, 0..500, "ann").await;
    let others = async {
        assert!(store.delete(id(1), None).await.unwrap());
        create(&store, 1_000, "bob").await.unwrap();
        store.delete_user(&user("ann"), &[]).await.unwrap();
    };
    let (checked, ()) = tokio::join!(biased; store.verify(None), others);
    assert!(checked.unwrap().is_clean());
    let after = store.verify(None).await.unwrap();
    assert_eq!((after.sessions, after.users), (1, 1));
}
