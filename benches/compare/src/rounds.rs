//! Asks all subjects the same, in turn.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use subject::{Crowded, Error, Figures, Reply, Request};

use crate::contestant::{Contestant, Process};
use crate::results::{Journal, Line};
use crate::rows::{REPEATED, Row};
use crate::{load, machine};

/// What to measure.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Task {
    /// How many sessions there are.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    sessions: Vec<u64>,
    /// How often each row is measured, all subjects in turn each time.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a row of a round takes, about, in milliseconds.
    #[arg(long, default_value_t = 700)]
    millis: u64,
    /// Number of operations of a row in a round, instead of a time.
    #[arg(long, conflicts_with = "millis")]
    operations: Option<u64>,
    /// Number of sessions of the one large account beside which others log in; 0 skips these rows.
    #[arg(long, default_value_t = 500_000)]
    crowd: u64,
    /// Subjects of other programs, as NAME=PROGRAM.
    #[arg(long = "with")]
    others: Vec<String>,
    /// Only these subjects.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// With so many sessions, HTTP is measured.
    #[arg(long, default_value_t = 100_000)]
    http_at: u64,
    /// Not more sessions for a subject than this, as NAME=SESSIONS.
    #[arg(long)]
    at_most: Vec<String>,
    /// Where files are, on the disk that is meant. Left out, where temporary files are.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Where what is measured is written.
    #[arg(long, default_value = "target/compare/results.jsonl")]
    results: PathBuf,
}

/// Subjects that are in this program.
const OWN: [&str; 7] = [
    "redb",
    "redb-cold",
    "memory",
    "hash-map",
    "bare-redb",
    "bare-redb-aside",
    "bare-axum",
];
/// The one that has no sessions at all.
const NO_STORE: &str = "bare-axum";
const CONNECTIONS: usize = 64;
const COOKIES: u64 = 1_000;
/// How long it is tried how long an operation takes.
const TRIAL: Duration = Duration::from_millis(20);
/// What takes longer is done once.
const LONG: Duration = Duration::from_secs(3);
/// Fetches that find nearly all of the sessions that are in use.
const WARM_UP: u64 = 40_000;
const REOPENINGS: u64 = 3;

/// Measures everything.
pub(crate) fn run(task: &Task) -> Result<(), Error> {
    let directory = match &task.directory {
        Some(chosen) => tempfile::tempdir_in(chosen)?,
        None => tempfile::tempdir()?,
    };
    let mut journal = Journal::create(&task.results)?;
    let mut about = machine::describe(directory.path());
    about.push(format!(
        "{} rounds of about {} ms a row, all subjects in turn in each; medians, and the least and the \
         greatest in parentheses",
        task.rounds, task.millis
    ));
    journal.write(&Line::Machine(about))?;
    let contestants = contestants(task)?;
    let limits = limits(task)?;
    for sessions in &task.sessions {
        let at_most = |name: &str| limits.get(name).copied().unwrap_or(u64::MAX);
        let mut field = Field {
            sessions: *sessions,
            task,
            journal: &mut journal,
            standing: Vec::new(),
            counts: HashMap::new(),
        };
        for contestant in &contestants {
            if *sessions > at_most(&contestant.name) {
                field.leave(&contestant.name, "it would take too long with so many")?;
                continue;
            }
            let files = directory
                .path()
                .join(format!("{}-{sessions}", contestant.name));
            field.enter(contestant, files)?;
        }
        field.measure()?;
    }
    eprintln(&format!("written to {}", task.results.display()));
    Ok(())
}

fn contestants(task: &Task) -> Result<Vec<Contestant>, Error> {
    let own = OWN.into_iter().map(Contestant::own);
    let others = task.others.iter().map(|text| Contestant::other(text));
    let mut all: Vec<Contestant> = own.chain(others).collect::<Result<_, _>>()?;
    if let Some(stranger) = task
        .only
        .iter()
        .find(|name| all.iter().all(|one| one.name != **name))
    {
        return Err(format!("there is no subject {stranger:?}").into());
    }
    all.retain(|one| task.only.is_empty() || task.only.contains(&one.name));
    Ok(all)
}

fn limits(task: &Task) -> Result<BTreeMap<String, u64>, Error> {
    let limit = |text: &String| {
        let (name, sessions) = text.split_once('=')?;
        Some((name.to_owned(), sessions.parse().ok()?))
    };
    let parsed = task.at_most.iter().map(|text| {
        limit(text).ok_or_else(|| format!("{text:?} is not of the form NAME=SESSIONS").into())
    });
    parsed.collect()
}

/// All subjects with the same number of sessions.
struct Field<'a> {
    sessions: u64,
    task: &'a Task,
    journal: &'a mut Journal,
    standing: Vec<Standing>,
    /// How many operations of a row a subject does in the time of a round.
    counts: HashMap<(Row, String), Pace>,
}

/// How often something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// One operation of each caller took so long that it is not done again.
    Once,
    /// So many operations each round.
    Repeated(u64),
}

/// A subject that takes part.
struct Standing {
    contestant: Contestant,
    files: PathBuf,
    process: Process,
    /// Sessions that it created and did not end yet.
    created: u64,
}

impl Field<'_> {
    /// Has a subject filled. One that cannot is left out, and that is written down.
    fn enter(&mut self, contestant: &Contestant, files: PathBuf) -> Result<(), Error> {
        self.tell(&format!("{}: fill", contestant.name));
        let entered = filled(contestant, &files, self.sessions);
        let (process, figures) = match entered {
            Ok(entered) => entered,
            Err(error) => return self.leave(&contestant.name, &error.to_string()),
        };
        self.note(Row::Fill, &contestant.name, Some(figures))?;
        self.standing.push(Standing {
            contestant: contestant.clone(),
            files,
            process,
            created: 0,
        });
        Ok(())
    }

    fn measure(&mut self) -> Result<(), Error> {
        for round in 0..self.task.rounds {
            for row in REPEATED {
                self.tell(&format!("round {}: {}", round + 1, row.title()));
                self.each(|field, standing| field.repeated(row, standing))?;
            }
            self.each(Self::end_created)?;
            self.standing.rotate_left(1);
        }
        self.each(|field, standing| {
            let figures = standing.process.measure(Request::Size)?;
            field.note(Row::Size, &standing.contestant.name, figures)
        })?;
        if self.sessions == self.task.http_at {
            self.http()?;
        }
        self.tell("open");
        self.each(Self::reopen)?;
        self.tell("prune");
        self.each(|field, standing| {
            if standing.contestant.name == NO_STORE {
                return Ok(());
            }
            let figures = standing.process.measure(Request::Prune)?;
            field.note(Row::Prune, &standing.contestant.name, figures)
        })?;
        for (row, act) in [
            (Row::CrowdListed, Crowded::Listed),
            (Row::CrowdRevoked, Crowded::Revoked),
        ] {
            self.crowd(row, act)?;
        }
        for standing in std::mem::take(&mut self.standing) {
            drop(standing.process);
            std::fs::remove_dir_all(&standing.files)?;
        }
        Ok(())
    }

    /// Has sessions created while one account with very many sessions is listed or revoked.
    fn crowd(&mut self, row: Row, act: Crowded) -> Result<(), Error> {
        let sessions = self.task.crowd;
        if sessions == 0 {
            return Ok(());
        }
        self.tell(row.title());
        self.each(|field, standing| {
            let name = standing.contestant.name.clone();
            if name == NO_STORE {
                return Ok(());
            }
            let count = match field.counts.get(&(Row::Create64, name.clone())) {
                Some(Pace::Repeated(count)) => *count,
                Some(Pace::Once) | None => row.callers(),
            };
            let figures = standing.process.measure(Request::Crowd {
                act,
                sessions,
                callers: row.callers(),
                count,
            })?;
            field.note(row, &name, figures)
        })
    }

    /// Does something with each subject. One that fails is left out from then on.
    fn each(
        &mut self,
        mut act: impl FnMut(&mut Self, &mut Standing) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for mut standing in std::mem::take(&mut self.standing) {
            match act(self, &mut standing) {
                Ok(()) => self.standing.push(standing),
                Err(error) => self.leave(&standing.contestant.name, &error.to_string())?,
            }
        }
        Ok(())
    }

    fn repeated(&mut self, row: Row, standing: &mut Standing) -> Result<(), Error> {
        let name = standing.contestant.name.clone();
        if name == NO_STORE {
            return Ok(());
        }
        if row == Row::FetchInUse {
            // In use they are only once they were fetched; of what else was, some were forgotten.
            standing.ask(row, WARM_UP)?;
        }
        let key = (row, name);
        let fixed = self.task.operations;
        let fixed = fixed.map(|count| Pace::Repeated(count.next_multiple_of(row.callers())));
        if let Some(pace) = fixed {
            self.counts.insert(key.clone(), pace);
        }
        let count = match self.counts.get(&key) {
            Some(Pace::Once) => return Ok(()),
            Some(Pace::Repeated(count)) => *count,
            None => {
                let Some(first) = standing.ask(row, row.callers())? else {
                    return self.note(row, &key.1, None);
                };
                let mut pace = self.pace(row, &first, TRIAL);
                if let Pace::Repeated(count) = pace {
                    // To begin is most of what the first ones take.
                    let trial = standing.ask(row, count)?.unwrap_or_default();
                    pace = self.pace(row, &trial, Duration::from_millis(self.task.millis));
                }
                self.counts.insert(key.clone(), pace);
                match pace {
                    Pace::Once => return self.note(row, &key.1, Some(first)),
                    Pace::Repeated(count) => count,
                }
            }
        };
        let figures = standing.ask(row, count)?;
        self.note(row, &key.1, figures)
    }

    /// Says how many operations fit into a time, by what each of some took.
    fn pace(&self, row: Row, first: &Figures, time: Duration) -> Pace {
        let nanos = first.get("ns").copied().unwrap_or(1e6).max(1.0);
        if Duration::from_secs_f64(nanos * row.callers() as f64 / 1e9) > LONG {
            return Pace::Once;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of operations"
        )]
        let fitting = (time.as_secs_f64() * 1e9 / nanos) as u64;
        let fitting = fitting.clamp(row.callers() * 2, row.most(self.sessions));
        Pace::Repeated(fitting.div_ceil(row.callers()) * row.callers())
    }

    /// Ends what was created in a round, so that the next one begins with as many.
    fn end_created(&mut self, standing: &mut Standing) -> Result<(), Error> {
        if standing.contestant.name.starts_with("go-bolt") {
            // A tenth more sessions at most; to end them takes it half a second each.
            return Ok(());
        }
        let count = std::mem::take(&mut standing.created);
        if count > 0 {
            let callers = 512;
            standing
                .process
                .measure(Request::Delete { callers, count })?;
        }
        Ok(())
    }

    fn http(&mut self) -> Result<(), Error> {
        let mut serving = Vec::new();
        self.each(|field, standing| {
            let name = standing.contestant.name.clone();
            match standing.process.ask(Request::Serve { cookies: COOKIES })? {
                Reply::Serves { port, cookies } => serving.push((name, port, cookies)),
                _ => field.note(Row::Http, &name, None)?,
            }
            Ok(())
        })?;
        for round in 0..self.task.rounds {
            for (name, port, cookies) in &serving {
                self.tell(&format!("round {}: HTTP, {name}", round + 1));
                let time = Duration::from_millis((self.task.millis * 3).max(100));
                let load = load::run(*port, cookies, CONNECTIONS, time)?;
                if load.failures > 0 {
                    self.leave(name, &format!("{} requests failed", load.failures))?;
                    continue;
                }
                let figures = [
                    ("per_second", load.per_second),
                    ("p50", load.p50_us),
                    ("p99", load.p99_us),
                ];
                let figures = figures.map(|(name, figure)| (name.to_owned(), figure));
                self.note(Row::Http, name, Some(Figures::from(figures)))?;
            }
            serving.rotate_left(1);
        }
        Ok(())
    }

    /// Opens it after a clean close, and after it was killed while it was open.
    fn reopen(&mut self, standing: &mut Standing) -> Result<(), Error> {
        let name = standing.contestant.name.clone();
        let size = standing.process.measure(Request::Size)?.unwrap_or_default();
        let size = |name: &str| size.get(name).copied().unwrap_or_default();
        if size("file") == 0.0 {
            return Ok(());
        }
        for nth in 1..=REOPENINGS {
            let process = standing.contestant.start(&standing.files)?;
            // Serving keeps a store in use: it is closed by the end of its process.
            drop(std::mem::replace(&mut standing.process, process));
            let file = subject::size_of_files(&standing.files)? as f64;
            let closed = Figures::from([("file".to_owned(), file)]);
            self.note(Row::Closed, &name, Some(closed))?;
            standing.process.measure(Request::Open)?;
            standing.process.measure(Request::Close)?;
            let figures = standing.process.measure(Request::Open)?;
            self.note(Row::Open, &name, figures)?;

            // Numbers that none of its processes has used.
            let sessions = self.sessions;
            let assume = |part: u64| Request::Assume {
                sessions,
                next: sessions.max(100_000) * (2 + nth * 2 + part),
            };
            standing.process.measure(assume(0))?;
            if size("servers") > 0.0 {
                // Its server would outlive it.
                continue;
            }
            // As much as a round creates is under way or just done when it is killed.
            let many = match self.counts.get(&(Row::Create512, name.clone())) {
                Some(Pace::Repeated(count)) => *count,
                Some(Pace::Once) | None => 512,
            };
            standing.ask(Row::Create512, many)?;
            let process = standing.contestant.start(&standing.files)?;
            std::mem::replace(&mut standing.process, process).kill();
            let figures = standing.process.measure(Request::Open)?;
            self.note(Row::OpenKilled, &name, figures)?;
            standing.process.measure(assume(1))?;
        }
        Ok(())
    }

    fn note(&mut self, row: Row, subject: &str, figures: Option<Figures>) -> Result<(), Error> {
        let (sessions, subject) = (self.sessions, subject.to_owned());
        self.journal.write(&match figures {
            Some(figures) => Line::Measured {
                sessions,
                row,
                subject,
                figures,
            },
            None => Line::Cannot {
                sessions,
                row,
                subject,
            },
        })
    }

    fn leave(&mut self, subject: &str, why: &str) -> Result<(), Error> {
        let why = why.lines().next().unwrap_or_default();
        let what = format!("{subject} with {} sessions: {why}", self.sessions);
        self.tell(&what);
        self.journal.write(&Line::Left(what))
    }

    fn tell(&self, what: &str) {
        eprintln(&format!("{} sessions: {what}", self.sessions));
    }
}

impl Standing {
    fn ask(&mut self, row: Row, count: u64) -> Result<Option<Figures>, Error> {
        if row == Row::Delete64 && self.created < count {
            // How many were created depends on how long that took.
            let (callers, count) = (512, count - self.created);
            let created = self.process.measure(Request::Create { callers, count })?;
            if created.is_some() {
                self.created += count;
            }
        }
        let request = row.request(count).ok_or("a row without a request")?;
        let figures = self.process.measure(request)?;
        match row {
            Row::Create1 | Row::Create64 | Row::Create512 => self.created += count,
            Row::Delete64 => self.created = self.created.saturating_sub(count),
            _ => {}
        }
        Ok(figures)
    }
}

fn filled(
    contestant: &Contestant,
    files: &Path,
    sessions: u64,
) -> Result<(Process, Figures), Error> {
    let mut process = contestant.start(files)?;
    process.measure(Request::Open)?;
    let figures = process.measure(Request::Fill { sessions })?;
    Ok((process, figures.unwrap_or_default()))
}

#[expect(clippy::print_stderr, reason = "progress is for who waits")]
fn eprintln(line: &str) {
    eprintln!("{line}");
}
