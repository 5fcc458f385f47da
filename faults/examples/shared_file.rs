//! Measures what redb's modes for several processes cost, and shows how they behave: one process
//! that writes beside others that read (`SingleWriter`), several that write (`MultiWriter`), and the
//! default, one process alone; and what it costs to ask the store of that process over its socket. The
//! store uses the default; docs/design.md says why.
//!
//! `cargo run --release -p faults --example shared_file [ROUNDS]`. The modes take turns in each round,
//! and the table has the medians of the rounds. Tables and commits are as those of the store, without
//! the store around them.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use futures_util::{StreamExt, TryStreamExt};
use redb::{
    ConcurrencyMode, Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable, TableDefinition,
    TransactionError,
};
use sessionup_core::{
    CreateOptions, Record, SecretHash, Session, SessionId, Store, Timestamp, UserKey,
};
use sessionup_redb::{Control, RedbStore};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const SESSIONS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("sessions");
const BY_USER: TableDefinition<'_, (&[u8], &[u8; 16]), ()> = TableDefinition::new("by_user");
const BY_EXPIRY: TableDefinition<'_, (i64, &[u8; 16]), ()> = TableDefinition::new("by_expiry");

const MODES: [(&str, ConcurrencyMode); 3] = [
    ("exclusive", ConcurrencyMode::ExclusiveWriter),
    ("single writer", ConcurrencyMode::SingleWriter),
    ("multi writer", ConcurrencyMode::MultiWriter),
];
const STORED: u64 = 100_000;
const FETCHES: u64 = 20_000;
const COMMITS: u64 = 60;
const RECORD: [u8; 200] = [7; 200];

fn main() -> Outcome {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, _, path] = arguments.as_slice()
        && role == "store"
    {
        return serve(Path::new(path));
    }
    if let [role, mode, path] = arguments.as_slice() {
        return child(role, mode_of(mode)?, Path::new(path));
    }
    let rounds = arguments
        .first()
        .map_or(Ok(5), |rounds| rounds.parse::<usize>())?;
    let directory = tempfile::tempdir()?;
    say(
        "| mode | begin a read | fetch | fetch after another's commit | commit of 1 | commit of 64 | open | open after kill -9 |",
    );
    say("|---|---|---|---|---|---|---|---|");
    let mut measured = vec![vec![Vec::new(); 7]; MODES.len()];
    for _ in 0..rounds {
        for (columns, (_, mode)) in measured.iter_mut().zip(MODES) {
            for (column, took) in columns.iter_mut().zip(round(directory.path(), mode)?) {
                column.push(took);
            }
        }
    }
    for ((name, _), columns) in MODES.iter().zip(measured) {
        let cells: Vec<_> = columns.into_iter().map(|mut c| micros(&mut c)).collect();
        say(&format!("| {name} | {} |", cells.join(" | ")));
    }
    over_the_socket(directory.path())?;
    for (name, mode) in MODES {
        say(&format!("\n{name}:"));
        behaviour(directory.path(), mode)?;
    }
    Ok(())
}

/// One figure for each column.
fn round(directory: &Path, mode: ConcurrencyMode) -> Outcome<Vec<Duration>> {
    let path = directory.join("measured.redb");
    let _ = fs::remove_file(&path);
    let database = opened(&path, mode)?;
    fill(&database)?;
    let begin = each(FETCHES, |_| Ok(database.begin_read().map(drop)?))?;
    let fetch = each(FETCHES, |n| found(&database, mixed(n) % STORED).map(drop))?;
    let mut next = STORED;
    let mut after_commit = Vec::new();
    let mut other = (mode == ConcurrencyMode::MultiWriter)
        .then(|| Other::start("serve", "multi writer", &path))
        .transpose()?;
    for n in 0..COMMITS {
        match &mut other {
            Some(other) => drop(other.ask(&format!("commit {next}"))?),
            None => commit(&database, next..next + 1)?,
        }
        next += 1;
        let begun = Instant::now();
        found(&database, mixed(n) % STORED)?;
        after_commit.push(begun.elapsed());
    }
    drop(other);
    let mut commits = [Vec::new(), Vec::new()];
    for _ in 0..COMMITS {
        for (took, many) in commits.iter_mut().zip([1, 64]) {
            let begun = Instant::now();
            commit(&database, next..next + many)?;
            took.push(begun.elapsed());
            next += many;
        }
    }
    drop(database);
    let begun = Instant::now();
    let database = opened(&path, mode)?;
    let open = begun.elapsed();
    drop(database);

    let name = name_of(mode);
    let mut writer = Other::start("serve", name, &path)?;
    writer.ask(&format!("commit {next}"))?;
    writer.kill()?;
    let begun = Instant::now();
    let database = opened(&path, mode)?;
    let after_kill = begun.elapsed();
    drop(database);
    let [mut one, mut many] = commits;
    Ok(vec![
        begin,
        fetch,
        median(&mut after_commit),
        median(&mut one),
        median(&mut many),
        open,
        after_kill,
    ])
}

/// What it costs to ask the store of another process.
fn over_the_socket(directory: &Path) -> Outcome {
    let path = directory.join("served.redb");
    let served = Other::start("store", "exclusive", &path)?;
    let control = Control::connect(&path, "sessions")?;
    say("\nover the socket of the process that has the file:");
    let find = each(2_000, |n| {
        let found = control.find(id(mixed(n) % SERVED));
        Ok(found.map(drop)?)
    })?;
    say(&format!("- to find a session: {find:.1?}"));
    let begun = Instant::now();
    let mut last = None;
    let mut met = 0;
    loop {
        let piece = control.after(last, usize::MAX)?;
        let Some((id, _)) = piece.last() else { break };
        last = Some(*id);
        met += piece.len();
    }
    say(&format!("- to meet all of {met}: {:.1?}", begun.elapsed()));
    let mut took = Vec::new();
    for n in 0..COMMITS {
        let begun = Instant::now();
        control.delete(id(n), None)?;
        took.push(begun.elapsed());
    }
    say(&format!("- to end a session: {}", micros(&mut took)));
    drop(served);
    Ok(())
}

const SERVED: u64 = 20_000;

/// The process that is asked over its socket.
fn serve(path: &Path) -> Outcome {
    let builder = RedbStore::builder().cleanup_interval(Duration::ZERO);
    let store = builder.control(true).open(path)?;
    let time = Timestamp::from_millis;
    let made = (0..SERVED).map(|n| {
        let store = &store;
        async move {
            let session =
                Session::new(id(n), UserKey::new(n.to_string())?, time(0), time(i64::MAX));
            let record = Record::new(session, SecretHash::from_bytes([7; 32]));
            store
                .create(record, CreateOptions::default(), time(0))
                .await?;
            Ok::<_, Box<dyn Error>>(())
        }
    });
    let made = futures_util::stream::iter(made).buffer_unordered(512);
    futures_executor::block_on(made.try_collect::<()>())?;
    say("open");
    std::io::read_to_string(std::io::stdin())?;
    Ok(())
}

fn id(number: u64) -> SessionId {
    SessionId::from_bytes(key(number))
}

/// What a second process can do, and what becomes of the first when the second is killed.
fn behaviour(directory: &Path, mode: ConcurrencyMode) -> Outcome {
    let path = directory.join("shared.redb");
    let _ = fs::remove_file(&path);
    let database = opened(&path, mode)?;
    fill(&database)?;
    let name = name_of(mode);

    let mut reader = match Other::start("read", name, &path) {
        Ok(reader) => reader,
        Err(error) => {
            say(&format!("- a reader in another process: {error}"));
            return Ok(());
        }
    };
    let mut missed = 0;
    for n in 0..200 {
        commit(&database, STORED + n..STORED + n + 1)?;
        missed += u32::from(reader.ask(&format!("find {}", STORED + n))? != "true");
    }
    say(&format!(
        "- commits that a reader did not see at once: {missed} of 200"
    ));

    let next = STORED + 200;
    let size = fs::metadata(&path)?.len();
    churn(&database, next)?;
    let free = fs::metadata(&path)?.len();
    reader.ask("hold")?;
    churn(&database, next)?;
    let held = fs::metadata(&path)?.len();
    say(&format!(
        "- 2,000 commits: {} KiB become {} KiB; with a reader that stays in one transaction, {} KiB",
        size / 1024,
        free / 1024,
        held / 1024
    ));
    reader.kill()?;
    churn(&database, next)?;
    let after = fs::metadata(&path)?.len();
    say(&format!(
        "- 2,000 more after kill -9 of that reader: {} KiB",
        after / 1024
    ));

    let other = Other::start("serve", name, &path);
    match other {
        Err(error) => say(&format!("- a second writer: {error}")),
        Ok(mut other) => {
            other.ask("write")?;
            let tried = match database.try_begin_write() {
                Err(TransactionError::WouldBlock) => "waits, without a limit".to_owned(),
                tried => format!("{:?}", tried.map(drop)),
            };
            say(&format!(
                "- while another is in a write transaction, a writer: {tried}"
            ));
            other.kill()?;
            let begun = Instant::now();
            commit(&database, next + 1..next + 2)?;
            say(&format!(
                "- commit after kill -9 of that writer: {:?}",
                begun.elapsed()
            ));
        }
    }
    drop(database);

    let mut writer = Other::start("serve", name, &path)?;
    let mut reader = Other::start("read", name, &path)?;
    writer.ask(&format!("commit {}", next + 2))?;
    writer.ask("write")?;
    writer.kill()?;
    let found = reader.ask(&format!("find {}", next + 2))?;
    say(&format!(
        "- after kill -9 of the writer a reader that stays finds its last commit: {found}"
    ));
    let late = Other::start("read", name, &path).map(drop);
    say(&format!("- a reader that comes then: {}", or_error(late)));
    let next_writer = Other::start("serve", name, &path).map(drop);
    say(&format!(
        "- a writer that comes then, beside the reader that stays: {}",
        or_error(next_writer)
    ));
    let found = reader.ask(&format!("find {}", next + 2));
    say(&format!(
        "- and that reader then: {}",
        or_error(found.map(drop))
    ));
    Ok(())
}

fn or_error(outcome: Outcome) -> String {
    outcome.map_or_else(|error| error.to_string(), |()| "goes on".to_owned())
}

/// Another process that does as it is asked, by lines.
struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, mode: &str, path: &Path) -> Outcome<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args([role, mode])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            return Err("no pipes".into());
        };
        let output = BufReader::new(output);
        let mut other = Self {
            child,
            input,
            output,
        };
        match other.line()?.as_str() {
            "open" => Ok(other),
            refused => Err(refused.to_owned().into()),
        }
    }

    fn ask(&mut self, wish: &str) -> Outcome<String> {
        writeln!(self.input, "{wish}")?;
        self.line()
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn kill(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

enum Handle {
    Reader(ReadOnlyDatabase),
    Writer(Database),
}

fn child(role: &str, mode: ConcurrencyMode, path: &Path) -> Outcome {
    let handle = if role == "read" {
        builder(mode).open_read_only(path).map(Handle::Reader)
    } else {
        builder(mode).open(path).map(Handle::Writer)
    };
    let handle = match handle {
        Ok(handle) => handle,
        Err(error) => {
            say(&format!("refused: {error}"));
            return Ok(());
        }
    };
    say("open");
    let mut held = Vec::new();
    let mut writing = Vec::new();
    for wish in std::io::stdin().lines() {
        let wish = wish?;
        let (verb, number) = wish.split_once(' ').unwrap_or((&wish, "0"));
        let number: u64 = number.parse()?;
        let answer = match (&handle, verb) {
            (Handle::Reader(database), "find") => found(database, number)?.to_string(),
            (Handle::Reader(database), "hold") => {
                held.push(database.begin_read()?);
                "held".to_owned()
            }
            (Handle::Writer(database), "commit") => {
                commit(database, number..number + 1)?;
                "committed".to_owned()
            }
            (Handle::Writer(database), "write") => {
                let transaction = database.begin_write()?;
                transaction
                    .open_table(SESSIONS)?
                    .insert(&[0xff; 16], RECORD.as_slice())?;
                writing.push(transaction);
                "writing".to_owned()
            }
            _ => "what?".to_owned(),
        };
        say(&answer);
    }
    Ok(())
}

fn builder(mode: ConcurrencyMode) -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(256 * 1024 * 1024);
    builder.set_concurrency_mode(mode);
    builder
}

fn opened(path: &PathBuf, mode: ConcurrencyMode) -> Outcome<Database> {
    Ok(builder(mode).create(path)?)
}

fn fill(database: &Database) -> Outcome {
    for chunk in 0..STORED / 10_000 {
        commit(database, chunk * 10_000..(chunk + 1) * 10_000)?;
    }
    Ok(())
}

/// Creates and deletes, so that as much is stored afterwards as before.
fn churn(database: &Database, next: u64) -> Outcome {
    for _ in 0..1_000 {
        commit(database, next..next + 1)?;
        let transaction = database.begin_write()?;
        remove(&transaction, next)?;
        transaction.commit()?;
    }
    Ok(())
}

fn remove(transaction: &redb::WriteTransaction, number: u64) -> Outcome {
    let key = key(number);
    transaction.open_table(SESSIONS)?.remove(&key)?;
    transaction
        .open_table(BY_USER)?
        .remove((user(number).as_slice(), &key))?;
    transaction
        .open_table(BY_EXPIRY)?
        .remove((step(number), &key))?;
    Ok(())
}

fn commit(database: &Database, numbers: std::ops::Range<u64>) -> Outcome {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    {
        let mut sessions = transaction.open_table(SESSIONS)?;
        let mut by_user = transaction.open_table(BY_USER)?;
        let mut by_expiry = transaction.open_table(BY_EXPIRY)?;
        for number in numbers {
            let key = key(number);
            sessions.insert(&key, RECORD.as_slice())?;
            by_user.insert((user(number).as_slice(), &key), ())?;
            by_expiry.insert((step(number), &key), ())?;
        }
    }
    Ok(transaction.commit()?)
}

fn found(database: &impl ReadableDatabase, number: u64) -> Outcome<bool> {
    let sessions = database.begin_read()?.open_table(SESSIONS)?;
    Ok(ReadableTable::get(&sessions, &key(number))?.is_some())
}

fn key(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

fn user(number: u64) -> [u8; 8] {
    mixed(number % (STORED / 3)).to_be_bytes()
}

fn step(number: u64) -> i64 {
    i64::try_from(number / 100).unwrap_or(i64::MAX)
}

fn mixed(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// How long one takes, in the mean.
fn each(times: u64, mut work: impl FnMut(u64) -> Outcome) -> Outcome<Duration> {
    let begun = Instant::now();
    for n in 0..times {
        work(n)?;
    }
    Ok(begun.elapsed() / u32::try_from(times)?)
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

fn micros(took: &mut [Duration]) -> String {
    format!("{:.1} µs", median(took).as_secs_f64() * 1e6)
}

fn mode_of(name: &str) -> Outcome<ConcurrencyMode> {
    let known = MODES.iter().find(|(known, _)| *known == name);
    Ok(known.ok_or("no such mode")?.1)
}

fn name_of(mode: ConcurrencyMode) -> &'static str {
    MODES
        .iter()
        .find(|(_, known)| *known == mode)
        .map_or("", |(name, _)| name)
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // Whoever asked may be gone.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
