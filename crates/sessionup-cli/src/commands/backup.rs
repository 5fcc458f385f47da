//! `sessionup backup`

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use indicatif::{BinaryBytes, ProgressBar};
use serde::Serialize;
use sessionup_core::Timestamp;

use super::check;
use crate::args::Backup;
use crate::failure::{Failure, while_doing};
use crate::output;
use crate::store::Place;

#[derive(Serialize)]
struct Answer {
    path: String,
    bytes: u64,
    sessions: u64,
    users: u64,
}

pub(super) fn run(args: &Backup, now: Timestamp) -> Result<(), Failure> {
    let place = Place::from(&args.place);
    let destination = &args.destination;
    // While it is open nobody writes.
    let view = place.look()?;
    if fs::symlink_metadata(destination).is_ok() {
        return Err(Failure::Exists {
            path: destination.clone(),
        });
    }
    let failed = || while_doing(format!("{} could not be written", destination.display()));
    let directory = directory(destination);
    let mut beside = tempfile::Builder::new()
        .prefix(".sessionup-backup-")
        .tempfile_in(directory)
        .map_err(failed())?;
    let bytes = place.bytes()?;
    let bar = output::bar("Copying", bytes);
    copy(place.path(), beside.as_file_mut(), &bar).map_err(failed())?;
    bar.finish_and_clear();
    let spinner = output::spinner("Checking");
    let report = place.check_copy(beside.path(), now);
    spinner.finish_and_clear();
    let report = report?;
    for finding in report.findings() {
        output::tell(&finding.to_string());
    }
    check::sound(&report)?;
    beside
        .persist_noclobber(destination)
        .map_err(|persist| failed()(persist.error))?;
    sync_directory(directory).map_err(failed())?;
    drop(view);
    if args.json.json {
        return output::json(&Answer {
            path: destination.to_string_lossy().into_owned(),
            bytes,
            sessions: report.sessions,
            users: report.users,
        });
    }
    let size = BinaryBytes(bytes);
    output::print(&format!("{size} copied and checked: {report}\n"))
}

/// Copies a file and waits for the disk.
fn copy(from: &Path, to: &mut File, bar: &ProgressBar) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = from.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            return to.sync_all();
        };
        to.write_all(read)?;
        bar.inc(read.len() as u64);
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}

/// Makes the name of a file in it durable.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
