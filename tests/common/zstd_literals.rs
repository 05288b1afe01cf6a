//! Codes planes with `ruzstd`.
//!
//! A coded plane has the format of Zstandard's compressed literals in four streams (RFC 8878,
//! section 3.1.1.3.1).

use ruzstd::decoding::FrameDecoder;
use ruzstd::encoding::{CompressionLevel, FrameCompressor, Matcher, Sequence};

/// Type of a compressed block, and of compressed literals.
const COMPRESSED: u8 = 2;

/// Decodes a plane of less than 256 KiB.
pub fn decode(coded: &[u8], plane_len: usize) -> Option<Vec<u8>> {
    let mut plane = Vec::with_capacity(plane_len + 64);
    FrameDecoder::new().decode_all_to_vec(&frame(coded, plane_len), &mut plane).ok()?;
    Some(plane)
}

/// Returns a frame of one block that only contains these literals.
fn frame(coded: &[u8], plane_len: usize) -> Vec<u8> {
    // Sizes of 18 bits.
    let literals =
        u64::from(COMPRESSED) | 3 << 2 | (plane_len as u64) << 4 | (coded.len() as u64) << 22;
    let block_len = 5 + coded.len() + 1;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd];
    // A single segment with its size in four bytes.
    frame.push(0b1010_0000);
    frame.extend((plane_len as u32).to_le_bytes());
    // The last block.
    frame.extend(&((block_len << 3) as u32 | u32::from(COMPRESSED) << 1 | 1).to_le_bytes()[..3]);
    frame.extend(&literals.to_le_bytes()[..5]);
    frame.extend(coded);
    // No sequences.
    frame.push(0);
    frame
}

/// Encodes a plane of at most 128 KiB as a description of a code and four streams.
///
/// Returns `None` if `ruzstd` stores it in another way, as it does with planes of up to 1 KiB.
pub fn encode(plane: &[u8]) -> Option<Vec<u8>> {
    let mut frame = Vec::new();
    let mut encoder =
        FrameCompressor::new_with_matcher(OnlyLiterals::new(plane), CompressionLevel::Fastest);
    encoder.set_source(plane);
    encoder.set_drain(&mut frame);
    encoder.compress();
    // The magic number, the descriptor, and the window.
    literals(&frame[4 + 1 + 1..], plane.len())
}

/// Returns the compressed literals of a block, if it has four streams.
fn literals(block: &[u8], plane_len: usize) -> Option<Vec<u8>> {
    let (header, block) = block.split_at(3);
    if header[0] >> 1 & 3 != COMPRESSED || block[0] & 3 != COMPRESSED {
        return None;
    }
    // One stream, or four with sizes of this many bits.
    let size_bits = [None, Some(10), Some(14), Some(18)][usize::from(block[0] >> 2 & 3)]?;
    let (header, behind) = block.split_at((4 + 2 * size_bits) / 8);
    let header = header.iter().rev().fold(0, |bits, &byte| bits << 8 | u64::from(byte));
    let [decoded_len, coded_len] =
        [4, 4 + size_bits].map(|at| (header >> at) as usize & ((1 << size_bits) - 1));
    assert_eq!(decoded_len, plane_len, "all of the plane is literals");
    Some(behind[..coded_len].to_vec())
}

/// A matcher that finds no repetitions.
struct OnlyLiterals {
    plane_len: usize,
    block: Vec<u8>,
}

impl OnlyLiterals {
    fn new(plane: &[u8]) -> Self {
        Self { plane_len: plane.len(), block: Vec::new() }
    }
}

impl Matcher for OnlyLiterals {
    /// Returns a byte more than needed, so that the first block is also the last.
    fn get_next_space(&mut self) -> Vec<u8> {
        vec![0; self.plane_len + 1]
    }

    fn get_last_space(&mut self) -> &[u8] {
        &self.block
    }

    fn commit_space(&mut self, space: Vec<u8>) {
        self.block = space;
    }

    fn skip_matching(&mut self) {}

    fn start_matching(&mut self, mut handle_sequence: impl for<'a> FnMut(Sequence<'a>)) {
        handle_sequence(Sequence::Literals { literals: &self.block });
    }

    fn reset(&mut self, _: CompressionLevel) {}

    fn window_size(&self) -> u64 {
        128 << 10
    }
}
