//! Finds the scales of rows and columns.

use alloc::vec::Vec;

use crate::dtype::DType;
use crate::format::scales::{GROUP, MAX_SCALE};
use crate::model::element::{Format, Word, half_octaves};
use crate::model::scales::row_len::Rows;
use crate::simd::Kernels;

/// Number of elements from which the center of a chunk is estimated.
const SAMPLE: usize = 4096;
/// The smallest mean of squares, which is far below the center of a chunk.
const SMALLEST: f32 = 1e-30;

/// The floats from this one to its double are integers, which their lowest bits are.
const INTEGERS: f32 = (1 << 23) as f32;

/// The scales of columns, and what finding the scales of rows needs.
pub(crate) struct Columns {
    /// The scale of each column, in quarter octaves.
    pub(crate) scales: Vec<[u8; 2]>,
    /// The reciprocal of the square of each column's scale.
    weights: Vec<f32>,
    /// The reciprocal of each column's scale.
    roots: Vec<f32>,
    /// By how many octaves elements are multiplied, so that squares are in range.
    octaves: i32,
    format: Format,
}

impl Columns {
    /// Finds the scales of columns, from the elements relative to the scales of their rows.
    ///
    /// If `are_equal` is set, all columns have the same scale.
    #[inline(always)]
    pub(crate) fn fit<W: Word>(
        &mut self,
        elements: &[W::Bytes],
        format: Format,
        rows: Rows,
        are_equal: bool,
    ) {
        self.octaves = octaves::<W>(elements, format);
        self.format = format;
        self.weights.clear();
        self.weights.resize(rows.len, if are_equal { 1.0 } else { 0.0 });
        self.scales.clear();
        self.scales.resize(rows.len, [0; 2]);
        self.roots.clear();
        self.roots.resize(rows.len, 1.0);
        if are_equal {
            return;
        }
        let mut count = 0.0;
        for (row, columns) in rows.of(elements) {
            let weights = &mut self.weights[columns];
            let energy = weighted_energy::<W>(row, format, self.octaves, None);
            let scale = (row.len() as f32 / energy.max(SMALLEST)).min(1.0 / SMALLEST);
            for (sum, &element) in weights.iter_mut().zip(row) {
                let value = format.value(W::load(element).bits(), self.octaves);
                *sum += value * value * scale;
            }
            count += row.len() as f32 / rows.len as f32;
        }
        for (scale, weight) in self.scales.iter_mut().zip(&mut self.weights) {
            let size = half_octaves((*weight / count).max(SMALLEST)).clamp(-100, 100);
            *scale = (size as i16).to_le_bytes();
            *weight = inverse_square(size);
        }
        for (factor, &weight) in self.roots.iter_mut().zip(&self.weights) {
            *factor = root(weight);
        }
    }

    /// Returns the scale of a row that covers these columns, and the reciprocal of its length as a
    /// vector, relative to the scales of the columns.
    pub(crate) fn row<W: Word>(
        &self,
        row: &[W::Bytes],
        columns: core::ops::Range<usize>,
        format: Format,
        kernels: Kernels,
    ) -> (i16, f32) {
        let weights = &self.weights[columns];
        let energy = kernels.vectorize_all(
            #[inline(always)]
            || weighted_energy::<W>(row, format, self.octaves, Some(weights)),
        );
        (self.row_scale(energy, row.len()), inverse_root(energy.max(SMALLEST)))
    }

    /// Returns the scale of a row of this length whose squares, relative to the scales of the
    /// columns, have this sum.
    pub(crate) fn row_scale(&self, energy: f32, len: usize) -> i16 {
        let mean = (energy / len as f32).max(SMALLEST);
        (half_octaves(mean) - 4 * self.octaves).clamp(-MAX_SCALE, MAX_SCALE) as i16
    }
}

impl Default for Columns {
    fn default() -> Self {
        let format = Format::of(DType::F32);
        Self { scales: Vec::new(), weights: Vec::new(), roots: Vec::new(), octaves: 0, format }
    }
}

impl Columns {
    /// Returns the scalar product of two rows, each element relative to the scale of its column.
    #[inline(always)]
    pub(crate) fn dot<W: Word>(&self, left: &[W::Bytes], right: &[W::Bytes]) -> f32 {
        let format = self.format;
        let value = |element: W::Bytes| format.value(W::load(element).bits(), self.octaves);
        let mut sums = [0_f32; 2 * GROUP];
        let (left, right) = (left.as_chunks().0, right.as_chunks().0);
        for ((left, right), weights) in left.iter().zip(right).zip(self.weights.as_chunks().0) {
            let (left, right): (&[W::Bytes; 2 * GROUP], &[W::Bytes; 2 * GROUP]) = (left, right);
            let weights: &[f32; 2 * GROUP] = weights;
            for lane in 0..2 * GROUP {
                sums[lane] += value(left[lane]) * value(right[lane]) * weights[lane];
            }
        }
        sums.iter().sum()
    }

    /// Sets odd numbers to the elements of a row, each relative to the scale of its column, times
    /// two and a factor.
    #[inline(always)]
    pub(crate) fn levels<W: Word>(&self, row: &[W::Bytes], factor: f32, levels: &mut [i8]) {
        for ((level, &element), root) in levels.iter_mut().zip(row).zip(&self.roots) {
            let value = self.format.value(W::load(element).bits(), self.octaves);
            let shifted = value * root * factor + 63.5;
            // Neither comparison is true for numbers that are not finite because of overflow.
            let shifted = if shifted > 0.0 { shifted } else { 0.0 };
            let shifted = if shifted < 127.0 { shifted } else { 127.0 };
            let rounded = (shifted + INTEGERS).to_bits() as u8;
            *level = (2 * rounded).wrapping_sub(127) as i8;
        }
    }
}

/// Returns the sum of the squares of a row, each multiplied by the weight of its column.
#[inline(always)]
fn weighted_energy<W: Word>(
    row: &[W::Bytes],
    format: Format,
    octaves: i32,
    weights: Option<&[f32]>,
) -> f32 {
    let square = |element: W::Bytes| {
        let value = format.value(W::load(element).bits(), octaves);
        value * value
    };
    let (groups, rest) = row.as_chunks::<GROUP>();
    let mut sums = [0_f32; GROUP];
    match weights {
        None => {
            for group in groups {
                for lane in 0..GROUP {
                    sums[lane] += square(group[lane]);
                }
            }
            for (sum, &element) in sums.iter_mut().zip(rest) {
                *sum += square(element);
            }
        }
        Some(weights) => {
            let (weight_groups, rest_weights) = weights.as_chunks::<GROUP>();
            for (group, weights) in groups.iter().zip(weight_groups) {
                for lane in 0..GROUP {
                    sums[lane] += square(group[lane]) * weights[lane];
                }
            }
            for ((sum, &element), weight) in sums.iter_mut().zip(rest).zip(rest_weights) {
                *sum += square(element) * weight;
            }
        }
    }
    sums.iter().sum()
}

/// Returns the power of two that brings the average exponent of the elements to 1.
fn octaves<W: Word>(elements: &[W::Bytes], format: Format) -> i32 {
    let (mut sum, mut count) = (0, 0);
    for &element in elements.iter().step_by((elements.len() / SAMPLE).max(1)) {
        let exponent = (W::load(element).bits() >> format.mantissa & format.exponent_mask()) as i32;
        if exponent > 0 {
            sum += exponent;
            count += 1;
        }
    }
    if count == 0 { 0 } else { format.bias() - sum / count }
}

/// Returns the reciprocal of the square root of a number, nearly. `core` has no exact one.
fn inverse_root(number: f32) -> f32 {
    let mut root = f32::from_bits(0x5f37_59df - (number.to_bits() >> 1));
    for _ in 0..3 {
        root *= 1.5 - 0.5 * number * root * root;
    }
    root
}

/// Returns the square root of a number, nearly.
pub(crate) fn root(number: f32) -> f32 {
    number * inverse_root(number)
}

/// Returns the reciprocal of the square of a scale in quarter octaves.
pub(crate) fn inverse_square(size: i32) -> f32 {
    let half = if size & 1 == 0 { 1.0 } else { core::f32::consts::FRAC_1_SQRT_2 };
    half * f32::from_bits(((127 - (size >> 1)).clamp(1, 254) as u32) << 23)
}
