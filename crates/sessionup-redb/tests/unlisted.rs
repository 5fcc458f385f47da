//! Sessions that are not entered in the index of users yet are seen as all others are: while the
//! store runs, after a crash, and by whoever reads the file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_executor::block_on;
use futures_util::future::join_all;
use proptest::prelude::*;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use sessionup_core::store::{LimitPolicy, SessionLimit};
use sessionup_core::{
    Change, CreateOptions, MemoryStore, Record, SecretHash, Session, SessionId, Store, StoreError,
    UserKey,
};
use sessionup_redb::{FileReader, Finding, RedbStore, verify_file};
use support::{ABOUT, At, BY_USER, Disk, Fault, SESSIONS, at, builder, create, id, listed, user};

const NOON: u64 = 1_767_268_800_000;
/// Longer than sessions may wait.
const LONG: u64 = 1 << 35;
const USERS: [&str; 3] = ["ann", "annn", "bob"];

/// An id that begins with a time.
fn at_time(millis: u64, rest: u8) -> SessionId {
    let id = u128::from(millis) << 80 | u128::from(rest);
    SessionId::from_bytes(id.to_be_bytes())
}

/// Ids of a clock that goes on, goes back and jumps, and some that no clock made.
fn some_id(number: u8) -> SessionId {
    match number {
        0..40 => at_time(NOON + u64::from(number), number),
        40..44 => at_time(NOON - 100_000_000 * u64::from(number), number),
        44..48 => at_time(NOON + LONG - 60_002 + u64::from(number - 44), number),
        48..50 => at_time(NOON + 3 * LONG, number),
        _ => SessionId::from_bytes([number.wrapping_mul(37); 16]),
    }
}

#[derive(Clone, Debug)]
enum Act {
    Create {
        id: u8,
        user: usize,
        most: Option<u32>,
        replaces: Option<u8>,
    },
    Delete(u8),
    DeleteUser(usize, Option<u8>),
    Prune,
    Shorten(u8),
}

#[derive(Clone, Copy, Debug)]
enum After {
    GoesOn,
    Closes,
    Crashes,
    /// The disk fails once, so the store opens its database anew.
    Fails,
}

fn acts() -> impl Strategy<Value = Act> {
    let id = || prop_oneof![7 => 0..40_u8, 1 => 40..54_u8];
    let create = (
        id(),
        0..USERS.len(),
        proptest::option::weighted(0.2, 2..6_u32),
        proptest::option::weighted(0.2, id()),
    );
    prop_oneof![
        12 => create.prop_map(|(id, user, most, replaces)| Act::Create { id, user, most, replaces }),
        2 => id().prop_map(Act::Delete),
        1 => (0..USERS.len(), proptest::option::of(id())).prop_map(|(user, but)| Act::DeleteUser(user, but)),
        1 => Just(Act::Prune),
        1 => id().prop_map(Act::Shorten),
    ]
}

fn lives() -> impl Strategy<Value = Vec<(Vec<Act>, After)>> {
    let after = prop_oneof![
        5 => Just(After::GoesOn),
        1 => Just(After::Closes),
        2 => Just(After::Crashes),
        1 => Just(After::Fails),
    ];
    prop::collection::vec((prop::collection::vec(acts(), 1..5), after), 1..40)
}

fn new_record(id: SessionId, key: &str) -> Record {
    let mut session = Session::new(id, user(key), at(0), at(1_000_000));
    session.idle_timeout = Some(Duration::from_secs(600));
    Record::new(session, SecretHash::from_bytes([7; 32]))
}

/// Does it, and says what came of it.
async fn act(store: &impl Store, act: &Act) -> String {
    match *act {
        Act::Create {
            id,
            user,
            most,
            replaces,
        } => {
            let limit = most.map(|most| {
                let most = NonZeroU32::new(most).unwrap();
                SessionLimit::new(most, LimitPolicy::EvictOldest)
            });
            let options = CreateOptions::default()
                .limited(limit)
                .replacing(replaces.map(some_id));
            let record = new_record(some_id(id), USERS[user]);
            match store.create(record, options, at(10)).await {
                Ok(created) => format!("{created:?}"),
                Err(StoreError::DuplicateId) => "duplicate".to_owned(),
                Err(error) => panic!("{error:?}"),
            }
        }
        Act::Delete(id) => store.delete(some_id(id), None).await.unwrap().to_string(),
        Act::DeleteUser(of, but) => {
            let but: Vec<_> = but.map(some_id).into_iter().collect();
            let deleted = store.delete_user(&user(USERS[of]), &but).await;
            deleted.unwrap().deleted.to_string()
        }
        Act::Prune => {
            store.prune(at(500_000), usize::MAX).await.unwrap();
            String::new()
        }
        Act::Shorten(id) => {
            let mut change = Change::default();
            change.expires_at = Some(at(400_000));
            let shortened = store.update(some_id(id), change, at(10)).await;
            format!("{:?}", shortened.unwrap())
        }
    }
}

async fn all(store: &impl Store) -> BTreeMap<&'static str, Vec<Record>> {
    let mut all = BTreeMap::new();
    for key in USERS {
        let found = store.list(&user(key), at(10)).await.unwrap();
        all.insert(key, found.iter().map(|record| (**record).clone()).collect());
    }
    all
}

/// What others than the store read from its file.
fn assert_read_by_others(
    disk: &Disk,
    expected: &BTreeMap<&'static str, Vec<Record>>,
    findings: &[Finding],
) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy.redb");
    disk.copy_to(&path);
    let report = verify_file(&path, "sessions", None).unwrap();
    assert_eq!(report.findings(), findings);
    let records: usize = expected.values().map(Vec::len).sum();
    assert_eq!(report.sessions, records as u64);
    let users = expected.values().filter(|records| !records.is_empty());
    assert_eq!(report.users, users.count() as u64);
    let reader = FileReader::open(&path, "sessions", Duration::ZERO).unwrap();
    for (key, records) in expected {
        let found = reader.of_user(&user(key)).unwrap();
        let found: Vec<_> = found
            .into_iter()
            .map(|(id, record)| (id, record.is_ok()))
            .collect();
        let mut ids: Vec<_> = records.iter().map(|it| (it.session.id, true)).collect();
        ids.sort_unstable();
        assert_eq!(found, ids, "{key}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Against a store that has no index to fall behind.
    #[test]
    fn nobody_sees_who_waits(
        capacity in prop::sample::select(vec![0, 1, 4, 8]),
        lives in lives(),
    ) {
        let opening = || builder().most_unlisted(capacity);
        let model = MemoryStore::new();
        let mut disk = Disk::default();
        let mut store = disk.store_with(opening());
        block_on(async {
            for (acts, after) in lives {
                // Asked for in this order, and carried out with as few transactions as it comes.
                let answers = join_all(acts.iter().map(|it| act(&store, it))).await;
                for (it, answer) in acts.iter().zip(answers) {
                    assert_eq!(act(&model, it).await, answer, "{it:?}");
                }
                let expected = all(&model).await;
                assert_eq!(all(&store).await, expected);
                match after {
                    After::GoesOn => continue,
                    After::Closes => {
                        store.close().await;
                        assert!(is_complete(&disk));
                    }
                    After::Crashes => disk = disk.image(),
                    After::Fails => {
                        disk.fail(Fault::once(At::Sync, std::io::ErrorKind::Other));
                        let lost = create(&store, 7, "cid").await;
                        assert!(lost.is_err(), "{lost:?}");
                        support::until_available(&store).await;
                        assert_eq!(all(&store).await, expected);
                        continue;
                    }
                }
                store = disk.store_with(opening());
                assert_eq!(all(&store).await, expected);
                assert_read_by_others(&disk, &expected, &[]);
            }
        });
    }
}

fn about(disk: &Disk, name: &str) -> Option<u64> {
    let database = disk.image().database().unwrap();
    let about = database.begin_read().unwrap().open_table(ABOUT).unwrap();
    ReadableTable::get(&about, name)
        .unwrap()
        .map(|it| it.value())
}

fn set_about(disk: &Disk, name: &str, value: Option<u64>) {
    let database = disk.database().unwrap();
    let transaction = database.begin_write().unwrap();
    let mut about = transaction.open_table(ABOUT).unwrap();
    match value {
        Some(value) => drop(about.insert(name, value).unwrap()),
        None => drop(about.remove(name).unwrap()),
    }
    drop(about);
    transaction.commit().unwrap();
}

/// Whether each session is entered, and the file says so.
fn is_complete(disk: &Disk) -> bool {
    let says_so = about(disk, "format") == Some(1) && about(disk, "unlisted_from").is_none();
    says_so && entered(disk) == stored(disk)
}

fn entered(disk: &Disk) -> u64 {
    let database = disk.image().database().unwrap();
    let transaction = database.begin_read().unwrap();
    transaction.open_table(BY_USER).unwrap().len().unwrap()
}

fn stored(disk: &Disk) -> u64 {
    let database = disk.image().database().unwrap();
    let transaction = database.begin_read().unwrap();
    transaction.open_table(SESSIONS).unwrap().len().unwrap()
}

#[tokio::test]
async fn file_says_of_which_time_sessions_may_wait() {
    let disk = Disk::default();
    let store = disk.store();
    assert_eq!(about(&disk, "format"), Some(1));
    store
        .create(
            new_record(at_time(NOON, 1), "ann"),
            CreateOptions::default(),
            at(0),
        )
        .await
        .unwrap();
    assert_eq!(about(&disk, "format"), Some(2));
    let from = about(&disk, "unlisted_from").unwrap() >> 16;
    assert!((NOON - 60_000..=NOON).contains(&from), "{from}");
    assert_eq!(entered(&disk), 0);

    // What does not belong there is entered at once.
    for id in [at_time(NOON - 1_000_000, 2), at_time(NOON + LONG, 3)] {
        store
            .create(new_record(id, "ann"), CreateOptions::default(), at(0))
            .await
            .unwrap();
    }
    assert_eq!(listed(&store, "ann").await.len(), 3);
    assert!(entered(&disk) >= 2);
    store.close().await;
    assert!(is_complete(&disk));
}

/// Files of a version that entered each session at once.
#[tokio::test]
async fn file_of_format_1_is_read_and_written_as_before() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    store.close().await;
    assert!(is_complete(&disk));

    let store = disk.store();
    assert!(!store.delete(id(9), None).await.unwrap());
    assert_eq!(listed(&store, "ann").await, [id(1)]);
    assert_eq!(about(&disk, "format"), Some(1), "nothing is waiting");
    create(&store, 2, "ann").await.unwrap();
    assert_eq!(about(&disk, "format"), Some(2), "older programs keep off");
    let crashed = disk.image();
    assert_eq!(listed(&crashed.store(), "ann").await, [id(1), id(2)]);
}

/// It could be any session that is not entered.
#[tokio::test]
async fn damaged_entry_hides_no_session() {
    for damaged in [Some(0), Some(u64::MAX), None] {
        let disk = Disk::default();
        let store = disk.store();
        for number in 1..4 {
            create(&store, number, "ann").await.unwrap();
        }
        create(&store, 4, "bob").await.unwrap();
        let crashed = disk.image();
        set_about(&crashed, "unlisted_from", damaged);
        assert_read_by_others(&crashed, &all_of(&store).await, &[Finding::DamagedMark]);

        let store = crashed.store();
        assert_eq!(listed(&store, "ann").await, [id(1), id(2), id(3)]);
        create(&store, 5, "bob").await.unwrap();
        assert_eq!(listed(&store, "bob").await, [id(4), id(5)]);
        let crashed = crashed.image();
        assert_eq!(listed(&crashed.store(), "ann").await, [id(1), id(2), id(3)]);
        assert_eq!(listed(&crashed.store(), "bob").await, [id(4), id(5)]);
        store.close().await;
    }
}

async fn all_of(store: &RedbStore) -> BTreeMap<&'static str, Vec<Record>> {
    all(store).await
}

/// The user of one that cannot be read is not known, and all others are.
#[tokio::test]
async fn damaged_record_hides_no_other() {
    let disk = Disk::default();
    let store = disk.store();
    for number in 1..4 {
        create(&store, number, "ann").await.unwrap();
    }
    let crashed = disk.image();
    let database = crashed.database().unwrap();
    let transaction = database.begin_write().unwrap();
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    sessions.insert(id(2).as_bytes(), &b"?"[..]).unwrap();
    drop(sessions);
    transaction.commit().unwrap();
    drop(database);

    let store = crashed.store();
    assert_eq!(listed(&store, "ann").await, [id(1), id(3)]);
    let found = store.fetch(id(2), at(0)).await;
    assert!(matches!(found, Err(StoreError::CorruptRecord { .. })));
    assert!(store.delete(id(2), None).await.unwrap());
    store.prune(at(0), 9).await.unwrap();
    assert_eq!(listed(&store, "ann").await, [id(1), id(3)]);
}

/// In a file with more of them than are entered when it is closed.
#[tokio::test]
async fn so_many_that_closing_leaves_them() {
    let disk = Disk::default();
    let store = disk.store_with(builder().most_unlisted(1_000_000));
    for first in (0..5_000).step_by(1_000) {
        support::create_many(&store, first..first + 1_000, "ann").await;
    }
    store.close().await;
    assert_eq!(entered(&disk), 0);

    let store = disk.store();
    assert_eq!(listed(&store, "ann").await.len(), 5_000);
    assert_eq!(store.verify(None).await.unwrap().users, 1);
    let deleted = store.delete_user(&user("ann"), &[id(1)]).await.unwrap();
    assert_eq!(deleted.deleted, 4_999);
    assert_eq!(listed(&store, "ann").await, [id(1)]);
    store.close().await;
    assert!(is_complete(&disk));
}

fn spread(number: u64) -> UserKey {
    user(&format!(
        "{:016x}",
        (number % 4_000).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    ))
}

/// What it is for, counted at the disk.
#[tokio::test]
async fn logins_of_many_users_write_few_pages() {
    let disk = Disk::default();
    let store = disk.store();
    let create_from = |first: u64, count: u64| {
        let records = (first..first + count).map(|number| {
            let mut record = new_record(at_time(NOON + number, 0), "ann");
            record.session.user_key = spread(number);
            store.create(record, CreateOptions::default(), at(0))
        });
        join_all(records)
    };
    for first in (0..40_000).step_by(1_000) {
        for created in create_from(first, 1_000).await {
            created.unwrap();
        }
    }
    // All wait for the first one, and go together. Entered at once they would write some 100.
    disk.shut_gate();
    let first = support::begin(create(&store, 9, "bob"));
    disk.wait_for_sync();
    let before = disk.writes();
    let together = support::begin(create_from(40_000, 64));
    disk.open_gate();
    for created in together.await {
        created.unwrap();
    }
    first.await.unwrap();
    let written = disk.writes() - before;
    assert!(written < 64, "{written} writes for 64 sessions");
}
