//! What ours is to reach, and what it reached.

use crate::results::Results;
use crate::rows::Row;

/// Something that is to be reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) bound: Bound,
    pub(crate) reached: f64,
    pub(crate) unit: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bar {
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtMost(most) => self.reached <= most,
            Bound::AtLeast(least) => self.reached >= least,
        }
    }
}

/// Says what was reached, as far as it was measured.
pub(crate) fn all(results: &Results) -> Vec<Bar> {
    let sizes = results.sizes();
    let (Some(&few), Some(&many)) = (sizes.first(), sizes.last()) else {
        return Vec::new();
    };
    let of = |size, row, subject: &str, name: &str| results.median(size, row, subject, name);
    let ratio = |row, above: (u64, &str), below: (u64, &str)| {
        Some(of(above.0, row, above.1, "ns")? / of(below.0, row, below.1, "ns")?)
    };
    let mut bars = Vec::new();
    let mut bar = |what: String, bound, reached: Option<f64>, unit| {
        bars.extend(reached.map(|reached| Bar {
            what,
            bound,
            reached,
            unit,
        }));
    };
    let times = "times";
    bar(
        format!(
            "fetch of a session in use, {}: a `RwLock<HashMap>`'s get and clone",
            told(many)
        ),
        Bound::AtMost(2.0),
        ratio(Row::FetchInUse, (many, "redb"), (many, "hash-map")),
        times,
    );
    bar(
        format!(
            "fetch without records in memory, 64 callers, {}: bare redb's get and decode on their threads",
            told(many)
        ),
        Bound::AtMost(1.3),
        ratio(Row::FetchAll64, (many, "redb-cold"), (many, "bare-redb")),
        times,
    );
    bar(
        format!(
            "the same with one caller, {}: bare redb's off the runtime's threads",
            told(many)
        ),
        Bound::AtMost(1.3),
        ratio(
            Row::FetchAll,
            (many, "redb-cold"),
            (many, "bare-redb-aside"),
        ),
        times,
    );
    for row in [Row::FetchInUse, Row::List, Row::Delete64] {
        if few < many {
            bar(
                format!("{}, {}: with {}", row.title(), told(many), told(few)),
                Bound::AtMost(2.0),
                ratio(row, (many, "redb"), (few, "redb")),
                times,
            );
        }
    }
    for size in sizes.iter().copied().filter(|size| *size >= 100_000) {
        for (row, least) in [(Row::Create64, 5.0), (Row::Create512, 10.0)] {
            bar(
                format!(
                    "{}, durable, {}: as many a second as with a commit each",
                    row.title(),
                    told(size)
                ),
                Bound::AtLeast(least),
                ratio(row, (size, "bare-redb"), (size, "redb")),
                times,
            );
            for (subject, engine) in [("sqlite", "SQLite"), ("lmdb", "LMDB")] {
                bar(
                    format!(
                        "{}, durable, {}: as many a second as {engine} with the same tables",
                        row.title(),
                        told(size)
                    ),
                    Bound::AtLeast(1.0),
                    ratio(row, (size, subject), (size, "redb")),
                    times,
                );
            }
            let commit = of(size, row, "redb", "ns").zip(of(size, row, "redb", "commits"));
            let late = of(size, row, "redb", "p99").zip(commit);
            bar(
                format!(
                    "{}, {}: its 99th per cent, in commits",
                    row.title(),
                    told(size)
                ),
                Bound::AtMost(4.0),
                late.map(|(late, (ns, commits))| late * 1e3 / (ns / commits)),
                "commits",
            );
        }
        bar(
            format!("written for each of 64 creates at once, {}", told(size)),
            Bound::AtMost(8_192.0),
            of(size, Row::Create64, "redb", "written"),
            "bytes",
        );
    }
    bar(
        format!("the closed file, {}, a session", told(many)),
        Bound::AtMost(400.0),
        of(many, Row::Closed, "redb", "file").map(|bytes| bytes / many as f64),
        "bytes",
    );
    let wait = of(many, Row::Prune, "redb", "max").zip(of(many, Row::Prune, "redb", "usual"));
    bar(
        format!(
            "prune of a fifth, {}: the longest wait of another writer above the usual",
            told(many)
        ),
        Bound::AtMost(50.0),
        wait.map(|(longest, usual)| (longest - usual) / 1e3),
        "ms",
    );
    let http = sizes.iter().find_map(|size| {
        let rate = |subject| of(*size, Row::Http, subject, "per_second");
        Some(rate("redb")? / rate("bare-axum")? * 100.0)
    });
    bar(
        "a route of axum behind `auth`: requests a second of the bare one".to_owned(),
        Bound::AtLeast(95.0),
        http,
        "%",
    );
    for row in [Row::Open, Row::OpenKilled] {
        bar(
            format!("{}, {}", row.title(), told(many)),
            Bound::AtMost(1_000.0),
            of(many, row, "redb", "ms"),
            "ms",
        );
    }
    bars
}

/// A number of sessions as people write it.
pub(crate) fn told(sessions: u64) -> String {
    let digits = sessions.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{text} stored")
}

#[cfg(test)]
mod tests {
    use subject::Figures;

    use super::*;
    use crate::results::Line;

    /// Results in which an operation took each of these subjects so many nanoseconds.
    fn results(sessions: u64, row: Row, subjects: &[(&str, f64)]) -> Results {
        let lines = subjects.iter().map(|(subject, ns)| Line::Measured {
            sessions,
            row,
            subject: (*subject).to_owned(),
            figures: Figures::from([("ns".to_owned(), *ns)]),
        });
        lines.collect()
    }

    #[test]
    fn creates_are_held_against_other_engines_with_our_tables() {
        let took = [("redb", 20.0), ("sqlite", 30.0), ("lmdb", 10.0)];
        let cases = [
            (100_000, Row::Create64, "create, 64 callers"),
            (1_000_000, Row::Create512, "create, 512 callers"),
        ];
        for (sessions, row, title) in cases {
            let bars = all(&results(sessions, row, &took));
            let reached = |engine: &str| {
                let what = format!(
                    "{title}, durable, {}: as many a second as {engine} with the same tables",
                    told(sessions)
                );
                let bar = bars.iter().find(|bar| bar.what == what).unwrap();
                assert_eq!(bar.bound, Bound::AtLeast(1.0));
                (bar.reached, bar.is_met())
            };
            assert_eq!(bars.len(), 2, "{bars:?}");
            assert_eq!(reached("SQLite"), (1.5, true));
            assert_eq!(reached("LMDB"), (0.5, false));
        }
    }

    #[test]
    fn engines_that_were_not_measured_have_no_bar_nor_have_few_sessions() {
        let took = [("redb", 20.0), ("sqlite", 30.0)];
        let bars = all(&results(100_000, Row::Create64, &took));
        assert_eq!(bars.len(), 1, "{bars:?}");
        let bars = all(&results(10_000, Row::Create64, &took));
        assert_eq!(bars, []);
    }
}
