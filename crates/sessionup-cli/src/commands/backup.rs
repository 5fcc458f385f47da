//! `sessionup backup`

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use indicatif::{BinaryBytes, ProgressBar};
use serde::Serialize;
use sessionup_bolt::durable::{self, Disk, SystemDisk};
use sessionup_core::Timestamp;
use sessionup_redb::Report;
use tempfile::NamedTempFile;

use super::check;
use crate::args::Backup;
use crate::failure::{Failure, while_doing};
use crate::output;
use crate::store::{Place, Server, View};

#[derive(Serialize)]
struct Answer {
    path: String,
    bytes: u64,
    sessions: u64,
    users: u64,
    /// Whether the tables of others are in the copy too.
    whole_file: bool,
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
    let whole_file = matches!(view, View::File(_));
    let (bytes, report) = match &view {
        View::Server(server) => by_server(server, &place, destination, now)?,
        // While it is open nobody writes.
        View::File(_) => copied(&SystemDisk::new(), &place, destination, now)?,
    };
    drop(view);
    tell_findings(&report);
    check::sound(&report)?;
    if !whole_file {
        output::tell(
            "a server has the file open: the copy holds its sessions, and no other table that may be in \
             the file",
        );
    }
    if args.json.json {
        return output::json(&Answer {
            path: destination.to_string_lossy().into_owned(),
            bytes,
            sessions: report.sessions,
            users: report.users,
            whole_file,
        });
    }
    let size = BinaryBytes(bytes);
    let found = check::summary(&report);
    output::print(&format!("{size} copied and checked: {found}\n"))
}

/// Has a server write a copy.
fn by_server(
    server: &Server,
    place: &Place,
    destination: &Path,
    now: Timestamp,
) -> Result<(u64, Report), Failure> {
    let spinner = output::spinner("Copying");
    let written = server.backup(destination);
    spinner.finish_and_clear();
    Ok((written?, checked(place, destination, now)?))
}

/// Copies a file that nobody writes. The copy has its name once it is checked and on the disk, if
/// nothing is wrong with it.
fn copied(
    disk: &impl Disk,
    place: &Place,
    destination: &Path,
    now: Timestamp,
) -> Result<(u64, Report), Failure> {
    let mut beside = beside(destination, ".sessionup-backup-")?;
    let bytes = copy(place.path(), &mut beside, destination)?;
    let report = checked(place, beside.path(), now)?;
    if report.is_clean() {
        let put = durable::put(disk, beside, destination);
        put.map_err(unwritten(destination))?;
    }
    Ok((bytes, report))
}

/// Makes a file beside the place where it is to be put.
pub(super) fn beside(path: &Path, prefix: &str) -> Result<NamedTempFile, Failure> {
    durable::make_beside(path, prefix).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Failure::DirectoryMissing {
            path: durable::directory(path).to_owned(),
        },
        kind => {
            // What the library adds names a file that nobody knows.
            let text = error.to_string();
            let text = text.split(" at path ").next().unwrap_or_default();
            unwritten(path)(io::Error::new(kind, text.to_owned()))
        }
    })
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Exists { path },
        _ => while_doing(format!("{} could not be written", path.display()))(error),
    }
}

pub(super) fn checked(place: &Place, copy: &Path, now: Timestamp) -> Result<Report, Failure> {
    let spinner = output::spinner("Checking");
    let report = place.check_copy(copy, now);
    spinner.finish_and_clear();
    report
}

pub(super) fn tell_findings(report: &Report) {
    for finding in report.findings() {
        output::tell(&finding.to_string());
    }
}

/// Copies a file; says how many bytes it has.
pub(super) fn copy(from: &Path, to: &mut NamedTempFile, name: &Path) -> Result<u64, Failure> {
    let unread = || while_doing(format!("{} could not be read", from.display()));
    let mut from = File::open(from).map_err(unread())?;
    let bytes = from.metadata().map_err(unread())?.len();
    let bar = output::bar("Copying", bytes);
    let copied = pump(&mut from, to.as_file_mut(), &bar);
    bar.finish_and_clear();
    copied.map_err(unwritten(name))?;
    Ok(bytes)
}

fn pump(from: &mut File, to: &mut File, bar: &ProgressBar) -> io::Result<()> {
    let mut piece = vec![0; 256 * 1024];
    loop {
        let length = from.read(&mut piece)?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            return Ok(());
        };
        to.write_all(read)?;
        bar.inc(read.len() as u64);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::RefCell;

    use sessionup_redb::RedbStore;
    use tempfile::{TempDir, TempPath};

    use super::*;
    use crate::args;

    /// A disk that notes what is asked of it.
    #[derive(Default)]
    pub(in crate::commands) struct Notes(pub(in crate::commands) RefCell<Vec<&'static str>>);

    impl Disk for Notes {
        fn sync_file(&self, file: &File) -> io::Result<()> {
            self.0.borrow_mut().push("sync file");
            SystemDisk::new().sync_file(file)
        }

        fn place(&self, made: TempPath, path: &Path) -> io::Result<()> {
            self.0.borrow_mut().push("place");
            SystemDisk::new().place(made, path)
        }

        fn sync_directory(&self, directory: &Path) -> io::Result<()> {
            self.0.borrow_mut().push("sync directory");
            SystemDisk::new().sync_directory(directory)
        }
    }

    /// A file of sessions, without any.
    pub(in crate::commands) fn filled() -> (TempDir, args::Place) {
        let directory = tempfile::tempdir().unwrap();
        let db = directory.path().join("s.redb");
        drop(RedbStore::builder().reserve_bytes(0).open(&db).unwrap());
        let place = args::Place {
            db,
            bucket: None,
            wait: args::Wait { wait: None },
        };
        (directory, place)
    }

    #[test]
    fn backup_syncs_copy_and_directory() {
        let (directory, place) = filled();
        let destination = directory.path().join("copy.redb");
        let notes = Notes::default();
        let now = Timestamp::from_millis(0);
        copied(&notes, &Place::from(&place), &destination, now).unwrap();
        assert_eq!(*notes.0.borrow(), ["sync file", "place", "sync directory"]);
        assert!(destination.exists());
    }
}
