//! The kernel as strace bends it: system calls that fail, or are a process's last.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::campaign::Violation;
use crate::process::child::Task;
use crate::process::place::{on_path, program};

/// What is missing for system calls to be traced here, and how to get it.
#[must_use]
pub fn missing() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("strace is there on Linux alone".to_owned());
    }
    if on_path("strace").is_none() {
        return Some("strace: apt-get install strace".to_owned());
    }
    let mut trial = Command::new("strace");
    trial.args(["-f", "-qq", "-o", "/dev/null"]);
    trial.args(["-e", "inject=pwrite64:error=EIO:when=60000", "true"]);
    trial.stdout(Stdio::null()).stderr(Stdio::null());
    let works = trial.status().is_ok_and(|status| status.success());
    (!works).then(|| {
        "strace may trace nothing here: run as root, or in a container with SYS_PTRACE".to_owned()
    })
}

/// Returns a child as a command that strace starts. What strace sees is in `trace` afterwards, if
/// somebody wants it.
///
/// `calls` are traced; with a question mark before it a call need not be known on this machine.
/// `injection` is what becomes of some of them, as strace has it; the calls of each thread are
/// counted apart.
///
/// # Errors
///
/// If the program is not there.
pub fn command(
    task: &Task,
    calls: &str,
    injection: &str,
    trace: Option<&Path>,
) -> Result<Command, Violation> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]);
    command.arg(trace.unwrap_or(Path::new("/dev/null")));
    command.args(["-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:{injection}")]);
    command.arg(program()?).args(task.arguments());
    Ok(command)
}
