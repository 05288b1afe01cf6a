//! Tables of untrusted text.
//!
//! No cell is wider than its column allows, and only one row is in memory at a time, so the output
//! grows only with the number of rows.

use std::io::{self, Write};

use crate::report::units;

/// Maximum number of characters of a type.
pub const TYPE: usize = 16;
/// Maximum number of characters of a shape.
pub const SHAPE: usize = 40;

/// The format of a column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Maximum number of characters of a cell. Longer cells lose their middle.
    max: usize,
    is_number: bool,
}

impl Column {
    /// Returns a column of text with at most `max` characters.
    pub const fn text(max: usize) -> Self {
        Self { max, is_number: false }
    }

    /// Returns a column of numbers, which are aligned to the right and never cut.
    pub const fn number() -> Self {
        Self { max: usize::MAX, is_number: true }
    }
}

/// Writes `rows` in columns that are as wide as their widest cell, each line after `indent`.
///
/// `rows` is iterated twice: first for the widths, then for the text.
pub fn write<const N: usize>(
    out: &mut impl Write,
    columns: &[Column; N],
    indent: &str,
    rows: impl Iterator<Item = [String; N]> + Clone,
) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows.clone() {
        for ((width, cell), column) in widths.iter_mut().zip(&row).zip(columns) {
            *width = cell.chars().count().min(column.max).max(*width);
        }
    }
    let mut line = String::new();
    for row in rows {
        line.clear();
        for ((cell, column), width) in row.iter().zip(columns).zip(widths) {
            let gap = if line.is_empty() { indent } else { "  " };
            line.push_str(gap);
            push_cell(&mut line, &units::clip(cell, column.max), width, column.is_number);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Appends a padded cell. The standard library's formatter panics for widths above 65,535.
fn push_cell(line: &mut String, cell: &str, width: usize, is_number: bool) {
    let padding = width.saturating_sub(cell.chars().count());
    let pad = |line: &mut String| line.extend(std::iter::repeat_n(' ', padding));
    if is_number {
        pad(line);
    }
    line.push_str(cell);
    if !is_number {
        pad(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<const N: usize>(columns: [Column; N], rows: &[[&str; N]]) -> String {
        let mut out = Vec::new();
        let rows = rows.iter().map(|row| row.map(str::to_owned));
        write(&mut out, &columns, "  ", rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_up_to_a_limit() {
        let columns = [Column::text(5), Column::number()];
        let text = written(columns, &[["größe", "1"], ["x", "1000"], ["abcdefgh", "2"]]);
        assert_eq!(text, "  größe     1\n  x      1000\n  ab…gh     2\n");
        assert_eq!(written([Column::text(9)], &[["a"], ["b"]]), "  a\n  b\n");
    }

    #[test]
    fn writes_very_long_cells() {
        let long = "n".repeat(200_000);
        let text = written([Column::text(100), Column::number()], &[[&long, &long], ["a", "1"]]);
        assert_eq!(text.lines().count(), 2);
    }
}
