//! What test processes write down while `.ci/leaks` runs them.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, OnceLock};

use data_encoding::HEXLOWER;
use sessionup_core::{ManagerBuilder, OsRandom, Random, RandomError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::needles::{SECRET_BYTES, secret_of};

/// The variable that names the directory to write to.
pub const DIRECTORY: &str = "SESSIONUP_LEAKS";

/// The files of this process.
struct Files {
    written: Mutex<File>,
    ledger: Mutex<File>,
}

/// Opens the files and begins to listen, once; `None` if nobody wants to know.
fn files() -> Option<&'static Files> {
    static FILES: OnceLock<Option<Files>> = OnceLock::new();
    FILES
        .get_or_init(|| {
            let directory = env::var_os(DIRECTORY)?;
            let files = Files::in_directory(Path::new(&directory));
            begin_to_listen(&files);
            Some(files)
        })
        .as_ref()
}

impl Files {
    fn in_directory(directory: &Path) -> Self {
        let program = env::current_exe().unwrap();
        let program = program.file_stem().unwrap().to_string_lossy();
        let open = |ending| {
            let name = format!("{program}.{}.{ending}", process::id());
            append_to(directory.join(name))
        };
        Self {
            written: Mutex::new(open("written")),
            ledger: Mutex::new(open(Ledger::ENDING)),
        }
    }

    fn note(&self, kind: &str, secret: &[u8]) {
        let line = format!("{kind} {}\n", HEXLOWER.encode(secret));
        self.ledger
            .lock()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
    }
}

fn append_to(path: PathBuf) -> File {
    let mut options = OpenOptions::new();
    options.create(true).append(true).open(path).unwrap()
}

/// Has everything logged and what panics say written to the file, past every buffer.
fn begin_to_listen(files: &Files) {
    let log = files.written.lock().unwrap().try_clone().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let panics = Mutex::new(files.written.lock().unwrap().try_clone().unwrap());
    let former = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let text = format!("{info}\n");
        // A panic within a panic would hide the first.
        let _ = panics
            .lock()
            .map(|mut file| file.write_all(text.as_bytes()));
        former(info);
    }));
}

/// Listens in this process, and notes the secrets that managers of this builder will draw.
pub fn watch(builder: ManagerBuilder) -> ManagerBuilder {
    if files().is_none() {
        return builder;
    }
    builder.insecure_random(Noting)
}

/// Listens in this process.
pub fn listen() {
    files();
}

/// Notes a token that came in a `Set-Cookie`.
pub fn note_issued(token: &str) {
    if let (Some(files), Some(secret)) = (files(), secret_of(token)) {
        files.note(Ledger::ISSUED, &secret);
    }
}

/// Notes a token that is about to be written to a place, so that the search must find it.
pub fn note_planted(token: &str) {
    if let (Some(files), Some(secret)) = (files(), secret_of(token)) {
        files.note(Ledger::PLANTED, &secret);
    }
}

/// Writes down what went out in another way than by the log, for it to be searched too.
pub fn note_written(bytes: &[u8]) {
    if let Some(files) = files() {
        let mut written = files.written.lock().unwrap();
        written.write_all(bytes).unwrap();
        written.write_all(b"\n").unwrap();
    }
}

/// The operating system's generator, and a note of each secret.
#[derive(Debug)]
struct Noting;

impl Random for Noting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomError> {
        OsRandom::default().fill(buffer)?;
        if let (Some(files), SECRET_BYTES) = (files(), buffer.len()) {
            files.note(Ledger::ISSUED, buffer);
        }
        Ok(())
    }
}

/// The secrets that all processes noted, each once.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Ledger {
    /// Of tokens that were issued.
    pub issued: Vec<Vec<u8>>,
    /// Of tokens that were written somewhere on purpose.
    pub planted: Vec<Vec<u8>>,
}

impl Ledger {
    /// How names of ledgers end.
    pub const ENDING: &str = "ledger";
    const ISSUED: &str = "issued";
    const PLANTED: &str = "planted";

    /// Reads every ledger of a directory.
    #[must_use]
    pub fn read(directory: &Path) -> Self {
        let mut ledger = Self::default();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|ending| ending == Self::ENDING)
            {
                ledger.add(&fs::read_to_string(path).unwrap());
            }
        }
        for secrets in [&mut ledger.issued, &mut ledger.planted] {
            secrets.sort_unstable();
            secrets.dedup();
        }
        ledger
    }

    fn add(&mut self, lines: &str) {
        for line in lines.lines() {
            let (kind, secret) = line.split_once(' ').unwrap();
            let secret = HEXLOWER.decode(secret.as_bytes()).unwrap();
            match kind {
                Self::ISSUED => self.issued.push(secret),
                Self::PLANTED => self.planted.push(secret),
                kind => panic!("{kind} is nothing that is noted"),
            }
        }
    }
}
