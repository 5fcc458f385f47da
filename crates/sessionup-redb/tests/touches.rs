//! Uses of sessions: seen at once, written together, and never more than a use.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use sessionup_core::{Change, CreateOptions, Record, SecretHash, Store};
use sessionup_redb::RedbStore;
use support::{Disk, at, begin, builder, create, create_many, id, session, until, user};

async fn touch(store: &RedbStore, number: u64, millis: i64) -> Option<i64> {
    let touched = store.update(id(number), Change::touch(at(millis)), at(millis));
    let record = touched.await.unwrap()?;
    Some(record.session.last_seen_at.as_millis())
}

async fn seen(store: &RedbStore, number: u64, millis: i64) -> Option<i64> {
    let record = store.fetch(id(number), at(millis)).await.unwrap()?;
    Some(record.session.last_seen_at.as_millis())
}

#[tokio::test]
async fn many_uses_cost_one_commit() {
    let disk = Disk::default();
    let store = disk.store();
    create_many(&store, 0..50, "ann").await;
    let before = disk.syncs();
    for number in 0..50 {
        for millis in [10, 30, 20] {
            touch(&store, number, millis).await.unwrap();
        }
    }
    assert_eq!(disk.syncs(), before);
    let records = store.list(&user("ann"), at(30)).await.unwrap();
    assert!(
        records
            .iter()
            .all(|record| record.session.last_seen_at == at(30))
    );

    create(&store, 50, "bob").await.unwrap();
    let after = disk.syncs();
    assert!(after - before <= 3, "{} syncs", after - before);
    assert_eq!(seen(&store, 49, 30).await, Some(30));
    store.close().await;
    assert_eq!(seen(&disk.store(), 49, 30).await, Some(30));
}

#[tokio::test]
async fn use_is_written_when_it_is_due_though_nobody_asks() {
    let disk = Disk::default();
    let store = disk.store_with(builder().touch_delay(Duration::from_millis(1)));
    create(&store, 1, "ann").await.unwrap();
    let before = disk.syncs();
    touch(&store, 1, 10).await.unwrap();
    until("the use is written", async || disk.syncs() > before).await;
    assert_eq!(seen(&store, 1, 10).await, Some(10));
}

#[tokio::test]
async fn use_after_use_keeps_an_idle_session_alive_before_and_after_it_is_written() {
    let disk = Disk::default();
    let store = disk.store();
    let mut idle = session(1, "ann");
    idle.idle_timeout = Some(Duration::from_millis(10));
    let record = Record::new(idle, SecretHash::from_bytes([0; 32]));
    let created = store.create(record, CreateOptions::default(), at(0));
    created.await.unwrap();

    for millis in (9..900).step_by(9) {
        assert_eq!(touch(&store, 1, millis).await, Some(millis));
    }
    assert_eq!(seen(&store, 1, 900).await, Some(891));
    // Written; what the table held before would be long expired.
    create(&store, 2, "bob").await.unwrap();
    assert_eq!(seen(&store, 1, 900).await, Some(891));
    assert_eq!(seen(&store, 1, 901).await, None);
    assert_eq!(touch(&store, 1, 901).await, None);
}

#[tokio::test]
async fn use_of_a_session_that_is_gone_makes_nothing() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    touch(&store, 1, 10).await.unwrap();
    assert!(store.delete(id(1), None).await.unwrap());
    assert_eq!(touch(&store, 1, 20).await, None);
    assert_eq!(touch(&store, 2, 20).await, None);

    // Nor does it stick to a later session of the same id.
    create(&store, 1, "ann").await.unwrap();
    assert_eq!(seen(&store, 1, 20).await, Some(0));
    store.close().await;
    assert_eq!(seen(&disk.store(), 1, 20).await, Some(0));
}

#[tokio::test]
async fn use_and_change_at_once_keep_both() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    touch(&store, 1, 10).await.unwrap();
    let mut change = Change::default();
    change.expires_at = Some(at(500));
    let changed = store.update(id(1), change, at(10)).await.unwrap().unwrap();
    assert_eq!(changed.session.last_seen_at, at(10));
    assert_eq!(changed.session.expires_at, at(500));
    assert_eq!(seen(&store, 1, 20).await, Some(10));
}

/// Keeps the thread that wakes somebody until it is told to go on.
struct Hold {
    is_woken: mpsc::Sender<()>,
    goes_on: Mutex<mpsc::Receiver<()>>,
}

impl Wake for Hold {
    fn wake(self: Arc<Self>) {
        self.is_woken.send(()).unwrap();
        // The other end is dropped if the test failed.
        let _ = self.goes_on.lock().unwrap().recv();
    }
}

#[tokio::test]
async fn use_does_not_stick_to_a_later_session_that_begins_and_changes_in_one_commit() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    let (is_woken, woken) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let goes_on = Mutex::new(goes_on);
    let waker = Waker::from(Arc::new(Hold { is_woken, goes_on }));
    // Answered by no writer, however fast, before there is somebody to wake.
    disk.shut_gate();
    let mut first = Box::pin(create(&store, 2, "bob"));
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    disk.open_gate();
    woken.recv().unwrap();

    // The writer is held up between two commits, so all three wait for the next one.
    assert_eq!(touch(&store, 1, 10).await, Some(10));
    let ending = begin(store.delete(id(1), None));
    let beginning = begin(create(&store, 1, "ann"));
    let mut change = Change::default();
    change.expires_at = Some(at(500));
    let changing = begin(store.update(id(1), change, at(20)));
    go_on.send(()).unwrap();

    assert!(ending.await.unwrap());
    beginning.await.unwrap();
    let changed = changing.await.unwrap().unwrap();
    assert_eq!(changed.session.last_seen_at, at(0));
    assert_eq!(seen(&store, 1, 20).await, Some(0));
    store.close().await;
    assert_eq!(seen(&disk.store(), 1, 20).await, Some(0));
}
