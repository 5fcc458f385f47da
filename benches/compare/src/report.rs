//! Tables in Markdown.

use std::fmt::Write;

use crate::bars::{self, Bound, told};
use crate::results::{Results, Spread};
use crate::rows::{REPEATED, Row};

/// What a subject is called.
pub(crate) fn name(subject: &str) -> &str {
    match subject {
        "redb" => "sessionup-redb",
        "redb-cold" => "sessionup-redb, no records in memory",
        "memory" => "sessionup MemoryStore",
        "hash-map" => "RwLock<HashMap>",
        "bare-redb" => "bare redb, a commit each",
        "bare-redb-aside" => "bare redb, off the runtime",
        "bare-axum" => "bare axum",
        "sqlite" => "SQLite, our tables, group commit",
        "lmdb" => "LMDB, our tables, group commit",
        "tower-memory" => "tower-sessions MemoryStore",
        "tower-rusqlite" => "tower-sessions rusqlite",
        "tower-sqlx" => "tower-sessions sqlx-SQLite",
        "tower-redis" => "tower-sessions Redis",
        "go-bolt" => "Go sessionup-boltstore",
        "go-memory" => "Go sessionup memstore",
        other => other,
    }
}

/// Its name as Markdown has it.
fn title(subject: &str) -> String {
    let name = name(subject);
    match subject {
        "redb" => format!("**{name}**"),
        "hash-map" => format!("`{name}`"),
        _ => name.to_owned(),
    }
}

/// All tables of the results.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    for line in &results.machine {
        put(&mut text, &format!("- {line}"));
    }
    text.push('\n');
    bars_table(&mut text, results);
    for size in results.sizes().into_iter().rev() {
        put(&mut text, &format!("\n### {}\n", told(size)));
        reads(&mut text, results, size);
        writes(&mut text, results, size);
        rest(&mut text, results, size);
        crowd(&mut text, results, size);
    }
    http(&mut text, results);
    if !results.left.is_empty() {
        put(&mut text, "\n### Not measured\n");
        for left in &results.left {
            put(&mut text, &format!("- {left}"));
        }
    }
    text
}

fn bars_table(text: &mut String, results: &Results) {
    put(text, "| what | bar | reached | |\n|---|---:|---:|---|");
    for bar in bars::all(results) {
        let bound = match bar.bound {
            Bound::AtMost(most) => format!("≤ {most}"),
            Bound::AtLeast(least) => format!("≥ {least}"),
        };
        let met = if bar.is_met() { "met" } else { "**not met**" };
        let reached = match bar.reached {
            large if large >= 100.0 => format!("{large:.0}"),
            small => format!("{small:.2}"),
        };
        let (what, unit) = (&bar.what, bar.unit);
        put(
            text,
            &format!("| {what} | {bound} {unit} | {reached} {unit} | {met} |"),
        );
    }
}

/// A table with a line for each subject that has anything to say.
fn table(
    text: &mut String,
    results: &Results,
    heads: &[&str],
    cells: impl Fn(&str) -> Vec<Option<String>>,
) {
    put(text, &format!("\n| | {} |", heads.join(" | ")));
    put(text, &format!("|---|{}", "---:|".repeat(heads.len())));
    for subject in &results.subjects {
        let cells = cells(subject);
        if cells.iter().any(Option::is_some) {
            let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
            put(
                text,
                &format!("| {} | {} |", title(subject), cells.join(" | ")),
            );
        }
    }
}

fn reads(text: &mut String, results: &Results, size: u64) {
    let rows: Vec<Row> = REPEATED
        .into_iter()
        .take_while(|row| *row != Row::Create1)
        .collect();
    let heads: Vec<&str> = rows.iter().map(|row| row.title()).collect();
    table(text, results, &heads, |subject| {
        let cell = |row: &Row| match results.spread(size, *row, subject, "ns") {
            Some(spread) => Some(time(spread)),
            None if results.is_impossible(*row, subject) => Some("cannot".to_owned()),
            None => None,
        };
        only_if_measured(rows.iter().map(cell).collect())
    });
}

fn writes(text: &mut String, results: &Results, size: u64) {
    let rows = [
        Row::Create1,
        Row::Create64,
        Row::Create512,
        Row::Delete64,
        Row::DeleteUser64,
    ];
    let heads = [
        "create: a second",
        "64 callers: a second",
        "p50, p99",
        "commits each",
        "written each",
        "512 callers: a second",
        "p50, p99",
        "written each",
        "delete, 64 callers: a second",
        "delete a user's ten, 64 callers: a second",
    ];
    table(text, results, &heads, |subject| {
        let rate = |row: Row| match results.spread(size, row, subject, "ns") {
            Some(spread) => Some(per_second(spread)),
            None if results.is_impossible(row, subject) => Some("cannot".to_owned()),
            None => None,
        };
        let figure = |row: Row, name: &str| results.median(size, row, subject, name);
        let waits = |row: Row| {
            let (p50, p99) = (figure(row, "p50")?, figure(row, "p99")?);
            Some(format!("{}, {}", duration(p50 * 1e3), duration(p99 * 1e3)))
        };
        let written = |row: Row| figure(row, "written").map(bytes);
        let [one, few, many, delete, delete_user] = rows;
        only_if_measured(vec![
            rate(one),
            rate(few),
            waits(few),
            figure(few, "commits").map(|commits| format!("{commits:.3}")),
            written(few),
            rate(many),
            waits(many),
            written(many),
            rate(delete),
            rate(delete_user),
        ])
    });
}

fn rest(text: &mut String, results: &Results, size: u64) {
    let heads = [
        "file, a session",
        "closed",
        "memory of the process",
        "open after a clean close",
        "open after kill -9",
        "prune a fifth",
        "usual wait of a writer",
        "its longest meanwhile",
    ];
    table(text, results, &heads, |subject| {
        let figure = |row: Row, name: &str| results.median(size, row, subject, name);
        let ms = |row: Row| figure(row, "ms").map(|ms| duration(ms * 1e6));
        let pruned = results.is_impossible(Row::Prune, subject);
        only_if_measured(vec![
            figure(Row::Size, "file")
                .filter(|file| *file > 0.0)
                .map(|file| bytes(file / size as f64)),
            figure(Row::Closed, "file")
                .filter(|file| *file > 0.0)
                .map(|file| bytes(file / size as f64)),
            figure(Row::Size, "resident").map(bytes),
            ms(Row::Open),
            ms(Row::OpenKilled),
            ms(Row::Prune).or_else(|| pruned.then(|| "cannot".to_owned())),
            figure(Row::Prune, "usual").map(|wait| duration(wait * 1e3)),
            figure(Row::Prune, "max").map(|wait| duration(wait * 1e3)),
        ])
    });
}

/// Writes the rate and the waits of logins beside an account with very many sessions.
fn crowd(text: &mut String, results: &Results, size: u64) {
    let heads = [
        "creates a second, 64 callers",
        "while a crowd is listed",
        "longest wait",
        "while a crowd is revoked",
        "longest wait",
        "to revoke it takes",
    ];
    table(text, results, &heads, |subject| {
        let figure = |row: Row, name: &str| results.median(size, row, subject, name);
        let rate = |row: Row, name: &str| match figure(row, name) {
            Some(nanos) => Some(count(1e9 / nanos)),
            None if results.is_impossible(row, subject) => Some("cannot".to_owned()),
            None => None,
        };
        let longest = |row: Row| figure(row, "max").map(|wait| duration(wait * 1e3));
        let usual = figure(Row::CrowdListed, "usual-ns").or(figure(Row::CrowdRevoked, "usual-ns"));
        only_if_measured(vec![
            usual.map(|nanos| count(1e9 / nanos)),
            rate(Row::CrowdListed, "ns"),
            longest(Row::CrowdListed),
            rate(Row::CrowdRevoked, "ns"),
            longest(Row::CrowdRevoked),
            figure(Row::CrowdRevoked, "ms").map(|ms| duration(ms * 1e6)),
        ])
    });
}

fn http(text: &mut String, results: &Results) {
    for size in results.sizes() {
        let Some(bare) = results.median(size, Row::Http, "bare-axum", "per_second") else {
            continue;
        };
        put(text, &format!("\n### Over HTTP, {}", told(size)));
        let heads = ["requests a second", "of bare axum", "p50, p99"];
        table(text, results, &heads, |subject| {
            let rate = results.spread(size, Row::Http, subject, "per_second");
            let wait = |name| results.median(size, Row::Http, subject, name);
            let waits = wait("p50").zip(wait("p99"));
            vec![
                rate.map(|rate| format!("{:.0} ({:.0}–{:.0})", rate.median, rate.least, rate.most)),
                rate.map(|rate| format!("{:.0} %", rate.median / bare * 100.0)),
                waits.map(|(p50, p99)| format!("{}, {}", duration(p50 * 1e3), duration(p99 * 1e3))),
            ]
        });
    }
}

/// A subject of which nothing is known here has no line, whatever it cannot do.
fn only_if_measured(cells: Vec<Option<String>>) -> Vec<Option<String>> {
    match cells.iter().flatten().all(|cell| cell == "cannot") {
        true => Vec::new(),
        false => cells,
    }
}

fn put(text: &mut String, line: &str) {
    // Into text.
    let _ = writeln!(text, "{line}");
}

fn time(spread: Spread) -> String {
    let Spread {
        least,
        median,
        most,
    } = spread;
    format!(
        "{} ({}–{})",
        duration(median),
        duration(least),
        duration(most)
    )
}

fn per_second(nanos: Spread) -> String {
    let rate = |ns: f64| count(1e9 / ns);
    format!(
        "{} ({}–{})",
        rate(nanos.median),
        rate(nanos.most),
        rate(nanos.least)
    )
}

fn count(number: f64) -> String {
    match number {
        large if large >= 1e6 => format!("{:.1} M", large / 1e6),
        middle if middle >= 1e4 => format!("{:.1} k", middle / 1e3),
        middle if middle >= 10.0 => format!("{middle:.0}"),
        small => format!("{small:.2}"),
    }
}

/// Nanoseconds as people write them.
pub(crate) fn duration(nanos: f64) -> String {
    let (value, unit) = match nanos {
        small if small < 1e3 => (small, "ns"),
        small if small < 1e6 => (small / 1e3, "µs"),
        large if large < 1e9 => (large / 1e6, "ms"),
        large => (large / 1e9, "s"),
    };
    match value {
        large if large >= 100.0 => format!("{large:.0} {unit}"),
        middle if middle >= 10.0 => format!("{middle:.1} {unit}"),
        small => format!("{small:.2} {unit}"),
    }
}

fn bytes(number: f64) -> String {
    match number {
        small if small < 10_240.0 => format!("{small:.0} B"),
        middle if middle < 1024.0 * 1024.0 => format!("{:.1} KiB", middle / 1024.0),
        large => format!("{:.0} MiB", large / 1024.0 / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_as_people_write_them() {
        let cases = [
            (duration(87.654), "87.7 ns"),
            (duration(1_234.0), "1.23 µs"),
            (duration(7_990_000.0), "7.99 ms"),
            (duration(1.5e9), "1.50 s"),
            (count(1_234_567.0), "1.2 M"),
            (count(48_700.0), "48.7 k"),
            (count(830.4), "830"),
            (count(0.14), "0.14"),
            (bytes(398.4), "398 B"),
            (bytes(13_238.0), "12.9 KiB"),
            (bytes(132_988_928.0), "127 MiB"),
            (told(1_000_000), "1,000,000 stored"),
            (told(100), "100 stored"),
        ];
        for (told, expected) in cases {
            assert_eq!(told, expected);
        }
    }
}
