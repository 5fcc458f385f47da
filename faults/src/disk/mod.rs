//! A disk in memory that fails, forgets and remembers as it is told.
//!
//! - [`image`]: the bytes of a file, of which many copies cost little.
//! - [`fault`]: what goes wrong, and from when on.
//! - [`trace`]: what was done to the file, in order, with what was asked and answered meanwhile.
//! - [`crash`]: what a loss of power can leave of a trace.
//! - [`together`]: having a store carry operations out in one transaction.
//! - [`life`]: a store from its opening to its end, with all that it was asked for.

pub mod crash;
pub mod fault;
pub mod image;
pub mod life;
pub mod together;
pub mod trace;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::{Database, DatabaseError, StorageBackend};

use fault::{Access, Fault};
use image::Image;
use trace::{Event, Trace};

/// A disk that outlives the databases on it. A clone is the same disk.
#[derive(Clone, Debug, Default)]
pub struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct State {
    image: Image,
    fault: Option<Fault>,
    accesses: Vec<Access>,
    is_counting: bool,
    errors: u64,
    opens: u64,
    has_no_cache: bool,
    trace: Option<Trace>,
    durable: Option<Durable>,
}

/// What a loss of power leaves of a file: what the last sync that succeeded covered. What a sync that
/// failed was to cover is lost, though it can be read until then.
#[derive(Debug, Default)]
struct Durable {
    image: Image,
    unsynced: Vec<(u64, Box<[u8]>)>,
}

impl Durable {
    fn sync(&mut self, succeeded: bool) {
        for (offset, data) in self.unsynced.drain(..) {
            if succeeded {
                self.image.write(offset, &data);
            }
        }
    }
}

impl Disk {
    /// Makes a disk with this file.
    #[must_use]
    pub fn with(image: Image) -> Self {
        let disk = Self::default();
        disk.state().image = image;
        disk
    }

    /// Returns the file as it is now.
    #[must_use]
    pub fn image(&self) -> Image {
        self.state().image.clone()
    }

    /// Fails from now on as ordered.
    pub fn order(&self, fault: Fault) {
        self.state().fault = Some(fault);
    }

    /// Fails no more; says whether it would have failed again.
    #[must_use]
    pub fn heal(&self) -> bool {
        let fault = self.state().fault.take();
        fault.is_some_and(|fault| fault.is_lasting)
    }

    /// Returns how many accesses failed.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.state().errors
    }

    /// Keeps the kinds of all accesses from now on.
    pub fn count(&self) {
        self.state().is_counting = true;
    }

    /// Returns the kinds of the accesses that were counted.
    #[must_use]
    pub fn counted(&self) -> Vec<Access> {
        self.state().accesses.clone()
    }

    /// Databases that are opened from now on read each page from the disk.
    pub fn without_cache(&self) {
        self.state().has_no_cache = true;
    }

    /// Begins to keep apart what is durable; all of it is, so far.
    pub fn tell_syncs_apart(&self) {
        let mut state = self.state();
        state.durable = Some(Durable {
            image: state.image.clone(),
            unsynced: Vec::new(),
        });
    }

    /// Takes the power away from whoever has the file open, and leaves what is durable; says whether
    /// that was kept apart.
    #[must_use]
    pub fn lose_power(&self) -> bool {
        let mut state = self.state();
        let Some(durable) = state.durable.take() else {
            return false;
        };
        state.image = durable.image;
        true
    }

    /// Begins to keep a trace.
    pub fn record(&self) {
        self.state().trace = Some(Trace::default());
    }

    /// Returns what was traced and ends the trace.
    #[must_use]
    pub fn recorded(&self) -> Trace {
        self.state().trace.take().unwrap_or_default()
    }

    /// Puts an event in its place among the accesses.
    pub fn note(&self, event: Event) {
        if let Some(trace) = &mut self.state().trace {
            trace.0.push(event);
        }
    }

    /// Returns how often a database was opened.
    #[must_use]
    pub fn opens(&self) -> u64 {
        self.state().opens
    }

    /// Waits until a database was opened more often than this.
    pub fn wait_for_opening(&self, before: u64) {
        let mut state = self.state();
        while state.opens <= before {
            let woken = self.0.opened.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Opens the database, and makes one if the file is empty.
    ///
    /// # Errors
    ///
    /// As redb.
    pub fn database(&self) -> Result<Database, DatabaseError> {
        self.open(false)
    }

    /// As [`Disk::database`], and holds all pages against their checksums.
    ///
    /// # Errors
    ///
    /// As redb.
    pub fn checked(&self) -> Result<Database, DatabaseError> {
        self.open(true)
    }

    fn open(&self, checks_integrity: bool) -> Result<Database, DatabaseError> {
        let mut state = self.state();
        state.opens += 1;
        let mut builder = Database::builder();
        builder.set_check_integrity_on_open(checks_integrity);
        builder.set_cache_size(if state.has_no_cache { 0 } else { CACHE_BYTES });
        drop(state);
        self.0.opened.notify_all();
        builder.create_with_backend(OnDisk(self.clone()))
    }

    /// Lets a database go as a process does that is killed: it writes nothing more.
    pub fn kill(&self, database: Database) {
        let before = self.state().fault.replace(Fault::dead());
        drop(database);
        self.state().fault = before;
    }

    fn access(&self, access: Access) -> (MutexGuard<'_, State>, io::Result<()>) {
        let mut state = self.state();
        if state.is_counting {
            state.accesses.push(access);
        }
        let failed = state.fault.as_mut().and_then(|fault| fault.meets(access));
        let outcome = match failed {
            Some(kind) => {
                state.errors += 1;
                Err(kind.into())
            }
            None => Ok(()),
        };
        (state, outcome)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CACHE_BYTES: usize = 64 * 1024 * 1024;

#[derive(Debug)]
struct OnDisk(Disk);

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        let (state, outcome) = self.0.access(Access::Len);
        outcome.map(|()| state.image.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (state, outcome) = self.0.access(Access::Read);
        outcome?;
        state.image.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let grows = len > self.0.state().image.len();
        let (mut state, outcome) = self.0.access(Access::SetLen { grows });
        outcome?;
        state.image.set_len(len);
        if let Some(durable) = &mut state.durable {
            durable.image.set_len(len);
        }
        if let Some(trace) = &mut state.trace {
            trace.0.push(Event::SetLen(len));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.note(Event::SyncBegun);
        let (mut state, mut outcome) = self.0.access(Access::Sync);
        if let Some(durable) = &mut state.durable {
            durable.sync(outcome.is_ok());
        }
        if outcome.is_err() && sessionup_core::is_seeded!(RetriedSync) {
            drop(state);
            (state, outcome) = self.0.access(Access::Sync);
        }
        outcome?;
        if let Some(trace) = &mut state.trace {
            trace.0.push(Event::Synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut state, outcome) = self.0.access(Access::Write);
        let written = match &outcome {
            Ok(()) => data,
            Err(_) => {
                let part = state
                    .fault
                    .as_ref()
                    .map_or(0, |fault| fault.part(data.len()));
                data.get(..part).unwrap_or_default()
            }
        };
        if !written.is_empty() {
            state.image.write(offset, written);
            if let Some(durable) = &mut state.durable {
                durable.unsynced.push((offset, written.into()));
            }
            if let Some(trace) = &mut state.trace {
                trace.0.push(Event::Write(offset, written.into()));
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fault::What;

    fn file(disk: &Disk) -> OnDisk {
        OnDisk(disk.clone())
    }

    #[test]
    fn short_write_writes_a_part_and_others_nothing() {
        for (what, expected) in [(What::ShortWrite, [7, 7, 0, 0]), (What::Write, [0; 4])] {
            let disk = Disk::with(Image::of(&[0; 4]));
            disk.order(Fault::new(what, 0, false));
            file(&disk).write(0, &[7; 6]).unwrap_err();
            let mut bytes = [0; 4];
            disk.image().read(0, &mut bytes).unwrap();
            assert_eq!(bytes, expected, "{what:?}");
            assert_eq!(disk.errors(), 1);
            file(&disk).write(0, &[7; 6]).unwrap();
        }
    }

    #[test]
    fn trace_has_what_was_done_and_no_sync_that_failed() {
        let disk = Disk::default();
        disk.record();
        disk.order(Fault::new(What::Sync, 1, false));
        let file = file(&disk);
        file.set_len(9).unwrap();
        file.write(3, &[1]).unwrap();
        file.sync_data().unwrap();
        file.sync_data().unwrap_err();
        let events = disk.recorded().0;
        let expected = "[SetLen(9), Write(3, [1]), SyncBegun, Synced, SyncBegun]";
        assert_eq!(format!("{events:?}"), expected);
    }

    #[test]
    fn database_that_is_killed_writes_nothing() {
        let disk = Disk::with(life::empty().unwrap());
        let database = disk.database().unwrap();
        let before = disk.image();
        disk.kill(database);
        assert!(disk.image() == before);
        drop(disk.database().unwrap());
        assert!(disk.image() != before, "one that is closed writes");
    }
}
