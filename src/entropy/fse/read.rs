//! Decodes strings of symbols in two interleaved states (RFC 8878, sections 4.1 and 4.2.1.2).

use crate::bits::{BackwardReader, ForwardReader};
use crate::entropy::fse::{
    MAX_CELLS, MAX_SYMBOLS, MAX_TABLE_LOG, MIN_TABLE_LOG, Probabilities, spread,
};

/// Length of the memory in which most strings have zeros after them.
const MAX_PADDED: usize = 136;

/// Decodes the symbols in `src`, which begins with a description, and returns their number.
///
/// Returns `None` if `src` is malformed or contains more symbols than fit into `symbols`.
pub(crate) fn read(src: &[u8], symbols: &mut [u8]) -> Option<usize> {
    let (probabilities, description_len) = read_description(src)?;
    let table = DecodeTable::new(&probabilities);
    let stream = &src[description_len..];
    let mut padded = [0; MAX_PADDED];
    let mut bits = BackwardReader::padded(stream, &mut padded)?;
    let mut state = bits.read(table.log)?;
    let mut other = bits.read(table.log)?;
    let mut count = 0;
    let mut push = |symbol| {
        *symbols.get_mut(count)? = symbol;
        count += 1;
        Some(())
    };
    loop {
        let cell = table.cells[state];
        push(cell.symbol)?;
        let Some(next) = bits.read(cell.bits.into()) else {
            push(table.cells[other].symbol)?;
            return Some(count);
        };
        state = other;
        other = usize::from(cell.base) + next;
    }
}

/// Reads the description of a table and returns it with its length in bytes.
fn read_description(src: &[u8]) -> Option<(Probabilities, usize)> {
    let mut bits = ForwardReader::new(src);
    let table_log = MIN_TABLE_LOG + bits.peek(4);
    bits.skip(4)?;
    if table_log > MAX_TABLE_LOG {
        return None;
    }
    let mut cells = [0; MAX_SYMBOLS];
    let mut symbol = 0;
    let mut remaining = (1 << table_log) + 1;
    let mut threshold = 1 << table_log;
    let mut width = table_log + 1;
    while remaining > 1 {
        let short_values = 2 * threshold - 1 - remaining;
        let short = bits.peek(width - 1) as i32;
        let value = if short < short_values {
            bits.skip(width - 1)?;
            short
        } else {
            let long = bits.peek(width) as i32;
            bits.skip(width)?;
            if long >= threshold { long - short_values } else { long }
        };
        let probability = value - 1;
        *cells.get_mut(symbol)? = probability as i16;
        symbol += 1;
        remaining -= probability.abs();
        while remaining < threshold {
            width -= 1;
            threshold >>= 1;
        }
        if probability == 0 {
            loop {
                let zeros = bits.peek(2);
                bits.skip(2)?;
                symbol += zeros as usize;
                if zeros < 3 {
                    break;
                }
            }
        }
    }
    (remaining == 1 && symbol <= MAX_SYMBOLS)
        .then(|| (Probabilities { table_log, cells, symbols: symbol }, bits.bytes_used()))
}

/// A cell of a decoder's table.
#[derive(Clone, Copy, Default)]
struct Cell {
    symbol: u8,
    /// Number of bits to read. Their value plus `base` is the next state.
    bits: u8,
    base: u8,
}

/// A decoder's table.
struct DecodeTable {
    log: u32,
    cells: [Cell; MAX_CELLS],
}

impl DecodeTable {
    fn new(probabilities: &Probabilities) -> Self {
        let log = probabilities.table_log;
        let symbols = spread::<MAX_CELLS>(probabilities);
        let mut next = probabilities.cells.map(i16::unsigned_abs);
        let mut cells = [Cell::default(); MAX_CELLS];
        for (cell, &symbol) in cells.iter_mut().zip(&symbols[..1 << log]) {
            let counter = &mut next[usize::from(symbol)];
            let bits = log - counter.ilog2();
            let base = ((*counter << bits) - (1 << log)) as u8;
            *cell = Cell { symbol, bits: bits as u8, base };
            *counter += 1;
        }
        Self { log, cells }
    }
}
