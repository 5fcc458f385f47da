//! `sessionup backup`

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use indicatif::{BinaryBytes, ProgressBar};
use serde::Serialize;
use sessionup_core::Timestamp;
use sessionup_redb::Report;

use super::check;
use crate::args::Backup;
use crate::failure::{Failure, while_doing};
use crate::output;
use crate::store::{Place, View};

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
    let view = place.look()?;
    if fs::symlink_metadata(destination).is_ok() {
        return Err(Failure::Exists {
            path: destination.clone(),
        });
    }
    let (bytes, report) = match &view {
        View::Server(server) => {
            let spinner = output::spinner("Copying");
            let bytes = server.backup(destination);
            spinner.finish_and_clear();
            (bytes?, check(&place, destination, now)?)
        }
        // While it is open nobody writes.
        View::File(_) => copied(&place, destination, now)?,
    };
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

/// Copies a file that nobody writes. The copy has its name once it is checked and on the disk.
fn copied(place: &Place, destination: &Path, now: Timestamp) -> Result<(u64, Report), Failure> {
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
    let report = check(place, beside.path(), now)?;
    beside
        .persist_noclobber(destination)
        .map_err(|persist| failed()(persist.error))?;
    sync_directory(directory).map_err(failed())?;
    Ok((bytes, report))
}

fn check(place: &Place, copy: &Path, now: Timestamp) -> Result<Report, Failure> {
    let spinner = output::spinner("Checking");
    let report = place.check_copy(copy, now);
    spinner.finish_and_clear();
    let report = report?;
    for finding in report.findings() {
        output::tell(&finding.to_string());
    }
    check::sound(&report)?;
    Ok(report)
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
