//! The demo as a process.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

/// What outlives a server: its files.
pub struct Home {
    directory: TempDir,
    /// Everything that servers printed.
    stdout: Arc<Mutex<Vec<u8>>>,
}

impl Home {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            stdout: Arc::default(),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.directory.path().join("demo.redb")
    }

    pub fn accounts(&self) -> PathBuf {
        self.directory.path().join("demo.redb.accounts")
    }

    pub fn start(&self) -> Server {
        self.start_with(&[])
    }

    pub fn start_with(&self, arguments: &[&str]) -> Server {
        let mut child = self
            .command("127.0.0.1:0")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(self.open_log())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "no address: {}", self.log_text());
        let printed = Arc::clone(&self.stdout);
        printed.lock().unwrap().extend(line.bytes());
        let reader = thread::spawn(move || {
            let mut rest = Vec::new();
            stdout.read_to_end(&mut rest).unwrap();
            printed.lock().unwrap().extend(rest);
        });
        Server {
            child,
            reader: Some(reader),
            address: line.trim_end().into(),
        }
    }

    /// Runs a server that cannot start, to its end.
    pub fn fail_to_start(&self, listen: &str, arguments: &[&str]) -> Output {
        self.command(listen).args(arguments).output().unwrap()
    }

    /// Returns what stopped servers printed.
    pub fn stdout(&self) -> Vec<u8> {
        self.stdout.lock().unwrap().clone()
    }

    /// Returns what servers logged.
    pub fn log(&self) -> Vec<u8> {
        fs::read(self.log_path()).unwrap()
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&self.log()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("stderr.log")
    }

    fn open_log(&self) -> fs::File {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        options.open(self.log_path()).unwrap()
    }

    fn command(&self, listen: &str) -> Command {
        let mut command = Command::new(super::PROGRAM);
        command
            .args(["--listen", listen, "--db"])
            .arg(self.database())
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        evidence::note_written(&self.stdout());
        evidence::note_written(&fs::read(self.log_path()).unwrap_or_default());
    }
}

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    reader: Option<JoinHandle<()>>,
    address: String,
}

impl Server {
    /// What it printed: `http://localhost:…`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// As by `kill -9`: the process does nothing more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.finish();
        assert_eq!(status.code(), None, "{status}");
    }

    /// As by `kill`: the process ends in its own time.
    #[cfg(unix)]
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(kill.unwrap().success());
        self.finish()
    }

    fn finish(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
