//! Finds repetitions at a fixed short distance.
//!
//! Planes of numbers rarely repeat longer strings, but they contain runs of zeros and columns of
//! equal bytes. A Huffman code cannot store these in less than one bit per byte.

use alloc::vec::Vec;

/// Literals followed by a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Number of literals, at least one.
    pub(super) literals: u32,
    /// Number of repeated bytes.
    pub(super) repeated: u32,
}

/// Length of the shortest repetition to find.
///
/// Shorter ones rarely save more than their sequences cost.
const SHORTEST: usize = 6;

/// Number of bytes that are compared at a time, one for each bit of a mask.
const STEP: usize = u64::BITS as usize;

/// Distances of repetitions in bytes: adjacent bytes, and the widths of numbers and of pairs.
const PERIODS: [usize; 4] = [1, 2, 4, 8];

/// Returns the most frequent distance of repetitions in a sample of a plane.
///
/// Returns `None` if repetitions are rare.
pub(super) fn likely_period(plane: &[u8]) -> Option<usize> {
    /// Number of bytes from the start of one part of the sample to the next.
    const DISTANCE: usize = 1024;
    /// Length of a part in bytes: the longest period, and four words.
    const SAMPLE: usize = WORD + 4 * WORD;
    const WORD: usize = 8;
    /// At least one word in this many must contain a repetition, which is rare by chance.
    const RARE: usize = 32;
    let mut found = [0; PERIODS.len()];
    let mut words = 0;
    for part in plane.chunks(DISTANCE).filter_map(<[u8]>::first_chunk::<SAMPLE>) {
        let word =
            |at: usize| u64::from_le_bytes(*part[at..].first_chunk().expect("a word follows"));
        for at in (WORD..SAMPLE).step_by(WORD) {
            for (found, period) in found.iter_mut().zip(PERIODS) {
                let difference = word(at) ^ word(at - period);
                // Consecutive numbers often differ in the lowest byte only.
                let equal_bits = difference.leading_zeros().max(difference.trailing_zeros());
                *found += usize::from(equal_bits as usize >= 8 * SHORTEST);
            }
            words += 1;
        }
    }
    let most = found.into_iter().max()?;
    if most == 0 || most * RARE < words {
        return None;
    }
    PERIODS.into_iter().zip(found).find(|&(_, found)| found == most).map(|(period, _)| period)
}

/// Splits a plane into literals and repetitions of the bytes `period` bytes before.
///
/// It writes the literals to the beginning of `literals` and returns their number. Literals after
/// the last repetition belong to no sequence.
pub(super) fn find(
    plane: &[u8],
    period: usize,
    literals: &mut Vec<u8>,
    sequences: &mut Vec<Sequence>,
) -> usize {
    sequences.clear();
    if literals.len() < plane.len() {
        literals.resize(plane.len(), 0);
    }
    let mut finder =
        Finder { plane, literals, literal_count: 0, sequences, run_start: None, end: 0 };
    let mut mask = repeated(plane, period, 0);
    for at in (0..plane.len().saturating_sub(period)).step_by(STEP) {
        let next = repeated(plane, period, at + STEP);
        finder.push(mask, next, at + period);
        mask = next;
    }
    finder.finish()
}

/// Returns a bit for each byte from `at + period`, set where it equals the byte `period` before it.
#[inline(always)]
fn repeated(plane: &[u8], period: usize, at: usize) -> u64 {
    let now = plane.get(at + period..).unwrap_or_default();
    let before = plane.get(at..).unwrap_or_default();
    match (now.first_chunk(), before.first_chunk()) {
        (Some(now), Some(before)) => equal(now, before),
        _ => now
            .iter()
            .zip(before)
            .enumerate()
            .fold(0, |mask, (bit, (now, before))| mask | u64::from(now == before) << bit),
    }
}

/// Returns a bit for each pair of bytes, set if they are equal.
#[inline(always)]
fn equal(now: &[u8; STEP], before: &[u8; STEP]) -> u64 {
    const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);
    /// Factor that gathers the lowest bits of eight bytes in the highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut mask = 0;
    let words = now.as_chunks::<8>().0.iter().zip(before.as_chunks::<8>().0);
    for (index, (&now, &before)) in words.enumerate() {
        let difference = u64::from_le_bytes(now) ^ u64::from_le_bytes(before);
        // The high bit of each byte that differs.
        let differs = ((difference & LOW_BITS) + LOW_BITS) | difference;
        let equal = (!differs & !LOW_BITS) >> 7;
        mask |= (equal.wrapping_mul(GATHER) >> 56) << (8 * index);
    }
    mask
}

/// Returns a bit for each position, set where `SHORTEST` set bits in a row begin.
///
/// The bits may continue in `next`, the mask after this one.
#[inline(always)]
fn starts(mask: u64, next: u64) -> u64 {
    const { assert!(SHORTEST == 6, "two, then four, then six bits in a row") };
    let two = mask & (mask >> 1 | next << 63);
    let next_two = next & next >> 1;
    let four = two & (two >> 2 | next_two << 62);
    four & (two >> 4 | next_two << 60)
}

struct Finder<'a> {
    plane: &'a [u8],
    literals: &'a mut [u8],
    literal_count: usize,
    sequences: &'a mut Vec<Sequence>,
    /// Start of the current repetition, if any.
    run_start: Option<usize>,
    /// End of the last repetition.
    end: usize,
}

impl Finder<'_> {
    /// Processes a mask, whose lowest bit stands for the byte at `at`.
    #[inline(always)]
    fn push(&mut self, mask: u64, next: u64, at: usize) {
        let starts = starts(mask, next);
        let mut from = 0;
        loop {
            let start = match self.run_start {
                Some(start) => start,
                None => match starts & u64::MAX.unbounded_shl(from) {
                    0 => return,
                    later => {
                        from = later.trailing_zeros();
                        at + from as usize
                    }
                },
            };
            match !mask & u64::MAX.unbounded_shl(from) {
                0 => {
                    self.run_start = Some(start);
                    return;
                }
                later => {
                    from = later.trailing_zeros();
                    self.close(start, at + from as usize);
                }
            }
        }
    }

    /// Adds a sequence for a repetition.
    #[inline(always)]
    fn close(&mut self, start: usize, end: usize) {
        self.run_start = None;
        let literals = (start - self.end) as u32;
        self.sequences.push(Sequence { literals, repeated: (end - start) as u32 });
        self.copy_literals(start);
        self.end = end;
    }

    /// Copies the bytes from the last repetition to `end` to the literals.
    #[inline(always)]
    fn copy_literals(&mut self, end: usize) {
        /// Length of a copy in bytes: a fixed length is faster than a variable one.
        const WINDOW: usize = 16;
        let len = end - self.end;
        let from = &self.plane[self.end..];
        let to = &mut self.literals[self.literal_count..];
        match (from.first_chunk::<WINDOW>(), to.first_chunk_mut()) {
            (Some(from), Some(to)) if len <= WINDOW => *to = *from,
            _ => to[..len].copy_from_slice(&from[..len]),
        }
        self.literal_count += len;
    }

    fn finish(mut self) -> usize {
        if let Some(start) = self.run_start {
            self.close(start, self.plane.len());
        }
        self.copy_literals(self.plane.len());
        self.literal_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Undoes [`find`].
    fn expand(literals: &[u8], sequences: &[Sequence], period: usize) -> Vec<u8> {
        let mut plane = Vec::new();
        let mut literals = literals.iter().copied();
        for sequence in sequences {
            plane.extend(literals.by_ref().take(sequence.literals as usize));
            for _ in 0..sequence.repeated {
                plane.push(plane[plane.len() - period]);
            }
        }
        plane.extend(literals);
        plane
    }

    #[test]
    fn repetitions_are_found_at_every_offset_and_length() {
        let (mut literals, mut sequences) = (Vec::new(), Vec::new());
        for period in PERIODS {
            for start in period..140 {
                for len in 0..140 {
                    let mut plane: Vec<u8> = (0..280).map(|at| at as u8).collect();
                    for at in start..start + len {
                        plane[at] = plane[at - period];
                    }
                    let count = find(&plane, period, &mut literals, &mut sequences);
                    let expected = [Sequence { literals: start as u32, repeated: len as u32 }];
                    assert_eq!(
                        sequences,
                        expected[usize::from(len < SHORTEST)..],
                        "{start}, {len}"
                    );
                    assert!(expand(&literals[..count], &sequences, period) == plane);
                }
            }
        }
    }

    #[test]
    fn planes_shorter_than_the_period_are_literals() {
        let (mut literals, mut sequences) = (Vec::new(), Vec::new());
        for len in 0..20 {
            let count = find(&[0; 20][..len], 8, &mut literals, &mut sequences);
            assert_eq!(expand(&literals[..count], &sequences, 8).len(), len);
        }
    }

    #[test]
    fn the_shortest_repeating_period_is_likely() {
        let numbers = |width: usize| -> Vec<u8> {
            (0..1 << 16).map(|at: usize| ((at % width) * 37) as u8).collect()
        };
        assert_eq!(PERIODS.map(|period| likely_period(&numbers(period))), PERIODS.map(Some));
        assert_eq!(likely_period(&numbers(251)), None);
        assert_eq!(likely_period(&[0; 39]), None);
        let in_a_row: Vec<u8> = (0..1_u64 << 13).flat_map(u64::to_le_bytes).collect();
        assert_eq!(likely_period(&in_a_row), Some(8));
    }
}
