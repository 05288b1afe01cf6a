//! Encodes a plane as a Zstandard frame of one block with Huffman-coded literals and repetitions.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::chunk::zstd::frame::{self, block, descriptor};
use crate::chunk::zstd::runs::{self, Sequence};
use crate::chunk::zstd::sequences;
use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::MAX_WRITTEN_PLANE;
use crate::entropy::huffman::encode::{Coding, plan};
use crate::entropy::huffman::pair_table::PairTable;
use crate::entropy::{STREAMS, SYMBOLS};
use crate::prefetch::Ahead;

/// An encoder that keeps its memory from plane to plane.
#[derive(Default)]
pub(crate) struct Encoder {
    literals: Vec<u8>,
    sequences: Vec<Sequence>,
    counts: Option<Box<StreamCounts>>,
    coded: Vec<u8>,
}

impl Encoder {
    /// Maximum length of all headers and of the three code tables, in bytes.
    const OVERHEAD: usize = 512;
    /// Maximum length of a sequence in bytes.
    const SEQUENCE: usize = 8;

    /// Encodes a plane; returns `None` if little would be saved or the plane exceeds a block.
    pub(crate) fn encode(&mut self, plane: &[u8], table: &mut PairTable) -> Option<&[u8]> {
        self.encode_with_period(plane, runs::likely_period(plane)?, table)
    }

    fn encode_with_period(
        &mut self,
        plane: &[u8],
        period: usize,
        table: &mut PairTable,
    ) -> Option<&[u8]> {
        if plane.len() > MAX_WRITTEN_PLANE {
            return None;
        }
        let count = runs::find(plane, period, &mut self.literals, &mut self.sequences);
        let literals = &self.literals[..count];
        // A plane of one literal that repeats to the end is smaller as one repeated byte.
        if self.sequences.is_empty() || count == 1 {
            return None;
        }
        let bound = literals.len() + self.sequences.len() * Self::SEQUENCE + Self::OVERHEAD;
        if self.coded.len() < bound {
            self.coded.resize(bound, 0);
        }
        let block_at = frame_header(plane.len(), &mut self.coded)?;
        let content_at = block_at + block::HEADER_LEN;
        let counts = self.counts.get_or_insert_with(|| Box::new([[0; SYMBOLS]; STREAMS]));
        let mut end = content_at;
        end += write_literals(literals, counts, table, self.coded.get_mut(end..)?)?;
        end += sequences::write(&self.sequences, period, self.coded.get_mut(end..)?)?;
        let header = 1 | block::COMPRESSED << 1 | ((end - content_at) as u32) << 3;
        let header = &header.to_le_bytes()[..block::HEADER_LEN];
        self.coded[block_at..content_at].copy_from_slice(header);
        Some(&self.coded[..end])
    }
}

/// Writes the header of a single-segment frame and returns the header's length in bytes.
fn frame_header(len: usize, dst: &mut [u8]) -> Option<usize> {
    /// Smallest content sizes that take two and four bytes.
    const TWO_BYTES: usize = 256;
    const FOUR_BYTES: usize = TWO_BYTES + (1 << 16);
    let (flag, size, size_len) = if len < TWO_BYTES {
        (0, len, 1)
    } else if len < FOUR_BYTES {
        (1, len - TWO_BYTES, 2)
    } else {
        (2, len, 4)
    };
    let mut header = [0; 9];
    header[..4].copy_from_slice(&frame::MAGIC);
    header[4] = descriptor::SINGLE_SEGMENT | flag << descriptor::CONTENT_SIZE_SHIFT;
    header[5..].copy_from_slice(&(size as u32).to_le_bytes());
    let header = &header[..5 + size_len];
    dst.get_mut(..header.len())?.copy_from_slice(header);
    Some(header.len())
}

/// Writes the section of literals (RFC 8878, section 3.1.1.3.1) and returns its length.
fn write_literals(
    literals: &[u8],
    counts: &mut StreamCounts,
    table: &mut PairTable,
    dst: &mut [u8],
) -> Option<usize> {
    const RAW: u64 = 0;
    const REPEAT: u64 = 1;
    const COMPRESSED: u64 = 2;
    histogram::count(literals, counts);
    let len = literals.len() as u64;
    match plan(counts, literals.len()) {
        Coding::Streams(plan) if plan.size() < literals.len() => {
            // The header holds two sizes of 18 bits, and selects four streams.
            let header = COMPRESSED | 3 << 2 | len << 4 | (plan.size() as u64) << 22;
            let (head, rest) = dst.split_at_mut_checked(5)?;
            head.copy_from_slice(&header.to_le_bytes()[..5]);
            let dst = rest.get_mut(..plan.size())?;
            plan.encode(literals, dst, table, &mut Ahead::default());
            Some(5 + plan.size())
        }
        Coding::Repeat(byte) => {
            let (head, rest) = dst.split_at_mut_checked(3)?;
            head.copy_from_slice(&(REPEAT | 3 << 2 | len << 4).to_le_bytes()[..3]);
            *rest.first_mut()? = byte;
            Some(4)
        }
        _ => {
            let (head, rest) = dst.split_at_mut_checked(3)?;
            head.copy_from_slice(&(RAW | 3 << 2 | len << 4).to_le_bytes()[..3]);
            rest.get_mut(..literals.len())?.copy_from_slice(literals);
            Some(3 + literals.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::zstd::Decoder;

    #[test]
    fn encoded_planes_decode() {
        let (mut encoder, mut table) = (Encoder::default(), PairTable::default());
        let mut decoder = Decoder::default();
        let mut state = 1_u64;
        let mut random = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % bound
        };
        let mut coded_planes = 0;
        for round in 0..3000 {
            let len = 1 + random([40, 700, 5000, MAX_WRITTEN_PLANE][round % 4]);
            let longest = 1 + random(len);
            let alphabet = 1 + random(256);
            let most_literals = 1 + random(30);
            let mut plane = Vec::with_capacity(len);
            let period = 1 + random(9);
            while plane.len() < len {
                for _ in 0..random(most_literals) + period {
                    plane.push(random(alphabet) as u8);
                }
                for _ in 0..random(longest) {
                    plane.push(plane[plane.len() - period]);
                }
            }
            plane.truncate(len);
            if let Some(coded) = encoder.encode_with_period(&plane, period, &mut table) {
                coded_planes += 1;
                let mut decoded = alloc::vec![0; len];
                let result = decoder.decode(coded, &mut decoded);
                assert_eq!(result, Ok(()), "round {round}, {len}, period {period}");
                assert!(decoded == plane, "round {round}");
            }
        }
        assert!(coded_planes > 2000, "{coded_planes}");
    }
}
