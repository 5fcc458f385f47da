//! That the disk has it before the client is told: the system calls of a server, in their order.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::process::place::{self, cannot, program};
use crate::process::server::{Client, Server};
use crate::process::strace;

/// Traces a server.
#[derive(Clone, Copy, Debug)]
pub struct SyncTrace;

/// How many syncs make a commit durable: the pages, then their root.
const SYNCS: usize = 2;
const CALLS: &str = "fdatasync,fsync,?link,linkat,recvfrom,read,sendto,write,writev";
/// Where the server is asked when nobody logs in or out any more.
const MARK: &str = "/mark";

impl Part for SyncTrace {
    fn name(&self) -> &'static str {
        "sync-trace"
    }

    fn about(&self) -> &'static str {
        "every reply of a server to a login or logout comes after the syncs of it, by strace"
    }

    fn unit(&self) -> &'static str {
        "replies"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 50,
            long: 100_000,
        }
    }

    fn missing(&self) -> Option<String> {
        strace::missing()
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let directory = place::directory(rng)?;
        let files = directory.path().join("files");
        std::fs::create_dir(&files).map_err(|error| cannot("make a directory", &error))?;
        let files = files
            .canonicalize()
            .map_err(|error| cannot("find it", &error))?;
        let trace = directory.path().join("trace");
        let clients = rng.choice([1, 4, 12]).unwrap_or(4);
        let rounds = rng.u64(10..200);
        load(&trace, &files.join("sessions.redb"), clients, rounds)?;
        let trace = std::fs::read_to_string(trace).map_err(|error| cannot("read it", &error))?;
        let seen = Seen::of(&trace, &files)?;
        tally.add("replies", seen.changes);
        tally.add("replies to reads", seen.reads);
        tally.add("syncs", seen.syncs.len() as u64);
        if clients > 1 {
            tally.add("replies under load", seen.changes);
            tally.add("syncs under load", seen.syncs.len() as u64);
        }
        // And those of the one who looks.
        let expected = clients * rounds * 2 + 2;
        ensure(seen.changes == expected, || {
            format!("{} replies in the trace of {expected}", seen.changes)
        })
    }
}

/// Has clients log in and out, then look.
fn load(trace: &Path, db: &Path, clients: u64, rounds: u64) -> Result<(), Violation> {
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-qq",
        "-y",
        "-s",
        "48",
        "-e",
        &format!("trace={CALLS}"),
        "-o",
    ]);
    command.arg(trace).arg(program()?);
    command.args(["child", "serve", "--db"]).arg(db);
    let mut server = Server::start(&mut command)?;
    let failed = |error: ureq::Error| Violation(format!("a server does not answer: {error}"));
    std::thread::scope(|scope| {
        let address = &server.address;
        let clients = (0..clients).map(|number| {
            scope.spawn(move || -> Result<(), Violation> {
                let client = Client::new(address);
                for _ in 0..rounds {
                    let login = client.post(&format!("/login?user=user{number}"), None, "");
                    let token = login.map_err(failed)?.token;
                    client
                        .post("/logout", token.as_deref(), "")
                        .map_err(failed)?;
                }
                Ok(())
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().try_for_each(|client| {
            let ended = client.join();
            ended.unwrap_or_else(|_| Err(Violation::new("a client panicked")))
        })
    })?;
    let client = Client::new(&server.address);
    let token = client
        .post("/login?user=ann", None, "")
        .map_err(failed)?
        .token;
    client.get(MARK, None).map_err(failed)?;
    for _ in 0..20 {
        client.get("/me", token.as_deref()).map_err(failed)?;
        client.get("/me", None).map_err(failed)?;
    }
    client.get(MARK, None).map_err(failed)?;
    client
        .post("/logout", token.as_deref(), "")
        .map_err(failed)?;
    client.post("/stop", None, "").map_err(failed)?;
    server.wait()
}

/// What a trace tells. Moments are numbers of lines.
#[derive(Debug, Default)]
struct Seen {
    /// Where the file of the sessions is made.
    directory: String,
    /// Replies to logins and logouts.
    changes: u64,
    /// Other replies.
    reads: u64,
    /// Beginning and end of each sync.
    syncs: Vec<(usize, usize)>,
    /// What each connection was last asked for, and when it had been read.
    asked: HashMap<u64, (String, usize)>,
    /// When the name of the file was made.
    linked: Option<usize>,
    /// Whether its directory was synced since.
    is_named: bool,
    marks: Vec<usize>,
}

impl Seen {
    /// Reads a trace, and holds each reply against what came before it.
    fn of(trace: &str, directory: &Path) -> Result<Self, Violation> {
        let mut seen = Self {
            directory: directory.to_string_lossy().into_owned(),
            ..Self::default()
        };
        let mut begun = HashMap::new();
        for (moment, line) in trace.lines().enumerate() {
            let Some((thread, line)) = line.split_once(' ') else {
                continue;
            };
            let line = line.trim_start();
            if let Some(resumed) = line.strip_prefix("<... ") {
                let Some(call) = begun.remove(thread) else {
                    return Err(Violation(format!("nothing to resume: {line}")));
                };
                let text = resumed.split_once(" resumed>").map_or("", |(_, text)| text);
                seen.ended(&call, text, moment);
            } else if let Some(call) = Call::of(line, moment) {
                seen.began(&call, line)?;
                if line.ends_with("<unfinished ...>") {
                    begun.insert(thread, call);
                } else {
                    seen.ended(&call, line, moment);
                }
            }
        }
        // Nobody logged in or out in between.
        if let [first, last] = seen.marks[..] {
            let within = |(begun, _): &&(usize, usize)| (first..last).contains(begun);
            let syncs = seen.syncs.iter().filter(within).count();
            ensure(syncs == 0, || format!("reads had {syncs} syncs"))?;
        } else {
            return Err(Violation(format!("{} marks", seen.marks.len())));
        }
        Ok(seen)
    }

    fn began(&mut self, call: &Call, line: &str) -> Result<(), Violation> {
        if !matches!(call.name.as_str(), "sendto" | "write" | "writev") {
            return Ok(());
        }
        if line.contains("\"http://") {
            // It serves: the name of its file is on the disk.
            return ensure(self.is_named, || {
                "the directory of a new file is not synced".to_owned()
            });
        }
        let Some((_, reply)) = line.split_once("\"HTTP/1.1 ") else {
            return Ok(());
        };
        let Some((asked, read)) = self.asked.remove(&call.file) else {
            return Err(Violation(format!("a reply to nothing: {line}")));
        };
        let is_change = asked.starts_with("POST /log");
        if !is_change || !reply.starts_with(['2', '3']) {
            self.reads += u64::from(!is_change);
            return Ok(());
        }
        self.changes += 1;
        let latest = self.syncs.iter().rev().take(64);
        let syncs = latest.filter(|(begun, _)| *begun > read).count();
        ensure(syncs >= SYNCS, || {
            format!(
                "line {}: {asked:?} was read at line {read} and answered after {syncs} syncs",
                call.begun
            )
        })
    }

    fn ended(&mut self, call: &Call, text: &str, moment: usize) {
        let succeeded = text.trim_end().ends_with(" = 0");
        match call.name.as_str() {
            "fdatasync" if succeeded => self.syncs.push((call.begun, moment)),
            "fsync" if succeeded && call.path == self.directory => {
                self.is_named |= self.linked.is_some_and(|linked| call.begun > linked);
            }
            "link" | "linkat" if succeeded => self.linked = Some(moment),
            "recvfrom" | "read" => {
                let asked = text.split_once('"').map_or("", |(_, asked)| asked);
                if asked.starts_with("GET ") || asked.starts_with("POST ") {
                    if asked.contains(MARK) {
                        self.marks.push(moment);
                    }
                    self.asked.insert(call.file, (asked.to_owned(), moment));
                }
            }
            _ => {}
        }
    }
}

/// A system call.
#[derive(Clone, Debug)]
struct Call {
    name: String,
    /// Its first argument, if that is a number.
    file: u64,
    /// What that is the number of.
    path: String,
    begun: usize,
}

impl Call {
    fn of(line: &str, begun: usize) -> Option<Self> {
        let (name, arguments) = line.split_once('(')?;
        let end = arguments.find(|c: char| !c.is_ascii_digit())?;
        let (number, rest) = arguments.split_at_checked(end)?;
        let path = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
        Some(Self {
            name: name.to_owned(),
            file: number.parse().unwrap_or(u64::MAX),
            path: path.map_or("", |(path, _)| path).to_owned(),
            begun,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINNING: &str = r#"1 linkat(AT_FDCWD, "a", AT_FDCWD, "b", 0) = 0
1 fsync(4</files/sessions.redb.reserve>) = 0
1 fsync(4</files>) = 0
1 write(1, "http://127.0.0.1:1\n", 19) = 19
"#;
    const READS: &str = r#"2 recvfrom(9, "GET /mark HTTP/1.1\r\n", 8192, 0, NULL, NULL) = 20
2 sendto(9, "HTTP/1.1 204 No Content\r\n", 20, MSG_NOSIGNAL, NULL, 0) = 20
2 recvfrom(9, "GET /me HTTP/1.1\r\n", 8192, 0, NULL, NULL) = 20
2 sendto(9, "HTTP/1.1 204 No Content\r\n", 20, MSG_NOSIGNAL, NULL, 0) = 20
2 recvfrom(9, "GET /mark HTTP/1.1\r\n", 8192, 0, NULL, NULL) = 20
"#;
    const LOGIN: &str = r#"2 recvfrom(9, "POST /login?user=a HTTP/1.1\r\n", 8192, 0, NULL, NULL) = 20
"#;
    const REPLY: &str = r#"2 writev(9, [{iov_base="HTTP/1.1 204 No Content\r\n", iov_len=20}], 1) = 20
"#;
    const SYNC: &str = "3 fdatasync(5) = 0\n";

    fn outcome(lines: &[&str]) -> Result<Seen, Violation> {
        Seen::of(&lines.concat(), Path::new("/files"))
    }

    #[test]
    fn reply_after_both_syncs_is_right() {
        let seen = outcome(&[BEGINNING, LOGIN, SYNC, SYNC, REPLY, READS]).unwrap();
        assert_eq!((seen.changes, seen.reads, seen.syncs.len()), (1, 2, 2));
        let parted = "3 fdatasync(5 <unfinished ...>\n2 recvfrom(8 <unfinished ...>\n\
                      3 <... fdatasync resumed>) = 0\n\
                      2 <... recvfrom resumed>\"GET /me HTTP/1.1\", 1, 0, NULL, NULL) = 9\n";
        let seen = outcome(&[BEGINNING, LOGIN, SYNC, parted, REPLY, READS]).unwrap();
        assert_eq!(
            seen.asked[&8].0,
            "GET /me HTTP/1.1\", 1, 0, NULL, NULL) = 9"
        );
    }

    #[test]
    fn replies_that_come_too_early_are_told() {
        let unfinished = "3 fdatasync(5 <unfinished ...>\n";
        let failed = "3 fdatasync(5) = -1 EIO (Input/output error)\n";
        let cases: [(&str, &[&str]); 5] = [
            ("no sync", &[BEGINNING, LOGIN, REPLY]),
            ("one", &[BEGINNING, LOGIN, SYNC, REPLY]),
            ("before the request", &[BEGINNING, SYNC, LOGIN, SYNC, REPLY]),
            ("not ended", &[BEGINNING, LOGIN, SYNC, unfinished, REPLY]),
            ("failed", &[BEGINNING, LOGIN, SYNC, failed, REPLY]),
        ];
        for (name, lines) in cases {
            assert!(outcome(&[lines, &[READS]].concat()).is_err(), "{name}");
        }
    }

    #[test]
    fn syncs_of_reads_and_names_that_are_not_synced_are_told() {
        outcome(&[BEGINNING, READS]).unwrap();
        let reads = READS.replace("2 sendto(9", "3 fdatasync(5) = 0\n2 sendto(9");
        outcome(&[BEGINNING, &reads]).unwrap_err();
        let beginning = BEGINNING.replace("</files>", "</files/sessions.redb>");
        outcome(&[&beginning, READS]).unwrap_err();
    }
}
