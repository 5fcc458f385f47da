//! A kernel that refuses: system calls that fail, and files that may not grow.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::campaign::{Enough, Part, Rng, Tally, Violation};
use crate::process::child::Task;
use crate::process::kill::{Running, task};
use crate::process::look::look;
use crate::process::place::{self, cannot, program};
use crate::process::strace;
use crate::process::witness::Witness;

/// Has system calls fail.
#[derive(Clone, Copy, Debug)]
pub struct Kernel;

/// The calls, a kind in a line. A kind has different names on different machines.
const CALLS: [&str; 6] = [
    "pwrite64",
    "fdatasync",
    "?ftruncate,?ftruncate64",
    "pread64",
    "fsync",
    "?link,linkat",
];

/// When a call fails, counted for each thread.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Once, or a few times.
    From(u64, u64),
    /// Now and then.
    Each(u64, u64),
    /// From then on.
    Always(u64),
}

impl When {
    fn draw(rng: &mut Rng) -> Self {
        let latest = rng.choice([3, 30, 150]).unwrap_or(3);
        let first = rng.u64(1..=latest);
        match rng.u8(..4) {
            0 => Self::From(first, first + rng.u64(0..2)),
            1 => Self::Each(first, rng.u64(2..30)),
            _ => Self::Always(first),
        }
    }

    /// As strace has it.
    fn expression(self) -> String {
        match self {
            Self::From(first, last) => format!("when={first}..{last}"),
            Self::Each(first, step) => format!("when={first}+{step}"),
            Self::Always(first) => format!("when={first}+"),
        }
    }
}

impl Part for Kernel {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn about(&self) -> &'static str {
        "system calls that fail, once, now and then or for good, by strace"
    }

    fn unit(&self) -> &'static str {
        "faults"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 80,
            long: 50_000,
        }
    }

    fn missing(&self) -> Option<String> {
        strace::missing()
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let calls = rng.choice(CALLS).unwrap_or("pwrite64");
        let error = rng
            .choice(["EIO", "EIO", "ENOSPC", "EDQUOT"])
            .unwrap_or("EIO");
        let when = When::draw(rng);
        let injection = format!("error={error}:{}", when.expression());
        suffer(rng, tally, |task, directory, tally| {
            // What ends must be got over, without a new process.
            task.mends = matches!(when, When::From(..));
            tally.add("fleeting", u64::from(task.mends));
            let trace = directory.join("trace");
            let command = strace::command(task, calls, &injection, Some(&trace))?;
            Ok((command, Some(trace)))
        })
        .map_err(|Violation(what)| Violation(format!("{calls} with {injection}: {what}")))
    }
}

/// Has files not grow beyond a size.
#[derive(Clone, Copy, Debug)]
pub struct FileLimit;

impl Part for FileLimit {
    fn name(&self) -> &'static str {
        "file-limit"
    }

    fn about(&self) -> &'static str {
        "files that may not grow beyond a limit of the process"
    }

    fn unit(&self) -> &'static str {
        "limits"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 10,
            long: 5_000,
        }
    }

    fn missing(&self) -> Option<String> {
        (!cfg!(unix)).then(|| "limits of a process, which Unix has".to_owned())
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        tally.count("limits");
        let most = rng.choice([100, 5_000]).unwrap_or(100);
        let blocks = rng.u32(0..=most);
        // Unless it is ignored, the signal that comes with it ends the process.
        let ignored = if rng.bool() { "trap '' XFSZ; " } else { "" };
        let script = format!(r#"{ignored}ulimit -c 0; ulimit -f {blocks}; exec "$0" "$@""#);
        suffer(rng, tally, |task, _, _| {
            let mut command = Command::new("sh");
            command.args(["-c", &script]).arg(program()?);
            command.args(task.arguments());
            Ok((command, None))
        })
        .map_err(|Violation(what)| Violation(format!("{script}: {what}")))
    }
}

type Made = Result<(Command, Option<std::path::PathBuf>), Violation>;

/// Has a child perform a script while something is in its way, perhaps on a file that was made
/// before, and looks at what is left when nothing is.
fn suffer(
    rng: &mut Rng,
    tally: &mut Tally,
    make: impl FnOnce(&mut Task, &Path, &mut Tally) -> Made,
) -> Result<(), Violation> {
    let directory = place::directory(rng)?;
    let files = directory.path().join("files");
    fs::create_dir(&files).map_err(|error| cannot("make a directory", &error))?;
    let path = files.join("sessions.redb");
    let mut witness = Witness::new(rng.u64(..));
    if rng.u8(..4) > 0 {
        let mut making = task(&path, &witness);
        making.at_most = rng.u64(0..60);
        let mut command = Command::new(program()?);
        Running::start(command.args(making.arguments()))?.hear_out(&mut witness, tally)?;
        // Uses that it took along are lost for the next one.
        look(&path, &mut witness, rng, tally)?;
    }
    let mut suffering = task(&path, &witness);
    suffering.at_most = rng.u64(10..80);
    suffering.asked = true;
    let (mut command, trace) = make(&mut suffering, directory.path(), tally)?;
    Running::start(&mut command)?.ask(&mut witness, tally)?;
    tally.add("in the dark", u64::from(witness.is_in_the_dark()));
    if let Some(trace) = trace {
        let trace = fs::read_to_string(trace).map_err(|error| cannot("read the trace", &error))?;
        let faults = trace.matches("(INJECTED)").count();
        tally.add("faults", faults as u64);
        let refusals = tally.of("in doubt") + tally.of("refused") + tally.of("unopened");
        tally.add("got over", u64::from(faults > 0 && refusals == 0));
    }
    look(&path, &mut witness, rng, tally)
}
