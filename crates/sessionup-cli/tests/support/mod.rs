//! The program as a process, and files for it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "tests, and each uses its part"
)]

#[path = "../../../sessionup-bolt/tests/support/mod.rs"]
pub mod go;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_executor::block_on;
use serde_json::Value;
use sessionup_bolt::{GoSession, GoToken, Writer};
use sessionup_core::{
    Agent, Client, Clock, CreateOptions, Record, SecretHash, Session, SessionId, Store,
    SystemClock, Timestamp, UserKey,
};
use sessionup_redb::RedbStore;
use tempfile::TempDir;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_sessionup");
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The one JSON document that was printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn ids(&self) -> Vec<String> {
        let document = self.json();
        let sessions = document.as_array().unwrap();
        let ids = sessions.iter().map(|session| session["id"].as_str());
        ids.map(|id| id.unwrap().to_owned()).collect()
    }
}

pub fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_remove("SESSIONUP_DB")
        .env_remove("COLUMNS")
        .env_remove("LINES")
        .stdin(Stdio::null());
    command
}

/// A directory with files, in which the program is run. All that it writes is searched for tokens.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = command();
        command.current_dir(self.directory.path()).args(arguments);
        command
    }

    /// Runs a line, split at spaces.
    pub fn run(&self, line: &str) -> Run {
        self.run_with(line.split_whitespace())
    }

    /// Runs a line on `s.redb`, which must be done.
    pub fn done(&self, line: &str) -> Run {
        let run = self.run(&format!("{line} --db s.redb"));
        assert_eq!(run.code, 0, "{line}: {run:?}");
        run
    }

    pub fn run_with<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        let output = self.command(arguments).output().unwrap();
        evidence::note_written(&output.stdout);
        evidence::note_written(&output.stderr);
        Run {
            code: output.status.code().expect("it ended by itself"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn store(&self) -> RedbStore {
        let builder = RedbStore::builder()
            .cleanup_interval(Duration::ZERO)
            .reserve_bytes(0);
        builder.open(self.path("s.redb")).unwrap()
    }

    /// Makes `s.redb` with these sessions.
    pub fn fill(&self, sessions: impl IntoIterator<Item = Session>) {
        let store = self.store();
        create(&store, sessions);
        block_on(store.close());
    }

    /// Says whether a file's owner alone can read it.
    pub fn is_private(&self, name: &str) -> bool {
        #[cfg(unix)]
        {
            let found = fs::metadata(self.path(name)).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::mode(&found) & 0o777 == 0o600
        }
        #[cfg(not(unix))]
        self.path(name).exists()
    }

    /// Names of the files that there are.
    pub fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Writes a fixture of Go's.
    pub fn go_fixture(&self, name: &str) -> PathBuf {
        let path = self.path(&format!("{name}.db"));
        fs::write(&path, go::fixture(&format!("{name}.db"))).unwrap();
        path
    }
}

pub fn create(store: &RedbStore, sessions: impl IntoIterator<Item = Session>) {
    let creating = sessions.into_iter().map(|session| {
        let record = Record::new(session, SecretHash::from_bytes([0xab; 32]));
        store.create(record, CreateOptions::default(), Timestamp::MIN)
    });
    let mut creating = creating.peekable();
    while creating.peek().is_some() {
        // As many as wait at once.
        let some = creating.by_ref().take(1_000);
        for created in block_on(futures_util::future::join_all(some)) {
            created.unwrap();
        }
    }
}

pub fn now() -> Timestamp {
    SystemClock::default().now()
}

pub fn id(number: u64) -> SessionId {
    let number = u128::from(number);
    SessionId::from_bytes(((number << 64) | number).to_be_bytes())
}

/// A session made three days and a bit ago, that has eleven days and a bit to go.
pub fn session(number: u64, user: &str) -> Session {
    let created = now().saturating_sub(3 * DAY + HOUR);
    let ends = now().saturating_add(11 * DAY + HOUR);
    let mut session = Session::new(id(number), UserKey::new(user).unwrap(), created, ends);
    session.last_seen_at = now().saturating_sub(5 * HOUR + HOUR / 2);
    let mut agent = Agent::new("Linux", "Firefox");
    agent.version = Some(140);
    session.client = Client::new("192.0.2.17".parse().ok(), agent);
    session
}

/// The same, but it has ended.
pub fn ended(number: u64, user: &str) -> Session {
    let mut session = session(number, user);
    session.expires_at = now().saturating_sub(HOUR);
    session
}

/// A live session of Go's.
pub fn go_session(token: &str, user: &str) -> GoSession {
    let mut session = GoSession::new(GoToken::new(token.into()));
    session.user_key = user.into();
    session.created_at = now().saturating_sub(HOUR);
    session.expires_at = now().saturating_add(DAY);
    session.os = "Linux".into();
    session.browser = "Firefox".into();
    session
}

/// Forty characters, as Go's sessionup makes them.
pub fn go_token(number: u64) -> String {
    format!("{number:040}")
}

pub fn write_bolt(path: &Path, sessions: impl IntoIterator<Item = GoSession>) {
    let mut writer = Writer::new("sessions").unwrap();
    for session in sessions {
        writer.add(&session).unwrap();
    }
    writer.write(path).unwrap();
}

/// Changes a byte of a record, as the database lets whoever opens it.
pub fn spoil_record(path: &Path, id: SessionId) {
    const SESSIONS: redb::TableDefinition<'_, &[u8; 16], &[u8]> =
        redb::TableDefinition::new("sessions/sessions");
    let database = redb::Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut sessions = transaction.open_table(SESSIONS).unwrap();
    let found = sessions
        .remove(id.as_bytes())
        .unwrap()
        .map(|bytes| bytes.value().to_vec());
    let mut bytes = found.unwrap();
    bytes[40] ^= 1;
    sessions.insert(id.as_bytes(), bytes.as_slice()).unwrap();
    drop(sessions);
    transaction.commit().unwrap();
}
