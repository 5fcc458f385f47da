//! What was measured, a line of JSON each, written as it comes so that nothing is lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use subject::{Error, Figures};

use crate::rows::Row;

/// A line of the results.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Line {
    /// On what machine, with what.
    Machine(Vec<String>),
    /// What a subject did for one row in one round.
    Measured {
        sessions: u64,
        row: Row,
        subject: String,
        figures: Figures,
    },
    /// What a subject cannot do.
    Cannot {
        sessions: u64,
        row: Row,
        subject: String,
    },
    /// What was not measured, and why.
    Left(String),
}

/// Where lines are written.
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        Ok(Self(File::create(path)?))
    }

    pub(crate) fn write(&mut self, line: &Line) -> Result<(), Error> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.0.write_all(&text)?;
        Ok(())
    }
}

/// All that was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Results {
    pub(crate) machine: Vec<String>,
    pub(crate) left: Vec<String>,
    /// The subjects, in the order in which they were asked first.
    pub(crate) subjects: Vec<String>,
    rounds: BTreeMap<(u64, Row, String), Vec<Figures>>,
    cannot: Vec<(Row, String)>,
}

/// The middle of several figures, and the least and the greatest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

pub(crate) fn read(path: &Path) -> Result<Results, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}

impl FromIterator<Line> for Results {
    fn from_iter<T: IntoIterator<Item = Line>>(lines: T) -> Self {
        let mut results = Self::default();
        for line in lines {
            results.take(line);
        }
        results
    }
}

impl Results {
    fn take(&mut self, line: Line) {
        match line {
            Line::Machine(machine) => self.machine = machine,
            Line::Left(what) => self.left.push(what),
            Line::Cannot { row, subject, .. } => {
                if !self.is_impossible(row, &subject) {
                    self.cannot.push((row, subject));
                }
            }
            Line::Measured {
                sessions,
                row,
                subject,
                figures,
            } => {
                if !self.subjects.contains(&subject) {
                    self.subjects.push(subject.clone());
                }
                let rounds = self.rounds.entry((sessions, row, subject));
                rounds.or_default().push(figures);
            }
        }
    }

    /// The sizes that were measured, from the smallest.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let mut sizes: Vec<u64> = self.rounds.keys().map(|(sessions, ..)| *sessions).collect();
        sizes.dedup();
        sizes
    }

    pub(crate) fn is_impossible(&self, row: Row, subject: &str) -> bool {
        self.cannot
            .iter()
            .any(|(its, whose)| *its == row && whose == subject)
    }

    /// A figure over all rounds.
    pub(crate) fn spread(
        &self,
        sessions: u64,
        row: Row,
        subject: &str,
        name: &str,
    ) -> Option<Spread> {
        let rounds = self.rounds.get(&(sessions, row, subject.to_owned()))?;
        Spread::of(
            rounds
                .iter()
                .filter_map(|figures| figures.get(name).copied()),
        )
    }

    pub(crate) fn median(&self, sessions: u64, row: Row, subject: &str, name: &str) -> Option<f64> {
        self.spread(sessions, row, subject, name)
            .map(|spread| spread.median)
    }
}

impl Spread {
    fn of(figures: impl Iterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_by(f64::total_cmp);
        Some(Self {
            least: *figures.first()?,
            median: *figures.get(figures.len() / 2)?,
            most: *figures.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_has_the_middle_and_the_ends() {
        let spread = |figures: &[f64]| Spread::of(figures.iter().copied());
        assert_eq!(spread(&[]), None);
        let expected = Spread {
            least: 1.0,
            median: 2.0,
            most: 9.0,
        };
        assert_eq!(spread(&[9.0, 1.0, 2.0]), Some(expected));
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/results.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        let measured = |ns: f64| Line::Measured {
            sessions: 10,
            row: Row::FetchInUse,
            subject: "redb".to_owned(),
            figures: Figures::from([("ns".to_owned(), ns)]),
        };
        let cannot = Line::Cannot {
            sessions: 10,
            row: Row::List,
            subject: "redb".to_owned(),
        };
        let lines = [
            measured(3.0),
            cannot,
            measured(1.0),
            measured(2.0),
            Line::Left("x".into()),
        ];
        for line in lines {
            journal.write(&line).unwrap();
        }

        let results = read(&path).unwrap();
        assert_eq!(results.sizes(), [10]);
        assert_eq!(results.subjects, ["redb"]);
        assert_eq!(results.median(10, Row::FetchInUse, "redb", "ns"), Some(2.0));
        assert_eq!(results.median(10, Row::FetchAll, "redb", "ns"), None);
        assert!(results.is_impossible(Row::List, "redb"));
        assert!(!results.is_impossible(Row::FetchInUse, "redb"));
        assert_eq!(results.left, ["x"]);
    }
}
