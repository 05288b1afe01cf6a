//! The table for long codewords: up to two symbols in a look-up of 13 bits.

use crate::entropy::huffman::code::Order;
use crate::entropy::huffman::table::look_up::{LookUp, SYMBOLS_SHIFT};
use crate::entropy::huffman::weights::CodeLengths;

/// Number of bits that select an entry: two codewords of common length fit, and any single one.
const BITS: u32 = 13;
/// Number of entries that a look-up selects from.
const ENTRIES: usize = 1 << BITS;
/// Offset of the number of symbols in an entry. The sum of four look-ups of two symbols fits.
const COUNT_SHIFT: u32 = 28;

/// A table with up to two symbols in each entry.
#[derive(Clone)]
pub(crate) struct PairTable {
    entries: [u32; ENTRIES],
    /// For every width d below 13 bits, a sub-table of 2^d second symbols at index 2^d.
    ///
    /// A second symbol is an entry without the first, or zero if none fits. Adding a first symbol
    /// makes it a whole entry.
    seconds: [u32; ENTRIES],
}

impl PairTable {
    pub(crate) const fn new() -> Self {
        Self { entries: [0; ENTRIES], seconds: [0; ENTRIES] }
    }

    /// Fills the table for a code.
    pub(crate) fn fill(&mut self, code: &CodeLengths, order: &Order) {
        let mut filled_width = BITS;
        let mut end = ENTRIES;
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            let width = BITS - bits;
            if width < filled_width {
                self.fill_seconds(width, code, order);
                filled_width = width;
            }
            let start = end - (1 << width);
            let first = u32::from(symbol) << SYMBOLS_SHIFT | step(bits);
            let seconds = &self.seconds[1 << width..2 << width];
            for (entry, second) in self.entries[start..end].iter_mut().zip(seconds) {
                *entry = first + second;
            }
            end = start;
        }
    }

    /// Fills the sub-table of second symbols for the last `width` bits of an index.
    fn fill_seconds(&mut self, width: u32, code: &CodeLengths, order: &Order) {
        let seconds = &mut self.seconds[1 << width..2 << width];
        let mut end = seconds.len();
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            if bits > width {
                break;
            }
            let start = end - (1 << (width - bits));
            seconds[start..end].fill(u32::from(symbol) << (SYMBOLS_SHIFT + 8) | step(bits));
            end = start;
        }
        seconds[..end].fill(0);
    }
}

/// Returns an entry of one symbol, without the symbol.
fn step(bits: u32) -> u32 {
    1 << COUNT_SHIFT | bits
}

impl LookUp for &PairTable {
    const BITS: u32 = BITS;
    const COUNT_SHIFT: u32 = COUNT_SHIFT;

    #[inline(always)]
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64 {
        let entry = self.entries[container as usize % ENTRIES];
        let symbols = (entry >> SYMBOLS_SHIFT) as u16;
        window[at..at + 2].copy_from_slice(&symbols.to_le_bytes());
        entry.into()
    }
}
