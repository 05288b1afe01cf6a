//! Results as text.

use crate::input::Input;
use crate::measure::Row;

/// A table in Markdown.
pub fn markdown(input: &Input, rows: &[Row]) -> String {
    let mut text = format!("\n{}\n\n", input.title());
    text += "| codec | compressed | compress | decompress |\n|---|--:|--:|--:|\n";
    for Row { name, ratio, compress, decompress } in rows {
        text += &format!(
            "| {name} | {:.1} % | {compress:.0} MB/s | {decompress:.0} MB/s |\n",
            ratio * 100.0
        );
    }
    text
}
