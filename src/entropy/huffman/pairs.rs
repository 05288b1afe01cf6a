//! Counts and encodes two symbols at a time.
//!
//! This is possible for planes whose symbols span at most 64 values, such as the exponents of
//! weights. A pair is a number of 12 bits, so a table of all pairs fits into the first-level cache,
//! and each step processes two symbols.

use crate::entropy::histogram::StreamCounts;
use crate::entropy::huffman::code::Codeword;
use crate::entropy::{STREAMS, SYMBOLS};

/// Number of values that the symbols may span.
pub(crate) const SPAN: usize = 1 << SPAN_LOG;
const SPAN_LOG: u32 = 6;
/// Number of different pairs.
pub(crate) const PAIRS: usize = SPAN * SPAN;

/// Divisor of the length of a plane whose streams all consist of whole pairs.
pub(crate) const ALIGNMENT: usize = 2 * STREAMS;

/// Replaces every two symbols with the number of their pair, in little-endian order.
///
/// All symbols are at least `lowest` and less than `lowest` + [`SPAN`].
pub(crate) fn pack(plane: &mut [u8], lowest: u8) {
    let lowest = u16::from_le_bytes([lowest; 2]);
    for pair in plane.as_chunks_mut().0 {
        let ranks = u16::from_le_bytes(*pair).wrapping_sub(lowest);
        let first = ranks % SPAN as u16;
        let second = ranks >> 8;
        *pair = (first | second << SPAN_LOG).to_le_bytes();
    }
}

/// Undoes [`pack`].
pub(crate) fn unpack(packed: &[u8], lowest: u8, plane: &mut [u8]) {
    let lowest = u16::from_le_bytes([lowest; 2]);
    for (to, pair) in plane.as_chunks_mut().0.iter_mut().zip(packed.as_chunks().0) {
        let pair = u16::from_le_bytes(*pair);
        let ranks = (pair % SPAN as u16) | (pair >> SPAN_LOG << 8);
        *to = ranks.wrapping_add(lowest).to_le_bytes();
    }
}

/// Returns the number of a packed pair.
#[inline(always)]
pub(crate) fn number(pair: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(pair)) % PAIRS
}

/// The count of each pair in each stream. A stream has too few pairs to overflow a count.
pub(crate) type PairCounts = [[u16; PAIRS]; STREAMS];

/// Counts the pairs and the symbols of each stream of a packed plane.
pub(crate) fn count(packed: &[u8], lowest: u8, pairs: &mut PairCounts, counts: &mut StreamCounts) {
    *pairs = [[0; PAIRS]; STREAMS];
    let mut streams = packed.chunks_exact(packed.len() / STREAMS);
    let [s0, s1, s2, s3] =
        core::array::from_fn(|_| streams.next().unwrap_or_default().as_chunks().0);
    let [p0, p1, p2, p3] = &mut *pairs;
    for (((&a, &b), &c), &d) in s0.iter().zip(s1).zip(s2).zip(s3) {
        p0[number(a)] += 1;
        p1[number(b)] += 1;
        p2[number(c)] += 1;
        p3[number(d)] += 1;
    }
    for (pairs, counts) in pairs.iter().zip(counts) {
        count_symbols(pairs, usize::from(lowest), counts);
    }
}

/// Computes counts of symbols from counts of pairs.
fn count_symbols(pairs: &[u16; PAIRS], lowest: usize, counts: &mut [u32; SYMBOLS]) {
    let mut firsts = [0_u16; SPAN];
    let mut seconds = [0_u16; SPAN];
    for (second, row) in seconds.iter_mut().zip(pairs.as_chunks::<SPAN>().0) {
        for (first, count) in firsts.iter_mut().zip(row) {
            *first += count;
        }
        *second = row.iter().sum();
    }
    *counts = [0; SYMBOLS];
    let present = counts.iter_mut().skip(lowest);
    for ((count, &first), &second) in present.zip(&firsts).zip(&seconds) {
        *count = u32::from(first) + u32::from(second);
    }
}

/// The codeword of each pair. The second symbol has the lower bits, because it is written first.
pub(crate) type PairCodewords = [Codeword; PAIRS];

/// Joins the codewords of symbols, starting with `lowest`, into codewords of pairs.
pub(crate) fn join(codewords: &[Codeword; SYMBOLS], lowest: u8, pairs: &mut PairCodewords) {
    let present = &codewords[usize::from(lowest)..];
    let highest =
        present.iter().rposition(|&codeword| codeword != Codeword::default()).unwrap_or_default();
    let present = &present[..=highest.min(SPAN - 1)];
    for (row, second) in pairs.as_chunks_mut::<SPAN>().0.iter_mut().zip(present) {
        for (pair, first) in row.iter_mut().zip(present) {
            *pair = second.then(*first);
        }
    }
}
