//! Lists: pages, what they cost, and that nobody waits for somebody else's list.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sessionup_core::{Change, CreateOptions, Kind, ListOptions, Record, SessionId, Store};
use sessionup_redb::RedbStore;
use support::{
    Disk, SESSIONS, at, begin, builder, create, create_many, id, is_there, record, user,
};

const MINUTE: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(future)
}

async fn touch(store: &RedbStore, number: u64, millis: i64) -> Option<i64> {
    let touched = store.update(id(number), Change::touch(at(millis)), at(millis));
    let record = touched.await.unwrap();
    record.map(|record| record.session.last_seen_at.as_millis())
}

fn of_kind(number: u64, key: &str, kind: Kind) -> Record {
    let mut record = record(number, key);
    record.session.kind = kind;
    record
}

fn limit(limit: usize) -> ListOptions {
    ListOptions::default().limit(NonZeroUsize::new(limit).unwrap())
}

/// Lists page after page; also says how many pages there were.
async fn pages(store: &RedbStore, key: &str, mut options: ListOptions) -> (Vec<SessionId>, usize) {
    let (mut ids, mut number) = (Vec::new(), 0);
    loop {
        let page = store.list_page(&user(key), options.clone(), at(0)).await;
        let page = page.unwrap();
        number += 1;
        assert!(page.records.len() <= options.limit.get());
        ids.extend(page.records.iter().map(|record| record.session.id));
        let Some(next) = page.next else { break };
        assert!(
            options.after.is_none_or(|after| next > after),
            "no progress"
        );
        options = options.after(next);
    }
    assert!(ids.is_sorted(), "{ids:?}");
    (ids, number)
}

/// What a store does for others while it waits for the disk in a list.
async fn work_of_others(store: RedbStore, millis: i64) {
    let used = Some(millis);
    assert_eq!(touch(&store, 11, millis).await, used, "a use at hand");
    assert!(is_there(&store, 11).await, "a session in memory");
    assert_eq!(touch(&store, 12, millis).await, used, "a use that is read");
    let found = store.fetch(id(12), at(millis)).await.unwrap().unwrap();
    assert_eq!(found.session.last_seen_at, at(millis), "a use that waits");
}

/// More uses than are copied for a list as they are.
const MANY: u64 = 300;

/// Uses so many sessions, of which nobody else knows. The next commit writes their uses.
async fn use_many(store: &RedbStore) {
    create_many(store, 1_000..1_000 + MANY, "dan").await;
    for number in 1_000..1_000 + MANY {
        assert_eq!(touch(store, number, 300).await, Some(300));
    }
}

/// Holds a list at each of its reads in turn.
fn others_go_on_while_a_list_is_held(cache_bytes: usize, has_many_uses: bool) {
    let disk = Disk::default();
    disk.without_cache();
    let settings = builder()
        .readers(NonZeroUsize::new(2).unwrap())
        .most_unlisted(9)
        .record_cache_bytes(cache_bytes);
    let store = disk.store_with(settings);
    let ann = user("ann");
    let list = || store.list_page(&ann, limit(100), at(0));
    run(async {
        for number in 101..=160 {
            create(&store, number, "ann").await.unwrap();
        }
        create(&store, 11, "bob").await.unwrap();
        create(&store, 12, "cid").await.unwrap();
        assert!(is_there(&store, 11).await);
        if has_many_uses {
            use_many(&store).await;
        }
        assert_eq!(touch(&store, 101, 400).await, Some(400));
    });
    disk.hold_read(u64::MAX);
    assert_eq!(run(list()).unwrap().records.len(), 60);
    let reads = disk.passed(u64::MAX);
    disk.release_read();
    assert!(reads >= 6, "{reads} reads show nothing");

    for after in 0..reads {
        disk.hold_read(after);
        let millis = 500 + i64::try_from(after).unwrap();
        let held = {
            let store = store.clone();
            thread::spawn(move || run(store.list_page(&user("ann"), limit(100), at(0))))
        };
        assert!(disk.wait_for_read(), "read {after} did not come");
        let (done, others) = mpsc::channel();
        let working = {
            let store = store.clone();
            thread::spawn(move || {
                run(work_of_others(store, millis));
                done.send(()).unwrap();
            })
        };
        let went_on = others.recv_timeout(MINUTE);
        disk.release_read();
        went_on.unwrap_or_else(|_| panic!("others waited for a list at its read {after}"));
        working.join().unwrap();
        let page = held.join().unwrap().unwrap();
        assert_eq!(page.records.len(), 60);
        assert_eq!(page.records[0].session.last_seen_at, at(400));
    }
}

#[test]
fn requests_while_list_waits_for_disk_go_on() {
    others_go_on_while_a_list_is_held(1 << 20, false);
}

#[test]
fn requests_without_memory_while_list_waits_go_on() {
    others_go_on_while_a_list_is_held(0, false);
}

#[test]
fn requests_while_list_among_many_uses_waits_go_on() {
    others_go_on_while_a_list_is_held(1 << 20, true);
}

/// Of the page's own sessions and no others, uses are copied by id.
#[tokio::test]
async fn list_page_beside_many_uses_shows_each() {
    let store = Disk::default().store();
    create_many(&store, 1..10, "ann").await;
    use_many(&store).await;
    for number in 1..=9 {
        let used = i64::try_from(number).unwrap() * 10;
        assert_eq!(touch(&store, number, used).await, Some(used));
    }
    let page = store
        .list_page(&user("ann"), limit(4), at(0))
        .await
        .unwrap();
    let rest = limit(9).after(page.next);
    let rest = store.list_page(&user("ann"), rest, at(0)).await.unwrap();
    let records = page.records.iter().chain(&rest.records);
    let seen: Vec<_> = records
        .map(|record| record.session.last_seen_at.as_millis())
        .collect();
    assert_eq!(seen, [10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[tokio::test]
async fn list_page_of_any_limit_finds_each_once() {
    for most_unlisted in [0, 3, 100] {
        let disk = Disk::default();
        let store = disk.store_with(builder().most_unlisted(most_unlisted));
        for number in 1..=40 {
            let key = ["ann", "bob"][usize::from(number % 4 == 0)];
            create(&store, number, key).await.unwrap();
        }
        for number in [2, 9, 39] {
            assert!(store.delete(id(number), None).await.unwrap());
        }
        let expected: Vec<_> = (1..=40)
            .filter(|number| number % 4 != 0 && ![2, 9, 39].contains(number))
            .map(id)
            .collect();
        for at_most in [1, 2, 26, 27, 28, 1_000] {
            let (ids, _) = pages(&store, "ann", limit(at_most)).await;
            assert_eq!(ids, expected, "{at_most} of {most_unlisted}");
        }
        let after = limit(9).after(id(38));
        assert_eq!(pages(&store, "ann", after).await, (vec![], 1));
    }
}

/// Four entries for each record that is asked for.
#[tokio::test]
async fn list_page_among_other_kinds_looks_at_few() {
    let store = Disk::default().store();
    for number in 1..=100 {
        let guest = of_kind(number, "ann", Kind::GUEST);
        let created = store.create(guest, CreateOptions::default(), at(0));
        created.await.unwrap();
    }
    create(&store, 101, "ann").await.unwrap();
    let options = limit(5).kind(Kind::USER);
    let first = store.list_page(&user("ann"), options.clone(), at(0)).await;
    let first = first.unwrap();
    assert_eq!((first.records.len(), first.next), (0, Some(id(20))));
    assert_eq!(pages(&store, "ann", options).await, (vec![id(101)], 6));
}

#[tokio::test]
async fn list_page_reads_no_record_beyond_its_bound() {
    let disk = Disk::default();
    let store = disk.store();
    for number in 1..=9 {
        create(&store, number, "ann").await.unwrap();
    }
    store.close().await;
    damage(&disk, 9);
    let store = disk.store();
    let page = store.list_page(&user("ann"), limit(8), at(0)).await;
    assert_eq!(page.unwrap().next, Some(id(8)));
    let rest = limit(8).after(id(8));
    store
        .list_page(&user("ann"), rest, at(0))
        .await
        .unwrap_err();
}

/// Overwrites a record in a database that no store has open.
fn damage(disk: &Disk, number: u64) {
    let database = disk.database().unwrap();
    let transaction = database.begin_write().unwrap();
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    let damage = b"damage".as_slice();
    sessions.insert(id(number).as_bytes(), damage).unwrap();
    drop(sessions);
    transaction.commit().unwrap();
}

/// Between the fence around what changes and the end of the commit, who asks for a session reads its
/// table, where a list may have seen its end.
#[expect(clippy::future_not_send, reason = "it stays on the thread of its test")]
async fn memory_is_silent_during_a_deletion(is_large: bool) {
    let disk = Disk::default();
    disk.without_cache();
    let store = disk.store_with(builder().deleted_at_once(1));
    create_many(&store, 1..3, "ann").await;
    create(&store, 3, "bob").await.unwrap();
    let reads_of = async |number| {
        let before = disk.reads();
        is_there(&store, number).await;
        disk.reads() - before
    };
    for number in 1..=3 {
        assert!(reads_of(number).await > 0);
        assert_eq!(reads_of(number).await, 0, "it is not in memory");
    }

    let ann = user("ann");
    disk.shut_gate();
    let deleting = begin(async {
        if is_large {
            store.delete_user(&ann, &[]).await.unwrap().deleted
        } else {
            u64::from(store.delete(id(1), None).await.unwrap())
        }
    });
    disk.wait_for_sync();
    let reads = [reads_of(1).await, reads_of(3).await];
    disk.open_gate();
    assert_eq!(deleting.await, if is_large { 2 } else { 1 });
    assert!(reads[0] > 0, "memory answered during the commit");
    assert_eq!(reads[1], 0, "what does not change left memory");
    assert!(!is_there(&store, 1).await);
}

#[test]
fn fetch_while_delete_is_committed_reads_tables() {
    run(memory_is_silent_during_a_deletion(false));
}

#[test]
fn fetch_while_large_deletion_is_committed_reads_tables() {
    run(memory_is_silent_during_a_deletion(true));
}
