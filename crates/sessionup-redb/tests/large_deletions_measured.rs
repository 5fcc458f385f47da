//! What logins wait while very many sessions are deleted. It prints, and is ignored: nothing in the
//! tests depends on a time.
//!
//! `cargo test --release -p sessionup-redb --test large_deletions_measured -- --ignored --nocapture`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::future::join_all;
use sessionup_core::{
    CreateOptions, Record, SecretHash, Session, SessionId, Store, Timestamp, UserKey,
};
use sessionup_redb::RedbStore;

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

/// Logs in again and again, one after the other; returns the longest wait and how many there were.
fn log_in(store: &RedbStore, from: u64, is_over: impl Fn(Instant) -> bool) -> (Duration, u64) {
    let (mut longest, mut count) = (Duration::ZERO, 0);
    loop {
        let begun = Instant::now();
        if is_over(begun) {
            return (longest, count);
        }
        let key = format!("other{count}");
        let created = store.create(record(from + count, &key), CreateOptions::default(), NOW);
        block_on(created).unwrap();
        longest = longest.max(begun.elapsed());
        count += 1;
    }
}

#[test]
#[ignore = "measures"]
fn measure_logins_during_deletions() {
    let many = std::env::var("MANY").map_or(1_000_000, |many| many.parse().unwrap());
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
        println!(
            "all {all}: {deleted} deleted, answered after {took:?}; longest login {:?} of {} before, \
             {:?} of {} beside",
            usual.0, usual.1, beside.0, beside.1
        );
        assert!(deleted >= many, "{deleted}");
    }
}
