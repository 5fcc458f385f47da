//! Damaged files are looked at in a process of its own, since redb may end the one that it is in.

use std::io::{self, Write as _};
use std::process::{Command, Output, Stdio};

use crate::campaign::{Rng, Tally, Violation, ensure};
use crate::damage::{Closed, FILES};
use crate::process::place::{cannot, program};

/// What a process is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// What the file and its damages are drawn from.
    #[arg(long)]
    seed: u64,
    /// How many of the damages were seen by processes before.
    #[arg(long)]
    skip: usize,
}

/// Damages one file in many ways, and tells the parent of each, a line of JSON.
///
/// # Errors
///
/// If nobody listens.
pub fn run(task: &Task) -> io::Result<()> {
    let mut rng = Rng::with_seed(task.seed);
    let file = Closed::make(&mut rng);
    for number in 0..FILES {
        // Each has randomness of its own, so that it is the same whatever became of those before.
        let mut own = rng.fork();
        if number >= task.skip {
            let mut tally = Tally::default();
            let outcome = file.as_ref().map_err(Violation::clone);
            let outcome = outcome.and_then(|file| file.damage(&mut own, &mut tally));
            let violation = outcome.err().map(|Violation(what)| what);
            let line = serde_json::to_string(&(tally, violation))?;
            writeln!(io::stdout().lock(), "{line}")?;
        }
    }
    Ok(())
}

/// Has all damages of one file done and looked at, by as many processes as that takes.
///
/// # Errors
///
/// What did not hold, and a process that ended otherwise than redb ends it.
pub(super) fn look(seed: u64, tally: &mut Tally) -> Result<(), Violation> {
    let mut seen = 0;
    while seen < FILES {
        let output = process(seed, seen)?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let told = serde_json::from_str::<(Tally, Option<String>)>(line);
            let (counted, violation) = told.map_err(Violation::new)?;
            tally.merge(&counted);
            seen += 1;
            if let Some(what) = violation {
                return Err(Violation(format!("file {seen} of {seed:#x}: {what}")));
            }
        }
        if seen < FILES {
            ensure(is_ended_by_redb(&output), || {
                let said = String::from_utf8_lossy(&output.stderr);
                format!("a process ended with {}: {said}", output.status)
            })?;
            tally.count("files");
            tally.count("redb ended the process");
            seen += 1;
        }
    }
    Ok(())
}

fn process(seed: u64, seen: usize) -> Result<Output, Violation> {
    let mut command = Command::new(program()?);
    command.args(["child", "damages"]);
    command.args(["--seed", &seed.to_string(), "--skip", &seen.to_string()]);
    command.stdin(Stdio::null()).env("RUST_BACKTRACE", "0");
    let output = command.output();
    output.map_err(|error| cannot("start a process", &error))
}

/// As `faults/examples/redb_abort.rs` shows: a panic while a database is dropped because of one.
fn is_ended_by_redb(output: &Output) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    !output.status.success()
        && said.contains("redb-")
        && said.contains("panic in a destructor during cleanup")
}
