//! The table for short codewords: up to six symbols in a look-up of 11 bits.

use crate::entropy::huffman::code::Order;
use crate::entropy::huffman::table::look_up::{LookUp, SYMBOLS_SHIFT};
use crate::entropy::huffman::weights::CodeLengths;

/// Number of bits that select an entry.
const BITS: u32 = 11;
/// Number of entries that a look-up selects from.
const ENTRIES: usize = 1 << BITS;
/// Maximum number of symbols in an entry.
const MAX_SYMBOLS: usize = 6;
/// Number of bytes that a look-up writes.
pub(crate) const WRITTEN: usize = size_of::<u64>();

/// Offset of the number of symbols in an entry. The sum of five look-ups of six symbols fits.
const COUNT_SHIFT: u32 = 59;
/// Bits of an entry that hold symbols.
const SYMBOLS_MASK: u64 = ((1 << (8 * MAX_SYMBOLS)) - 1) << SYMBOLS_SHIFT;

/// A table with up to six symbols in each entry.
///
/// For every width d up to 11 bits, it holds a sub-table of 2^d entries at index 2^d. The decoder
/// uses the widest; the narrower ones serve to fill it.
#[derive(Clone)]
pub(crate) struct MultiTable {
    entries: [u64; 2 * ENTRIES],
}

impl MultiTable {
    /// Length of the longest codeword that the table decodes, in bits.
    pub(crate) const LONGEST: u32 = BITS;

    pub(crate) const fn new() -> Self {
        Self { entries: [0; 2 * ENTRIES] }
    }

    /// Fills the table for a code.
    pub(crate) fn fill(&mut self, code: &CodeLengths, order: &Order) {
        let shortest = order.symbols().last().map_or(0, |&symbol| code.bits[usize::from(symbol)]);
        // With codewords of one bit, an entry could need more symbols than it holds: use fewer
        // bits.
        let most_seen = if shortest == 1 { MAX_SYMBOLS as u32 - 1 } else { BITS };
        self.entries[1] = 0;
        for width in 1..=BITS {
            self.fill_width(width, code, order, most_seen);
        }
    }

    /// Fills the sub-table of `width` bits from the narrower ones.
    ///
    /// It uses at most `most_seen` bits after the first symbol.
    fn fill_width(&mut self, width: u32, code: &CodeLengths, order: &Order, most_seen: u32) {
        let (narrow, entries) = self.entries.split_at_mut(1 << width);
        let mut end = 1 << width;
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            if bits > width {
                break;
            }
            let behind = width - bits;
            let seen = behind.min(most_seen);
            let start = end - (1 << behind);
            let first = 1 << COUNT_SHIFT | u64::from(symbol) << SYMBOLS_SHIFT | u64::from(bits);
            let (to, from) = (&mut entries[start..end], &narrow[1 << seen..2 << seen]);
            if seen == behind {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = prepend(first, from);
                }
            } else {
                for (to, &from) in to.chunks_exact_mut(1 << (behind - seen)).zip(from) {
                    to.fill(prepend(first, from));
                }
            }
            end = start;
        }
        entries[..end].fill(0);
    }
}

/// Returns an entry in which the symbol of the entry `first` precedes the symbols of `behind`.
fn prepend(first: u64, behind: u64) -> u64 {
    let symbols = behind & SYMBOLS_MASK;
    first + (symbols << 8) + (behind - symbols)
}

impl LookUp for &MultiTable {
    const BITS: u32 = BITS;
    const COUNT_SHIFT: u32 = COUNT_SHIFT;

    #[inline(always)]
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64 {
        let widest: &[u64; ENTRIES] =
            self.entries.last_chunk().expect("the second half has ENTRIES entries");
        let entry = widest[container as usize % ENTRIES];
        window[at..at + 8].copy_from_slice(&(entry >> SYMBOLS_SHIFT).to_le_bytes());
        entry
    }
}
