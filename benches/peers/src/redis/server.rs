//! A Redis of the subject's own.

use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use subject::Error;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is said where there is no Redis.
pub(super) const MISSING: &str = "redis-server is missing. Install it: 'apt-get install redis-server', \
     'dnf install redis', or on macOS 'brew install redis'.";

/// A `redis-server`, which ends when this is dropped, and also when this process is killed.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) process: u32,
    keeper: Child,
}

/// Runs the server, tells its process, and ends as it does. Its signal comes by a line, or is `KILL`
/// when nobody is there any more to send one.
const KEEPER: &str = r#"
exec 3<&0
"$@" >&2 3<&- &
server=$!
trap '' HUP INT TERM
{ read -r signal <&3 || signal=KILL; kill -s "$signal" "$server"; } &
reader=$!
echo "$server"
wait "$server"
status=$?
kill -s KILL "$reader" 2>/dev/null
exit "$status"
"#;

/// How a shell ends that does not find what it is to run.
const NOT_FOUND: i32 = 127;
/// How long a server may take to end whose subject was killed.
const END: Duration = Duration::from_secs(10);
/// How often is looked whether it has.
const LOOK: Duration = Duration::from_millis(2);

impl Server {
    /// Starts it in this directory, durable: whatever is acknowledged was synced before. What earlier
    /// ones wrote there, it reads.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Error> {
        let log = locked(directory.join("redis.log")).await?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", "redis-server"])
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .args(["--save", "", "--dir"])
            .arg(directory.canonicalize()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut process = String::new();
        let told = keeper.stdout.take().ok_or("sh cannot be read from")?;
        BufReader::new(told).read_line(&mut process)?;
        let mut server = Self {
            port,
            process: process.trim_end().parse()?,
            keeper,
        };
        server.ready().await?;
        Ok(server)
    }

    /// Waits until it has read what it has and answers.
    async fn ready(&mut self) -> Result<(), Error> {
        loop {
            match self.keeper.try_wait()? {
                None if self.answers().await.unwrap_or(false) => return Ok(()),
                None => tokio::time::sleep(LOOK).await,
                Some(status) if status.code() == Some(NOT_FOUND) => return Err(MISSING.into()),
                Some(_) => {
                    return Err("redis-server does not start, its redis.log tells why".into());
                }
            }
        }
    }

    async fn answers(&self) -> std::io::Result<bool> {
        let connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let mut connection = tokio::io::BufReader::new(connection);
        connection.write_all(b"PING\r\n").await?;
        let mut answer = String::new();
        connection.read_line(&mut answer).await?;
        // Or an error, while it is loading.
        Ok(answer == "+PONG\r\n")
    }

    /// Ends it cleanly.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        let mut to = self.keeper.stdin.take().ok_or("it is stopped already")?;
        to.write_all(b"TERM\n")?;
        match self.keeper.wait()?.success() {
            true => Ok(()),
            false => Err("redis-server does not end well, its redis.log tells why".into()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nobody is told if it is no more.
        let _ = self.keeper.wait();
    }
}

/// A file for the server's messages, which is locked for as long as there is a server that has it.
async fn locked(path: PathBuf) -> Result<File, Error> {
    let file = File::options().create(true).append(true).open(path)?;
    let lock = async {
        loop {
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK).await,
                locked => return locked,
            }
        }
    };
    match tokio::time::timeout(END, lock).await {
        Ok(locked) => locked?,
        Err(_) => return Err("another redis-server is at work in this directory".into()),
    }
    Ok(file)
}
