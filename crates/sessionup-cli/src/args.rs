//! What the command line says.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

/// See, revoke, check, back up and move the sessions in a file of sessionup.
///
/// A server that has the file open is asked if it listens for tools. Tokens are in no such file and in no
/// output.
#[derive(Debug, Parser)]
#[command(name = "sessionup", version, after_help = EXIT_CODES, subcommand_required = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, or you said no
  2  wrong use
  3  no such session
  4  something is damaged

Environment:
  SESSIONUP_DB  file of the sessions, in place of --db

Examples:
  sessionup list ann --db sessions.redb
  sessionup revoke --user ann --db sessions.redb
  sessionup import bolt my.db --db sessions.redb";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the sessions of a user, or of all.
    #[command(after_help = "\
Columns that do not fit the terminal are left out. Piped, or with --json,
nothing is.

Examples:
  sessionup list ann --db sessions.redb
  sessionup list --all --sort seen --db sessions.redb
  sessionup list --all --json --db sessions.redb | jq -r '.[].user_key'")]
    List(List),
    /// Show all that is known of a session.
    #[command(after_help = "\
Examples:
  sessionup show 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f --db sessions.redb")]
    Show(Show),
    /// End sessions: their users must log in again.
    #[command(after_help = "\
Examples:
  sessionup revoke 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f --db sessions.redb
  sessionup revoke --user ann --dry-run --db sessions.redb
  sessionup revoke --user ann --yes --db sessions.redb \\
    --except 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f")]
    Revoke(Revoke),
    /// Delete the records of sessions that have ended.
    #[command(after_help = "\
A server does this by itself.

Examples:
  sessionup prune --dry-run --db sessions.redb
  sessionup prune --yes --db sessions.redb")]
    Prune(Prune),
    /// Count sessions and users.
    #[command(after_help = "\
Examples:
  sessionup stats --db sessions.redb")]
    Stats(Look),
    /// Check the whole file. Changes nothing.
    #[command(after_help = "\
Exit code 4 if anything is wrong.

Examples:
  sessionup check --db sessions.redb && echo sound")]
    Check(Look),
    /// Give free pages of the file back to the disk.
    #[command(after_help = "\
Worth its time after many sessions have gone. May be stopped at any moment.

Examples:
  sessionup compact --db sessions.redb")]
    Compact(Look),
    /// Copy the file, and check the copy.
    #[command(after_help = "\
The copy can be read by its owner alone, is on the disk when the command ends,
and is written over nothing.

Examples:
  sessionup backup /backup/sessions-monday.redb --db sessions.redb")]
    Backup(Backup),
    /// Take sessions over from another format.
    #[command(subcommand)]
    Import(Import),
    /// Give sessions back to another format.
    #[command(subcommand)]
    Export(Export),
    /// Print completions for a shell.
    #[command(after_help = "\
Examples:
  sessionup completions bash > /etc/bash_completion.d/sessionup")]
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands.
    #[command(after_help = "\
Examples:
  sessionup man | man -l -
  sessionup man /usr/local/share/man/man1")]
    Man {
        /// Directory for the pages of all commands.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

/// Which file, and which bucket in it.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// File of the sessions.
    #[arg(long, value_name = "FILE", env = "SESSIONUP_DB", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) db: PathBuf,
    /// Bucket in it.
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    pub(crate) bucket: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait so long for a file that is in use: 2s, 5m.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub(crate) wait: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Json {
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Nothing but a place.
#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").args(["user", "all"]).required(true))]
pub(crate) struct List {
    /// Whose sessions.
    pub(crate) user: Option<String>,
    /// Those of all users.
    #[arg(long)]
    pub(crate) all: bool,
    /// Also those that have ended and are not yet deleted.
    #[arg(long)]
    pub(crate) expired: bool,
    /// Which come first: the oldest, the last used, those that end next, or by the user's key.
    #[arg(long, value_name = "ORDER", value_enum, default_value_t)]
    pub(crate) sort: Sort,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    #[default]
    Created,
    Seen,
    Expires,
    User,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Id of the session.
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// What is asked before something is changed for good.
#[derive(Debug, Args)]
pub(crate) struct Assent {
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").args(["ids", "user"]).required(true))]
pub(crate) struct Revoke {
    /// Ids of the sessions.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// All sessions of this user.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// But not this one; may be given again.
    #[arg(long, value_name = "ID", requires = "user", conflicts_with = "ids")]
    pub(crate) except: Vec<String>,
    #[command(flatten)]
    pub(crate) assent: Assent,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Believe the clock also if it is a day ahead of when the file was last used.
    #[arg(long)]
    pub(crate) trust_clock: bool,
    #[command(flatten)]
    pub(crate) assent: Assent,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// File to make.
    #[arg(value_name = "DST", value_hint = ValueHint::FilePath)]
    pub(crate) destination: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// From a Bolt file of Go's sessionup-boltstore. Cookies that Go issued stay valid.
    #[command(after_help = "\
Stop the Go program first. The Bolt file is not changed: keep it, it is the way
back. The import may be stopped at any moment and run again. Import before the
new application goes into service: a session that was revoked meanwhile would
come back.

Whoever could write to the Bolt file can log in as its users afterwards.

Examples:
  sessionup import bolt my.db --db sessions.redb --dry-run
  sessionup import bolt my.db --db sessions.redb --max-lifetime 30d
  sessionup import bolt my.db --bucket logins --db sessions.redb --yes")]
    Bolt(ImportBolt),
}

#[derive(Debug, Args)]
pub(crate) struct ImportBolt {
    /// The Bolt file.
    #[arg(value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) source: PathBuf,
    /// Bucket in it, as given to boltstore.New.
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    pub(crate) bucket: String,
    #[command(flatten)]
    pub(crate) into: Redb,
    /// Take sessions that have ended too.
    #[arg(long)]
    pub(crate) include_expired: bool,
    /// End sessions at the latest so long after they were made.
    #[arg(long, value_name = "TIME", default_value = "400d", value_parser = duration)]
    pub(crate) max_lifetime: Duration,
    /// End sessions that are not used for so long.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Go's ExpiresIn was set: browsers keep the cookies when they are closed.
    #[arg(long)]
    pub(crate) persistent: bool,
    /// From a damaged Bolt file, take what can be read before the damage.
    #[arg(long)]
    pub(crate) despite_damage: bool,
    #[command(flatten)]
    pub(crate) assent: Assent,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// The store's side, where another file has a bucket too.
#[derive(Debug, Args)]
pub(crate) struct Redb {
    /// File of the sessions.
    #[arg(long, value_name = "FILE", env = "SESSIONUP_DB", hide_env_values = true, value_hint = ValueHint::FilePath)]
    pub(crate) db: PathBuf,
    /// Bucket in that file.
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    pub(crate) db_bucket: String,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Into a Bolt file of Go's sessionup-boltstore.
    #[command(after_help = "\
A Go server knows a session by its token, which is in no file of ours: tokens
come from the Bolt file that was imported. Sessions that were made here, or
whose token was renewed here, cannot go back; their users log in again. The new
file holds tokens: guard it like passwords.

Examples:
  sessionup export bolt back.db --from my.db --db sessions.redb")]
    Bolt(ExportBolt),
}

#[derive(Debug, Args)]
pub(crate) struct ExportBolt {
    /// Bolt file to make. Nothing is written over.
    #[arg(value_name = "DST", value_hint = ValueHint::FilePath)]
    pub(crate) destination: PathBuf,
    /// Bolt file that was imported; may be given again.
    #[arg(long, value_name = "SRC", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) from: Vec<PathBuf>,
    /// Bucket in both Bolt files.
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    pub(crate) bucket: String,
    #[command(flatten)]
    pub(crate) redb: Redb,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// Reads a number and a unit: `90s`, `15m`, `12h`, `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    let unit = |unit: char| match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        'd' => Some(24 * 60 * 60),
        _ => None,
    };
    let seconds = text.char_indices().next_back().and_then(|(at, last)| {
        let number: u64 = text.get(..at)?.parse().ok()?;
        number.checked_mul(unit(last)?)
    });
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "a number and a unit are expected: 90s, 15m, 12h, 30d".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        let cases = [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("30", None),
            ("d", None),
            ("", None),
            ("1.5h", None),
            ("-1s", None),
            ("1w", None),
            ("1 d", None),
            ("1\u{e9}", None),
            ("18446744073709551615d", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(
                duration(text).ok(),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn spellings() {
        let cases = [
            ("list ann --db f", true),
            ("list --all --json --db f --bucket b", true),
            ("list --db f", false),
            ("list ann --all --db f", false),
            ("list ann", false),
            ("list ann --sort age --db f", false),
            ("show x --db f", true),
            ("show --db f", false),
            ("revoke x y --db f --yes", true),
            ("revoke --user ann --except x --db f -y", true),
            ("revoke x --except y --db f", false),
            ("revoke x --user ann --db f", false),
            ("revoke --db f", false),
            (
                "import bolt a --bucket sessions --db f --include-expired --yes",
                true,
            ),
            ("import a --db f", false),
            ("export bolt a --from b --db f", true),
            ("export bolt a --db f", false),
            ("check --db f", true),
            ("backup b --db f", true),
            ("completions bash", true),
            ("completions", false),
            ("man", true),
            ("", false),
        ];
        for (line, is_right) in cases {
            let words = ["sessionup"].into_iter().chain(line.split_whitespace());
            assert_eq!(Arguments::try_parse_from(words).is_ok(), is_right, "{line}");
        }
    }
}
