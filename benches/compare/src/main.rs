//! Ours beside what could be taken in its place.
//!
//! `compare run` asks each store the same things, in turn and in a process of its own, and writes down
//! what they answer; `compare report` makes tables and plots of that. `benches/run` builds all that
//! takes part and does both.

mod bars;
mod contestant;
mod load;
mod machine;
mod plain;
mod plot;
mod report;
mod results;
mod rounds;
mod rows;
mod serving;
mod sessions;
mod subjects;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use subject::Error;

#[derive(Debug, Parser)]
#[command(about = "Compares stores of sessions")]
enum Command {
    /// Measures, and writes each figure down as it comes.
    Run(rounds::Task),
    /// Makes tables and plots of what was written down.
    Report {
        /// What `run` wrote.
        results: PathBuf,
        /// Where the tables go, in Markdown.
        #[arg(long, default_value = "target/compare/report.md")]
        tables: PathBuf,
        /// Where the plots go.
        #[arg(long, default_value = "target/compare")]
        plots: PathBuf,
    },
}

fn main() -> Result<ExitCode, Error> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("subject") {
        let name = arguments.next().unwrap_or_default();
        return subjects::run(&name, arguments)
            .unwrap_or_else(|| Err(format!("there is no subject {name:?} here").into()));
    }
    match Command::parse() {
        Command::Run(task) => rounds::run(&task)?,
        Command::Report {
            results,
            tables,
            plots,
        } => {
            let results = results::read(&results)?;
            std::fs::create_dir_all(&plots)?;
            std::fs::write(&tables, report::tables(&results))?;
            plot::draw(&results, &plots)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
