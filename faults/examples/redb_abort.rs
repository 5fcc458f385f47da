//! Shows without any code of ours that redb may end the process on a damaged file: a database is
//! written, one of its pages is put back as it was at an earlier commit, and the file is opened and let
//! go. A panic on the way out, while another one is under way, aborts the process; nothing that opens
//! such a file can keep that from happening.
//!
//! `cargo run --release -p faults --example redb_abort` tries each page of each commit until one does.

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, fs};

use redb::{Database, TableDefinition};

const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");
const ORDER: TableDefinition<'_, (i64, u64), ()> = TableDefinition::new("order");
const PAGE: usize = 4096;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Some(path) = env::args_os().nth(1) {
        open_and_let_go(Path::new(&path));
        return Ok(ExitCode::SUCCESS);
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("damaged.redb");
    let earlier = written(&path)?;
    let good = fs::read(&path)?;
    let mut tried = 0;
    for (commit, earlier) in earlier.iter().enumerate() {
        for (number, page) in earlier.chunks_exact(PAGE).enumerate().skip(1) {
            let at = number * PAGE;
            if good.get(at..at + PAGE).is_none_or(|now| now == page) {
                continue;
            }
            let mut bad = good.clone();
            bad.splice(at..at + PAGE, page.iter().copied());
            fs::write(&path, &bad)?;
            tried += 1;
            let mut child = Command::new(env::current_exe()?);
            let output = child.arg(&path).env("RUST_BACKTRACE", "0").output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                print(&format!(
                    "page {number} as it was after commit {commit}, file {tried}: {}\n{said}",
                    output.status
                ));
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    print(&format!("{tried} files, and the process ended at none"));
    Ok(ExitCode::SUCCESS)
}

/// Both may panic, which can be caught. What cannot is a panic because of a panic.
fn open_and_let_go(path: &Path) {
    if let Ok(Ok(database)) = std::panic::catch_unwind(|| Database::open(path)) {
        let let_go = std::panic::AssertUnwindSafe(|| drop(database));
        let _ = std::panic::catch_unwind(let_go);
    }
}

/// Writes a database and returns its file as it was after each commit.
fn written(path: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let mut rng = fastrand::Rng::with_seed(1);
    let database = Database::create(path)?;
    let mut files = Vec::new();
    for commit in 0..30_u8 {
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut order = transaction.open_table(ORDER)?;
            for _ in 0..60 {
                let id = rng.u64(..600);
                if rng.u8(..4) == 0 {
                    records.remove(id)?;
                    order.remove((5, id))?;
                } else {
                    records.insert(id, [commit; 130].as_slice())?;
                    order.insert((5, id), ())?;
                }
            }
        }
        transaction.commit()?;
        files.push(fs::read(path)?);
    }
    Ok(files)
}

#[expect(clippy::print_stdout, reason = "a program")]
fn print(text: &str) {
    println!("{text}");
}
