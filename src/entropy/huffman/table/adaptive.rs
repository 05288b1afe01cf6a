//! The fast decoding table. It consists of two tables, of which the better one is used for each
//! code.
//!
//! Tables are filled from narrower tables of the same code. After a codeword, the rest of a bit
//! string decodes like a shorter bit string. The entries of a symbol are therefore the entries of a
//! narrower table with the symbol in front, and filling a table is copying.

use crate::entropy::huffman::code::Order;
use crate::entropy::huffman::table::multi::MultiTable;
use crate::entropy::huffman::table::pair::PairTable;
use crate::entropy::huffman::weights::CodeLengths;

/// Tables of 96 KiB that decode Huffman codes fast.
///
/// The caller owns them, so that decoding does not allocate. They are filled again for every plane.
/// Where memory is scarce, use [`SmallTable`](crate::frame::SmallTable) instead.
#[derive(Clone)]
pub struct DecodeTable {
    multi: MultiTable,
    pair: PairTable,
}

/// The table that was filled for a code.
pub(crate) enum Filled<'t> {
    Multi(&'t MultiTable),
    Pair(&'t PairTable),
}

impl DecodeTable {
    /// Creates empty tables.
    pub const fn new() -> Self {
        Self { multi: MultiTable::new(), pair: PairTable::new() }
    }

    /// Fills the table that decodes this code fastest.
    pub(crate) fn fill(&mut self, code: &CodeLengths) -> Filled<'_> {
        /// Mean length of codewords in bits up to which [`MultiTable`] decodes faster.
        const SHORT: f32 = 4.2;
        let order = Order::new(code);
        let mean: f32 = code
            .bits
            .iter()
            .filter(|&&bits| bits > 0)
            .map(|&bits| f32::from(bits) / (1_u32 << bits) as f32)
            .sum();
        if code.longest <= MultiTable::LONGEST && mean <= SHORT {
            self.multi.fill(code, &order);
            Filled::Multi(&self.multi)
        } else {
            self.pair.fill(code, &order);
            Filled::Pair(&self.pair)
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
