//! FSE tables of the codes of sequences, and their descriptions (RFC 8878, section 4.1).

use crate::bits::ForwardWriter;
use crate::entropy::fse::{self, EncodeTable, MIN_TABLE_LOG};

/// Upper bound of the codes: lengths have fewer than 53, offsets fewer than 32.
pub(super) const CODES: usize = 64;
/// Cells of the largest table.
const MAX_CELLS: usize = 1 << 9;

/// A table for one kind of code.
pub(super) type Table = EncodeTable<CODES, MAX_CELLS>;

/// How a table is described in front of the sequences.
pub(super) mod mode {
    /// A single code in one byte.
    pub(in super::super) const REPEAT: u8 = 1;
    /// The cells of each code.
    pub(in super::super) const DESCRIBED: u8 = 2;
}

/// Fills a table for codes with these counts and writes its description to `dst`.
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

/// Returns the size of a table, as a power of two, that suits this many codes and symbols.
fn table_log(counts: &[u32], total: u32, max_log: u32) -> u32 {
    let least = counts.len().ilog2() + 2;
    let worth = (total - 1).ilog2().saturating_sub(2);
    worth.max(least).clamp(MIN_TABLE_LOG, max_log)
}
