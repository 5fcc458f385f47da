//! Storage whose changes stay in memory until it is known that they are wanted.
//!
//! redb writes while it opens a file: that the file is open, and what it repairs. If it then finds
//! that it cannot read the file, it has changed it for nothing.

use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{BackendError, StorageBackend};

/// Storage with changes that are held back. A clone is the same one.
pub(crate) struct Overlay<B>(Arc<Inner<B>>);

struct Inner<B> {
    beneath: B,
    access: Access,
    take_lock: TakeLock,
    /// Whether it was told that there are no locks on the whole storage.
    lacks_locks: AtomicBool,
    state: RwLock<State>,
}

/// Tries to lock a range of a storage, for this process alone or shared with readers.
pub(crate) type TakeLock = fn(&dyn StorageBackend, Range, Access) -> Result<bool, BackendError>;

type Range = (Bound<u64>, Bound<u64>);

/// Asks the storage itself.
pub(crate) fn take_lock(
    storage: &dyn StorageBackend,
    (start, end): Range,
    access: Access,
) -> Result<bool, BackendError> {
    match access {
        Access::Alone => storage.try_lock_range(start, end),
        Access::WithReaders => storage.try_lock_shared_range(start, end),
    }
}

/// Who else may have the storage open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Alone,
    /// Others that only read.
    WithReaders,
}

enum State {
    Held(Changes),
    Through,
    /// Not all changes could be made.
    Failed,
}

/// Changes in their order.
struct Changes {
    list: Vec<Change>,
    length: u64,
}

enum Change {
    Length(u64),
    Sync,
    Write(u64, Vec<u8>),
}

impl<B: StorageBackend> Overlay<B> {
    pub(crate) fn new(beneath: B, access: Access, take_lock: TakeLock) -> io::Result<Self> {
        let length = beneath.len()?;
        Ok(Self(Arc::new(Inner {
            beneath,
            access,
            take_lock,
            lacks_locks: AtomicBool::new(false),
            state: RwLock::new(State::Held(Changes {
                list: Vec::new(),
                length,
            })),
        })))
    }

    /// Makes all changes, in their order, and holds none back from now on.
    ///
    /// # Errors
    ///
    /// Of the storage. From then on it can only be closed.
    pub(crate) fn let_through(&self) -> io::Result<()> {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let State::Held(changes) = std::mem::replace(&mut *state, State::Failed) else {
            return Err(failed());
        };
        for change in changes.list {
            match change {
                Change::Length(length) => self.0.beneath.set_len(length)?,
                Change::Sync => self.0.beneath.sync_data()?,
                Change::Write(offset, data) => self.0.beneath.write(offset, &data)?,
            }
        }
        *state = State::Through;
        Ok(())
    }

    /// Says whether redb asked for locks and there are none: then it goes on without.
    pub(crate) fn lacks_locks(&self) -> bool {
        self.0.lacks_locks.load(Ordering::Relaxed)
    }

    fn take_lock(&self, range: Range, access: Access) -> Result<bool, BackendError> {
        let taken = (self.0.take_lock)(&self.0.beneath, range, access);
        // Ranges alone may be unknown to the storage; then redb asks for all of it.
        let is_whole = matches!(
            range,
            (Bound::Unbounded | Bound::Included(0), Bound::Unbounded)
        );
        if is_whole && matches!(taken, Err(BackendError::Unsupported)) {
            self.0.lacks_locks.store(true, Ordering::Relaxed);
        }
        taken
    }

    fn read_state<T>(&self, read: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        read(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes a change, now or later.
    fn change(
        &self,
        now: impl FnOnce(&B) -> io::Result<()>,
        later: impl FnOnce(&mut Changes) -> io::Result<()>,
    ) -> io::Result<()> {
        let is_held = self.read_state(|state| Ok(matches!(state, State::Held(_))))?;
        if is_held {
            let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
            if let State::Held(changes) = &mut *state {
                return later(changes);
            }
        }
        // Once changes are let through, they stay so.
        self.read_state(|state| match state {
            State::Through => now(&self.0.beneath),
            State::Held(_) | State::Failed => Err(failed()),
        })
    }
}

impl Changes {
    /// Reads what would be there if all changes were made.
    fn read(&self, beneath: &impl StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let there = usize::try_from(beneath.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (old, new) = out.split_at_mut(there.min(out.len()));
        if !old.is_empty() {
            beneath.read(offset, old)?;
        }
        new.fill(0);
        for change in &self.list {
            change.lay_over(offset, out);
        }
        Ok(())
    }
}

impl Change {
    fn lay_over(&self, offset: u64, out: &mut [u8]) {
        match self {
            Self::Length(length) => {
                let kept = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
                if let Some(cut) = out.get_mut(kept..) {
                    cut.fill(0);
                }
            }
            Self::Sync => {}
            Self::Write(at, data) => {
                let skipped = usize::try_from(offset.saturating_sub(*at)).unwrap_or(usize::MAX);
                let to = usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
                let (Some(from), Some(to)) = (data.get(skipped..), out.get_mut(to..)) else {
                    return;
                };
                for (to, from) in to.iter_mut().zip(from) {
                    *to = *from;
                }
            }
        }
    }
}

fn failed() -> io::Error {
    io::Error::other("changes could not be made, the storage must be opened anew")
}

impl<B> Clone for Overlay<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B> fmt::Debug for Overlay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

impl<B: StorageBackend> StorageBackend for Overlay<B> {
    fn len(&self) -> io::Result<u64> {
        self.read_state(|state| match state {
            State::Held(changes) => Ok(changes.length),
            State::Through => self.0.beneath.len(),
            State::Failed => Err(failed()),
        })
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_state(|state| match state {
            State::Held(changes) => changes.read(&self.0.beneath, offset, out),
            State::Through => self.0.beneath.read(offset, out),
            State::Failed => Err(failed()),
        })
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(
            |beneath| beneath.set_len(length),
            |changes| {
                changes.length = length;
                changes.list.push(Change::Length(length));
                Ok(())
            },
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(StorageBackend::sync_data, |changes| {
            changes.list.push(Change::Sync);
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(
            |beneath| beneath.write(offset, data),
            |changes| {
                let end = offset.saturating_add(data.len() as u64);
                changes.length = changes.length.max(end);
                changes.list.push(Change::Write(offset, data.to_vec()));
                Ok(())
            },
        )
    }

    fn close(&self) -> io::Result<()> {
        self.0.beneath.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.take_lock((start, end), self.0.access)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.take_lock((start, end), Access::WithReaders)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        match self.0.access {
            Access::Alone => self.0.beneath.lock_range(start, end),
            Access::WithReaders => self.0.beneath.lock_shared_range(start, end),
        }
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.beneath.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.beneath.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.beneath.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    fn beneath(bytes: &[u8]) -> InMemoryBackend {
        let beneath = InMemoryBackend::new();
        beneath.set_len(bytes.len() as u64).unwrap();
        beneath.write(0, bytes).unwrap();
        beneath
    }

    fn over<B: StorageBackend>(beneath: B) -> io::Result<Overlay<B>> {
        Overlay::new(beneath, Access::Alone, take_lock)
    }

    fn all(storage: &impl StorageBackend) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(storage.len().unwrap()).unwrap()];
        storage.read(0, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn changes_are_read_and_not_made_until_they_are_let_through() {
        type Make = fn(&Overlay<InMemoryBackend>) -> io::Result<()>;
        let cases: [(&str, Make, &[u8]); 6] = [
            ("nothing", |_| Ok(()), b"abcdefgh"),
            ("write", |overlay| overlay.write(2, b"XY"), b"abXYefgh"),
            (
                "write over a write",
                |overlay| {
                    overlay.write(2, b"XYZ")?;
                    overlay.write(1, b"12")
                },
                b"a12YZfgh",
            ),
            ("shorter", |overlay| overlay.set_len(3), b"abc"),
            ("longer", |overlay| overlay.set_len(10), b"abcdefgh\0\0"),
            (
                "shorter, longer and written",
                |overlay| {
                    overlay.set_len(3)?;
                    overlay.set_len(9)?;
                    overlay.sync_data()?;
                    overlay.write(7, b"Z")
                },
                b"abc\0\0\0\0Z\0",
            ),
        ];
        for (name, make, expected) in cases {
            let overlay = over(beneath(b"abcdefgh")).unwrap();
            make(&overlay).unwrap();
            assert_eq!(all(&overlay), expected, "{name}, held");
            assert_eq!(all(&overlay.0.beneath), b"abcdefgh", "{name}, beneath");
            let mut middle = [0; 2];
            if overlay.read(1, &mut middle).is_ok() {
                assert_eq!(middle, expected[1..3], "{name}, a part");
            }

            overlay.let_through().unwrap();
            assert_eq!(all(&overlay.0.beneath), expected, "{name}, made");
            overlay.write(0, b"!").unwrap();
            assert_eq!(all(&overlay.0.beneath)[0], b'!', "{name}, through");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_read() {
        let overlay = over(beneath(b"abcd")).unwrap();
        overlay.read(3, &mut [0; 2]).unwrap_err();
        overlay.read(u64::MAX, &mut [0; 2]).unwrap_err();
        overlay.set_len(2).unwrap();
        overlay.read(1, &mut [0; 2]).unwrap_err();
    }

    /// Writes down what it is asked to do.
    #[derive(Clone, Debug, Default)]
    struct Recording(Arc<std::sync::Mutex<Vec<String>>>);

    impl Recording {
        fn note(&self, what: String) -> io::Result<()> {
            self.0.lock().unwrap().push(what);
            Ok(())
        }
    }

    impl StorageBackend for Recording {
        fn len(&self) -> io::Result<u64> {
            Ok(0)
        }
        fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Err(ErrorKind::UnexpectedEof.into())
        }
        fn set_len(&self, length: u64) -> io::Result<()> {
            self.note(format!("length {length}"))
        }
        fn sync_data(&self) -> io::Result<()> {
            self.note("sync".to_owned())
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.note(format!("write {} at {offset}", data.len()))
        }
    }

    /// What was synced before it was written over must be on the disk before it is.
    #[test]
    fn let_through_makes_syncs_in_their_order() {
        let beneath = Recording::default();
        let overlay = over(beneath.clone()).unwrap();
        overlay.set_len(8).unwrap();
        overlay.write(0, b"abcd").unwrap();
        overlay.sync_data().unwrap();
        overlay.write(0, b"e").unwrap();
        overlay.sync_data().unwrap();
        assert_eq!(*beneath.0.lock().unwrap(), [""; 0]);

        overlay.let_through().unwrap();

        let expected = ["length 8", "write 4 at 0", "sync", "write 1 at 0", "sync"];
        assert_eq!(*beneath.0.lock().unwrap(), expected);
    }

    #[test]
    fn storage_without_locks_is_noticed() {
        type Case = (&'static str, TakeLock, bool);
        let unsupported: TakeLock = |_, _, _| Err(BackendError::Unsupported);
        // As some backends have it: the whole storage or nothing.
        let whole: TakeLock = |_, range, _| match range {
            (Bound::Unbounded, Bound::Unbounded) => Ok(true),
            _ => Err(BackendError::Unsupported),
        };
        let cases: [Case; 3] = [
            ("none", unsupported, true),
            ("of the whole storage", whole, false),
            ("of ranges", |_, _, _| Ok(true), false),
        ];
        for (name, take_lock, expected) in cases {
            let empty = InMemoryBackend::new();
            let overlay = Overlay::new(empty, Access::Alone, take_lock).unwrap();
            let opened = redb::Database::builder().create_with_backend(overlay.clone());
            drop(opened.unwrap());
            assert_eq!(overlay.lacks_locks(), expected, "{name}");
        }
    }

    /// Fails each write.
    #[derive(Debug)]
    struct Failing(InMemoryBackend);

    impl StorageBackend for Failing {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.0.read(offset, out)
        }
        fn set_len(&self, length: u64) -> io::Result<()> {
            self.0.set_len(length)
        }
        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }
        fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
            Err(ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn storage_that_failed_is_of_no_use() {
        let overlay = over(Failing(beneath(b"abcd"))).unwrap();
        overlay.write(0, b"XY").unwrap();
        let error = overlay.let_through().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        overlay.let_through().unwrap_err();
        overlay.read(0, &mut [0; 2]).unwrap_err();
        overlay.write(0, b"XY").unwrap_err();
        overlay.len().unwrap_err();
    }
}
