//! Ours beside what could be taken in its place.

mod serving;
mod subjects;

use std::process::ExitCode;

fn main() -> Result<ExitCode, subject::Error> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_default();
    subjects::run(&name, arguments).unwrap_or(Ok(ExitCode::FAILURE))
}
