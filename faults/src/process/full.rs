//! A disk that is full to its last byte, and then has room again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sessionup_core::{CreateOptions, Record, Session, Store, StoreError, UserKey};
use sessionup_redb::RedbStore;

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::process::place::{cannot, on_path, program};
use crate::script::{BEGIN, hash, id, user};

/// Fills small file systems.
#[derive(Clone, Copy, Debug)]
pub struct DiskFull;

/// What a child counts.
const COUNTS: [&str; 10] = [
    "fillings",
    "creates",
    "creates refused as full",
    "reads while full",
    "revokes while full",
    "revokes refused while full",
    "openings while full",
    "openings refused while full",
    "resumed",
    "ms until creates resumed",
];

impl Part for DiskFull {
    fn name(&self) -> &'static str {
        "disk-full"
    }

    fn about(&self) -> &'static str {
        "file systems of 8 MiB, filled to the last byte and emptied again"
    }

    fn unit(&self) -> &'static str {
        "fillings"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 1,
            long: 500,
        }
    }

    fn missing(&self) -> Option<String> {
        if !cfg!(target_os = "linux") {
            return Some("small file systems are made on Linux alone".to_owned());
        }
        let directory = tempfile::tempdir().ok()?;
        let mut trial = mounting(Kind::Tmpfs, directory.path());
        trial
            .arg("true")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let works = trial.status().is_ok_and(|status| status.success());
        (!works).then(|| {
            "a file system of its own: run as root, or where users may have namespaces of their own"
                .to_owned()
        })
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let directory = tempfile::tempdir().map_err(|error| cannot("make a directory", &error))?;
        let kind = if rng.bool() && may_have_ext4() {
            tally.count("ext4");
            Kind::Ext4
        } else {
            tally.count("tmpfs");
            Kind::Tmpfs
        };
        let mut command = mounting(kind, directory.path());
        command
            .arg(program()?)
            .args(["child", "full", "--directory"]);
        command.arg(directory.path().join("mounted"));
        command.args(["--seed", &rng.u64(..).to_string()]);
        let done = command.stdin(Stdio::null()).output();
        let done = done.map_err(|error| cannot("start a process", &error))?;
        let said = String::from_utf8_lossy(&done.stdout);
        for line in said.lines() {
            let (count, name) = line.split_once(' ').unwrap_or_default();
            let name = COUNTS.into_iter().find(|known| *known == name);
            if let (Ok(count), Some(name)) = (count.parse(), name) {
                tally.add(name, count);
            }
        }
        ensure(done.status.success(), || {
            let errors = String::from_utf8_lossy(&done.stderr);
            format!("{kind:?}, {}: {errors}", done.status)
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Tmpfs,
    Ext4,
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

/// A loop device is the administrator's alone.
fn may_have_ext4() -> bool {
    is_root() && on_path("mkfs.ext4").is_some() && Path::new("/dev/loop-control").exists()
}

/// Begins a command that has a small file system in `mounted` below a directory. It is gone with it.
fn mounting(kind: Kind, directory: &Path) -> Command {
    let mount = match kind {
        Kind::Tmpfs => "mount -t tmpfs -o size=8m tmpfs mounted",
        Kind::Ext4 => {
            "truncate -s 8M image && mkfs.ext4 -q -F -m 0 image && mount -o loop image mounted"
        }
    };
    let script = format!(r#"cd "$0" && mkdir mounted && {mount} && exec "$@""#);
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c", &script])
        .arg(directory);
    command
}

/// What a child is to do.
#[derive(Clone, Debug, clap::Args)]
pub struct Task {
    /// Where the small file system is.
    #[arg(long)]
    directory: PathBuf,
    /// What is drawn from.
    #[arg(long)]
    seed: u64,
}

/// Fills the file system beneath a store, and makes room again.
///
/// # Errors
///
/// What did not hold.
pub fn run(task: &Task) -> Result<(), Violation> {
    let mut disk = Disk::new(task)?;
    let outcome = futures_executor::block_on(disk.suffer());
    disk.tell();
    outcome
}

/// What must come of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Its login was answered, and no logout.
    Live,
    /// Its logout was answered, or its login refused.
    Gone,
    /// Its logout may have happened: until the end of the process it is refused.
    Denied,
    /// Its logout was refused.
    Kept,
}

struct Disk {
    path: PathBuf,
    filler: PathBuf,
    rng: Rng,
    store: RedbStore,
    fates: BTreeMap<u64, Fate>,
    next: u64,
    tally: BTreeMap<&'static str, u64>,
}

/// How long it may take until what a full disk stopped goes on.
const PATIENCE: Duration = Duration::from_secs(20);

impl Disk {
    fn new(task: &Task) -> Result<Self, Violation> {
        let path = task.directory.join("sessions.redb");
        Ok(Self {
            store: open(&path)?,
            path,
            filler: task.directory.join("filler"),
            rng: Rng::with_seed(task.seed),
            fates: BTreeMap::new(),
            next: 0,
            tally: BTreeMap::new(),
        })
    }

    async fn suffer(&mut self) -> Result<(), Violation> {
        for _ in 0..self.rng.u64(10..400) {
            self.create()
                .await
                .map_err(|error| Violation(format!("create: {error:?}")))?;
        }
        let fills_first = self.rng.bool();
        for _ in 0..self.rng.choice([1, 1, 1, 2]).unwrap_or(1) {
            self.fill()
                .map_err(|error| cannot("fill the disk", &error))?;
            self.count("fillings");
            if fills_first {
                self.until_full().await?;
            }
            self.check("reads while full").await?;
            self.revoke_some().await?;
            self.until_full().await?;
            self.revoke_some().await?;
            self.check("reads while full").await?;
            if self.rng.bool() {
                self.open_anew().await?;
            }
            fs::remove_file(&self.filler).map_err(|error| cannot("make room", &error))?;
            self.until_it_resumes().await?;
            self.check("resumed").await?;
        }
        self.reopen().await?;
        self.check("resumed").await?;
        Ok(())
    }

    /// Writes until there is no room for a byte.
    fn fill(&self) -> io::Result<()> {
        let mut filler = File::create(&self.filler)?;
        for chunk in [65_536, 4_096, 1] {
            let bytes = vec![1; chunk];
            while match filler.write_all(&bytes).and_then(|()| filler.sync_data()) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::StorageFull => false,
                Err(error) => return Err(error),
            } {}
        }
        Ok(())
    }

    async fn create(&mut self) -> Result<(), StoreError> {
        let number = self.next;
        self.next += 1;
        let expires_at = BEGIN.saturating_add(Duration::from_secs(3_600));
        let session = Session::new(id(number), owner(number), BEGIN, expires_at);
        let record = Record::new(session, hash(1));
        let created = self.store.create(record, CreateOptions::default(), BEGIN);
        let created = created.await;
        let fate = if created.is_ok() {
            Fate::Live
        } else {
            Fate::Gone
        };
        self.fates.insert(number, fate);
        created?;
        self.count("creates");
        Ok(())
    }

    /// Logs in until that is refused as full.
    async fn until_full(&mut self) -> Result<(), Violation> {
        for _ in 0..50_000 {
            match self.create().await {
                Ok(()) => {}
                Err(StoreError::Full { .. }) => {
                    self.count("creates refused as full");
                    return Ok(());
                }
                Err(error) => return Err(Violation(format!("create on a full disk: {error:?}"))),
            }
        }
        Err(Violation::new("the disk is full and takes everything"))
    }

    async fn revoke_some(&mut self) -> Result<(), Violation> {
        let live: Vec<_> = self.live().collect();
        for _ in 0..self.rng.u64(1..20) {
            let Some(number) = self.rng.choice(&live).copied() else {
                return Ok(());
            };
            let was = self.fates.get(&number).copied().unwrap_or(Fate::Gone);
            let revoked = self.store.delete(id(number), None).await;
            let fate = match revoked {
                Ok(was_there) => {
                    ensure(was_there || was != Fate::Live, || {
                        format!("{number} was gone before it was revoked")
                    })?;
                    self.count("revokes while full");
                    Fate::Gone
                }
                Err(StoreError::OutcomeUnknown { .. }) => {
                    self.count("revokes refused while full");
                    Fate::Denied
                }
                Err(StoreError::Unavailable { .. }) => {
                    self.count("revokes refused while full");
                    if was == Fate::Live { Fate::Kept } else { was }
                }
                Err(error) => return Err(Violation(format!("revoke: {error:?}"))),
            };
            self.fates.insert(number, fate);
        }
        Ok(())
    }

    fn live(&self) -> impl Iterator<Item = u64> {
        let fates = self.fates.iter();
        fates.filter_map(|(number, fate)| (*fate == Fate::Live).then_some(*number))
    }

    /// Reads all sessions, one by one and in lists.
    async fn check(&mut self, what: &'static str) -> Result<(), Violation> {
        let mut listed = 0;
        for number in 0..6 {
            let list = self.read(|store| list(store, number)).await?;
            listed += list;
        }
        let mut found = 0;
        for (number, fate) in self.fates.clone() {
            let is_there = self.read(|store| is_there(store, number)).await?;
            found += usize::from(is_there);
            ensure(is_there == matches!(fate, Fate::Live | Fate::Kept), || {
                format!("session {number} is {fate:?}, and there: {is_there}")
            })?;
        }
        ensure(listed == found, || {
            format!("{listed} in lists, {found} found")
        })?;
        self.count(what);
        Ok(())
    }

    /// Reads go on; but for the moment in which the file is opened anew.
    async fn read<T, F>(&self, read: impl Fn(RedbStore) -> F) -> Result<T, Violation>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let begun = Instant::now();
        loop {
            match read(self.store.clone()).await {
                Ok(value) => return Ok(value),
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(Violation(format!("read: {error:?}")));
                }
                Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    /// Closes the store and opens it while the disk is full, as a restart would.
    async fn open_anew(&mut self) -> Result<(), Violation> {
        self.store.close().await;
        self.count("openings while full");
        match builder().open(&self.path) {
            Ok(store) => self.store = store,
            Err(_) => {
                self.count("openings refused while full");
                fs::remove_file(&self.filler).map_err(|error| cannot("make room", &error))?;
                self.store = open(&self.path)?;
                self.fill()
                    .map_err(|error| cannot("fill the disk", &error))?;
            }
        }
        self.settle_by_what_is_there().await?;
        self.check("reads while full").await
    }

    async fn until_it_resumes(&mut self) -> Result<(), Violation> {
        let begun = Instant::now();
        while let Err(error) = self.create().await {
            ensure(begun.elapsed() < PATIENCE, || {
                format!("there is room, and yet: {error:?}")
            })?;
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        *self.tally.entry("ms until creates resumed").or_default() += took;
        Ok(())
    }

    async fn reopen(&mut self) -> Result<(), Violation> {
        self.store.close().await;
        self.store = open(&self.path)?;
        self.settle_by_what_is_there().await
    }

    /// What was denied from memory may be either now.
    async fn settle_by_what_is_there(&mut self) -> Result<(), Violation> {
        for (number, fate) in self.fates.clone() {
            if fate == Fate::Denied {
                let is_there = self.read(|store| is_there(store, number)).await?;
                let fate = if is_there { Fate::Kept } else { Fate::Gone };
                self.fates.insert(number, fate);
            }
        }
        Ok(())
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    #[expect(clippy::print_stdout, reason = "the parent reads it")]
    fn tell(&self) {
        for (what, count) in &self.tally {
            println!("{count} {what}");
        }
    }
}

fn builder() -> sessionup_redb::RedbStoreBuilder {
    RedbStore::builder().cleanup_interval(Duration::ZERO)
}

fn open(path: &Path) -> Result<RedbStore, Violation> {
    let opened = builder().open(path);
    opened.map_err(|error| Violation(format!("the file does not open: {error:?}")))
}

fn owner(number: u64) -> UserKey {
    user(usize::try_from(number % 6).unwrap_or_default())
}

async fn list(store: RedbStore, number: u64) -> Result<usize, StoreError> {
    store
        .list(&owner(number), BEGIN)
        .await
        .map(|list| list.len())
}

async fn is_there(store: RedbStore, number: u64) -> Result<bool, StoreError> {
    let found = store.fetch(id(number), BEGIN).await?;
    Ok(found.is_some())
}
