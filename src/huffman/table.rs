//! Codes from code lengths, and the table that decodes several symbols at a time.

use super::SYMBOLS;
#[cfg(feature = "alloc")]
use super::encode::Symbols;
use super::weights::CodeLengths;

/// Bits of a stream that one look-up sees.
pub(super) const LOOKUP_BITS: u32 = 11;
/// Entries that a look-up chooses from.
const LOOKUP_ENTRIES: usize = 1 << LOOKUP_BITS;
/// Most symbols in an entry.
pub(super) const MAX_SYMBOLS: usize = 8;

/// Where in a step the number of symbols begins.
pub(super) const COUNT_SHIFT: u32 = 12;

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
    /// How many bits they take, and from [`COUNT_SHIFT`] on how many symbols they are.
    steps: [u16; 2 * LOOKUP_ENTRIES],
}

impl DecodeTable {
    /// An empty table.
    pub const fn new() -> Self {
        Self { symbols: [0; 2 * LOOKUP_ENTRIES], steps: [0; 2 * LOOKUP_ENTRIES] }
    }

    /// The entries of the widest sub-table.
    #[inline(always)]
    pub(super) fn entries(&self) -> Entries<'_> {
        let (_, symbols) = self.symbols.split_at(LOOKUP_ENTRIES);
        let (_, steps) = self.steps.split_at(LOOKUP_ENTRIES);
        let widest = "both halves have LOOKUP_ENTRIES entries";
        Entries {
            symbols: symbols.try_into().expect(widest),
            steps: steps.try_into().expect(widest),
        }
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
        let mut end = 1 << width;
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            if bits > width {
                break;
            }
            let start = end - (1 << (width - bits));
            let step = 1 << COUNT_SHIFT | bits as u16;
            // Codes of one bit could make more symbols than fit an entry: look less far ahead then.
            let behind = width - bits;
            let seen = if shortest == 1 { behind.min(MAX_SYMBOLS as u32 - 1) } else { behind };
            let from = 1 << seen..2 << seen;
            let to = (&mut symbols[start..end], &mut steps[start..end]);
            let from = (&narrow_symbols[from.clone()], &narrow_steps[from]);
            if seen == behind {
                prepend(symbol, step, from, to);
            } else {
                prepend_repeating(symbol, step, from, to);
            }
            end = start;
        }
        symbols[..end].fill(0);
        steps[..end].fill(0);
    }
}

/// Puts a symbol in front of the symbols of each entry.
fn prepend(symbol: u8, step: u16, from: (&[u64], &[u16]), to: (&mut [u64], &mut [u16])) {
    for (to, &from) in to.0.iter_mut().zip(from.0) {
        *to = from << 8 | u64::from(symbol);
    }
    for (to, &from) in to.1.iter_mut().zip(from.1) {
        *to = from + step;
    }
}

/// The same where there are fewer entries to take from: each serves for several in a row.
fn prepend_repeating(symbol: u8, step: u16, from: (&[u64], &[u16]), to: (&mut [u64], &mut [u16])) {
    let repeat = to.0.len() / from.0.len();
    for (to, &from) in to.0.chunks_exact_mut(repeat).zip(from.0) {
        to.fill(from << 8 | u64::from(symbol));
    }
    for (to, &from) in to.1.chunks_exact_mut(repeat).zip(from.1) {
        to.fill(from + step);
    }
}

/// What a decoder sees of a table.
#[derive(Clone, Copy)]
pub(super) struct Entries<'t> {
    symbols: &'t [u64; LOOKUP_ENTRIES],
    steps: &'t [u16; LOOKUP_ENTRIES],
}

impl Entries<'_> {
    /// What the highest bits of `container` stand for: symbols, and the step over them.
    #[inline(always)]
    pub(super) fn look_up(self, container: u64) -> (u64, u16) {
        let entry = (container >> (u64::BITS - LOOKUP_BITS)) as usize;
        (self.symbols[entry], self.steps[entry])
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

/// The code of each symbol.
#[cfg(feature = "alloc")]
pub(super) fn codes(code: &CodeLengths) -> [Symbols; SYMBOLS] {
    let mut codes = [Symbols::default(); SYMBOLS];
    let mut cell = 0;
    for &symbol in Order::new(code).symbols() {
        let len = u32::from(code.bits[usize::from(symbol)]);
        let unused = code.longest - len;
        codes[usize::from(symbol)] = Symbols { bits: cell >> unused, len };
        cell += 1 << unused;
    }
    codes
}
