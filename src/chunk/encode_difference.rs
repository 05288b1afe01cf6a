//! Encodes chunks of differences in the smallest way.
//!
//! A chunk is stored as planes of the exclusive or of data and base, as planes of the data, or with
//! the code of [`difference`](crate::model::difference). A sample of the chunk excludes the ways
//! that would be much larger.

use alloc::vec::Vec;

use crate::chunk::encode::{self, EncodeScratch, NextChunk};
use crate::chunk::plane_encoder::Stored;
use crate::dtype::DType;
use crate::format::method;
use crate::model::difference::encode::is_zero;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::plane_layout::PlaneLayout;

/// Number of parts of a sample, which are evenly distributed over the chunk.
const SAMPLE_PARTS: usize = 4;
/// Length of each part of a sample in bytes. It contains whole elements.
const SAMPLE_PART: usize = 4096;
/// Part of the code of a sample that a whole chunk has only once: states, and most of the tables.
const FIXED_LEN: usize = 600;

/// The lengths of a coded sample.
struct SampleLens {
    /// The type for which the difference code is shortest, and the length of that code.
    difference: (DType, usize),
    /// Planes of the exclusive or.
    xor: usize,
    /// Planes of the data.
    data: usize,
}

/// Encodes a chunk, each plane into its own part of `dst`, as [`encode::encode`] does.
///
/// `xor` is the exclusive or of the chunk and its base.
pub(crate) fn encode(
    layout: PlaneLayout,
    chunk: &[u8],
    xor: &[u8],
    options: &Options,
    mut dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
) -> [Stored; MAX_PLANES] {
    for (plane, dst) in dst.iter_mut().enumerate().take(layout.planes) {
        let len = layout.plane_len(chunk.len() as u64, plane) as usize;
        *dst = &mut core::mem::take(dst)[..len];
    }
    if is_zero(xor) {
        return unchanged(layout, dst);
    }
    let mut memory = core::mem::take(&mut scratch.difference);
    let lens = sample(layout, chunk, xor, options, &mut memory, scratch);
    let sample_len = memory.samples[0].len();
    let planes_len = lens.xor.min(lens.data);
    let (dtype, code_len) = lens.difference;
    let code = &mut memory.code;
    let is_candidate = code_len.saturating_sub(FIXED_LEN) <= planes_len + planes_len / 8;
    if is_candidate {
        memory.encoder.encode(chunk, xor, dtype, code);
    }
    // The planes are encoded only if they may be smaller.
    let expected = planes_len as u64 * chunk.len() as u64 / sample_len as u64;
    let stored = match is_candidate && code.len() < chunk.len() && expected > code.len() as u64 {
        true => encode::store_code([code, &[]], method::DIFFERENCE, dst),
        false => {
            let stored =
                encode_planes(layout, chunk, xor, options, &lens, reborrow(&mut dst), scratch);
            let len: usize = stored.iter().map(|plane| plane.len).sum();
            if is_candidate && code.len() < len {
                encode::store_code([code, &[]], method::DIFFERENCE, dst)
            } else {
                stored
            }
        }
    };
    scratch.difference = memory;
    stored
}

fn reborrow<'d>(dst: &'d mut [&mut [u8]; MAX_PLANES]) -> [&'d mut [u8]; MAX_PLANES] {
    dst.each_mut().map(|plane| &mut **plane)
}

/// Stores a chunk that is equal to its base.
fn unchanged(layout: PlaneLayout, dst: [&mut [u8]; MAX_PLANES]) -> [Stored; MAX_PLANES] {
    let mut stored = [Stored::default(); MAX_PLANES];
    for (stored, dst) in stored.iter_mut().zip(dst).take(layout.planes) {
        if let Some(first) = dst.first_mut() {
            *first = 0;
            *stored = Stored { method: method::HUFFMAN, len: 1 };
        }
    }
    stored
}

/// Encodes the planes of the exclusive or, or the planes of the data if their sample is smaller.
fn encode_planes(
    layout: PlaneLayout,
    chunk: &[u8],
    xor: &[u8],
    options: &Options,
    lens: &SampleLens,
    dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
) -> [Stored; MAX_PLANES] {
    let coding = options.coding();
    if lens.xor <= lens.data {
        return encode::encode(layout, xor, coding, dst, scratch, NextChunk::default());
    }
    let mut stored = encode::encode(layout, chunk, coding, dst, scratch, NextChunk::default());
    stored.iter_mut().for_each(|plane| plane.method |= method::WITHOUT_BASE);
    stored
}

/// Takes a sample of a chunk, and encodes it in all ways.
fn sample(
    layout: PlaneLayout,
    chunk: &[u8],
    xor: &[u8],
    options: &Options,
    memory: &mut encode::DifferenceMemory,
    scratch: &mut EncodeScratch,
) -> SampleLens {
    let [chunk_sample, xor_sample] = &mut memory.samples;
    take_sample(chunk, chunk_sample);
    take_sample(xor, xor_sample);
    if memory.space.len() < chunk_sample.len() {
        memory.space.resize(chunk_sample.len(), 0);
    }
    let coding = options.coding();
    let mut planes_len = |data: &[u8]| {
        let space = &mut memory.space[..data.len()];
        encode::encoded_len(layout, data, coding, space, scratch)
    };
    let (xor_len, data_len) = (planes_len(xor_sample), planes_len(chunk_sample));
    let mut difference = (DType::BF16, usize::MAX);
    let types = options.likely_types();
    for &dtype in types {
        memory.encoder.encode(chunk_sample, xor_sample, dtype, &mut memory.code);
        // A less likely type must be better by more than chance.
        let len = memory.code.len() + memory.code.len() / 32 + 32;
        if len < difference.1 {
            difference = (dtype, memory.code.len());
        }
        // The declared type, or one of the same size, need not compete if it is clearly right.
        if types.len() == 2 && difference.1 < xor_len.min(data_len) / 5 * 4 {
            break;
        }
    }
    SampleLens { difference, xor: xor_len, data: data_len }
}

/// Copies a part of the data that stands for all of it. A short chunk is its own sample.
fn take_sample(data: &[u8], sample: &mut Vec<u8>) {
    sample.clear();
    if data.len() <= 2 * SAMPLE_PARTS * SAMPLE_PART {
        return sample.extend_from_slice(data);
    }
    let step = data.len() / SAMPLE_PARTS / SAMPLE_PART * SAMPLE_PART;
    for start in (0..SAMPLE_PARTS).map(|part| part * step) {
        sample.extend_from_slice(&data[start..start + SAMPLE_PART]);
    }
}
