//! Finds the rows of a block whose signs agree with a row, or differ, in more places than by chance.
//!
//! Three columns are a trio. A row of the block votes for another row, trio by trio, if at least two
//! of three signs agree. A plane holds a bit for each row of the block: its vote if the signs of a
//! trio are in one of eight ways. Planes of all trios are added with the logic of a binary adder, so
//! that each instruction counts votes of hundreds of rows.

use alloc::vec::Vec;
use core::ops::Range;

/// Number of rows of a block.
pub(crate) const BLOCK: usize = 512;
/// Number of trios that are added together.
const TERMS: usize = 16;
/// Maximum number of trios. The number of votes has eight bits.
const MAX_TRIOS: usize = 128;
/// Number of ways that the signs of a trio can be.
const WAYS: usize = 8;
/// Number of bits of a number of votes.
const BITS: usize = 8;

/// A bit for each row of a block.
pub(crate) type Plane = [u8; BLOCK / 8];

/// The votes of the rows of a block.
#[derive(Default)]
pub(crate) struct Votes {
    /// The planes of each trio.
    planes: Vec<[Plane; WAYS]>,
}

/// Returns the number of trios in rows of `len` elements, of which there are at least 64.
pub(crate) fn trios(len: usize) -> usize {
    len.div_ceil(3).next_multiple_of(TERMS).min(MAX_TRIOS)
}

/// Returns the first column of each third of a row. Thirds of some lengths overlap.
fn thirds(len: usize) -> [usize; 3] {
    let last = len - trios(len);
    [0, last / 2, last]
}

impl Votes {
    /// Sets the votes of the rows of a block, each of which has `len` elements.
    #[inline(always)]
    pub(crate) fn set(&mut self, rows: &[i8], len: usize) {
        let trios = trios(len);
        self.planes.resize(trios, [[0; _]; WAYS]);
        // At first, the first three planes of a trio hold the signs of its columns.
        for (eight, rows) in rows.chunks(8 * len).enumerate() {
            for (member, first) in thirds(len).into_iter().enumerate() {
                let mut signs = [0_u8; MAX_TRIOS];
                for (place, row) in rows.chunks_exact(len).enumerate() {
                    for (signs, &level) in signs.iter_mut().zip(&row[first..][..trios]) {
                        *signs |= (level as u8 >> 7) << place;
                    }
                }
                for (planes, signs) in self.planes.iter_mut().zip(signs) {
                    planes[member][eight] = signs;
                }
            }
        }
        for planes in &mut self.planes {
            let [first, second, third, ..] = *planes;
            for byte in 0..BLOCK / 8 {
                let [a, b, c] = [first[byte], second[byte], third[byte]];
                let votes = [
                    majority(!a, !b, !c),
                    majority(a, !b, !c),
                    majority(!a, b, !c),
                    majority(a, b, !c),
                ];
                for way in 0..WAYS / 2 {
                    planes[way][byte] = votes[way];
                    planes[WAYS - 1 - way][byte] = !votes[way];
                }
            }
        }
    }

    /// Returns the number of votes for a row.
    #[inline(always)]
    pub(crate) fn count(&self, row: &[i8]) -> Counts {
        let trios = self.planes.len();
        let mut ways = [0; MAX_TRIOS];
        let [first, second, third] = thirds(row.len()).map(|first| &row[first..][..trios]);
        for (way, ((&a, &b), &c)) in ways.iter_mut().zip(first.iter().zip(second).zip(third)) {
            *way = (a as u8 >> 7) | (b as u8 >> 7 << 1) | (c as u8 >> 7 << 2);
        }
        let mut counts = Counts { bits: [[0; _]; BITS] };
        let terms = self.planes.as_chunks::<TERMS>().0.iter().zip(ways.as_chunks::<TERMS>().0);
        for (planes, ways) in terms {
            let mut terms = [&[0; _]; TERMS];
            for (term, (planes, &way)) in terms.iter_mut().zip(planes.iter().zip(ways)) {
                *term = &planes[usize::from(way) % WAYS];
            }
            counts.add(terms);
        }
        counts
    }
}

/// A number of votes for each row of a block.
pub(crate) struct Counts {
    /// Each bit of all numbers, the lowest first.
    bits: [Plane; BITS],
}

impl Counts {
    /// Adds bits to the numbers.
    #[inline(always)]
    fn add(&mut self, terms: [&Plane; TERMS]) {
        for byte in 0..BLOCK / 8 {
            self.add_to_eight(&terms, byte);
        }
    }

    /// Adds bits to the numbers of the eight rows of a byte.
    #[inline(always)]
    fn add_to_eight(&mut self, terms: &[&Plane; TERMS], byte: usize) {
        let term = |number: usize| terms[number][byte];
        let bit = |number: usize| self.bits[number][byte];
        let (ones, twos, fours, eights) = (bit(0), bit(1), bit(2), bit(3));
        let (ones, twos_a) = add(ones, term(0), term(1));
        let (ones, twos_b) = add(ones, term(2), term(3));
        let (twos, fours_a) = add(twos, twos_a, twos_b);
        let (ones, twos_a) = add(ones, term(4), term(5));
        let (ones, twos_b) = add(ones, term(6), term(7));
        let (twos, fours_b) = add(twos, twos_a, twos_b);
        let (fours, eights_a) = add(fours, fours_a, fours_b);
        let (ones, twos_a) = add(ones, term(8), term(9));
        let (ones, twos_b) = add(ones, term(10), term(11));
        let (twos, fours_a) = add(twos, twos_a, twos_b);
        let (ones, twos_a) = add(ones, term(12), term(13));
        let (ones, twos_b) = add(ones, term(14), term(15));
        let (twos, fours_b) = add(twos, twos_a, twos_b);
        let (fours, eights_b) = add(fours, fours_a, fours_b);
        let (eights, mut carry) = add(eights, eights_a, eights_b);
        self.bits[0][byte] = ones;
        self.bits[1][byte] = twos;
        self.bits[2][byte] = fours;
        self.bits[3][byte] = eights;
        for bit in 4..BITS {
            let sum = self.bits[bit][byte];
            self.bits[bit][byte] = sum ^ carry;
            carry &= sum;
        }
    }

    /// Returns which of the first `count` numbers are outside of a range, as bits.
    #[inline(always)]
    pub(crate) fn outside(&self, range: Range<u8>, count: usize) -> [u64; BLOCK / 64] {
        let mut outside = [0; BLOCK / 8];
        for (byte, outside) in outside.iter_mut().enumerate() {
            let (mut is_high, mut is_low) = (!0, 0);
            for (bit, counts) in self.bits.iter().enumerate() {
                let count = counts[byte];
                let mask = |limit: u8| 0_u8.wrapping_sub(limit >> bit & 1);
                // The highest bit that differs decides.
                is_high = majority(count, is_high, !mask(range.end));
                is_low = majority(!count, is_low, mask(range.start));
            }
            *outside = is_high | is_low;
        }
        let mut words = [0; BLOCK / 64];
        for (number, (word, bytes)) in words.iter_mut().zip(outside.as_chunks().0).enumerate() {
            let len = count.saturating_sub(number * 64);
            let mask = if len < 64 { (1 << len) - 1 } else { u64::MAX };
            *word = u64::from_le_bytes(*bytes) & mask;
        }
        words
    }
}

/// Returns the sum of three bits, and what is carried.
#[inline(always)]
fn add(a: u8, b: u8, c: u8) -> (u8, u8) {
    (a ^ b ^ c, majority(a, b, c))
}

/// Returns the bits that are set in at least two of three numbers.
#[inline(always)]
fn majority(a: u8, b: u8, c: u8) -> u8 {
    a & b | c & (a | b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Kernels;

    /// Returns levels that differ, with both signs.
    fn rows(count: usize, len: usize) -> Vec<i8> {
        let hash = |number: usize| {
            let mixed = (number as u32 + 1).wrapping_mul(0x9e37_79b9);
            (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b) >> 24
        };
        (0..count * len).map(|number| hash(number) as i8 | 1).collect()
    }

    /// Returns the number of trios in which most signs agree.
    fn votes(left: &[i8], right: &[i8]) -> usize {
        let agrees = |at: usize| usize::from((left[at] < 0) == (right[at] < 0));
        let starts = thirds(left.len());
        let agree = |at: usize| starts.map(|start| agrees(start + at)).iter().sum::<usize>() > 1;
        (0..trios(left.len())).filter(|&at| agree(at)).count()
    }

    #[test]
    fn rows_with_many_or_few_votes_are_found_at_every_level() {
        for (count, len) in [(BLOCK, 384), (300, 256), (65, 64), (9, 71), (1, 600)] {
            let mut block = rows(count, len);
            block.extend_from_within((count - 1) * len..);
            for (level, kernels) in Kernels::all() {
                let row = &block[count / 2 * len..][..len];
                let expected: Vec<usize> =
                    block.chunks(len).take(count).map(|other| votes(row, other)).collect();
                let counts = kernels.vectorize_all(
                    #[inline(always)]
                    || {
                        let mut votes = Votes::default();
                        votes.set(&block[..count * len], len);
                        votes.count(row)
                    },
                );
                for (low, high) in [(0, 1), (trios(len) / 2 - 2, trios(len) / 2 + 2), (20, 128)] {
                    for known in [count, count / 2] {
                        let found = counts.outside(low as u8..high as u8, known);
                        for (other, votes) in expected.iter().enumerate() {
                            let is_outside = other < known && !(low..high).contains(votes);
                            let is_found = found[other / 64] >> (other % 64) & 1 == 1;
                            assert_eq!(is_found, is_outside, "{level}: {other} of {count}");
                        }
                    }
                }
            }
        }
    }
}
