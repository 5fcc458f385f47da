//! Our tables in other embedded engines, with group commit, which answer the benchmarks' questions.
//!
//! An [`engine`] has tables and transactions. [`grouped`] makes a subject of it, with threads as our
//! own store has them: one that writes and commits for all who wait, and a few that read.

mod engine;
mod grouped;
mod lmdb;
mod operation;
#[path = "../../compare/src/plain.rs"]
mod plain;
mod queue;
#[path = "../../compare/src/sessions.rs"]
#[expect(dead_code, reason = "of our sessions' content the hash alone is kept")]
mod sessions;
mod sqlite;
#[cfg(test)]
mod trial;
mod writer;

use std::process::ExitCode;

use grouped::Grouped;
use lmdb::Lmdb;
use sqlite::Sqlite;

fn main() -> Result<ExitCode, subject::Error> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().unwrap_or_default().as_str() {
        "sqlite" => subject::main::<Grouped<Sqlite>>(arguments),
        "lmdb" => subject::main::<Grouped<Lmdb>>(arguments),
        name => Err(format!("there is no subject of the name {name:?}").into()),
    }
}
