//! Finds rows that resemble earlier rows.
//!
//! The signs of the elements of a row are its signature. Rows whose signatures agree or differ in
//! more places than by chance are compared element by element.

use alloc::vec::Vec;

use crate::model::element::{Word, half_octaves, log2};
use crate::model::scales::description::RowReference;
use crate::model::scales::MAX_SCALE;
use crate::model::scales::fit::{Columns, inverse_square, root};
use crate::model::scales::signs::{self, BLOCK, Votes};
use crate::simd::Kernels;

/// Minimum number of rows in which references are searched.
const MIN_ROWS: usize = 64;
/// Number of rows that decide whether to search for the references of all rows.
const PROBES: usize = 32;
/// Estimated length of a reference in bits, without the distance.
const REFERENCE_BITS: f32 = 5.0;
/// The smallest share of the energy of a row that remains without its reference.
const SMALLEST_REST: f32 = 1e-6;
/// Minimum estimated saving for each element, in bits, for which references pay.
const MIN_SAVING: f32 = 0.05;

/// Levels of an element of average size.
const LEVELS: f32 = 16.0;
/// Maximum number of rows of a block that are compared element by element.
const MAX_SELECTED: u32 = 16;
/// Number of rows of a block from which fewer are selected of the next block.
const MOST_WANTED: u32 = 4;

/// Finds references, and keeps its memory from chunk to chunk.
#[derive(Default)]
pub(crate) struct Finder {
    /// The elements of all rows relative to their expected size, as odd numbers.
    levels: Vec<i8>,
    votes: Votes,
    searches: Vec<Search>,
}

/// The search for the reference of a row.
#[derive(Debug, Clone, Copy)]
struct Search {
    row: usize,
    /// By how many votes rows that are compared element by element differ from chance.
    least: u8,
    /// The scalar product with the most similar row so far.
    product: i32,
    other: usize,
}

/// The complete rows of a chunk.
pub(crate) struct CompleteRows<'e, B> {
    pub(crate) elements: &'e [B],
    pub(crate) len: usize,
    pub(crate) count: usize,
    pub(crate) columns: &'e Columns,
    /// The reciprocal of the length of each row as a vector, relative to the scales of columns.
    pub(crate) factors: &'e [f32],
}

/// The reference of a row, and the scale of what remains of the row without it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) reference: RowReference,
    pub(crate) scale: i16,
}

/// A row that resembles another one.
#[derive(Debug, Clone, Copy)]
struct Match {
    row: usize,
    correlation: f32,
    /// Estimated number of bits that it saves.
    saving: f32,
}

impl<B: Copy> CompleteRows<'_, B> {
    fn row(&self, number: usize) -> &[B] {
        &self.elements[number * self.len..][..self.len]
    }

    /// Returns the correlation of two rows relative to their scales.
    #[inline(always)]
    fn correlation<W: Word<Bytes = B>>(&self, left: usize, right: usize) -> f32 {
        let dot = self.columns.dot::<W>(self.row(left), self.row(right));
        dot * self.factors[left] * self.factors[right]
    }

    /// Returns the reference of a row to a similar row.
    fn found(&self, row: usize, found: Match) -> Found {
        let squared = |number: f32| number * number;
        let explained = squared(found.correlation);
        let exact = explained * squared(self.factors[found.row] / self.factors[row]);
        let size = half_octaves(exact).clamp(-MAX_SCALE, MAX_SCALE);
        // The share of the explained part by which rounding the coefficient adds to the rest.
        let rounding = squared(0.5 - 0.5 * exact * inverse_square(size));
        let reference = RowReference {
            distance: (row - found.row) as u32,
            size: size as i16,
            is_negative: found.correlation < 0.0,
        };
        let rest = (1.0 - explained).max(SMALLEST_REST) + explained * rounding.min(1.0);
        let scale = self.columns.row_scale(rest / squared(self.factors[row]), self.len);
        Found { reference, scale }
    }
}

impl Finder {
    /// Finds a reference for each row that saves bits. Returns whether there are enough.
    pub(crate) fn find<W: Word>(
        &mut self,
        rows: &CompleteRows<'_, W::Bytes>,
        kernels: Kernels,
        references: &mut Vec<Option<Found>>,
    ) -> bool {
        references.clear();
        if rows.count < MIN_ROWS || rows.len < 64 {
            return false;
        }
        kernels.vectorize_all(
            #[inline(always)]
            || self.set_levels::<W>(rows),
        );
        let probe = |probe: usize| rows.count / 2 + probe * (rows.count / 2) / PROBES;
        self.search((0..PROBES).map(probe), rows, kernels);
        let saved: f32 = self
            .searches
            .iter()
            .filter_map(|search| search.found::<W>(rows, kernels))
            .map(|found| found.saving)
            .sum();
        if saved < MIN_SAVING * (PROBES * rows.len) as f32 {
            return false;
        }
        self.search(0..rows.count, rows, kernels);
        references.extend(self.searches.iter().map(|search| {
            let found = search.found::<W>(rows, kernels)?;
            Some(rows.found(search.row, found))
        }));
        true
    }

    /// Sets the level of each element.
    #[inline(always)]
    fn set_levels<W: Word>(&mut self, rows: &CompleteRows<'_, W::Bytes>) {
        self.levels.resize(rows.count * rows.len, 0);
        for (number, levels) in self.levels.chunks_exact_mut(rows.len).enumerate() {
            let factor = rows.factors[number] * root(rows.len as f32) * LEVELS;
            rows.columns.levels::<W>(rows.row(number), factor, levels);
        }
    }

    /// Searches for the references of some rows.
    fn search<B: Copy>(
        &mut self,
        numbers: impl Iterator<Item = usize>,
        rows: &CompleteRows<'_, B>,
        kernels: Kernels,
    ) {
        self.searches.clear();
        self.searches.extend(numbers.map(|row| Search::new(row, rows.len)));
        for (number, block) in self.levels.chunks(BLOCK * rows.len).enumerate() {
            let start = number * BLOCK;
            let (votes, searches) = (&mut self.votes, &mut self.searches);
            let first = searches.partition_point(|search| search.row <= start);
            if first == searches.len() {
                break;
            }
            let levels = &self.levels;
            kernels.vectorize_all(
                #[inline(always)]
                || {
                    votes.set(block, rows.len);
                    for search in &mut searches[first..] {
                        let row = &levels[search.row * rows.len..][..rows.len];
                        search.block(votes, row, start, block);
                    }
                },
            );
        }
    }
}

impl Search {
    fn new(row: usize, len: usize) -> Self {
        let deviation = root(signs::trios(len) as f32) * 0.5;
        let least = deviation * 0.27 * (log2(row as f32 + 1.0) - 1.8).max(1.0);
        Self { row, least: least as u8 + 1, product: 0, other: 0 }
    }

    /// Compares the row with the rows of a block.
    #[inline(always)]
    fn block(&mut self, votes: &Votes, row: &[i8], start: usize, block: &[i8]) {
        let half = (signs::trios(row.len()) / 2) as u8;
        let counts = votes.count(row);
        let earlier = self.row - start;
        let mut selected;
        let mut number: u32;
        loop {
            selected = counts.outside(half + 1 - self.least, half + self.least, earlier);
            number = selected.iter().map(|bits| bits.count_ones()).sum();
            if number <= MAX_SELECTED || self.least >= half {
                break;
            }
            self.least += 1;
        }
        if number > MOST_WANTED {
            self.least = half.min(self.least + 1);
        }
        let mut left = MAX_SELECTED;
        for (number, mut bits) in selected.into_iter().enumerate() {
            while bits != 0 && left > 0 {
                let other = number * 64 + bits.trailing_zeros() as usize;
                (bits, left) = (bits & (bits - 1), left - 1);
                let product = product(row, &block[other * row.len()..][..row.len()]);
                if product.abs() > self.product.abs() {
                    (self.product, self.other) = (product, start + other);
                }
            }
        }
    }

    /// Returns the most similar row if it saves bits.
    fn found<W: Word>(&self, rows: &CompleteRows<'_, W::Bytes>, kernels: Kernels) -> Option<Match> {
        if self.product == 0 {
            return None;
        }
        let correlation = kernels.vectorize(
            #[inline(always)]
            || rows.correlation::<W>(self.row, self.other),
        );
        let distance_bits = (u32::BITS - (self.row as u32).leading_zeros()) as f32;
        let rest = (1.0 - correlation * correlation).clamp(SMALLEST_REST, 1.0);
        let saving = -0.5 * log2(rest) * rows.len as f32 - distance_bits - REFERENCE_BITS;
        (saving > 0.0).then_some(Match { row: self.other, correlation, saving })
    }
}

/// Returns the scalar product of two rows.
#[inline(always)]
fn product(left: &[i8], right: &[i8]) -> i32 {
    left.iter().zip(right).map(|(&left, &right)| i32::from(left) * i32::from(right)).sum()
}
