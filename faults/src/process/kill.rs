//! Killing: at any moment, and at each access of the file.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::process::child::Task;
use crate::process::dying::How;
use crate::process::look::look;
use crate::process::place::{self, cannot};
use crate::process::strace;
use crate::process::witness::Witness;

/// A child and what it says.
#[derive(Debug)]
pub struct Running {
    process: Child,
    words: BufReader<ChildStdout>,
    /// Where it is asked for operations, if it waits for that.
    asking: Option<ChildStdin>,
}

impl Running {
    /// Starts a child by a command.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Result<Self, Violation> {
        let started = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = started.map_err(|error| cannot("start a process", &error))?;
        let words = process.stdout.take();
        let words = words.ok_or_else(|| Violation::new("a process without a pipe"))?;
        Ok(Self {
            asking: process.stdin.take(),
            process,
            words: BufReader::new(words),
        })
    }

    /// Waits for the next line. A line that was not said to its end was not said; `None` at the end.
    ///
    /// # Errors
    ///
    /// If the pipe cannot be read.
    pub fn line(&mut self) -> Result<Option<String>, Violation> {
        let mut line = String::new();
        let read = self.words.read_line(&mut line);
        read.map_err(|error| cannot("read from a process", &error))?;
        Ok(line.strip_suffix('\n').map(str::to_owned))
    }

    /// Kills it, hears what it said before, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// What it said that cannot be.
    pub fn kill(mut self, witness: &mut Witness, tally: &mut Tally) -> Result<(), Violation> {
        // It may be gone already.
        let _ = self.process.kill();
        self.hear_out(witness, tally)
    }

    /// Has it perform its script, one operation at a time, for as long as it can be told what may
    /// come of it; and hears all that it says until it is gone.
    ///
    /// # Errors
    ///
    /// What it said that cannot be.
    pub fn ask(mut self, witness: &mut Witness, tally: &mut Tally) -> Result<(), Violation> {
        while let Some(line) = self.line()? {
            witness.hear(&line, tally)?;
            if witness.is_in_the_dark() {
                self.asking = None;
            } else if let Some(asking) = &mut self.asking
                && witness.is_idle()
            {
                // It may be gone, or have done all that it was to do.
                let _ = asking.write_all(b"\n");
            }
        }
        self.hear_out(witness, tally)
    }

    /// Hears all that it says until it is gone.
    ///
    /// # Errors
    ///
    /// What it said that cannot be.
    pub fn hear_out(mut self, witness: &mut Witness, tally: &mut Tally) -> Result<(), Violation> {
        while let Some(line) = self.line()? {
            witness.hear(&line, tally)?;
        }
        let ended = self.process.wait();
        ended.map_err(|error| cannot("wait for a process", &error))?;
        witness.is_gone(tally)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the witness of a file has its next child do.
#[must_use]
pub fn task(path: &Path, witness: &Witness) -> Task {
    Task {
        file: path.to_owned(),
        seed: witness.seed(),
        skip: witness.scenario().drawn(),
        at_most: u64::MAX,
        window: 1,
        dies_at: 0,
        dies: How::Before,
        asked: false,
        mends: false,
    }
}

/// Kills children at any moment. One file lives through many kills.
#[derive(Clone, Copy, Debug)]
pub struct Kill;

impl Part for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn about(&self) -> &'static str {
        "kill -9 of a process at any moment, again and again on one file"
    }

    fn unit(&self) -> &'static str {
        "kills"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 40,
            long: 20_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let directory = place::directory(rng)?;
        let path = directory.path().join("sessions.redb");
        let mut witness = Witness::new(rng.u64(..));
        for _ in 0..rng.u32(1..=20) {
            kill_once(&path, &mut witness, rng, tally)?;
            // Now and then nobody looks, so that the next child meets a file that was left by two.
            let must_look = witness.scenario().has_uses() || witness.is_in_the_dark();
            if must_look || rng.u8(..3) > 0 {
                look(&path, &mut witness, rng, tally)?;
            }
        }
        look(&path, &mut witness, rng, tally)
    }
}

fn kill_once(
    path: &Path,
    witness: &mut Witness,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), Violation> {
    let mut task = task(path, witness);
    task.window = rng.choice([1, 4, 16, 64]).unwrap_or(1);
    let mut running = Running::start(Command::new(place::program()?).args(task.arguments()))?;
    // Often while it opens the file, mostly while it works.
    let longest = rng.choice([0, 40, 1_000, 6_000]).unwrap_or(0);
    for _ in 0..rng.u64(0..=longest) {
        match running.line()? {
            Some(line) => witness.hear(&line, tally)?,
            None => return Err(Violation::new("a process ended by itself")),
        }
    }
    let moment = if longest == 0 { 6_000 } else { 400 };
    wait(Duration::from_micros(rng.u64(0..moment)));
    running.kill(witness, tally)?;
    tally.count("kills");
    Ok(())
}

/// Lets a moment pass, too short a one to sleep.
pub fn wait(moment: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < moment {
        std::hint::spin_loop();
    }
}

/// Kills children at each of their writes, changes of length and syncs, from within: before it, in
/// the middle of it, and after it.
#[derive(Clone, Copy, Debug)]
pub struct KillAccesses;

impl Part for KillAccesses {
    fn name(&self) -> &'static str {
        "kill-accesses"
    }

    fn about(&self) -> &'static str {
        "kill -9 at every write, truncation and sync of a script, from within the process"
    }

    fn unit(&self) -> &'static str {
        "kills"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 60,
            long: 20_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let (seed, ops) = (rng.u64(..), rng.u64(0..=6));
        // What redb leaves of a file that it was just making does not open, so the store makes one
        // beside it, which is not seen from within.
        let before = rng.choice([0, 5, 60]).unwrap_or(0);
        let window = rng.choice([1, 4]).unwrap_or(1);
        for at in 1.. {
            let dies = rng.choice([How::Before, How::Half, How::After]);
            let dies = dies.unwrap_or(How::Before);
            let directory = place::directory(rng)?;
            let path = directory.path().join("sessions.redb");
            let mut witness = Witness::new(seed);
            let mut making = task(&path, &witness);
            making.at_most = before;
            run(&making, &mut witness, tally)?;
            let mut dying = task(&path, &witness);
            (dying.at_most, dying.window) = (ops, window);
            (dying.dies_at, dying.dies) = (at, dies);
            let was_done = run(&dying, &mut witness, tally)?;
            look(&path, &mut witness, rng, tally)?;
            if was_done {
                tally.count("scripts");
                return Ok(());
            }
            tally.count("kills");
            ensure(at < 10_000, || "a script without an end".to_owned())?;
        }
        Ok(())
    }
}

/// Kills children as they enter a system call that changes or syncs the file, or makes it.
#[derive(Clone, Copy, Debug)]
pub struct KillSyscalls;

/// The calls, a kind in a line. A kind has different names on different machines.
const CALLS: [&str; 7] = [
    "pwrite64",
    "?ftruncate,?ftruncate64",
    "fdatasync",
    "fsync",
    "?open,openat",
    "?link,linkat",
    "?unlink,unlinkat",
];

impl Part for KillSyscalls {
    fn name(&self) -> &'static str {
        "kill-syscalls"
    }

    fn about(&self) -> &'static str {
        "kill -9 at every system call that makes, writes or syncs the file, by strace"
    }

    fn unit(&self) -> &'static str {
        "kills"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 10,
            long: 5_000,
        }
    }

    fn missing(&self) -> Option<String> {
        strace::missing()
    }

    /// Goes through one kind of call, from the first to the last of a script.
    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let (seed, ops) = (rng.u64(..), rng.u64(0..=3));
        let calls = rng.choice(CALLS).unwrap_or("pwrite64");
        // With a file that is there, it is the thread that writes that is killed, and without one
        // the one that makes it.
        let is_there = rng.bool();
        for at in 1..10_000 {
            let directory = place::directory(rng)?;
            let path = directory.path().join("sessions.redb");
            let mut witness = Witness::new(seed);
            let mut making = task(&path, &witness);
            making.at_most = 5;
            if is_there {
                run(&making, &mut witness, tally)?;
            }
            let mut dying = task(&path, &witness);
            dying.at_most = ops;
            let injection = format!("signal=KILL:when={at}");
            let command = &mut strace::command(&dying, calls, &injection, None)?;
            let was_done = run_as(command, &mut witness, tally)?;
            look(&path, &mut witness, rng, tally)?;
            if was_done {
                tally.count("scripts");
                return Ok(());
            }
            tally.count("kills");
        }
        Err(Violation::new("a script without an end"))
    }
}

/// Runs a child to its end, and says whether it did all that it was to do.
fn run(task: &Task, witness: &mut Witness, tally: &mut Tally) -> Result<bool, Violation> {
    run_as(
        Command::new(place::program()?).args(task.arguments()),
        witness,
        tally,
    )
}

fn run_as(
    command: &mut Command,
    witness: &mut Witness,
    tally: &mut Tally,
) -> Result<bool, Violation> {
    let mut running = Running::start(command)?;
    let mut was_done = false;
    while let Some(line) = running.line()? {
        witness.hear(&line, tally)?;
        was_done = witness.is_done();
    }
    running.hear_out(witness, tally)?;
    Ok(was_done)
}
