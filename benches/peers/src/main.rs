//! Stores of tower-sessions, each of which answers the benchmarks' questions.

mod memory;
mod redis;
mod sqlite;
#[cfg(test)]
mod trial;

use std::process::ExitCode;

use memory::Memory;
use peers::Tower;
use redis::Redis;
use sqlite::Rusqlite;

fn main() -> Result<ExitCode, subject::Error> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().unwrap_or_default().as_str() {
        "tower-memory" => subject::main::<Tower<Memory>>(arguments),
        "tower-rusqlite" => subject::main::<Tower<Rusqlite>>(arguments),
        "tower-redis" => subject::main::<Tower<Redis>>(arguments),
        name => Err(format!("there is no subject of the name {name:?}").into()),
    }
}
