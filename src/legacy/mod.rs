//! Reads the layouts of releases 0.1.1 to 0.3.4 of the original.
//!
//! | releases | header | 32-bit elements | 16-bit elements |
//! |---|---|---|---|
//! | 0.1.1 | 16 bytes | four planes, or all as one: Zstandard, LZ4, Snappy | the same |
//! | 0.2.0–0.2.3 | 16 bytes | four planes, or the lower bytes of integers | two planes, Huffman |
//! | 0.2.4 | 20 bytes | the same | the same |
//! | 0.3.0–0.3.4 | 32 bytes | the same | today's layout |
//!
//! The version of the first frame of a file determines the layout, because the headers of releases
//! 0.3.4 and 0.3.5 differ in nothing else. All functions that decompress whole inputs, such as
//! [`decompress`](crate::decompress) and [`delta::decompress`](crate::delta::decompress), read
//! these files. Use [`summary`] to inspect them.
//!
//! Files of releases 0.2.0 to 0.3.1 lack the last byte of 16-bit data of odd length. The other
//! bytes are decoded, and [`Summary::lost`] counts the missing bytes. Two other losses cannot be
//! detected: releases 0.3.2 to 0.3.4 add a zero byte to such data, and releases since 0.2.0 omit
//! the last bytes of 32-bit data whose length is not a multiple of four.

mod blob;
mod blocks;
mod chunks;
mod fields;
mod file;
mod frame;
mod halves;
mod output;
mod planes;
mod rotation;
#[cfg(test)]
mod tests;

pub use file::{
    Summary, decode, decode_partial, is_delta, is_legacy, may_be_legacy, summary, trailing_len,
};
