//! Canonical codes: the lengths of the codewords determine the code.

use crate::entropy::SYMBOLS;
use crate::entropy::histogram::count_few;
use crate::entropy::huffman::weights::CodeLengths;

/// The symbols of a code in the order of their cells: longest codewords first, then by symbol.
pub(crate) struct Order {
    symbols: [u8; SYMBOLS],
    len: usize,
}

impl Order {
    pub(crate) fn new(code: &CodeLengths) -> Self {
        const LENGTHS: usize = crate::entropy::huffman::MAX_READ_BITS as usize + 1;
        let coded = code.coded();
        let of_length = count_few::<LENGTHS>(&code.bits[coded.clone()]);
        let mut next = [0_u32; LENGTHS];
        let mut len = 0;
        for bits in (1..LENGTHS).rev() {
            next[bits] = len;
            len += of_length[bits];
        }
        let mut symbols = [0; SYMBOLS];
        for (symbol, &bits) in coded.clone().zip(&code.bits[coded]).filter(|&(_, &bits)| bits > 0) {
            let next = &mut next[usize::from(bits)];
            symbols[*next as usize] = symbol as u8;
            *next += 1;
        }
        Self { symbols, len: len as usize }
    }

    /// Returns the symbols.
    pub(crate) fn symbols(&self) -> &[u8] {
        &self.symbols[..self.len]
    }
}

/// The codeword of a symbol, or of several symbols in a row.
///
/// The highest bits hold the codeword; the symbol that is written last has the highest bits. The
/// lowest six bits hold the length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Codeword(pub(crate) u64);

impl Codeword {
    /// Creates a codeword from the lowest `len` bits (1 to 22) of `bits`.
    pub(crate) fn new(bits: u32, len: u32) -> Self {
        Self(u64::from(bits) << (u64::BITS - len) | u64::from(len))
    }

    /// Returns the length in bits.
    pub(crate) fn len(self) -> u32 {
        self.0 as u32 % u64::BITS
    }

    /// Joins two codewords into one, in which `next` is written after this one.
    pub(crate) fn then(self, next: Self) -> Self {
        let bits =
            (self.0 - u64::from(self.len())) >> next.len() | (next.0 - u64::from(next.len()));
        Self(bits | u64::from(self.len() + next.len()))
    }
}

/// Returns the codeword of each symbol.
pub(crate) fn codewords(code: &CodeLengths) -> [Codeword; SYMBOLS] {
    let mut codewords = [Codeword::default(); SYMBOLS];
    for_each_codeword(code, |symbol, bits, len| {
        codewords[usize::from(symbol)] = Codeword::new(bits, len);
    });
    codewords
}

/// Passes each symbol with the bits and the length of its codeword.
pub(crate) fn for_each_codeword(code: &CodeLengths, mut pass: impl FnMut(u8, u32, u32)) {
    let mut cell = 0;
    for &symbol in Order::new(code).symbols() {
        let len = u32::from(code.bits[usize::from(symbol)]);
        let unused = code.longest - len;
        pass(symbol, cell >> unused, len);
        cell += 1 << unused;
    }
}
