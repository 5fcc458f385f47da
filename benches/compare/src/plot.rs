//! Plots as SVG.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use subject::Error;

use crate::bars::told;
use crate::report::{duration, name};
use crate::results::Results;
use crate::rows::Row;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Subjects with their colours in plots, in the order of legends.
const LOOKS: [(&str, RGBColor); 14] = [
    ("redb", RGBColor(0xd6, 0x2d, 0x20)),
    ("redb-cold", RGBColor(0xf0, 0x8a, 0x7f)),
    ("memory", RGBColor(0xb0, 0x6a, 0x00)),
    ("hash-map", RGBColor(0x77, 0x77, 0x77)),
    ("bare-redb", RGBColor(0x22, 0x22, 0x22)),
    ("sqlite", RGBColor(0x2e, 0x7d, 0x32)),
    ("lmdb", RGBColor(0xc5, 0x1b, 0x7d)),
    ("tower-memory", RGBColor(0x00, 0x9e, 0x73)),
    ("tower-rusqlite", RGBColor(0x00, 0x57, 0xb8)),
    ("tower-sqlx", RGBColor(0x56, 0xb4, 0xe9)),
    ("tower-redis", RGBColor(0x8e, 0x44, 0xad)),
    ("go-bolt", RGBColor(0x00, 0xad, 0xd8)),
    ("go-memory", RGBColor(0x5d, 0x6d, 0x7e)),
    ("bare-axum", RGBColor(0x22, 0x22, 0x22)),
];
/// Those that are durable, or could be.
const DURABLE: [&str; 8] = [
    "redb",
    "bare-redb",
    "sqlite",
    "lmdb",
    "tower-rusqlite",
    "tower-sqlx",
    "tower-redis",
    "go-bolt",
];

struct Line {
    label: &'static str,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws all plots into a directory.
pub(crate) fn draw(results: &Results, directory: &Path) -> Result<(), Error> {
    costs(results, &directory.join("costs.svg"))?;
    creates(results, &directory.join("creates.svg"))?;
    shares(results, &directory.join("http.svg"))
}

/// What an operation costs by the number of sessions, a panel for each operation.
fn costs(results: &Results, path: &Path) -> Result<(), Error> {
    let panels = [
        (Row::FetchAll, "fetch any session"),
        (Row::List, "list a user's ten"),
        (
            Row::Create64,
            "create, 64 callers, durable where there is a file",
        ),
        (
            Row::Delete64,
            "delete, 64 callers, durable where there is a file",
        ),
    ];
    let size = (1_040, 690 + key_height(1_040, LOOKS.len()));
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (panels_area, legend) = area.split_vertically(690);
    let mut seen = Vec::new();
    for (area, (row, title)) in panels_area.split_evenly((2, 2)).iter().zip(panels) {
        let lines = lines(&LOOKS.map(|(subject, _)| subject), |subject| {
            let point = |size| Some((size as f64, results.median(size, row, subject, "ns")?));
            results.sizes().into_iter().filter_map(point).collect()
        });
        panel(
            area,
            title,
            ("sessions stored", "time each"),
            &lines,
            |ns| duration(*ns),
        )?;
        for line in lines {
            if !seen.iter().any(|(label, _)| *label == line.label) {
                seen.push((line.label, line.color));
            }
        }
    }
    key(&legend, &seen)?;
    area.present()?;
    Ok(())
}

/// Durable creates a second by how many callers there are, with the most sessions.
fn creates(results: &Results, path: &Path) -> Result<(), Error> {
    let Some(&size) = results.sizes().last() else {
        return Ok(());
    };
    let rows = [Row::Create1, Row::Create64, Row::Create512];
    let lines = lines(&DURABLE, |subject| {
        let point = |row: Row| {
            let ns = results.median(size, row, subject, "ns")?;
            Some((row.callers() as f64, 1e9 / ns))
        };
        rows.into_iter().filter_map(point).collect()
    });
    let height = 400 + key_height(760, lines.len());
    let area = SVGBackend::new(path, (760, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let (chart, legend) = area.split_vertically(400);
    let title = format!("durable creates a second, {}", told(size));
    panel(
        &chart,
        &title,
        ("callers at once", "creates a second"),
        &lines,
        |rate| match *rate {
            large if large >= 1e3 => format!("{:.0} k", large / 1e3),
            small => format!("{small:.0}"),
        },
    )?;
    let seen: Vec<_> = lines.iter().map(|line| (line.label, line.color)).collect();
    key(&legend, &seen)?;
    area.present()?;
    Ok(())
}

/// Requests a second behind each middleware, of those that bare axum answers.
fn shares(results: &Results, path: &Path) -> Result<(), Error> {
    let Some((size, bare)) = results.sizes().into_iter().find_map(|size| {
        let bare = results.median(size, Row::Http, "bare-axum", "per_second")?;
        Some((size, bare))
    }) else {
        return Ok(());
    };
    let mut bars = Vec::new();
    for (subject, color) in LOOKS {
        if let Some(rate) = results.median(size, Row::Http, subject, "per_second") {
            bars.push((name(subject), color, rate / bare * 100.0));
        }
    }
    let height = 80 + u32::try_from(bars.len())? * 32;
    let area = SVGBackend::new(path, (760, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let title = format!(
        "requests a second of one route, bare axum is 100 % ({})",
        told(size)
    );
    area.draw(&Text::new(title, (20, 16), ("sans-serif", 18)))?;
    for (nth, (label, color, share)) in bars.into_iter().enumerate() {
        let y = 56 + i32::try_from(nth)? * 32;
        #[expect(clippy::cast_possible_truncation, reason = "a place on the page")]
        let width = (share.clamp(0.0, 130.0) * 3.6) as i32;
        area.draw(&Text::new(label, (20, y + 3), ("sans-serif", 15)))?;
        area.draw(&Rectangle::new(
            [(270, y), (270 + width, y + 20)],
            color.filled(),
        ))?;
        let told = format!("{share:.0} %");
        area.draw(&Text::new(told, (278 + width, y + 3), ("sans-serif", 15)))?;
    }
    area.present()?;
    Ok(())
}

fn lines(subjects: &[&str], points: impl Fn(&str) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |(subject, color): (&'static str, RGBColor)| {
        let points = points(subject);
        (subjects.contains(&subject) && !points.is_empty()).then_some(Line {
            label: name(subject),
            color,
            points,
        })
    };
    LOOKS.into_iter().filter_map(line).collect()
}

fn panel(
    area: &Area<'_>,
    title: &str,
    (below, beside): (&str, &str),
    lines: &[Line],
    told: impl Fn(&f64) -> String,
) -> Result<(), Error> {
    let points = || lines.iter().flat_map(|line| line.points.iter());
    let ends = |of: fn(&(f64, f64)) -> f64| {
        let least = points().map(of).fold(f64::INFINITY, f64::min);
        let most = points().map(of).fold(0.0, f64::max);
        (least, most)
    };
    let ((left, right), (low, high)) = (ends(|point| point.0), ends(|point| point.1));
    if !(left.is_finite() && low.is_finite()) {
        return Ok(());
    }
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(38)
        .y_label_area_size(70)
        .build_cartesian_2d(
            (left * 0.8..right * 1.25).log_scale(),
            (low * 0.6..high * 1.7).log_scale(),
        )?;
    chart
        .configure_mesh()
        .light_line_style(RGBColor(0xf2, 0xf2, 0xf2))
        .bold_line_style(RGBColor(0xdd, 0xdd, 0xdd))
        .x_desc(below)
        .y_desc(beside)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&told)
        .label_style(("sans-serif", 13))
        .draw()?;
    for line in lines {
        let stroke = line.color.stroke_width(2);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), stroke))?;
        let dot = |point: &(f64, f64)| Circle::new(*point, 3, line.color.filled());
        chart.draw_series(line.points.iter().map(dot))?;
    }
    Ok(())
}

/// The height of a line of a legend.
const KEY_ROW: u32 = 22;

fn key_columns(width: u32) -> u32 {
    (width / 260).max(1)
}

/// The height of a legend.
fn key_height(width: u32, entries: usize) -> u32 {
    let rows = u32::try_from(entries)
        .unwrap_or(u32::MAX)
        .div_ceil(key_columns(width));
    8 + rows.saturating_mul(KEY_ROW)
}

/// What the colours stand for, in columns.
fn key(area: &Area<'_>, entries: &[(&str, RGBColor)]) -> Result<(), Error> {
    let (width, _) = area.dim_in_pixel();
    let columns = key_columns(width);
    for (nth, (label, color)) in entries.iter().enumerate() {
        let nth = u32::try_from(nth)?;
        let x = i32::try_from(24 + nth % columns * (width / columns))?;
        let y = i32::try_from(8 + nth / columns * KEY_ROW)?;
        area.draw(&Rectangle::new(
            [(x, y + 4), (x + 18, y + 9)],
            color.filled(),
        ))?;
        area.draw(&Text::new(
            (*label).to_owned(),
            (x + 25, y),
            ("sans-serif", 14),
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use subject::Figures;

    use super::*;
    use crate::results::Line as Measured;

    #[test]
    fn legends_name_every_subject_within_the_picture() {
        let rows = [Row::FetchAll, Row::Create1, Row::Create64, Row::Create512];
        let lines = rows.into_iter().flat_map(|row| {
            LOOKS.map(|(subject, _)| Measured::Measured {
                sessions: 10,
                row,
                subject: subject.to_owned(),
                figures: Figures::from([("ns".to_owned(), 7.0)]),
            })
        });
        let results: Results = lines.collect();
        let directory = tempfile::tempdir().unwrap();
        draw(&results, directory.path()).unwrap();
        for (file, labels) in [("costs.svg", LOOKS.len()), ("creates.svg", DURABLE.len())] {
            let picture = std::fs::read_to_string(directory.path().join(file)).unwrap();
            let number = |text: &str, attribute: &str| -> u32 {
                let value = text.split_once(attribute).unwrap().1;
                let value = value.split('"').nth(1).unwrap();
                value.parse().unwrap()
            };
            let height = number(&picture, " height=");
            let within = LOOKS.iter().filter(|(subject, _)| {
                let label = name(subject).replace('<', "&lt;").replace('>', "&gt;");
                let text = picture.split("<text").find(|text| text.contains(&label));
                text.is_some_and(|text| number(text, " y=") + 14 <= height)
            });
            assert_eq!(within.count(), labels, "{file}");
        }
    }
}
