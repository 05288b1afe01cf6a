//! Entropy coding: counts of symbols, Finite State Entropy, Huffman codes.

pub(crate) mod fse;
pub(crate) mod histogram;
pub(crate) mod huffman;

/// Number of byte values.
pub(crate) const SYMBOLS: usize = 256;
/// Number of streams that a plane is coded in.
pub(crate) const STREAMS: usize = 4;
