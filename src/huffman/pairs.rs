//! Two symbols at a time: counting and coding planes whose symbols span at most 64 values, as the
//! exponents of weights do.
//!
//! A pair is a number of 12 bits, so that a table over all pairs stays in the first-level cache,
//! and every step is paid once for two symbols.

use super::STREAMS;
use super::encode::{StreamWriter, Symbols};
use crate::histogram::{SYMBOLS, StreamCounts};

/// Values that the symbols may span.
pub(crate) const SPAN: usize = 1 << SPAN_LOG;
const SPAN_LOG: u32 = 6;
/// Numbers that a pair can have.
pub(crate) const PAIRS: usize = SPAN * SPAN;

/// Planes of a multiple of so many symbols have whole pairs in every stream.
pub(crate) const ALIGNMENT: usize = 2 * STREAMS;

/// Replaces every two symbols by the number of their pair, little-endian. All symbols lie from
/// `lowest` to less than [`SPAN`] above it.
pub(crate) fn pack(plane: &mut [u8], lowest: u8) {
    let lowest = u16::from_le_bytes([lowest; 2]);
    for pair in plane.as_chunks_mut().0 {
        let ranks = u16::from_le_bytes(*pair).wrapping_sub(lowest);
        let first = ranks % SPAN as u16;
        let second = ranks >> 8;
        *pair = (first | second << SPAN_LOG).to_le_bytes();
    }
}

/// Gets the symbols back from the numbers of their pairs.
pub(crate) fn unpack(packed: &[u8], lowest: u8, plane: &mut [u8]) {
    let lowest = u16::from_le_bytes([lowest; 2]);
    for (to, pair) in plane.as_chunks_mut().0.iter_mut().zip(packed.as_chunks().0) {
        let pair = u16::from_le_bytes(*pair);
        let ranks = pair % SPAN as u16 | pair >> SPAN_LOG << 8;
        *to = ranks.wrapping_add(lowest).to_le_bytes();
    }
}

fn number(pair: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(pair)) % PAIRS
}

/// Counts of pairs. Two tables, used in turn, so that a pair that repeats need not wait for itself.
pub(crate) type PairCounts = [[u16; PAIRS]; 2];

/// Counts the symbols of a packed plane, stream by stream. A stream has too few pairs for a count
/// to overflow.
pub(crate) fn count(packed: &[u8], lowest: u8, pairs: &mut PairCounts, counts: &mut StreamCounts) {
    for (stream, counts) in packed.chunks_exact(packed.len() / STREAMS).zip(counts) {
        *pairs = [[0; PAIRS]; 2];
        let [even, odd] = &mut *pairs;
        let (quads, rest) = stream.as_chunks::<4>();
        for &[a, b, c, d] in quads {
            even[number([a, b])] += 1;
            odd[number([c, d])] += 1;
        }
        for &pair in rest.as_chunks().0 {
            even[number(pair)] += 1;
        }
        count_symbols(pairs, usize::from(lowest), counts);
    }
}

/// Adds the counts of pairs up to counts of symbols.
fn count_symbols(pairs: &PairCounts, lowest: usize, counts: &mut [u32; SYMBOLS]) {
    let [even, odd] = pairs;
    let mut firsts = [0_u16; SPAN];
    let mut seconds = [0_u32; SPAN];
    let rows = even.as_chunks::<SPAN>().0.iter().zip(odd.as_chunks::<SPAN>().0);
    for (second, (even, odd)) in seconds.iter_mut().zip(rows) {
        for ((first, even), odd) in firsts.iter_mut().zip(even).zip(odd) {
            *first += even + odd;
            *second += u32::from(even + odd);
        }
    }
    *counts = [0; SYMBOLS];
    let present = counts.iter_mut().skip(lowest);
    for ((count, &first), &second) in present.zip(&firsts).zip(&seconds) {
        *count = u32::from(first) + second;
    }
}

/// The codes of two symbols as one: the second symbol's below, as it is written first.
pub(crate) type PairCodes = [Symbols; PAIRS];

/// Fills in the pairs of the symbols from `lowest` on.
pub(crate) fn join(codes: &[Symbols; SYMBOLS], lowest: u8, pairs: &mut PairCodes) {
    let present = &codes[usize::from(lowest)..];
    let present = &present[..present.len().min(SPAN)];
    for (row, second) in pairs.as_chunks_mut::<SPAN>().0.iter_mut().zip(present) {
        for (pair, first) in row.iter_mut().zip(present) {
            *pair = Symbols {
                bits: second.bits | first.bits << (second.len % u32::BITS),
                len: first.len + second.len,
            };
        }
    }
}

/// Pairs that are written at once if they turn out short enough, and half of which always are.
const GROUP: usize = 4;

/// Codes the packed symbols of two streams, last first. Two, so that neither waits for itself.
pub(crate) fn encode(
    streams: [&[u8]; 2],
    pairs: &PairCodes,
    [first, second]: &mut [StreamWriter<'_>; 2],
) {
    let [(head0, groups0), (head1, groups1)] = streams.map(|stream| stream.as_rchunks());
    let common = groups0.len().min(groups1.len());
    let (rest0, both0) = groups0.split_at(groups0.len() - common);
    let (rest1, both1) = groups1.split_at(groups1.len() - common);
    for (group0, group1) in both0.iter().zip(both1).rev() {
        write_group(group0, pairs, first);
        write_group(group1, pairs, second);
    }
    for (writer, rest, head) in [(first, rest0, head0), (second, rest1, head1)] {
        for group in rest.iter().rev() {
            write_group(group, pairs, writer);
        }
        for &pair in head.as_rchunks().1.iter().rev() {
            writer.push(pairs[number(pair)]);
            writer.flush();
        }
    }
}

#[inline(always)]
fn write_group(group: &[u8; 2 * GROUP], pairs: &PairCodes, writer: &mut StreamWriter<'_>) {
    let codes = |pair: usize| pairs[number([group[2 * pair], group[2 * pair + 1]])];
    let before = (writer.pending, writer.pending_bits);
    for pair in (0..GROUP).rev() {
        writer.push(codes(pair));
    }
    if writer.pending_bits < u64::BITS {
        writer.flush();
        return;
    }
    (writer.pending, writer.pending_bits) = before;
    for pair in (0..GROUP).rev() {
        writer.push(codes(pair));
        writer.flush();
    }
}
