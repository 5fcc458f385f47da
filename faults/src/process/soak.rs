//! A store in use for long: logins, uses, lists, logouts, cleanups and restarts without end.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sessionup_core::{
    Change, Clock, CreateOptions, Record, Session, Store, StoreError, SystemClock, Timestamp,
    UserKey,
};
use sessionup_redb::RedbStore;
use tempfile::TempDir;

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::process::place::{self, cannot, program};
use crate::script::{hash, id, user};

/// Keeps one store in use, run after run, and holds what it takes of the machine to bounds.
#[derive(Debug, Default)]
pub struct Soak(Mutex<Option<Soaking>>);

/// How long a run is.
const SECONDS: u64 = 3;
/// How much more memory may be taken than after the first run: redb's cache, full, and some.
const MORE_MEMORY: u64 = 48 * 1024 * 1024;
/// How often as large a file may get as it was after the first run: pages are used again.
const LARGER_FILE: u64 = 4;

impl Part for Soak {
    fn name(&self) -> &'static str {
        "soak"
    }

    fn about(&self) -> &'static str {
        "one store in use all the time: it takes no more and more memory, files, threads or disk"
    }

    fn unit(&self) -> &'static str {
        "seconds"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: SECONDS,
            long: 3_600,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        // One at a time: the others wait.
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = Some(Soaking::start(rng)?);
        }
        let Some(soaking) = &mut *place else {
            return Ok(());
        };
        let now = soaking.go_on()?;
        tally.add("seconds", SECONDS);
        tally.add("operations", now.operations);
        soaking.seen.push(now);
        soaking.tell(tally);
        soaking.check()
    }
}

/// The process, and what it took after each run.
#[derive(Debug)]
struct Soaking {
    process: Child,
    asking: ChildStdin,
    words: BufReader<ChildStdout>,
    seen: Vec<Figures>,
    _directory: TempDir,
}

impl Soaking {
    fn start(rng: &mut Rng) -> Result<Self, Violation> {
        let directory = place::directory(rng)?;
        let mut command = Command::new(program()?);
        command.args([
            "child",
            "soak",
            "--seed",
            &rng.u64(..).to_string(),
            "--file",
        ]);
        let started = command
            .arg(directory.path().join("sessions.redb"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|error| cannot("start a process", &error))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (asking, words) = pipes.ok_or_else(|| Violation::new("a process without pipes"))?;
        Ok(Self {
            process,
            asking,
            words: BufReader::new(words),
            seen: Vec::new(),
            _directory: directory,
        })
    }

    fn go_on(&mut self) -> Result<Figures, Violation> {
        let asked = writeln!(self.asking, "{SECONDS}");
        asked.map_err(|error| cannot("ask a process", &error))?;
        let mut line = String::new();
        let read = self.words.read_line(&mut line);
        read.map_err(|error| cannot("read from a process", &error))?;
        Figures::read(&line).ok_or_else(|| Violation(format!("a store in use ended: {line}")))
    }

    /// Tells what it was after a tenth of the time, and what it is now.
    fn tell(&self, tally: &mut Tally) {
        let first = self.seen.get(self.seen.len() / 10);
        if let Some((first, last)) = first.zip(self.seen.last()) {
            tally.tell("after a tenth:", first);
            tally.tell("at the end:", last);
        }
    }

    fn check(&self) -> Result<(), Violation> {
        let Some((first, last)) = self.seen.first().zip(self.seen.last()) else {
            return Ok(());
        };
        let bounds = [
            ("memory", last.memory, first.memory + MORE_MEMORY),
            ("file", last.file, first.file * LARGER_FILE),
            ("files open", last.open, first.open),
            ("threads", last.threads, first.threads),
        ];
        for (what, is, at_most) in bounds {
            ensure(is <= at_most, || {
                format!("{what} grew: {is}, and at most {at_most} were allowed; {first}; {last}")
            })?;
        }
        Ok(())
    }
}

impl Drop for Soaking {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a store takes of the machine, and how long operations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    operations: u64,
    /// Bytes; zero where the system does not tell.
    memory: u64,
    file: u64,
    open: u64,
    threads: u64,
    /// Microseconds, of half of all logins and of all but a hundredth.
    login: [u64; 2],
    lookup: [u64; 2],
    list: [u64; 2],
    logout: [u64; 2],
}

impl Figures {
    fn numbers(&self) -> [u64; 13] {
        let [login, lookup, list, logout] = [self.login, self.lookup, self.list, self.logout];
        [
            self.operations,
            self.memory,
            self.file,
            self.open,
            self.threads,
            login[0],
            login[1],
            lookup[0],
            lookup[1],
            list[0],
            list[1],
            logout[0],
            logout[1],
        ]
    }

    fn write(&self) -> String {
        self.numbers().map(|number| number.to_string()).join(" ")
    }

    fn read(line: &str) -> Option<Self> {
        let numbers: Result<Vec<u64>, _> = line.split_whitespace().map(str::parse).collect();
        let numbers: [u64; 13] = numbers.ok()?.try_into().ok()?;
        let [operations, memory, file, open, threads, ..] = numbers;
        let [.., a, b, c, d, e, f, g, h] = numbers;
        Some(Self {
            operations,
            memory,
            file,
            open,
            threads,
            login: [a, b],
            lookup: [c, d],
            list: [e, f],
            logout: [g, h],
        })
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.memory == 0 {
            f.write_str("(this system does not tell memory and threads) ")?;
        }
        write!(
            f,
            "{} KiB of memory, {} KiB of file, {} files open, {} threads, µs of half and 99 of 100",
            self.memory / 1024,
            self.file / 1024,
            self.open,
            self.threads
        )?;
        for (what, [half, most]) in [
            ("logins", self.login),
            ("lookups", self.lookup),
            ("lists", self.list),
            ("logouts", self.logout),
        ] {
            write!(f, " {what} {half}/{most}")?;
        }
        Ok(())
    }
}

/// What a child is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// The file of the store.
    #[arg(long)]
    file: PathBuf,
    /// What is drawn from.
    #[arg(long)]
    seed: u64,
}

/// Keeps a store in use for as many seconds as each line asks for, and answers with figures.
///
/// # Errors
///
/// If the store fails, or nobody listens.
pub fn run(task: &Task) -> Result<(), Box<dyn std::error::Error>> {
    let mut churn = Churn::new(task)?;
    for line in io::stdin().lock().lines() {
        let time = Duration::from_secs(line?.trim().parse()?);
        let figures = futures_executor::block_on(churn.go_on(time))?;
        writeln!(io::stdout(), "{}", figures.write())?;
    }
    Ok(())
}

struct Churn {
    file: PathBuf,
    rng: Rng,
    clock: SystemClock,
    store: RedbStore,
    next: u64,
    times: [Vec<u64>; 4],
}

/// How long sessions live: so many are there at once as are made meanwhile.
const LIFETIME: Duration = Duration::from_secs(2);
/// How many users there are, of names of their own.
const USERS: u64 = 500;

impl Churn {
    fn new(task: &Task) -> Result<Self, sessionup_redb::OpenError> {
        Ok(Self {
            store: open(&task.file)?,
            file: task.file.clone(),
            rng: Rng::with_seed(task.seed),
            clock: SystemClock::default(),
            next: 0,
            times: [const { Vec::new() }; 4],
        })
    }

    async fn go_on(&mut self, time: Duration) -> Result<Figures, Box<dyn std::error::Error>> {
        let (begun, mut operations) = (Instant::now(), 0);
        self.times.iter_mut().for_each(Vec::clear);
        while begun.elapsed() < time {
            for _ in 0..200 {
                self.step().await?;
                operations += 1;
            }
        }
        let figures = self.figures(operations)?;
        // A restart at the end of each run.
        self.store.close().await;
        self.store = open(&self.file)?;
        Ok(figures)
    }

    async fn step(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let begun = Instant::now();
        let kind = match self.rng.u8(..10) {
            0..=3 => {
                self.log_in(now).await?;
                0
            }
            4..=6 => {
                let (id, change) = (self.recent(), Change::touch(now));
                self.store.update(id, change, now).await?;
                1
            }
            7 => {
                let number = self.rng.u64(..);
                let records = self.store.list(&owner(number), now).await?;
                // A slow reader: what it has read lies around while others write.
                self.log_in(now).await?;
                drop(records);
                2
            }
            _ => {
                let id = self.recent();
                self.store.delete(id, None).await?;
                3
            }
        };
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        if let Some(times) = self.times.get_mut(kind) {
            times.push(took);
        }
        Ok(())
    }

    async fn log_in(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let number = self.next;
        self.next += 1;
        let expires_at = now.saturating_add(LIFETIME);
        let session = Session::new(id(number), owner(number), now, expires_at);
        let record = Record::new(session, hash(1));
        let created = self.store.create(record, CreateOptions::default(), now);
        created.await.map(drop)
    }

    /// One of the latest sessions, live or not.
    fn recent(&mut self) -> sessionup_core::SessionId {
        id(self.next.saturating_sub(self.rng.u64(1..2_000)))
    }

    fn figures(&mut self, operations: u64) -> io::Result<Figures> {
        let [login, lookup, list, logout] = self.times.each_mut().map(|times| of_most(times));
        Ok(Figures {
            operations,
            memory: status("VmRSS:") * 1024,
            file: fs::metadata(&self.file)?.len(),
            open: open_files(),
            threads: status("Threads:"),
            login,
            lookup,
            list,
            logout,
        })
    }
}

fn open(file: &std::path::Path) -> Result<RedbStore, sessionup_redb::OpenError> {
    RedbStore::builder()
        .cleanup_interval(Duration::from_millis(200))
        .touch_delay(Duration::from_millis(100))
        // So that it is full soon.
        .cache_bytes(8 * 1024 * 1024)
        .open(file)
}

fn owner(number: u64) -> UserKey {
    UserKey::new(format!("user{}", number % USERS)).unwrap_or_else(|_| user(0))
}

/// Returns the longest time of half of them, and of all but a hundredth.
fn of_most(times: &mut [u64]) -> [u64; 2] {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied();
    [50, 99].map(|percent| at(percent).unwrap_or_default())
}

/// Reads a number of this process from where Linux tells it.
fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// Counts the open files of this process, the one by which it counts among them.
fn open_files() -> u64 {
    fs::read_dir("/dev/fd").map_or(0, |files| files.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures() -> Figures {
        let numbers: Vec<_> = (1..=13).map(|number: u64| number.to_string()).collect();
        Figures::read(&numbers.join(" ")).unwrap()
    }

    #[test]
    fn figures_are_read_as_they_were_written() {
        assert_eq!(Figures::read(&figures().write()), Some(figures()));
        assert_eq!(figures().logout, [12, 13]);
        assert_eq!(Figures::read("1 2 3"), None);
    }

    #[test]
    fn half_and_most() {
        assert_eq!(of_most(&mut (0..100).rev().collect::<Vec<_>>()), [50, 99]);
        assert_eq!(of_most(&mut []), [0, 0]);
    }
}
