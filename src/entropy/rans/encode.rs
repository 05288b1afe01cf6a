//! Encodes symbols.

use alloc::vec::Vec;

use crate::entropy::rans::{FIRST_STATE, LANES};

/// How a symbol changes a state.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Code {
    /// A multiple of the reciprocal of the frequency, rounded up.
    reciprocal: u64,
    /// The largest state that has room for the symbol. A larger one outputs a word first.
    largest: u32,
    /// The first slot of the symbol.
    first_slot: u16,
    /// The number of slots of other symbols.
    others: u16,
}

/// Sets the codes of the symbols of a table with `2^log` slots.
pub(crate) fn fill_codes(frequencies: &[u16], log: u32, codes: &mut [Code]) {
    let mut first_slot = 0;
    for (code, &frequency) in codes.iter_mut().zip(frequencies) {
        if frequency > 0 {
            *code = Code {
                reciprocal: (1 << (32 + log)) / u64::from(frequency) + 1,
                largest: ((u64::from(frequency) << (32 - log)) - 1) as u32,
                first_slot,
                others: (1 << log) - frequency,
            };
        }
        first_slot += frequency;
    }
}

/// Encodes symbols backwards, from the last one to the first.
pub(crate) struct Encoder<'a, const LOG: u32> {
    states: [u32; LANES],
    /// Memory for the words, which are written from its end.
    words: &'a mut [[u8; 2]],
    /// Number of words in the memory that are not written yet.
    left: usize,
}

impl<'a, const LOG: u32> Encoder<'a, LOG> {
    /// Creates an encoder. `memory` has room for a word for each symbol, and for eight more.
    pub(crate) fn new(memory: &'a mut Vec<[u8; 2]>, symbols: usize) -> Self {
        if memory.len() < symbols + LANES {
            memory.resize(symbols + LANES, [0; 2]);
        }
        let left = memory.len();
        Self { states: [FIRST_STATE; LANES], words: memory, left }
    }

    /// Encodes symbols, whose codes `code` returns by position, before those encoded so far.
    pub(crate) fn encode(&mut self, len: usize, code: impl Fn(usize) -> Code) {
        let full = len / LANES * LANES;
        for lane in (0..len - full).rev() {
            self.put(lane, code(full + lane));
        }
        let mut states = self.states;
        let mut left = self.left;
        for group in (0..full).step_by(LANES).rev() {
            // There is room for eight more words than symbols.
            let Some(words) = self.words[..left].last_chunk_mut::<LANES>() else { return };
            let mut count = 0;
            for lane in (0..LANES).rev() {
                let code = code(group + lane);
                let state = states[lane];
                let is_full = state > code.largest;
                words[(LANES - 1).wrapping_sub(count) % LANES] = (state as u16).to_le_bytes();
                count += usize::from(is_full);
                states[lane] = step::<LOG>(if is_full { state >> 16 } else { state }, code);
            }
            left -= count;
        }
        (self.states, self.left) = (states, left);
    }

    fn put(&mut self, lane: usize, code: Code) {
        let state = &mut self.states[lane];
        if *state > code.largest {
            self.left -= 1;
            self.words[self.left] = (*state as u16).to_le_bytes();
            *state >>= 16;
        }
        *state = step::<LOG>(*state, code);
    }

    /// Returns the states, with which decoding begins, and the words in the order of decoding.
    pub(crate) fn finish(self) -> ([u32; LANES], &'a [[u8; 2]]) {
        (self.states, &self.words[self.left..])
    }
}

fn step<const LOG: u32>(state: u32, code: Code) -> u32 {
    // The product fits, because the state is below the frequency times 2^(32 - LOG).
    let quotient = (u64::from(state).wrapping_mul(code.reciprocal) >> (32 + LOG)) as u32;
    state + u32::from(code.first_slot) + quotient * u32::from(code.others)
}
