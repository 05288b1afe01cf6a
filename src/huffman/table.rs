//! The tables that decode: what the next bits of a stream stand for.
//!
//! A table is filled from narrower tables of the same code. A bit string that begins with a code
//! goes on like the string behind the code; so the entries of a symbol are those of a narrower
//! table with the symbol put in front, and filling is copying.

use super::code::Order;
use super::many::ManyTable;
use super::two::TwoTable;
use super::weights::CodeLengths;

/// Where in a step the number of symbols begins. Below it is the number of bits.
///
/// Steps add up: after several look-ups the sum tells the bits and the symbols of all of them.
pub(super) const COUNT_SHIFT: u32 = 12;
/// The step over one symbol, without its bits.
pub(super) const ONE_SYMBOL: u16 = 1 << COUNT_SHIFT;

/// What a decoder sees of a table.
pub(super) trait LookUp: Copy {
    /// Bits that a look-up sees.
    const BITS: u32;

    /// Writes the symbols that the lowest bits of `container` stand for to `window`, from `at` on,
    /// perhaps with meaningless bytes behind them. Returns the step over them.
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u16;
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
