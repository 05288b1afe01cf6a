//! Encodes chunks with the code of scales.

use crate::chunk::encode::{self, EncodeScratch, NextChunk};
use crate::chunk::plane_encoder::Stored;
use crate::format::method;
use crate::model::scales::encode::ScalesEncoder;
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
    let Some(code) = encode_code(chunk, options, &mut scratch.scales) else {
        // The caller compares whole frames.
        return encode::encode(layout, chunk, options.coding(), dst, scratch, NextChunk::default());
    };
    for (plane, dst) in dst.iter_mut().enumerate() {
        let is_used = plane < layout.planes;
        let len = if is_used { layout.plane_len(chunk.len() as u64, plane) as usize } else { 0 };
        *dst = &mut core::mem::take(dst)[..len];
    }
    encode::store_code(code, method::SCALES, dst)
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
    match encode_code(chunk, options, &mut scratch.scales) {
        Some(code) => code_len(code),
        None => encode::encoded_len(layout, chunk, options.coding(), space, scratch),
    }
}

/// Returns the code of a chunk if it is shorter than the chunk.
fn encode_code<'e>(
    chunk: &[u8],
    options: &Options,
    encoder: &'e mut ScalesEncoder,
) -> Option<[&'e [u8]; 2]> {
    if chunk.len() < SHORTEST {
        return None;
    }
    let code = encoder.encode(chunk, options.scales_type());
    (code_len(code) < chunk.len()).then_some(code)
}

fn code_len(code: [&[u8]; 2]) -> usize {
    code.iter().map(|part| part.len()).sum()
}
