//! FSE tables for the codes of sequences, and their descriptions (RFC 8878, section 4.1).

use crate::bits::ForwardWriter;
use crate::entropy::fse::{self, EncodeTable, MIN_TABLE_LOG};

/// Upper bound of the number of codes: lengths have at most 53, offsets at most 32.
pub(super) const CODES: usize = 64;
/// Number of cells of the largest table.
const MAX_CELLS: usize = 1 << 9;

/// A table for one kind of code.
pub(super) type Table = EncodeTable<CODES, MAX_CELLS>;

/// Modes in which a table is described in front of the sequences.
pub(super) mod mode {
    /// The table consists of a single code, stored in one byte.
    pub(in super::super) const REPEAT: u8 = 1;
    /// The number of cells of each code is described.
    pub(in super::super) const DESCRIBED: u8 = 2;
}

/// Fills a table for codes that occur `counts` times, and writes its description to `dst`.
///
/// Returns the mode and the length of the description, or `None` if there is no room or no code
/// occurs.
pub(super) fn fill(
    table: &mut Table,
    counts: &[u32; CODES],
    max_log: u32,
    dst: &mut [u8],
) -> Option<(u8, usize)> {
    let largest = counts.iter().rposition(|&count| count > 0)?;
    let total: u32 = counts.iter().sum();
    if counts[largest] == total {
        table.fill_with_single(largest as u8);
        *dst.first_mut()? = largest as u8;
        return Some((mode::REPEAT, 1));
    }
    let counts = &counts[..=largest];
    let probabilities = fse::normalise(counts, total, table_log(counts, total, max_log))?;
    let mut bits = ForwardWriter::new(dst);
    fse::write_description(&probabilities, &mut bits)?;
    let len = bits.finish()?;
    table.fill(&probabilities);
    Some((mode::DESCRIBED, len))
}

/// Returns the base-2 logarithm of a suitable table size for these counts, at most `max_log`.
fn table_log(counts: &[u32], total: u32, max_log: u32) -> u32 {
    let least = counts.len().ilog2() + 2;
    let worth = (total - 1).ilog2().saturating_sub(2);
    worth.max(least).clamp(MIN_TABLE_LOG, max_log)
}
