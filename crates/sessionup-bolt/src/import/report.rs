//! What came of an import.

use std::collections::BTreeMap;
use std::fmt;

use sessionup_core::{SessionId, StoreError};

use super::judge::Refused;
use crate::BoltError;

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the store: from an earlier run, or from another bucket with the same token. What is
    /// there was left alone.
    AlreadyThere,
    /// Its session has ended, and such were not to be taken.
    Expired,
    /// It was taken.
    Imported {
        /// Whether its expiry was brought forward to the longest lifetime, or a name of its agent
        /// shortened.
        cut: bool,
    },
    /// It was left out.
    Refused(Refused),
}

/// A row and what came of it. There is nothing of its token in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportedRow {
    /// Its place in the order of keys, from 1.
    pub number: u64,
    /// The public name of its session, unless its token is out of bounds.
    pub id: Option<SessionId>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an import, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportReport {
    /// All rows.
    pub rows: u64,
    /// Sessions taken.
    pub imported: u64,
    /// Of those, sessions whose expiry or agent was cut.
    pub cut: u64,
    /// Sessions that were there already.
    pub already_there: u64,
    /// Sessions left out because they have ended.
    pub expired: u64,
    /// Sessions left out for other reasons, by [`Refused::as_str`].
    pub refused: BTreeMap<&'static str, u64>,
}

impl ImportReport {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.rows += 1;
        match outcome {
            Outcome::AlreadyThere => self.already_there += 1,
            Outcome::Expired => self.expired += 1,
            Outcome::Imported { cut } => {
                self.imported += 1;
                self.cut += u64::from(*cut);
            }
            Outcome::Refused(why) => *self.refused.entry(why.as_str()).or_default() += 1,
        }
    }

    /// Returns how many were left out for other reasons than having ended.
    #[must_use]
    pub fn refused_in_all(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// Writes one line.
impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rows,
            imported,
            cut,
            already_there,
            expired,
            ..
        } = self;
        write!(
            f,
            "{rows} rows: {imported} imported ({cut} of them cut), {already_there} already there, \
             {expired} expired, {} left out",
            self.refused_in_all()
        )?;
        for (number, (why, count)) in self.refused.iter().enumerate() {
            let before = if number == 0 { ": " } else { ", " };
            write!(f, "{before}{why} {count}")?;
        }
        Ok(())
    }
}

/// Why an import did not come to its end. What was imported stays; run it again.
#[derive(Debug, thiserror::Error)]
#[error("the import stopped after {} of {} rows", .report.imported, .report.rows)]
#[non_exhaustive]
pub struct ImportError {
    /// What came of the rows before.
    pub report: ImportReport,
    /// What stopped it.
    #[source]
    pub source: ImportFailure,
}

/// What stopped an import.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportFailure {
    /// The file could not be read on.
    #[error(transparent)]
    Bolt(#[from] BoltError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
