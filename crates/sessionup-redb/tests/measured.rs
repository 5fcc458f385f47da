//! What an account with very many sessions costs the others: logins while its sessions are deleted, and
//! requests while they are listed. These print and are ignored: no test depends on a time.
//!
//! `cargo test --release -p sessionup-redb --test measured -- --ignored --nocapture --test-threads=1`

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::future::join_all;
use sessionup_core::{
    Change, CreateOptions, Record, SecretHash, Session, SessionId, Store, Timestamp, UserKey,
};
use sessionup_redb::RedbStore;
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_millis(1_767_268_800_000);

fn record(number: u64, key: &str) -> Record {
    let time = 1_767_268_800_000 + u128::from(number / 50);
    let id = SessionId::from_bytes(((time << 80) | u128::from(number + 1)).to_be_bytes());
    let user = UserKey::new(key).unwrap();
    let far = NOW.saturating_add(Duration::from_secs(1_000_000));
    let session = Session::new(id, user, NOW, far);
    Record::new(session, SecretHash::from_bytes([7; 32]))
}

fn fill(store: &RedbStore, from: u64, count: u64, key: &str) {
    for first in (from..from + count).step_by(1_000) {
        let create = |number| store.create(record(number, key), CreateOptions::default(), NOW);
        for created in block_on(join_all((first..first + 1_000).map(create))) {
            created.unwrap();
        }
    }
}

/// What logins waited, one after the other.
#[derive(Debug, Default)]
struct Waits(Vec<Duration>);

impl std::fmt::Display for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |part: usize| sorted[(sorted.len() - 1) * part / 1_000];
        let (median, rare, longest) = (at(500), at(990), at(1_000));
        write!(
            f,
            "{} logins, {median:?} to {rare:?}, at most {longest:?} after",
            sorted.len()
        )?;
        // When the longest were, for whoever looks for what they waited for.
        let mut begun = Duration::ZERO;
        for wait in &self.0 {
            if *wait > rare * 2 {
                write!(f, " {begun:.1?}")?;
            }
            begun += *wait;
        }
        Ok(())
    }
}

/// Logs in again and again, one after the other.
fn log_in(store: &RedbStore, from: u64, is_over: impl Fn(Instant) -> bool) -> Waits {
    let (mut waits, mut count) = (Waits::default(), 0);
    loop {
        let begun = Instant::now();
        if is_over(begun) {
            return waits;
        }
        let key = format!("other{count}");
        let created = store.create(record(from + count, &key), CreateOptions::default(), NOW);
        block_on(created).unwrap();
        waits.0.push(begun.elapsed());
        count += 1;
    }
}

#[test]
#[ignore = "measures"]
fn measure_logins_during_deletions() {
    let many = many(1_000_000);
    let directory = tempfile::tempdir().unwrap();
    let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let store = builder.open(directory.path().join("s.redb")).unwrap();
    for all in [false, true] {
        let base = if all { 20_000_000 } else { 1_000_000 };
        fill(&store, base, many, "mallory");
        let end = Instant::now() + Duration::from_secs(5);
        let usual = log_in(&store, base + 10_000_000, |now| now > end);
        let (begun, deleting) = (Instant::now(), store.clone());
        let deleting = std::thread::spawn(move || {
            let deleted = match all {
                true => block_on(deleting.delete_all()).unwrap(),
                false => {
                    let mallory = UserKey::new("mallory").unwrap();
                    block_on(deleting.delete_user(&mallory, &[]))
                        .unwrap()
                        .deleted
                }
            };
            (deleted, begun.elapsed())
        });
        let end = Instant::now() + Duration::from_secs(30);
        let beside = log_in(&store, base + 15_000_000, |now| now > end);
        let (deleted, took) = deleting.join().unwrap();
        println!("all {all}: {deleted} deleted, answered after {took:?}");
        println!("before: {usual}; beside: {beside}");
        assert!(deleted >= many, "{deleted}");
    }
}

fn many(usual: u64) -> u64 {
    std::env::var("MANY").map_or(usual, |many| many.parse().unwrap())
}

/// Requests of sixteen clients in 5 seconds, a millisecond apart, beside some that list.
async fn requests(store: &RedbStore, users: &Arc<Vec<Record>>, lists: usize) -> (u64, u64) {
    let end = Instant::now() + Duration::from_secs(5);
    let mallory = UserKey::new("mallory").unwrap();
    let mut listing = JoinSet::new();
    for _ in 0..lists {
        let (store, mallory) = (store.clone(), mallory.clone());
        listing.spawn(async move {
            let mut count = 0;
            while Instant::now() < end {
                drop(store.list(&mallory, NOW).await.unwrap());
                count += 1;
            }
            count
        });
    }
    let mut asking = JoinSet::new();
    for client in 0..16 {
        let (store, users) = (store.clone(), Arc::clone(users));
        asking.spawn(async move {
            let mut count = 0_u64;
            while Instant::now() < end {
                let number = count * 16 + client;
                let at = usize::try_from(number).unwrap() % users.len();
                let id = users[at].session.id;
                if number.is_multiple_of(10) {
                    let at = NOW.saturating_add(Duration::from_millis(number));
                    store.update(id, Change::touch(at), NOW).await.unwrap();
                } else {
                    store.fetch(id, NOW).await.unwrap();
                }
                count += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            count
        });
    }
    let requests = asking.join_all().await.iter().sum();
    (requests, listing.join_all().await.iter().sum())
}

#[test]
#[ignore = "measures"]
fn measure_requests_during_lists() {
    let many = many(100_000);
    let directory = tempfile::tempdir().unwrap();
    let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let store = builder.open(directory.path().join("s.redb")).unwrap();
    fill(&store, 0, many, "mallory");
    let users: Vec<_> = (0..1_000)
        .map(|n| record(900_000_000 + n, "other"))
        .collect();
    for record in &users {
        let created = store.create(record.clone(), CreateOptions::default(), NOW);
        block_on(created).unwrap();
        block_on(store.fetch(record.session.id, NOW)).unwrap();
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let users = Arc::new(users);
    for lists in [0, 4, 0, 4] {
        let (requests, listed) = runtime.block_on(requests(&store, &users, lists));
        println!("{requests} requests beside {listed} lists of {many}, {lists} at a time");
    }
}
