//! The commands, a file for each.

mod backup;
mod check;
mod compact;
mod export;
mod import;
mod list;
mod print;
mod prune;
mod revoke;
mod show;
mod stats;

use sessionup_core::{Clock, SessionId, SystemClock, Timestamp, UserKey};

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
        Command::Import(Import::Bolt(args)) => import::run(args, now),
        Command::Export(Export::Bolt(args)) => export::run(args, now),
        Command::Completions { shell } => print::completions(*shell),
        Command::Man { directory } => print::man(directory.as_deref()),
    }
}

/// Reads an id. What was given instead is not repeated: it may be a token.
fn id(text: &str) -> Result<SessionId, Failure> {
    text.parse().map_err(|_| {
        Failure::Usage(
            "that is no id of a session: `sessionup list` shows them, 36 characters such as \
             0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f"
                .into(),
        )
    })
}

fn ids(texts: &[String]) -> Result<Vec<SessionId>, Failure> {
    let mut ids = texts
        .iter()
        .map(|text| id(text))
        .collect::<Result<Vec<_>, _>>()?;
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn user(text: &str) -> Result<UserKey, Failure> {
    UserKey::new(text).map_err(|error| Failure::Usage(format!("that is no user: {error}")))
}

/// Counts what cannot be read, and tells of each.
#[derive(Debug, Default)]
struct Damages(u64);

impl Damages {
    fn tell(&mut self, damage: sessionup_core::StoreError) {
        self.0 += 1;
        crate::output::tell(&Failure::from(damage).line());
    }

    /// Fails if there was any, once all else is done.
    fn into_result(self) -> Result<(), Failure> {
        match self.0 {
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
