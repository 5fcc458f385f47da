//! Tables that fit the terminal.

use console::{measure_text_width, truncate_str};

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

const GAP: usize = 2;

/// The columns of a table and their widths.
///
/// They are chosen once, by the first rows. So a table of any length is written piece by piece.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    columns: Vec<Column>,
    /// `None` for a column that is left out.
    widths: Vec<Option<usize>>,
    /// Whether a longer cell is cut.
    is_limited: bool,
}

impl Layout {
    /// Chooses widths for rows. With a width, columns are cut and left out until it fits.
    pub(crate) fn of(columns: &[Column], rows: &[Vec<String>], width: Option<u16>) -> Self {
        let natural = columns.iter().enumerate().map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let widths = cells.map(|cell| measure_text_width(cell));
            widths.fold(column.title.len(), usize::max)
        });
        let mut layout = Self {
            columns: columns.to_vec(),
            widths: natural.map(Some).collect(),
            is_limited: width.is_some(),
        };
        if let Some(width) = width {
            layout.leave_out(width.into());
            layout.cut(width.into());
        }
        layout
    }

    /// Returns the titles of the columns that are left out.
    pub(crate) fn left_out(&self) -> Vec<&'static str> {
        let columns = self.columns.iter().zip(&self.widths);
        let hidden = columns.filter(|(_, width)| width.is_none());
        hidden.map(|(column, _)| column.title).collect()
    }

    /// Writes the line of titles.
    pub(crate) fn titles(&self) -> String {
        let titles = self.columns.iter().map(|column| column.title);
        self.line(titles)
    }

    /// Writes rows, a line each. Cells must be free of characters that act on a terminal.
    pub(crate) fn rows(&self, rows: &[Vec<String>]) -> String {
        let lines = rows
            .iter()
            .map(|row| self.line(row.iter().map(String::as_str)));
        lines.collect()
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut line = String::new();
        let shown = cells
            .zip(&self.widths)
            .filter_map(|(cell, width)| Some((cell, (*width)?)));
        for (cell, width) in shown {
            let cell = if self.is_limited && line.is_empty() {
                cell.into()
            } else if self.is_limited {
                truncate_str(cell, width, "\u{2026}")
            } else {
                cell.into()
            };
            let blanks = width.saturating_sub(measure_text_width(&cell)) + GAP;
            line.push_str(&cell);
            line.extend(std::iter::repeat_n(' ', blanks));
        }
        line.truncate(line.trim_end_matches(' ').len());
        line.push('\n');
        line
    }

    /// Says how many columns of the terminal are needed if all that can be cut is cut.
    fn least(&self) -> usize {
        let shown = self.columns.iter().zip(&self.widths);
        let widths = shown.filter_map(|(column, width)| {
            let natural = (*width)?;
            let least = column
                .least
                .map_or(natural, |least| natural.min(least.into()));
            Some(least + GAP)
        });
        widths.sum::<usize>().saturating_sub(GAP)
    }

    fn leave_out(&mut self, width: usize) {
        while self.least() > width {
            let shown = self.columns.iter().zip(&mut self.widths).skip(1);
            let shown = shown.filter(|(_, width)| width.is_some());
            let Some((_, last)) = shown.max_by_key(|(column, _)| column.rank) else {
                return;
            };
            *last = None;
        }
    }

    /// Takes from the widest column that can be cut, until the table fits.
    fn cut(&mut self, width: usize) {
        let needed = |widths: &[Option<usize>]| {
            let shown = widths.iter().flatten().map(|width| width + GAP);
            shown.sum::<usize>().saturating_sub(GAP)
        };
        while needed(&self.widths) > width {
            let columns = self.columns.iter().zip(&mut self.widths);
            let cuttable = columns.filter_map(|(column, width)| {
                let least = usize::from(column.least?);
                width.as_mut().filter(|width| **width > least)
            });
            let Some(widest) = cuttable.max_by_key(|width| **width) else {
                return;
            };
            *widest -= 1;
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

    fn render(columns: &[Column], rows: &[Vec<String>], width: Option<u16>) -> String {
        let layout = Layout::of(columns, rows, width);
        layout.titles() + &layout.rows(rows)
    }

    #[test]
    fn rows_wider_than_the_first_stay_within_the_terminal() {
        let layout = Layout::of(&COLUMNS, &rows(), Some(40));
        let later = [
            "0123456789",
            "another.very.long.name",
            "in 4000000y",
            "an agent",
        ];
        let later = vec![later.map(str::to_owned).to_vec()];
        assert_eq!(
            layout.rows(&later),
            "0123456789  another.\u{2026}  in 40\u{2026}  an agent\n"
        );
        let layout = Layout::of(&COLUMNS, &rows(), None);
        assert!(
            layout
                .rows(&later)
                .contains("another.very.long.name  in 4000000y  an agent")
        );
    }

    #[test]
    fn titles_of_columns_left_out_are_known() {
        assert_eq!(
            Layout::of(&COLUMNS, &rows(), Some(26)).left_out(),
            ["AGENT"]
        );
        assert!(
            Layout::of(&COLUMNS, &rows(), Some(40))
                .left_out()
                .is_empty()
        );
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
0123456789  ann        in 3d   Firefox …
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
