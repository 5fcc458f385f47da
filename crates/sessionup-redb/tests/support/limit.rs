//! A limit for tests: a run in which one hangs ends, and says which one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Far beyond what any test takes, also on a machine with much else to do.
const LIMIT: Duration = Duration::from_secs(600);

/// The tests that are running, by name, and when each is over its limit.
static RUNNING: LazyLock<Mutex<BTreeMap<String, Instant>>> = LazyLock::new(|| {
    std::thread::spawn(end_what_hangs);
    Mutex::default()
});

thread_local! {
    static WATCHED: RefCell<Option<Watched>> = const { RefCell::new(None) };
}

/// A test that is running on this thread, until the thread ends.
struct Watched(String);

impl Drop for Watched {
    fn drop(&mut self) {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.0);
    }
}

/// Ends the process with a message if the test that calls this is not over within the limit.
pub(crate) fn watch() {
    // A model checker takes as long as it is told to.
    if cfg!(sessionup_schedules) {
        return;
    }
    let thread = std::thread::current();
    // The harness names the thread of a test after the test.
    let Some(name) = thread.name().filter(|name| *name != "main") else {
        return;
    };
    WATCHED.with_borrow_mut(|watched| {
        if watched.is_none() {
            let name = name.to_owned();
            let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(name.clone(), Instant::now() + LIMIT);
            drop(running);
            *watched = Some(Watched(name));
        }
    });
}

fn end_what_hangs() {
    let (nobody, pause) = (Mutex::new(()), Condvar::new());
    loop {
        let lock = nobody.lock().unwrap_or_else(PoisonError::into_inner);
        drop(pause.wait_timeout(lock, Duration::from_secs(1)));
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let hanging = running.iter().find(|(_, until)| **until <= Instant::now());
        if let Some((name, _)) = hanging {
            // Past the harness, which shows what threads print after their test is over.
            let told = writeln!(
                std::io::stderr(),
                "test {name} hangs: not over after {LIMIT:?}"
            );
            drop(told);
            std::process::exit(101);
        }
    }
}
