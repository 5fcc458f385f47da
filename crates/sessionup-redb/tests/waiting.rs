//! What waits for the writer: room, callers that go away, closing, and a writer that panics.

#![allow(clippy::unwrap_used)]

mod support;

use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};

use sessionup_core::{Change, Store, StoreError};
use sessionup_redb::RedbStore;
use support::{
    At, Disk, Fault, assert_whole, at, begin, builder, create, id, is_there, listed, poll, user,
};

/// A store whose writer waits at the disk, with a create on its way.
macro_rules! blocked {
    ($disk:ident, $store:ident, $first:ident) => {
        let $disk = Disk::default();
        let queue = NonZeroUsize::new(2).unwrap();
        let $store = $disk.store_with(builder().queue(queue));
        $disk.shut_gate();
        let $first = begin(create(&$store, 1, "ann"));
        $disk.wait_for_sync();
    };
}

#[tokio::test]
async fn full_queue_refuses_creates_at_once_and_takes_revocations() {
    blocked!(disk, store, first);
    let second = begin(create(&store, 2, "ann"));
    let third = begin(create(&store, 3, "ann"));

    let refused = create(&store, 4, "ann").await;
    assert!(
        matches!(refused, Err(StoreError::Overloaded)),
        "{refused:?}"
    );
    let refused = store.update(id(1), Change::default(), at(0)).await;
    assert!(
        matches!(refused, Err(StoreError::Overloaded)),
        "{refused:?}"
    );
    let ann = user("ann");
    let deletes: Vec<_> = (0..15)
        .map(|_| begin(store.delete(id(2), Some(&ann))))
        .collect();
    let delete_user = begin(store.delete_user(&ann, &[]));
    let refused = store.delete(id(2), None).await;
    assert!(
        matches!(refused, Err(StoreError::Overloaded)),
        "{refused:?}"
    );

    disk.open_gate();
    first.await.unwrap();
    second.await.unwrap();
    third.await.unwrap();
    let mut deleted = 0;
    for delete in deletes {
        deleted += u32::from(delete.await.unwrap());
    }
    assert_eq!(deleted, 1);
    assert_eq!(delete_user.await.unwrap().deleted, 2);
    create(&store, 4, "ann").await.unwrap();
}

#[tokio::test]
async fn what_a_dropped_caller_asked_for_is_done() {
    blocked!(disk, store, first);
    drop(first);
    drop(begin(create(&store, 2, "ann")));
    // This one was never asked for.
    drop(create(&store, 3, "ann"));
    disk.open_gate();

    create(&store, 4, "ann").await.unwrap();
    assert_eq!(listed(&store, "ann").await, [id(1), id(2), id(4)]);
}

#[tokio::test]
async fn close_does_what_was_taken_on() {
    blocked!(disk, store, first);
    let second = begin(create(&store, 2, "ann"));
    let closing = begin(store.close());
    let also_closing = begin(store.close());
    let refused = create(&store, 3, "ann").await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
    disk.open_gate();

    closing.await;
    also_closing.await;
    store.close().await;
    first.await.unwrap();
    second.await.unwrap();

    assert_whole(&disk.database().unwrap());
    let store = disk.store();
    assert_eq!(listed(&store, "ann").await, [id(1), id(2)]);
}

#[tokio::test]
async fn closed_store_says_so() {
    let store = Disk::default().store();
    create(&store, 1, "ann").await.unwrap();
    let handle = store.clone();
    store.close().await;

    let touched = handle.update(id(1), Change::touch(at(1)), at(1)).await;
    let changed = handle.update(id(1), Change::default(), at(1)).await;
    for result in [
        create(&handle, 2, "ann").await,
        handle.fetch(id(1), at(0)).await.map(drop),
        handle.list(&user("ann"), at(0)).await.map(drop),
        touched.map(drop),
        changed.map(drop),
        handle.delete(id(1), None).await.map(drop),
        handle.delete_user(&user("ann"), &[]).await.map(drop),
        handle.prune(at(0), 1).await.map(drop),
    ] {
        assert!(matches!(result, Err(StoreError::Closed)), "{result:?}");
    }
}

#[tokio::test]
async fn abandoned_close_closes() {
    blocked!(disk, store, first);
    drop(begin(store.close()));
    disk.open_gate();
    first.await.unwrap();
    let refused = create(&store, 2, "ann").await;
    assert!(matches!(refused, Err(StoreError::Closed)), "{refused:?}");
}

#[tokio::test]
async fn last_handle_to_go_waits_for_what_was_taken_on() {
    let disk = Disk::default();
    let store = disk.store();
    create(&store, 1, "ann").await.unwrap();
    let seen = store.update(id(1), Change::touch(at(5)), at(5)).await;
    assert!(seen.unwrap().is_some());
    drop(store);

    let store = disk.store();
    let record = store.fetch(id(1), at(5)).await.unwrap().unwrap();
    assert_eq!(record.session.last_seen_at, at(5));
}

/// Drops a future, and with it the last handle, on the thread that brings its answer.
struct DropWhenWoken(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for DropWhenWoken {
    fn wake(self: Arc<Self>) {
        let future = self.0.lock().unwrap().take();
        drop(future);
    }
}

#[test]
fn last_handle_may_go_on_a_thread_of_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sessions.redb");
    for number in 1..=2 {
        // Waits until the threads of the store before have ended and given the file free.
        let store = builder().open(&path).unwrap();
        let asking = async move {
            if number == 1 {
                create(&store, 1, "ann").await.unwrap();
            } else {
                assert!(is_there(&store, 1).await);
            }
            std::future::pending::<()>().await;
        };
        let waker = Arc::new(DropWhenWoken(Mutex::new(None)));
        let mut place = waker.0.lock().unwrap();
        let mut asking: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(asking);
        let polled = asking
            .as_mut()
            .poll(&mut Context::from_waker(&Arc::clone(&waker).into()));
        assert!(polled.is_pending());
        *place = Some(asking);
    }
    builder().open(&path).unwrap();
}

#[tokio::test]
async fn panic_of_the_writer_is_an_error_to_everybody() {
    for at_what in [At::Sync, At::Write] {
        blocked!(disk, store, first);
        let second = begin(create(&store, 2, "ann"));
        let mut third = begin(store.delete(id(1), None));
        disk.fail(Fault::panic(at_what));
        disk.open_gate();

        let mut failed = 0;
        for result in [first.await, second.await] {
            failed += u32::from(result.is_err());
        }
        assert!(failed > 0);
        third.as_mut().await.unwrap_err();
        assert_eq!(disk.opens(), 1, "nothing is known to be mended");

        for result in [
            create(&store, 3, "ann").await,
            store.delete(id(9), None).await.map(drop),
            store.fetch(id(9), at(0)).await.map(drop),
        ] {
            assert!(
                matches!(result, Err(StoreError::Unavailable { .. })),
                "{result:?}"
            );
        }
        store.close().await;
    }
}

#[tokio::test]
async fn panic_in_a_read_is_an_error_and_the_store_goes_on() {
    let disk = Disk::default();
    disk.without_cache();
    let one_reader = builder().readers(NonZeroUsize::MIN);
    let store = disk.store_with(one_reader);
    create(&store, 1, "ann").await.unwrap();
    disk.fail(Fault::panic(At::Read));

    let fetched = store.fetch(id(1), at(0)).await;
    assert!(
        matches!(fetched, Err(StoreError::Unavailable { .. })),
        "{fetched:?}"
    );

    assert!(is_there(&store, 1).await);
    drop(store);
}

#[test]
fn handles_and_futures_go_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>(_: &T) {}

    let store = Disk::default().store();
    is_shared::<RedbStore>(&store);
    is_send(&store.close());
    is_send(&create(&store, 1, "ann"));
    let mut never_polled = begin_nothing(&store);
    assert!(poll(&mut never_polled).is_ready());
    assert!(format!("{store:?}").contains("sessions"));
}

fn begin_nothing(store: &RedbStore) -> support::Boxed<'_, ()> {
    drop(create(store, 1, "ann"));
    Box::pin(async {})
}
