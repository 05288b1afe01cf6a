//! The codewords of symbols in bytes, as vectors look them up.
//!
//! The value of a codeword always fits into a byte: it is less than the number of symbols before it
//! in the order of cells, because each of them takes at most as many cells.

use crate::entropy::SYMBOLS;
use crate::entropy::huffman::code::{Codeword, for_each_codeword};
use crate::entropy::huffman::stream_writer::StreamWriter;
use crate::entropy::huffman::weights::CodeLengths;

/// Values and lengths of codewords, by symbol.
pub(crate) struct Codes {
    pub(crate) values: [u8; SYMBOLS],
    pub(crate) lens: [u8; SYMBOLS],
}

impl Codes {
    pub(crate) fn new(code: &CodeLengths) -> Self {
        let mut values = [0; SYMBOLS];
        for_each_codeword(code, |symbol, value, _| {
            debug_assert!(value <= u32::from(u8::MAX), "values fit into a byte");
            values[usize::from(symbol)] = value as u8;
        });
        Self { values, lens: code.bits }
    }

    /// Returns the codeword of a symbol.
    fn codeword(&self, symbol: u8) -> Codeword {
        let symbol = usize::from(symbol);
        Codeword::new(self.values[symbol].into(), self.lens[symbol].into())
    }
}

/// Writes the codewords of symbols, last first.
///
/// Never inlined: where vectors are enabled, the compiler turns look-ups into slow gathers.
#[inline(never)]
pub(crate) fn write_scalar<'a>(
    symbols: &[u8],
    codes: &Codes,
    mut writer: StreamWriter<'a>,
) -> StreamWriter<'a> {
    const RUN: usize = 5;
    let code = |[symbol]: [u8; 1]| codes.codeword(symbol);
    let (head, runs) = symbols.as_chunks::<1>().0.as_rchunks::<RUN>();
    for run in runs.iter().rev() {
        writer.write(run, code);
    }
    writer.write_one_by_one(head, code)
}
