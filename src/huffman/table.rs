//! Codes from code lengths, and the table that decodes several symbols at a time.

use super::weights::CodeLengths;
use crate::histogram::SYMBOLS;

/// Bits of a stream that one look-up sees.
pub(super) const LOOKUP_BITS: u32 = 11;
/// Entries that a look-up chooses from.
pub(super) const LOOKUP_ENTRIES: usize = 1 << LOOKUP_BITS;
/// Most symbols in an entry.
pub(super) const MAX_SYMBOLS: usize = 8;

/// What one look-up yields.
///
/// For every width d up to 11 bits there is a sub-table of 2^d entries, at index 2^d: how the bit
/// string of its index begins, as whole codes. That of 11 bits serves the decoder; the narrower
/// ones serve to build the wider: a string that begins with a code goes on like the string
/// behind the code, so the entries of a symbol are a copy of a narrower sub-table with the symbol
/// put in front.
#[derive(Clone)]
pub struct DecodeTable {
    /// The symbols, first in the lowest byte.
    symbols: [u64; 2 * LOOKUP_ENTRIES],
    /// How many bits they take (low byte) and how many symbols they are (high byte).
    steps: [u16; 2 * LOOKUP_ENTRIES],
}

impl DecodeTable {
    /// An empty table.
    pub const fn new() -> Self {
        Self { symbols: [0; 2 * LOOKUP_ENTRIES], steps: [0; 2 * LOOKUP_ENTRIES] }
    }

    /// The entries of the widest sub-table.
    pub(super) fn entries(&self) -> (&[u64; LOOKUP_ENTRIES], &[u16; LOOKUP_ENTRIES]) {
        let widest = "both halves have LOOKUP_ENTRIES entries";
        (self.symbols.last_chunk().expect(widest), self.steps.last_chunk().expect(widest))
    }

    /// Fills the table for a code of at most 11 bits.
    pub(super) fn build(&mut self, code: &CodeLengths) {
        let order = Order::new(code);
        let shortest = order.symbols().last().map_or(0, |&symbol| code.bits[usize::from(symbol)]);
        self.symbols[1] = 0;
        self.steps[1] = 0;
        for width in 1..=LOOKUP_BITS {
            self.build_width(width, code, &order, u32::from(shortest));
        }
    }

    /// Fills the sub-table for bit strings of `width` bits from the narrower ones.
    fn build_width(&mut self, width: u32, code: &CodeLengths, order: &Order, shortest: u32) {
        let (narrow_symbols, symbols) = self.symbols.split_at_mut(1 << width);
        let (narrow_steps, steps) = self.steps.split_at_mut(1 << width);
        // Codes of one bit could make more symbols than fit an entry: look less far ahead then.
        let most_behind = if shortest == 1 { MAX_SYMBOLS as u32 - 1 } else { LOOKUP_BITS };
        let mut end = 1 << width;
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            if bits > width {
                break;
            }
            let start = end - (1 << (width - bits));
            let behind = (width - bits).min(most_behind);
            let repeat = 1 << (width - bits - behind);
            let step = 1 << 8 | bits as u16;
            let targets = symbols[start..end].chunks_exact_mut(repeat);
            let target_steps = steps[start..end].chunks_exact_mut(repeat);
            let from = 1 << behind..2 << behind;
            for ((to, to_step), (&behind, &behind_step)) in targets
                .zip(target_steps)
                .zip(narrow_symbols[from.clone()].iter().zip(&narrow_steps[from]))
            {
                to.fill(behind << 8 | u64::from(symbol));
                to_step.fill(behind_step + step);
            }
            end = start;
        }
        symbols[..end].fill(0);
        steps[..end].fill(0);
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

/// The code of each symbol, its length in the upper half.
#[cfg(feature = "alloc")]
pub(super) fn codes(code: &CodeLengths) -> [u32; SYMBOLS] {
    let mut codes = [0; SYMBOLS];
    let mut cell = 0_u32;
    for &symbol in Order::new(code).symbols() {
        let bits = u32::from(code.bits[usize::from(symbol)]);
        let unused = code.longest - bits;
        codes[usize::from(symbol)] = bits << 16 | cell >> unused;
        cell += 1 << unused;
    }
    codes
}
