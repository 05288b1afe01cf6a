//! Two symbols at a time: counting and coding planes whose symbols span at most 64 values, as the
//! exponents of weights do.
//!
//! A pair is a number of 12 bits, so that a table over all pairs stays in the first-level cache,
//! and every step is paid once for two symbols.

use super::STREAMS;
use super::SYMBOLS;
use super::encode::{StreamWriter, Symbols};
use crate::histogram::StreamCounts;

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
        let ranks = (pair % SPAN as u16) | (pair >> SPAN_LOG << 8);
        *to = ranks.wrapping_add(lowest).to_le_bytes();
    }
}

fn number(pair: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(pair)) % PAIRS
}

/// Counts of pairs in each stream. A stream has too few pairs for a count to overflow.
pub(crate) type PairCounts = [[u16; PAIRS]; STREAMS];

/// Counts the symbols of a packed plane, stream by stream.
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

/// Adds the counts of pairs up to counts of symbols.
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

/// Codes the packed symbols of two streams, last first, and their end marks. Two, so that neither
/// waits for itself.
pub(crate) fn encode_two(streams: [&[u8]; 2], pairs: &PairCodes, writers: [StreamWriter<'_>; 2]) {
    let [mut first, mut second] = writers;
    let [(head0, groups0), (head1, groups1)] = streams.map(|stream| stream.as_rchunks());
    let common = groups0.len().min(groups1.len());
    let (rest0, both0) = groups0.split_at(groups0.len() - common);
    let (rest1, both1) = groups1.split_at(groups1.len() - common);
    for (group0, group1) in both0.iter().zip(both1).rev() {
        write_group(group0, pairs, &mut first);
        write_group(group1, pairs, &mut second);
    }
    for (mut writer, rest, head) in [(first, rest0, head0), (second, rest1, head1)] {
        for group in rest.iter().rev() {
            write_group(group, pairs, &mut writer);
        }
        for &pair in head.as_rchunks().1.iter().rev() {
            writer.push(pairs[number(pair)]);
            writer.flush();
        }
        writer.finish();
    }
}

#[inline(always)]
fn write_group(group: &[u8; 2 * GROUP], pairs: &PairCodes, writer: &mut StreamWriter<'_>) {
    let (mut pending, mut pending_bits) = (writer.pending, writer.pending_bits);
    // One load for all, and no gathering of the numbers in a vector register.
    let numbers = u64::from_le_bytes(*group);
    for pair in (0..GROUP).rev() {
        let code = pairs[(numbers >> (16 * pair)) as usize % PAIRS];
        pending |= u64::from(code.bits) << (pending_bits % u64::BITS);
        pending_bits += code.len;
    }
    if pending_bits < u64::BITS {
        (writer.pending, writer.pending_bits) = (pending, pending_bits);
        writer.flush();
    } else {
        *writer = write_long_group(group, pairs, core::mem::take(writer));
    }
}

/// Codes a group that is too long to be written at once. The writer is moved and not borrowed, so
/// that it can live in registers elsewhere.
#[cold]
#[inline(never)]
fn write_long_group<'a>(
    group: &[u8; 2 * GROUP],
    pairs: &PairCodes,
    mut writer: StreamWriter<'a>,
) -> StreamWriter<'a> {
    for &pair in group.as_chunks().0.iter().rev() {
        writer.push(pairs[number(pair)]);
        writer.flush();
    }
    writer
}
