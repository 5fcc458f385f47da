//! Whether the programme bites: each seeded defect, and what must catch it.
//!
//! The defects are those of `sessionup_core::defects`, in a build of its own, see `faults/defects`.
//! Each is put in force in a process of its own, and so is what must catch it, since what it breaks
//! may hang.

use std::env;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What must catch a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// A part of this programme.
    Part(&'static str),
    /// A test of a crate: arguments of `cargo test`.
    Test(&'static [&'static str]),
}

use Trap::{Part, Test};

/// Each defect with what must catch it, all of them.
pub const TRAPS: &[(&str, &[Trap])] = &[
    (
        "answer-before-sync",
        &[
            Part("sync-order"),
            Part("power-loss"),
            Part("kill"),
            Part("sync-trace"),
        ],
    ),
    (
        "revoke-without-sync",
        &[Part("sync-order"), Part("power-loss"), Part("recovery")],
    ),
    ("index-later", &[Part("power-loss"), Part("recovery")]),
    (
        "delete-before-create",
        &[Part("power-loss"), Part("recovery")],
    ),
    ("upsert", &[Part("sequences"), Part("histories")]),
    ("two-phase-cleanup", &[Part("sequences")]),
    ("ignored-commit-error", &[Part("io-errors"), Part("kernel")]),
    ("retried-sync", &[Part("io-errors")]),
    ("boundary-included", &[Part("sequences")]),
    ("no-tombstone", &[Part("io-errors"), Part("file-limit")]),
    ("doubts-forgotten", &[Part("io-errors")]),
    ("entered-early", &[Part("recovery")]),
    ("unlisted-forgotten", &[Part("recovery"), Part("kill")]),
    (
        "tombstones-forgotten",
        &[Part("io-errors"), Part("recovery"), Part("power-loss")],
    ),
    (
        "tombstone-removed-early",
        &[Part("io-errors"), Part("recovery"), Part("power-loss")],
    ),
    (
        "unbounded-queue",
        &[Test(&["-p", "sessionup-redb", "--lib", "queue"])],
    ),
    (
        "stale-cache",
        &[Part("histories"), Part("http-histories"), Part("sequences")],
    ),
    ("directory-not-synced", &[Part("sync-trace")]),
    ("uses-not-written", &[Part("sequences")]),
    ("no-fence", &[Part("histories")]),
    ("expired-updated", &[Part("sequences")]),
    ("owner-not-compared", &[Part("sequences")]),
    (
        "epoch-ignored",
        &[Test(&[
            "-p",
            "sessionup-redb",
            "--test",
            "conformance",
            "overtaken",
        ])],
    ),
    ("check-ignored", &[Part("damage")]),
    (
        "unicode-trim",
        &[Test(&["-p", "sessionup-core", "--lib", "cookie"])],
    ),
    (
        "percent-decoded-name",
        &[Test(&["-p", "sessionup-core", "--lib", "cookie"])],
    ),
];

/// What came of one trap.
#[derive(Clone, Debug)]
pub struct Catch {
    /// What caught the defect, or did not.
    pub trap: Trap,
    /// In which run, and how long that took; `None` if it was not caught.
    pub caught: Option<(String, Duration)>,
    /// The end of what was printed.
    pub said: String,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part(name) => write!(f, "`{name}`"),
            Test(arguments) => write!(f, "`cargo test {}`", arguments.join(" ")),
        }
    }
}

/// Puts a defect in force and sees whether the trap shuts within a time.
///
/// # Errors
///
/// If a program cannot be started.
pub fn set(defect: &str, trap: Trap, seed: u64, longest: Duration) -> std::io::Result<Catch> {
    let begun = Instant::now();
    let mut command = match trap {
        Part(name) => {
            let mut command = Command::new(env::current_exe()?);
            let seconds = longest.as_secs().to_string();
            command.args(["run", name, "--seconds", &seconds]);
            command.args(["--seed", &seed.to_string()]);
            command
        }
        Test(arguments) => {
            let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            command.args(["test", "--locked"]).args(arguments);
            command
        }
    };
    command.env("SESSIONUP_DEFECT", defect).stdin(Stdio::null());
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok(Catch {
        trap,
        caught: (!output.status.success())
            .then(|| sign(trap, &text))
            .flatten()
            .map(|sign| (sign, begun.elapsed())),
        said: text
            .chars()
            .rev()
            .take(2_000)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect(),
    })
}

/// Finds in what was printed that it was the trap that shut, and not the program that broke.
fn sign(trap: Trap, text: &str) -> Option<String> {
    match trap {
        Part(name) => {
            let (_, rest) = text.split_once(&format!("{name}: run "))?;
            let run = rest.split(' ').next()?;
            let hangs = rest.contains("hangs");
            Some(format!(
                "run {run}{}",
                if hangs { ", by hanging" } else { "" }
            ))
        }
        Test(_) => {
            let (_, rest) = text.split_once("failures:")?;
            let name = rest.split_once("---- ")?.1.split(' ').next()?;
            Some(name.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failure_is_a_catch() {
        let part = Part("power-loss");
        let failed =
            "power-loss: seed 0x1, 3 s: runs 9: power-loss: run 8 of seed 0x1 failed: lost";
        assert_eq!(sign(part, failed).unwrap(), "run 8");
        let hangs = "power-loss: run 8 of seed 0x1 hangs: it takes longer";
        assert_eq!(sign(part, hangs).unwrap(), "run 8, by hanging");
        assert_eq!(sign(part, "there is no part \"power-loss\""), None);

        let test = Test(&[]);
        let failed = "failures:\n\n---- one::two stdout ----\n\nthread";
        assert_eq!(sign(test, failed).unwrap(), "one::two");
        assert_eq!(sign(test, "error: could not compile"), None);
    }

    #[cfg(sessionup_defects)]
    #[test]
    fn each_defect_has_a_trap() {
        use sessionup_core::defects::Defect;
        let trapped: Vec<_> = TRAPS.iter().map(|(name, _)| *name).collect();
        let all: Vec<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        assert_eq!(trapped, all);
        assert!(TRAPS.iter().all(|(_, traps)| !traps.is_empty()));
    }
}
