//! Finite State Entropy, as far as the weights of a Huffman tree need it (RFC 8878, sections 4.1
//! and 4.2.1.2): alphabets of 12 weights, tables of at most 64 cells, two interleaved states.

use crate::bits::{BackwardReader, ForwardReader};

/// Largest table, as a power of two.
const MAX_TABLE_LOG: u32 = 6;
/// Smallest table that can be described.
pub(crate) const MIN_TABLE_LOG: u32 = 5;
/// Cells of the largest table.
const MAX_CELLS: usize = 1 << MAX_TABLE_LOG;
/// Weights run from 0 to 11. A table may name more symbols; they are rejected as weights later.
const MAX_SYMBOLS: usize = 256;
/// A probability below one cell, which still gets a cell.
const RARE: i16 = -1;

/// How many of a table's cells each symbol has.
pub(crate) struct Probabilities {
    pub(crate) table_log: u32,
    pub(crate) cells: [i16; MAX_SYMBOLS],
    pub(crate) symbols: usize,
}

/// Decodes the weights in `src` into `weights` and returns how many there are.
///
/// `None` if the description is malformed or there are more weights than `weights` holds.
pub(crate) fn decode(src: &[u8], weights: &mut [u8]) -> Option<usize> {
    let (probabilities, used) = read_probabilities(src)?;
    let table = DecodeCells::new(&probabilities);
    let mut bits = BackwardReader::new(&src[used..])?;
    let mut state = bits.read(table.log)?;
    let mut other = bits.read(table.log)?;
    let mut count = 0;
    let mut push = |weight| {
        *weights.get_mut(count)? = weight;
        count += 1;
        Some(())
    };
    loop {
        let cell = table.cells[state];
        push(cell.symbol)?;
        let Some(next) = bits.read(cell.bits) else {
            push(table.cells[other].symbol)?;
            return Some(count);
        };
        state = other;
        other = usize::from(cell.base) + next;
    }
}

/// Reads the probability table and returns it with its size in bytes.
fn read_probabilities(src: &[u8]) -> Option<(Probabilities, usize)> {
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

/// One state of the decoder.
#[derive(Clone, Copy, Default)]
struct DecodeCell {
    symbol: u8,
    /// Bits to read for the next state,
    bits: u32,
    /// which they are added to.
    base: u8,
}

struct DecodeCells {
    log: u32,
    cells: [DecodeCell; MAX_CELLS],
}

impl DecodeCells {
    fn new(probabilities: &Probabilities) -> Self {
        let log = probabilities.table_log;
        let symbols = spread::<MAX_CELLS>(probabilities);
        let mut next = probabilities.cells.map(i16::unsigned_abs);
        let mut cells = [DecodeCell::default(); MAX_CELLS];
        for (cell, &symbol) in cells.iter_mut().zip(&symbols[..1 << log]) {
            let counter = &mut next[usize::from(symbol)];
            let bits = log - counter.ilog2();
            let base = ((*counter << bits) - (1 << log)) as u8;
            *cell = DecodeCell { symbol, bits, base };
            *counter += 1;
        }
        Self { log, cells }
    }
}

/// Which symbol each cell stands for, in a table of at most `CELLS`.
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

#[cfg(feature = "alloc")]
pub(crate) use writer::encode;
#[cfg(feature = "zstd")]
pub(crate) use writer::{normalise, write_probabilities};

#[cfg(feature = "alloc")]
mod writer {
    use super::{MAX_CELLS, MAX_SYMBOLS, MIN_TABLE_LOG, Probabilities, RARE, spread};
    use crate::bits::ForwardWriter;
    use crate::entropy::huffman::MAX_READ_BITS;

    /// Weights that can occur.
    const WEIGHTS: usize = MAX_READ_BITS as usize + 1;
    /// Table sizes that the original uses for more than four weights, and for fewer.
    const TABLE_LOGS: (u32, u32) = (MIN_TABLE_LOG, MIN_TABLE_LOG + 1);

    /// Codes `weights` into `dst` and returns the number of bytes.
    ///
    /// `None` if FSE has nothing to gain (no weight, one only, each but once) or `dst` is too short.
    pub(crate) fn encode(weights: &[u8], dst: &mut [u8]) -> Option<usize> {
        let mut counts = [0_u32; WEIGHTS];
        for &weight in weights {
            counts[usize::from(weight)] += 1;
        }
        let most = counts.iter().copied().max()?;
        if weights.len() <= 1 || most as usize == weights.len() || most == 1 {
            return None;
        }
        let largest = counts.iter().rposition(|&count| count > 0)?;
        let table_log = if weights.len() > 4 { TABLE_LOGS.0 } else { TABLE_LOGS.1 };
        let probabilities = normalise(&counts[..=largest], weights.len() as u32, table_log)?;
        let mut bits = ForwardWriter::new(dst);
        write_probabilities(&probabilities, &mut bits)?;
        let header = bits.finish()?;
        let mut bits = ForwardWriter::new(&mut dst[header..]);
        write_states(&probabilities, weights, &mut bits)?;
        Some(header + bits.finish()?)
    }

    /// Shares 2^`table_log` cells among the symbols as the original does, so that its size is
    /// never undercut: rounded down, or up where the remainder is large for so small a share.
    pub(crate) fn normalise(counts: &[u32], total: u32, table_log: u32) -> Option<Probabilities> {
        /// Remainder, in 2^-20 of a cell, from which a share of so many cells is rounded up.
        const ROUND_UP: [u64; 8] =
            [0, 473_195, 504_333, 520_860, 550_000, 700_000, 750_000, 830_000];
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

    /// The original's other way, for many symbols in a small table: the small ones first, the rest
    /// in proportion. `None` if one of those is left with nothing.
    fn normalise_crowded(
        counts: &[u32],
        total: u32,
        table_log: u32,
        cells: &mut [i16],
    ) -> Option<()> {
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

    /// The description of a table.
    pub(crate) fn write_probabilities(
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

    /// Where in the table the cells of each symbol are.
    struct EncodeCells {
        /// Numbers of the cells, symbol by symbol, ascending.
        cells: [u8; MAX_CELLS],
        /// Where the cells of a symbol begin.
        first: [u8; WEIGHTS],
        /// How many there are.
        count: [u32; WEIGHTS],
        log: u32,
    }

    impl EncodeCells {
        fn new(probabilities: &Probabilities) -> Self {
            let mut count = [0; WEIGHTS];
            for (count, cells) in
                count.iter_mut().zip(&probabilities.cells[..probabilities.symbols])
            {
                *count = u32::from(cells.unsigned_abs());
            }
            let mut first = [0; WEIGHTS];
            let mut sum = 0;
            for (first, &count) in first.iter_mut().zip(&count) {
                *first = sum;
                sum += count as u8;
            }
            let mut next = first;
            let mut cells = [0; MAX_CELLS];
            let symbols = spread::<MAX_CELLS>(probabilities);
            for (cell, &symbol) in symbols[..1 << probabilities.table_log].iter().enumerate() {
                let next = &mut next[usize::from(symbol)];
                cells[usize::from(*next)] = cell as u8;
                *next += 1;
            }
            Self { cells, first, count, log: probabilities.table_log }
        }

        /// The state that is the `index`-th cell of `symbol`.
        fn state(&self, symbol: usize, index: u32) -> u32 {
            let cell = self.cells[usize::from(self.first[symbol]) + index as usize];
            (1 << self.log) + u32::from(cell)
        }
    }

    /// The weights, last first, and the two states in which they leave the coder.
    fn write_states(
        probabilities: &Probabilities,
        weights: &[u8],
        bits: &mut ForwardWriter,
    ) -> Option<()> {
        let table = EncodeCells::new(probabilities);
        let mut states = [None; 2];
        for (index, &weight) in weights.iter().enumerate().rev() {
            let symbol = usize::from(weight);
            let count = table.count[symbol];
            let state = &mut states[index % 2];
            *state = Some(match *state {
                None => table.state(symbol, 0),
                Some(state) => {
                    let most = if count == 1 { table.log } else { table.log - (count - 1).ilog2() };
                    let width = if state >= count << most { most } else { most - 1 };
                    bits.write(state, width)?;
                    table.state(symbol, (state >> width) - count)
                }
            });
        }
        let [even, odd] = states;
        bits.write(odd?, table.log)?;
        bits.write(even?, table.log)?;
        bits.write(1, 1)
    }
}
