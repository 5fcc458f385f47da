//! What a check has found.

use std::fmt;

use serde::{Deserialize, Serialize};
use sessionup_core::SessionId;

/// What was found when a bucket was checked.
///
/// ```
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("sessions.redb");
/// # drop(sessionup_redb::RedbStore::open(&path)?);
/// let report = sessionup_redb::verify_file(path, "sessions", None)?;
/// for finding in report.findings() {
///     println!("{finding}");
/// }
/// assert_eq!(report.to_string(), "0 sessions of 0 users, nothing is wrong");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Records, those that cannot be read included. Those are not that a tombstone has ended.
    pub sessions: u64,
    /// Users with an entry.
    pub users: u64,
    /// Records whose time is over and that are not yet deleted, which is no fault. Zero if no time
    /// was given.
    pub expired: u64,
    /// How many things are wrong.
    pub wrong: u64,
    findings: Vec<Finding>,
}

impl Report {
    /// Most findings that are kept. Further ones are only counted.
    pub const MAX_FINDINGS: usize = 1_000;

    /// Returns the first things that are wrong, in the order in which they were found.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Says whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.wrong == 0
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.wrong += 1;
        if self.findings.len() < Self::MAX_FINDINGS {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            sessions,
            users,
            wrong,
            ..
        } = self;
        write!(f, "{sessions} sessions of {users} users, ")?;
        match wrong {
            0 => f.write_str("nothing is wrong"),
            1 => f.write_str("1 thing is wrong"),
            _ => write!(f, "{wrong} things are wrong"),
        }
    }
}

/// Something that is wrong with a bucket. Its text names sessions by id, and no user.
///
/// A **step** is a moment in milliseconds since 1970, divided by 65,536 and rounded down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Finding {
    /// The mark cannot be read that tells which sessions need not be in the user index yet: none is
    /// found to be missing there. The next store takes all for such, and they are listed.
    DamagedMark,
    /// A record cannot be read, was altered or lies under another id. Its session is refused.
    DamagedRecord {
        /// The session.
        id: SessionId,
        /// What is wrong with it. Nothing of what the record holds.
        reason: String,
    },
    /// A tombstone cannot be read: it ends all sessions that it is about. The next store deletes them,
    /// and then the tombstone.
    DamagedTombstone,
    /// An entry of the expiry index leads to a record that is filed under another step.
    FiledElsewhere {
        /// The session.
        id: SessionId,
        /// The step of the entry.
        step: i64,
    },
    /// A record is filed under a step after its deadline, so that it is deleted too late.
    FiledTooLate {
        /// The session.
        id: SessionId,
        /// The step that it is filed under.
        step: i64,
        /// The step of its deadline.
        due: i64,
    },
    /// An entry of the expiry index leads nowhere. The next cleanup removes it.
    FiledWithoutRecord {
        /// The session.
        id: SessionId,
        /// The step of the entry.
        step: i64,
    },
    /// An entry of the user index leads to a session of another user.
    ListedForAnother {
        /// The session.
        id: SessionId,
    },
    /// An entry of the user index leads nowhere.
    ListedWithoutRecord {
        /// The session.
        id: SessionId,
    },
    /// A record has no entry under the step that it names, so that it is never deleted for its age.
    NotFiled {
        /// The session.
        id: SessionId,
        /// The step.
        step: i64,
    },
    /// A record has no entry of its user, who cannot see or revoke it with the others.
    NotListed {
        /// The session.
        id: SessionId,
    },
    /// redb found pages of the file that do not pass its own check. Only a closed file is checked
    /// for that.
    Pages,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DamagedTombstone => f.write_str("a tombstone of ended sessions cannot be read"),
            Self::DamagedMark => f.write_str(
                "the mark of the sessions that need not be listed yet is damaged or missing",
            ),
            Self::DamagedRecord { id, reason } => write!(f, "session {id}: {reason}"),
            Self::FiledElsewhere { id, step } => write!(
                f,
                "session {id} has an entry under step {step}, which is not the one of its record"
            ),
            Self::FiledTooLate { id, step, due } => write!(
                f,
                "session {id} is filed under step {step}, after its deadline's, {due}"
            ),
            Self::FiledWithoutRecord { id, step } => {
                write!(
                    f,
                    "session {id} is filed under step {step} and has no record"
                )
            }
            Self::ListedForAnother { id } => {
                write!(f, "session {id} is listed for a user it is not of")
            }
            Self::ListedWithoutRecord { id } => {
                write!(f, "session {id} is listed and has no record")
            }
            Self::NotFiled { id, step } => {
                write!(f, "session {id} has no entry under its step, {step}")
            }
            Self::NotListed { id } => write!(f, "session {id} is not listed for its user"),
            Self::Pages => f.write_str("pages of the file do not pass redb's check"),
        }
    }
}
