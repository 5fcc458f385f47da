//! What the command line says.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use sessionup_core::{InvalidKind, Kind};

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
  sessionup backup /backup/monday.redb --db sessions.redb

To read the manual page:
  sessionup man | man -l -";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the sessions of a user, or of all.
    #[command(after_help = "\
Columns that do not fit the terminal are left out, and ids shortened. Piped,
or with --json, nothing is. A name that begins with a dash: --user=-ann.

Examples:
  sessionup list ann --db sessions.redb
  sessionup list --all --sort seen --limit 20 --db sessions.redb
  sessionup list --all --ip 203.0.113.0/24 --older-than 12h --db sessions.redb
  sessionup list --all --json --db sessions.redb | jq -r '.[].user_key'")]
    List(List),
    /// Show all that is known of a session.
    #[command(after_help = "\
The beginning or the end of an id is enough if no other session has it: at
least four characters.

Examples:
  sessionup show 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f --db sessions.redb
  sessionup show 07398f --db sessions.redb")]
    Show(Show),
    /// End sessions: their users must log in again.
    #[command(after_help = "\
The beginning or the end of an id is enough if no other session has it: at
least four characters, with --yes at least eight. All ids are checked before
anything is done.

With --user, logins of the user that are under way are refused too. With
--all, everybody is logged out.

Examples:
  sessionup revoke 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f --db sessions.redb
  sessionup revoke --user ann --dry-run --db sessions.redb
  sessionup revoke --user ann --yes --db sessions.redb \\
    --except 0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f
  sessionup revoke --all --ip 203.0.113.7 --db sessions.redb
  sessionup revoke - --yes --db sessions.redb < ids.txt")]
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
    /// Copy the file, and check the copy. Beside a server: the sessions alone.
    #[command(after_help = "\
The copy can be read by its owner alone, is on the disk when the command ends,
and is written over nothing.

Beside a server that has the file open, the server's process writes the copy.
It holds the bucket of the sessions and no other table of the file: if your
application keeps its own data in the file, stop the server to copy all of it.

Examples:
  sessionup backup /backup/sessions-monday.redb --db sessions.redb")]
    Backup(Backup),
    /// Put a backup in the place of the file.
    #[command(after_help = "\
Stop the server first. The backup is checked, and copied; the file that it
replaces is kept beside it. Owner and mode stay.

Sessions that were revoked after the backup was made are in it: they come
back, with their cookies. The command says which; revoke them, or everybody:

Examples:
  sessionup restore /backup/monday.redb --dry-run --db sessions.redb
  sessionup restore /backup/monday.redb --db sessions.redb
  sessionup revoke --all --db sessions.redb")]
    Restore(Restore),
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
    /// Print the manual page as roff, or write those of all commands.
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
    /// Bucket in it [default: sessions, or the only one].
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) bucket: Option<String>,
    #[command(flatten)]
    pub(crate) wait: Wait,
}

#[derive(Debug, Args)]
pub(crate) struct Wait {
    /// Wait so long for a file that is in use [default: 2s], or for the answer of a server [default:
    /// 30s].
    #[arg(long, value_name = "TIME", value_parser = duration, value_hint = ValueHint::Other)]
    pub(crate) wait: Option<Duration>,
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

/// Which of some sessions.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Filter {
    /// Only those from this address or network: 203.0.113.7, 2001:db8::/32.
    #[arg(long, value_name = "ADDRESS", value_parser = network, value_hint = ValueHint::Other)]
    pub(crate) ip: Option<IpNet>,
    /// Only those of agents with this text in their names: firefox.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) agent: Option<String>,
    /// Only those made longer ago than this: 12h, 30d.
    #[arg(long, value_name = "TIME", value_parser = duration, value_hint = ValueHint::Other)]
    pub(crate) older_than: Option<Duration>,
    /// Only those of this kind: user, guest, login-attempt, or another.
    #[arg(long, value_name = "KIND", value_parser = kind, value_hint = ValueHint::Other)]
    pub(crate) kind: Option<Kind>,
    /// At most so many, the first.
    #[arg(long, value_name = "NUMBER", value_hint = ValueHint::Other)]
    pub(crate) limit: Option<u64>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").args(["user", "of", "all"]).required(true))]
pub(crate) struct List {
    /// Whose sessions.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) user: Option<String>,
    /// Whose sessions, as for revoke.
    #[arg(long = "user", value_name = "USER", value_hint = ValueHint::Other)]
    pub(crate) of: Option<String>,
    /// Those of all users.
    #[arg(long)]
    pub(crate) all: bool,
    /// Also those that have ended and are not yet deleted.
    #[arg(long)]
    pub(crate) expired: bool,
    /// Which come first: by id, which needs no memory; the oldest; the last used; those that end next; or
    /// by the user's key.
    #[arg(long, value_name = "ORDER", value_enum, default_value_t)]
    pub(crate) sort: Sort,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
    #[command(flatten)]
    pub(crate) filter: Filter,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    #[default]
    Id,
    Created,
    Seen,
    Expires,
    User,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Id of the session, or its beginning or end.
    #[arg(value_hint = ValueHint::Other)]
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
#[command(group = ArgGroup::new("which").args(["ids", "user", "all"]).required(true))]
pub(crate) struct Revoke {
    /// Ids of the sessions, or their beginnings or ends; - reads ids from the standard input, one a line.
    #[arg(value_name = "ID", value_hint = ValueHint::Other)]
    pub(crate) ids: Vec<String>,
    /// All sessions of this user.
    #[arg(long, value_hint = ValueHint::Other)]
    pub(crate) user: Option<String>,
    /// All sessions of all users.
    #[arg(long)]
    pub(crate) all: bool,
    /// But not this one; may be given again.
    #[arg(long, value_name = "ID", conflicts_with = "ids", value_hint = ValueHint::Other)]
    pub(crate) except: Vec<String>,
    #[command(flatten)]
    pub(crate) assent: Assent,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) json: Json,
    #[command(flatten)]
    pub(crate) filter: Filter,
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

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup. It is not changed.
    #[arg(value_name = "SRC", value_hint = ValueHint::FilePath)]
    pub(crate) source: PathBuf,
    /// Replace the file also if it has tables of an application, which the backup does not have.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) assent: Assent,
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
    #[arg(long, value_name = "NAME", default_value = "sessions", value_hint = ValueHint::Other)]
    pub(crate) bucket: String,
    #[command(flatten)]
    pub(crate) into: Redb,
    /// Take sessions that have ended too.
    #[arg(long)]
    pub(crate) include_expired: bool,
    /// End sessions at the latest so long after they were made.
    #[arg(long, value_name = "TIME", default_value = "400d", value_parser = duration, value_hint = ValueHint::Other)]
    pub(crate) max_lifetime: Duration,
    /// End sessions that are not used for so long.
    #[arg(long, value_name = "TIME", value_parser = duration, value_hint = ValueHint::Other)]
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
    /// Bucket in that file [default: sessions].
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) db_bucket: Option<String>,
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
    #[arg(long, value_name = "NAME", default_value = "sessions", value_hint = ValueHint::Other)]
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

/// Reads the name of a kind of session.
fn kind(text: &str) -> Result<Kind, String> {
    text.parse().map_err(|error: InvalidKind| error.to_string())
}

/// Reads an address or a network.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>()
        .or_else(|_| address())
        .map_err(|_| "an address or a network is expected: 203.0.113.7, 2001:db8::/32".into())
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
    fn networks() {
        let cases = [
            ("203.0.113.7", Some("203.0.113.7/32")),
            ("203.0.113.0/24", Some("203.0.113.0/24")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("2001:db8::1", Some("2001:db8::1/128")),
            ("203.0.113", None),
            ("203.0.113.0/33", None),
            ("example.org", None),
        ];
        for (text, expected) in cases {
            let found = network(text).ok().map(|network| network.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn spellings() {
        let cases = [
            ("list ann --db f", true),
            ("list --all --json --db f --bucket b", true),
            ("list --user ann --db f", true),
            ("list --user=-ann --db f", true),
            ("list ann --user ann --db f", false),
            (
                "list --all --ip 192.0.2.0/24 --agent x --older-than 3d --limit 5 --db f",
                true,
            ),
            ("list --ip 192.0.2.0/24 --db f", false),
            ("list --db f", false),
            ("list ann --all --db f", false),
            ("list ann", false),
            ("list ann --sort age --db f", false),
            ("show x --db f", true),
            ("show --db f", false),
            ("revoke x y --db f --yes", true),
            ("revoke --user ann --except x --db f -y", true),
            ("revoke - --db f", true),
            ("revoke --all --db f", true),
            (
                "revoke --all --except x --except y --ip 192.0.2.1 --db f",
                true,
            ),
            ("revoke --all --user ann --db f", false),
            ("revoke --all x --db f", false),
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
            ("restore b --db f --force --yes --json", true),
            ("restore --db f", false),
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
