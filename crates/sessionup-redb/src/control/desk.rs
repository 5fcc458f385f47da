//! Carries requests out, by the operations of the store.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use futures_executor::block_on;
use redb::{ReadTransaction, ReadableDatabase};
use sessionup_core::{Clock, Event, RevokedBy, SessionId, Store, StoreError, Timestamp, UserKey};

use crate::control::backup::{self, Made};
use crate::control::protocol::{
    Answer, PIECE, PROTOCOL, Refusal, Request, Sent, User, Version, Wish,
};
use crate::control::records::Query;
use crate::control::server::{Answers, Reply, Undo};
use crate::database::ReadFailure;
use crate::error::Halt;
use crate::identity::Watched;
use crate::queue::Room;
use crate::reader;
use crate::shared::Shared;
use crate::store::RedbStore;
use crate::walk::{self, Counting, Found};
use crate::writer::operations::Delete;
use crate::writer::prune::Prune;

/// How many sessions are ended with one commit, at most.
const AT_ONCE: usize = 256;

/// What is asked from outside meets the store here.
pub(crate) struct Desk {
    /// Keeps nothing open.
    store: RedbStore,
    clock: Arc<dyn Clock>,
    /// Held by the one request that takes long.
    long: Mutex<()>,
    /// The backup that was made last.
    made: Arc<Mutex<Option<Arc<Made>>>>,
    sync_directory: fn(&File) -> io::Result<()>,
}

impl Desk {
    pub(crate) fn new(store: RedbStore, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            long: Mutex::new(()),
            made: Arc::default(),
            sync_directory: File::sync_all,
        }
    }

    fn shared(&self) -> &Shared {
        self.store.shared()
    }

    fn read(&self, request: &[u8]) -> Result<Wish, Refusal> {
        let malformed = |error: serde_json::Error| Refusal::Malformed {
            reason: error.to_string(),
        };
        let version: Version = serde_json::from_slice(request).map_err(malformed)?;
        if version.protocol != PROTOCOL {
            return Err(Refusal::Protocol { spoken: PROTOCOL });
        }
        let request: Request = serde_json::from_slice(request).map_err(malformed)?;
        let bucket = self.shared().schema.bucket();
        if request.bucket != bucket {
            let found = bucket.to_owned();
            return Err(Refusal::Bucket { found });
        }
        Ok(request.wish)
    }

    fn carry_out(&self, wish: Wish) -> Result<Answer, Refusal> {
        let shared = self.shared();
        match wish {
            Wish::After { last, at_most } => self.piece(None, last, at_most),
            Wish::Backup { path } => Ok(answer_of(&*self.backup(&path.0)?)),
            Wish::Bytes => self.long(|| self.bytes()),
            Wish::Count => self.count(),
            Wish::Delete { id, owner } => self.delete(id, owner.as_ref()),
            Wish::DeleteAll => self.delete_all(),
            Wish::DeleteMany { ids } => self.delete_many(&ids),
            Wish::DeleteUser { user, except } => self.delete_user(&user.0, &except),
            Wish::DiscardBackup { path } => {
                let made = lock(&self.made).take_if(|made| made.path == path.0);
                Ok(Answer::Discarded(made.is_some_and(|made| made.discard())))
            }
            Wish::File => Ok(Answer::File {
                identity: shared.file.as_ref().and_then(Watched::identity),
                is_displaced: shared.file.as_ref().is_some_and(Watched::is_displaced),
            }),
            Wish::Find { id } => self.find(id),
            Wish::Health => Ok(Answer::Health(self.store.health())),
            Wish::OfUser { user, last } => self.piece(Some(&user.0), last, PIECE),
            Wish::Prune { at_most } => self.prune(at_most),
            Wish::Verify { now } => self.long(|| {
                let report = reader::verify(shared, now.map(Timestamp::from_millis))?;
                Ok(Answer::Report(report))
            }),
        }
    }

    /// Does what takes long, unless something of that kind is under way.
    fn long<T>(&self, work: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
        match self.long.try_lock() {
            Ok(_held) => work(),
            Err(TryLockError::Poisoned(held)) => {
                let _held = held.into_inner();
                work()
            }
            Err(TryLockError::WouldBlock) => Err(Refusal::Busy),
        }
    }

    fn backup(&self, path: &Path) -> Result<Arc<Made>, Refusal> {
        self.long(|| {
            let made = backup::write(self.shared(), path, self.sync_directory)?;
            let made = Arc::new(made);
            tracing::info!(target: "sessionup_redb", path = %path.display(), bytes = made.bytes, "backup made over the control socket");
            *lock(&self.made) = Some(Arc::clone(&made));
            Ok(made)
        })
    }

    /// Removes a backup of which nobody learned; never one that somebody else asked for meanwhile.
    fn undo(&self, own: Arc<Made>) -> Undo {
        let last = Arc::clone(&self.made);
        Box::new(move || {
            let mut last = lock(&last);
            drop(last.take_if(|last| Arc::ptr_eq(last, &own)));
            // A file system may give the same identity to the next file.
            if last.as_ref().is_none_or(|last| last.path != own.path) {
                own.discard();
            }
        })
    }

    /// Begins to read. What follows is read without the database's lock: whoever wants to open the
    /// database anew does not wait for it.
    fn begin(&self) -> Result<ReadTransaction, StoreError> {
        let shared = self.shared();
        let begun = shared
            .place
            .read(|database| database.begin_read().map_err(Halt::from));
        reader::answer(shared, begun)
    }

    /// Returns the result of a read, and has the database opened anew if it failed for good.
    fn looked<T>(&self, looked: Result<T, redb::Error>) -> Result<T, StoreError> {
        let looked = looked.map_err(|error| ReadFailure::from(Halt::Broken(error)));
        reader::answer(self.shared(), looked)
    }

    fn bytes(&self) -> Result<Answer, Refusal> {
        let transaction = self.begin()?;
        let bytes = walk::bytes_of(&transaction, &self.shared().schema);
        Ok(Answer::Number(self.looked(bytes)?))
    }

    fn count(&self) -> Result<Answer, Refusal> {
        let transaction = self.begin()?;
        let counting = Counting::begin(&transaction, &self.shared().schema);
        let counting = self.looked(counting)?;
        match self.looked(counting.at_once())? {
            Some(count) => Ok(Answer::Number(count)),
            None => self.long(|| Ok(Answer::Number(self.looked(counting.one_by_one())?))),
        }
    }

    fn find(&self, id: SessionId) -> Result<Answer, Refusal> {
        let shared = self.shared();
        let found: Option<Found> = match reader::find(shared, id) {
            Ok(found) => found.map(|record| (id, Ok(record))),
            Err(error @ StoreError::CorruptRecord { .. }) => Some((id, Err(error))),
            Err(error) => return Err(error.into()),
        };
        Ok(Answer::Found(found.map(Sent::of).into_iter().collect()))
    }

    /// Reads some records, of one user or all, from the first after an id.
    fn piece(
        &self,
        user: Option<&UserKey>,
        last: Option<SessionId>,
        at_most: usize,
    ) -> Result<Answer, Refusal> {
        let query = Query { user, at_most };
        let found = query.read(self.shared(), last)?;
        Ok(Answer::Found(found.into_iter().map(Sent::of).collect()))
    }

    fn delete(&self, id: SessionId, owner: Option<&User>) -> Result<Answer, Refusal> {
        let owner = owner.map(|owner| &owner.0);
        let deleted = self.outcome(block_on(self.store.delete(id, owner)))?;
        tracing::info!(target: "sessionup_redb", %id, deleted, "session revoked over the control socket");
        if deleted {
            self.tell(&Event::revoked(id, RevokedBy::Operator));
        }
        Ok(Answer::Deleted(deleted.into()))
    }

    fn delete_many(&self, ids: &[SessionId]) -> Result<Answer, Refusal> {
        let mut deleted = 0;
        let mut ended = Ok(());
        let at_once = AT_ONCE.min(self.shared().writes.reserved());
        for ids in ids.chunks(at_once.max(1)) {
            let ends = ids.iter().map(|id| Delete {
                id: *id,
                owner: None,
            });
            let answers = block_on(self.store.write_all(ends, Room::Reserved));
            let some;
            (some, ended) = self.tell_of(ids, answers);
            deleted += some;
            if ended.is_err() {
                break;
            }
        }
        tracing::info!(target: "sessionup_redb", sessions = deleted, "sessions revoked over the control socket");
        ended?;
        Ok(Answer::Deleted(deleted))
    }

    /// Tells of each session that was ended, whatever came of the others, and then of an outcome that is
    /// unknown. Returns how many were ended, and the worst error.
    fn tell_of(
        &self,
        ids: &[SessionId],
        answers: Vec<Result<bool, StoreError>>,
    ) -> (u64, Result<(), StoreError>) {
        let mut deleted = 0;
        let mut failed = None;
        for (id, answer) in ids.iter().zip(answers) {
            match answer {
                Ok(true) => {
                    deleted += 1;
                    self.tell(&Event::revoked(*id, RevokedBy::Operator));
                }
                Ok(false) => {}
                Err(error) => failed = Some(worse(failed, error)),
            }
        }
        (deleted, self.outcome(failed.map_or(Ok(()), Err)))
    }

    fn delete_user(&self, user: &UserKey, except: &[SessionId]) -> Result<Answer, Refusal> {
        let deleted = self.outcome(block_on(self.store.delete_user(user, except)))?;
        let deleted = deleted.deleted;
        tracing::info!(target: "sessionup_redb", sessions = deleted, "sessions of a user revoked over the control socket");
        if deleted > 0 {
            let by = RevokedBy::Operator;
            self.tell(&Event::revoked_user(user.clone(), deleted, by));
        }
        Ok(Answer::Deleted(deleted))
    }

    fn delete_all(&self) -> Result<Answer, Refusal> {
        let deleted = self.outcome(block_on(self.store.delete_all()))?;
        tracing::info!(target: "sessionup_redb", sessions = deleted, "sessions of all users revoked over the control socket");
        if deleted > 0 {
            self.tell(&Event::revoked_everybody(deleted, RevokedBy::Operator));
        }
        Ok(Answer::Deleted(deleted))
    }

    /// Tells the managers over the store, which have heard of nothing, and wakes the requests that wait
    /// for the end of a session. Those of expired sessions have a timer.
    fn tell(&self, event: &Event) {
        self.shared().managers.notify(event);
    }

    /// Tells of a revocation whose outcome is unknown: its sessions are refused from now on.
    fn outcome<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error @ StoreError::OutcomeUnknown { .. }) = &outcome {
            self.tell(&Event::store_failed(error.clone()));
        }
        outcome
    }

    fn prune(&self, at_most: usize) -> Result<Answer, Refusal> {
        let judged = self.shared().managers.watermark().observe(self.clock.now());
        let prune = Prune {
            now: judged.prune_up_to,
            at_most,
            progress: Arc::clone(&self.shared().pruning),
        };
        let pruned = block_on(self.store.write(prune, Room::Common))?;
        Ok(Answer::Pruned {
            deleted: pruned.deleted,
            more: pruned.more,
        })
    }
}

impl Answers for Desk {
    fn answer(&self, request: &[u8]) -> Reply {
        let mut unheard = None;
        let answer = self.read(request).and_then(|wish| match wish {
            Wish::Backup { path } => {
                let made = self.backup(&path.0)?;
                let answer = answer_of(&made);
                // A finished copy of all sessions is not left where nobody knows of it.
                unheard = Some(self.undo(made));
                Ok(answer)
            }
            wish => self.carry_out(wish),
        });
        let bytes = encoded(&answer.unwrap_or_else(Answer::Refused));
        Reply { bytes, unheard }
    }

    fn busy(&self) -> Vec<u8> {
        encoded(&Answer::Refused(Refusal::Busy))
    }
}

fn answer_of(made: &Made) -> Answer {
    Answer::Backup {
        bytes: made.bytes,
        identity: made.identity,
    }
}

/// Returns the error that says more of what may have happened: an unknown outcome before any other, and
/// else the first one.
fn worse(first: Option<StoreError>, next: StoreError) -> StoreError {
    match first {
        Some(first) if matches!(first, StoreError::OutcomeUnknown { .. }) => first,
        Some(first) if !matches!(next, StoreError::OutcomeUnknown { .. }) => first,
        Some(_) | None => next,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing that is answered has keys that are no text, so this does not fail. Whoever gets nothing
/// takes it for no answer.
fn encoded(answer: &Answer) -> Vec<u8> {
    serde_json::to_vec(answer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::time::Duration;

    use data_encoding::BASE64;
    use proptest::prelude::*;
    use redb::Database;
    use redb::backends::InMemoryBackend;
    use sessionup_core::{
        CreateOptions, Manager, Record, Replaced, SecretHash, Session, SystemClock,
    };

    use super::*;
    use crate::control::protocol::SentPath;

    fn desk() -> Desk {
        crate::limit::watch();
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let store = RedbStore::new(Arc::new(database.unwrap()), "b", Duration::ZERO).unwrap();
        Desk::new(store, Arc::new(SystemClock::default()))
    }

    fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16])
    }

    fn found(answer: Result<Answer, Refusal>) -> Vec<SessionId> {
        let Ok(Answer::Found(sent)) = answer else {
            panic!("{answer:?}");
        };
        let id = |sent: Sent| sent.found().unwrap().0;
        sent.into_iter().map(id).collect()
    }

    /// Their users were told that they may be gone, and a backup would bring them back.
    #[test]
    fn sessions_in_doubt_are_not_shown_and_not_copied() {
        let desk = desk();
        for number in 1..=3 {
            let time = Timestamp::from_millis;
            let user = UserKey::new("ann").unwrap();
            let session = Session::new(id(number), user, time(0), time(9));
            let record = Record::new(session, SecretHash::from_bytes([7; 32]));
            let created = desk.store.create(record, CreateOptions::default(), time(0));
            block_on(created).unwrap();
        }
        desk.shared().put_in_doubt([id(1), id(3)], &[]);
        let user = User(UserKey::new("ann").unwrap());
        let (last, at_most) = (None, 1);

        assert_eq!(
            found(desk.carry_out(Wish::After { last, at_most })),
            [id(2)]
        );
        assert_eq!(found(desk.carry_out(Wish::OfUser { user, last })), [id(2)]);
        assert_eq!(found(desk.carry_out(Wish::Find { id: id(1) })), []);
        let last = Some(id(2));
        assert_eq!(found(desk.carry_out(Wish::After { last, at_most })), []);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy.redb");
        let copied = desk.carry_out(Wish::Backup {
            path: SentPath(path.clone()),
        });
        assert!(
            matches!(copied, Err(Refusal::Unavailable { .. })),
            "{copied:?}"
        );
        assert!(!path.exists());
    }

    #[test]
    fn backup_that_is_undone_leaves_nothing() {
        let desk = desk();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("copy.redb");
        let backup = || Wish::Backup {
            path: SentPath(path.clone()),
        };
        let reply = desk.answer(&request(backup()));
        assert!(path.exists());
        reply.unheard.unwrap()();
        assert!(!path.exists());

        // Nor does one whose name may not be durable.
        let mut desk = desk;
        desk.sync_directory = |_| Err(io::ErrorKind::TimedOut.into());
        let refused = desk.carry_out(backup());
        assert!(
            matches!(refused, Err(Refusal::Backup { .. })),
            "{refused:?}"
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        desk.sync_directory = |_| Err(io::ErrorKind::InvalidInput.into());
        assert!(matches!(
            desk.carry_out(backup()),
            Ok(Answer::Backup { .. })
        ));
    }

    /// One transaction may take some of them, and the next one fail.
    #[test]
    fn deletions_beside_failed_ones_are_told() {
        let desk = desk();
        let manager = Manager::builder(desk.store.clone()).build().unwrap();
        let events = manager.events();
        let ids = [1, 2, 3, 4, 5].map(id);
        let answers = vec![
            Ok(true),
            Err(StoreError::Overloaded),
            Err(StoreError::outcome_unknown("in commit")),
            Ok(false),
            Ok(true),
        ];
        let (deleted, ended) = desk.tell_of(&ids, answers);
        assert_eq!(deleted, 2);
        assert!(
            matches!(ended, Err(StoreError::OutcomeUnknown { .. })),
            "{ended:?}"
        );
        for expected in [id(1), id(5)] {
            let told = block_on(events.recv());
            assert!(
                matches!(&told, Some(Event::Revoked { id, .. }) if *id == expected),
                "{told:?}"
            );
        }
        let told = block_on(events.recv());
        assert!(matches!(told, Some(Event::StoreFailed { .. })), "{told:?}");
    }

    #[test]
    fn undo_of_backup_leaves_backups_of_others() {
        let desk = desk();
        let directory = tempfile::tempdir().unwrap();
        let paths = ["first.redb", "second.redb"].map(|name| directory.path().join(name));
        let [first, second] = paths.each_ref().map(|path| {
            let path = SentPath(path.clone());
            desk.answer(&request(Wish::Backup { path }))
                .unheard
                .unwrap()
        });
        first();
        assert!(!paths[0].exists() && paths[1].exists());
        second();
        assert!(!paths[1].exists());
    }

    /// Neither the present one nor the one before.
    #[test]
    fn hashes_are_not_sent() {
        let desk = desk();
        let time = Timestamp::from_millis;
        let session = Session::new(id(1), UserKey::new("ann").unwrap(), time(0), time(9));
        let mut record = Record::new(session, SecretHash::from_bytes([7; 32]));
        record.replaced = Some(Replaced::new(SecretHash::from_bytes([8; 32]), time(3)));
        let created = desk.store.create(record, CreateOptions::default(), time(0));
        block_on(created).unwrap();
        let (last, at_most) = (None, 9);
        let user = User(UserKey::new("ann").unwrap());
        for wish in [
            Wish::Find { id: id(1) },
            Wish::After { last, at_most },
            Wish::OfUser { user, last },
        ] {
            let answer = String::from_utf8(desk.answer(&request(wish)).bytes).unwrap();
            let record = answer.split('"').max_by_key(|part| part.len()).unwrap();
            let bytes = BASE64.decode(record.as_bytes()).unwrap();
            let has = |byte| bytes.windows(8).any(|window| window == [byte; 8]);
            assert!(has(0) && !has(7) && !has(8), "{bytes:?}");
        }
    }

    fn request(wish: Wish) -> Vec<u8> {
        let request = Request {
            protocol: PROTOCOL,
            bucket: "b".to_owned(),
            wish,
        };
        serde_json::to_vec(&request).unwrap()
    }

    proptest! {
        /// Whatever comes is answered in the protocol's words.
        #[test]
        fn any_bytes_are_answered(
            wish in 0..6_usize,
            change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
            cut in proptest::option::of(any::<prop::sample::Index>()),
            bytes in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            static DESK: LazyLock<Desk> = LazyLock::new(desk);
            let user = || User(UserKey::new("\u{fffd}\n").unwrap());
            let wishes = [
                Wish::After { last: Some(id(0xff)), at_most: usize::MAX },
                Wish::DeleteUser { user: user(), except: vec![id(1); 3] },
                Wish::Delete { id: id(2), owner: Some(user()) },
                Wish::OfUser { user: user(), last: None },
                Wish::Verify { now: Some(i64::MIN) },
                Wish::Prune { at_most: usize::MAX },
            ];
            let mut damaged = request(wishes.into_iter().nth(wish).unwrap());
            let whole: Answer = serde_json::from_slice(&DESK.answer(&damaged).bytes).unwrap();
            prop_assert!(!matches!(whole, Answer::Refused(_)), "{whole:?}");
            if let Some((index, byte)) = change {
                let place = index.index(damaged.len());
                damaged[place] = byte;
            }
            if let Some(index) = cut {
                damaged.truncate(index.index(damaged.len()));
            }
            for request in [damaged, bytes] {
                let answer = DESK.answer(&request).bytes;
                prop_assert!(serde_json::from_slice::<Answer>(&answer).is_ok());
            }
        }
    }

    /// What takes long takes none of the readers, and there is one of it at a time.
    #[test]
    fn one_long_request_at_a_time_and_others_beside_it() {
        let desk = desk();
        let ask = |wish| desk.carry_out(wish);
        let held = desk.long.lock().unwrap();
        let busy = ask(Wish::Verify { now: None });
        assert!(matches!(busy, Err(Refusal::Busy)), "{busy:?}");
        assert!(matches!(ask(Wish::Count), Ok(Answer::Number(0))));
        drop(held);
        assert!(matches!(
            ask(Wish::Verify { now: None }),
            Ok(Answer::Report(_))
        ));
    }
}
