//! Encodes planes of many symbols with the instructions that accompany AVX2, two symbols at a time.
//!
//! A table holds the codeword of every pair of symbols. Where the symbols are not in a few blocks of
//! values, looking up pairs takes less time than shuffles, which look up 16 values each.

use fearless_simd::x86::Avx2;

use crate::entropy::huffman::bytes::{Codes, write_scalar};
use crate::entropy::huffman::pair_table::Pairs;
use crate::entropy::huffman::stream_writer::{self, StreamWriter};
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::prefetch::Ahead;

/// Below this length of a plane, filling the table costs more than it saves.
pub(crate) const SHORTEST: usize = 64 * 1024;

/// Bytes of a run of pairs, whose codewords nearly always fit in a number.
const RUN: usize = 6;
/// Number of runs that take at least as long as prefetching a line.
const RUNS: usize = 4;
/// Most bits of a run, so that the bits of an incomplete byte fit as well.
const LONGEST_RUN: u64 = 56;
/// Offset of the codeword in an entry of the table. The lower bits hold its length.
const VALUE_SHIFT: u32 = 8;

/// Encodes the four streams of a plane and their end marks.
pub(crate) fn encode(
    token: Avx2,
    plane: &[u8],
    code: &CodeLengths,
    writers: [StreamWriter<'_>; STREAMS],
    pairs: &mut Pairs,
    ahead: &mut Ahead<'_>,
) {
    let codes = Codes::new(code);
    fill(token, &codes, pairs);
    for (stream, writer) in plane.chunks(plane.len().div_ceil(STREAMS)).zip(writers) {
        encode_stream(token, stream, pairs, &codes, writer, ahead);
    }
}

fearless_simd::kernel!(
    /// Fills the entries of all pairs of symbols with codewords. The second symbol has the lower bits,
    /// because it is written first.
    #[inline(never)]
    fn fill(_token: Avx2, codes: &Codes, pairs: &mut Pairs) {
        let seconds = codes.values.iter().zip(&codes.lens);
        let rows = pairs.as_chunks_mut::<SYMBOLS>().0.iter_mut().zip(seconds);
        for (row, (&second, &second_len)) in rows.filter(|(_, (_, len))| **len > 0) {
            let second = u32::from(second) << VALUE_SHIFT | u32::from(second_len);
            for ((pair, &first), &first_len) in row.iter_mut().zip(&codes.values).zip(&codes.lens) {
                let first = u32::from(first) << VALUE_SHIFT << (second_len % 16);
                *pair = first + second + u32::from(first_len);
            }
        }
    }
);

fearless_simd::kernel!(
    /// Encodes a stream and its end mark.
    #[inline(never)]
    fn encode_stream(
        _token: Avx2,
        stream: &[u8],
        table: &Pairs,
        codes: &Codes,
        writer: StreamWriter<'_>,
        ahead: &mut Ahead<'_>,
    ) {
        let mut lines = core::mem::take(ahead);
        let mut parts = writer.into_parts();
        let (head, blocks) = stream.as_rchunks::<{ RUNS * RUN }>();
        for block in blocks.iter().rev() {
            lines.step();
            for run in block.as_chunks::<RUN>().0.iter().rev() {
                let pairs = run.as_chunks::<2>().0;
                let entry =
                    |at: usize| u64::from(table[usize::from(u16::from_le_bytes(pairs[at]))]);
                let [first, second, third] = [entry(0), entry(1), entry(2)];
                // The sum of entries contains the sum of their lengths.
                let two = third + second;
                let len = (two + first) % (1 << VALUE_SHIFT);
                let bits = third >> VALUE_SHIFT
                    | (second >> VALUE_SHIFT).wrapping_shl(third as u32)
                    | (first >> VALUE_SHIFT).wrapping_shl(two as u32);
                if len <= LONGEST_RUN {
                    parts = stream_writer::append(parts, bits, len);
                } else {
                    let (room, pending, pending_len) = parts;
                    let writer = StreamWriter::from_parts(room, pending, pending_len);
                    parts = write_scalar(run, codes, writer).into_parts();
                }
            }
        }
        let (room, pending, pending_len) = parts;
        let writer = StreamWriter::from_parts(room, pending, pending_len);
        write_scalar(head, codes, writer).finish();
        *ahead = lines;
    }
);
