//! Finds the length of rows whose changes are of similar size.

use crate::difference::element::Word;

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
const LENS: [usize; 30] = [
    2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 72, 80, 88, 96, 112,
    128, 160, 192, 256, 344,
];

/// Returns the rows for which the classes and symbols are estimated to be shortest.
pub(crate) fn find<W: Word>(
    base: impl Iterator<Item = W>,
    new: impl Iterator<Item = W>,
    sums: &mut alloc::vec::Vec<u32>,
) -> Rows {
    sums.clear();
    // The sum of the changes before each block.
    let (mut sum, mut count) = (0, 0);
    sums.push(0);
    for (base, new) in base.zip(new) {
        sum += base.distance(new).unsigned_abs().min(LARGE);
        count += 1;
        if count % BLOCK == 0 {
            sums.push(sum);
        }
    }
    let mut best = (f32::INFINITY, Rows { len: 8 * BLOCK, first: 8 * BLOCK });
    let consider = |len: usize, first: usize, best: &mut (f32, Rows)| {
        let bits = bits(sums, len, first);
        if bits < best.0 {
            *best = (bits, Rows { len: len * BLOCK, first: first * BLOCK });
        }
    };
    for len in LENS {
        for first in (1..=8).map(|part| (len * part).div_ceil(8)) {
            consider(len, first, &mut best);
        }
    }
    let len = best.1.len / BLOCK;
    for first in 1..=len {
        consider(len, first, &mut best);
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

/// Returns the base-2 logarithm of a positive number, with an error below 0.01.
pub(crate) fn log2(number: f32) -> f32 {
    let bits = number.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let fraction = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    exponent + fraction * (1.3465 - 0.3465 * fraction)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn logarithms_are_close() {
        for (number, expected) in [(1.0, 0.0), (2.0, 1.0), (0.125, -3.0), (3.0, 1.585)] {
            assert!((log2(number) - expected).abs() < 0.01, "{number}");
        }
    }

    #[test]
    fn rows_are_found() {
        for (len, first) in [(384, 384), (384, 96), (256, 32), (768, 768)] {
            let step = |i: usize| 1 << ((i + len - first) / len * 7 % 6);
            let base = || (0..40_000).map(|i| 1000 + (i * i % 777) as u16);
            let new = base().enumerate().map(|(i, base)| base + step(i));
            let rows = find(base(), new, &mut Vec::new());
            assert_eq!(rows, Rows { len, first });
        }
    }
}
