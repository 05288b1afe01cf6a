//! How often each byte occurs.

use crate::huffman::STREAMS;

/// Number of byte values.
pub(crate) const SYMBOLS: usize = 256;

/// Counts of each symbol in each of the four streams that a plane is coded in.
///
/// Four tables and not one: increments of neighbouring symbols then never wait for each other,
/// and the sizes of the coded streams are known before anything is coded.
pub(crate) type StreamCounts = [[u32; SYMBOLS]; STREAMS];

/// Counts the symbols of a plane, stream by stream.
pub(crate) fn count(plane: &[u8], counts: &mut StreamCounts) {
    *counts = [[0; SYMBOLS]; STREAMS];
    let quarter = plane.len().div_ceil(STREAMS);
    let [c0, c1, c2, c3] = counts;
    let (s0, rest) = plane.split_at(quarter.min(plane.len()));
    let (s1, rest) = rest.split_at(quarter.min(rest.len()));
    let (s2, s3) = rest.split_at(quarter.min(rest.len()));
    let common = s3.len().min(s2.len());
    for (((&a, &b), &c), &d) in s0.iter().zip(s1).zip(s2).zip(s3) {
        c0[usize::from(a)] += 1;
        c1[usize::from(b)] += 1;
        c2[usize::from(c)] += 1;
        c3[usize::from(d)] += 1;
    }
    for (stream, counts) in [(s0, c0), (s1, c1), (s2, c2), (s3, c3)] {
        for &symbol in stream.get(common..).unwrap_or_default() {
            counts[usize::from(symbol)] += 1;
        }
    }
}
