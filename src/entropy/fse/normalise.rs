//! Rounds the frequencies of symbols to whole cells of a table.

use crate::entropy::fse::{MAX_SYMBOLS, Probabilities, RARE};

/// Distributes 2^`table_log` cells among the symbols exactly as zstd does.
///
/// A share is rounded down, or up if it is small and its remainder is large. Returns `None` if zstd
/// would find no distribution.
pub(crate) fn normalise(counts: &[u32], total: u32, table_log: u32) -> Option<Probabilities> {
    /// Remainders above which a share is rounded up, in 2^-20 cells, by its number of cells.
    const ROUND_UP: [u64; 8] = [0, 473_195, 504_333, 520_860, 550_000, 700_000, 750_000, 830_000];
    let scale = 62 - table_log;
    let step = (1_u64 << 62) / u64::from(total);
    let low = total >> table_log;
    let mut cells = [0_i16; MAX_SYMBOLS];
    let mut left = 1_i32 << table_log;
    let (mut largest, mut largest_cells) = (0, 0);
    for (symbol, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
        if count <= low {
            cells[symbol] = RARE;
            left -= 1;
            continue;
        }
        let exact = u64::from(count) * step;
        let mut share = exact >> scale;
        if share < 8 && exact - (share << scale) > ROUND_UP[share as usize] << (scale - 20) {
            share += 1;
        }
        cells[symbol] = share as i16;
        left -= share as i32;
        if share > largest_cells {
            (largest, largest_cells) = (symbol, share);
        }
    }
    if -left >= (largest_cells >> 1) as i32 {
        normalise_crowded(counts, total, table_log, &mut cells)?;
    } else {
        cells[largest] += left as i16;
    }
    Some(Probabilities { table_log, cells, symbols: counts.len() })
}

/// Distributes cells where many symbols compete for a small table, as zstd does.
///
/// Rare symbols get their cells first, and the other symbols share the rest in proportion. Returns
/// `None` if one of the other symbols gets no cell.
fn normalise_crowded(counts: &[u32], total: u32, table_log: u32, cells: &mut [i16]) -> Option<()> {
    /// Marks a symbol that shares the remaining cells.
    const OPEN: i16 = -2;
    let low = total >> table_log;
    let mut one = (3 * total) >> (table_log + 1);
    let mut open_total = total;
    let mut done = 0;
    for (cells, &count) in cells.iter_mut().zip(counts) {
        *cells = match count {
            0 => 0,
            _ if count <= low => RARE,
            _ if count <= one => 1,
            _ => OPEN,
        };
        if count > 0 && *cells != OPEN {
            done += 1;
            open_total -= count;
        }
    }
    let mut rest = (1 << table_log) - done;
    if rest == 0 {
        return Some(());
    }
    if open_total / rest > one {
        one = 3 * open_total / (2 * rest);
        for (cells, &count) in cells.iter_mut().zip(counts) {
            if *cells == OPEN && count <= one {
                *cells = 1;
                done += 1;
                open_total -= count;
            }
        }
        rest = (1 << table_log) - done;
    }
    if done as usize == counts.len() {
        let most = counts.iter().copied().max().unwrap_or_default();
        if let Some(first) = counts.iter().position(|&count| count == most) {
            cells[first] += rest as i16;
        }
        return Some(());
    }
    if open_total == 0 {
        while rest > 0 {
            for cells in cells[..counts.len()].iter_mut().filter(|cells| **cells > 0) {
                if rest > 0 {
                    *cells += 1;
                    rest -= 1;
                }
            }
        }
        return Some(());
    }
    let scale = 62 - table_log;
    let middle = (1_u64 << (scale - 1)) - 1;
    let step = ((u64::from(rest) << scale) + middle) / u64::from(open_total);
    let mut position = middle;
    for (cells, &count) in cells.iter_mut().zip(counts).filter(|(cells, _)| **cells == OPEN) {
        let end = position + u64::from(count) * step;
        *cells = ((end >> scale) - (position >> scale)) as i16;
        if *cells == 0 {
            return None;
        }
        position = end;
    }
    Some(())
}
