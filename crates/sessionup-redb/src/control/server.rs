//! Takes connections on the socket, one thread each, and hands requests on.
//!
//! Nobody waits for a client: there is a bound to how many are served at once, a newcomer takes the
//! place of the one that has been silent for longest, and whoever is silent for too long is cut off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::control::protocol::{LONGEST_REQUEST, read_frame, write_frame};
use crate::control::socket::{Bound, Stream};

/// Answers requests.
pub(crate) trait Answers: Send + Sync + 'static {
    fn answer(&self, request: &[u8]) -> Reply;

    /// What is said to those for whom there is no room.
    fn busy(&self) -> Vec<u8>;
}

/// What is said to a request.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    /// What is done if nobody is there to take the answer.
    pub(crate) unheard: Option<Undo>,
}

pub(crate) type Undo = Box<dyn FnOnce() + Send>;

impl From<Vec<u8>> for Reply {
    fn from(bytes: Vec<u8>) -> Self {
        let unheard = None;
        Self { bytes, unheard }
    }
}

/// Most connections at once.
pub(crate) const MOST: usize = 16;
/// How long a request may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the closing store lets those take their answers who have not yet.
const PARTING: Duration = Duration::from_millis(250);

/// A socket that is listened on.
pub(crate) struct Server {
    connections: Arc<Connections>,
    running: Mutex<Option<Running>>,
}

struct Running {
    bound: Bound,
    /// Given up after the name.
    _claim: Claim,
    /// Ends the thread when it is dropped.
    wake: Stream,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens under a name, see [`Bound::listen`].
    pub(crate) fn start(socket: PathBuf, desk: Arc<dyn Answers>) -> io::Result<Self> {
        Self::start_with(socket, desk, PATIENCE)
    }

    fn start_with(socket: PathBuf, desk: Arc<dyn Answers>, patience: Duration) -> io::Result<Self> {
        let claim = Claim::new(&socket)?;
        let (bound, listener) = Bound::listen(socket)?;
        listener.set_nonblocking(true)?;
        let (wake, woken) = Stream::pair()?;
        let connections = Arc::new(Connections::new(patience));
        let taking = Arc::clone(&connections);
        let thread = thread::Builder::new()
            .name("sessionup-control".into())
            .spawn(move || listen(&listener, &woken, &taking, &desk))?;
        Ok(Self {
            connections,
            running: Mutex::new(Some(Running {
                bound,
                _claim: claim,
                wake,
                thread,
            })),
        })
    }

    /// Takes no more connections, and cuts those off that have not said what they want. Requests
    /// that came are still carried out.
    pub(crate) fn stop(&self) {
        let Some(running) = lock(&self.running).take() else {
            return;
        };
        drop(running.bound);
        drop(running.wake);
        // It waits for nobody but us.
        drop(running.thread.join());
        self.connections.close();
    }

    /// Waits for the last answers, which the store has given by now, and ends all threads.
    pub(crate) fn finish(&self) {
        self.connections.end(PARTING);
    }
}

/// The only socket of this process under a name. Other processes do not have the database open.
struct Claim(PathBuf);

static CLAIMS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl Claim {
    fn new(socket: &Path) -> io::Result<Self> {
        if lock(&CLAIMS).insert(socket.to_owned()) {
            Ok(Self(socket.to_owned()))
        } else {
            Err(io::Error::new(
                ErrorKind::ResourceBusy,
                "another store of this process listens there",
            ))
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&CLAIMS).remove(&self.0);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

fn listen(
    listener: &UnixListener,
    woken: &Stream,
    connections: &Arc<Connections>,
    desk: &Arc<dyn Answers>,
) {
    while !is_over(Some(listener), woken) {
        match listener.accept() {
            Ok((stream, _)) => connections.take(stream, desk),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                tracing::warn!(target: "sessionup_redb", %error, "control socket takes no connection");
                if is_over(None, woken) {
                    return;
                }
            }
        }
    }
}

/// Waits for a connection, or for a moment if none can be taken. Says whether to end.
fn is_over(listener: Option<&UnixListener>, woken: &Stream) -> bool {
    const MOMENT: Timespec = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let end = || PollFd::from_borrowed_fd(woken.as_fd(), PollFlags::IN);
    let polled = match listener {
        Some(listener) => {
            let next = PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN);
            let mut both = [end(), next];
            poll(&mut both, None).map(|_| !both[0].revents().is_empty())
        }
        None => {
            let mut one = [end()];
            poll(&mut one, Some(&MOMENT)).map(|_| !one[0].revents().is_empty())
        }
    };
    match polled {
        Ok(is_over) => is_over,
        Err(rustix::io::Errno::INTR) => false,
        Err(error) => {
            tracing::error!(target: "sessionup_redb", %error, "control socket is given up");
            true
        }
    }
}

/// The connections that there are.
#[derive(Debug)]
struct Connections {
    patience: Duration,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    next: u64,
    /// By the order in which they came.
    open: BTreeMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    stream: Stream,
    /// Whether its request has not yet come.
    is_silent: bool,
}

impl State {
    /// Makes room for one more; says whether there is some.
    fn make_room(&mut self) -> bool {
        if self.open.len() < MOST {
            return true;
        }
        let silent = self.open.iter().find(|(_, open)| open.is_silent);
        let Some(number) = silent.map(|(number, _)| *number) else {
            return false;
        };
        if let Some(open) = self.open.remove(&number) {
            hang_up(&open.stream);
        }
        true
    }
}

impl Connections {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            state: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    fn take(self: &Arc<Self>, stream: Stream, desk: &Arc<dyn Answers>) {
        match self.admit(&stream) {
            Ok(Some(number)) => {
                let place = Place {
                    connections: Arc::clone(self),
                    number,
                };
                let desk = Arc::clone(desk);
                let thread = thread::Builder::new().name("sessionup-control".into());
                let spawned = thread.spawn(move || place.serve(&stream, &*desk));
                if let Err(error) = spawned {
                    tracing::warn!(target: "sessionup_redb", %error, "no thread for a control request");
                }
            }
            Ok(None) => {
                let refused = stream
                    .set_nonblocking(true)
                    .and_then(|()| write_frame(&stream, &desk.busy(), None));
                // It may be gone.
                drop(refused);
            }
            Err(error) => {
                tracing::warn!(target: "sessionup_redb", %error, "control request is not taken");
            }
        }
    }

    fn admit(&self, stream: &Stream) -> io::Result<Option<u64>> {
        // Some systems hand the listener's mode on.
        stream.set_nonblocking(false)?;
        let copy = stream.try_clone()?;
        let mut state = self.state();
        if state.is_closed || !state.make_room() {
            return Ok(None);
        }
        state.next += 1;
        let number = state.next;
        let open = Open {
            stream: copy,
            is_silent: true,
        };
        state.open.insert(number, open);
        Ok(Some(number))
    }

    fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        for open in state.open.values().filter(|open| open.is_silent) {
            hang_up(&open.stream);
        }
    }

    fn end(&self, parting: Duration) {
        let is_busy = |state: &mut State| !state.open.is_empty();
        let waited = self
            .ended
            .wait_timeout_while(self.state(), parting, is_busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for open in state.open.values() {
            hang_up(&open.stream);
        }
        drop(self.ended.wait_while(state, is_busy));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Ends whatever waits for the stream, which may have ended already.
fn hang_up(stream: &Stream) {
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// The place of a connection, given back at the end of its thread.
struct Place {
    connections: Arc<Connections>,
    number: u64,
}

impl Place {
    fn serve(&self, stream: &Stream, desk: &dyn Answers) {
        if let Err(error) = self.converse(stream, desk) {
            tracing::debug!(target: "sessionup_redb", %error, "control request ended early");
        }
    }

    fn converse(&self, stream: &Stream, desk: &dyn Answers) -> io::Result<()> {
        let patience = || Instant::now().checked_add(self.connections.patience);
        let request = read_frame(stream, LONGEST_REQUEST, patience())?;
        if !self.begins() {
            return Ok(());
        }
        let Reply { bytes, unheard } = desk.answer(&request);
        let written = write_frame(stream, &bytes, patience());
        if let Some(undo) = unheard.filter(|_| written.is_err()) {
            undo();
        }
        written
    }

    /// Says whether the request is to be carried out: whoever was cut off learns of nothing.
    fn begins(&self) -> bool {
        let mut state = self.connections.state();
        let is_closed = state.is_closed;
        let open = state.open.get_mut(&self.number);
        let Some(open) = open.filter(|_| !is_closed) else {
            return false;
        };
        open.is_silent = false;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.state().open.remove(&self.number);
        self.connections.ended.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
