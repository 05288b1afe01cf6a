//! Decodes symbols.

use crate::entropy::rans::{FIRST_STATE, LANES};

/// An entry of a decoding table: the symbol in the lowest 8 bits, its frequency minus one in the
/// next 12 bits, and the offset of the slot among the symbol's slots in the highest 12 bits.
///
/// Little-endian bytes, so that a table fits into any memory.
pub(crate) type Entry = [u8; 4];

/// Base-2 logarithm of the largest number of slots that entries have room for.
pub(crate) const MAX_LOG: u32 = 12;

/// Fills a table whose symbols are `0 | mark`, `1 | mark` and so on.
///
/// The sum of the frequencies is the length of the table, which is at most `2^MAX_LOG`.
pub(crate) fn fill_table(frequencies: &[u16], mark: u8, table: &mut [Entry]) {
    let mut rest = table;
    for (symbol, &frequency) in (0_u32..).zip(frequencies) {
        let (slots, behind) = core::mem::take(&mut rest).split_at_mut(usize::from(frequency));
        rest = behind;
        let entry = (symbol | u32::from(mark)) | u32::from(frequency.wrapping_sub(1) & 0xfff) << 8;
        for (offset, slot) in (0_u32..).zip(slots) {
            *slot = (entry | offset << 20).to_le_bytes();
        }
    }
}

/// Decodes symbols from a stream of words, with tables of `2^LOG` slots.
pub(crate) struct Decoder<'a, const LOG: u32> {
    states: [u32; LANES],
    /// The words that have not been taken.
    words: &'a [[u8; 2]],
}

impl<'a, const LOG: u32> Decoder<'a, LOG> {
    /// Creates a decoder from the states after encoding, and the words of the stream.
    pub(crate) fn new(states: [u32; LANES], words: &'a [[u8; 2]]) -> Self {
        const { assert!(LOG <= MAX_LOG, "entries have 12 bits for a frequency") };
        Self { states, words }
    }

    /// Decodes one symbol into each element of `symbols`, which take the states in turn.
    ///
    /// `starts[contexts[i]]` is the position in `tables` of the table of symbol `i`. Positions
    /// after the end lead to any entry.
    #[inline(always)]
    pub(crate) fn decode(
        &mut self,
        tables: &[Entry],
        starts: &[u32; 256],
        contexts: &[u8],
        symbols: &mut [u8],
    ) {
        let Some(last) = tables.len().checked_sub(1) else { return };
        let (mut states, mut words) = (self.states, self.words);
        let (groups, rest) = symbols.as_chunks_mut::<LANES>();
        let (context_groups, rest_contexts) = contexts.as_chunks::<LANES>();
        let mut padded = [[0; 2]; LANES];
        for (symbols, contexts) in groups.iter_mut().zip(context_groups) {
            let next: &[[u8; 2]; LANES] = match words.first_chunk() {
                Some(next) => next,
                None => {
                    padded[..words.len()].copy_from_slice(words);
                    padded[words.len()..].fill([0; 2]);
                    &padded
                }
            };
            let mut taken = 0;
            for lane in 0..LANES {
                let start = starts[usize::from(contexts[lane])];
                let slot = start + (states[lane] & ((1 << LOG) - 1));
                let entry = u32::from_le_bytes(tables[(slot as usize).min(last)]);
                let state = step::<LOG>(states[lane], entry);
                let word = u32::from(u16::from_le_bytes(next[taken & (LANES - 1)]));
                let needs_word = u32::from(state < FIRST_STATE);
                let mask = 0_u32.wrapping_sub(needs_word);
                states[lane] = state ^ ((state ^ (state << 16 | word)) & mask);
                taken += needs_word as usize;
                symbols[lane] = entry as u8;
            }
            words = words.get(taken..).unwrap_or_default();
        }
        for ((symbol, &context), state) in rest.iter_mut().zip(rest_contexts).zip(&mut states) {
            let slot = starts[usize::from(context)] + (*state & ((1 << LOG) - 1));
            let entry = u32::from_le_bytes(tables[(slot as usize).min(last)]);
            *state = step::<LOG>(*state, entry);
            if *state < FIRST_STATE {
                let (word, behind) = words.split_first().unwrap_or((&[0; 2], &[]));
                words = behind;
                *state = *state << 16 | u32::from(u16::from_le_bytes(*word));
            }
            *symbol = entry as u8;
        }
        (self.states, self.words) = (states, words);
    }

    /// Returns whether all words have been taken and all states are where the encoder began.
    pub(crate) fn is_at_end(&self) -> bool {
        self.words.is_empty() && self.states == [FIRST_STATE; LANES]
    }
}

/// Returns the state before renormalization. It cannot overflow, because an offset is less than its
/// frequency and the frequency at most `2^LOG` in tables of [`fill_table`].
#[inline(always)]
fn step<const LOG: u32>(state: u32, entry: u32) -> u32 {
    let (frequency, offset) = ((entry >> 8 & 0xfff) + 1, entry >> 20);
    frequency.wrapping_mul(state >> LOG).wrapping_add(offset)
}
