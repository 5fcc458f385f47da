//! What kinds of commits cost, and what it costs to open a file after a kill for it.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sessionup_core::{CreateOptions, Record, Session, Store, StoreError};
use sessionup_redb::{Commits, RedbStore};

use crate::campaign::Violation;
use crate::process::dying::Fate;
use crate::process::flying::Flying;
use crate::process::place::{cannot, program};
use crate::script::{BEGIN, hash, id, user};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// How many sessions there are in the files that are opened.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    sessions: Vec<u64>,
    /// How often each is measured, in turn; the table has the medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many logins a round has.
    #[arg(long, default_value_t = 640)]
    logins: u64,
    /// Where files lie: on the disk that is meant. Left out, where temporary files are.
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// The kinds of commits, by the name of each.
const KINDS: [(&str, Commits); 3] = [
    ("two phases and quick repair", Commits::QuickRepair),
    ("two phases", Commits::TwoPhase),
    ("one phase", Commits::OnePhase),
];
const CALLERS: [u64; 2] = [1, 64];
/// How many sessions there are before logins are measured.
const BEFORE: u64 = 10_000;

/// Measures, and returns tables in Markdown with how it was done.
///
/// # Errors
///
/// What cannot be done on this machine.
pub fn run(task: &Task) -> Result<String, Violation> {
    let directory = match &task.directory {
        Some(chosen) => tempfile::tempdir_in(chosen),
        None => tempfile::tempdir(),
    };
    let directory = directory.map_err(|error| cannot("make a directory", &error))?;
    let mut report = machine(task);
    write_commits(&mut report, task, directory.path())?;
    write_openings(&mut report, task, directory.path())?;
    Ok(report)
}

fn machine(task: &Task) -> String {
    let told = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpus = told("/proc/cpuinfo");
    let cpu = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let cpu = cpu.map_or("a processor", |cpu| cpu.trim_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    format!(
        "Machine: {cpu}, {cores} threads, {} {}. sessionup {}, redb 4. {} build. \
         Medians of {} rounds, all kinds in turn in each round.\n",
        std::env::consts::OS,
        told("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) {
            "Development"
        } else {
            "Release"
        },
        task.rounds,
    )
}

/// The cost of logins, of one caller and of many.
fn write_commits(report: &mut String, task: &Task, directory: &Path) -> Result<(), Violation> {
    let mut logins = Vec::new();
    for (name, commits) in KINDS {
        let path = directory.join("commits.redb");
        let fate = Fate::new(None);
        let (watched, file) = (fate.clone(), path.clone());
        let opened = builder(commits).open_with(move || watched.database(&file));
        let store = opened.map_err(|error| cannot("open a file", &error))?;
        // The file stays as long as it is open.
        fs::remove_file(&path).map_err(|error| cannot("remove a file", &error))?;
        futures_executor::block_on(fill(&store, 0..BEFORE)).map_err(Violation::new)?;
        logins.push((name, store, fate, [const { Vec::new() }; 2]));
    }
    let mut next = BEFORE;
    for _ in 0..task.rounds {
        for (_, store, fate, costs) in &mut logins {
            for (callers, costs) in CALLERS.into_iter().zip(costs) {
                costs.push(cost(store, fate, callers, next..next + task.logins)?);
            }
            // Each caller count of the round has ids of its own.
        }
        next += task.logins * 2;
    }
    report.push_str("\n| commits | callers | µs per login | syncs per login | bytes per login |\n");
    report.push_str("|---|---:|---:|---:|---:|\n");
    for (name, _, _, costs) in &mut logins {
        for (callers, costs) in CALLERS.into_iter().zip(costs) {
            let median = |of: fn(&Cost) -> f64| median(costs.iter().map(of).collect());
            let (time, syncs, bytes) = (
                median(|c| c.micros),
                median(|c| c.syncs),
                median(|c| c.bytes),
            );
            // Into text.
            let _ = writeln!(
                report,
                "| {name} | {callers} | {time:.0} | {syncs:.2} | {bytes:.0} |"
            );
        }
    }
    Ok(())
}

/// Of one login.
#[derive(Clone, Copy, Debug)]
struct Cost {
    micros: f64,
    syncs: f64,
    bytes: f64,
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cost(
    store: &RedbStore,
    fate: &Fate,
    callers: u64,
    ids: std::ops::Range<u64>,
) -> Result<Cost, Violation> {
    let logins = (ids.end - ids.start) as f64;
    // Many callers have ids beyond those of the one.
    let first = ids.start + if callers > 1 { ids.end - ids.start } else { 0 };
    let each = (ids.end - ids.start) / callers;
    let before = (fate.syncs(), fate.bytes());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let callers = (0..callers).map(|caller| {
            let ids = first + caller * each..first + (caller + 1) * each;
            scope.spawn(move || {
                futures_executor::block_on(async {
                    for number in ids {
                        create(store, number).await?;
                    }
                    Ok::<_, StoreError>(())
                })
            })
        });
        let callers: Vec<_> = callers.collect();
        callers
            .into_iter()
            .try_for_each(|caller| match caller.join() {
                Ok(logged_in) => logged_in.map_err(Violation::new),
                Err(_) => Err(Violation::new("a caller panicked")),
            })
    })?;
    Ok(Cost {
        micros: begun.elapsed().as_secs_f64() * 1e6 / logins,
        syncs: (fate.syncs() - before.0) as f64 / logins,
        bytes: (fate.bytes() - before.1) as f64 / logins,
    })
}

/// The time until a file is open that a killed process left.
fn write_openings(report: &mut String, task: &Task, directory: &Path) -> Result<(), Violation> {
    report.push_str(
        "\n| sessions | MiB | commits | ms to open after kill -9 |\n|---:|---:|---|---:|\n",
    );
    for sessions in &task.sessions {
        let mut files = Vec::new();
        for (number, (name, _)) in KINDS.into_iter().enumerate() {
            let path = directory.join(format!("{sessions}-{number}.redb"));
            leave_killed(&path, *sessions, number)?;
            files.push((name, path, Vec::new()));
        }
        for _ in 0..task.rounds {
            for (_, path, times) in &mut files {
                times.push(open_copy(path)?);
            }
        }
        for (name, path, times) in files {
            let bytes = fs::metadata(&path).map_or(0, |file| file.len());
            let (mib, time) = (bytes / 1024 / 1024, median(times));
            let _ = writeln!(report, "| {sessions} | {mib} | {name} | {time:.1} |");
            fs::remove_file(&path).map_err(|error| cannot("remove a file", &error))?;
        }
    }
    Ok(())
}

/// Has a process fill a file, and kills it while it writes on.
fn leave_killed(path: &Path, sessions: u64, kind: usize) -> Result<(), Violation> {
    let mut command = Command::new(program()?);
    command.args(["child", "fill", "--sessions", &sessions.to_string()]);
    command
        .args(["--kind", &kind.to_string(), "--file"])
        .arg(path);
    let process = command.stdout(Stdio::piped()).spawn();
    let mut process = process.map_err(|error| cannot("start a process", &error))?;
    let mut line = String::new();
    if let Some(stdout) = process.stdout.take() {
        // Whether it came to an end is seen by the line.
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    let _ = process.kill();
    let _ = process.wait();
    if line.is_empty() {
        return Err(Violation::new("a file could not be filled"));
    }
    Ok(())
}

/// Milliseconds until a copy of a file is open.
fn open_copy(path: &Path) -> Result<f64, Violation> {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).map_err(|error| cannot("copy a file", &error))?;
    let begun = Instant::now();
    let store = builder(Commits::default()).open(&copy);
    let took = begun.elapsed();
    let store = store.map_err(|error| cannot("open a file", &error))?;
    futures_executor::block_on(store.close());
    fs::remove_file(&copy).map_err(|error| cannot("remove a file", &error))?;
    Ok(took.as_secs_f64() * 1e3)
}

/// What a child is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Fill {
    /// The file of the store.
    #[arg(long)]
    file: PathBuf,
    /// How many sessions to make.
    #[arg(long)]
    sessions: u64,
    /// Which kind of commits.
    #[arg(long)]
    kind: usize,
}

/// Makes sessions, says so, and makes more until it is killed.
///
/// # Errors
///
/// If it cannot.
pub fn be_filled(task: &Fill) -> Result<(), Box<dyn std::error::Error>> {
    let kind = KINDS.get(task.kind).map(|(_, commits)| *commits);
    let store = builder(kind.unwrap_or_default()).open(&task.file)?;
    futures_executor::block_on(async {
        fill(&store, 0..task.sessions).await?;
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(b"filled\n")?;
        stdout.flush()?;
        let mut next = task.sessions;
        loop {
            fill(&store, next..next + 10).await?;
            next += 10;
        }
    })
}

/// Makes sessions, a thousand at a time.
async fn fill(store: &RedbStore, ids: std::ops::Range<u64>) -> Result<(), StoreError> {
    let mut flying = Vec::new();
    for number in ids {
        flying.push(Flying::launch(create(store, number)).await);
        if flying.len() == 1_000 {
            for one in flying.drain(..) {
                one.land().await?;
            }
        }
    }
    for one in flying {
        one.land().await?;
    }
    Ok(())
}

async fn create(store: &RedbStore, number: u64) -> Result<(), StoreError> {
    let expires_at = BEGIN.saturating_add(Duration::from_secs(1_209_600));
    let owner = user(usize::try_from(number % 6).unwrap_or_default());
    let mut session = Session::new(id(number), owner, BEGIN, expires_at);
    session.client.ip = Some(std::net::Ipv4Addr::LOCALHOST.into());
    session.client.agent.os = "Linux".to_owned();
    session.client.agent.browser = "Firefox".to_owned();
    let record = Record::new(session, hash(1));
    let created = store.create(record, CreateOptions::default(), BEGIN);
    created.await.map(drop)
}

fn builder(commits: Commits) -> sessionup_redb::RedbStoreBuilder {
    RedbStore::builder()
        .commits(commits)
        .cleanup_interval(Duration::ZERO)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
