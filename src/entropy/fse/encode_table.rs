//! The table of an FSE encoder.

use crate::bits::ForwardWriter;
use crate::entropy::fse::{Probabilities, spread};

/// How encoding a symbol changes a state.
#[derive(Clone, Copy)]
struct Transform {
    /// Added to a state, it gives the number of bits that the state loses, shifted left by 16.
    bits: u32,
    /// Added to the remaining bits of the state, it gives the index of the next state.
    place: i32,
}

/// A table that encodes symbols below `SYMBOLS`, with at most `CELLS` cells.
pub(crate) struct EncodeTable<const SYMBOLS: usize, const CELLS: usize> {
    log: u32,
    transforms: [Transform; SYMBOLS],
    /// States, grouped by symbol, in increasing order for each symbol.
    states: [u16; CELLS],
}

impl<const SYMBOLS: usize, const CELLS: usize> EncodeTable<SYMBOLS, CELLS> {
    /// An empty table.
    pub(crate) const EMPTY: Self =
        Self { log: 0, transforms: [Transform { bits: 0, place: 0 }; SYMBOLS], states: [0; CELLS] };

    /// Fills the table for these probabilities.
    pub(crate) fn fill(&mut self, probabilities: &Probabilities) {
        let log = probabilities.table_log;
        self.log = log;
        let mut next = [0_u16; SYMBOLS];
        let mut sum = 0;
        let cells = &probabilities.cells[..probabilities.symbols];
        for ((transform, next), cells) in self.transforms.iter_mut().zip(&mut next).zip(cells) {
            let cells = u32::from(cells.unsigned_abs());
            *next = sum as u16;
            let most_bits = if cells > 1 { log - (cells - 1).ilog2() } else { log };
            *transform = Transform {
                bits: (most_bits << 16).wrapping_sub(cells << most_bits),
                place: sum as i32 - cells as i32,
            };
            sum += cells;
        }
        let symbols = spread::<CELLS>(probabilities);
        let size = 1_u16 << log;
        for (state, &symbol) in (size..2 * size).zip(&symbols) {
            let next = &mut next[usize::from(symbol)];
            self.states[usize::from(*next)] = state;
            *next += 1;
        }
    }

    /// Fills the table for a single symbol, whose encoding takes no bits.
    pub(crate) fn fill_with_single(&mut self, symbol: u8) {
        self.log = 0;
        self.states[0] = 1;
        self.transforms[usize::from(symbol) % SYMBOLS] = Transform { bits: u32::MAX, place: -1 };
    }

    /// Returns the state to start encoding with, from which a decoder decodes `symbol`.
    pub(crate) fn first_state(&self, symbol: u8) -> u32 {
        let Transform { bits, place } = self.transforms[usize::from(symbol) % SYMBOLS];
        // The lowest of the states that lose the largest number of bits.
        let lost = bits.wrapping_add(1 << 15) >> 16;
        let state = (lost << 16).wrapping_sub(bits);
        self.state(state >> (lost % u32::BITS), place)
    }

    /// Encodes a symbol: writes the bits that the state loses, and returns the next state.
    #[inline(always)]
    pub(crate) fn next_state(&self, state: u32, symbol: u8, bits: &mut ForwardWriter) -> u32 {
        let transform = self.transforms[usize::from(symbol) % SYMBOLS];
        let lost = (state.wrapping_add(transform.bits) >> 16) % u32::BITS;
        bits.push(state & ((1 << lost) - 1), lost);
        self.state(state >> lost, transform.place)
    }

    #[inline(always)]
    fn state(&self, rest: u32, place: i32) -> u32 {
        u32::from(self.states[rest.wrapping_add_signed(place) as usize % CELLS])
    }

    /// Writes the final state, with which decoding starts.
    pub(crate) fn write_state(&self, state: u32, bits: &mut ForwardWriter) {
        bits.push(state & ((1 << self.log) - 1), self.log);
    }
}
