//! Clients that are silent, slow, many or hostile. Where nobody is to wait, patience has no end: what
//! waits nevertheless never returns.

use std::io::{Read, Write};
use std::sync::mpsc;

use super::*;
use crate::control::protocol::LONGEST_ANSWER;
use crate::control::socket;

const ENDLESS: Duration = Duration::MAX;
/// What a test waits for a server at most, so that one that hangs fails by name.
const LIMIT: Duration = Duration::from_secs(120);

/// Answers with what it was asked, when it is let to.
#[derive(Default)]
struct Echo {
    begun: Mutex<Option<mpsc::Sender<()>>>,
    gate: Mutex<bool>,
    moved: Condvar,
    undo: Mutex<Option<Undo>>,
}

impl Echo {
    /// Waits with answers from now on, and tells of each that is waiting.
    fn shut(&self) -> mpsc::Receiver<()> {
        let (begun, told) = mpsc::channel();
        *lock(&self.gate) = true;
        *lock(&self.begun) = Some(begun);
        told
    }

    fn open(&self) {
        *lock(&self.gate) = false;
        self.moved.notify_all();
    }
}

impl Answers for Echo {
    fn answer(&self, request: &[u8]) -> Reply {
        if let Some(begun) = &*lock(&self.begun) {
            begun.send(()).unwrap();
        }
        let waited = self.moved.wait_while(lock(&self.gate), |shut| *shut);
        drop(waited.unwrap());
        match request {
            b"much" => vec![b'm'; LONGEST_ANSWER].into(),
            b"undo" => Reply {
                bytes: request.to_vec(),
                unheard: lock(&self.undo).take(),
            },
            b"panic" => std::panic::resume_unwind(Box::new("ordered")),
            _ => request.to_vec().into(),
        }
    }

    fn busy(&self) -> Vec<u8> {
        b"busy".to_vec()
    }
}

struct Stage {
    directory: tempfile::TempDir,
    desk: Arc<Echo>,
    server: Server,
}

impl Stage {
    fn new(patience: Duration) -> Self {
        crate::limit::watch();
        let directory = tempfile::tempdir().unwrap();
        let desk = Arc::<Echo>::default();
        let path = directory.path().join("s");
        let server = Server::start_with(path, Arc::clone(&desk) as _, patience).unwrap();
        Self {
            directory,
            desk,
            server,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn connect(&self) -> Stream {
        let stream = socket::connect(&self.path(), LIMIT).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    fn asked(&self, request: &[u8]) -> Stream {
        let stream = self.connect();
        write_frame(&stream, request, None).unwrap();
        stream
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        answer(&self.asked(request)).unwrap()
    }

    fn close(&self) {
        self.server.stop();
        self.server.finish();
    }
}

fn answer(stream: &Stream) -> io::Result<Vec<u8>> {
    read_frame(stream, LONGEST_ANSWER, Some(Instant::now() + LIMIT))
}

/// Waits until the other side has hung up; `false` if it has not within the limit.
fn is_cut_off(mut stream: &Stream) -> bool {
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let read = stream.read(&mut [0]);
    matches!(read, Ok(0)) || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn request_is_answered_and_the_connection_ended() {
    let stage = Stage::new(ENDLESS);
    let stream = stage.asked(b"this");
    assert_eq!(answer(&stream).unwrap(), b"this");
    assert!(is_cut_off(&stream));
    assert_eq!(stage.ask(b""), b"");
    stage.close();
    stage.close();
    assert!(!stage.path().exists());
    let late = socket::connect(&stage.path(), LIMIT).map(drop);
    assert_eq!(late.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_is_no_frame_is_cut_off() {
    let stage = Stage::new(ENDLESS);
    let too_long = u32::try_from(LONGEST_REQUEST + 1).unwrap().to_be_bytes();
    for bytes in [&too_long[..], &[0xff; 4], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = stage.connect();
        stream.write_all(bytes).unwrap();
        assert!(is_cut_off(&stream), "{bytes:?}");
    }
    // Whoever goes away in mid-word is forgotten.
    for bytes in [&b""[..], &[0, 0], &[0, 0, 0, 9, b'x']] {
        stage.connect().write_all(bytes).unwrap();
    }
    assert_eq!(stage.ask(b"this"), b"this");
    stage.close();
}

#[test]
fn longest_request_is_taken() {
    let stage = Stage::new(ENDLESS);
    let request = vec![b'r'; LONGEST_REQUEST];
    assert_eq!(stage.ask(&request), request);
    stage.close();
}

#[test]
fn newcomers_take_the_place_of_silent_ones() {
    let stage = Stage::new(ENDLESS);
    let silent: Vec<_> = (0..3 * MOST).map(|_| stage.connect()).collect();
    assert_eq!(stage.ask(b"this"), b"this");
    for stream in silent.iter().take(2 * MOST) {
        assert!(is_cut_off(stream));
    }
    stage.close();
}

#[test]
fn silent_and_half_said_requests_are_cut_off_in_time() {
    let stage = Stage::new(Duration::from_millis(1));
    for bytes in [&b""[..], &[0], &[0, 0, 0, 9, b'x']] {
        let mut stream = stage.connect();
        // It may be cut off already.
        drop(stream.write_all(bytes));
        assert!(is_cut_off(&stream), "{bytes:?}");
    }
    stage.close();
}

#[test]
fn those_at_work_keep_their_place_and_others_are_told() {
    let stage = Stage::new(ENDLESS);
    let begun = stage.desk.shut();
    let working: Vec<_> = (0..MOST).map(|_| stage.asked(b"this")).collect();
    for _ in &working {
        begun.recv_timeout(LIMIT).unwrap();
    }
    assert_eq!(answer(&stage.connect()).unwrap(), b"busy");
    stage.desk.open();
    for stream in &working {
        assert_eq!(answer(stream).unwrap(), b"this");
    }
    stage.close();
}

#[test]
fn closing_waits_for_nobody_who_is_silent_or_takes_no_answer() {
    let stage = Stage::new(ENDLESS);
    let silent = stage.connect();
    let mut half = stage.connect();
    half.write_all(&[0, 0, 0, 9, b'x']).unwrap();
    let begun = stage.desk.shut();
    let idle = stage.asked(b"much");
    begun.recv_timeout(LIMIT).unwrap();
    stage.desk.open();
    stage.close();
    assert!(is_cut_off(&silent) && is_cut_off(&half));
    answer(&idle).unwrap_err();
}

#[test]
fn request_that_came_before_the_end_is_answered() {
    let stage = Stage::new(ENDLESS);
    let begun = stage.desk.shut();
    let stream = stage.asked(b"this");
    begun.recv_timeout(LIMIT).unwrap();
    stage.server.stop();
    stage.desk.open();
    assert_eq!(answer(&stream).unwrap(), b"this");
    stage.server.finish();
}

#[test]
fn reply_without_reader_is_undone() {
    for leaves in [true, false] {
        let stage = Stage::new(ENDLESS);
        let (undone, told) = mpsc::channel();
        *lock(&stage.desk.undo) = Some(Box::new(move || undone.send(()).unwrap()));
        let begun = stage.desk.shut();
        let stream = stage.asked(b"undo");
        begun.recv_timeout(LIMIT).unwrap();
        if leaves {
            drop(stream);
            stage.desk.open();
            told.recv_timeout(LIMIT).unwrap();
        } else {
            stage.desk.open();
            assert_eq!(answer(&stream).unwrap(), b"undo");
            // Dropped without being called.
            told.recv_timeout(LIMIT).unwrap_err();
        }
        stage.close();
    }
}

#[test]
fn panic_costs_one_answer() {
    let stage = Stage::new(ENDLESS);
    assert!(is_cut_off(&stage.asked(b"panic")));
    assert_eq!(stage.ask(b"this"), b"this");
    stage.close();
}

mod places {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        let name = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn next_one_takes_the_name_and_the_former_leaves_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (former, listener) = Bound::listen(path.clone()).unwrap();
        drop(listener);
        let (next, _listening) = Bound::listen(path.clone()).unwrap();
        drop(former);
        socket::connect(&path, LIMIT).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(next);
        assert_eq!(names(directory.path()), [""; 0]);
    }

    #[test]
    fn listen_at_used_socket_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let (_bound, listener) = Bound::listen(path.clone()).unwrap();
        let second = Bound::listen(path.clone()).map(drop);
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);

        drop(listener);
        assert!(!socket::listens(&path));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn listens_is_true_while_queue_is_full() {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let mut waiting = Vec::new();
        let refused = loop {
            match socket::connect(&path, Duration::ZERO) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::WouldBlock, "{}", waiting.len());
        assert!(socket::listens(&path));
    }

    #[test]
    fn what_a_killed_process_left_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        // Killed while it made its socket.
        std::fs::create_dir(directory.path().join("s.new")).unwrap();
        drop(UnixListener::bind(directory.path().join("s.new/s")).unwrap());

        let (_bound, _listener) = Bound::listen(path.clone()).unwrap();

        socket::connect(&path, LIMIT).unwrap();
        assert_eq!(names(directory.path()), ["s"]);
    }

    #[test]
    fn listen_beside_foreign_directory_leaves_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let theirs = directory.path().join("s.new");
        std::fs::create_dir(&theirs).unwrap();
        std::fs::write(theirs.join("notes"), "theirs").unwrap();
        let listening = Bound::listen(path.clone()).map(drop);
        assert_eq!(listening.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(names(&theirs), ["notes"]);
    }

    #[test]
    fn what_is_no_socket_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        std::fs::write(&path, "theirs").unwrap();
        let listening = Bound::listen(path.clone()).map(drop);
        assert_eq!(listening.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(directory.path()), ["s"]);
    }

    /// Socket names are bounded by some hundred bytes, paths are not.
    #[cfg(target_os = "linux")]
    #[test]
    fn long_path_is_no_hindrance() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(200));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("s");
        let (_bound, _listener) = Bound::listen(path.clone()).unwrap();
        socket::connect(&path, LIMIT).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
