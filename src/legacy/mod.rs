//! The layouts of releases 0.1.1 to 0.3.4 of the original: reading only.
//!
//! | releases | header | 32-bit elements | 16-bit elements |
//! |---|---|---|---|
//! | 0.1.1 | 16 bytes | four planes, or all as one: Zstandard, LZ4, Snappy | the same |
//! | 0.2.0–0.2.3 | 16 bytes | four planes, or the lower bytes of integers | two planes, Huffman |
//! | 0.2.4 | 20 bytes | the same | the same |
//! | 0.3.0–0.3.4 | 32 bytes | the same | today's layout |
//!
//! The version of a file's first frame decides, because a frame of 0.3.4 and one of 0.3.5 differ
//! in nothing else. [`decompress`](crate::decompress), [`delta::decompress`](crate::delta) and
//! their like read these files; only in [`summary`] they look different from today's.
//!
//! Up to 0.3.1, the last byte of 16-bit data of odd length is not in the file. What is there is
//! decoded, and [`Summary::lost`] counts the rest. What cannot be told from a file: releases 0.3.2
//! to 0.3.4 added a zero byte to such data, and from 0.2.0 on the last bytes of 32-bit data are
//! missing if its length was not a multiple of four.

mod blob;
mod chunks;
mod cursor;
mod file;
mod frame;
mod halves;
mod output;
mod pieces;
mod planes;
mod rotation;
#[cfg(test)]
mod tests;

pub use file::{
    Summary, decode, decode_partial, is_delta, is_legacy, may_be_legacy, summary, trailing_len,
};
