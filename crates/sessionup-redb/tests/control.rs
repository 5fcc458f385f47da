//! A store that is looked at and changed from outside, and the processes around it: what they see of
//! each other, who takes over from whom, and what is left when one is killed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use data_encoding::BASE64;
use sessionup_core::{
    Change, CreateOptions, Event, Manager, ManualClock, Peer, Record, Replaced, RevokedBy,
    SecretHash, SessionId, Store, StoreError, Timestamp,
};
use sessionup_redb::{
    Control, ControlError, FileReader, FoundSession, OpenError, Reason, RedbStore,
    RedbStoreBuilder, Status, compact_file, open_database, verify_file,
};
use support::warnings::warnings_of;
use support::{
    assert_whole, at, builder, create, create_many, id, is_there, listed, record, session, user,
};

struct Place {
    directory: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sessions.redb");
        Self { directory, path }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("sessions.redb.control")
    }

    fn store(&self) -> RedbStore {
        listening().open(&self.path).unwrap()
    }

    fn control(&self) -> Control {
        Control::connect(&self.path, "sessions").unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }
}

fn listening() -> RedbStoreBuilder {
    builder().lock_wait(Duration::from_secs(60)).control(true)
}

fn ids(found: &[FoundSession]) -> Vec<SessionId> {
    found.iter().map(|(id, _)| *id).collect()
}

#[tokio::test]
async fn what_is_asked_from_outside_is_done_by_the_store() {
    let place = Place::new();
    let store = place.store();
    create_many(&store, 1..5, "ann").await;
    create_many(&store, 5..8, "bob").await;
    let control = place.control();

    assert_eq!(control.health().unwrap().status, Status::Ok);
    assert_eq!(control.count().unwrap(), 7);
    assert!(control.bytes().unwrap() > 0);
    assert!(control.verify(None).unwrap().is_clean());

    // Of the right owner only.
    assert!(!control.delete(id(1), Some(&user("bob"))).unwrap());
    assert!(control.delete(id(1), Some(&user("ann"))).unwrap());
    assert!(!control.delete(id(1), None).unwrap());
    assert!(control.delete(id(5), None).unwrap());
    assert!(!is_there(&store, 1).await && !is_there(&store, 5).await);

    let begun = store.epoch();
    assert_eq!(control.delete_user(&user("ann"), &[id(3)]).unwrap(), 2);
    assert_eq!(listed(&store, "ann").await, [id(3)]);
    // A login that was under way is overtaken, as by any other revocation.
    let mut options = CreateOptions::default();
    options.begun = Some(begun);
    let late = store.create(record(9, "ann"), options, at(0)).await;
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");

    assert_eq!(
        ids(&control.after(None, 10).unwrap()),
        [id(3), id(6), id(7)]
    );
}

/// Notes that it was woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A stream that ends with its session.
struct Stream {
    id: SessionId,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
    bell: Arc<Bell>,
}

impl Stream {
    /// Logs a user in and waits for the end of that session.
    async fn open(store: &RedbStore, manager: &Manager, user: &str) -> Self {
        let login = manager.sessions([], Peer::default());
        let id = login.init(user).await.unwrap().id;
        let cookie = login.response_cookie().unwrap();
        let pair = cookie.expose().split(';').next().unwrap().to_owned();
        let request = manager.sessions([pair.as_bytes()], Peer::default());
        let mut stream = Self {
            id,
            end: Box::pin(request.revoked()),
            bell: Arc::default(),
        };
        // Until nothing but the end can wake it.
        loop {
            assert!(!stream.is_over());
            store.fetch(id, Timestamp::MIN).await.unwrap();
            if !stream.is_woken() {
                return stream;
            }
        }
    }

    /// Says whether it was woken since it was last looked at.
    fn is_woken(&self) -> bool {
        self.bell.0.swap(false, Ordering::SeqCst)
    }

    fn is_over(&mut self) -> bool {
        let waker = Waker::from(Arc::clone(&self.bell));
        let polled = self.end.as_mut().poll(&mut Context::from_waker(&waker));
        polled.is_ready()
    }

    /// Waits for its end, of which it was told when this is called.
    async fn ends(mut self, store: &RedbStore, why: &str) {
        assert!(self.is_woken(), "{why}");
        support::until(why, async || {
            store.fetch(self.id, Timestamp::MIN).await.unwrap();
            self.is_over()
        })
        .await;
    }
}

#[tokio::test]
async fn revocation_from_outside_ends_streams_at_once() {
    let place = Place::new();
    let store = place.store();
    let manager = evidence::watch(Manager::builder(store.clone()));
    let manager = manager.build().unwrap();
    let events = manager.events();
    let mut streams = Vec::new();
    for user in ["ann", "bob", "cid", "dan"] {
        streams.push(Stream::open(&store, &manager, user).await);
        events.recv().await;
    }
    let [ann, bob, cid, mut dan] = streams.try_into().ok().unwrap();
    let control = place.control();

    assert!(!control.delete(dan.id, Some(&user("ann"))).unwrap());
    assert_eq!(control.delete_many(&[id(1)]).unwrap(), 0);
    assert_eq!(control.delete_user(&user("eve"), &[]).unwrap(), 0);
    assert!(control.delete(ann.id, None).unwrap());
    ann.ends(&store, "one was ended").await;
    assert_eq!(control.delete_many(&[id(1), bob.id]).unwrap(), 1);
    bob.ends(&store, "some were ended").await;
    assert_eq!(control.delete_user(&user("cid"), &[]).unwrap(), 1);
    cid.ends(&store, "those of a user were ended").await;
    assert!(!dan.is_woken() && !dan.is_over());
    assert_eq!(control.delete_all().unwrap(), 1);
    dan.ends(&store, "all were ended").await;

    assert_eq!(control.delete_all().unwrap(), 0);
    store.close().await;
    drop((store, manager));
    let mut told = Vec::new();
    while let Some(event) = events.recv().await {
        told.push(match event {
            Event::Revoked { by, .. }
            | Event::RevokedUser { by, .. }
            | Event::RevokedEverybody { by, .. } => by,
            event => panic!("{event:?}"),
        });
    }
    assert_eq!(told, [RevokedBy::Operator; 4]);
}

#[tokio::test]
async fn many_are_ended_with_few_commits() {
    let place = Place::new();
    let store = place.store();
    create_many(&store, 0..1_000, "ann").await;
    let control = place.control();
    let before = store.health().counts.commits;

    let ids: Vec<_> = (500..2_000).map(id).collect();
    assert_eq!(control.delete_many(&ids).unwrap(), 500);

    // 256 at a time, and one for all of which there is none.
    let commits = store.health().counts.commits - before;
    assert!((2..=3).contains(&commits), "{commits}");
    assert_eq!(control.delete_many(&[]).unwrap(), 0);
    assert_eq!(
        listed(&store, "ann").await,
        (0..500).map(id).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn sessions_come_whole() {
    let place = Place::new();
    let store = place.store();
    let mut session = session(1, "ann");
    session.client.ip = "2001:db8::1".parse().ok();
    session.meta.insert("note", "\u{1b}\u{1f600}").unwrap();
    session.idle_timeout = Some(Duration::from_secs(5));
    let mut full = Record::new(session.clone(), SecretHash::from_bytes([7; 32]));
    full.replaced = Some(Replaced::new(SecretHash::from_bytes([8; 32]), at(3)));
    let created = store.create(full, CreateOptions::default(), at(0)).await;
    created.unwrap();
    // A use that is in memory alone.
    let touched = store.update(id(1), Change::touch(at(4_000)), at(4_000));
    assert!(touched.await.unwrap().is_some());
    session.last_seen_at = at(4_000);

    let control = place.control();

    let (found, shown) = control.find(id(1)).unwrap().unwrap();
    assert_eq!((found, shown.unwrap()), (id(1), session.clone()));
    for found in [
        control.after(None, 1).unwrap(),
        control.of_user(&user("ann")).unwrap(),
    ] {
        assert_eq!(found[0].1.as_ref().unwrap(), &session);
    }
    assert!(control.find(id(2)).unwrap().is_none());
    assert!(control.of_user(&user("an")).unwrap().is_empty());
}

#[tokio::test]
async fn many_come_piece_by_piece() {
    let place = Place::new();
    let store = place.store();
    create_many(&store, 0..1_500, "ann").await;
    create_many(&store, 1_500..2_100, "bob").await;
    let control = place.control();

    let mut all = Vec::new();
    while let Some(piece) = Some(control.after(all.last().copied(), usize::MAX).unwrap())
        .filter(|piece| !piece.is_empty())
    {
        all.extend(ids(&piece));
    }

    assert_eq!(all, (0..2_100).map(id).collect::<Vec<_>>());
    let of_ann = ids(&control.of_user(&user("ann")).unwrap());
    assert_eq!(of_ann, (0..1_500).map(id).collect::<Vec<_>>());
    assert_eq!(ids(&control.after(Some(id(7)), 0).unwrap()), [id(8)]);
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(future)
}

async fn touch(store: &RedbStore, number: u64, millis: i64) -> Option<i64> {
    let touched = store.update(id(number), Change::touch(at(millis)), at(millis));
    let record = touched.await.unwrap();
    record.map(|record| record.session.last_seen_at.as_millis())
}

/// Holds the reading of records at each of its reads in turn.
fn uses_go_on_while_records_are_read(uses: u64, of_user: bool) {
    let place = Place::new();
    drop(builder().open(&place.path).unwrap());
    let disk = support::Disk::default();
    disk.without_cache();
    let settings = builder().control_beside(&place.path);
    let store = disk.store_with(settings.readers(NonZeroUsize::new(2).unwrap()));
    run(async {
        create_many(&store, 101..161, "ann").await;
        create_many(&store, 1_000..1_000 + uses, "dan").await;
        for number in 1_000..1_000 + uses {
            assert_eq!(touch(&store, number, 300).await, Some(300));
        }
        create(&store, 11, "bob").await.unwrap();
        create(&store, 12, "cid").await.unwrap();
        assert_eq!(touch(&store, 101, 400).await, Some(400));
    });
    let control = Arc::new(place.control());
    let read = {
        let control = Arc::clone(&control);
        move || {
            if of_user {
                return control.of_user(&user("ann")).unwrap();
            }
            control.after(Some(id(100)), 60).unwrap()
        }
    };
    disk.hold_read(u64::MAX);
    assert_eq!(read().len(), 60);
    let reads = disk.passed(u64::MAX);
    disk.release_read();
    assert!(reads >= 4, "{reads} reads show nothing");

    for after in 0..reads {
        disk.hold_read(after);
        let millis = 500 + i64::try_from(after).unwrap();
        let held = std::thread::spawn(read.clone());
        assert!(disk.wait_for_read(), "read {after} did not come");
        let (done, others) = mpsc::channel();
        let working = {
            let store = store.clone();
            std::thread::spawn(move || {
                for number in [11, 12] {
                    assert_eq!(run(touch(&store, number, millis)), Some(millis));
                }
                done.send(()).unwrap();
            })
        };
        let went_on = others.recv_timeout(Duration::from_secs(60));
        disk.release_read();
        went_on.unwrap_or_else(|_| panic!("uses waited for records at read {after}"));
        working.join().unwrap();
        let found = held.join().unwrap();
        assert_eq!(found.len(), 60);
        assert_eq!(found[0].1.as_ref().unwrap().last_seen_at, at(400));
    }
}

#[test]
fn uses_while_records_are_read_go_on() {
    uses_go_on_while_records_are_read(0, false);
}

#[test]
fn uses_while_records_of_user_are_read_go_on() {
    uses_go_on_while_records_are_read(0, true);
}

/// More uses than are copied as they are.
#[test]
fn many_uses_while_records_are_read_go_on() {
    uses_go_on_while_records_are_read(300, false);
}

#[tokio::test]
async fn prune_goes_by_the_clock_of_the_store() {
    let place = Place::new();
    let clock = ManualClock::at(at(999_999));
    let store = listening().clock(clock.clone()).open(&place.path).unwrap();
    create_many(&store, 0..3, "ann").await;
    let control = place.control();

    assert_eq!(control.prune(9).unwrap().deleted, 0);
    // A clock that jumped is not believed in haste.
    clock.set(at(3 * 86_400_000));
    assert_eq!(control.prune(9).unwrap().deleted, 0);
    clock.set(at(1_000_000));
    let pruned = control.prune(2).unwrap();
    assert_eq!((pruned.deleted, pruned.more), (2, true));
    let pruned = control.prune(2).unwrap();
    assert_eq!((pruned.deleted, pruned.more), (1, false));
    assert_eq!(control.count().unwrap(), 0);
}

#[tokio::test]
async fn socket_is_for_the_owner_alone_and_gone_with_the_store() {
    let place = Place::new();
    let store = place.store();
    let found = fs::symlink_metadata(place.socket()).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);

    store.close().await;

    let names = ["sessions.redb", "sessions.redb.reserve"];
    assert_eq!(place.names(), names);
    let late = Control::connect(&place.path, "sessions");
    assert!(
        matches!(late, Err(ControlError::NobodyListens { .. })),
        "{late:?}"
    );
    // Whoever does not ask for it has none.
    let store = builder().open(&place.path).unwrap();
    assert_eq!(place.names(), names);
    drop(store);
    drop(place.store());
    assert_eq!(place.names(), names);
    let missing = Control::connect(place.path.with_extension("missing"), "sessions");
    assert!(
        matches!(missing, Err(ControlError::NobodyListens { .. })),
        "{missing:?}"
    );
}

#[test]
fn database_is_found_by_any_of_its_paths() {
    let place = Place::new();
    let link = place.directory.path().join("link");
    drop(builder().open(&place.path).unwrap());
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    let _store = listening().open(&link).unwrap();
    assert!(place.socket().exists());
    place.control();
    Control::connect(&link, "sessions").unwrap();
}

/// As somebody restores a backup without stopping the server.
#[tokio::test]
async fn open_beside_server_of_replaced_file_is_refused() {
    let place = Place::new();
    let store = place.store();
    create(&store, 1, "ann").await.unwrap();
    let control = place.control();
    let copy = place.directory.path().join("copy.redb");
    control.backup(&copy).unwrap();
    let aside = place.directory.path().join("aside.redb");
    fs::rename(&place.path, &aside).unwrap();

    for what in ["deleted", "replaced"] {
        let connected = Control::connect(&place.path, "sessions");
        assert!(
            matches!(&connected, Err(ControlError::OtherFile { path, socket })
                if *path == place.path && *socket == place.socket()),
            "{what}: {connected:?}"
        );
        if what == "deleted" {
            fs::copy(&copy, &place.path).unwrap();
        }
    }
    let impatient = || builder().lock_wait(Duration::ZERO);
    let refused = [
        impatient().open(&place.path).map(drop),
        impatient().control(true).open(&place.path).map(drop),
        FileReader::open(&place.path, "sessions", Duration::ZERO).map(drop),
        verify_file(&place.path, "sessions", None).map(drop),
        compact_file(&place.path, "sessions", Duration::ZERO).map(drop),
        open_database(&place.path, Duration::ZERO).map(drop),
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Err(OpenError::ServerListens { path, socket })
                if *path == place.path && *socket == place.socket()),
            "{refused:?}"
        );
    }
    // The first one serves as before, and is found again when its file is back.
    assert_eq!(store.health().reasons, [Reason::FileDisplaced]);
    fs::rename(&aside, &place.path).unwrap();
    assert!(place.control().delete(id(1), None).unwrap());
    store.close().await;
    impatient().open(&place.path).unwrap();
}

/// A file that is made there would be in the way when the server's own is put back.
#[tokio::test]
async fn open_beside_server_of_deleted_file_makes_none() {
    let place = Place::new();
    let store = place.store();
    create(&store, 1, "ann").await.unwrap();
    let aside = place.directory.path().join("aside.redb");
    fs::rename(&place.path, &aside).unwrap();
    let before = place.names();

    let refused = [
        builder()
            .lock_wait(Duration::ZERO)
            .open(&place.path)
            .map(drop),
        open_database(&place.path, Duration::ZERO).map(drop),
    ];
    for refused in refused {
        assert!(
            matches!(&refused, Err(OpenError::ServerListens { path, socket })
                if *path == place.path && *socket == place.socket()),
            "{refused:?}"
        );
    }
    assert_eq!(place.names(), before);
    fs::rename(&aside, &place.path).unwrap();
    assert!(place.control().delete(id(1), None).unwrap());
    store.close().await;
}

/// Whoever opens a database without us is told when the store is to listen.
#[test]
fn borrowed_store_beside_listening_server_is_refused() {
    let place = Place::new();
    let mut server = Server::open(&place.path);
    fs::rename(&place.path, place.directory.path().join("aside.redb")).unwrap();
    let database = Arc::new(redb::Database::create(&place.path).unwrap());
    let on = || {
        let beside = builder().control_beside(&place.path).control_optional(true);
        beside.on(Arc::clone(&database))
    };
    let refused = on();
    assert!(
        matches!(&refused, Err(OpenError::ServerListens { path, .. }) if *path == place.path),
        "{refused:?}"
    );
    server.close();
    drop(on().unwrap());
}

/// A server that reads its file anew has given its lock back for a moment.
#[tokio::test]
async fn open_while_server_reopens_is_refused() {
    let place = Place::new();
    drop(builder().open(&place.path).unwrap());
    let disk = support::Disk::default();
    let there = disk.clone();
    let store = builder()
        .control_beside(&place.path)
        .open_with(move || there.database())
        .unwrap();
    disk.refuse_opening(true);
    disk.fail(support::Fault::always(
        support::At::Sync,
        std::io::ErrorKind::TimedOut,
    ));
    create(&store, 1, "ann").await.unwrap_err();
    assert!(store.health().reasons.contains(&Reason::Reopening));

    let opened = builder().lock_wait(Duration::ZERO).open(&place.path);
    assert!(
        matches!(opened, Err(OpenError::ServerListens { .. })),
        "{opened:?}"
    );
}

#[tokio::test]
async fn open_with_optional_socket_succeeds_without_one() {
    let place = Place::new();
    fs::write(place.socket(), "theirs").unwrap();
    let optional = || {
        let builder = builder().control_optional(true);
        (builder.clone().control(true), builder)
    };
    let (own, beside) = optional();
    let (store, warned) = warnings_of(|| own.open(&place.path).unwrap());
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("no socket"), "{warned:?}");
    assert_eq!(store.health().reasons, [Reason::ControlMissing]);
    create(&store, 1, "ann").await.unwrap();
    store.close().await;
    let database = Arc::new(redb::Database::open(&place.path).unwrap());
    let store = beside.control_beside(&place.path).on(database).unwrap();
    assert_eq!(store.health().reasons, [Reason::ControlMissing]);
    assert_eq!(fs::read(place.socket()).unwrap(), b"theirs");
    store.close().await;

    fs::remove_file(place.socket()).unwrap();
    let (own, _) = optional();
    let store = own.open(&place.path).unwrap();
    assert_eq!(store.health().status, Status::Ok);
    place.control();
}

#[test]
fn file_in_place_of_the_socket_is_left_and_the_store_does_not_open() {
    let place = Place::new();
    fs::write(place.socket(), "theirs").unwrap();

    let opened = listening().open(&place.path);

    assert!(
        matches!(&opened, Err(OpenError::Control { path, .. }) if *path == place.path),
        "{opened:?}"
    );
    assert_eq!(fs::read(place.socket()).unwrap(), b"theirs");
    // The file is free again.
    builder()
        .lock_wait(Duration::ZERO)
        .open(&place.path)
        .unwrap();
}

#[tokio::test]
async fn database_of_the_application_has_one_store_that_listens() {
    let place = Place::new();
    let database = Arc::new(redb::Database::create(&place.path).unwrap());
    let on = |bucket: &str| {
        let builder = builder().bucket(bucket).control_beside(&place.path);
        builder.on(Arc::clone(&database))
    };
    let store = on("sessions").unwrap();
    create(&store, 1, "ann").await.unwrap();
    assert!(place.control().delete(id(1), None).unwrap());
    assert!(!is_there(&store, 1).await);

    let second = on("b");
    assert!(
        matches!(second, Err(OpenError::Control { .. })),
        "{second:?}"
    );
    assert_eq!(place.control().count().unwrap(), 0);
    store.close().await;
    assert!(!place.socket().exists());
    let _second = on("b").unwrap();
    Control::connect(&place.path, "b").unwrap();
}

#[tokio::test]
async fn what_is_no_answer_is_told_so() {
    let place = Place::new();
    drop(builder().open(&place.path).unwrap());
    let theirs = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let answers: [&[u8]; 6] = [
        b"",
        &[0, 0],
        &[0xff; 4],
        &[0, 0, 0, 9, b'x'],
        b"\0\0\0\x02{}",
        b"\0\0\0\x0c{\"number\":1}",
    ];
    for bytes in answers {
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| Control::connect(&place.path, "sessions"));
            let (mut stream, _) = theirs.accept().unwrap();
            hear(&mut stream);
            stream.write_all(bytes).unwrap();
            drop(stream);
            let asked = asking.join().unwrap();
            assert!(
                matches!(asked, Err(ControlError::Unanswered { .. })),
                "{bytes:?}: {asked:?}"
            );
        });
    }
    drop(theirs);

    // One that takes connections and says nothing.
    let control = {
        let _store = place.store();
        place.control().patience(Duration::from_millis(1))
    };
    let _silent = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
    let asked = control.delete(id(1), None);
    assert!(
        matches!(asked, Err(ControlError::TimedOut { waited }) if waited == Duration::from_millis(1)),
        "{asked:?}"
    );
}

/// Reads a request.
fn hear(stream: &mut UnixStream) -> String {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut request).unwrap();
    String::from_utf8(request).unwrap()
}

fn ask_raw(place: &Place, request: &str) -> String {
    let mut stream = UnixStream::connect(place.socket()).unwrap();
    let length = u32::try_from(request.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer.split_off(4)).unwrap()
}

#[tokio::test]
async fn what_is_no_request_is_told_so_and_harms_nobody() {
    let place = Place::new();
    let store = place.store();
    create(&store, 1, "ann").await.unwrap();
    let long = format!(
        r#"{{"protocol":2,"bucket":"sessions","wish":{{"delete_user":{{"user":"{}","except":[]}}}}}}"#,
        "u".repeat(300)
    );
    let cases = [
        ("nothing", "", "malformed"),
        ("no JSON", "\u{0}\u{ff}", "malformed"),
        ("deep", &"[".repeat(100_000), "malformed"),
        (
            "no wish",
            r#"{"protocol":2,"bucket":"sessions"}"#,
            "malformed",
        ),
        (
            "unknown wish",
            r#"{"protocol":2,"bucket":"sessions","wish":"shutdown"}"#,
            "malformed",
        ),
        (
            "no id",
            r#"{"protocol":2,"bucket":"sessions","wish":{"delete":{"id":"1","owner":null}}}"#,
            "malformed",
        ),
        ("no user key", &long, "malformed"),
        (
            "later protocol",
            r#"{"protocol":3,"wishes":[]}"#,
            r#"{"refused":{"protocol":{"spoken":2}}}"#,
        ),
        (
            "other bucket",
            r#"{"protocol":2,"bucket":"b","wish":"health"}"#,
            r#"{"refused":{"bucket":{"found":"sessions"}}}"#,
        ),
        (
            "relative backup",
            r#"{"protocol":2,"bucket":"sessions","wish":{"backup":{"path":"Yg=="}}}"#,
            r#"{"refused":{"backup""#,
        ),
        (
            "backup to no path",
            r#"{"protocol":2,"bucket":"sessions","wish":{"backup":{"path":"/b"}}}"#,
            "malformed",
        ),
    ];
    for (name, request, expected) in cases {
        let answer = ask_raw(&place, request);
        let is_told = answer.starts_with(r#"{"refused":{"#) && answer.contains(expected);
        assert!(is_told, "{name}: {answer}");
    }
    let other = Control::connect(&place.path, "b");
    assert!(
        matches!(&other, Err(ControlError::OtherBucket { found, .. }) if found == "sessions"),
        "{other:?}"
    );
    let many = vec![id(1); 40_000];
    let long = place.control().delete_user(&user("ann"), &many);
    assert!(matches!(long, Err(ControlError::TooLong)), "{long:?}");
    assert!(is_there(&store, 1).await);
}

#[tokio::test]
async fn backup_is_a_store_as_it_was_at_one_moment() {
    let place = Place::new();
    let store = place.store();
    create_many(&store, 0..1_000, "ann").await;
    let control = place.control();
    let copy = place.directory.path().join("copy.redb");

    let bytes = std::thread::scope(|scope| {
        let making = scope.spawn(|| control.backup(&copy).unwrap());
        // Ends some while it is being made: in the copy are all of them, or none.
        control.delete_user(&user("ann"), &[id(0)]).unwrap();
        making.join().unwrap()
    });

    let made = fs::metadata(&copy).unwrap();
    assert_eq!(made.len(), bytes);
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    let report = verify_file(&copy, "sessions", None).unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(matches!(report.sessions, 1 | 1_000), "{report}");
    let opened = builder().open(&copy).unwrap();
    let (there, copied) = (listed(&store, "ann").await, listed(&opened, "ann").await);
    assert_eq!(there, [id(0)]);
    assert_eq!(copied.len() as u64, report.sessions);
    // Its token still fits.
    let record = opened.fetch(id(0), at(0)).await.unwrap().unwrap();
    assert_eq!(record.secret_hash, SecretHash::from_bytes([7; 32]));
}

fn backup_request(path: &Path) -> String {
    let path = BASE64.encode(path.as_os_str().as_encoded_bytes());
    format!(r#"{{"protocol":2,"bucket":"sessions","wish":{{"backup":{{"path":"{path}"}}}}}}"#)
}

#[test]
fn backup_that_cannot_be_made_leaves_nothing() {
    let place = Place::new();
    let _store = place.store();
    let control = place.control();
    let names = place.names();
    let theirs = place.directory.path().join("theirs");
    fs::write(&theirs, "theirs").unwrap();
    for path in [&theirs, &place.path] {
        let made = control.backup(path);
        assert!(
            matches!(&made, Err(ControlError::BackupExists { path: named, is_seen_here: true })
                if named == path),
            "{made:?}"
        );
    }
    for path in [
        theirs.join("copy.redb"),
        theirs.with_extension("d").join("b"),
    ] {
        let made = control.backup(&path).unwrap_err();
        assert!(matches!(made, ControlError::Backup { .. }), "{made:?}");
        let text = made.to_string();
        let expected = format!("there is no directory for {}", path.display());
        assert!(
            text.contains("server's process") && text.contains(&expected),
            "{text}"
        );
    }
    // Also if the client does not look beforehand.
    let answer = ask_raw(&place, &backup_request(&theirs));
    assert_eq!(answer, r#"{"refused":"backup_exists"}"#);
    assert_eq!(fs::read(&theirs).unwrap(), b"theirs");
    fs::remove_file(theirs).unwrap();
    assert_eq!(place.names(), names);
}

#[test]
fn backup_to_name_without_utf8_succeeds() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let _store = place.store();
    let name = std::ffi::OsStr::from_bytes(b"copy-\xff.redb");
    let copy = place.directory.path().join(name);
    let bytes = place.control().backup(&copy).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().len(), bytes);
    assert!(verify_file(&copy, "sessions", None).unwrap().is_clean());
}

/// The server is in a container, or has a `/tmp` of its own: here, a server that writes nothing.
#[test]
fn backup_not_seen_by_client_is_removed() {
    for (is_removed, answer) in [(true, r#"{"discarded":true}"#), (false, r#"{"number":1}"#)] {
        let place = Place::new();
        let control = {
            let _store = place.store();
            place.control()
        };
        let server = std::os::unix::net::UnixListener::bind(place.socket()).unwrap();
        let copy = place.directory.path().join("copy.redb");
        let made = std::thread::scope(|scope| {
            let asking = scope.spawn(|| control.backup(&copy));
            let made = r#"{"backup":{"bytes":9,"identity":{"device":1,"number":1}}}"#;
            for (expected, answer) in [("backup", made), ("discard_backup", answer)] {
                let (mut stream, _) = server.accept().unwrap();
                let asked = hear(&mut stream);
                let expected = format!(r#""wish":{{"{expected}":"#);
                assert!(asked.contains(&expected), "{asked}");
                let length = u32::try_from(answer.len()).unwrap();
                stream.write_all(&length.to_be_bytes()).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asking.join().unwrap()
        });
        assert!(
            matches!(&made, Err(ControlError::BackupElsewhere { path, is_removed: told })
                if *path == copy && *told == is_removed),
            "{made:?}"
        );
    }
}

#[test]
fn discard_removes_last_backup_only_once() {
    let place = Place::new();
    let _store = place.store();
    let copy = place.directory.path().join("copy.redb");
    let discard = |path: &Path| {
        let request = backup_request(path).replace(r#""backup""#, r#""discard_backup""#);
        ask_raw(&place, &request)
    };
    let (yes, no) = (r#"{"discarded":true}"#, r#"{"discarded":false}"#);

    place.control().backup(&copy).unwrap();
    assert_eq!(discard(&place.path), no);
    assert!(place.path.exists() && copy.exists());
    assert_eq!(discard(&copy), yes);
    assert!(!copy.exists());
    assert_eq!(discard(&copy), no);

    place.control().backup(&copy).unwrap();
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, "theirs").unwrap();
    let other = place.directory.path().join("other");
    fs::rename(&copy, &other).unwrap();
    fs::copy(&other, &copy).unwrap();
    assert_eq!(discard(&copy), no);
    assert_eq!(fs::read(&copy).unwrap(), b"theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_requests_and_waits_for_none() {
    let place = Place::new();
    let store = place.store();
    create_many(&store, 0..2_000, "ann").await;
    let _silent = UnixStream::connect(place.socket()).unwrap();
    let control = place.control();
    let (begun, first) = mpsc::channel();
    let revoking = std::thread::spawn(move || {
        let mut ended = Vec::new();
        for number in 0.. {
            match control.delete(id(number), None) {
                Ok(true) => ended.push(number),
                // Whatever was cut off, what was answered counts.
                Ok(false) | Err(_) => return ended,
            }
            // Nobody listens after the first.
            let _ = begun.send(());
        }
        ended
    });
    first.recv().unwrap();
    store.close().await;
    let ended = revoking.join().unwrap();

    let store = builder().open(&place.path).unwrap();
    for number in ended {
        assert!(!is_there(&store, number).await, "{number}");
    }
}

#[test]
fn errors_do_not_repeat_their_source() {
    use std::error::Error;
    let source = Arc::new(std::io::Error::other("the source"));
    let errors = [
        ControlError::Io {
            path: "a".into(),
            source: Arc::clone(&source),
        },
        ControlError::Unanswered { source },
    ];
    for error in errors {
        assert!(!error.to_string().contains("the source"), "{error}");
        assert_eq!(error.source().unwrap().to_string(), "the source");
    }
    let error = ControlError::Store(StoreError::Closed);
    assert!(!error.to_string().contains("closed"), "{error}");
}

const PATH: &str = "SESSIONUP_TEST_PATH";

/// Waits for the file, serves, and does as it is told by lines.
#[test]
#[ignore = "run by others as a process of its own"]
fn child_serves() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    println!("> waiting");
    let store = listening().open(std::env::var_os(PATH).unwrap()).unwrap();
    println!("> open");
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (verb, number) = line.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        runtime.block_on(async {
            match verb {
                "create" => {
                    create(&store, number, "ann").await.unwrap();
                    println!("> created");
                }
                _ => println!("> {}", is_there(&store, number).await),
            }
        });
    }
}

/// Another process with a store.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it; it may have to wait for the file.
    fn start(path: &Path) -> Self {
        // The mask of this process would hide a mode that is too wide.
        let mut child = Command::new("sh")
            .args(["-c", r#"umask 0; exec "$0" "$@""#])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child_serves", "--include-ignored"])
            .arg("--nocapture")
            .env(PATH, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            input,
            output,
        };
        assert_eq!(server.hear(), "waiting");
        server
    }

    fn open(path: &Path) -> Self {
        let mut server = Self::start(path);
        assert_eq!(server.hear(), "open");
        server
    }

    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some((_, said)) = line.trim_end().split_once("> ") {
                return said.to_owned();
            }
        }
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn ask(&mut self, line: &str) -> String {
        self.tell(line);
        self.hear()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn close(&mut self) {
        self.input = None;
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn revocation_from_outside_is_seen_at_once_and_survives_a_kill() {
    let place = Place::new();
    let mut server = Server::open(&place.path);
    for number in 1..5 {
        assert_eq!(server.ask(&format!("create {number}")), "created");
    }
    let control = place.control();

    assert_eq!(control.count().unwrap(), 4);
    assert!(control.delete(id(1), None).unwrap());
    assert_eq!(server.ask("is 1"), "false");
    assert_eq!(control.delete_user(&user("ann"), &[id(3)]).unwrap(), 2);
    for (number, expected) in [(2, "false"), (3, "true"), (4, "false")] {
        assert_eq!(server.ask(&format!("is {number}")), expected);
    }
    let mode = fs::metadata(place.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.kill();

    // What is left of the socket takes no connections and is no hindrance.
    assert!(place.socket().exists());
    let late = control.count();
    assert!(
        matches!(late, Err(ControlError::NobodyListens { .. })),
        "{late:?}"
    );
    let store = place.store();
    assert_eq!(listed(&store, "ann").await, [id(3)]);
    assert_eq!(control.count().unwrap(), 1);
    store.close().await;
    assert!(!place.socket().exists());
    assert_whole(&redb::Database::open(&place.path).unwrap());
}

/// What was answered is done; of what was not, at most the one request that was under way.
#[tokio::test]
async fn server_killed_while_it_is_asked_has_done_what_it_answered() {
    let place = Place::new();
    for (round, after) in [1, 7, 30].into_iter().enumerate() {
        let numbers = (round as u64 * 100)..(round as u64 * 100 + 100);
        let store = builder().open(&place.path).unwrap();
        create_many(&store, numbers.clone(), "ann").await;
        store.close().await;

        let mut server = Server::open(&place.path);
        let control = place.control();
        let (answered, answers) = mpsc::channel();
        let asked = numbers.clone();
        let revoking = std::thread::spawn(move || {
            for number in asked {
                match control.delete(id(number), None) {
                    Ok(true) => answered.send(number).unwrap(),
                    ended => return ended,
                }
            }
            Ok(true)
        });
        let mut done: Vec<_> = answers.iter().take(after).collect();
        server.kill();
        done.extend(answers);
        let last = revoking.join().unwrap();
        assert!(
            matches!(
                last,
                Ok(true)
                    | Err(ControlError::Busy
                        | ControlError::NobodyListens { .. }
                        | ControlError::Unanswered { .. })
            ),
            "{last:?}"
        );

        let store = builder().open(&place.path).unwrap();
        for number in &done {
            assert!(!is_there(&store, *number).await, "{number}");
        }
        let left = listed(&store, "ann").await.len();
        let (most, least) = (100 - done.len(), 99_usize.saturating_sub(done.len()));
        assert!((least..=most).contains(&left), "{left} of {most}");
        store.delete_user(&user("ann"), &[]).await.unwrap();
        store.close().await;
    }
}

/// The next server is started while the first one serves, and takes over when that ends. All that was
/// answered is there, and the socket is the next one's.
fn rolling_restart(end: fn(&mut Server)) {
    let place = Place::new();
    let mut first = Server::open(&place.path);
    assert_eq!(first.ask("create 1"), "created");
    let mut next = Server::start(&place.path);
    for number in 2..20 {
        assert_eq!(first.ask(&format!("create {number}")), "created");
    }
    let control = place.control();
    assert!(control.delete(id(1), None).unwrap());
    // One more is asked for and its answer not awaited.
    first.tell("create 20");
    end(&mut first);

    assert_eq!(next.hear(), "open");
    assert_eq!(next.ask("is 1"), "false");
    for number in 2..20 {
        assert_eq!(next.ask(&format!("is {number}")), "true", "{number}");
    }
    assert!(control.delete(id(2), None).unwrap());
    assert_eq!(next.ask("is 2"), "false");
    next.close();
    assert!(!place.socket().exists());
}

#[test]
fn next_server_takes_over_from_one_that_closes() {
    rolling_restart(Server::close);
}

#[test]
fn next_server_takes_over_from_one_that_is_killed() {
    rolling_restart(Server::kill);
}
