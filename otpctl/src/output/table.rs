//! Columns that line up: a bold heading, two spaces between, nothing drawn.

use super::line::Line;
use super::line::Tone;

/// Rows under one heading.
pub(crate) struct Table {
    rows: Vec<Vec<Line>>,
}

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(|heading| Line::new().then(Tone::Strong, heading)).to_vec()] }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Line; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Every row as a line. A column in which no row has anything is left out, heading and all.
    pub(crate) fn lines(self) -> Vec<Line> {
        let widths = self.widths();
        self.rows.into_iter().map(|row| join(row, &widths)).collect()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        for column in 0..self.rows.first().map_or(0, Vec::len) {
            let cells = || self.rows.iter().filter_map(|row| row.get(column)).map(Line::width);
            let empty = cells().skip(1).all(|width| width == 0);
            widths.push(if empty { 0 } else { cells().max().unwrap_or(0) });
        }
        widths
    }
}

fn join(row: Vec<Line>, widths: &[usize]) -> Line {
    let mut line = Line::new();
    let mut gap = 0;
    for (cell, width) in row.into_iter().zip(widths).filter(|(_, width)| **width > 0) {
        if cell.width() > 0 {
            line = line.plain(" ".repeat(gap)).append(cell.clone());
            gap = 0;
        }
        let missing = width.saturating_sub(cell.width());
        gap = GAP.saturating_add(gap).saturating_add(missing);
    }
    line
}

const GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: Table) -> Vec<String> {
        let words = |line: Line| line.spans().map(|(_, words)| words).collect::<String>();
        table.lines().into_iter().map(words).collect()
    }

    #[test]
    fn columns_line_up_and_lines_end_without_spaces() {
        let mut table = Table::new(["ID", "Name", "From"]);
        table.row(["1".into(), "電話".into(), "tty1".into()]);
        table.row(["10".into(), "Phone".into(), "".into()]);
        assert_eq!(text(table), ["ID  Name   From", "1   電話   tty1", "10  Phone"]);
    }

    #[test]
    fn a_column_without_content_is_left_out() {
        let mut table = Table::new(["A", "B", "C"]);
        table.row(["1".into(), "".into(), "3".into()]);
        assert_eq!(text(table), ["A  C", "1  3"]);
    }
}
