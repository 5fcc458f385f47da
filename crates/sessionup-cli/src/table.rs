//! Tables that fit the terminal.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Row, Table, Width};

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// To how many characters it may be cut. `None` if it is shown whole or not at all.
    pub(crate) least: Option<u16>,
    /// Columns with the smallest number are the last to be left out. The first column stays.
    pub(crate) rank: u8,
}

impl Column {
    pub(crate) const fn whole(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            least: None,
            rank,
        }
    }

    pub(crate) const fn cut(title: &'static str, rank: u8, least: u16) -> Self {
        Self {
            title,
            least: Some(least),
            rank,
        }
    }
}

const GAP: u16 = 2;

/// Writes a table, with a line feed at its end.
///
/// With a width, columns are cut and left out until it fits; the first column is always whole. Cells
/// must be free of characters that act.
pub(crate) fn render(columns: &[Column], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_truncation_indicator("\u{2026}");
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        let mut row = Row::from(row.iter().map(Cell::new).collect::<Vec<_>>());
        row.max_height(1);
        table.add_row(row);
    }
    let natural = table.column_max_content_widths();
    let shown = match width {
        Some(width) => fitting(columns, &natural, width),
        None => vec![true; columns.len()],
    };
    let last = shown.iter().rposition(|shown| *shown);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if Some(at) == last { 0 } else { GAP }));
        if shown.get(at) != Some(&true) {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if columns.get(at).is_none_or(|column| column.least.is_none()) {
            let natural = natural.get(at).copied().unwrap_or_default();
            let padding = column.padding_width();
            let width = Width::Fixed(natural.saturating_add(padding));
            column.set_constraint(ColumnConstraint::Absolute(width));
        }
    }
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

/// Says which columns are shown.
fn fitting(columns: &[Column], natural: &[u16], width: u16) -> Vec<bool> {
    let mut shown = vec![true; columns.len()];
    loop {
        let needed = columns.iter().zip(natural).zip(&shown);
        let needed = needed
            .filter(|(_, shown)| **shown)
            .map(|((column, natural), _)| {
                let least = column.least.map_or(*natural, |least| least.min(*natural));
                least.saturating_add(GAP)
            });
        let needed = needed.fold(0_u16, u16::saturating_add);
        if needed.saturating_sub(GAP) <= width {
            return shown;
        }
        let candidates = columns.iter().enumerate().skip(1);
        let candidates = candidates.filter(|(at, _)| shown.get(*at) == Some(&true));
        let Some((at, _)) = candidates.max_by_key(|(_, column)| column.rank) else {
            return shown;
        };
        if let Some(shown) = shown.get_mut(at) {
            *shown = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::whole("ID", 0),
        Column::cut("USER", 1, 6),
        Column::whole("ENDS", 2),
        Column::cut("AGENT", 3, 8),
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["0123456789", "ann", "in 3d", "Firefox 140 on Linux"]),
            row(["9876543210", "somebody@example.org", "in 12h", "curl"]),
        ]
    }

    #[test]
    fn tables_fit() {
        let cases: [(Option<u16>, &str); 5] = [
            (
                None,
                "\
ID          USER                  ENDS    AGENT
0123456789  ann                   in 3d   Firefox 140 on Linux
9876543210  somebody@example.org  in 12h  curl
",
            ),
            (
                Some(70),
                "\
ID          USER                  ENDS    AGENT
0123456789  ann                   in 3d   Firefox 140 on Linux
9876543210  somebody@example.org  in 12h  curl
",
            ),
            (
                Some(40),
                "\
ID          USER       ENDS    AGENT
0123456789  ann        in 3d   Firefox…
9876543210  somebody…  in 12h  curl
",
            ),
            (
                Some(26),
                "\
ID          USER    ENDS
0123456789  ann     in 3d
9876543210  someb…  in 12h
",
            ),
            (
                Some(5),
                "\
ID
0123456789
9876543210
",
            ),
        ];
        for (width, expected) in cases {
            let text = render(&COLUMNS, &rows(), width);
            assert_eq!(text, expected, "{width:?}\n{text}");
        }
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        for width in 10..120 {
            let text = render(&COLUMNS, &rows(), Some(width));
            for line in text.lines() {
                assert!(
                    line.chars().count() <= usize::from(width),
                    "{width}: {line}"
                );
            }
        }
    }

    #[test]
    fn table_without_rows_has_its_titles() {
        assert_eq!(render(&COLUMNS, &[], Some(80)), "ID  USER  ENDS  AGENT\n");
    }
}
