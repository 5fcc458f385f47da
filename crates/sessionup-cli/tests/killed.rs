//! An import that is killed at any moment and run again comes to the same.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sessionup_core::{Record, SessionId};
use sessionup_redb::FileReader;
use support::{Place, go_session, go_token, write_bolt};

const ROWS: u64 = 300;
const TAKEN: usize = 294;
const THREADS: u64 = 5;
/// In each thread.
const KILLS: usize = 20;

fn import(place: &Place, target: &str) -> Child {
    let import = ["import", "bolt", "go.db", "--yes", "--json", "--db", target];
    let mut command = place.command(import);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills it after a while, unless it has ended; says whether it was killed.
fn kill_after(mut child: Child, pause: Duration) -> bool {
    // Nobody sends: it is waited for the pause, or for no time if that is over.
    let (_sender, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(pause);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}

type Found = (SessionId, Record);

/// All that is in a file, hashes included.
fn contents(place: &Place, target: &str) -> Vec<Found> {
    let reader = FileReader::open(place.path(target), "sessions", Duration::ZERO).unwrap();
    let found = reader.after(None, usize::MAX).unwrap();
    let found = found.into_iter().map(|(id, record)| (id, record.unwrap()));
    found.collect()
}

/// Checks what a killed import left, and says whether that is some of the sessions.
fn is_sound_and_halfway(place: &Place, target: &str) -> bool {
    if !place.path(target).exists() {
        return false;
    }
    let check = place.run(&format!("check --json --db {target}"));
    // The file is there before the bucket in it.
    if check
        .stderr
        .contains("there is no bucket \"sessions\" here, and no other one")
    {
        return false;
    }
    assert_eq!(check.code, 0, "{check:?}");
    let sessions = check.json()["sessions"].as_u64().unwrap();
    (1..TAKEN as u64).contains(&sessions)
}

#[test]
fn killed_import_is_completed_by_the_next() {
    let place = Place::new();
    let sessions = (0..ROWS).map(|number| {
        // Some are left out.
        let is_odd = number % 50 == 7;
        let user = if is_odd { "" } else { "ann" };
        go_session(&go_token(number), user)
    });
    write_bolt(&place.path("go.db"), sessions);
    let begun = Instant::now();
    assert!(import(&place, "whole.redb").wait().unwrap().success());
    let whole = Whole {
        took: begun.elapsed(),
        contents: contents(&place, "whole.redb"),
        place,
    };
    assert_eq!(whole.contents.len(), TAKEN);

    let seed = fastrand::u64(..);
    // They wait for the disk and for nothing else.
    let halfway = AtomicUsize::new(0);
    thread::scope(|scope| {
        let threads = (0..THREADS).map(|number| {
            let (whole, halfway) = (&whole, &halfway);
            scope.spawn(move || whole.kill(seed, number, halfway))
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
    assert!(halfway.into_inner() > 0, "seed {seed}");
}

/// What comes of an import that nobody kills.
struct Whole {
    place: Place,
    took: Duration,
    contents: Vec<Found>,
}

impl Whole {
    /// Kills some, each once or more before it is let through, and goes on until one was halfway.
    fn kill(&self, seed: u64, thread: u64, halfway: &AtomicUsize) {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(thread));
        let mut killed = 0;
        // How long an import takes depends on what else the machine does.
        let mut took = self.took;
        let is_enough = |killed| killed >= KILLS && halfway.load(Ordering::Relaxed) > 0;
        for run in 0.. {
            let target = format!("t{thread}-{run}.redb");
            let context = format!("seed {seed}, thread {thread}, run {run}");
            assert!(run < 1_000, "{context}: only {killed} were killed in time");
            while !is_enough(killed) {
                let pause = took.mul_f64(random.f64());
                if !kill_after(import(&self.place, &target), pause) {
                    took = took.mul_f64(0.9);
                    break;
                }
                killed += 1;
                took = took.mul_f64(1.1).min(self.took * 10);
                let is_halfway = is_sound_and_halfway(&self.place, &target);
                halfway.fetch_add(is_halfway.into(), Ordering::Relaxed);
                if random.bool() {
                    break;
                }
            }
            let last = import(&self.place, &target).wait().unwrap();
            assert!(last.success(), "{context}");
            let found = contents(&self.place, &target);
            assert!(found == self.contents, "{context}");
            fs::remove_file(self.place.path(&target)).unwrap();
            if is_enough(killed) {
                break;
            }
        }
    }
}
