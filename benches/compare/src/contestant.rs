//! A subject's process, seen from the program that compares.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use subject::{Error, Figures, Reply, Request};

/// A subject, by its name and how its program is started.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    program: PathBuf,
    arguments: Vec<String>,
}

/// A subject's process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
}

impl Contestant {
    /// One of this program's own.
    pub(crate) fn own(name: &str) -> Result<Self, Error> {
        Ok(Self {
            name: name.to_owned(),
            program: std::env::current_exe()?,
            arguments: vec!["subject".to_owned(), name.to_owned()],
        })
    }

    /// One of another program, which takes its name as the first argument: `NAME=PROGRAM`.
    pub(crate) fn other(text: &str) -> Result<Self, Error> {
        let (name, program) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not of the form NAME=PROGRAM"))?;
        Ok(Self {
            name: name.to_owned(),
            program: PathBuf::from(program),
            arguments: vec![name.to_owned()],
        })
    }

    /// Starts a process for the files in this directory, which is made if it is not there.
    pub(crate) fn start(&self, directory: &Path) -> Result<Process, Error> {
        std::fs::create_dir_all(directory)?;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .arg("--directory")
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.program.display()))?;
        let requests = child.stdin.take();
        let replies = child.stdout.take().ok_or("a process without output")?;
        Ok(Process {
            name: self.name.clone(),
            child,
            requests,
            replies: BufReader::new(replies),
        })
    }
}

impl Process {
    pub(crate) fn ask(&mut self, request: Request) -> Result<Reply, Error> {
        let requests = self.requests.as_mut().ok_or("a process without input")?;
        let mut line = serde_json::to_vec(&request)?;
        line.push(b'\n');
        requests.write_all(&line)?;
        requests.flush()?;
        let mut answer = String::new();
        if self.replies.read_line(&mut answer)? == 0 {
            return Err(format!("{} ended at {request:?}", self.name).into());
        }
        match serde_json::from_str(&answer) {
            Ok(Reply::Failed(why)) => {
                Err(format!("{} failed at {request:?}: {why}", self.name).into())
            }
            Ok(reply) => Ok(reply),
            Err(error) => Err(format!(
                "{} answered {request:?} by what cannot be read: {error}",
                self.name
            )
            .into()),
        }
    }

    /// Asks for figures; `None` if the subject has no such thing.
    pub(crate) fn measure(&mut self, request: Request) -> Result<Option<Figures>, Error> {
        match self.ask(request)? {
            Reply::Done(figures) => Ok(Some(figures)),
            Reply::Cannot => Ok(None),
            reply => Err(format!("{} answered {request:?} by {reply:?}", self.name).into()),
        }
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(mut self) {
        // It may have ended already.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Those that have servers of their own end them at the end of their input.
        drop(self.requests.take());
        // It may have ended already.
        let _ = self.child.wait();
    }
}
