//! Encodes chunks with the code of scales.

use crate::chunk::encode::{self, EncodeScratch, NextChunk};
use crate::chunk::plane_encoder::Stored;
use crate::format::method;
use crate::options::Options;
use crate::plane::MAX_PLANES;
use crate::plane_layout::PlaneLayout;

/// Minimum length in bytes of chunks that are worth tables of their own.
const SHORTEST: usize = 8 * 1024;

/// Encodes a chunk, each plane into its own part of `dst`, as [`encode::encode`] does.
pub(crate) fn encode(
    layout: PlaneLayout,
    chunk: &[u8],
    options: &Options,
    mut dst: [&mut [u8]; MAX_PLANES],
    scratch: &mut EncodeScratch,
) -> [Stored; MAX_PLANES] {
    let code_len = encode_code(chunk, options, scratch);
    // The caller compares whole frames.
    if code_len >= chunk.len() {
        return encode::encode(layout, chunk, options.coding(), dst, scratch, NextChunk::default());
    }
    for (plane, dst) in dst.iter_mut().enumerate() {
        let is_used = plane < layout.planes;
        let len = if is_used { layout.plane_len(chunk.len() as u64, plane) as usize } else { 0 };
        *dst = &mut core::mem::take(dst)[..len];
    }
    encode::store_code(&scratch.scales.code, method::SCALES, dst)
}

/// Returns the number of bytes in which [`encode`] would store a chunk.
///
/// `space` is at least as long as the chunk.
pub(crate) fn encoded_len(
    layout: PlaneLayout,
    chunk: &[u8],
    options: &Options,
    space: &mut [u8],
    scratch: &mut EncodeScratch,
) -> usize {
    let code_len = encode_code(chunk, options, scratch);
    match code_len < chunk.len() {
        true => code_len,
        false => encode::encoded_len(layout, chunk, options.coding(), space, scratch),
    }
}

/// Writes the code of a chunk to the memory. Returns its length.
fn encode_code(chunk: &[u8], options: &Options, scratch: &mut EncodeScratch) -> usize {
    if chunk.len() < SHORTEST {
        return usize::MAX;
    }
    let memory = &mut scratch.scales;
    memory.encoder.encode(chunk, options.scales_type(), &mut memory.code);
    memory.code.len()
}
