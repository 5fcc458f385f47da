//! What the tests have in common: a disk that counts, blocks and fails, and small sessions.
//!
//! The disk is memory that outlives the databases on it. A write that fails changes nothing; a sync
//! that fails leaves what was written where it is.

#![allow(dead_code, reason = "each test uses its part")]

mod limit;
pub(crate) mod warnings;

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend};
use sessionup_core::{
    CreateOptions, Record, SecretHash, Session, SessionId, Store, StoreError, Timestamp, UserKey,
};
use sessionup_redb::{RedbStore, RedbStoreBuilder, Reserve};

/// A disk that can be asked how it was used, and told to misbehave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    bytes: Mutex<Vec<u8>>,
    syncs: AtomicU64,
    writes: AtomicU64,
    reads: AtomicU64,
    opens: AtomicU64,
    closes: AtomicU64,
    refuses_opening: AtomicBool,
    refuses_reserve: Mutex<Option<io::ErrorKind>>,
    has_no_cache: AtomicBool,
    fault: Mutex<Option<Fault>>,
    room: Mutex<Room>,
    /// What was on it after each sync, since that is remembered.
    images: Mutex<Option<Vec<Vec<u8>>>>,
    gate: Mutex<Gate>,
    gate_moved: Condvar,
    held: Mutex<HeldRead>,
    held_moved: Condvar,
}

/// What is taken of the disk, and how much there is.
#[derive(Debug, Default)]
struct Room {
    /// Blocks of the database that were written; others are holes.
    blocks: BTreeSet<u64>,
    reserve: u64,
    /// In bytes.
    capacity: Option<u64>,
    /// Whether what is written takes room though it replaces something, and how much it took.
    never_in_place: bool,
    replaced: u64,
}

const BLOCK: u64 = 4_096;

impl Room {
    fn taken(&self) -> u64 {
        self.blocks.len() as u64 * BLOCK + self.reserve + self.replaced
    }

    fn check(&self, wanted: u64) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.taken() + wanted > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn write(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let blocks = offset / BLOCK..(offset + length).div_ceil(BLOCK);
        let is_there = |block: &u64| self.blocks.contains(block);
        let replaced = blocks.clone().filter(is_there).count() as u64 * BLOCK;
        let new = (blocks.end - blocks.start) * BLOCK - replaced;
        let replaced = if self.never_in_place { replaced } else { 0 };
        self.check(new + replaced)?;
        self.blocks.extend(blocks);
        self.replaced += replaced;
        Ok(())
    }
}

/// The reserve of a store on a [`Disk`], which takes of the disk's room.
#[derive(Debug)]
pub(crate) struct OnDiskToo(Disk);

impl Reserve for OnDiskToo {
    fn take(&self, bytes: u64) -> io::Result<()> {
        if let Some(kind) = *self.0.0.refuses_reserve.lock().unwrap() {
            return Err(kind.into());
        }
        let mut room = self.0.0.room.lock().unwrap();
        room.check(bytes.saturating_sub(room.reserve))?;
        room.reserve = bytes;
        Ok(())
    }

    fn release(&self) -> io::Result<()> {
        self.0.0.room.lock().unwrap().reserve = 0;
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Gate {
    is_shut: bool,
    waiting: usize,
}

/// One read that waits, while others go on.
#[derive(Debug, Default, PartialEq, Eq)]
enum HeldRead {
    #[default]
    None,
    After {
        root: Option<u64>,
        left: u64,
    },
    Waiting,
}

/// What goes wrong, and from when on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) at: At,
    pub(crate) how: How,
    /// How many accesses of that kind go well before.
    pub(crate) after: u64,
    /// How many fail, then.
    pub(crate) times: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Reads, writes, syncs and changes of length.
    Any,
    Read,
    Sync,
    Write,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Error(io::ErrorKind),
    Panic,
}

impl Fault {
    pub(crate) fn always(at: At, kind: io::ErrorKind) -> Self {
        Self {
            at,
            how: How::Error(kind),
            after: 0,
            times: u64::MAX,
        }
    }

    pub(crate) fn once(at: At, kind: io::ErrorKind) -> Self {
        Self {
            times: 1,
            ..Self::always(at, kind)
        }
    }

    pub(crate) fn panic(at: At) -> Self {
        Self {
            how: How::Panic,
            ..Self::once(at, io::ErrorKind::Other)
        }
    }
}

impl Disk {
    pub(crate) fn syncs(&self) -> u64 {
        self.0.syncs.load(Ordering::SeqCst)
    }

    pub(crate) fn writes(&self) -> u64 {
        self.0.writes.load(Ordering::SeqCst)
    }

    pub(crate) fn reads(&self) -> u64 {
        self.0.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn opens(&self) -> u64 {
        self.0.opens.load(Ordering::SeqCst)
    }

    /// Whether a database is open on it.
    pub(crate) fn is_open(&self) -> bool {
        self.opens() > self.0.closes.load(Ordering::SeqCst)
    }

    pub(crate) fn fail(&self, fault: Fault) {
        *self.0.fault.lock().unwrap() = Some(fault);
    }

    pub(crate) fn heal(&self) {
        *self.0.fault.lock().unwrap() = None;
    }

    /// Leaves as much room as is taken.
    pub(crate) fn fill_up(&self) {
        let mut room = self.0.room.lock().unwrap();
        room.capacity = Some(room.taken());
    }

    /// Leaves no room at all, as on a file system that writes nothing in place and is slow to find
    /// out what became free.
    pub(crate) fn fill_up_wholly(&self) {
        self.fill_up();
        self.never_write_in_place();
    }

    pub(crate) fn never_write_in_place(&self) {
        self.0.room.lock().unwrap().never_in_place = true;
    }

    pub(crate) fn make_room(&self) {
        self.0.room.lock().unwrap().capacity = None;
    }

    /// Leaves so much more room.
    pub(crate) fn make_some_room(&self, bytes: u64) {
        let mut room = self.0.room.lock().unwrap();
        room.capacity = room.capacity.map(|capacity| capacity + bytes);
    }

    /// As if somebody removed it.
    pub(crate) fn lose_reserve(&self) {
        self.0.room.lock().unwrap().reserve = 0;
    }

    /// A disk with what is on this one now.
    pub(crate) fn image(&self) -> Self {
        let copy = Self::default();
        let bytes = self.0.bytes.lock().unwrap();
        copy.0.bytes.lock().unwrap().clone_from(&bytes);
        copy
    }

    /// Remembers what is on it after each sync from now on.
    pub(crate) fn remember(&self) {
        *self.0.images.lock().unwrap() = Some(Vec::new());
    }

    /// A disk for each sync since [`Disk::remember`], with what was on this one after it.
    pub(crate) fn remembered(&self) -> Vec<Self> {
        let images = self.0.images.lock().unwrap().take().unwrap();
        let disk = |bytes| {
            let disk = Self::default();
            *disk.0.bytes.lock().unwrap() = bytes;
            disk
        };
        images.into_iter().map(disk).collect()
    }

    /// Writes what is on it now to a file.
    pub(crate) fn copy_to(&self, path: &std::path::Path) {
        std::fs::write(path, &*self.0.bytes.lock().unwrap()).unwrap();
    }

    pub(crate) fn taken(&self) -> u64 {
        self.0.room.lock().unwrap().taken()
    }

    /// How much is kept for revocations now.
    pub(crate) fn reserved(&self) -> u64 {
        self.0.room.lock().unwrap().reserve
    }

    pub(crate) fn reserve(&self) -> OnDiskToo {
        OnDiskToo(self.clone())
    }

    /// Fails to keep room from now on.
    pub(crate) fn refuse_reserve(&self, how: Option<io::ErrorKind>) {
        *self.0.refuses_reserve.lock().unwrap() = how;
    }

    /// Whether the fault that was ordered is still to come.
    pub(crate) fn is_fault_left(&self) -> bool {
        self.0
            .fault
            .lock()
            .unwrap()
            .is_some_and(|fault| fault.times > 0)
    }

    pub(crate) fn refuse_opening(&self, refuses: bool) {
        self.0.refuses_opening.store(refuses, Ordering::SeqCst);
    }

    /// Databases that are opened from now on read each page from the disk.
    pub(crate) fn without_cache(&self) {
        self.0.has_no_cache.store(true, Ordering::SeqCst);
    }

    /// Lets syncs wait from now on.
    pub(crate) fn shut_gate(&self) {
        self.0.gate.lock().unwrap().is_shut = true;
    }

    pub(crate) fn open_gate(&self) {
        self.0.gate.lock().unwrap().is_shut = false;
        self.0.gate_moved.notify_all();
    }

    /// Waits until somebody waits at the gate.
    pub(crate) fn wait_for_sync(&self) {
        let mut gate = self.0.gate.lock().unwrap();
        while gate.waiting == 0 {
            gate = self.0.gate_moved.wait(gate).unwrap();
        }
    }

    /// Lets one read wait, after so many others. The first one, and others of the same page, do not
    /// count: a transaction begins with the root of the tables, which the last commit wrote.
    pub(crate) fn hold_read(&self, after: u64) {
        let (root, left) = (None, after);
        *self.0.held.lock().unwrap() = HeldRead::After { root, left };
    }

    /// Says how many reads came since [`Disk::hold_read`] that count, as long as none waits.
    pub(crate) fn passed(&self, after: u64) -> u64 {
        match *self.0.held.lock().unwrap() {
            HeldRead::After { left, .. } => after - left,
            HeldRead::None | HeldRead::Waiting => panic!("no read is to be held"),
        }
    }

    /// Waits until that read waits; `false` if it does not come within a minute.
    pub(crate) fn wait_for_read(&self) -> bool {
        let held = self.0.held.lock().unwrap();
        let minute = Duration::from_secs(60);
        let moved = &self.0.held_moved;
        let waited = moved.wait_timeout_while(held, minute, |held| *held != HeldRead::Waiting);
        !waited.unwrap().1.timed_out()
    }

    /// Lets that read go on.
    pub(crate) fn release_read(&self) {
        *self.0.held.lock().unwrap() = HeldRead::None;
        self.0.held_moved.notify_all();
    }

    fn pass_held(&self, offset: u64) {
        let mut held = self.0.held.lock().unwrap();
        let HeldRead::After { root, left } = &mut *held else {
            return;
        };
        if *root.get_or_insert(offset) == offset {
            return;
        }
        if *left > 0 {
            *left -= 1;
            return;
        }
        *held = HeldRead::Waiting;
        self.0.held_moved.notify_all();
        let moved = &self.0.held_moved;
        let waited = moved.wait_while(held, |held| *held == HeldRead::Waiting);
        drop(waited.unwrap());
    }

    pub(crate) fn database(&self) -> Result<Database, DatabaseError> {
        if self.0.refuses_opening.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied).into());
        }
        self.0.opens.fetch_add(1, Ordering::SeqCst);
        let mut builder = Database::builder();
        if self.0.has_no_cache.load(Ordering::SeqCst) {
            builder.set_cache_size(0);
        }
        builder.create_with_backend(OnDisk(self.clone()))
    }

    /// Opens a store that can open this disk again.
    pub(crate) fn store(&self) -> RedbStore {
        self.store_with(builder())
    }

    pub(crate) fn store_with(&self, builder: RedbStoreBuilder) -> RedbStore {
        let disk = self.clone();
        builder.open_with(move || disk.database()).unwrap()
    }

    fn access(&self, at: At) -> io::Result<()> {
        let mut fault = self.0.fault.lock().unwrap();
        let Some(ordered) = fault.as_mut() else {
            return Ok(());
        };
        if ordered.at != at && ordered.at != At::Any {
            return Ok(());
        }
        if ordered.after > 0 {
            ordered.after -= 1;
            return Ok(());
        }
        if ordered.times == 0 {
            return Ok(());
        }
        ordered.times -= 1;
        let how = ordered.how;
        drop(fault);
        match how {
            How::Error(kind) => Err(kind.into()),
            // Without a word on standard error: it was ordered.
            How::Panic => std::panic::resume_unwind(Box::new("the disk panics")),
        }
    }

    fn pass_gate(&self) {
        let mut gate = self.0.gate.lock().unwrap();
        gate.waiting += 1;
        self.0.gate_moved.notify_all();
        while gate.is_shut {
            gate = self.0.gate_moved.wait(gate).unwrap();
        }
        gate.waiting -= 1;
    }
}

#[derive(Debug)]
struct OnDisk(Disk);

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.0.0.closes.fetch_add(1, Ordering::SeqCst);
    }
}

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.0.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.0.reads.fetch_add(1, Ordering::SeqCst);
        self.0.pass_held(offset);
        self.0.access(At::Read)?;
        let bytes = self.0.0.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let from = bytes.get(offset..offset + out.len());
        out.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.access(At::Write)?;
        let mut bytes = self.0.0.bytes.lock().unwrap();
        bytes.resize(usize::try_from(len).unwrap(), 0);
        let mut room = self.0.0.room.lock().unwrap();
        room.blocks.split_off(&len.div_ceil(BLOCK));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.pass_gate();
        self.0.access(At::Sync)?;
        self.0.0.syncs.fetch_add(1, Ordering::SeqCst);
        if let Some(images) = &mut *self.0.0.images.lock().unwrap() {
            images.push(self.0.0.bytes.lock().unwrap().clone());
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.access(At::Write)?;
        let mut room = self.0.0.room.lock().unwrap();
        room.write(offset, data.len() as u64)?;
        drop(room);
        self.0.0.writes.fetch_add(1, Ordering::SeqCst);
        let mut bytes = self.0.0.bytes.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let to = bytes.get_mut(offset..offset + data.len());
        to.ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}

/// A builder of stores in which nothing happens unless the test asks for it.
pub(crate) fn builder() -> RedbStoreBuilder {
    evidence::listen();
    limit::watch();
    RedbStore::builder()
        .prune_time(Duration::MAX)
        .cleanup_interval(Duration::ZERO)
        .touch_delay(Duration::from_secs(3_600))
}

pub(crate) const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn id(number: u64) -> SessionId {
    SessionId::from_bytes(u128::from(number).to_be_bytes())
}

pub(crate) fn user(key: &str) -> UserKey {
    UserKey::new(key).unwrap()
}

/// A session of this user, made at 0, that lives until 1,000,000.
pub(crate) fn session(number: u64, key: &str) -> Session {
    Session::new(id(number), user(key), at(0), at(1_000_000))
}

pub(crate) fn record(number: u64, key: &str) -> Record {
    Record::new(session(number, key), SecretHash::from_bytes([7; 32]))
}

pub(crate) async fn create(store: &impl Store, number: u64, key: &str) -> Result<(), StoreError> {
    let created = store.create(record(number, key), CreateOptions::default(), at(0));
    created.await.map(drop)
}

pub(crate) async fn create_many(store: &RedbStore, numbers: std::ops::Range<u64>, key: &str) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in numbers {
        let (store, key) = (store.clone(), key.to_owned());
        tasks.spawn(async move { create(&store, number, &key).await.unwrap() });
    }
    tasks.join_all().await;
}

/// The numbers of a user's sessions.
pub(crate) async fn listed(store: &impl Store, key: &str) -> Vec<SessionId> {
    let records = store.list(&user(key), at(0)).await.unwrap();
    records.iter().map(|record| record.session.id).collect()
}

pub(crate) async fn is_there(store: &impl Store, number: u64) -> bool {
    store.fetch(id(number), at(0)).await.unwrap().is_some()
}

/// Waits until the store is available.
pub(crate) async fn until_available(store: &RedbStore) {
    insist(async || store.fetch(id(u64::MAX), at(0)).await).await;
}

/// What a test waits for at most; what takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so().await {
        assert!(
            begun.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        tokio::task::yield_now().await;
    }
}

/// Asks again and again until the store is available.
pub(crate) async fn insist<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    let begun = std::time::Instant::now();
    loop {
        match ask().await {
            Err(StoreError::Unavailable { .. }) if begun.elapsed() < PATIENCE => {
                tokio::task::yield_now().await;
            }
            answer => return answer.unwrap(),
        }
    }
}

/// A future on the heap, to be polled by hand.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Polls once, with nobody to be woken.
pub(crate) fn poll<T>(future: &mut Boxed<'_, T>) -> Poll<T> {
    future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once; the answer is not there yet.
pub(crate) fn begin<'a, T>(future: impl Future<Output = T> + 'a) -> Boxed<'a, T> {
    let mut future: Boxed<'a, T> = Box::pin(future);
    assert!(poll(&mut future).is_pending(), "answered at once");
    future
}

type IdKey = &'static [u8; 16];

pub(crate) const SESSIONS: redb::TableDefinition<'_, IdKey, &[u8]> =
    redb::TableDefinition::new("sessions/sessions");
pub(crate) const BY_USER: redb::TableDefinition<'_, (&[u8], IdKey), ()> =
    redb::TableDefinition::new("sessions/by_user");
pub(crate) const BY_EXPIRY: redb::TableDefinition<'_, (i64, IdKey), ()> =
    redb::TableDefinition::new("sessions/by_expiry");
pub(crate) const ABOUT: redb::TableDefinition<'_, &str, u64> =
    redb::TableDefinition::new("sessions/about");

/// The ids of sessions that need have no entry in the index of users.
fn unlisted(database: &Database) -> std::ops::Range<u128> {
    let about = database.begin_read().unwrap().open_table(ABOUT).unwrap();
    let entry = |name| {
        ReadableTable::get(&about, name)
            .unwrap()
            .map(|it| it.value())
    };
    if entry("format") == Some(1) {
        return 0..0;
    }
    let from = u128::from(entry("unlisted_from").unwrap() >> 16);
    let millis = 1 << 35;
    from << 80..(from + millis) << 80
}

/// Asserts that each record has one entry in each index and each entry a record. In the index of
/// users, entries of the latest sessions may be missing.
pub(crate) fn assert_whole(database: &Database) {
    let transaction = database.begin_read().unwrap();
    let sessions = transaction.open_table(SESSIONS).unwrap();
    let by_user = transaction.open_table(BY_USER).unwrap();
    let by_expiry = transaction.open_table(BY_EXPIRY).unwrap();
    let records: Vec<[u8; 16]> = ReadableTable::iter(&sessions)
        .unwrap()
        .map(|entry| *entry.unwrap().0.value())
        .collect();
    let mut users: Vec<[u8; 16]> = ReadableTable::iter(&by_user)
        .unwrap()
        .map(|entry| *entry.unwrap().0.value().1)
        .collect();
    let mut filed: Vec<[u8; 16]> = ReadableTable::iter(&by_expiry)
        .unwrap()
        .map(|entry| *entry.unwrap().0.value().1)
        .collect();
    let unlisted = unlisted(database);
    let is_unlisted = |id: &[u8; 16]| unlisted.contains(&u128::from_be_bytes(*id));
    let missing = records
        .iter()
        .filter(|id| !users.contains(id) && is_unlisted(id));
    users.extend(missing.copied().collect::<Vec<_>>());
    users.sort_unstable();
    filed.sort_unstable();
    assert_eq!(records, users, "index of users");
    assert_eq!(records, filed, "index of expiry");
    let distinct: BTreeSet<_> = records.iter().collect();
    assert_eq!(distinct.len(), records.len());
}
