//! The tables that decode: what the next bits of a stream stand for.
//!
//! A table is filled from narrower tables of the same code. A bit string that begins with a code
//! goes on like the string behind the code; so the entries of a symbol are those of a narrower
//! table with the symbol put in front, and filling is copying.

use crate::entropy::huffman::code::Order;
use crate::entropy::huffman::table::multi::ManyTable;
use crate::entropy::huffman::table::pair::TwoTable;
use crate::entropy::huffman::weights::CodeLengths;

/// The tables for decoding Huffman codes, 96 KiB: the caller's, so that decoding allocates
/// nothing. Filled anew for every plane.
#[derive(Clone)]
pub struct DecodeTable {
    many: ManyTable,
    two: TwoTable,
}

/// The table that suits a code.
pub(crate) enum Filled<'t> {
    Many(&'t ManyTable),
    Two(&'t TwoTable),
}

impl DecodeTable {
    /// Empty tables.
    pub const fn new() -> Self {
        Self { many: ManyTable::new(), two: TwoTable::new() }
    }

    /// Fills the table that decodes the code fastest.
    pub(crate) fn fill(&mut self, code: &CodeLengths) -> Filled<'_> {
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
