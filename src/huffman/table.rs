//! The tables that decode: what the next bits of a stream stand for.
//!
//! A table is filled from narrower tables of the same code. A bit string that begins with a code
//! goes on like the string behind the code; so the entries of a symbol are those of a narrower
//! table with the symbol put in front, and filling is copying.

use super::code::Order;
use super::many::ManyTable;
use super::two::TwoTable;
use super::weights::CodeLengths;

/// Where in an entry the symbols begin, first in the lowest byte. Below them is the number of bits
/// that they take, on which the next look-up waits.
pub(super) const SYMBOLS_SHIFT: u32 = 8;

/// What a decoder sees of a table.
///
/// An entry has the number of bits lowest, then the symbols, and the number of symbols highest,
/// with room for sums: the entries of a round add up to the bits and the symbols of all of them,
/// whatever becomes of the symbols in between.
pub(super) trait LookUp: Copy {
    /// Bits that a look-up sees.
    const BITS: u32;
    /// Where in an entry the number of symbols begins.
    const COUNT_SHIFT: u32;

    /// Writes the symbols that the lowest bits of `container` stand for to `window`, from `at` on,
    /// perhaps with meaningless bytes behind them. Returns their entry.
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u64;
}

/// The tables for decoding Huffman codes, 96 KiB: the caller's, so that decoding allocates
/// nothing. Filled anew for every plane.
#[derive(Clone)]
pub struct DecodeTable {
    many: ManyTable,
    two: TwoTable,
}

/// The table that suits a code.
pub(super) enum Filled<'t> {
    Many(&'t ManyTable),
    Two(&'t TwoTable),
}

impl DecodeTable {
    /// Empty tables.
    pub const fn new() -> Self {
        Self { many: ManyTable::new(), two: TwoTable::new() }
    }

    /// Fills the table that decodes the code fastest.
    pub(super) fn fill(&mut self, code: &CodeLengths) -> Filled<'_> {
        /// Up to this mean length, in bits, enough codes fit into a look-up.
        const SHORT: f32 = 4.2;
        let order = Order::new(code);
        let mean: f32 = code
            .bits
            .iter()
            .filter(|&&bits| bits > 0)
            .map(|&bits| f32::from(bits) / (1_u32 << bits) as f32)
            .sum();
        if code.longest <= ManyTable::LONGEST && mean <= SHORT {
            self.many.fill(code, &order);
            Filled::Many(&self.many)
        } else {
            self.two.fill(code, &order);
            Filled::Two(&self.two)
        }
    }
}

impl Default for DecodeTable {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for DecodeTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DecodeTable").finish_non_exhaustive()
    }
}
