//! The fault programme on the command line. `faults --help` says what there is.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use faults::campaign::{self, Outcome, Part, Plan, Until};
use faults::traps::{self, Catch};
use faults::{damage, measure, parts, process};

/// Breaks disks, processes and clocks beneath the session store, and counts what it loses.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Names the parts.
    List,
    /// Runs one part.
    Run {
        /// Its name.
        part: String,
        #[command(flatten)]
        options: Options,
        /// Runs until so many faults, images … were tried.
        #[arg(long, conflicts_with_all = ["run", "seconds"])]
        count: Option<u64>,
        /// Runs for so long.
        #[arg(long, conflicts_with = "run")]
        seconds: Option<u64>,
        /// Repeats this one run of the seed.
        #[arg(long, requires = "seed")]
        run: Option<u64>,
    },
    /// Seeds each defect, one at a time, and sees what catches it. Needs a build with defects.
    Defects {
        /// Names of defects; all if there are none.
        only: Vec<String>,
        /// Gives each part so long to catch one.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// What the runs are drawn from.
        #[arg(long, value_parser = number, default_value = "0x5e55")]
        seed: u64,
    },
    /// Runs all parts, a little of each.
    Short {
        #[command(flatten)]
        options: Options,
    },
    /// Runs all parts, all of each: hours.
    Long {
        #[command(flatten)]
        options: Options,
    },
    /// Measures what commits cost and how long opening takes after a kill; prints tables.
    Measure(measure::Task),
    /// Is a process that the programme started to break.
    #[command(hide = true, subcommand)]
    Child(Child),
}

#[derive(Debug, Subcommand)]
enum Child {
    /// Damages a file in many ways.
    Damages(damage::apart::Task),
    /// Performs a script.
    Script(process::child::Task),
    /// Serves the demo.
    Demo(demo::args::Args),
    /// Serves logins and logouts to whoever asks.
    Serve(process::server::Task),
    /// Fills a file until it is killed.
    Fill(measure::Fill),
    /// Keeps a store in use.
    Soak(process::soak::Task),
    /// Fills a small file system.
    Full(process::full::Task),
}

#[derive(Clone, Debug, clap::Args)]
struct Options {
    /// What the runs are drawn from: a number, hexadecimal with 0x. A fresh one if it is left out.
    #[arg(long, value_parser = number)]
    seed: Option<u64>,
    /// How many runs there are at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where files lie: a disk, a small file system … Left out, in memory and on a disk in turn.
    #[arg(long)]
    directory: Option<PathBuf>,
}

impl Options {
    fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..))
    }

    fn begin(&self) {
        if let Some(directory) = &self.directory {
            process::place::choose(directory.clone());
        }
    }

    fn plan(&self, first: u64, until: Until) -> Plan {
        Plan {
            seed: self.seed(),
            first,
            until,
            threads: self.threads,
        }
    }
}

fn number(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program")]
fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    // What panics within a run is reported as what did not hold, with how to repeat it. This one's
    // parent reads how it ended.
    if !matches!(command, Command::Child(Child::Damages(_))) {
        campaign::hush();
    }
    let parts = parts::all();
    let passed = match command {
        Command::List => {
            for part in &parts {
                println!("{:<12} {}", part.name(), part.about());
            }
            true
        }
        Command::Run {
            part,
            options,
            count,
            seconds,
            run,
        } => {
            let Some(part) = parts.iter().find(|known| known.name() == part) else {
                eprintln!("there is no part {part:?}; `faults list` names them");
                return ExitCode::from(2);
            };
            let until = match (run, seconds) {
                (Some(_), _) => Until::Runs(1),
                (None, Some(seconds)) => Until::Time(Duration::from_secs(seconds)),
                (None, None) => {
                    let count = count.unwrap_or_else(|| part.enough().long);
                    Until::Counted(part.unit(), count)
                }
            };
            options.begin();
            tell(part.as_ref(), options.plan(run.unwrap_or(0), until))
        }
        Command::Defects {
            only,
            seconds,
            seed,
        } => {
            if !cfg!(sessionup_defects) {
                eprintln!(
                    "this program was built without defects; faults/defects builds one with them"
                );
                return ExitCode::from(2);
            }
            defects(&only, Duration::from_secs(seconds), seed)
        }
        Command::Short { options } => all(&parts, &options, |part| part.enough().short),
        Command::Long { options } => all(&parts, &options, |part| part.enough().long),
        Command::Measure(task) => match measure::run(&task) {
            Ok(report) => {
                println!("{report}");
                true
            }
            Err(violation) => {
                eprintln!("{violation}");
                false
            }
        },
        Command::Child(child) => match be(&child) {
            Ok(()) => true,
            Err(error) => {
                eprintln!("{error}");
                false
            }
        },
    };
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Tells as a table what caught which defect.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program")]
fn defects(only: &[String], longest: Duration, seed: u64) -> bool {
    let mut missed = 0;
    println!("| defect | caught by | in | after |\n|---|---|---|---|");
    for (defect, traps) in traps::TRAPS {
        if !only.is_empty() && !only.iter().any(|name| name == defect) {
            continue;
        }
        for trap in *traps {
            let (what, said) = match traps::set(defect, *trap, seed, longest) {
                Ok(Catch {
                    caught: Some((sign, after)),
                    ..
                }) => {
                    println!(
                        "| `{defect}` | {trap} | {sign} | {:.1} s |",
                        after.as_secs_f64()
                    );
                    continue;
                }
                Ok(missed) => ("was not caught", missed.said),
                Err(error) => ("could not be tried", error.to_string()),
            };
            missed += 1;
            println!("| `{defect}` | NOT by {trap} | | |");
            eprintln!("{defect} {what} by {trap}: {said}");
        }
    }
    missed == 0
}

/// Is a child, to its end.
fn be(child: &Child) -> Result<(), Box<dyn std::error::Error>> {
    match child {
        Child::Damages(task) => damage::apart::run(task)?,
        Child::Script(task) => process::child::run(task)?,
        Child::Demo(task) => tokio::runtime::Runtime::new()?.block_on(demo::server::run(task))?,
        Child::Serve(task) => process::server::serve(task)?,
        Child::Fill(task) => measure::be_filled(task)?,
        Child::Soak(task) => process::soak::run(task)?,
        Child::Full(task) => process::full::run(task)?,
    }
    Ok(())
}

/// Runs all parts, whatever becomes of them.
fn all(parts: &[Box<dyn Part>], options: &Options, enough: impl Fn(&dyn Part) -> u64) -> bool {
    options.begin();
    let passed = parts.iter().map(|part| {
        let until = Until::Counted(part.unit(), enough(part.as_ref()));
        tell(part.as_ref(), options.plan(0, until))
    });
    // None is left out because another one failed.
    passed.collect::<Vec<_>>().into_iter().all(|passed| passed)
}

/// Runs a part and tells what came of it.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program")]
fn tell(part: &dyn Part, plan: Plan) -> bool {
    if let Some(missing) = part.missing() {
        println!("{}: NOT RUN: {missing}", part.name());
        return true;
    }
    let mut told = Duration::ZERO;
    let outcome = campaign::run(part, plan, |tally, since| {
        if since >= told + Duration::from_secs(10) {
            told = since;
            eprintln!("{} after {} s: {tally}", part.name(), since.as_secs());
        }
    });
    let Outcome { tally, took, .. } = &outcome;
    let verdict = match outcome.passed(part, plan.seed) {
        Ok(()) => "nothing lost, nothing back".to_owned(),
        Err(failure) => failure,
    };
    println!(
        "{}: seed {:#x}, {} s: {tally}: {verdict}",
        part.name(),
        plan.seed,
        took.as_secs()
    );
    outcome.failure.is_none()
}
