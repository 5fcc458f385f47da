//! Writes what the fuzzers begin with, made of the attack corpus: a directory for each target, a
//! file for each case.

use std::io;
use std::path::{Path, PathBuf};

#[path = "../../crates/sessionup-bolt/tests/bolt_bytes/property.rs"]
mod bolt;
#[path = "../../crates/sessionup-bolt/tests/support/forge.rs"]
mod forge;
#[path = "../../crates/sessionup-bolt/tests/support/found.rs"]
mod found;
#[path = "../../crates/sessionup-redb/tests/record_bytes/property.rs"]
#[allow(dead_code)]
mod property;
#[path = "../../crates/sessionup-redb/tests/record_bytes/records.rs"]
mod records;

fn main() -> io::Result<()> {
    let to = std::env::args_os().nth(1).map(PathBuf::from);
    let to = to.ok_or_else(|| io::Error::other("name the directory to write to"))?;
    for (target, _) in corpus::properties::ALL {
        write(&to.join(target), corpus::seeds(target))?;
    }
    write(&to.join("bolt"), bolt::seeds().into_iter().chain(found::inputs()))?;
    let bench = property::Bench::new();
    let records = records::records().into_iter();
    write(
        &to.join("record"),
        records.map(|record| bench.written(record)),
    )
}

fn write(directory: &Path, seeds: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (number, seed) in seeds.into_iter().enumerate() {
        std::fs::write(directory.join(format!("case-{number:04}")), seed)?;
    }
    Ok(())
}
