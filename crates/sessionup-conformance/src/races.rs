//! Operations at once.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};

use tokio::sync::Barrier;
use tokio::task::{JoinHandle, yield_now};

use sessionup_core::{Record, Timestamp};

use crate::Fixture;

/// Lets all actors act from the same moment on, and returns what each of them came to.
pub(crate) async fn at_once<A, T, F>(
    fixture: &Fixture,
    actors: impl IntoIterator<Item = A>,
    act: impl Fn(Fixture, A) -> F,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let acts: Vec<_> = actors
        .into_iter()
        .map(|actor| act(fixture.clone(), actor))
        .collect();
    let start = Arc::new(Barrier::new(acts.len()));
    let tasks: Vec<_> = acts
        .into_iter()
        .map(|act| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                act.await
            })
        })
        .collect();
    all_joined(tasks).await
}

/// Looks over and over while `work` is under way, and once more when it is done.
///
/// More look than there are threads, so that whoever pauses in mid-work is seen doing it.
pub(crate) async fn while_looking<T, L, W>(
    fixture: &Fixture,
    look: impl Fn(Fixture) -> L + Copy + Send + 'static,
    work: impl FnOnce(Fixture) -> W,
) -> T
where
    T: Send + 'static,
    L: Future<Output = ()> + Send + 'static,
    W: Future<Output = T> + Send + 'static,
{
    const LOOKERS: usize = 8;
    let done = Arc::new(AtomicBool::new(false));
    let lookers: Vec<_> = (0..LOOKERS)
        .map(|_| {
            let fixture = fixture.clone();
            let look = move || look(fixture.clone());
            tokio::spawn(look_until(Arc::clone(&done), look))
        })
        .collect();
    let answer = joined(tokio::spawn(work(fixture.clone()))).await;
    done.store(true, Ordering::SeqCst);
    all_joined(lookers).await;
    answer
}

/// Creates many records, some at once: a store that commits in groups takes them in a few commits.
pub(crate) async fn fill(fixture: &Fixture, records: &[Record], now: Timestamp) {
    for chunk in records.chunks(64) {
        let create =
            |fixture: Fixture, record: Record| async move { fixture.create(&record, now).await };
        at_once(fixture, chunk.iter().cloned(), create).await;
    }
}

/// Polls an operation once, with nobody to wake, and says whether that ended it.
pub(crate) fn ends_when_polled<T>(operation: Pin<&mut impl Future<Output = T>>) -> bool {
    let mut nobody = Context::from_waker(Waker::noop());
    operation.poll(&mut nobody).is_ready()
}

async fn look_until<F: Future<Output = ()>>(done: Arc<AtomicBool>, look: impl Fn() -> F) {
    loop {
        let last = done.load(Ordering::SeqCst);
        look().await;
        if last {
            break;
        }
        yield_now().await;
    }
}

async fn all_joined<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        answers.push(joined(task).await);
    }
    answers
}

/// Waits for a task; a panic there is a panic here.
async fn joined<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(answer) => answer,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
