//! Files that were damaged while nobody had them open.

pub mod apart;
mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::panic::AssertUnwindSafe;

use futures_executor::block_on;
use redb::{Database, DatabaseError, StorageError};
use sessionup_core::{Record, SessionId, Store, StoreError, Timestamp};
use sessionup_redb::{OpenError, RedbStore};

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::disk::Disk;
use crate::disk::fault::Fault;
use crate::disk::image::Image;
use crate::disk::life;
use crate::disk::together::{carry_out, is_one_step};
use crate::model::{Model, Op};
use crate::script::{Profile, Script};
use kind::Damage;

/// Damages the file of a closed store, opens it and reads everything.
///
/// What is read must be an error, nothing, or what that session once was. redb holds pages against
/// their checksums only when it repairs, so an older page that is put in the place of a newer one is
/// taken for good by a file that was closed well: that is counted, and so is whether a check of
/// integrity would have found it.
#[derive(Debug)]
pub struct Damages;

impl Part for Damages {
    fn name(&self) -> &'static str {
        "damage"
    }

    fn about(&self) -> &'static str {
        "damaged files: flipped bits, pages lost, swapped, old, cut off"
    }

    fn unit(&self) -> &'static str {
        "files"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 600,
            long: 500_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        apart::look(rng.u64(..), tally)
    }
}

/// Damages of one file.
const FILES: usize = 300;

/// The file of a store that was closed, and what it held at all times.
struct Closed {
    image: Image,
    model: Model,
    /// The file as it was after some of the commits.
    older: Vec<Image>,
    /// What each session was, first to last.
    states: BTreeMap<SessionId, Vec<Record>>,
    script: Script,
}

impl Closed {
    fn make(rng: &mut Rng) -> Result<Self, Violation> {
        let sessions = rng.u64(100..700);
        let mut script = Script::new(Profile {
            ids: sessions,
            users: 6,
            expires: false,
            reads: false,
            creates: 9,
        });
        let disk = Disk::with(life::empty()?);
        let store = life::open(&disk, false).map_err(Violation::new)?;
        let (mut model, mut states, mut older) = (Model::default(), BTreeMap::new(), Vec::new());
        let mut left = sessions * 2;
        while left > 0 {
            let mut ops: Vec<_> = (0..64).map(|_| script.next(rng)).collect();
            // Who logs out everywhere leaves too little.
            let leaves = rng.u8(..8) == 0;
            ops.retain(|op| is_one_step(op) && (leaves || !matches!(op, Op::DeleteUser { .. })));
            left = left.saturating_sub(64);
            for (op, outcome) in ops.iter().zip(carry_out(&store, &ops, &disk, 0)) {
                let answer = outcome.map_err(|failed| Violation(format!("{op:?}: {failed:?}")))?;
                ensure(model.apply(op) == answer, || {
                    format!("{op:?} was answered with {answer:?}")
                })?;
                remember(&mut states, &model, op);
            }
            older.push(disk.image());
        }
        block_on(store.close());
        Ok(Self {
            image: disk.image(),
            model,
            older,
            states,
            script,
        })
    }

    /// Damages it in one way, opens it and reads what is in it.
    fn damage(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let damage = Damage::draw(&self.image, self.older.len(), rng);
        let image = damage.done_to(&self.image, &self.older);
        tally.count("files");
        // Without a disk of ours it is closed with a commit, see below.
        let by_path = damage.is_of_length() && rng.u8(..16) == 0;
        let seen = self.look_at(&image, by_path, rng, tally);
        seen.map_err(|violation| Violation(format!("{damage}: {violation}")))
    }

    fn look_at(
        &self,
        image: &Image,
        by_path: bool,
        rng: &mut Rng,
        tally: &mut Tally,
    ) -> Result<(), Violation> {
        let place = if by_path {
            Place::File(File::with(image)?)
        } else {
            Place::Memory(Disk::with(image.clone()))
        };
        let opened = std::panic::catch_unwind(AssertUnwindSafe(|| place.open(tally)));
        let opened = opened.map_err(|_| Violation::new("a panic left the opening of the store"))?;
        match opened {
            Err(error) => {
                tally.count(match error {
                    OpenError::Damaged { .. } => "told that it is damaged",
                    OpenError::NotADatabase { .. } => "told that it is no database",
                    _ => "told otherwise that it does not open",
                });
                // A closure that opens a database of its own has what redb does of it.
                let is_changed = place.image()? != *image;
                tally.add(
                    "changed by a failed opening in memory",
                    u64::from(is_changed),
                );
                ensure(!is_changed || matches!(place, Place::Memory(_)), || {
                    format!("changed by an opening that failed: {error:?}")
                })
            }
            Ok(store) => {
                tally.count("opened");
                let mut seen = Seen::default();
                self.read(&store, rng, &mut seen)?;
                place.die(&store);
                drop(store);
                self.count(image, &seen, tally);
                Ok(())
            }
        }
    }

    fn read(&self, store: &RedbStore, rng: &mut Rng, seen: &mut Seen) -> Result<(), Violation> {
        let now = self.script.now();
        for user in self.script.users() {
            match block_on(store.list(&user, now)) {
                Err(error) => seen.error(&error),
                Ok(records) => {
                    for record in records {
                        ensure(record.session.user_key == user, || {
                            format!("{user:?} sees {record:?}")
                        })?;
                        self.take(&record, seen)?;
                    }
                }
            }
        }
        let all = self.states.len() as u64;
        for number in (0..24).map(|_| rng.u64(..all.max(1))) {
            let id = crate::script::id(number);
            match block_on(store.fetch(id, now)) {
                Err(error) => seen.error(&error),
                Ok(None) => seen.absent += u64::from(self.is_live(id, now)),
                Ok(Some(record)) => {
                    ensure(record.session.id == id, || format!("{id} is {record:?}"))?;
                    self.take(&record, seen)?;
                }
            }
        }
        Ok(())
    }

    fn is_live(&self, id: SessionId, now: Timestamp) -> bool {
        self.model.live(now).any(|record| record.session.id == id)
    }

    /// Holds a record against what that session is and was.
    fn take(&self, record: &Record, seen: &mut Seen) -> Result<(), Violation> {
        let id = record.session.id;
        match self.model.get(id) {
            Some(now) if now == record => seen.right += 1,
            now => {
                let was = self
                    .states
                    .get(&id)
                    .is_some_and(|states| states.contains(record));
                ensure(was, || format!("{record:?} was never; it is {now:?}"))?;
                seen.older.insert(id);
                if now.is_none() {
                    seen.revoked.insert(id);
                }
            }
        }
        Ok(())
    }

    fn count(&self, image: &Image, seen: &Seen, tally: &mut Tally) {
        tally.add("right records", seen.right);
        tally.add("errors of reading", seen.errors);
        tally.add("live sessions not found", seen.absent);
        tally.add("stale", seen.older.len() as u64);
        tally.add("stale that were revoked", seen.revoked.len() as u64);
        if !seen.older.is_empty() {
            tally.count("files with stale sessions");
            let is_found = integrity(image).is_err();
            tally.add(
                "files with stale sessions that a check of integrity finds",
                u64::from(is_found),
            );
        }
    }
}

fn remember(states: &mut BTreeMap<SessionId, Vec<Record>>, model: &Model, op: &Op) {
    let id = match op {
        Op::Create { record, .. } => record.session.id,
        Op::Update { id, .. } => *id,
        _ => return,
    };
    if let Some(record) = model.get(id) {
        let states: &mut Vec<_> = states.entry(id).or_default();
        if states.last() != Some(record) {
            states.push(record.clone());
        }
    }
}

/// What was read of a file.
#[derive(Debug, Default)]
struct Seen {
    right: u64,
    errors: u64,
    absent: u64,
    older: BTreeSet<SessionId>,
    revoked: BTreeSet<SessionId>,
}

impl Seen {
    fn error(&mut self, _: &StoreError) {
        self.errors += 1;
    }
}

/// Opens a file as redb does when it is told to hold all pages against their checksums.
fn integrity(image: &Image) -> Result<(), Violation> {
    let disk = Disk::with(image.clone());
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| disk.checked()));
    match opened {
        Ok(Ok(database)) => {
            disk.kill(database);
            Ok(())
        }
        Ok(Err(error)) => Err(Violation(format!("{error:?}"))),
        Err(_) => Err(Violation::new("a panic")),
    }
}

/// Where the damaged file lies.
enum Place {
    Memory(Disk),
    File(File),
}

impl Place {
    fn open(&self, tally: &mut Tally) -> Result<RedbStore, OpenError> {
        match self {
            Self::File(file) => {
                tally.count("opened by path");
                file.open()
            }
            Self::Memory(disk) => {
                disk.without_cache();
                let disk = disk.clone();
                life::builder(false).open_with(move || guarded(&disk))
            }
        }
    }

    /// Lets the store end without another commit: with one, redb may abort the process on a damaged
    /// table of free pages.
    fn die(&self, store: &RedbStore) {
        if let Self::Memory(disk) = self {
            disk.order(Fault::dead());
            // Nothing is cached, so that the database learns that its disk is gone.
            let nobody = SessionId::from_bytes([0xff; 16]);
            let _ = block_on(store.fetch(nobody, Timestamp::from_millis(0)));
        }
    }

    fn image(&self) -> Result<Image, Violation> {
        match self {
            Self::Memory(disk) => Ok(disk.image()),
            Self::File(file) => file.image(),
        }
    }
}

/// As a store opens its file: redb panics at some kinds of damage.
fn guarded(disk: &Disk) -> Result<Database, DatabaseError> {
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| disk.database()));
    opened.unwrap_or_else(|_| {
        let panicked = StorageError::Corrupted("redb panicked".to_owned());
        Err(DatabaseError::Storage(panicked))
    })
}

/// A file of the operating system's, in a directory of its own: a store leaves other files beside it.
struct File {
    path: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl File {
    fn with(image: &Image) -> Result<Self, Violation> {
        let mut bytes = vec![0; usize::try_from(image.len()).unwrap_or(0)];
        image.read(0, &mut bytes).map_err(Violation::new)?;
        let directory = tempfile::tempdir().map_err(Violation::new)?;
        let path = directory.path().join("sessions.redb");
        std::fs::write(&path, &bytes).map_err(Violation::new)?;
        Ok(Self {
            path,
            _directory: directory,
        })
    }

    fn open(&self) -> Result<RedbStore, OpenError> {
        life::builder(false)
            .lock_wait(std::time::Duration::ZERO)
            .open(&self.path)
    }

    fn image(&self) -> Result<Image, Violation> {
        let mut bytes = Vec::new();
        let mut file = std::fs::File::open(&self.path).map_err(Violation::new)?;
        file.read_to_end(&mut bytes).map_err(Violation::new)?;
        Ok(Image::of(&bytes))
    }
}
