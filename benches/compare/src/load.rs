//! A load over HTTP/1.1: as many requests as a server on this machine answers.
//!
//! It shares the processors with the server that is measured, so it does as little as it can: one
//! thread, one write and one read for each request, requests that are written out beforehand, and
//! nothing of an answer is looked at but its status and where it ends.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use subject::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What a load came to, without its warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// How many requests were answered with 200.
    pub(crate) requests: u64,
    /// As many of them a second.
    pub(crate) per_second: f64,
    /// What half of them waited at most, in microseconds.
    pub(crate) p50_us: f64,
    /// What 99 of 100 waited at most, in microseconds.
    pub(crate) p99_us: f64,
    /// How many were answered with anything else, or not at all since the server closed the connection.
    pub(crate) failures: u64,
}

/// Asks for `/` at a port of the loopback interface, over so many connections at once for so long,
/// after a tenth of that time that does not count.
///
/// The connections take the values of their `Cookie` fields in turn. Each has one request under way
/// at a time, and is made anew if the server closes it. Blocks the thread, which must not be one of
/// a runtime's.
///
/// # Errors
///
/// If nobody listens, if what is answered is no HTTP/1.1 with a length, or if there is no answer for
/// half a minute.
pub(crate) fn run(
    port: u16,
    cookies: &[String],
    connections: usize,
    time: Duration,
) -> Result<Load, Error> {
    let begin = Instant::now() + time / 10;
    let end = begin + time;
    let stage = move |now: Instant| match now {
        now if now < begin => Stage::WarmUp,
        now if now < end => Stage::Counted,
        _ => Stage::Over,
    };
    let patience = time / 10 + time + Duration::from_secs(30);
    drive(port, cookies, connections, patience, stage)
}

/// What becomes of a request that is sent at a moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    WarmUp,
    Counted,
    Over,
}

fn drive(
    port: u16,
    cookies: &[String],
    connections: usize,
    patience: Duration,
    stage: impl Fn(Instant) -> Stage + Send + Sync + 'static,
) -> Result<Load, Error> {
    let requests: Vec<Arc<[u8]>> = cookies.iter().map(|cookie| request(cookie)).collect();
    let course = Arc::new(Course {
        port,
        stage,
        tally: Mutex::new(Tally::new()?),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let all = async {
        let mut clients = JoinSet::new();
        for request in requests.iter().cycle().take(connections) {
            clients.spawn(Arc::clone(&course).client(Arc::clone(request)));
        }
        while let Some(client) = clients.join_next().await {
            client??;
        }
        Ok::<(), Error>(())
    };
    let all = async { tokio::time::timeout(patience, all).await };
    runtime
        .block_on(all)
        .map_err(|_| "the server does not answer")??;
    Ok(course.tally().load())
}

/// A request as Firefox sends it.
fn request(cookie: &str) -> Arc<[u8]> {
    let request = format!(
        "GET / HTTP/1.1\r\n\
        Host: localhost\r\n\
        User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n\
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
        Accept-Language: en-US,en;q=0.5\r\n\
        Accept-Encoding: gzip, deflate, br, zstd\r\n\
        Connection: keep-alive\r\n\
        Cookie: {cookie}\r\n\r\n"
    );
    request.into_bytes().into()
}

/// What all connections have together.
struct Course<S> {
    port: u16,
    stage: S,
    tally: Mutex<Tally>,
}

impl<S: Fn(Instant) -> Stage + Send + Sync> Course<S> {
    /// Asks over one connection, and over another one when that is closed, until it is over.
    async fn client(self: Arc<Self>, request: Arc<[u8]>) -> Result<(), Error> {
        let mut connection = Connection::open(self.port).await?;
        loop {
            let sent = Instant::now();
            let stage = (self.stage)(sent);
            if stage == Stage::Over {
                return Ok(());
            }
            let answer = connection.ask(&request).await?;
            if stage == Stage::Counted {
                let is_ok = answer.is_some_and(|answer| answer.is_ok);
                self.tally().count(is_ok, sent, Instant::now());
            }
            if answer.is_none_or(|answer| answer.is_last) {
                connection = Connection::open(self.port).await?;
            }
        }
    }
}

impl<S> Course<S> {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

/// What is looked at of an answer.
#[derive(Clone, Copy)]
struct Answer {
    is_ok: bool,
    /// Whether the server closes the connection after it.
    is_last: bool,
}

/// Most bytes of an answer's head.
const MAX_HEAD: usize = 16 * 1024;

impl Connection {
    async fn open(port: u16) -> Result<Self, Error> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; MAX_HEAD].into();
        Ok(Self { stream, buffer })
    }

    /// Sends a request and reads its answer; `None` if the server closes the connection before the
    /// end of it.
    async fn ask(&mut self, request: &[u8]) -> Result<Option<Answer>, Error> {
        if !is_open(self.stream.write_all(request).await)? {
            return Ok(None);
        }
        let mut filled = 0;
        let (head, answer) = loop {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            if room.is_empty() {
                return Err("the head of an answer is too long".into());
            }
            let Some(more) = read(&mut self.stream, room).await? else {
                return Ok(None);
            };
            filled += more;
            let bytes = self.buffer.get(..filled).unwrap_or_default();
            if let Some(head) = Head::parse(bytes)? {
                break (head, bytes.len());
            }
        };
        let mut left = (head.bytes + head.body)
            .checked_sub(answer)
            .ok_or("more is answered than was asked for")?;
        while left > 0 {
            let most = left.min(self.buffer.len());
            let room = self.buffer.get_mut(..most).unwrap_or_default();
            let Some(more) = read(&mut self.stream, room).await? else {
                return Ok(None);
            };
            left -= more;
        }
        Ok(Some(head.answer))
    }
}

/// Reads what is there; `None` at the end.
async fn read(stream: &mut TcpStream, room: &mut [u8]) -> Result<Option<usize>, Error> {
    match stream.read(room).await {
        Ok(0) => Ok(None),
        Ok(more) => Ok(Some(more)),
        Err(error) => is_open(Err(error)).map(|_| None),
    }
}

/// Says whether a connection is still open, by what became of an attempt to use it.
fn is_open(used: std::io::Result<()>) -> Result<bool, Error> {
    match used {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {
                Ok(false)
            }
            _ => Err(error.into()),
        },
    }
}

struct Head {
    bytes: usize,
    body: usize,
    answer: Answer,
}

impl Head {
    /// Reads the head of an answer; `None` if it is not there completely.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) = head.parse(bytes)? else {
            return Ok(None);
        };
        let (mut body, mut is_last) = (None, head.version != Some(1));
        for field in &*head.headers {
            if field.name.eq_ignore_ascii_case("content-length") {
                body = Some(std::str::from_utf8(field.value)?.trim().parse::<u32>()?);
            }
            if field.name.eq_ignore_ascii_case("connection") {
                is_last |= field.value.eq_ignore_ascii_case(b"close");
            }
        }
        let body = body.ok_or("an answer does not say how long it is")?;
        let is_ok = head.code == Some(200);
        Ok(Some(Self {
            bytes: length,
            body: usize::try_from(body)?,
            answer: Answer { is_ok, is_last },
        }))
    }
}

/// What was counted so far.
struct Tally {
    nanoseconds: Histogram<u64>,
    failures: u64,
    /// When the first request was sent, and when the last one was answered.
    span: Option<(Instant, Instant)>,
}

impl Tally {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            // Up to an hour, each to a tenth of a per cent.
            nanoseconds: Histogram::new_with_max(3_600_000_000_000, 3)?,
            failures: 0,
            span: None,
        })
    }

    fn count(&mut self, is_ok: bool, sent: Instant, answered: Instant) {
        let (first, _) = self.span.unwrap_or((sent, answered));
        self.span = Some((first.min(sent), answered));
        if is_ok {
            let waited = answered.saturating_duration_since(sent).as_nanos();
            self.nanoseconds
                .saturating_record(u64::try_from(waited).unwrap_or(u64::MAX));
        } else {
            self.failures += 1;
        }
    }

    fn load(&self) -> Load {
        let requests = self.nanoseconds.len();
        let took = self.span.map_or(0.0, |(first, last)| {
            last.saturating_duration_since(first).as_secs_f64()
        });
        let waited = |quantile| self.nanoseconds.value_at_quantile(quantile) as f64 / 1e3;
        Load {
            requests,
            per_second: if took > 0.0 {
                requests as f64 / took
            } else {
                0.0
            },
            p50_us: waited(0.5),
            p99_us: waited(0.99),
            failures: self.failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const OK: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 6\r\n\r\nHello!";
    const LAST: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const UNAUTHORIZED: &[u8] = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}";
    const LONG: Duration = Duration::from_secs(600);

    /// What a server does with a request.
    #[derive(Clone)]
    enum Deed {
        /// Sends these pieces, each when the one before it has gone.
        Send(Vec<Vec<u8>>),
        /// Sends this and closes the connection.
        Close(&'static [u8]),
        /// Nothing at all.
        Hang,
    }

    fn pieces(answer: &[u8], size: usize) -> Deed {
        Deed::Send(answer.chunks(size).map(<[u8]>::to_vec).collect())
    }

    /// Answers each request by a deed, which is given its number and its text. Ends with the tests.
    fn server(deed: impl Fn(usize, &str) -> Deed + Send + Sync + Clone + 'static) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (deed, asked) = (deed.clone(), Arc::clone(&asked));
                thread::spawn(move || serve(stream.unwrap(), &asked, deed));
            }
        });
        port
    }

    fn serve(mut stream: TcpStream, asked: &AtomicUsize, deed: impl Fn(usize, &str) -> Deed) {
        stream.set_nodelay(true).unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while let Ok(1) = stream.read(&mut byte) {
            request.push(byte[0]);
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let text = String::from_utf8(std::mem::take(&mut request)).unwrap();
            match deed(asked.fetch_add(1, Ordering::SeqCst), &text) {
                Deed::Send(pieces) => {
                    let mut sent = pieces.iter().map(|piece| stream.write_all(piece));
                    if sent.any(|sent| sent.is_err()) {
                        return;
                    }
                }
                Deed::Close(answer) => {
                    let _ = stream.write_all(answer);
                    return;
                }
                Deed::Hang => {}
            }
        }
    }

    /// A load of so many requests, ten of which are warm-up.
    fn load(port: u16, connections: usize, count: usize) -> Result<Load, Error> {
        let asked = AtomicUsize::new(0);
        let stage = move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0..10 => Stage::WarmUp,
            nth if nth < count => Stage::Counted,
            _ => Stage::Over,
        };
        let cookies = ["id=one".to_owned(), "id=two".to_owned()];
        drive(port, &cookies, connections, LONG, stage)
    }

    #[test]
    fn all_but_the_warm_up_is_counted() {
        let load = load(server(|_, _| pieces(OK, 1_000)), 4, 210).unwrap();
        assert_eq!((load.requests, load.failures), (200, 0));
        assert!(load.p50_us > 0.0 && load.p50_us <= load.p99_us, "{load:?}");
        assert!(load.per_second > 0.0, "{load:?}");
    }

    #[test]
    fn time_ends_it() {
        let port = server(|_, _| pieces(OK, 1_000));
        let load = run(port, &["id=one".to_owned()], 2, Duration::from_millis(20)).unwrap();
        assert_eq!(load.failures, 0);
    }

    #[test]
    fn requests_are_those_of_a_browser_with_the_cookies_in_turn() {
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let both = Arc::new(Barrier::new(2));
        let deed = {
            let seen = Arc::clone(&seen);
            move |nth, request: &str| {
                seen.lock().unwrap().insert(request.to_owned());
                if nth < 2 {
                    both.wait();
                }
                pieces(OK, 1_000)
            }
        };
        load(server(deed), 2, 30).unwrap();
        let seen = seen.lock().unwrap();
        let has = |line: &str| {
            seen.iter()
                .all(|request| request.split("\r\n").any(|it| it == line))
        };
        assert!(has("GET / HTTP/1.1") && has("Host: localhost"), "{seen:?}");
        assert!(seen.iter().all(|request| request.contains("Firefox/")));
        let mut cookies: Vec<&str> = seen
            .iter()
            .filter_map(|it| it.split("Cookie: ").nth(1))
            .collect();
        cookies.sort_unstable();
        assert_eq!(cookies, ["id=one\r\n\r\n", "id=two\r\n\r\n"]);
    }

    #[test]
    fn answers_come_in_pieces() {
        let long = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n",
            &[b'x'; 50_000][..],
        ]
        .concat();
        for size in [1, 7, 40, 80] {
            let load = load(server(move |_, _| pieces(OK, size)), 2, 30).unwrap();
            assert_eq!((load.requests, load.failures), (20, 0), "{size}");
        }
        let load = load(server(move |_, _| pieces(&long, 9_999)), 2, 30).unwrap();
        assert_eq!((load.requests, load.failures), (20, 0));
    }

    #[test]
    fn anything_but_200_is_a_failure() {
        let load = load(server(|_, _| pieces(UNAUTHORIZED, 1_000)), 2, 30).unwrap();
        assert_eq!((load.requests, load.failures), (0, 20));
        assert_eq!((load.per_second, load.p99_us), (0.0, 0.0));
    }

    #[test]
    fn closed_connections_are_made_anew() {
        let cases: [(&str, &[u8], u64); 5] = [
            ("said so", LAST, 20),
            ("old", b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", 20),
            ("no answer", b"", 0),
            ("half a head", b"HTTP/1.1 200 O", 0),
            (
                "half a body",
                b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nHel",
                0,
            ),
        ];
        for (name, answer, requests) in cases {
            let load = load(server(move |_, _| Deed::Close(answer)), 2, 30).unwrap();
            assert_eq!(
                (load.requests, load.failures),
                (requests, 20 - requests),
                "{name}"
            );
        }
        let every_third = |nth, _: &str| match nth % 3 {
            0 => Deed::Close(b""),
            _ => pieces(OK, 1_000),
        };
        let load = load(server(every_third), 1, 310).unwrap();
        assert_eq!((load.requests, load.failures), (200, 100));
    }

    #[test]
    fn what_is_no_such_answer_ends_it() {
        let endless = |start: &'static [u8]| [start, &[b'x'; MAX_HEAD + 1][..]].concat();
        let cases: [(&str, Vec<u8>); 7] = [
            ("garbage", b"\x16\x03\x01\x00\xff\xfe\r\n\r\n".to_vec()),
            ("endless garbage", endless(b"")),
            ("endless head", endless(b"HTTP/1.1 200 OK\r\nfield: ")),
            ("no length", b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
            (
                "no number",
                b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_vec(),
            ),
            (
                "beyond all length",
                b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n".to_vec(),
            ),
            ("more", [OK, OK].concat()),
        ];
        for (name, answer) in cases {
            let deed = move |_, _: &str| pieces(&answer, usize::MAX);
            assert!(load(server(deed), 1, 30).is_err(), "{name}");
        }
    }

    #[test]
    fn nobody_who_listens_and_nobody_who_answers_is_an_error() {
        // The port is taken, but nobody listens.
        let taken = tokio::net::TcpSocket::new_v4().unwrap();
        taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let port = taken.local_addr().unwrap().port();
        load(port, 1, 30).unwrap_err();

        let port = server(|_, _| Deed::Hang);
        let stage = |_| Stage::Counted;
        let error = drive(
            port,
            &["id=one".to_owned()],
            1,
            Duration::from_millis(10),
            stage,
        );
        assert_eq!(error.unwrap_err().to_string(), "the server does not answer");
    }
}
