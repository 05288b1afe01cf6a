//! Finds the length of rows from the elements.

use alloc::vec::Vec;
use core::ops::Range;

use crate::format::scales::MAX_ROW;
use crate::model::element::{Format, Word};
use crate::model::scales::shape::Shape;
use crate::simd::Kernels;

/// How the elements of a chunk are divided into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) len: usize,
    /// Length of the first row, which may be the end of a row.
    pub(crate) first: usize,
}

impl Rows {
    /// Returns the rows of elements, with the columns that each covers.
    pub(crate) fn of<B>(self, elements: &[B]) -> impl Iterator<Item = (&[B], Range<usize>)> {
        let mut rest = elements;
        let mut column = self.len - self.first;
        core::iter::from_fn(move || {
            let len = (self.len - column).min(rest.len());
            let (row, behind) = rest.split_at(len);
            let columns = column..column + len;
            (rest, column) = (behind, 0);
            (len > 0).then_some((row, columns))
        })
    }
}

/// Number of elements that are compared. The sums of columns fit into 16 bits.
const SAMPLE: usize = 32 * 1024;
/// Largest deviation from the average size, in quarter octaves, that counts in full.
const LARGEST: i16 = 24;
/// Number of elements that are added up. Row lengths are multiples of it.
const BLOCK: usize = 32;
/// Estimated length of the scale of a row or column in bits.
const SCALE_BITS: f32 = 3.5;
/// The length of rows without any visible structure.
const DEFAULT: usize = 1024;
/// Minimum number of rows to find structure in.
const MIN_ROWS: usize = 8;

/// The lengths to try: common widths of models.
const LENS: [usize; 44] = [
    64, 96, 128, 192, 256, 320, 384, 448, 512, 576, 640, 768, 896, 960, 1024, 1152, 1280, 1408,
    1536, 1792, 2048, 2304, 2560, 2816, 3072, 3584, 4096, 4608, 4864, 5120, 5632, 6144, 6912, 7168,
    8192, 8960, 9216, 9728, 10_240, 11_008, 12_288, 13_824, 14_336, 16_384,
];

/// Memory for finding the length of rows.
#[derive(Default)]
pub(crate) struct Finder {
    /// The size of each element relative to the average, in quarter octaves.
    sizes: Vec<i16>,
    sums: Vec<i16>,
    /// The sum of the sizes before each block.
    before: Vec<i32>,
}

/// Rows, and whether their columns have scales of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rows: Rows,
    pub(crate) has_columns: bool,
}

impl Finder {
    /// Returns the rows for which scales are estimated to save the most bits.
    pub(crate) fn find<S: Shape>(
        &mut self,
        elements: &[<S::Word as Word>::Bytes],
        format: Format,
        kernels: Kernels,
    ) -> Found {
        let sample = &elements[..elements.len().min(SAMPLE)];
        let variance = kernels.vectorize(
            #[inline(always)]
            || self.set_sizes::<S>(sample, format),
        );
        let share = elements.len() as f32 / sample.len().max(1) as f32;
        let mut best =
            (0.0, Found { rows: Rows { len: DEFAULT, first: DEFAULT }, has_columns: false });
        for len in LENS {
            if sample.len() < MIN_ROWS.min(SAMPLE / len) * len || len > elements.len() / 2 {
                break;
            }
            let gain = kernels.vectorize(
                #[inline(always)]
                || self.column_gain(len, variance),
            );
            let columns = gain * share - SCALE_BITS * len as f32;
            let rows = self.row_gain(len, len, variance) * share;
            let gain = columns.max(0.0) + rows;
            if gain > best.0 {
                let rows = Rows { len, first: len };
                best = (gain, Found { rows, has_columns: columns > 0.0 });
            }
        }
        let mut found = best.1;
        found.rows.first = self.first(found.rows.len, variance);
        found
    }

    /// Sets the sizes of elements and their sums. Returns the variance of the sizes.
    #[inline(always)]
    fn set_sizes<S: Shape>(
        &mut self,
        elements: &[<S::Word as Word>::Bytes],
        format: Format,
    ) -> f32 {
        let shift = (format.mantissa - S::LOW).saturating_sub(2);
        let size =
            |&element: &<S::Word as Word>::Bytes| (S::head(S::Word::load(element)) >> shift) as i16;
        let sum: i64 = elements.iter().map(|element| i64::from(size(element))).sum();
        let mean = (sum / elements.len().max(1) as i64) as i16;
        self.sizes.clear();
        let limited = |element| (size(element) - mean).clamp(-LARGEST, LARGEST);
        self.sizes.extend(elements.iter().map(limited));
        let (mut sum, mut squares) = (0_i32, 0_i32);
        self.before.clear();
        self.before.push(0);
        for block in self.sizes.chunks(BLOCK) {
            for &size in block {
                sum += i32::from(size);
                squares += i32::from(size) * i32::from(size);
            }
            self.before.push(sum);
        }
        let count = self.sizes.len().max(1) as f32;
        let mean = sum as f32 / count;
        (squares as f32 / count - mean * mean).max(0.25)
    }

    /// Estimates how many bits of the sample the scales of columns save.
    #[inline(always)]
    fn column_gain(&mut self, len: usize, variance: f32) -> f32 {
        self.sums.clear();
        self.sums.resize(len, 0);
        let rows = self.sizes.chunks_exact(len);
        let count = rows.len() as f32;
        for row in rows {
            for (sum, &size) in self.sums.iter_mut().zip(row) {
                *sum += size;
            }
        }
        let (mut squares, mut sum) = (0_i64, 0_i64);
        for &part in &self.sums {
            squares += i64::from(i32::from(part) * i32::from(part));
            sum += i64::from(part);
        }
        let parts = len as f32;
        let between = squares as f32 - sum as f32 * sum as f32 / parts;
        saved_bits(between / count, parts, variance)
    }

    /// Estimates how many bits of the sample the scales of rows save, without the scales themselves.
    fn row_gain(&self, len: usize, first: usize, variance: f32) -> f32 {
        let last = self.before.len() - 1;
        let (len, mut end) = (len / BLOCK, first / BLOCK);
        let mut start = 0;
        let mut rows = 0.0;
        let sums = core::iter::from_fn(|| {
            let range = start.min(last)..end.min(last);
            (start, end) = (end, end + len);
            rows += 1.0;
            let sum = self.before[range.end] - self.before[range.start];
            (range.start < range.end).then_some((sum as f32, (range.len() * BLOCK) as f32))
        });
        let gain = gain(sums.take_while(|&(_, count)| count > 0.0), variance);
        gain - SCALE_BITS * rows
    }

    /// Returns the length of the first row.
    fn first(&self, len: usize, variance: f32) -> usize {
        let whole = self.row_gain(len, len, variance);
        let mut best = (whole.max(0.0) * 1.02 + 20.0, len);
        for first in (BLOCK..len).step_by(BLOCK) {
            let gain = self.row_gain(len, first, variance);
            if gain > best.0 {
                best = (gain, first);
            }
        }
        best.1
    }
}

/// Estimates how many bits are saved by the averages of parts of the sample, from the sum of each
/// part and its length.
fn gain(parts: impl Iterator<Item = (f32, f32)>, variance: f32) -> f32 {
    let (mut squares, mut sum, mut total, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (part, len) in parts {
        squares += part * part / len;
        sum += part;
        total += len;
        count += 1.0;
    }
    if total == 0.0 {
        return 0.0;
    }
    saved_bits(squares - sum * sum / total, count, variance)
}

/// Estimates how many bits the averages of `count` parts save, from the sum of squares between the
/// parts.
fn saved_bits(between: f32, count: f32, variance: f32) -> f32 {
    (between / variance - count) * (0.5 * core::f32::consts::LOG2_E)
}

const _: () = assert!(LENS[LENS.len() - 1] <= MAX_ROW, "rows are not too long");
const _: () = assert!(
    SAMPLE / LENS[0] * LARGEST as usize <= i16::MAX as usize,
    "the sums of columns fit into 16 bits"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::model::scales::shape::BF16;

    /// Returns elements whose rows of `len` elements, of which the first has `first`, and whose
    /// columns have scales of their own.
    fn elements(len: usize, first: usize) -> Vec<[u8; 2]> {
        let mut state = 1_u32;
        (0..150_000)
            .map(|at| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let place = at + len - first;
                let hash = |number: usize| {
                    let mixed = (number as u32 + 1).wrapping_mul(0x9e37_79b9);
                    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
                    (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35) >> 20
                };
                let exponent = 110 + hash(place / len) % 3 + hash(place % len * 31) % 4;
                let bits = (exponent as u16) << 7 | (state >> 25) as u16;
                bits.wrapping_sub((state >> 20 & 3) as u16 * 100).to_le_bytes()
            })
            .collect()
    }

    #[test]
    fn rows_are_found() {
        for (len, first) in [(384, 384), (384, 96), (1024, 1024), (2048, 320)] {
            let elements = elements(len, first);
            let format = Format::of(DType::BF16);
            let found = Finder::default().find::<BF16<false>>(&elements, format, Kernels::new());
            assert_eq!(found.rows, Rows { len, first });
            assert!(found.has_columns);
        }
    }

    #[test]
    fn rows_cover_all_elements() {
        let rows = Rows { len: 16, first: 8 };
        let elements: Vec<usize> = (0..45).collect();
        let parts: Vec<_> = rows.of(&elements).collect();
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[0], (&elements[..8], 8..16));
        assert_eq!(parts[3], (&elements[40..], 0..5));
    }
}
