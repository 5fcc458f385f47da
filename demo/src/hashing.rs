//! Threads that hash passwords: one per core, each with one buffer, and a bounded queue before them.
//!
//! Argon2id needs 19 MiB for each hash. On threads that come and go, the allocator keeps that much for
//! each of them. Here the buffers that exist are as many as the threads, whatever clients do.

use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, thread};

use argon2::{Block, Params};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zeroize::Zeroize;

use crate::passwords::HashingFailed;

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// How many jobs wait for each thread at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Of whomever.
    pub(crate) anybody: usize,
    /// Besides, of users who are logged in, so that strangers cannot keep them out.
    pub(crate) users: usize,
}

/// Who asks for a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody who is not logged in.
    Stranger,
    /// Somebody who is logged in to the account.
    User,
}

/// The threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Hashing {
    jobs: Sender<Job>,
    places: Arc<Semaphore>,
    kept: Arc<Semaphore>,
    threads: NonZeroUsize,
    buffers: Arc<AtomicUsize>,
}

impl Hashing {
    /// Starts the threads. For each, one job may run and as many may wait as is said.
    ///
    /// # Errors
    ///
    /// The operating system's error if it gives no thread.
    pub(crate) fn start(threads: NonZeroUsize, waiting: Waiting) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let buffers = Arc::<AtomicUsize>::default();
        for number in 0..threads.get() {
            let queue = Arc::clone(&queue);
            let memory = Memory::new(&buffers);
            thread::Builder::new()
                .name(format!("passwords-{number}"))
                .spawn(move || work(&queue, memory))?;
        }
        let places = |each: usize| {
            let all = threads.get().saturating_mul(each);
            Arc::new(Semaphore::new(all.min(Semaphore::MAX_PERMITS)))
        };
        Ok(Self {
            jobs,
            places: places(waiting.anybody.saturating_add(1)),
            kept: places(waiting.users),
            threads,
            buffers,
        })
    }

    /// Takes a place in the queue, or says at once that there is none.
    ///
    /// # Errors
    ///
    /// [`Busy`] if as many as may wait do.
    pub(crate) fn reserve(&self, asker: Asker) -> Result<Place, Busy> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        let permit = permit.or_else(|full| match asker {
            Asker::User => Arc::clone(&self.kept).try_acquire_owned(),
            Asker::Stranger => Err(full),
        });
        Ok(Place {
            jobs: self.jobs.clone(),
            permit: permit.map_err(|_| Busy)?,
        })
    }

    /// Returns how many threads there are.
    pub(crate) const fn threads(&self) -> NonZeroUsize {
        self.threads
    }

    /// Returns how many buffers were ever made.
    pub(crate) fn buffers(&self) -> usize {
        self.buffers.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = f.debug_struct("Hashing");
        parts
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// As many passwords wait to be hashed as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub(crate) struct Busy;

/// A place in the queue of the threads. Dropping it gives it to somebody else.
pub(crate) struct Place {
    jobs: Sender<Job>,
    permit: OwnedSemaphorePermit,
}

impl Place {
    /// Does work on one of the threads, with its memory. Work that nobody waits for any more when its
    /// turn comes is left out.
    ///
    /// # Errors
    ///
    /// [`HashingFailed`] if the work fails or panics.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Memory) -> Result<T, HashingFailed> + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let Self { jobs, permit } = self;
        let (reply, answer) = oneshot::channel();
        let job = move |memory: &mut Memory| {
            if reply.is_closed() {
                return;
            }
            let result = work(memory);
            // Whoever is answered finds the place free.
            drop(permit);
            let _ = reply.send(result);
        };
        // If the threads were gone, so would be the one who is to answer.
        let _ = jobs.send(Box::new(job));
        answer.await.map_err(HashingFailed::new)?
    }
}

/// The buffer of a thread, made when it is first needed.
pub(crate) struct Memory {
    blocks: Vec<Block>,
    buffers: Arc<AtomicUsize>,
}

impl Memory {
    fn new(buffers: &Arc<AtomicUsize>) -> Self {
        Self {
            blocks: Vec::new(),
            buffers: Arc::clone(buffers),
        }
    }

    /// Lends as many blocks as hashes that are made here need.
    pub(crate) fn lend(&mut self) -> Lent<'_> {
        if self.blocks.is_empty() {
            self.blocks = vec![Block::new(); Params::DEFAULT.block_count()];
            self.buffers.fetch_add(1, Ordering::SeqCst);
        }
        Lent(&mut self.blocks)
    }
}

/// Blocks that are cleared after use: from them passwords can be guessed faster than from a hash.
pub(crate) struct Lent<'a>(&'a mut [Block]);

impl AsMut<[Block]> for Lent<'_> {
    fn as_mut(&mut self) -> &mut [Block] {
        self.0
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Block::zeroize);
    }
}

/// Takes jobs from the queue until nobody is left to bring any.
fn work(queue: &Mutex<Receiver<Job>>, mut memory: Memory) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // The thread goes on after a panic, or there would be fewer and fewer.
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            tracing::error!("hashing of a password panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    const STRANGER: Asker = Asker::Stranger;
    /// Far more than anything here takes.
    const LIMIT: Duration = Duration::from_secs(60);

    fn hashing(threads: usize, anybody: usize) -> Hashing {
        let waiting = Waiting { anybody, users: 1 };
        Hashing::start(NonZeroUsize::new(threads).unwrap(), waiting).unwrap()
    }

    /// Has a thread wait at a gate; returns when it is there. Dropping the sender opens the gate.
    fn occupy(hashing: &Hashing) -> (Sender<()>, tokio::task::JoinHandle<()>) {
        let (open, gate) = channel::<()>();
        let (arrived, arrival) = channel();
        let place = hashing.reserve(STRANGER).unwrap();
        let job = place.run(move |_| {
            arrived.send(()).unwrap();
            let _ = gate.recv_timeout(LIMIT);
            Ok(())
        });
        let task = tokio::spawn(async move { job.await.unwrap() });
        tokio::task::block_in_place(|| {
            let arrival = arrival.recv_timeout(LIMIT);
            arrival.expect("no thread took the job");
        });
        (open, task)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reserve_with_full_queue_is_refused() {
        let hashing = hashing(2, 3);
        let gates = [occupy(&hashing), occupy(&hashing)];
        let waiting: Vec<_> = (0..6).map(|_| hashing.reserve(STRANGER).unwrap()).collect();

        assert_eq!(hashing.reserve(STRANGER).err(), Some(Busy));
        let kept = [Asker::User; 2].map(|user| hashing.reserve(user).unwrap());
        assert_eq!(hashing.reserve(Asker::User).err(), Some(Busy));
        assert_eq!(hashing.reserve(STRANGER).err(), Some(Busy));

        drop((waiting, kept));
        let again = hashing.reserve(STRANGER).unwrap();
        let again = tokio::spawn(again.run(|_| Ok(7)));
        for (open, task) in gates {
            drop(open);
            task.await.unwrap();
        }
        assert_eq!(again.await.unwrap().unwrap(), 7);
        let all: Vec<_> = (0..8).map(|_| hashing.reserve(STRANGER).unwrap()).collect();
        assert_eq!(all.len(), 8, "every place is free again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn run_by_many_makes_one_buffer_per_thread() {
        let hashing = hashing(2, 100);
        assert_eq!(hashing.buffers(), 0);
        let jobs: Vec<_> = (0..100)
            .map(|_| {
                let place = hashing.reserve(STRANGER).unwrap();
                tokio::spawn(place.run(|memory| Ok(memory.lend().as_mut().len())))
            })
            .collect();
        for job in jobs {
            let blocks = job.await.unwrap().unwrap();
            assert_eq!(blocks, Params::DEFAULT.block_count());
        }
        assert!((1..=2).contains(&hashing.buffers()), "{hashing:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn run_given_up_is_left_out() {
        let hashing = hashing(1, 2);
        let (open, task) = occupy(&hashing);
        let place = hashing.reserve(STRANGER).unwrap();
        let (ran, runs) = channel();
        let job = place.run(move |_| Ok(ran.send(()).is_ok()));
        // The job is in the queue once this was asked.
        assert!(job.now_or_never().is_none());
        drop(open);
        task.await.unwrap();

        let behind_it = hashing.reserve(STRANGER).unwrap();
        behind_it.run(|_| Ok(())).await.unwrap();
        assert!(runs.try_recv().is_err(), "the job ran for nobody");
        assert_eq!(hashing.places.available_permits(), 3);
    }

    #[tokio::test]
    async fn run_that_panics_leaves_the_thread_alive() {
        let hashing = hashing(1, 0);
        let place = hashing.reserve(STRANGER).unwrap();
        let failed = place.run::<()>(|_| panic!("on purpose")).await;
        failed.unwrap_err();

        let place = loop {
            // The place of the job that panicked is free when its stack is unwound.
            match hashing.reserve(STRANGER) {
                Ok(place) => break place,
                Err(Busy) => tokio::task::yield_now().await,
            }
        };
        assert_eq!(place.run(|_| Ok(7)).await.unwrap(), 7);
    }

    #[test]
    fn lend_returned_is_cleared() {
        let mut memory = Memory::new(&Arc::default());
        let params = Params::new(64, 1, 1, Some(32)).unwrap();
        let argon2 = argon2::Argon2::from(params);
        let mut out = [0; 32];
        let used = argon2.hash_password_into_with_memory(
            b"correct horse",
            b"some salt",
            &mut out,
            memory.lend(),
        );
        used.unwrap();
        assert_ne!(out, [0; 32]);
        let blocks = memory.blocks.iter().map(AsRef::as_ref);
        assert!(
            blocks
                .flat_map(|block: &[u64]| block)
                .all(|word| *word == 0)
        );
    }
}
