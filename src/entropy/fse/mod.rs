//! Finite State Entropy (RFC 8878, section 4.1).
//!
//! * *cell*: one of the 2^`table_log` entries of a table. The number of cells of a symbol is
//!   proportional to its frequency.
//! * *state*: the number of a cell. The states of an encoder are offset by the size of the table.
//! * *normalising*: rounding frequencies to whole cells.
//! * *description*: the number of cells of each symbol, as stored in front of the coded data.
//!
//! [`read`] decodes and [`write()`] encodes short strings of symbols in two interleaved states.
//! [`EncodeTable`] is for coders that arrange states differently.

mod encode_table;
mod normalise;
mod read;
mod write;

pub(crate) use encode_table::EncodeTable;
pub(crate) use normalise::normalise;
pub(crate) use read::read;
pub(crate) use write::{write, write_description};

/// Base-2 logarithm of the size of the smallest table that a description can express.
pub(crate) const MIN_TABLE_LOG: u32 = 5;
/// Base-2 logarithm of the size of the largest table for a string of symbols.
const MAX_TABLE_LOG: u32 = 6;
/// Number of cells of the largest table for a string of symbols.
const MAX_CELLS: usize = 1 << MAX_TABLE_LOG;
/// Maximum number of symbols of an alphabet.
const MAX_SYMBOLS: usize = 256;
/// Denotes a probability of less than one cell. The symbol still gets one cell.
const RARE: i16 = -1;

/// The number of cells of each symbol.
pub(crate) struct Probabilities {
    pub(crate) table_log: u32,
    pub(crate) cells: [i16; MAX_SYMBOLS],
    /// Number of symbols that are described.
    pub(crate) symbols: usize,
}

/// Returns the symbol of each cell of a table of at most `CELLS` cells.
pub(crate) fn spread<const CELLS: usize>(probabilities: &Probabilities) -> [u8; CELLS] {
    let size = 1 << probabilities.table_log;
    let cells = &probabilities.cells[..probabilities.symbols];
    let mut symbols = [0; CELLS];
    let mut common = size;
    for (symbol, _) in cells.iter().enumerate().filter(|&(_, &cells)| cells == RARE) {
        common -= 1;
        symbols[common] = symbol as u8;
    }
    let step = size / 2 + size / 8 + 3;
    let mut position = 0;
    for (symbol, &count) in cells.iter().enumerate() {
        for _ in 0..count.max(0) {
            symbols[position] = symbol as u8;
            loop {
                position = (position + step) % size;
                if position < common {
                    break;
                }
            }
        }
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns symbols below 12, of which lower symbols are more frequent.
    fn symbols<const LEN: usize>(seed: u32, skew: u32) -> [u8; LEN] {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % 12
        };
        core::array::from_fn(|_| (0..=skew).map(|_| random()).min().unwrap_or(0) as u8)
    }

    #[test]
    fn symbols_are_read_as_they_were_written() {
        let mut written = 0;
        for seed in 0..200 {
            let all: [u8; 255] = symbols(seed, seed % 4);
            for len in [2, 3, 5, 20, 100, 255] {
                for table_log in [MIN_TABLE_LOG, MAX_TABLE_LOG] {
                    let mut coded = [0; 300];
                    let symbols = &all[..len];
                    let Some(size) = write::<16>(symbols, table_log, &mut coded) else { continue };
                    let mut decoded = [0; 255];
                    assert_eq!(read(&coded[..size], &mut decoded), Some(len), "{symbols:?}");
                    assert_eq!(decoded[..len], *symbols);
                    assert!(read(&coded[..size], &mut decoded[..len - 1]).is_none(), "no room");
                    assert!(write::<16>(symbols, table_log, &mut coded[..size - 1]).is_none());
                    written += 1;
                }
            }
        }
        assert!(written > 1500, "{written}");
    }

    #[test]
    fn nothing_is_gained_from_too_few_or_equal_symbols() {
        let mut coded = [0; 100];
        for symbols in [&[][..], &[3], &[3; 50], &[1, 2, 3, 4]] {
            assert_eq!(write::<16>(symbols, MIN_TABLE_LOG, &mut coded), None, "{symbols:?}");
        }
    }

    #[test]
    fn all_cells_are_distributed() {
        for counts in [&[1, 1][..], &[1000, 1], &[3; 40], &[900, 5, 5, 5, 5, 80], &[1; 60]] {
            for table_log in [6, 7, 9] {
                let total = counts.iter().sum();
                let probabilities = normalise(counts, total, table_log).unwrap();
                let cells = &probabilities.cells[..probabilities.symbols];
                let sum: u32 = cells.iter().map(|&cells| u32::from(cells.unsigned_abs())).sum();
                assert_eq!(sum, 1 << table_log, "{counts:?}");
                let spread = spread::<512>(&probabilities);
                for (symbol, cells) in (0_u8..).zip(cells) {
                    let found = spread[..1 << table_log].iter().filter(|&&cell| cell == symbol);
                    assert_eq!(found.count(), usize::from(cells.unsigned_abs()));
                }
            }
        }
    }
}
