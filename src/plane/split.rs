//! Splits chunks into planes.

use crate::plane::blocks::Blocks;
use crate::plane::{MAX_PLANES, WORD, scalar};
use crate::plane_layout::PlaneLayout;
use crate::simd::Kernels;

/// Length in bytes up to which a chunk is not divided into blocks.
const CACHED: usize = 32 * 1024;
/// Length in bytes of the blocks of a chunk.
///
/// Twice or half of it is 2 to 5 per cent slower for float32.
const BLOCK: usize = 1024;

/// Splits a chunk into its planes.
///
/// Each slice of `planes` has exactly the length of its plane.
pub(crate) fn split(layout: PlaneLayout, chunk: &[u8], planes: [&mut [u8]; MAX_PLANES]) {
    let [p0, p1, p2, p3] = planes;
    let rotated = layout.rotated;
    match layout.planes {
        1 => p0.copy_from_slice(chunk),
        2 => split_words(chunk, [p0, p1], |kernels, words, [low, high]| match rotated {
            true => kernels.split2_rotated(words, low, high),
            false => kernels.split2(words, low, high),
        }),
        _ => split_words(chunk, [p0, p1, p2, p3], |kernels, words, planes| match rotated {
            true => kernels.split4_rotated(words, planes),
            false => kernels.split4(words, planes),
        }),
    }
}

/// Splits the words of a chunk with a kernel, and the bytes after them without rotating them.
fn split_words<const K: usize>(
    chunk: &[u8],
    mut planes: [&mut [u8]; K],
    kernel: impl Fn(Kernels, &[u8], [&mut [u8]; K]),
) {
    let kernels = Kernels::new();
    let (words, rest) = chunk.split_at(chunk.len() / WORD * WORD);
    let elements = words.len() / K;
    let block_len = if words.len() > CACHED { BLOCK } else { usize::MAX };
    scalar::split(rest, &mut planes.each_mut().map(|plane| &mut plane[elements..]));
    for (words, planes) in Blocks::new(words, planes.map(|plane| &mut plane[..elements]), block_len)
    {
        kernel(kernels, words, planes);
    }
}
