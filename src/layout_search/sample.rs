//! Samples of data, and the cost of a word in each layout.

use core::ops::Range;

use crate::layout_search::candidate::{Candidate, WORD};
use crate::layout_search::entropy::{BIT, Counts, MAX_COUNT, RAW, is_constant, sum, symbol_cost};

/// Length of a run in bytes.
const RUN: usize = 256;
/// Maximum number of runs of a sample.
pub(super) const RUNS: usize = 8;

const _: () = assert!(RUNS * RUN + WORD < MAX_COUNT, "one more byte may be counted for each plane");

/// Runs of words, spread over a window of the data.
///
/// Each run includes the beginning of the next word, so that elements with a phase are whole.
pub(super) struct Sample {
    runs: [[u8; RUN + WORD]; RUNS],
    len: usize,
    /// Whether bytes that are constant in the runs are compared in all words of the window.
    is_thorough: bool,
    /// The counts of each byte of a word.
    plain: [Counts; WORD],
    /// Cost of each byte of a word in a plane of its own.
    single: [u32; WORD],
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            runs: [[0; RUN + WORD]; RUNS],
            len: 0,
            is_thorough: false,
            plain: [[0; 256]; WORD],
            single: [0; WORD],
        }
    }
}

impl Sample {
    /// Creates a sample that compares bytes that are constant in the runs in all words of a window.
    pub(super) fn thorough() -> Self {
        Self { is_thorough: true, ..Self::default() }
    }

    pub(super) fn is_thorough(&self) -> bool {
        self.is_thorough
    }

    /// Returns the cost of each byte of a word in a plane of its own.
    pub(super) fn single_costs(&self) -> [u32; WORD] {
        self.single
    }

    /// Takes up to `runs` runs from a window; returns `false` if it is too short for one.
    ///
    /// With a `base`, it samples the difference between data and base.
    pub(super) fn take(
        &mut self,
        data: &[u8],
        base: Option<&[u8]>,
        window: Range<usize>,
        runs: usize,
    ) -> bool {
        let Some(last) = window.end.min(data.len()).checked_sub(RUN + WORD) else { return false };
        let Some(room) = last.checked_sub(window.start) else { return false };
        let runs = (room / RUN + 1).min(runs);
        let distance = room / runs;
        for (number, run) in self.runs[..runs].iter_mut().enumerate() {
            // Deterministic, but not in step with periods of the data.
            let scattered = (window.start + number).wrapping_mul(0x9e37_79b1) >> 8;
            let offset = number * distance + scattered % (distance.saturating_sub(RUN) + 1);
            let start = (window.start + offset) / WORD * WORD;
            *run = read(data, base, start);
        }
        self.len = runs;
        self.plain = [[0; 256]; WORD];
        let [p0, p1, p2, p3] = &mut self.plain;
        for run in &self.runs[..runs] {
            for &[b0, b1, b2, b3] in run[..RUN].as_chunks().0 {
                p0[usize::from(b0)] += 1;
                p1[usize::from(b1)] += 1;
                p2[usize::from(b2)] += 1;
                p3[usize::from(b3)] += 1;
            }
        }
        self.check_constants(data, base, window.start..window.start + room);
        self.single = self.plain.each_ref().map(symbol_cost);
        true
    }

    /// Searches more words for another value of each byte that is constant in the sample.
    ///
    /// The difference is large: a constant plane takes almost nothing, any other plane at least one
    /// bit per symbol.
    fn check_constants(&mut self, data: &[u8], base: Option<&[u8]>, starts: Range<usize>) {
        /// Approximate number of words to read.
        const WORDS: usize = 4096;
        /// Maximum distance between words in bytes, chosen not to be in step with common periods.
        const DISTANCE: usize = 68;
        let distance = match self.is_thorough {
            true => WORD,
            false => (starts.len() / WORDS).next_multiple_of(WORD).clamp(WORD, DISTANCE),
        };
        let first: [u8; WORD] = self.runs[0][..WORD].try_into().unwrap_or_default();
        let total = (self.len * RUN / WORD) as u16;
        let mut constant = [0, 1, 2, 3].map(|byte| {
            if self.plain[byte][usize::from(first[byte])] == total { u8::MAX } else { 0 }
        });
        for start in starts.step_by(distance) {
            if constant == [0; WORD] {
                return;
            }
            let word = read::<WORD>(data, base, start);
            let differs = u32::from_le_bytes(word) ^ u32::from_le_bytes(first);
            if differs & u32::from_le_bytes(constant) == 0 {
                continue;
            }
            for byte in (0..WORD).filter(|&byte| word[byte] != first[byte]) {
                if core::mem::take(&mut constant[byte]) > 0 {
                    self.plain[byte][usize::from(word[byte])] += 1;
                }
            }
        }
    }

    /// Returns whether no layout makes the data smaller.
    pub(super) fn is_noise(&self) -> bool {
        self.single == [RAW; WORD]
    }

    /// Returns whether the single costs are about the same as `single`, from another sample.
    pub(super) fn looks_like(&self, single: [u32; WORD]) -> bool {
        self.single.iter().zip(single).all(|(&one, other)| one.abs_diff(other) < RAW / 32)
    }

    /// Returns the cost of a word with this candidate.
    pub(super) fn cost(&self, candidate: Candidate) -> u32 {
        let [p0, p1, p2, p3] = &self.plain;
        let phase = candidate.phase;
        match (candidate.layout.planes, candidate.layout.rotated) {
            (1, _) => 4 * symbol_cost(&sum(&sum(p0, p1), &sum(p2, p3))),
            (2, false) => 2 * (symbol_cost(&sum(p0, p2)) + symbol_cost(&sum(p1, p3))),
            (2, true) => {
                let is_certain = [sum(p0, p2), sum(p1, p3)].iter().all(is_constant);
                2 * rotated_cost(&self.rotated_pairs(phase), is_certain)
            }
            (_, false) => self.single.iter().sum(),
            (_, true) => {
                let byte = |number: usize| (phase + number) % WORD;
                let is_certain = [2, 3].iter().all(|&upper| is_constant(&self.plain[byte(upper)]));
                let lower = [0, 1].map(|lower| self.single[byte(lower)]).iter().sum::<u32>();
                lower + rotated_cost(&self.rotated_words(phase), is_certain)
            }
        }
    }

    /// Counts the bytes of rotated elements of two bytes, the exponent last.
    fn rotated_pairs(&self, phase: usize) -> [Counts; 2] {
        let mut counts = [[0; 256]; 2];
        let [low, high] = &mut counts;
        for run in &self.runs[..self.len] {
            for &element in run[phase..phase + RUN].as_chunks().0 {
                // The sign, now the lowest bit, belongs above the mantissa, but its position does
                // not affect counts.
                let [l, h] = u16::from_le_bytes(element).rotate_left(1).to_le_bytes();
                low[usize::from(l)] += 1;
                high[usize::from(h)] += 1;
            }
        }
        counts
    }

    /// Counts the two upper bytes of rotated elements of four bytes, the exponent last.
    fn rotated_words(&self, phase: usize) -> [Counts; 2] {
        let mut counts = [[0; 256]; 2];
        let [low, high] = &mut counts;
        for run in &self.runs[..self.len] {
            for &[_, _, second, top] in run[phase..phase + RUN].as_chunks().0 {
                let [l, h] = u16::from_le_bytes([second, top]).rotate_left(1).to_le_bytes();
                low[usize::from(l)] += 1;
                high[usize::from(h)] += 1;
            }
        }
        counts
    }
}

/// Reads bytes of the data, or of its difference to the base.
fn read<const LEN: usize>(data: &[u8], base: Option<&[u8]>, start: usize) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    bytes.copy_from_slice(&data[start..][..LEN]);
    if let Some(base) = base.and_then(|base| base.get(start..)) {
        crate::base::apply(&mut bytes, base);
    }
    bytes
}

/// Returns the cost of the rotated bytes of an element.
///
/// A plane that looks constant counts as constant only if `is_certain` is set.
fn rotated_cost(planes: &[Counts; 2], is_certain: bool) -> u32 {
    let least = if is_certain { 0 } else { BIT };
    planes.iter().map(|counts| symbol_cost(counts).max(least)).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;
    use crate::plane_layout::PlaneLayout;

    /// Returns bytes without any order.
    pub(in crate::layout_search) fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut byte = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 56) as u8
        };
        (0..len).map(&mut byte).collect()
    }

    /// Returns `float32` numbers of both signs, with exponents as weights have them.
    pub(in crate::layout_search) fn floats(count: usize) -> Vec<u8> {
        let words = noise(4 * count);
        let words = words.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word));
        words
            .flat_map(|word| {
                let exponent = 124 - (word | 1 << 20).trailing_zeros();
                (word & 0x807f_ffff | exponent << 23).to_le_bytes()
            })
            .collect()
    }

    /// Returns the upper halves of [`floats`]: `bfloat16` numbers.
    pub(in crate::layout_search) fn halves(count: usize) -> Vec<u8> {
        let floats = floats(count);
        floats.as_chunks::<4>().0.iter().flat_map(|&[_, _, low, high]| [low, high]).collect()
    }

    fn sample(data: &[u8]) -> Sample {
        let mut sample = Sample::default();
        assert!(sample.take(data, None, 0..data.len(), RUNS));
        sample
    }

    fn cheapest(data: &[u8]) -> Candidate {
        let sample = sample(data);
        Candidate::ALL.into_iter().min_by_key(|&candidate| sample.cost(candidate)).unwrap()
    }

    #[test]
    fn a_window_that_is_too_short_gives_no_sample() {
        let data = noise(1000);
        for (window, is_enough) in [
            (0..RUN + WORD, true),
            (0..RUN + WORD - 1, false),
            (800..1000, false),
            (990..2000, false),
        ] {
            let found = Sample::default().take(&data, None, window.clone(), RUNS);
            assert_eq!(found, is_enough, "{window:?}");
        }
    }

    #[test]
    fn every_word_of_a_run_is_counted_once() {
        let sample = sample(&noise(100_000));
        for counts in sample.plain {
            assert_eq!(usize::from(counts.iter().sum::<u16>()), RUNS * RUN / WORD);
        }
        assert!(sample.is_noise());
    }

    #[test]
    fn a_rare_value_is_found_outside_the_runs() {
        let mut data = vec![7; 200_000];
        let find = |data: &[u8]| sample(data).single.map(|cost| cost > 0);
        assert_eq!(find(&data), [false; WORD]);
        // Any value that stays for a while is noticed, in its byte alone.
        data[100_000..101_000].iter_mut().skip(2).step_by(WORD).for_each(|byte| *byte = 9);
        assert_eq!(find(&data), [false, false, true, false]);
        // A single value takes a thorough look.
        data.fill(7);
        data[100_003 + 4] = 8;
        let mut thorough = Sample::thorough();
        assert!(thorough.take(&data, None, 0..data.len(), RUNS));
        assert_eq!(thorough.single.map(|cost| cost > 0), [false, false, false, true]);
    }

    #[test]
    fn numbers_are_cheapest_in_their_own_layout_and_phase() {
        let floats = floats(50_000);
        for phase in 0..WORD {
            let shifted = [&noise(phase), &floats[..]].concat();
            let expected = Candidate { layout: PlaneLayout::FOUR_ROTATED, phase };
            assert_eq!(cheapest(&shifted), expected);
        }
        let halves = halves(50_000);
        for phase in 0..2 {
            let shifted = [&noise(phase), &halves[..]].concat();
            let expected = Candidate { layout: PlaneLayout::TWO_ROTATED, phase };
            assert_eq!(cheapest(&shifted), expected);
        }
        let mut integers = noise(200_000);
        for word in integers.as_chunks_mut::<WORD>().0 {
            *word = [word[0], word[1] % 16, word[2] % 4, word[3] % 8];
        }
        let cost = |layout| sample(&integers).cost(Candidate { layout, phase: 0 });
        assert!(cost(PlaneLayout::FOUR) < cost(PlaneLayout::TWO));
        assert!(cost(PlaneLayout::TWO) < cost(PlaneLayout::ONE));
    }

    #[test]
    fn a_difference_is_sampled_instead_of_the_data() {
        let data = noise(20_000);
        let mut sample = Sample::default();
        assert!(sample.take(&data, Some(&data), 0..data.len(), RUNS));
        assert_eq!(sample.single, [0; WORD]);
        assert!(sample.looks_like([0; WORD]) && !sample.looks_like([RAW; WORD]));
    }
}
