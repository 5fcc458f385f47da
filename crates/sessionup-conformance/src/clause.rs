//! One sentence of the contract, ready to run.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::Fixture;

/// One sentence of the contract, and the test that holds a store to it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Clause {
    /// The name of its function and of its test.
    pub name: &'static str,
    /// The module below [`clauses`](crate::clauses) that it belongs to.
    pub family: &'static str,
    pub(crate) check: Check,
}

/// How long a clause may take. Far more than any takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

pub(crate) type Check = fn(&Fixture) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

impl Clause {
    /// Makes a store and holds it to this clause, in a tokio runtime of four threads.
    ///
    /// Must not be called from within a runtime.
    ///
    /// # Panics
    ///
    /// If the store breaks the clause, or gives no answer for ten minutes.
    pub fn run(&self, make: impl AsyncFnOnce() -> Fixture) {
        self.run_within(LIMIT, make);
    }

    fn run_within(&self, limit: Duration, make: impl AsyncFnOnce() -> Fixture) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("no runtime to test in");
        let fixture = runtime.block_on(make());
        let (check, name) = (self.check, self.name);
        let (done, is_done) = mpsc::channel();
        // On a thread of its own, which is none of the runtime's: a store that blocks it meets the
        // limit too.
        let clause = thread::spawn(move || {
            runtime.block_on(async move { check(&fixture).await });
            // Nobody listens if the limit is passed.
            let _ = done.send(());
        });
        if is_done.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            panic!("{name}: the store gave no answer within {limit:?}");
        }
        if let Err(panic) = clause.join() {
            resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic::catch_unwind;

    use sessionup_core::MemoryStore;

    use super::*;

    fn failure(check: Check) -> String {
        let (name, family) = ("clause_under_test", "tests");
        let clause = Clause {
            name,
            family,
            check,
        };
        let limit = Duration::from_millis(1);
        let run = || clause.run_within(limit, async || Fixture::new(MemoryStore::new()));
        *catch_unwind(run).unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn run_of_a_store_that_hangs_fails_by_name() {
        let blocks: Check = |_| {
            Box::pin(async {
                let (sender, receiver) = mpsc::channel::<()>();
                let _ = receiver.recv_timeout(LIMIT);
                drop(sender);
            })
        };
        let waits: Check = |_| Box::pin(pending());
        for check in [waits, blocks] {
            let text = failure(check);
            assert_eq!(
                text,
                "clause_under_test: the store gave no answer within 1ms"
            );
        }
    }
}
