//! Bars that show how much of some data remains.

use crate::report::terminal;

/// Maximum number of characters of the longest bar.
const LONGEST: usize = 40;
/// Number of characters below which a bar shows nothing.
const SHORTEST: usize = 4;
/// Parts of a character, from an eighth to seven eighths.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
/// Codes of the terminal before the remaining part, before the rest, and after both.
const REMAINING: &str = "\x1b[36m";
const REST: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// How bars are drawn.
#[derive(Debug, Clone, Copy)]
pub struct Bars {
    /// Number of characters of the longest bar; 0 if there is no room for bars.
    width: usize,
    is_unicode: bool,
    has_colours: bool,
}

impl Bars {
    /// Creates bars for standard output, in lines with `others` other characters.
    pub fn beside(others: usize) -> Self {
        let room = terminal::width().saturating_sub(others);
        Self {
            width: if room < SHORTEST { 0 } else { room.min(LONGEST) },
            is_unicode: terminal::is_unicode(),
            has_colours: terminal::has_colours(),
        }
    }

    /// Draws a bar for data of `whole` bytes, of which `part` remain. The longest bar is for data of
    /// `longest` bytes. The result has the width of the longest bar on the screen.
    pub fn draw(&self, part: u64, whole: u64, longest: u64) -> String {
        let cells = |bytes: u64, in_cell: usize| {
            let share = bytes as f64 / longest.max(1) as f64;
            ((share * (self.width * in_cell) as f64).round() as usize).min(self.width * in_cell)
        };
        let remaining = self.remaining(cells(part, 8), cells(part, 1));
        let drawn = remaining.chars().count();
        let total = cells(whole, 1).max(drawn);
        let rest = if self.is_unicode { "░" } else { "." }.repeat(total - drawn);
        let padding = " ".repeat(self.width.saturating_sub(total));
        let coloured = |code: &str, text: String| match self.has_colours && !text.is_empty() {
            true => format!("{code}{text}{RESET}"),
            false => text,
        };
        coloured(REMAINING, remaining) + &coloured(REST, rest) + &padding
    }

    fn remaining(&self, eighths: usize, cells: usize) -> String {
        if !self.is_unicode {
            return "#".repeat(cells);
        }
        let mut bar = "█".repeat(eighths / 8);
        bar.extend(EIGHTHS.get((eighths % 8).wrapping_sub(1)));
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_data() {
        let plain = Bars { width: 8, is_unicode: false, has_colours: false };
        for (part, whole, bar) in [
            (0, 0, "        "),
            (0, 800, "........"),
            (400, 800, "####...."),
            (800, 800, "########"),
            (100, 200, "#.      "),
            (1, 1, "        "),
            (900, 800, "########"),
        ] {
            assert_eq!(plain.draw(part, whole, 800), bar, "{part} of {whole}");
        }
        let unicode = Bars { is_unicode: true, ..plain };
        assert_eq!(unicode.draw(450, 800, 800), "████▌░░░");
        assert_eq!(unicode.draw(13, 13, 800), "▏       ");
        assert_eq!(unicode.draw(u64::MAX, u64::MAX, u64::MAX), "████████");
        let coloured = Bars { has_colours: true, ..plain };
        let bar = coloured.draw(400, 800, 800);
        assert_eq!(bar, "\x1b[36m####\x1b[0m\x1b[2m....\x1b[0m");
        let none = Bars { width: 0, ..unicode };
        assert_eq!(none.draw(400, 800, 800), "");
    }
}
