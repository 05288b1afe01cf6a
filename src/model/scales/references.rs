//! Finds rows that resemble earlier rows.
//!
//! The signs of the elements of a row are its signature. Rows whose signatures agree or differ in
//! more places than by chance are compared element by element.

use alloc::vec::Vec;

use crate::model::element::{Word, half_octaves, log2};
use crate::model::scales::description::RowReference;
use crate::model::scales::fit::{Columns, inverse_square};
use crate::model::scales::{GROUP, MAX_SCALE};
use crate::simd::Kernels;

/// Numbers of 64-bit words that signatures have.
const WORDS: [usize; 5] = [1, 2, 4, 6, 8];
/// Number of rows that are compared together.
const TILE: usize = 128;
/// Number of rows with the closest signatures that are compared element by element.
const CANDIDATES: usize = 4;
/// Minimum number of rows in which references are searched.
const MIN_ROWS: usize = 64;
/// Number of rows that decide whether to search for the references of all rows.
const PROBES: usize = 32;
/// Maximum number of words to compare for each row, which bounds the time of the search.
const MAX_WORDS: usize = 32 * 1024;
/// Estimated length of a reference in bits, without the distance.
const REFERENCE_BITS: f32 = 5.0;
/// The smallest share of the energy of a row that remains without its reference.
const SMALLEST_REST: f32 = 1e-6;
/// Minimum estimated saving for each element, in bits, for which references pay.
const MIN_SAVING: f32 = 0.05;

/// Finds references, and keeps its memory from chunk to chunk.
#[derive(Default)]
pub(crate) struct Finder {
    /// Each word of the signatures of all rows, padded to whole tiles.
    signatures: Vec<u64>,
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
        let words = *WORDS.iter().rfind(|&&words| words * 64 <= rows.len).unwrap_or(&1);
        kernels.vectorize(
            #[inline(always)]
            || self.set_signatures::<W>(rows, words),
        );
        let saving = |probe: usize| {
            let row = rows.count / 2 + probe * (rows.count / 2) / PROBES;
            self.best::<W>(rows, row, words, kernels).map_or(0.0, |found| found.saving)
        };
        let saved: f32 = (0..PROBES).map(saving).sum();
        if saved < MIN_SAVING * (PROBES * rows.len) as f32 {
            return false;
        }
        for row in 0..rows.count {
            let found = self.best::<W>(rows, row, words, kernels);
            references.push(found.map(|found| rows.found(row, found)));
        }
        true
    }

    #[inline(always)]
    fn set_signatures<W: Word>(&mut self, rows: &CompleteRows<'_, W::Bytes>, words: usize) {
        let stride = rows.count.next_multiple_of(TILE);
        self.signatures.clear();
        self.signatures.resize(words * stride, 0);
        for number in 0..rows.count {
            let (elements, _) = rows.row(number).as_chunks::<64>();
            for (word, elements) in elements.iter().take(words).enumerate() {
                let mut bits = 0;
                for (lane, &element) in elements.iter().enumerate() {
                    bits |= u64::from(W::load(element).bits() >> (W::BITS - 1)) << lane;
                }
                self.signatures[word * stride + number] = bits;
            }
        }
    }

    /// Returns the earlier row that saves the most bits, if any saves bits.
    fn best<W: Word>(
        &self,
        rows: &CompleteRows<'_, W::Bytes>,
        row: usize,
        words: usize,
        kernels: Kernels,
    ) -> Option<Match> {
        let stride = rows.count.next_multiple_of(TILE);
        let candidates = kernels.vectorize_all(
            #[inline(always)]
            || match words {
                8 => self.candidates::<8>(row, stride),
                6 => self.candidates::<6>(row, stride),
                4 => self.candidates::<4>(row, stride),
                2 => self.candidates::<2>(row, stride),
                _ => self.candidates::<1>(row, stride),
            },
        );
        let distance_bits = (u32::BITS - (row as u32).leading_zeros()) as f32;
        let mut best = None;
        for (_, other) in candidates.into_iter().filter(|&(score, _)| score > 0) {
            let correlation = kernels.vectorize(
                #[inline(always)]
                || rows.correlation::<W>(row, other),
            );
            let rest = (1.0 - correlation * correlation).clamp(SMALLEST_REST, 1.0);
            let saving = -0.5 * log2(rest) * rows.len as f32;
            let saving = saving - distance_bits - REFERENCE_BITS;
            if saving > best.map_or(0.0, |best: Match| best.saving) {
                best = Some(Match { row: other, correlation, saving });
            }
        }
        best
    }

    /// Returns the earlier rows whose signatures are closest, or closest to the opposite, each with
    /// the number of places by which it is closer than by chance.
    #[inline(always)]
    fn candidates<const WORDS: usize>(
        &self,
        row: usize,
        stride: usize,
    ) -> [(u64, usize); CANDIDATES] {
        let mut best = [(0, 0); CANDIDATES];
        let half = 32 * WORDS as u64;
        let window = (MAX_WORDS / WORDS).next_multiple_of(TILE);
        let wanted: [u64; WORDS] =
            core::array::from_fn(|word| self.signatures[word * stride + row]);
        let first = row.saturating_sub(window) / TILE * TILE;
        for start in (first..row).step_by(TILE) {
            let tiles: [&[u64; TILE]; WORDS] = core::array::from_fn(|word| {
                let tile = self.signatures[word * stride + start..].first_chunk();
                tile.unwrap_or(&[0; TILE])
            });
            let mut places = [0; TILE];
            for (number, places) in places.iter_mut().enumerate() {
                let mut sum = 0;
                for word in 0..WORDS {
                    sum += u64::from((tiles[word][number] ^ wanted[word]).count_ones());
                }
                *places = sum;
            }
            let least = best[CANDIDATES - 1].0;
            let most = places.iter().fold(0, |most, &places| places.max(most));
            let fewest = places.iter().fold(u64::MAX, |fewest, &places| places.min(fewest));
            if most <= half + least && fewest + least >= half {
                continue;
            }
            for (number, &places) in places.iter().enumerate() {
                let score = places.abs_diff(half);
                if score > best[CANDIDATES - 1].0 && start + number < row {
                    let at = best.iter().position(|&(other, _)| score > other).unwrap_or_default();
                    best[at..].rotate_right(1);
                    best[at] = (score, start + number);
                }
            }
        }
        best
    }
}

const _: () = assert!(TILE.is_multiple_of(GROUP), "tiles fill vectors");
