//! Where files lie, and where the program is.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::campaign::{Rng, Violation};

static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// A file system in memory: syncs cost nothing there, and to a process that is killed it is as good
/// as a disk.
const MEMORY: &str = "/dev/shm";

/// Has all files lie in directories below this one from now on.
pub fn choose(directory: PathBuf) {
    // The first choice stays.
    let _ = CHOSEN.set(directory);
}

/// Makes a directory for the files of a run.
///
/// Unless one was chosen, it is in memory where that can be had, and one time in eight where
/// temporary files of this system lie, mostly on a disk.
///
/// # Errors
///
/// If it cannot be made.
pub fn directory(rng: &mut Rng) -> Result<TempDir, Violation> {
    let wants_disk = rng.u8(..8) == 0;
    let made = match CHOSEN.get() {
        Some(chosen) => tempfile::tempdir_in(chosen),
        None if wants_disk || !Path::new(MEMORY).is_dir() => tempfile::tempdir(),
        None => tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()),
    };
    made.map_err(|error| cannot("make a directory", &error))
}

/// Finds the program of the fault programme, also from its tests, which lie in a directory below.
///
/// # Errors
///
/// If it is not there.
pub fn program() -> Result<PathBuf, Violation> {
    let own = env::current_exe().map_err(|error| cannot("find the program", &error))?;
    let name = format!("faults{}", env::consts::EXE_SUFFIX);
    let mut places = own.ancestors().skip(1).take(2);
    let found = places.find_map(|place| Some(place.join(&name)).filter(|path| path.is_file()));
    found.ok_or_else(|| Violation::new("the program of the faults is not built"))
}

/// Finds a program on the `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}

/// Says that the machine did not do what is needed to break anything.
#[must_use]
pub fn cannot(what: &str, error: &dyn std::error::Error) -> Violation {
    Violation(format!("cannot {what}: {error}"))
}
