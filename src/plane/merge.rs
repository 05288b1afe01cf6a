//! Merges planes into chunks.

use crate::plane::blocks::{self, Blocks};
use crate::plane::{MAX_PLANES, WORD, scalar};
use crate::plane_layout::PlaneLayout;
use crate::simd::Kernels;

/// Length in bytes of the blocks of a chunk.
///
/// Half of it is 2 to 5 per cent slower for float32, and 10 to 16 per cent slower where a pivot code
/// is decoded between blocks.
const BLOCK: usize = 2048;

/// Returns whether the memory for merging a chunk of this length is not in the cache as a rule.
pub(crate) const fn is_far(chunk_len: usize) -> bool {
    chunk_len > 64 * 1024
}

/// Merges planes into a chunk, whose memory is prefetched if it is [far](is_far).
///
/// Each slice of `planes` has exactly the length of its plane.
pub(crate) fn merge(layout: PlaneLayout, planes: [&[u8]; MAX_PLANES], chunk: &mut [u8]) {
    merge_part(layout, planes, chunk, is_far(chunk.len()));
}

/// Merges planes into a part of a chunk, as [`merge`] does.
pub(crate) fn merge_part(
    layout: PlaneLayout,
    planes: [&[u8]; MAX_PLANES],
    chunk: &mut [u8],
    is_far: bool,
) {
    let block_len = if is_far { BLOCK } else { usize::MAX };
    let [p0, p1, ..] = planes;
    let rotated = layout.rotated;
    match layout.planes {
        1 => chunk.copy_from_slice(p0),
        2 => merge_words([p0, p1], chunk, block_len, |kernels, [low, high], words| match rotated {
            true => kernels.merge2_rotated(low, high, words),
            false => kernels.merge2(low, high, words),
        }),
        _ => merge_words(planes, chunk, block_len, |kernels, planes, words| match rotated {
            true => kernels.merge4_rotated(planes, words),
            false => kernels.merge4(planes, words),
        }),
    }
}

/// Merges the words of a chunk with a kernel, and the bytes after them without rotating them.
fn merge_words<const K: usize>(
    planes: [&[u8]; K],
    chunk: &mut [u8],
    block_len: usize,
    kernel: impl Fn(Kernels, [&[u8]; K], &mut [u8]),
) {
    let kernels = Kernels::new();
    let (words, rest) = chunk.split_at_mut(chunk.len() / WORD * WORD);
    let elements = words.len() / K;
    scalar::merge(&planes.map(|plane| &plane[elements..]), rest);
    for (words, planes) in Blocks::new(words, planes.map(|plane| &plane[..elements]), block_len) {
        kernel(kernels, planes, words);
    }
}

/// Prefetches the memory that [`merge`] uses first.
pub(crate) fn prefetch(planes: &[&[u8]], chunk: &[u8]) {
    blocks::prefetch(chunk, planes, BLOCK);
}
