//! Checks Huffman-coded planes, and describes them for the shader.

use alloc::vec::Vec;
use core::ops::Range;

use crate::bits::BackwardReader;
use crate::entropy::STREAMS;
use crate::entropy::huffman::JUMP_TABLE;
use crate::entropy::huffman::code::for_each_codeword;
use crate::entropy::huffman::decode::split_streams;
use crate::entropy::huffman::weights::{self, CodeLengths};
use crate::error::DecodeErrorKind;

/// A Huffman-coded plane whose description and whose streams' lengths have been checked.
pub(crate) struct CodedPlane {
    code: CodeLengths,
    /// The bits of each stream, without its end mark, from the beginning of the stored bytes.
    streams: [Range<u32>; STREAMS],
}

impl CodedPlane {
    /// Reads the description and the jump table of a plane of `symbols` bytes.
    pub(crate) fn parse(stored: &[u8], symbols: usize) -> Result<Self, DecodeErrorKind> {
        let corrupt = DecodeErrorKind::CorruptStream;
        let (code, description_len) = weights::read(stored)?;
        if symbols < 3 * symbols.div_ceil(STREAMS) {
            return Err(corrupt);
        }
        let mut at = (description_len + JUMP_TABLE) as u32 * u8::BITS;
        let mut streams = [const { 0..0 }; STREAMS];
        for (range, stream) in streams.iter_mut().zip(split_streams(&stored[description_len..])?) {
            let bits = BackwardReader::new(stream).ok_or(corrupt)?.bits_left();
            *range = at..at + bits as u32;
            at += stream.len() as u32 * u8::BITS;
        }
        Ok(Self { code, streams })
    }

    /// Returns the length of the longest codeword in bits.
    pub(crate) fn longest(&self) -> u32 {
        self.code.longest
    }

    /// Returns the bounds of each stream in bits, for stored bytes that begin at `first_bit`.
    pub(crate) fn stream_bounds(&self, first_bit: u32) -> [u32; 2 * STREAMS] {
        let mut bounds = [0; 2 * STREAMS];
        for (bounds, stream) in bounds.chunks_exact_mut(2).zip(&self.streams) {
            bounds.copy_from_slice(&[first_bit + stream.start, first_bit + stream.end]);
        }
        bounds
    }

    /// Appends the codewords in the order of their cells, as the shader reads them, little-endian:
    /// the first of the 2^`longest` cells, the length in bits, and the symbol.
    pub(crate) fn append_codes(&self, codes: &mut Vec<u32>) {
        for_each_codeword(&self.code, |symbol, bits, len| {
            let first_cell = bits << (self.code.longest - len);
            codes.push((first_cell << 16 | len << 8 | u32::from(symbol)).to_le());
        });
    }
}
