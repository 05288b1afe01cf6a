//! How often each byte occurs.

use crate::huffman::STREAMS;

/// Number of byte values.
pub(crate) const SYMBOLS: usize = 256;

/// Counts of each symbol in each of the four streams that a plane is coded in.
///
/// Four tables and not one: increments of neighbouring symbols then never wait for each other,
/// and the sizes of the coded streams are known before anything is coded.
pub(crate) type StreamCounts = [[u32; SYMBOLS]; STREAMS];

/// Counts the symbols of a plane, stream by stream.
pub(crate) fn count(plane: &[u8], counts: &mut StreamCounts) {
    *counts = [[0; SYMBOLS]; STREAMS];
    let quarter = plane.len().div_ceil(STREAMS);
    let [c0, c1, c2, c3] = counts;
    let (s0, rest) = plane.split_at(quarter.min(plane.len()));
    let (s1, rest) = rest.split_at(quarter.min(rest.len()));
    let (s2, s3) = rest.split_at(quarter.min(rest.len()));
    let common = s3.len().min(s2.len());
    for (((&a, &b), &c), &d) in s0.iter().zip(s1).zip(s2).zip(s3) {
        c0[usize::from(a)] += 1;
        c1[usize::from(b)] += 1;
        c2[usize::from(c)] += 1;
        c3[usize::from(d)] += 1;
    }
    for (stream, counts) in [(s0, c0), (s1, c1), (s2, c2), (s3, c3)] {
        for &symbol in stream.get(common..).unwrap_or_default() {
            counts[usize::from(symbol)] += 1;
        }
    }
}

/// What a sixteenth of a plane tells of the whole.
pub(crate) struct Sample {
    /// No code would shorten the plane by a twentieth.
    pub(crate) is_noise: bool,
    /// All sampled symbols lie so close together.
    pub(crate) span: usize,
}

/// Samples a plane in short runs all over it. `None` if it is too short for that to pay.
///
/// A code shortens a plane to no less than its entropy, and that is at least the collision entropy,
/// -log2 Σp². Five per cent less than 8 bits a symbol need Σp² of 2^-7.6 = 1.32 / 256. Noise has
/// 1 / 256, with a standard deviation of about half a per cent of that in a sample of 8,192.
pub(crate) fn sample(plane: &[u8]) -> Option<Sample> {
    const SHORTEST: usize = 16 * 1024;
    const DISTANCE: usize = 1024;
    const RUN: usize = 64;
    if plane.len() < SHORTEST {
        return None;
    }
    let mut tables = [[0_u16; SYMBOLS]; 2];
    let [even, odd] = &mut tables;
    let mut total = 0;
    for part in plane.as_chunks::<DISTANCE>().0 {
        for &[a, b] in part[..RUN].as_chunks().0 {
            even[usize::from(a)] += 1;
            odd[usize::from(b)] += 1;
        }
        total += RUN as u64;
    }
    let [even, odd] = &tables;
    let counts = || even.iter().zip(odd).map(|(&even, &odd)| u64::from(even) + u64::from(odd));
    let collisions = counts().map(|count| count * count).sum::<u64>() - total;
    let lowest = counts().position(|count| count > 0).unwrap_or_default();
    let highest = SYMBOLS - counts().rev().position(|count| count > 0).unwrap_or_default();
    Some(Sample {
        is_noise: collisions * SYMBOLS as u64 * 100 <= total * total * 115,
        span: highest - lowest,
    })
}

/// The lowest and the highest symbol of a plane that is not empty.
pub(crate) fn range(plane: &[u8]) -> (u8, u8) {
    plane.iter().fold((u8::MAX, 0), |(lowest, highest), &symbol| {
        (lowest.min(symbol), highest.max(symbol))
    })
}
