//! The process of a subject.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::message::{Reply, Request};
use crate::work::Work;
use crate::{Error, Subject};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where its files are.
    #[arg(long)]
    directory: PathBuf,
}

/// Runs a subject: answers each line of the standard input by a line, until that ends.
///
/// `arguments` are those after its name: `--directory DIRECTORY`.
///
/// # Errors
///
/// If lines cannot be read or written. What the subject cannot do is said in an answer.
pub fn main<S: Subject>(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Error> {
    let program = std::iter::once("subject".to_owned());
    let arguments = Arguments::try_parse_from(program.chain(arguments))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut work = Work::<S>::default();
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let reply = answer(&runtime, &mut work, request, &arguments.directory);
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        out.write_all(&line)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer<S: Subject>(
    runtime: &tokio::runtime::Runtime,
    work: &mut Work<S>,
    request: Request,
    directory: &Path,
) -> Reply {
    // A task of the runtime, as those of a server are, and not the main thread, which is none.
    let reply = std::thread::scope(|scope| {
        let work = scope.spawn(|| runtime.block_on(work.answer(request, directory)));
        work.join()
    });
    match reply {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Reply::Failed(chain(&*error)),
        Err(_) => Reply::Failed("panicked".to_owned()),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
