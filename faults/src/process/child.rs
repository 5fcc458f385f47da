//! The process that suffers.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use sessionup_core::{StoreError, Timestamp};
use sessionup_redb::{OpenError, RedbStore};

use crate::disk::life::{DELETED_AT_ONCE, UNLISTED};
use crate::model::Answer;
use crate::perform::{Failed, perform};
use crate::process::dying::{Death, Fate, How};
use crate::process::flying::Flying;
use crate::process::look::spare;
use crate::process::scenario::{Scenario, is_alone};
use crate::process::wire::Line;

/// What a child is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// The file of the store.
    #[arg(long)]
    pub file: PathBuf,
    /// What the script is drawn from.
    #[arg(long)]
    pub seed: u64,
    /// How many of its operations were begun by processes before.
    #[arg(long, default_value_t = 0)]
    pub skip: u64,
    /// How many to perform.
    #[arg(long, default_value_t = u64::MAX)]
    pub at_most: u64,
    /// How many may be under way at once.
    #[arg(long, default_value_t = 1)]
    pub window: usize,
    /// At which access of the file it kills itself.
    #[arg(long, default_value_t = 0)]
    pub dies_at: u64,
    /// What becomes of that access.
    #[arg(long, value_enum, default_value = "before")]
    pub dies: How,
    /// Whether it begins operations only as its parent asks for them, a line each.
    #[arg(long)]
    pub asked: bool,
    /// Whether the store must work at the end.
    #[arg(long)]
    pub mends: bool,
}

impl Task {
    /// Returns the task as arguments of the program.
    #[must_use]
    pub fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec!["child".into(), "script".into(), "--file".into()];
        arguments.push(self.file.clone().into_os_string());
        let dies = match self.dies {
            How::Before => "before",
            How::Half => "half",
            How::After => "after",
        };
        for (name, value) in [
            ("--seed", self.seed.to_string()),
            ("--skip", self.skip.to_string()),
            ("--at-most", self.at_most.to_string()),
            ("--window", self.window.to_string()),
            ("--dies-at", self.dies_at.to_string()),
            ("--dies", dies.to_owned()),
        ] {
            arguments.extend([name.into(), value.into()]);
        }
        for (flag, is_set) in [("--asked", self.asked), ("--mends", self.mends)] {
            arguments.extend(is_set.then(|| flag.into()));
        }
        arguments
    }
}

/// Performs it, and tells the parent.
///
/// # Errors
///
/// If nobody listens.
pub fn run(task: &Task) -> io::Result<()> {
    let mut scenario = Scenario::of(task.seed);
    for _ in 0..task.skip {
        scenario.draw();
    }
    let store = match open(task) {
        Ok(store) => store,
        Err(error) => return say(&Line::Unopened(format!("{error:?}"))),
    };
    say(&Line::Opened)?;
    futures_executor::block_on(async {
        perform_all(&store, &mut scenario, task).await?;
        if task.mends {
            say(&mend(&store, scenario.now()).await)?;
        }
        store.close().await;
        say(&Line::Done)
    })
}

fn open(task: &Task) -> Result<RedbStore, OpenError> {
    // What the parent finds was done by the script alone.
    let builder = RedbStore::builder()
        .cleanup_interval(Duration::ZERO)
        .most_unlisted(UNLISTED)
        .deleted_at_once(DELETED_AT_ONCE);
    if task.dies_at == 0 {
        return builder.open(&task.file);
    }
    let fate = Fate::new(Some(Death {
        at: task.dies_at,
        how: task.dies,
    }));
    let path = task.file.clone();
    builder.open_with(move || fate.database(&path))
}

type Outcome = Result<Answer, Failed>;

async fn perform_all(store: &RedbStore, scenario: &mut Scenario, task: &Task) -> io::Result<()> {
    let mut flying = VecDeque::new();
    for _ in 0..task.at_most {
        let op = scenario.draw();
        let is_alone = is_alone(&op);
        while !flying.is_empty() && (is_alone || flying.len() >= task.window) {
            land(&mut flying).await?;
        }
        if task.asked && io::stdin().read_line(&mut String::new())? == 0 {
            break;
        }
        say(&Line::Begun)?;
        let operation = async move { perform(store, &op).await };
        flying.push_back(Flying::launch(operation).await);
        if is_alone {
            land(&mut flying).await?;
        }
    }
    while !flying.is_empty() {
        land(&mut flying).await?;
    }
    Ok(())
}

/// Waits for the operation that was begun first, and tells its answer.
async fn land(flying: &mut VecDeque<Flying<'_, Outcome>>) -> io::Result<()> {
    let Some(first) = flying.pop_front() else {
        return Ok(());
    };
    say(&match first.land().await {
        Ok(answer) => Line::Answered(format!("{answer:?}")),
        Err(Failed::Unknown(error)) => Line::Unknown(one_line(&error)),
        Err(Failed::Refused(error)) => Line::Refused(one_line(&error)),
    })
}

/// How long a store may take to work again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Logs somebody in and out, again and again until it works.
async fn mend(store: &RedbStore, now: Timestamp) -> Line {
    let begun = Instant::now();
    loop {
        let mut failed = None;
        for (op, expected) in spare(now) {
            match perform(store, &op).await {
                Ok(answer) if answer == expected => {}
                other => failed = Some(format!("{op:?} -> {other:?}").replace('\n', " ")),
            }
        }
        match failed {
            None => return Line::Mended,
            Some(why) if begun.elapsed() > PATIENCE => return Line::Unmended(why),
            // It opens its file anew after a pause.
            Some(_) => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
}

fn one_line(error: &StoreError) -> String {
    format!("{error:?}").replace('\n', " ")
}

/// Tells the parent at once.
fn say(line: &Line) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("{line}\n").as_bytes())?;
    stdout.flush()
}
