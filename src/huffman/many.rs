//! The table for short codes: up to eight symbols in a look-up of 11 bits.

use super::code::Order;
use super::table::{LookUp, ONE_SYMBOL};
use super::weights::CodeLengths;

/// Bits that a look-up sees.
const BITS: u32 = 11;
/// Entries that a look-up chooses from.
const ENTRIES: usize = 1 << BITS;
/// Most symbols in an entry.
pub(super) const MAX_SYMBOLS: usize = 8;

/// For every width d up to 11 bits there is a sub-table of 2^d entries, at index 2^d. That of 11
/// bits serves the decoder; the narrower ones serve to fill the wider.
#[derive(Clone)]
pub(super) struct ManyTable {
    /// The symbols, first in the lowest byte.
    symbols: [u64; 2 * ENTRIES],
    /// The steps over them.
    steps: [u16; 2 * ENTRIES],
}

impl ManyTable {
    /// Bits that the longest code may have.
    pub(super) const LONGEST: u32 = BITS;

    pub(super) const fn new() -> Self {
        Self { symbols: [0; 2 * ENTRIES], steps: [0; 2 * ENTRIES] }
    }

    /// Fills the table for a code.
    pub(super) fn fill(&mut self, code: &CodeLengths, order: &Order) {
        let shortest = order.symbols().last().map_or(0, |&symbol| code.bits[usize::from(symbol)]);
        self.symbols[1] = 0;
        self.steps[1] = 0;
        for width in 1..=BITS {
            self.fill_width(width, code, order, u32::from(shortest));
        }
    }

    /// Fills the sub-table for bit strings of `width` bits from the narrower ones.
    fn fill_width(&mut self, width: u32, code: &CodeLengths, order: &Order, shortest: u32) {
        let (narrow_symbols, symbols) = self.symbols.split_at_mut(1 << width);
        let (narrow_steps, steps) = self.steps.split_at_mut(1 << width);
        let mut end = 1 << width;
        for &symbol in order.symbols().iter().rev() {
            let bits = u32::from(code.bits[usize::from(symbol)]);
            if bits > width {
                break;
            }
            let start = end - (1 << (width - bits));
            let step = ONE_SYMBOL | bits as u16;
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

impl LookUp for &ManyTable {
    const BITS: u32 = BITS;

    #[inline(always)]
    fn look_up<const ROOM: usize>(self, container: u64, window: &mut [u8; ROOM], at: usize) -> u16 {
        let widest = "the second half has ENTRIES entries";
        let symbols: &[u64; ENTRIES] = self.symbols.last_chunk().expect(widest);
        let steps: &[u16; ENTRIES] = self.steps.last_chunk().expect(widest);
        let entry = (container >> (u64::BITS - BITS)) as usize;
        window[at..at + MAX_SYMBOLS].copy_from_slice(&symbols[entry].to_le_bytes());
        steps[entry]
    }
}

impl Default for ManyTable {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for ManyTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ManyTable").finish_non_exhaustive()
    }
}
