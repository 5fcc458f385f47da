//! The commands, a file for each.

mod backup;
mod check;
mod compact;
mod export;
mod import;
mod list;
mod print;
mod prune;
mod restore;
mod revoke;
mod show;
mod stats;

use sessionup_core::{Clock, SystemClock, Timestamp};

use crate::args::{Command, Export, Import};
use crate::failure::Failure;

/// Does what was said.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let now = SystemClock::default().now();
    match command {
        Command::List(args) => list::run(args, now),
        Command::Show(args) => show::run(args, now),
        Command::Revoke(args) => revoke::run(args, now),
        Command::Prune(args) => prune::run(args, now),
        Command::Stats(args) => stats::run(args, now),
        Command::Check(args) => check::run(args, now),
        Command::Compact(args) => compact::run(args),
        Command::Backup(args) => backup::run(args, now),
        Command::Restore(args) => restore::run(args, now),
        Command::Import(Import::Bolt(args)) => import::run(args, now),
        Command::Export(Export::Bolt(args)) => export::run(args, now),
        Command::Completions { shell } => print::completions(*shell),
        Command::Man { directory } => print::man(directory.as_deref()),
    }
}

/// Counts what cannot be read, and tells of the first once the file is free again.
#[derive(Debug, Default)]
struct Damages {
    number: u64,
    first: Vec<String>,
}

impl Damages {
    /// How many are told of one by one.
    const TOLD: usize = 1_000;

    fn note(&mut self, damage: sessionup_core::StoreError) {
        self.number += 1;
        if self.first.len() < Self::TOLD {
            self.first.push(Failure::from(damage).line());
        }
    }

    /// Tells of them, and fails if there was any.
    fn into_result(self) -> Result<(), Failure> {
        for line in &self.first {
            crate::output::tell(line);
        }
        match self.number {
            0 => Ok(()),
            number => Err(Failure::Damage(format!(
                "{} cannot be read and {} left out",
                crate::output::sessions(number),
                if number == 1 { "was" } else { "were" }
            ))),
        }
    }
}

/// Says whether a session has ended, for [`Timestamp`] of now.
fn has_ended(session: &sessionup_core::Session, now: Timestamp) -> bool {
    !session.is_live(now)
}
