//! Canonical codes: which code each symbol has follows from the lengths alone.

use super::SYMBOLS;
#[cfg(feature = "alloc")]
use super::encode::Symbols;
use super::weights::CodeLengths;

/// The symbols of a code in the order of their cells: longest codes first, ties by symbol.
pub(super) struct Order {
    symbols: [u8; SYMBOLS],
    len: usize,
}

impl Order {
    pub(super) fn new(code: &CodeLengths) -> Self {
        const LENGTHS: usize = super::MAX_READ_BITS as usize + 1;
        let mut of_length = [0_u16; LENGTHS];
        for &bits in &code.bits {
            of_length[usize::from(bits)] += 1;
        }
        let mut next = [0_u16; LENGTHS];
        let mut len = 0;
        for bits in (1..LENGTHS).rev() {
            next[bits] = len;
            len += of_length[bits];
        }
        let mut symbols = [0; SYMBOLS];
        for (symbol, &bits) in code.bits.iter().enumerate().filter(|&(_, &bits)| bits > 0) {
            let next = &mut next[usize::from(bits)];
            symbols[usize::from(*next)] = symbol as u8;
            *next += 1;
        }
        Self { symbols, len: usize::from(len) }
    }

    pub(super) fn symbols(&self) -> &[u8] {
        &self.symbols[..self.len]
    }
}

/// The code of each symbol.
#[cfg(feature = "alloc")]
pub(super) fn codes(code: &CodeLengths) -> [Symbols; SYMBOLS] {
    let mut codes = [Symbols::default(); SYMBOLS];
    let mut cell = 0;
    for &symbol in Order::new(code).symbols() {
        let len = u32::from(code.bits[usize::from(symbol)]);
        let unused = code.longest - len;
        codes[usize::from(symbol)] = Symbols::new(cell >> unused, len);
        cell += 1 << unused;
    }
    codes
}
