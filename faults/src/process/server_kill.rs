//! Killing the demo while clients log in and out.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::campaign::{Enough, Part, Rng, Tally, Violation, ensure};
use crate::process::kill::wait;
use crate::process::place::{self, program};
use crate::process::server::{Client, Server};

/// Kills the demo.
#[derive(Clone, Copy, Debug)]
pub struct KillServer;

/// How many clients there are at once.
const CLIENTS: u64 = 4;
/// How many sessions are remembered from one kill to the next.
const REMEMBERED: usize = 200;
/// Whose password all have.
const USERS: [&str; 2] = ["ann", "bob"];
const PASSWORD: &str = "correct-horse";

impl Part for KillServer {
    fn name(&self) -> &'static str {
        "kill-server"
    }

    fn about(&self) -> &'static str {
        "kill -9 of the demo while clients log in and out over HTTP"
    }

    fn unit(&self) -> &'static str {
        "kills"
    }

    fn enough(&self) -> Enough {
        Enough {
            short: 2,
            long: 1_000,
        }
    }

    fn run(&self, rng: &mut Rng, tally: &mut Tally) -> Result<(), Violation> {
        let directory = place::directory(rng)?;
        let path = directory.path().join("demo.redb");
        let mut sessions = Vec::new();
        {
            let server = start(&path)?;
            let client = Client::new(&server.address);
            for user in USERS {
                let form = format!("name={user}&password={PASSWORD}");
                let reply = client.post("/register", None, &form);
                let reply = reply.map_err(Violation::new)?;
                sessions.push(Known::of_login(reply.token)?);
            }
            server.kill()?;
        }
        for _ in 0..rng.u32(1..=8) {
            let server = start(&path)?;
            check(&server, &sessions, tally)?;
            sessions.extend(serve(server, rng, tally)?);
            let surplus = sessions.len().saturating_sub(REMEMBERED);
            sessions.drain(..surplus);
            tally.count("kills");
        }
        check(&start(&path)?, &sessions, tally)
    }
}

fn start(path: &Path) -> Result<Server, Violation> {
    let mut command = Command::new(program()?);
    command.args(["child", "demo", "--listen", "127.0.0.1:0", "--db"]);
    Server::start(command.arg(path))
}

/// A session whose token came with a login.
#[derive(Clone, Debug)]
struct Known {
    token: String,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    LoggedIn,
    /// The reply to the logout did not come.
    LoggingOut,
    LoggedOut,
}

impl Known {
    fn of_login(token: Option<String>) -> Result<Self, Violation> {
        let token = token.ok_or_else(|| Violation::new("a login without a cookie"))?;
        Ok(Self {
            token,
            fate: Fate::LoggedIn,
        })
    }
}

/// Has clients log in and out until the server is killed in their midst, and returns what they know.
fn serve(server: Server, rng: &mut Rng, tally: &mut Tally) -> Result<Vec<Known>, Violation> {
    let (known, replies) = (Mutex::new(Vec::new()), AtomicU64::new(0));
    let address = server.address.clone();
    let enough = rng.u64(0..40);
    let moment = Duration::from_micros(rng.u64(0..20_000));
    let ended = std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let mut rng = rng.fork();
            let (known, replies, client) = (&known, &replies, Client::new(&address));
            let user = USERS.get(usize::try_from(number % 2).unwrap_or_default());
            scope.spawn(move || {
                live(&client, user.unwrap_or(&"ann"), &mut rng, replies, known);
            });
        }
        while replies.load(Ordering::SeqCst) < enough {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        wait(moment);
        server.kill()
    });
    ended?;
    let known = known.into_inner().unwrap_or_else(PoisonError::into_inner);
    let known: Vec<_> = known.into_iter().collect::<Result<_, _>>()?;
    tally.add("replies", replies.load(Ordering::SeqCst));
    tally.add("logins", known.len() as u64);
    let count = |fate| known.iter().filter(|known| known.fate == fate).count() as u64;
    tally.add("logouts", count(Fate::LoggedOut));
    tally.add("under way", count(Fate::LoggingOut));
    Ok(known)
}

/// The life of a client, until there is no reply any more.
fn live(
    client: &Client,
    user: &str,
    rng: &mut Rng,
    replies: &AtomicU64,
    known: &Mutex<Vec<Result<Known, Violation>>>,
) {
    let note = |it| {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.push(it);
        known.len() - 1
    };
    let form = format!("name={user}&password={PASSWORD}");
    while let Ok(reply) = client.post("/login", None, &form) {
        replies.fetch_add(1, Ordering::SeqCst);
        let session = match Known::of_login(reply.token) {
            Ok(session) if reply.status == 303 => session,
            _ => {
                note(Err(Violation(format!(
                    "a login was answered with {}",
                    reply.status
                ))));
                return;
            }
        };
        let token = session.token.clone();
        let place = note(Ok(session));
        if rng.bool() {
            continue;
        }
        let becomes = |fate| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Ok(known)) = known.get_mut(place) {
                known.fate = fate;
            }
        };
        becomes(Fate::LoggingOut);
        match client.post("/logout", Some(&token), "") {
            Ok(reply) if reply.status == 303 => becomes(Fate::LoggedOut),
            Ok(reply) => {
                note(Err(Violation(format!(
                    "a logout was answered with {}",
                    reply.status
                ))));
            }
            Err(_) => return,
        }
        replies.fetch_add(1, Ordering::SeqCst);
    }
}

/// Holds what a new server says of sessions against what clients know.
fn check(server: &Server, sessions: &[Known], tally: &mut Tally) -> Result<(), Violation> {
    let client = Client::new(&server.address);
    for known in sessions {
        let reply = client
            .get("/devices", Some(&known.token))
            .map_err(Violation::new)?;
        let is_live = match reply.status {
            200 => true,
            303 => false,
            status => return Err(Violation(format!("/devices was answered with {status}"))),
        };
        let is_right = match known.fate {
            Fate::LoggedIn => is_live,
            Fate::LoggingOut => true,
            Fate::LoggedOut => !is_live,
        };
        ensure(is_right, || {
            format!(
                "after the server was killed a session that was {:?} is live: {is_live}",
                known.fate
            )
        })?;
        tally.count("sessions asked for");
    }
    Ok(())
}
