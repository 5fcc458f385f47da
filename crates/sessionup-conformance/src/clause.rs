//! One sentence of the contract, ready to run.

use std::pin::Pin;

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

pub(crate) type Check = fn(&Fixture) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

impl Clause {
    /// Makes a store and holds it to this clause, in a tokio runtime of four threads.
    ///
    /// Must not be called from within a runtime.
    ///
    /// # Panics
    ///
    /// If the store breaks the clause.
    pub fn run(&self, make: impl AsyncFnOnce() -> Fixture) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_all()
            .build()
            .expect("no runtime to test in");
        runtime.block_on(async {
            let fixture = make().await;
            (self.check)(&fixture).await;
        });
    }
}
