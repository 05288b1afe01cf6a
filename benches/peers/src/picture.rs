//! Results as a picture.
//!
//! A row for each codec, a block of rows for each file, three columns of bars. The picture has a
//! ground of its own, so that it can be read on light and dark pages. A codec that saves nothing
//! only copies: its speed gets a number, but no bar that would dwarf the others.

use std::error::Error;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::measure::Row;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const GROUND: RGBColor = RGBColor(250, 250, 248);
const TEXT: RGBColor = RGBColor(36, 41, 47);
const FAINT: RGBColor = RGBColor(100, 108, 117);
const OURS: RGBColor = RGBColor(207, 88, 21);
const THEIRS: RGBColor = RGBColor(139, 163, 190);

const WIDTH: i32 = 900;
const MARGIN: i32 = 20;
const ROW: i32 = 22;
const TITLE: i32 = 34;
const HEAD: i32 = 48;
/// Where columns begin, and how long their bars are.
const NAMES: i32 = 150;
const COLUMN: i32 = 250;
const BAR: f64 = 165.0;
/// Between a bar and its number.
const GAP: i32 = 6;
/// More than this part of the original is nothing saved.
const NOTHING_SAVED: f64 = 0.99;
const FOOTNOTE: &str =
    "One thread, memory used again. A speed without a bar: hardly anything was saved.";

/// A column of bars.
struct Column {
    head: &'static str,
    value: fn(&Row) -> f64,
    label: fn(f64) -> String,
    is_speed: bool,
}

impl Column {
    fn has_bar(&self, row: &Row) -> bool {
        !self.is_speed || row.ratio <= NOTHING_SAVED
    }

    /// What the longest bar stands for.
    fn largest(&self, results: &[(String, Vec<Row>)]) -> f64 {
        let rows = results.iter().flat_map(|(_, rows)| rows);
        rows.filter(|row| self.has_bar(row)).map(self.value).fold(0.0, f64::max)
    }
}

const COLUMNS: [Column; 3] = [
    Column {
        head: "size, of the original's",
        value: |row| row.ratio * 100.0,
        label: |value| format!("{value:.1} %"),
        is_speed: false,
    },
    Column { head: "compress, MB/s", value: |row| row.compress, label: thousands, is_speed: true },
    Column {
        head: "decompress, MB/s",
        value: |row| row.decompress,
        label: thousands,
        is_speed: true,
    },
];

/// Draws the rows of each file below its title.
pub fn draw(path: &Path, results: &[(String, Vec<Row>)]) -> Result<(), Box<dyn Error>> {
    let blocks: i32 = results.iter().map(|(_, rows)| TITLE + ROW * rows.len() as i32).sum();
    let height = MARGIN + HEAD + blocks + HEAD;
    let area = SVGBackend::new(path, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&GROUND)?;
    for (number, column) in (0..).zip(&COLUMNS) {
        text(&area, column.head, (NAMES + number * COLUMN, MARGIN + HEAD / 2), FAINT, HPos::Left)?;
    }
    let mut y = MARGIN + HEAD;
    for (title, rows) in results {
        text(&area, title, (MARGIN, y + TITLE / 2), TEXT, HPos::Left)?;
        y += TITLE;
        for row in rows {
            draw_row(&area, row, y, results)?;
            y += ROW;
        }
    }
    text(&area, FOOTNOTE, (MARGIN, y + HEAD / 2), FAINT, HPos::Left)?;
    area.present()?;
    Ok(())
}

/// A codec's name and its bars.
fn draw_row(
    area: &Area,
    row: &Row,
    y: i32,
    results: &[(String, Vec<Row>)],
) -> Result<(), Box<dyn Error>> {
    let middle = y + ROW / 2;
    let color = if row.name == "zipnn" { OURS } else { THEIRS };
    text(area, row.name, (NAMES - 12, middle), TEXT, HPos::Right)?;
    for (number, column) in (0..).zip(&COLUMNS) {
        let value = (column.value)(row);
        let start = NAMES + number * COLUMN;
        let mut end = start;
        if column.has_bar(row) {
            end += (BAR * value / column.largest(results)).round() as i32;
            area.draw(&Rectangle::new([(start, y + 3), (end, y + ROW - 3)], color.filled()))?;
            end += GAP;
        }
        let color = if column.has_bar(row) { TEXT } else { FAINT };
        text(area, &(column.label)(value), (end, middle), color, HPos::Left)?;
    }
    Ok(())
}

fn text(
    area: &Area,
    text: &str,
    place: (i32, i32),
    color: RGBColor,
    side: HPos,
) -> Result<(), Box<dyn Error>> {
    let style = ("sans-serif", 15).into_text_style(area).color(&color);
    area.draw(&Text::new(text, place, style.pos(Pos::new(side, VPos::Center))))?;
    Ok(())
}

/// A number with its thousands apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    match digits.len() {
        ..=3 => digits,
        len => format!("{},{}", &digits[..len - 3], &digits[len - 3..]),
    }
}
