//! tower-sessions' store of sqlx, which answers the benchmarks' questions.

mod sqlite;
#[cfg(test)]
#[path = "../../peers/src/trial.rs"]
mod trial;

use std::process::ExitCode;

use peers::Tower;
use sqlite::Sqlx;

fn main() -> Result<ExitCode, subject::Error> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().unwrap_or_default().as_str() {
        "tower-sqlx" => subject::main::<Tower<Sqlx>>(arguments),
        name => Err(format!("there is no subject of the name {name:?}").into()),
    }
}
