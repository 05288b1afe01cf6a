//! Exposes single steps of the codec to this repository's benchmarks and fuzz targets.
//!
//! This interface is not stable.

#![allow(missing_docs, reason = "hidden from the documentation")]

use alloc::boxed::Box;
use alloc::vec::Vec;

#[cfg(feature = "__internal-fuzz")]
use crate::checksum;
use crate::dtype::DType;
use crate::entropy::histogram::{self, StreamCounts};
use crate::entropy::huffman::code::Codeword;
use crate::entropy::huffman::encode::{Coding, Plan, plan};
use crate::entropy::huffman::pair_table::PairTable;
use crate::entropy::huffman::pairs::{self, PAIRS, PairCodewords, PairCounts};
use crate::entropy::huffman::table::adaptive::DecodeTable;
use crate::entropy::huffman::table::single::SmallTable;
use crate::entropy::huffman::weights::CodeLengths;
use crate::entropy::huffman::{decode, weights};
use crate::entropy::sample::Sample;
use crate::entropy::{STREAMS, SYMBOLS, pivot};
use crate::model::difference;
use crate::model::difference::encode::DifferenceEncoder;
use crate::model::scales;
use crate::model::scales::encode::ScalesEncoder;
use crate::plane;
use crate::plane_layout::PlaneLayout;
use crate::prefetch::Ahead;
use crate::simd::{Kernels, Level};

/// Accepts all checksums from now on, so that altered files reach the decoder.
#[cfg(feature = "__internal-fuzz")]
pub fn ignore_checksums() {
    checksum::ignore();
}

/// Replaces symbols by the numbers of their pairs.
pub fn pack(plane: &mut [u8], lowest: u8) {
    pairs::pack(plane, lowest);
}

/// Returns the lowest and the highest symbol.
pub fn range(plane: &[u8]) -> (u8, u8) {
    histogram::range(plane)
}

/// Returns whether a sample of a plane is noise.
pub fn is_noise(plane: &[u8]) -> bool {
    Sample::finds_noise(plane)
}

/// Counts of a plane's symbols.
#[derive(Debug)]
pub struct Counts(Box<StreamCounts>, Box<PairCounts>);

impl Counts {
    pub fn new() -> Self {
        Self(Box::new([[0; SYMBOLS]; STREAMS]), Box::new([[0; PAIRS]; STREAMS]))
    }

    pub fn count(&mut self, plane: &[u8]) {
        histogram::count(plane, &mut self.0);
    }

    pub fn count_pairs(&mut self, packed: &[u8], lowest: u8) {
        pairs::count(packed, lowest, &mut self.1, &mut self.0);
    }

    /// Pivot-codes the counted plane, or returns `None` if coding does not pay.
    pub fn pivot_code(&self, plane: &[u8]) -> Option<Vec<u8>> {
        let Coding::Streams(huffman) = plan(&self.0, plane.len()) else { return None };
        let pivot = pivot::encode::Plan::new(huffman.code(), huffman.description(), &self.0);
        let mut coded = alloc::vec![0; pivot.size()];
        pivot.encode(plane, &mut coded, &mut Vec::new());
        Some(coded)
    }

    /// Returns the code for a plane with these counts, or `None` if coding does not pay.
    pub fn code(&self, plane_len: usize) -> Option<Code> {
        match plan(&self.0, plane_len) {
            Coding::Streams(plan) => {
                let pairs = Box::new([Codeword::default(); PAIRS]);
                Some(Code { plan, pairs, table: PairTable::default() })
            }
            _ => None,
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

/// A Huffman code for a plane.
pub struct Code {
    plan: Plan,
    pairs: Box<PairCodewords>,
    table: PairTable,
}

impl Code {
    pub fn encode(&self, plane: &[u8]) -> Vec<u8> {
        let mut coded = alloc::vec![0; self.plan.size()];
        self.plan.encode(plane, &mut coded, &mut PairTable::default(), &mut Ahead::default());
        coded
    }

    pub fn encode_into(&mut self, plane: &[u8], coded: &mut [u8]) {
        self.plan.encode(plane, coded, &mut self.table, &mut Ahead::default());
    }

    pub fn encode_pairs_into(&mut self, packed: &[u8], lowest: u8, coded: &mut [u8]) {
        self.plan.encode_pairs(packed, lowest, &mut self.pairs, coded);
    }
}

/// Decodes a plane of Huffman codes.
pub fn decode(coded: &[u8], plane: &mut [u8], table: &mut DecodeTable) -> bool {
    decode::decode(coded, plane, table, &mut Ahead::default()).is_ok()
}

/// Decodes a pivot-coded plane with a level, or returns `None` if the processor lacks it.
pub fn decode_pivot(level: Level, coded: &[u8], plane: &mut [u8]) -> Option<bool> {
    let kernels = Kernels::of(level)?;
    let mut memory = pivot::decode::ArrayMemory::default();
    Some(
        pivot::decode::decode_with(kernels, coded, plane, Some(&mut memory), true, |_, _| {})
            .is_ok(),
    )
}

/// Decodes a plane of Huffman codes with the small table.
pub fn decode_small(coded: &[u8], plane: &mut [u8], table: &mut SmallTable) -> bool {
    table.decode_plane(coded, plane).is_ok()
}

/// Decodes the code of a chunk's differences to a base, which has the chunk's length.
pub fn decode_difference(code: &[u8], base: &[u8], chunk: &mut [u8]) -> bool {
    let mut tables = alloc::vec![0; difference::tables_len(chunk.len() as u64) as usize];
    difference::decode::decode(code, base, chunk, &mut tables).is_ok()
}

/// Returns the code of a chunk's differences to a base, which has the chunk's length.
pub fn encode_difference(dtype: DType, base: &[u8], chunk: &[u8]) -> Vec<u8> {
    let xor: Vec<u8> = base.iter().zip(chunk).map(|(base, byte)| base ^ byte).collect();
    let mut code = Vec::new();
    DifferenceEncoder::default().encode(chunk, &xor, dtype, &mut code);
    code
}

/// Decodes the code of scales of a chunk. Returns whether it is valid.
pub fn decode_scales(code: &[u8], chunk: &mut [u8]) -> bool {
    let mut memory = alloc::vec![0; scales::memory_len(chunk.len() as u64) as usize];
    scales::decode::decode(code, chunk, &mut memory).is_ok()
}

/// Returns the code of scales of a chunk.
pub fn encode_scales(dtype: DType, chunk: &[u8]) -> Vec<u8> {
    ScalesEncoder::default().encode(chunk, dtype).concat()
}

/// Parses the description of a code, and returns the lengths of its codewords and its own length.
pub fn read_tree(description: &[u8]) -> Option<([u8; SYMBOLS], usize)> {
    let (code, size) = weights::read(description).ok()?;
    Some((code.bits, size))
}

/// Describes a complete code, given by the lengths of its codewords.
pub fn write_tree(lengths: [u8; SYMBOLS]) -> Option<Vec<u8>> {
    let longest = lengths.iter().copied().max()?.into();
    let mut description = [0; weights::MAX_SIZE];
    let size = weights::write(&CodeLengths { bits: lengths, longest }, &mut description)?;
    Some(description[..size].to_vec())
}

/// Builds the table that decodes a coded plane.
pub fn build_table(coded: &[u8], table: &mut DecodeTable) -> bool {
    decode::build_table(coded, table).is_ok()
}

/// Splits a chunk of whole elements into planes of equal length.
pub fn split(dtype: DType, chunk: &[u8], planes: &mut [u8]) {
    let mut parts = planes.chunks_mut((chunk.len() / dtype.size()).max(1));
    plane::split(
        PlaneLayout::of(dtype),
        chunk,
        core::array::from_fn(|_| parts.next().unwrap_or_default()),
    );
}

/// Merges planes of equal length into a chunk.
pub fn merge(dtype: DType, planes: &[u8], chunk: &mut [u8]) {
    let mut parts = planes.chunks((chunk.len() / dtype.size()).max(1));
    plane::merge(
        PlaneLayout::of(dtype),
        core::array::from_fn(|_| parts.next().unwrap_or_default()),
        chunk,
    );
}
