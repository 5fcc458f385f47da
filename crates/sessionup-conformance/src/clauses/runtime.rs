//! Where futures may be polled.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use sessionup_core::{Change, CreateOptions};

use crate::Fixture;
use crate::races::ends_when_polled;
use crate::sample::{ann, at, ending_at, hash, id, ids, limited, record};

/// Every operation may be polled on any thread, also outside an asynchronous runtime.
pub async fn operations_run_outside_a_runtime(fixture: &Fixture) {
    let handle = fixture.clone();
    let outside = thread::spawn(move || block_on(every_operation(&handle)));
    let outcome = tokio::task::spawn_blocking(move || outside.join()).await;
    let survived = matches!(outcome, Ok(Ok(())));
    assert!(survived, "every operation runs outside a runtime");

    let why = "what was done outside a runtime is done";
    fixture.expect_list(&ann(), &ids([2]), at(100), why).await;
}

/// What one thread began another may finish.
pub async fn operations_may_change_threads(fixture: &Fixture) {
    for n in 0..20 {
        let handle = fixture.clone();
        let mut create = Box::pin(async move { handle.create(&record(n), at(0)).await });
        if !ends_when_polled(create.as_mut()) {
            tokio::spawn(create)
                .await
                .expect("the create ends elsewhere");
        }
    }
    let why = "what one thread began another has finished";
    fixture.expect_list(&ann(), &ids(0..20), at(0), why).await;
}

async fn every_operation(fixture: &Fixture) {
    fixture.create(&record(9), at(0)).await;
    assert_answer!(fixture.delete_all().await, 1, "there was one");
    fixture.create(&record(1), at(0)).await;
    fixture.create(&record(2), at(0)).await;
    fixture.create(&ending_at(3, at(100)), at(0)).await;
    let four = limited(4, sessionup_core::LimitPolicy::Refuse);
    fixture.create_with(&record(4), four, at(0)).await;
    let taken = fixture
        .try_create(&record(1), CreateOptions::default(), at(0))
        .await;
    assert!(taken.is_err(), "the id is taken");

    let why = "reads run outside a runtime";
    fixture.expect_there(&record(1), at(0), why).await;
    fixture.expect_list(&ann(), &ids(1..=4), at(0), why).await;
    for change in [Change::touch(at(1)), Change::renew(hash(2), hash(5))] {
        let updated = fixture.update(id(2), change, at(1)).await;
        assert!(updated.is_some(), "a live session can be updated");
    }
    assert!(fixture.delete(id(1), Some(&ann())).await, "it was there");
    assert_answer!(fixture.prune_all(at(100), 1).await, 1, "one has expired");
    let deleted = fixture.delete_user(&ann(), &ids([2])).await;
    assert_answer!(deleted, 1, "all but one are deleted");
    fixture.create(&record(5), at(100)).await;
    let change = Change::touch(at(100));
    let deleted = fixture.delete_others(&ann(), id(2), change, at(100)).await;
    assert_answer!(deleted.deleted, 1, "all but one are deleted");
}

/// Drives a future on a thread that knows of no runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
