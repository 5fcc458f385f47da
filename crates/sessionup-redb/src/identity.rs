//! Which file a path leads to, so that a file that was replaced under its store is noticed.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

/// Device and number of a file. Files that exist at the same time differ in one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    device: u64,
    number: u64,
}

impl Identity {
    /// `None` on systems that do not tell.
    #[cfg(unix)]
    pub(crate) fn of(found: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self {
            device: found.dev(),
            number: found.ino(),
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn of(_: &Metadata) -> Option<Self> {
        None
    }

    /// Says whether both can be one file, seen through two mounts of it, which may have devices of
    /// their own.
    pub(crate) fn may_be(self, other: Self) -> bool {
        self.number == other.number
    }
}

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To the file that was meant, or nobody can tell.
    There,
    /// To another file.
    Elsewhere,
    /// To no file.
    Nowhere,
}

/// Says where a path leads, compared with the file that is meant.
pub(crate) fn leads(path: &Path, meant: Option<Identity>) -> Leads {
    let Some(meant) = meant else {
        return Leads::There;
    };
    match fs::metadata(path) {
        Ok(found) if Identity::of(&found).is_some_and(|found| found != meant) => Leads::Elsewhere,
        Err(error) if error.kind() == ErrorKind::NotFound => Leads::Nowhere,
        // What cannot be looked at may be unchanged.
        Ok(_) | Err(_) => Leads::There,
    }
}

/// The file that a store has open, and the path that led to it.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    identity: Option<Identity>,
    is_displaced: AtomicBool,
}

impl Watched {
    pub(crate) fn new(path: PathBuf, identity: Option<Identity>) -> Self {
        Self {
            path,
            identity,
            is_displaced: AtomicBool::new(false),
        }
    }

    /// Watches the file that a path leads to now.
    pub(crate) fn now(path: PathBuf) -> Self {
        let found = fs::metadata(&path);
        let identity = found.ok().as_ref().and_then(Identity::of);
        Self::new(path, identity)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(unix)]
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Says whether the path leads to another file or to none. Logs when that changes.
    pub(crate) fn is_displaced(&self) -> bool {
        let leads = leads(&self.path, self.identity);
        let is_displaced = leads != Leads::There;
        if self.is_displaced.swap(is_displaced, Ordering::Relaxed) != is_displaced {
            let path = self.path.display();
            match leads {
                Leads::There => {
                    tracing::info!(target: "sessionup_redb", %path, "session file is in its place again");
                }
                Leads::Elsewhere => {
                    tracing::warn!(target: "sessionup_redb", %path, "session file was replaced while it is open: changes go to the old file and are lost when the store closes, restart the server");
                }
                Leads::Nowhere => {
                    tracing::warn!(target: "sessionup_redb", %path, "session file was deleted while it is open: changes are lost when the store closes, restart the server");
                }
            }
        }
        is_displaced
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn path_is_displaced_while_it_leads_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        let (path, aside) = (directory.path().join("a"), directory.path().join("aside"));
        fs::write(&path, "").unwrap();
        let watched = Watched::now(path.clone());
        assert!(!watched.is_displaced());

        fs::rename(&path, &aside).unwrap();
        assert!(watched.is_displaced(), "deleted");
        fs::write(&path, "").unwrap();
        assert!(watched.is_displaced(), "replaced");
        fs::rename(&aside, &path).unwrap();
        assert!(!watched.is_displaced(), "put back");

        std::os::unix::fs::symlink(&path, &aside).unwrap();
        let linked = Watched::now(aside.clone());
        assert!(!linked.is_displaced());
        fs::remove_file(&path).unwrap();
        assert!(linked.is_displaced(), "what a link leads to was deleted");
    }

    #[test]
    fn path_that_led_nowhere_is_not_displaced() {
        let directory = tempfile::tempdir().unwrap();
        let watched = Watched::now(directory.path().join("missing"));
        assert!(!watched.is_displaced());
    }
}
