//! Tables with which FSE codes sequences (RFC 8878, section 4.1).

use crate::bits::ForwardWriter;
use crate::chunk::zstd::bit_writer::BitWriter;
use crate::entropy::fse::{self, MIN_TABLE_LOG};

/// Codes that a table may know: those of lengths are fewer than 53, those of offsets than 32.
pub(super) const CODES: usize = 64;
/// Cells of the largest table.
const MAX_CELLS: usize = 1 << 9;

/// How a table is described in front of the sequences.
mod mode {
    /// The only code, one byte.
    pub(super) const REPEAT: u8 = 1;
    /// Its probabilities.
    pub(super) const DESCRIBED: u8 = 2;
}

/// What coding a symbol makes of a state.
#[derive(Clone, Copy)]
struct Transform {
    /// Added to a state, this gives the number of bits that it loses, 16 bits further up.
    bits: u32,
    /// Added to what is then left of the state, this gives the place of the next one in `states`.
    place: i32,
}

/// A table for one kind of code.
pub(super) struct Table {
    log: u32,
    transforms: [Transform; CODES],
    /// States, code by code. They count from the size of the table.
    states: [u16; MAX_CELLS],
}

impl Table {
    /// To be filled.
    pub(super) const EMPTY: Self = Self {
        log: 0,
        transforms: [Transform { bits: 0, place: 0 }; CODES],
        states: [0; MAX_CELLS],
    };

    /// Makes the table for codes with these counts, writes its description to `dst`, and returns
    /// mode and length of that. `None` if there is no room, or none of the codes occurs.
    pub(super) fn fill(
        &mut self,
        counts: &[u32; CODES],
        max_log: u32,
        dst: &mut [u8],
    ) -> Option<(u8, usize)> {
        let largest = counts.iter().rposition(|&count| count > 0)?;
        let total: u32 = counts.iter().sum();
        if counts[largest] == total {
            self.log = 0;
            self.states[0] = 1;
            self.transforms[largest] = Transform { bits: u32::MAX, place: -1 };
            *dst.first_mut()? = largest as u8;
            return Some((mode::REPEAT, 1));
        }
        let counts = &counts[..=largest];
        let log = table_log(counts, total, max_log);
        let probabilities = fse::normalise(counts, total, log)?;
        let mut bits = ForwardWriter::new(dst);
        fse::write_probabilities(&probabilities, &mut bits)?;
        let len = bits.finish()?;
        self.log = log;
        let mut next = [0_u16; CODES];
        let mut sum = 0;
        for (code, &cells) in probabilities.cells[..=largest].iter().enumerate() {
            let cells = u32::from(cells.unsigned_abs());
            next[code] = sum as u16;
            let most_bits = if cells > 1 { log - (cells - 1).ilog2() } else { log };
            self.transforms[code] = Transform {
                bits: (most_bits << 16).wrapping_sub(cells << most_bits),
                place: sum as i32 - cells as i32,
            };
            sum += cells;
        }
        let symbols = fse::spread::<MAX_CELLS>(&probabilities);
        let size = 1_u16 << log;
        for (state, &code) in (size..2 * size).zip(&symbols) {
            let next = &mut next[usize::from(code)];
            self.states[usize::from(*next)] = state;
            *next += 1;
        }
        Some((mode::DESCRIBED, len))
    }

    /// A state to begin with: any from which this code is read.
    pub(super) fn first_state(&self, code: u8) -> u32 {
        let Transform { bits, place } = self.transforms[usize::from(code) % CODES];
        // As many bits lost as possible, from the lowest state that loses so many.
        let lost = bits.wrapping_add(1 << 15) >> 16;
        let state = (lost << 16).wrapping_sub(bits);
        self.state(state >> (lost % u32::BITS), place)
    }

    /// Codes a symbol: writes the bits that the state loses, and returns the next.
    #[inline(always)]
    pub(super) fn next_state(&self, state: u32, code: u8, bits: &mut BitWriter) -> u32 {
        let transform = self.transforms[usize::from(code) % CODES];
        let lost = (state.wrapping_add(transform.bits) >> 16) % u32::BITS;
        bits.push(state & ((1 << lost) - 1), lost);
        self.state(state >> lost, transform.place)
    }

    #[inline(always)]
    fn state(&self, rest: u32, place: i32) -> u32 {
        u32::from(self.states[rest.wrapping_add_signed(place) as usize % MAX_CELLS])
    }

    /// Writes the last state, from which reading begins.
    pub(super) fn write_state(&self, state: u32, bits: &mut BitWriter) {
        bits.push(state & ((1 << self.log) - 1), self.log);
    }
}

/// A table large enough for all codes, and no larger than so many symbols are worth.
fn table_log(counts: &[u32], total: u32, max_log: u32) -> u32 {
    let least = counts.len().ilog2() + 2;
    let worth = (total - 1).ilog2().saturating_sub(2);
    worth.max(least).clamp(MIN_TABLE_LOG, max_log)
}
