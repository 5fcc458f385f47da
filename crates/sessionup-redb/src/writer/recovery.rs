//! Getting a database back after it failed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use sessionup_core::UserKey;
use sessionup_core::store::Cause;

use crate::error::{Failure, WriterStopped, with_causes};
use crate::reserve::State;
use crate::shared::Shared;
use crate::sync::Instant;
use crate::writer::batch::SLICE;

/// Watches over the database and opens it anew, not more often than a growing pause allows.
pub(super) struct Recovery {
    shared: Arc<Shared>,
    opening: Pace,
    /// Ending the sessions in doubt, though nobody asks for anything.
    settling: Pace,
    full: Option<Full>,
    has_given_up: bool,
}

/// The disk was full. A write that finds no room costs everybody an opening of the database, so
/// what wants more room is refused for a while, and all else goes on. If room was kept for that, it
/// is refused until that room could be taken again: what becomes free is for revocations first.
struct Full {
    failure: Failure,
    trying: Pace,
}

impl Recovery {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let mut recovery = Self {
            shared,
            opening: Pace::default(),
            settling: Pace::default(),
            full: None,
            has_given_up: false,
        };
        if recovery.lacks_reserve() {
            recovery.note_fullness(&Failure::no_room());
        }
        recovery
    }

    /// When there is something to do even if nobody asks for anything.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        if !self.shared.place.is_open() {
            return self.opening.next;
        }
        let trying = self.full.as_ref().and_then(|full| full.trying.next);
        // Once it is time, there is something to do only for whoever asks, or about the reserve.
        let can_take = self.shared.doubts.is_empty() && self.lacks_reserve();
        let trying = trying.filter(|next| can_take || *next > Instant::now());
        self.settling.next.into_iter().chain(trying).min()
    }

    /// Takes note of a failure, and tries to mend what it broke.
    pub(super) fn after(&mut self, failure: &Failure) {
        self.shared.touches.postpone(FIRST_PAUSE);
        if failure.is_panic {
            self.give_up(failure);
        } else if failure.is_lasting {
            self.ask_to_open(&failure.cause);
            if failure.is_full {
                self.note_fullness(failure);
            }
            self.attend();
        }
        if !self.shared.doubts.is_empty() && self.settling.next.is_none() {
            self.settling.ask();
        }
    }

    /// Answers everything with an error from now on.
    pub(super) fn give_up(&mut self, failure: &Failure) {
        tracing::error!(target: "sessionup_redb", "writer of the session store panicked and stopped");
        self.has_given_up = true;
        self.shared
            .board
            .set(|board| &board.writer_has_failed, true);
        self.opening.next = None;
        self.shared.touches.lift();
        self.shared.break_down(Arc::clone(&failure.cause));
    }

    /// Looks after what readers reported, and opens the database if it is broken and time.
    pub(super) fn attend(&mut self) {
        // A reader may speak of the database that was there before.
        if let Some(cause) = self.shared.take_suspicion()
            && self.shared.place.has_failed()
        {
            self.ask_to_open(&cause);
            self.shared.break_down(cause);
        }
        if self.opening.is_due() {
            self.try_open();
        }
    }

    /// As [`Recovery::attend`], for the last time.
    pub(super) fn attend_now(&mut self) {
        self.opening.hurry();
        self.attend();
    }

    /// Says whether to end the sessions in doubt now.
    pub(super) fn is_to_settle(&mut self) -> bool {
        if self.shared.doubts.is_empty() {
            self.settling.next = None;
        }
        let is_due = self.settling.is_due() && self.shared.place.is_open();
        if is_due {
            self.settling.begin();
        }
        is_due
    }

    /// Why nothing that wants room is to be tried now.
    pub(super) fn fullness(&self) -> Option<&Failure> {
        let full = self.full.as_ref()?;
        (!full.trying.is_due() || self.lacks_reserve()).then_some(&full.failure)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Returns how many records may be deleted now that tombstones have ended: few while the disk is
    /// full, for that takes room before it gives some. Then it is tried as often as anything else.
    pub(super) fn can_sweep(&self) -> Option<usize> {
        if !self.shared.place.is_open() || !self.shared.doubts.is_empty() {
            return None;
        }
        match &self.full {
            None => Some(usize::MAX),
            Some(full) => full.trying.is_due().then_some(SLICE),
        }
    }

    pub(super) fn found_room(&mut self) {
        self.shared.board.set(|board| &board.disk_is_full, false);
        self.full = None;
    }

    fn note_fullness(&mut self, failure: &Failure) {
        let full = self.full.get_or_insert_with(|| Full {
            failure: failure.clone(),
            trying: Pace::default(),
        });
        full.trying.begin();
        full.trying.ask();
        self.shared.board.set(|board| &board.disk_is_full, true);
        // To read, there need be no room.
        self.opening.hurry();
    }

    /// Takes the room for revocations again, if it is time and none is under way.
    pub(super) fn restore_reserve(&mut self) {
        // Another process may have the file while this one has not.
        let is_time = self.shared.place.is_open() && self.shared.doubts.is_empty();
        if !is_time || !self.lacks_reserve() {
            return;
        }
        let Some(full) = self.full.as_mut().filter(|full| full.trying.is_due()) else {
            return;
        };
        let state = self.shared.with_reserve(|reserve| {
            reserve.take();
            reserve.state()
        });
        if state == State::Lacking {
            full.trying.begin();
            full.trying.ask();
        } else {
            self.shared.board.set(|board| &board.disk_is_full, false);
        }
    }

    fn lacks_reserve(&self) -> bool {
        self.shared.with_reserve(|reserve| reserve.state()) == State::Lacking
    }

    fn ask_to_open(&mut self, cause: &Cause) {
        let (path, error) = (self.path(), with_causes(cause));
        tracing::error!(target: "sessionup_redb", path, error, "session database failed");
        if self.shared.opener.is_some() && !self.has_given_up {
            self.opening.ask();
        }
    }

    /// The path of the database for the log, if it is known.
    fn path(&self) -> Option<String> {
        let file = self.shared.file.as_ref();
        file.map(|file| file.path().display().to_string())
    }

    fn try_open(&mut self) {
        self.opening.begin();
        let shared = Arc::clone(&self.shared);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| reopen(&shared)));
        match outcome.unwrap_or_else(|_| Err(Arc::new(WriterStopped))) {
            Ok(()) => {
                self.shared.board.count_reopening();
                tracing::info!(target: "sessionup_redb", "session database opened anew");
            }
            Err(error) => {
                let (path, error) = (self.path(), with_causes(&error));
                tracing::warn!(target: "sessionup_redb", path, error, "session database stays closed, will try again");
                self.opening.ask();
            }
        }
    }
}

/// Opens the database. Sessions in doubt stay refused.
fn reopen(shared: &Shared) -> Result<(), Cause> {
    let Some(opener) = &shared.opener else {
        return Ok(());
    };
    let database = opener().map_err(|error| -> Cause { Arc::new(error) })?;
    let checked = shared.schema.check(&database);
    checked.map_err(|error| -> Cause { Arc::new(error) })?;
    // Which of the last transactions happened is known only now.
    let restored = shared.unlisted.restore(&database, &shared.schema);
    restored.map_err(|error| -> Cause { Arc::new(error) })?;
    let unlisted = |user: &UserKey| shared.unlisted.ids_of(user);
    let restored = shared
        .tombstones
        .restore(&database, &shared.schema, unlisted);
    restored.map_err(|error| -> Cause { Arc::new(error) })?;
    shared.place.open(database);
    Ok(())
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// When to try something that may fail again and again.
struct Pace {
    last: Option<Instant>,
    next: Option<Instant>,
    pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            last: None,
            next: None,
            pause: FIRST_PAUSE,
        }
    }
}

impl Pace {
    /// Wants an attempt: at once, or after a pause if the last one was a moment ago.
    fn ask(&mut self) {
        let now = Instant::now();
        self.next = match self.last {
            Some(last) if now.duration_since(last) <= LONGEST_PAUSE => last.checked_add(self.pause),
            Some(_) | None => {
                self.pause = FIRST_PAUSE;
                Some(now)
            }
        };
    }

    /// Drops the pause of an attempt that is wanted.
    fn hurry(&mut self) {
        self.next = self.next.map(|_| Instant::now());
    }

    fn is_due(&self) -> bool {
        self.next.is_some_and(|next| next <= Instant::now())
    }

    /// Makes the next pause twice as long.
    fn begin(&mut self) {
        if self.last.is_some() {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        self.last = Some(Instant::now());
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use redb::Database;
    use redb::backends::InMemoryBackend;
    use sessionup_core::{SessionId, Timestamp};

    use super::*;
    use crate::builder::Commits;
    use crate::cache::Cache;
    use crate::error::OpenError;
    use crate::identity::Watched;
    use crate::marks::Entries;
    use crate::reserve::Keeper;
    use crate::schema::Schema;
    use crate::shared::{Memory, Opener, Source};
    use crate::tombstones::Tombstones;
    use crate::touches::Touches;
    use crate::unlisted::{Pace as Entering, Unlisted};
    use crate::warnings::warnings_of;

    fn shared(opener: Opener) -> Shared {
        let schema = Schema::new("b".to_owned(), Commits::default()).unwrap();
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = database.unwrap();
        schema.prepare(&database).unwrap();
        let memory = Memory {
            touches: Touches::new(Duration::ZERO, 9),
            cache: Cache::new(0),
            unlisted: Unlisted::new(Entering::Usual),
            tombstones: Tombstones::new(9),
        };
        let (source, keeper) = (Source::Owned(database, opener), Keeper::default());
        let (queue, kept) = (NonZeroUsize::MIN, Entries::default());
        Shared::new(schema, source, keeper, memory, queue, kept)
    }

    /// Uses that cannot be written and are due at once would be tried again without end.
    #[test]
    fn failure_postpones_writing_of_uses() {
        let shared = Arc::new(shared(Box::new(|| unreachable!("nothing is opened anew"))));
        let before = shared.touches.before();
        let id = SessionId::from_bytes([1; 16]);
        shared.touches.put(id, Timestamp::MIN, before);
        let begun = Instant::now();
        let mut recovery = Recovery::new(Arc::clone(&shared));

        let damage = redb::Error::Corrupted("x".into());
        recovery.after(&Failure::before_commit(damage));

        assert!(shared.touches.due().unwrap() >= begun + FIRST_PAUSE);
        assert!(shared.place.is_open());
    }

    #[test]
    fn failures_are_logged_with_path_and_causes() {
        let error = || std::io::Error::other("the disk is gone");
        let mut shared = shared(Box::new(move || {
            Err(OpenError::Io {
                source: Arc::new(error()),
            })
        }));
        shared.file = Some(Watched::now("/nowhere/s.redb".into()));
        let mut recovery = Recovery::new(Arc::new(shared));

        let failure = Failure::before_commit(redb::Error::Io(error()));
        let ((), lines) = warnings_of(|| recovery.after(&failure));

        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            let is_whole = line.contains("/nowhere/s.redb") && line.contains("the disk is gone");
            assert!(is_whole, "{line}");
        }
    }

    #[test]
    fn first_attempt_is_at_once_and_pauses_grow() {
        let mut pace = Pace::default();
        assert!(!pace.is_due());
        pace.ask();
        assert!(pace.is_due());

        let mut pauses = Vec::new();
        for _ in 0..9 {
            pace.begin();
            pace.ask();
            pauses.push(pace.next.unwrap() - pace.last.unwrap());
        }
        assert_eq!(pauses[..3], [50, 100, 200].map(Duration::from_millis));
        assert_eq!(pauses[8], LONGEST_PAUSE);
        assert!(!pace.is_due());
        pace.hurry();
        assert!(pace.is_due());
    }
}
