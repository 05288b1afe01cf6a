//! Entropy coding: histograms, Finite State Entropy, Huffman codes, pivot codes, rANS and arithmetic
//! coding.

pub(crate) mod binary;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
pub(crate) mod count_avx512;
#[cfg(all(feature = "dispatch", target_arch = "x86_64"))]
pub(crate) mod count_shuffle;
pub(crate) mod fse;
pub(crate) mod histogram;
pub(crate) mod huffman;
pub(crate) mod low_bits;
pub(crate) mod pivot;
pub(crate) mod rans;
pub(crate) mod sample;

/// Number of byte values.
pub(crate) const SYMBOLS: usize = 256;
/// Number of streams of a coded plane.
pub(crate) const STREAMS: usize = 4;

/// Returns how many symbols have a given byte.
///
/// Unlike increments, which would wait for each other, the compiler vectorises it.
pub(crate) fn occurrences(bytes: &[u8; SYMBOLS], wanted: u8) -> u16 {
    let halves = bytes.as_chunks::<{ SYMBOLS / 2 }>().0.iter();
    halves
        .map(|half| half.iter().fold(0, |count: u8, &byte| count + u8::from(byte == wanted)))
        .map(u16::from)
        .sum()
}
