//! `sessionup check`

use serde::Serialize;
use sessionup_core::Timestamp;
use sessionup_redb::Report;

use crate::args::Look;
use crate::failure::Failure;
use crate::output;
use crate::store::Place;

#[derive(Serialize)]
struct Answer {
    is_clean: bool,
    sessions: u64,
    users: u64,
    expired: u64,
    wrong: u64,
    /// The first of what is wrong.
    findings: Vec<String>,
}

pub(super) fn run(args: &Look, now: Timestamp) -> Result<(), Failure> {
    let spinner = output::spinner("Checking");
    let report = Place::from(&args.place).check(now);
    spinner.finish_and_clear();
    let (report, pages) = report?;
    if !pages {
        output::tell(
            "a server has the file open: all sessions are checked, the pages beneath are not",
        );
    }
    if args.json.json {
        output::json(&Answer {
            is_clean: report.is_clean(),
            sessions: report.sessions,
            users: report.users,
            expired: report.expired,
            wrong: report.wrong,
            findings: findings(&report).collect(),
        })?;
    } else {
        for finding in findings(&report) {
            output::print(&format!("{finding}\n"))?;
        }
        let further = report.wrong - report.findings().len() as u64;
        if further > 0 {
            output::print(&format!("and {further} more\n"))?;
        }
        output::print(&format!("{}\n", summary(&report)))?;
    }
    sound(&report)
}

/// Says in one line what was found.
pub(super) fn summary(report: &Report) -> String {
    let sessions = output::sessions(report.sessions);
    let users = output::count(report.users, "user", "users");
    let wrong = match report.wrong {
        0 => "nothing is wrong".to_owned(),
        1 => "1 thing is wrong".to_owned(),
        wrong => format!("{wrong} things are wrong"),
    };
    format!("{sessions} of {users}, {wrong}")
}

/// Fails if anything is wrong.
pub(super) fn sound(report: &Report) -> Result<(), Failure> {
    if report.is_clean() {
        return Ok(());
    }
    Err(Failure::Damage(
        "the file is damaged: restore a backup, or revoke the sessions that are named".into(),
    ))
}

fn findings(report: &Report) -> impl Iterator<Item = String> {
    report.findings().iter().map(ToString::to_string)
}
