//! Finds rows that resemble earlier rows.
//!
//! Rows whose signs agree, or differ, in more places than by chance are compared element by element,
//! as small integers. [`signs`] finds them for a block of rows at a time, so that the block stays in
//! the cache while it is compared with all rows after it.

use alloc::vec::Vec;

use crate::format::scales::MAX_SCALE;
use crate::model::element::{Word, half_octaves, log2};
use crate::model::scales::description::RowReference;
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
/// Maximum number of rows of a block that are compared element by element, which bounds the time of
/// the search.
const MAX_SELECTED: u32 = 16;
/// Number of selected rows of a block from which on fewer rows are selected of the next one.
const MAX_WANTED: u32 = 4;

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
                        let levels = &levels[search.row * rows.len..][..rows.len];
                        search.compare(levels, votes, start, block);
                    }
                },
            );
        }
    }
}

impl Search {
    fn new(row: usize, len: usize) -> Self {
        // Among twice as many rows, the most distant ones are about a quarter of a deviation further
        // from the mean. The numbers select 15 to 30 of the earlier rows if all are random.
        let deviations = 0.27 * (log2(row as f32 + 1.0) - 1.8).max(1.0);
        let trios = signs::trios(len);
        let deviation = 0.5 * root(trios as f32);
        let least = ((deviations * deviation) as usize + 1).min(trios / 2) as u8;
        Self { row, least, product: 0, other: 0 }
    }

    /// Compares the row, which has these levels, with the earlier rows of a block.
    #[inline(always)]
    fn compare(&mut self, levels: &[i8], votes: &Votes, start: usize, block: &[i8]) {
        let selected = self.select(levels, votes, start);
        let mut words = 0_u8;
        for (number, &rows) in selected.iter().enumerate() {
            words |= u8::from(rows != 0) << number;
        }
        while words != 0 {
            let word = words.trailing_zeros() as usize;
            words &= words - 1;
            let mut rows = selected[word];
            while rows != 0 {
                let other = word * 64 + rows.trailing_zeros() as usize;
                rows &= rows - 1;
                let product = product(levels, &block[other * levels.len()..][..levels.len()]);
                if product.abs() > self.product.abs() {
                    (self.product, self.other) = (product, start + other);
                }
            }
        }
    }

    /// Selects earlier rows of a block by their votes, [`MAX_SELECTED`] at most.
    #[inline(always)]
    fn select(&mut self, levels: &[i8], votes: &Votes, start: usize) -> [u64; BLOCK / 64] {
        let half = (signs::trios(levels.len()) / 2) as u8;
        let counts = votes.count(levels);
        loop {
            let range = half + 1 - self.least..half + self.least;
            let mut selected = counts.outside(range, self.row - start);
            let number: u32 = selected.iter().map(|rows| rows.count_ones()).sum();
            let is_last = self.least == half;
            if number > MAX_WANTED && !is_last {
                self.least += 1;
            }
            if number <= MAX_SELECTED {
                return selected;
            }
            if is_last {
                // All these rows are about as similar.
                keep_first(&mut selected, MAX_WANTED);
                return selected;
            }
        }
    }

    /// Returns the most similar row if it saves bits.
    fn found<W: Word>(&self, rows: &CompleteRows<'_, W::Bytes>, kernels: Kernels) -> Option<Match> {
        if self.product == 0 {
            return None;
        }
        let correlation = kernels.vectorize_all(
            #[inline(always)]
            || rows.correlation::<W>(self.row, self.other),
        );
        let distance_bits = (u32::BITS - (self.row as u32).leading_zeros()) as f32;
        let rest = (1.0 - correlation * correlation).clamp(SMALLEST_REST, 1.0);
        let saving = -0.5 * log2(rest) * rows.len as f32 - distance_bits - REFERENCE_BITS;
        (saving > 0.0).then_some(Match { row: self.other, correlation, saving })
    }
}

/// Clears all bits that are set except for the first ones.
#[inline(always)]
fn keep_first(words: &mut [u64], mut count: u32) {
    for word in words {
        let mut rest = *word;
        while rest != 0 && count > 0 {
            (rest, count) = (rest & (rest - 1), count - 1);
        }
        *word ^= rest;
    }
}

/// Returns the scalar product of two rows.
#[inline(always)]
fn product(left: &[i8], right: &[i8]) -> i32 {
    left.iter().zip(right).map(|(&left, &right)| i32::from(left) * i32::from(right)).sum()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::dtype::DType;
    use crate::model::element::Format;
    use crate::model::scales::row_len::Rows;

    const LEN: usize = 256;

    /// Returns a number from -1 to 1, which is different for each seed.
    fn noise(seed: usize) -> f32 {
        let mixed = (seed as u32 + 1).wrapping_mul(0x9e37_79b9);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
        let mixed = (mixed ^ mixed >> 13).wrapping_mul(0xc2b2_ae35);
        ((mixed ^ mixed >> 16) >> 8) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Finds the references of rows with these elements at every level, which must agree.
    fn find(elements: &[f32]) -> Vec<Option<RowReference>> {
        let elements: Vec<[u8; 4]> = elements.iter().map(|element| element.to_le_bytes()).collect();
        let format = Format::of(DType::F32);
        let mut finder = Finder::default();
        let found = Kernels::all().map(|(level, kernels)| {
            let mut columns = Columns::default();
            columns.fit::<u32>(&elements, format, Rows { len: LEN, first: LEN }, false);
            let factor = |row| columns.row::<u32>(row, 0..LEN, format, kernels).1;
            let factors: Vec<f32> = elements.chunks(LEN).map(factor).collect();
            let (elements, count) = (&elements[..], factors.len());
            let rows =
                CompleteRows { elements, len: LEN, count, columns: &columns, factors: &factors };
            let mut references = Vec::new();
            let is_found = finder.find::<u32>(&rows, kernels, &mut references);
            assert_eq!(is_found, !references.is_empty(), "{level}");
            references.iter().map(|found| found.map(|found| found.reference)).collect::<Vec<_>>()
        });
        let found: Vec<_> = found.collect();
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "levels disagree");
        found[0].clone()
    }

    #[test]
    fn similar_rows_are_found() {
        /// Number of rows that are similar to none before them.
        const FIRST: usize = 700;
        let source = |row: usize| row * 7919 % FIRST;
        let coefficient = |row: usize| if row.is_multiple_of(3) { -2.0 } else { 0.5 };
        let element = |row: usize, column: usize| match row < FIRST {
            true => noise(row * LEN + column),
            false => {
                coefficient(row)
                    * (noise(source(row) * LEN + column) + 0.8 * noise(row * LEN + column))
            }
        };
        let elements: Vec<f32> = (0..3 * FIRST)
            .flat_map(|row| (0..LEN).map(move |column| element(row, column)))
            .collect();
        let found = find(&elements);
        assert_eq!(found.len(), 3 * FIRST);
        for (row, reference) in found.iter().enumerate().skip(FIRST) {
            let reference = reference.unwrap();
            let other = row - reference.distance as usize;
            assert_eq!(if other < FIRST { other } else { source(other) }, source(row));
            if other < FIRST {
                assert_eq!(reference.is_negative, coefficient(row) < 0.0);
            }
        }
    }

    #[test]
    fn rows_without_structure_have_no_references() {
        let elements: Vec<f32> = (0..600 * LEN).map(noise).collect();
        assert!(find(&elements).is_empty());
    }

    #[test]
    fn few_rows_of_a_block_are_selected() {
        let level = |seed: usize| if noise(seed) < 0.0 { -1 } else { 1 };
        for (span, most) in
            [(LEN, MAX_WANTED), (20 * LEN, MAX_SELECTED), (BLOCK * LEN, MAX_SELECTED)]
        {
            let rows: Vec<i8> = (0..BLOCK * LEN).map(|number| level(number % span)).collect();
            let mut votes = Votes::default();
            votes.set(&rows, LEN);
            let mut search = Search::new(BLOCK, LEN);
            let selected = search.select(&rows[..LEN], &votes, 0);
            let number: u32 = selected.iter().map(|rows| rows.count_ones()).sum();
            assert!((1..=most).contains(&number), "{number}");
        }
    }

    #[test]
    fn equal_rows_refer_to_an_earlier_one() {
        let elements: Vec<f32> = (0..1500 * LEN).map(|number| noise(number % LEN)).collect();
        let found = find(&elements);
        assert!(found[0].is_none());
        assert!(found[1..].iter().all(|found| found.is_some_and(|found| !found.is_negative)));
    }

    #[test]
    fn elements_that_are_not_numbers_are_no_obstacle() {
        let special = [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 0.0];
        let elements: Vec<f32> = (0..600 * LEN)
            .map(|number| match number % 11 {
                0 => special[number / 11 % special.len()],
                _ => noise(number % (LEN * 50)),
            })
            .collect();
        find(&elements);
    }
}
