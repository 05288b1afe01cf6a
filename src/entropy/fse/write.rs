//! Encodes strings of symbols in two interleaved states (RFC 8878, sections 4.1 and 4.2.1.2).

use crate::bits::ForwardWriter;
use crate::entropy::fse::{
    EncodeTable, MAX_CELLS, MAX_TABLE_LOG, MIN_TABLE_LOG, Probabilities, normalise,
};
use crate::entropy::histogram::count_few;

/// Encodes symbols below `SYMBOLS`, after a description, into `dst`; returns the length in bytes.
///
/// Returns `None` if `dst` is too short, or if FSE saves nothing: for fewer than two symbols, if
/// all symbols are equal, or if all are different.
pub(crate) fn write<const SYMBOLS: usize>(
    symbols: &[u8],
    table_log: u32,
    dst: &mut [u8],
) -> Option<usize> {
    let counts = count_few::<SYMBOLS>(symbols);
    let most = counts.iter().copied().max()?;
    if symbols.len() <= 1 || most as usize == symbols.len() || most == 1 {
        return None;
    }
    let largest = counts.iter().rposition(|&count| count > 0)?;
    let probabilities = normalise(&counts[..=largest], symbols.len() as u32, table_log)?;
    let mut bits = ForwardWriter::new(dst);
    write_description(&probabilities, &mut bits)?;
    let description_len = bits.finish()?;
    let mut table = EncodeTable::<SYMBOLS, MAX_CELLS>::EMPTY;
    table.fill(&probabilities);
    let mut bits = ForwardWriter::new(dst.get_mut(description_len..)?);
    write_states(&table, symbols, &mut bits)?;
    Some(description_len + bits.finish()?)
}

/// Writes the symbols, last first, and the final states.
///
/// Two states take turns, the one of the last symbol first.
fn write_states<const SYMBOLS: usize>(
    table: &EncodeTable<SYMBOLS, MAX_CELLS>,
    symbols: &[u8],
    bits: &mut ForwardWriter,
) -> Option<()> {
    /// Number of symbols of which the bits fit between two flushes.
    const RUN: usize = 8;
    const _: () = assert!(RUN * MAX_TABLE_LOG as usize <= 56);
    let (rest, &[second, first]) = symbols.split_last_chunk()?;
    let mut first = table.first_state(first);
    let mut second = table.first_state(second);
    let (head, runs) = rest.as_rchunks::<RUN>();
    for run in runs.iter().rev() {
        for &[before, symbol] in run.as_chunks().0.iter().rev() {
            first = table.next_state(first, symbol, bits);
            second = table.next_state(second, before, bits);
        }
        bits.flush()?;
    }
    for &symbol in head.iter().rev() {
        (first, second) = (second, table.next_state(first, symbol, bits));
    }
    bits.flush()?;
    // The last symbol that was written is the first of the string.
    table.write_state(first, bits);
    table.write_state(second, bits);
    bits.push(1, 1);
    bits.flush()
}

/// Writes the description of a table; returns `None` if there is no room.
pub(crate) fn write_description(
    probabilities: &Probabilities,
    bits: &mut ForwardWriter,
) -> Option<()> {
    let table_log = probabilities.table_log;
    bits.write(table_log - MIN_TABLE_LOG, 4)?;
    let cells = &probabilities.cells[..probabilities.symbols];
    let mut remaining = (1 << table_log) + 1;
    let mut threshold = 1 << table_log;
    let mut width = table_log + 1;
    let mut symbol = 0;
    while remaining > 1 {
        let probability = i32::from(*cells.get(symbol)?);
        symbol += 1;
        let short_values = 2 * threshold - 1 - remaining;
        let mut value = probability + 1;
        if value >= threshold {
            value += short_values;
        }
        bits.write(value as u32, if value < short_values { width - 1 } else { width })?;
        remaining -= probability.abs();
        if remaining < 1 {
            return None;
        }
        while remaining < threshold {
            width -= 1;
            threshold >>= 1;
        }
        if probability == 0 {
            let zeros = cells.get(symbol..)?.iter().take_while(|&&cells| cells == 0).count();
            for _ in 0..zeros / 3 {
                bits.write(3, 2)?;
            }
            bits.write((zeros % 3) as u32, 2)?;
            symbol += zeros;
        }
    }
    Some(())
}
