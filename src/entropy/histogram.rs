//! Counts the symbols of planes, and estimates from the counts whether a plane is compressible.

use crate::entropy::{STREAMS, SYMBOLS};

/// The count of each symbol in each of the four streams of a plane.
///
/// With four tables, an increment never waits for the increment of a neighbouring symbol, and the
/// lengths of the streams are known before encoding.
pub(crate) type StreamCounts = [[u32; SYMBOLS]; STREAMS];

/// Counts the symbols of each stream of a plane.
pub(crate) fn count(plane: &[u8], counts: &mut StreamCounts) {
    *counts = [[0; SYMBOLS]; STREAMS];
    let quarter = plane.len().div_ceil(STREAMS);
    let [c0, c1, c2, c3] = counts;
    let (s0, rest) = plane.split_at(quarter.min(plane.len()));
    let (s1, rest) = rest.split_at(quarter.min(rest.len()));
    let (s2, s3) = rest.split_at(quarter.min(rest.len()));
    // The last stream is never longer than the others.
    let common = s3.len();
    for (((&a, &b), &c), &d) in s0.iter().zip(s1).zip(s2).zip(s3) {
        c0[usize::from(a)] += 1;
        c1[usize::from(b)] += 1;
        c2[usize::from(c)] += 1;
        c3[usize::from(d)] += 1;
    }
    for (stream, counts) in [(s0, c0), (s1, c1), (s2, c2), (s3, c3)] {
        for &symbol in &stream[common..] {
            counts[usize::from(symbol)] += 1;
        }
    }
}

/// Counts symbols below `COUNT`.
///
/// With four tables, equal neighbours do not wait for each other.
pub(crate) fn count_few<const COUNT: usize>(symbols: &[u8]) -> [u32; COUNT] {
    let mut tables = [[0_u32; COUNT]; 4];
    let (runs, rest) = symbols.as_chunks::<4>();
    for run in runs {
        for (table, &symbol) in tables.iter_mut().zip(run) {
            table[usize::from(symbol)] += 1;
        }
    }
    for &symbol in rest {
        tables[0][usize::from(symbol)] += 1;
    }
    let [a, b, c, d] = tables;
    core::array::from_fn(|symbol| a[symbol] + b[symbol] + c[symbol] + d[symbol])
}

/// Returns whether the counts of a plane prove that no code saves five per cent.
///
/// This is [`Sample::is_noise`](crate::entropy::sample::Sample::is_noise) without sampling, for planes
/// that are too short to be sampled.
pub(crate) fn is_flat(counts: &StreamCounts, plane_len: usize) -> bool {
    let [c0, c1, c2, c3] = counts;
    let collisions: u64 = c0
        .iter()
        .zip(c1)
        .zip(c2)
        .zip(c3)
        .map(|(((a, b), c), d)| u64::from(a + b + c + d))
        .map(|count| count * count)
        .sum();
    let len = plane_len as u64;
    collisions * SYMBOLS as u64 * 100 <= len * len * 131
}

/// Returns the lowest and the highest symbol of a non-empty plane.
pub(crate) fn range(plane: &[u8]) -> (u8, u8) {
    plane
        .iter()
        .fold((u8::MAX, 0), |(lowest, highest), &symbol| (lowest.min(symbol), highest.max(symbol)))
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::entropy::huffman::encode::{Coding, plan};

    #[test]
    fn flat_planes_are_not_worth_a_code() {
        let mut found = 0;
        for len in [300, 700, 1024, 3000, 10_000, 40_000] {
            for values in [150, 190, 200, 230, 256] {
                let mut state = 1_u32;
                let mut random = || {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((u64::from(state) * values) >> 32) as u8
                };
                let plane: Vec<u8> = (0..len).map(|_| random()).collect();
                let mut counts = [[0; SYMBOLS]; STREAMS];
                count(&plane, &mut counts);
                if !is_flat(&counts, len) {
                    continue;
                }
                found += 1;
                if let Coding::Streams(plan) = plan(&counts, len) {
                    assert!(plan.size() * 20 >= len * 19, "{len} bytes of {values} values");
                }
            }
        }
        assert!(found > 5, "only {found} planes were flat");
    }
}
