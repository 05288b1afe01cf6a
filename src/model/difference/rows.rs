//! Finds the length of rows whose changes are of similar size.

use crate::model::element::{Word, log2};

/// How the elements of a chunk are divided into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) len: usize,
    /// Length of the first row.
    pub(crate) first: usize,
}

/// Number of elements whose changes are added up. Row lengths are multiples of it.
const BLOCK: usize = 32;
/// The largest change that counts in full, in units of the last place.
const LARGE: u32 = 64;
/// Estimated length of the class of a row in bits.
const CLASS_BITS: f32 = 4.0;

/// The lengths to try, in blocks: common widths of models, and what divides them.
const LENS: [usize; 24] =
    [2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 96, 112, 128];
/// Number of positions of the first row to try for each length.
const POSITIONS: usize = 4;
/// Maximum number of blocks to try all lengths with.
const MOST_BLOCKS: usize = 2048;

/// Returns the rows for which the classes and symbols are estimated to be shortest.
#[inline(always)]
pub(crate) fn find<W: Word>(
    base: &[W::Bytes],
    new: &[W::Bytes],
    sums: &mut alloc::vec::Vec<u32>,
) -> Rows {
    sums.clear();
    // The sum of the changes before each block.
    let mut sum = 0;
    sums.push(0);
    for (base, new) in base.as_chunks::<BLOCK>().0.iter().zip(new.as_chunks::<BLOCK>().0) {
        let distances =
            base.iter().zip(new).map(|(&base, &new)| W::load(base).distance(W::load(new)));
        sum += distances.map(|distance| distance.unsigned_abs().min(LARGE)).sum::<u32>();
        sums.push(sum);
    }
    let head = &sums[..sums.len().min(MOST_BLOCKS + 1)];
    let firsts = |len: usize| (1..=POSITIONS).map(move |part| (len * part).div_ceil(POSITIONS));
    let (len, _) =
        shortest(head, LENS.into_iter().flat_map(|len| firsts(len).map(move |first| (len, first))));
    let (len, first) = shortest(sums, (1..=len).map(|first| (len, first)));
    Rows { len: len * BLOCK, first: first * BLOCK }
}

/// Returns the length of rows, and of the first row, for which the fewest bits are estimated.
fn shortest(sums: &[u32], candidates: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    let mut best = (f32::INFINITY, (1, 1));
    for (len, first) in candidates {
        let bits = bits(sums, len, first);
        if bits < best.0 {
            best = (bits, (len, first));
        }
    }
    best.1
}

/// Estimates the number of bits for rows of this length, from the sums of changes before blocks.
fn bits(sums: &[u32], len: usize, first: usize) -> f32 {
    let last = sums.len() - 1;
    let mut bits = 0.0;
    let (mut start, mut end) = (0, first.min(last));
    while start < end {
        let elements = ((end - start) * BLOCK) as f32;
        let sum = (sums[end] - sums[start]) as f32;
        if sum > 0.0 {
            // The entropy of a geometric distribution with this mean.
            let mean = sum / elements;
            bits += elements * (log2(1.0 + mean) + mean * log2(1.0 + 1.0 / mean)) + CLASS_BITS;
        } else {
            bits += 1.0;
        }
        (start, end) = (end, (end + len).min(last));
    }
    bits
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn rows_are_found() {
        for (len, first) in [(384, 384), (384, 96), (256, 64), (768, 768)] {
            let step = |i: usize| 1 << ((i + len - first) / len * 7 % 6);
            let base = || (0..40_000).map(|i| 1000 + (i * i % 777) as u16);
            let new = base().enumerate().map(|(i, base)| base + step(i));
            let bytes = |word: u16| word.to_le_bytes();
            let (base, new): (Vec<_>, Vec<_>) =
                (base().map(bytes).collect(), new.map(bytes).collect());
            let rows = find::<u16>(&base, &new, &mut Vec::new());
            assert_eq!(rows, Rows { len, first });
        }
    }
}
